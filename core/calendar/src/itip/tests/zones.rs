//! Instances are told apart by what their times mean, whatever zone they are written in.

use super::{Change, address, apply, assert_same, calendar, now, owner};
use crate::itip::{
    Owner, PartStat, Receiving, compose_reply, edit, for_sending, receive, update_own_copy,
};
use crate::message::{Message, Provenance};
use crate::time::When;
use crate::zone::{Zones, by_name};

/// One and a half hours ahead of UTC, in summer two and a half: a zone that nobody knows by its name.
const ODD: &str = "
    BEGIN:VTIMEZONE
    TZID:Odd
    BEGIN:STANDARD
    DTSTART:19701025T030000
    TZOFFSETFROM:+0230
    TZOFFSETTO:+0130
    RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
    END:STANDARD
    BEGIN:DAYLIGHT
    DTSTART:19700329T020000
    TZOFFSETFROM:+0130
    TZOFFSETTO:+0230
    RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
    END:DAYLIGHT
    END:VTIMEZONE";

fn series(zone: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1
         DTSTART;TZID={zone}:20270322T100000\nDTEND;TZID={zone}:20270322T110000
         RRULE:FREQ=WEEKLY;COUNT=20\nORGANIZER:mailto:a@example.com
         ATTENDEE:mailto:b@example.com\nEND:VEVENT"
    )
}

fn cancelled(zone: &str, day: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2\nSTATUS:CANCELLED
         RECURRENCE-ID;TZID={zone}:{day}T100000
         DTSTART;TZID={zone}:{day}T100000\nDTEND;TZID={zone}:{day}T110000
         ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT"
    )
}

fn notice(id: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2\nSTATUS:CANCELLED
         ORGANIZER:mailto:a@example.com\nRECURRENCE-ID{id}\nEND:VEVENT"
    )
}

#[test]
fn an_instance_in_a_zone_of_its_own_is_found_by_its_instant() {
    for id in [
        ":20270329T073000Z",
        ";TZID=Odd:20270329T100000",
        ";TZID=Europe/Berlin:20270329T093000",
        ";TZID=W. Europe Standard Time:20270329T093000",
        ";VALUE=DATE:20270329",
    ] {
        apply("CANCEL", &notice(id))
            .to(&format!("{ODD}\n{}", series("Odd")))
            .gives(&format!(
                "{ODD}\n{}\n{}",
                series("Odd"),
                cancelled("Odd", "20270329")
            ));
    }
    // the hour that it would have in winter
    apply("CANCEL", &notice(":20270329T083000Z"))
        .to(&format!("{ODD}\n{}", series("Odd")))
        .changes_nothing();
}

#[test]
fn an_embedded_zone_counts_more_than_the_name_it_has() {
    let berlin = ODD.replace("Odd", "Europe/Berlin");
    let stored = format!("{berlin}\n{}", series("Europe/Berlin"));
    apply("CANCEL", &notice(":20270329T073000Z"))
        .to(&stored)
        .gives(&format!(
            "{stored}\n{}",
            cancelled("Europe/Berlin", "20270329")
        ));
}

#[test]
fn a_zone_of_windows_is_known_by_name() {
    let zone = "W. Europe Standard Time";
    apply("CANCEL", &notice(":20270329T080000Z"))
        .to(&series(zone))
        .gives(&format!(
            "{}\n{}",
            series(zone),
            cancelled(zone, "20270329")
        ));
}

#[test]
fn an_end_in_another_zone_moves_by_exact_time() {
    let stored = series("Europe/Berlin").replace(
        "DTEND;TZID=Europe/Berlin:20270322T110000",
        "DTEND:20270322T100000Z",
    );
    let expected = cancelled("Europe/Berlin", "20270329").replace(
        "DTEND;TZID=Europe/Berlin:20270329T110000",
        "DTEND:20270329T090000Z",
    );
    apply("CANCEL", &notice(":20270329T080000Z"))
        .to(&stored)
        .gives(&format!("{stored}\n{expected}"));
}

#[test]
fn an_instance_of_whole_days_may_be_named_by_a_time() {
    let stored = series("X")
        .replace(";TZID=X:20270322T100000", ";VALUE=DATE:20270322")
        .replace(";TZID=X:20270322T110000", ";VALUE=DATE:20270323");
    apply("CANCEL", &notice(":20270329T000000Z"))
        .to(&stored)
        .gives(&format!(
            "{stored}\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2
             STATUS:CANCELLED\nRECURRENCE-ID;VALUE=DATE:20270329\nDTSTART;VALUE=DATE:20270329
             DTEND;VALUE=DATE:20270330\nORGANIZER:mailto:a@example.com
             ATTENDEE:mailto:b@example.com\nEND:VEVENT"
        ));
}

/// Berlin as it is, as a program tells it that knows the winter only, and in words of its own.
const BERLIN: &str = "
    BEGIN:VTIMEZONE
    TZID:Europe/Berlin
    BEGIN:STANDARD
    DTSTART:19961027T030000
    TZOFFSETFROM:+0200
    TZOFFSETTO:+0100
    RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
    END:STANDARD
    BEGIN:DAYLIGHT
    DTSTART:19810329T020000
    TZOFFSETFROM:+0100
    TZOFFSETTO:+0200
    RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
    END:DAYLIGHT
    END:VTIMEZONE";
const WINTER: &str = "
    BEGIN:VTIMEZONE
    TZID:Europe/Berlin
    BEGIN:STANDARD
    DTSTART:19700101T000000
    TZOFFSETFROM:+0100
    TZOFFSETTO:+0100
    END:STANDARD
    END:VTIMEZONE";
const SINCE_1970: &str = "
    BEGIN:VTIMEZONE
    TZID:Europe/Berlin
    BEGIN:DAYLIGHT
    TZNAME:CEST
    DTSTART:19700329T020000
    TZOFFSETFROM:+0100
    TZOFFSETTO:+0200
    RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
    END:DAYLIGHT
    BEGIN:STANDARD
    TZNAME:CET
    DTSTART:19701025T030000
    TZOFFSETFROM:+0200
    TZOFFSETTO:+0100
    RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
    END:STANDARD
    END:VTIMEZONE";

fn moved(id: &str, start: &str, end: &str, version: u8) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:2026120{version}T100000Z\nSEQUENCE:{version}
         RECURRENCE-ID{id}\nDTSTART{start}\nDTEND{end}
         ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT"
    )
}

fn second(zone: &str) -> String {
    zone.replace("TZID:Europe/Berlin", "TZID:Europe/Berlin 2")
}

#[test]
fn a_message_about_an_instance_changes_the_zone_of_that_only() {
    let berlin = ";TZID=Europe/Berlin";
    let message = moved(
        &format!("{berlin}:20270705T100000"),
        &format!("{berlin}:20270705T120000"),
        &format!("{berlin}:20270705T130000"),
        2,
    );
    let stored = format!("{BERLIN}\n{}", series("Europe/Berlin"));
    let expected = message
        .replace("DTSTART;TZID=Europe/Berlin", "DTSTART;TZID=Europe/Berlin 2")
        .replace("DTEND;TZID=Europe/Berlin", "DTEND;TZID=Europe/Berlin 2");
    let both = format!(
        "{BERLIN}\n{}\n{}\n{expected}",
        second(WINTER),
        series("Europe/Berlin")
    );
    let next = apply("REQUEST", &format!("{WINTER}\n{message}"))
        .to(&stored)
        .gives(&both);

    // The same rules again, at another time: the same name.
    let again = message
        .replace("0705T12", "0705T14")
        .replace("0705T13", "0705T15");
    let again = again
        .replace("1202T10", "1203T10")
        .replace("SEQUENCE:2", "SEQUENCE:3");
    let expected = expected
        .replace("0705T12", "0705T14")
        .replace("0705T13", "0705T15");
    let expected = expected
        .replace("1202T10", "1203T10")
        .replace("SEQUENCE:2", "SEQUENCE:3");
    let both = format!(
        "{BERLIN}\n{}\n{}\n{expected}",
        second(WINTER),
        series("Europe/Berlin")
    );
    let next = next
        .then("REQUEST", &format!("{WINTER}\n{again}"))
        .gives(&both);

    // What is older changes no zone, whatever it brings.
    let ahead = WINTER.replace("+0100", "+0900");
    next.clone()
        .then("REQUEST", &format!("{ahead}\n{message}"))
        .changes_nothing();

    // Called off by the zone of that instance's series, or by that of the message.
    let notice = notice(";TZID=Europe/Berlin:20270712T100000").replace("SEQUENCE:2", "SEQUENCE:3");
    let off = cancelled("Europe/Berlin", "20270712").replace("SEQUENCE:2", "SEQUENCE:3");
    next.clone()
        .then("CANCEL", &format!("{WINTER}\n{notice}"))
        .gives(&format!("{both}\n{off}"));

    // Back in the zone of the series, as another program tells it: nobody needs the other zone any more.
    let back = again
        .replace("1203T10", "1204T10")
        .replace("SEQUENCE:3", "SEQUENCE:4");
    let next = next
        .then("REQUEST", &format!("{SINCE_1970}\n{back}"))
        .gives(&format!("{BERLIN}\n{}\n{back}", series("Europe/Berlin")));

    // A new version of the whole brings its own.
    let whole = series("Europe/Berlin")
        .replace("SEQUENCE:1", "SEQUENCE:7")
        .replace("1201T10", "1207T10");
    next.then("REQUEST", &format!("{WINTER}\n{whole}"))
        .gives(&format!("{WINTER}\n{whole}"));
}

#[test]
fn what_is_not_used_is_not_taken_over() {
    let stored = format!("{BERLIN}\n{}", series("Europe/Berlin"));
    let utc = moved(
        ":20270705T080000Z",
        ":20270705T100000Z",
        ":20270705T110000Z",
        2,
    );
    apply("REQUEST", &format!("{WINTER}\n{ODD}\n{utc}"))
        .to(&stored)
        .gives(&format!("{stored}\n{utc}"));
    let added = utc.replace("RECURRENCE-ID:20270705T080000Z\n", "");
    let received = apply("ADD", &format!("{WINTER}\n{ODD}\n{added}"))
        .to(&stored)
        .received();
    let Change::Store(calendar) = received.change else {
        panic!("{}", received.status)
    };
    assert_eq!(calendar.zones().count(), 1);
}

#[test]
fn an_added_date_keeps_its_zone() {
    let stored = format!("{BERLIN}\n{}", series("Europe/Berlin"));
    let added = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2
        DTSTART;TZID=Europe/Berlin:20270707T100000\nDTEND;TZID=Europe/Berlin:20270707T110000
        ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    let received = apply("ADD", &format!("{WINTER}\n{added}"))
        .to(&stored)
        .received();
    let Change::Store(calendar) = received.change else {
        panic!("{}", received.status)
    };
    let text = String::from_utf8(calendar.write()).unwrap();
    for line in [
        "RDATE;TZID=Europe/Berlin 2:20270707T100000",
        "TZID:Europe/Berlin 2",
        "DTSTART;TZID=Europe/Berlin:20270322T100000",
    ] {
        assert!(
            text.contains(&format!("\r\n{line}\r\n")),
            "{line} in\n{text}"
        );
    }
}

#[test]
fn a_zone_that_is_only_named_stays_what_everybody_knows() {
    let message = moved(
        ":20270705T080000Z",
        ";TZID=Europe/Berlin:20270705T120000",
        ";TZID=Europe/Berlin:20270705T130000",
        2,
    );
    let renamed = message.replace("TZID=Europe/Berlin", "TZID=Europe/Berlin 2");
    apply("REQUEST", &format!("{WINTER}\n{message}"))
        .to(&series("Europe/Berlin"))
        .gives(&format!(
            "{}\n{}\n{renamed}",
            second(WINTER),
            series("Europe/Berlin")
        ));
    // The same rules in other words describe it.
    apply("REQUEST", &format!("{SINCE_1970}\n{message}"))
        .to(&series("Europe/Berlin"))
        .gives(&format!(
            "{SINCE_1970}\n{}\n{message}",
            series("Europe/Berlin")
        ));
}

#[test]
fn an_answer_changes_no_zone() {
    let stored = format!("{BERLIN}\n{}", series("Europe/Berlin"));
    let reply = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:1
        RECURRENCE-ID;TZID=Europe/Berlin:20270705T100000
        ORGANIZER:mailto:a@example.com\nATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com\nEND:VEVENT";
    let received = apply("REPLY", &format!("{WINTER}\n{reply}"))
        .to(&stored)
        .received();
    let Change::Store(calendar) = received.change else {
        panic!("{}", received.status)
    };
    let text = String::from_utf8(calendar.write()).unwrap();
    assert_eq!(calendar.zones().count(), 1, "{text}");
    assert!(
        text.contains("RECURRENCE-ID;TZID=Europe/Berlin:20270705T100000"),
        "{text}"
    );
    assert!(
        text.contains("DTSTART;TZID=Europe/Berlin:20270705T100000"),
        "{text}"
    );
}

#[test]
fn a_message_goes_out_with_the_zones_that_it_names() {
    let request = |zone: &str| {
        let text = format!("METHOD:REQUEST\n{}", series(zone));
        Message::read(calendar(&text)).unwrap()
    };
    let sent = for_sending(&request("Europe/Berlin"), None);
    assert_same(
        sent.calendar(),
        &calendar(&format!(
            "METHOD:REQUEST\n{}\n{}",
            SINCE_1970
                .replace("BYDAY=-1SU;BYMONTH=3", "BYMONTH=3;BYDAY=-1SU")
                .replace("BYDAY=-1SU;BYMONTH=10", "BYMONTH=10;BYDAY=-1SU"),
            series("Europe/Berlin")
        )),
    );
    // Under the name that the times have.
    for (zone, rules) in [
        ("W. Europe Standard Time", 2),
        ("\"(UTC+01:00) Amsterdam, Berlin, Bern, Rome\"", 2),
        ("Asia/Kolkata", 1),
        ("UTC", 1),
        ("\"GMT+5:30\"", 1),
    ] {
        let sent = for_sending(&request(zone), None);
        let zones: Vec<_> = sent.calendar().zones().collect();
        let name = zone.trim_matches('"');
        assert_eq!(zones.len(), 1, "{zone}");
        assert_eq!(zones[0].get("TZID").unwrap().to_text(), name);
        assert_eq!(zones[0].components.len(), rules, "{zone}");
    }
    // Nobody knows it, nor whose it is.
    let sent = for_sending(&request("Harbour"), None);
    assert_eq!(sent.calendar().zones().count(), 0);
    // What is described stays, and times name it letter by letter.
    let odd = Message::read(calendar(&format!(
        "METHOD:REQUEST\n{ODD}\n{}",
        series("ODD")
    )))
    .unwrap();
    assert_same(
        for_sending(&odd, None).calendar(),
        &calendar(&format!("METHOD:REQUEST\n{ODD}\n{}", series("Odd"))),
    );
    // A description without rules is none.
    let empty = "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nEND:VTIMEZONE";
    let text = format!("METHOD:REQUEST\n{empty}\n{}", series("Europe/Berlin"));
    let sent = for_sending(&Message::read(calendar(&text)).unwrap(), None);
    let zones: Vec<_> = sent.calendar().zones().collect();
    assert_eq!((zones.len(), zones[0].components.len()), (1, 2));
}

#[test]
fn every_message_that_is_made_here_describes_its_zones() {
    let stored = calendar(&series("Europe/Berlin"));
    let addresses = [address("b@example.com")];
    let answer = compose_reply(&stored, &owner(&addresses), PartStat::Accepted, now()).unwrap();
    assert_eq!(answer[0].message.calendar().zones().count(), 1);

    let organizer = [address("a@example.com")];
    let edits = [
        (None, Some(stored.clone())),
        (Some(stored.clone()), None),
        (
            Some(stored.clone()),
            Some(calendar(
                &series("Europe/Berlin")
                    .replace("T10", "T12")
                    .replace("T11", "T13"),
            )),
        ),
        (
            Some(stored.clone()),
            Some(calendar(&series("Europe/Berlin").replace(
                "ORGANIZER",
                "RDATE;TZID=Asia/Tokyo:20270601T100000\nORGANIZER",
            ))),
        ),
    ];
    for ((before, after), expected) in edits.into_iter().zip([1, 1, 1, 1]) {
        let edited = edit(before.as_ref(), after.as_ref(), &owner(&organizer), now()).unwrap();
        let [letter] = &edited.outgoing[..] else {
            panic!("{} letters", edited.outgoing.len())
        };
        let message = letter.message.calendar();
        assert_eq!(message.zones().count(), expected, "{message:?}");
        if let Change::Store(stored) = edited.store {
            assert_eq!(
                stored.zones().count(),
                0,
                "the own copy stays as it was written"
            );
        }
    }
    let refresh = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z
        ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    let received = apply("REFRESH", refresh)
        .to(&series("Europe/Berlin"))
        .received();
    assert_eq!(received.outgoing[0].message.calendar().zones().count(), 1);
}

/// A zone that nobody knows is the organizer's own, and so it is for the guests.
#[test]
fn a_zone_that_nobody_knows_is_described_as_the_organizers() {
    let kolkata = by_name("Asia/Kolkata").unwrap();
    let new_york = by_name("America/New_York").unwrap();
    let described = |message: &Message| {
        let zones = message.calendar().zones();
        let names: Vec<_> = zones.map(|it| it.get("TZID").unwrap().to_text()).collect();
        let start = message.calendar().main_components().next().unwrap();
        let start = When::of(start.get("DTSTART").unwrap()).unwrap();
        let read = Zones::of(message.calendar(), new_york.clone());
        (names, start.instant(&read).unwrap().to_string())
    };
    let expected = (
        vec!["Harbour, 2".to_owned()],
        "2027-03-22T04:30:00Z".to_owned(),
    );
    let addresses = [address("a@example.com")];
    let organizer = Owner {
        timezone: kolkata.clone(),
        ..owner(&addresses)
    };
    let stored = calendar(&series("\"Harbour, 2\""));
    for (before, after) in [(None, Some(&stored)), (Some(&stored), None)] {
        let edited = edit(before, after, &organizer, now()).unwrap();
        assert_eq!(described(&edited.outgoing[0].message), expected);
    }
    for method in ["REQUEST", "CANCEL"] {
        let text = format!("METHOD:{method}\n{}", series("\"Harbour, 2\""));
        let message = Message::read(calendar(&text)).unwrap();
        let sent = for_sending(&message, Some(&kolkata));
        assert_eq!(described(&sent), expected);
    }
    // A guest names the instance as the organizer does, who alone knows the zone.
    let addresses = [address("b@example.com")];
    let guest = Owner {
        timezone: new_york.clone(),
        ..owner(&addresses)
    };
    let answers = compose_reply(&stored, &guest, PartStat::Accepted, now()).unwrap();
    assert_eq!(answers[0].message.calendar().zones().count(), 0);
}

#[test]
fn an_edit_of_the_zone_alone_is_told() {
    let [before, after] =
        [BERLIN, WINTER].map(|zone| calendar(&format!("{zone}\n{}", series("Europe/Berlin"))));
    let organizer = [address("a@example.com")];
    let edited = edit(Some(&before), Some(&after), &owner(&organizer), now()).unwrap();
    let [letter] = &edited.outgoing[..] else {
        panic!("{} letters", edited.outgoing.len())
    };
    assert_eq!(letter.message.sequence(), 2);
    let zones: Vec<_> = letter.message.calendar().zones().collect();
    assert_eq!(zones.len(), 1);
    assert_eq!(zones[0].components.len(), 1);
    // Another program tells the same zone in other words.
    let after = calendar(&format!("{SINCE_1970}\n{}", series("Europe/Berlin")));
    let edited = edit(Some(&before), Some(&after), &owner(&organizer), now()).unwrap();
    assert!(edited.outgoing.is_empty());
}

#[test]
fn the_organizers_own_copy_keeps_its_zones() {
    let organizer = [address("a@example.com")];
    let stored = calendar(&format!("{BERLIN}\n{}", series("Europe/Berlin")));
    let instance = moved(
        ";TZID=Europe/Berlin:20270705T100000",
        ";TZID=Europe/Berlin:20270705T120000",
        ";TZID=Europe/Berlin:20270705T130000",
        2,
    );
    let message =
        Message::read(calendar(&format!("METHOD:REQUEST\n{WINTER}\n{instance}"))).unwrap();
    let Change::Store(kept) = update_own_copy(&message, Some(&stored), &owner(&organizer), now())
    else {
        panic!("nothing is kept")
    };
    let expected = instance
        .replace("DTSTART;TZID=Europe/Berlin", "DTSTART;TZID=Europe/Berlin 2")
        .replace("DTEND;TZID=Europe/Berlin", "DTEND;TZID=Europe/Berlin 2");
    assert_same(
        &kept,
        &calendar(&format!(
            "{BERLIN}\n{}\n{}\n{expected}",
            second(WINTER),
            series("Europe/Berlin")
        )),
    );
}

/// Numbers without a pattern, the same ones at each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// When the components that a message brought begin, by the number of the message.
fn starts(calendar: &crate::tree::Calendar) -> Vec<(String, bool, jiff::Timestamp)> {
    let zones = crate::zone::Zones::of(calendar, jiff::tz::TimeZone::UTC);
    let components = calendar.main_components();
    let starts = components.map(|component| {
        let start = crate::time::When::of(component.get("DTSTART").unwrap()).unwrap();
        (
            component.value("SUMMARY").unwrap().to_owned(),
            component.get("RECURRENCE-ID").is_some(),
            start.instant(&zones).unwrap(),
        )
    });
    starts.collect()
}

#[track_caller]
fn assert_no_zone_is_left_over(stored: &crate::tree::Calendar) {
    let used = crate::zone::used(stored.main_components());
    let mut seen = std::collections::HashSet::new();
    for zone in stored.zones() {
        let name = crate::zone::key(&crate::zone::name_of(zone));
        let is_used = used.keys().any(|id| crate::zone::key(id) == name);
        assert!(is_used, "{name}");
        assert!(seen.insert(name));
    }
}

#[test]
fn whatever_comes_in_whatever_order_each_component_begins_when_it_was_told() {
    let zones: [String; 6] = [
        BERLIN.to_owned(),
        WINTER.to_owned(),
        SINCE_1970.to_owned(),
        WINTER.replace("+0100", "+0900"),
        WINTER
            .replace("+0100", "-0330")
            .replace("TZID:Europe", "TZID:europe"),
        String::new(),
    ];
    for seed in 0..60 {
        let mut numbers = Numbers(seed);
        let mut told = std::collections::HashMap::new();
        let mut stored: Option<crate::tree::Calendar> = None;
        for number in 1..25 {
            let zone = &zones[usize::try_from(numbers.below(6)).unwrap()];
            let version =
                number.max(1 + numbers.below(number + 2)) - numbers.below(3).min(number - 1);
            let hour = 8 + numbers.below(10);
            let day = 5 + 7 * numbers.below(3);
            let id = match numbers.below(3) {
                0 => String::new(),
                1 => format!("RECURRENCE-ID;TZID=Europe/Berlin:202707{day:02}T100000\n"),
                _ => format!("RECURRENCE-ID:202707{day:02}T080000Z\n"),
            };
            let (begin, rule) = if id.is_empty() {
                ("20270322T100000".to_owned(), "RRULE:FREQ=WEEKLY;COUNT=40\n")
            } else {
                (format!("202707{day:02}T{hour:02}0000"), "")
            };
            let text = format!(
                "METHOD:REQUEST\n{zone}\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T10{version:02}00Z\nSEQUENCE:{version}\n{id}{rule}\
                 DTSTART;TZID=Europe/Berlin:{begin}\nDURATION:PT1H\nSUMMARY:{number}\n\
                 ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT"
            );
            let message = Message::read(calendar(&text)).unwrap();
            let (_, _, start) = starts(message.calendar())[0];
            // Without a description it means what the stored object says.
            if !zone.is_empty() {
                told.insert(number.to_string(), start);
            }
            let before = stored.clone();
            let addresses = [address("b@example.com")];
            let owner = owner(&addresses);
            let at = Receiving {
                owner: &owner,
                originator: &address("a@example.com"),
                from: Provenance::Submission,
                now: now(),
                accept_uninvited: false,
            };
            if let Change::Store(next) = receive(&message, stored.as_ref(), &at).change {
                stored = Some(next);
            }
            let Some(stored) = &stored else { continue };
            if let Change::Store(again) = receive(&message, Some(stored), &at).change {
                panic!(
                    "seed {seed}, {number}: again\n{}",
                    [&stored.write()[..], &again.write(), text.as_bytes()]
                        .map(String::from_utf8_lossy)
                        .join("\n")
                );
            }
            let show = || {
                format!(
                    "seed {seed}, message {number}\n{}\n{}",
                    before
                        .as_ref()
                        .map_or(String::new(), |it| String::from_utf8(it.write()).unwrap()),
                    String::from_utf8(stored.write()).unwrap(),
                )
            };
            let is_whole = |told: &str| {
                starts(stored)
                    .iter()
                    .any(|(it, is_instance, _)| it == told && !is_instance)
            };
            for (summary, is_instance, start) in starts(stored) {
                // What the series implies has its summary.
                if is_instance && is_whole(&summary) {
                    continue;
                }
                if let Some(told) = told.get(&summary) {
                    assert_eq!(start, *told, "{summary} of {text}\n{}", show());
                } else {
                    told.insert(summary, start);
                }
            }
            assert_no_zone_is_left_over(stored);
        }
    }
}
