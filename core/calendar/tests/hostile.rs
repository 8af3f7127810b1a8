//! Input that asks for more than anybody needs ends quickly: with a right answer, or with what is too much.
//!
//! No clock is looked at. What takes steps without bound would not end at all.

use convoke_calendar::{
    freebusy,
    index::index,
    itip::{Change, Owner, Received, Receiving, edit, recall, receive},
    message::{Message, Provenance},
    recurrence::finite_instances,
    tree::{Calendar, Limits},
    work::Work,
};
use convoke_types::{BusyType, CalendarAddress, TimeRange};
use jiff::{Timestamp, tz::TimeZone};
use std::fmt::Write;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn century() -> TimeRange {
    TimeRange::new(at("2000-01-01T00:00:00Z"), at("2100-01-01T00:00:00Z")).unwrap()
}

fn limits() -> Limits {
    Limits {
        bytes: 64 << 20,
        properties: 10_000_000,
        line_length: 64 << 20,
        ..Limits::default()
    }
}

fn calendar(inside: &str) -> Calendar {
    let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{inside}\nEND:VCALENDAR\n");
    Calendar::parse(text.as_bytes(), &limits()).unwrap()
}

fn event(lines: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nORGANIZER:mailto:a@example.com
ATTENDEE:mailto:b@example.com\n{lines}\nEND:VEVENT\n"
    )
}

fn message(method: &str, inside: &str) -> Message {
    Message::read(calendar(&format!("METHOD:{method}\n{inside}"))).unwrap()
}

fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).unwrap()
}

/// What a message from one does to the copy of the other: `a` organizes, `b` attends.
fn arrives(message: &Message, existing: Option<&Calendar>) -> Received {
    let (a, b) = (
        address("mailto:a@example.com"),
        address("mailto:b@example.com"),
    );
    let (from, to) = if message.method().is_from_organizer() {
        (a, b)
    } else {
        (b, a)
    };
    let addresses = [to];
    let owner = Owner {
        addresses: &addresses,
        name: None,
        timezone: TimeZone::UTC,
    };
    let at = Receiving {
        owner: &owner,
        originator: &from,
        from: Provenance::Peer { proven: &[] },
        now: at("2027-01-01T00:00:00Z"),
        accept_uninvited: false,
    };
    receive(message, existing, &at)
}

fn stored(received: Received) -> Calendar {
    match received.change {
        Change::Store(calendar) => calendar,
        other => panic!("{}: {other:?}", received.status),
    }
}

#[test]
fn a_rule_of_every_second_for_a_century_is_left_open_by_the_index_and_busy_where_nobody_looked() {
    let few_steps = Limits {
        work: 100_000,
        ..Limits::default()
    };
    for rule in [
        "FREQ=SECONDLY;BYDAY=MO,TU,WE,TH,FR",
        "FREQ=SECONDLY;BYDAY=SU;BYHOUR=3",
        "FREQ=SECONDLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=MINUTELY;BYSECOND=0,10,20,30,40,50",
    ] {
        let calendar = calendar(&event(&format!(
            "DTSTART:20100101T000000Z\nDTEND:20100101T000001Z\nRRULE:{rule}"
        )));
        let busy = freebusy::busy(&calendar, None, century(), &few_steps);
        assert!(busy.is_err(), "{rule}");
        let index = index(&calendar, None, century(), &few_steps).unwrap();
        assert!(
            index.spans.is_empty() && index.is_open_in(century()),
            "{rule}"
        );

        let mut work = Work::of(100_000);
        let meeting = event("DTSTART:20500103T100000Z\nDURATION:PT1H\nSTATUS:TENTATIVE");
        let objects = [calendar, self::calendar(&meeting)];
        let taken = freebusy::taken(&objects, None, century(), &mut work);
        assert_eq!(
            (taken.cut_short, taken.left_out),
            (vec![0], vec![]),
            "{rule}"
        );
        let last = taken.spans.iter().map(|span| span.range.end()).max();
        assert_eq!(last, Some(century().end()), "{rule}: nobody looked so far");
        let first = taken.spans[0].range.start();
        assert!(first >= at("2010-01-01T00:00:00Z"), "{rule}: {first}");
        let tentative = taken
            .spans
            .iter()
            .filter(|span| span.kind == BusyType::BusyTentative);
        assert_eq!(
            tentative.count(),
            1,
            "{rule}: the other object is told as it is"
        );
    }
}

#[test]
fn what_takes_no_time_or_was_declined_takes_no_work() {
    let event = event("DTSTART:20100101T000000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY");
    let me = [address("mailto:b@example.com")];
    let owner = Owner {
        addresses: &me,
        name: None,
        timezone: TimeZone::UTC,
    };
    for event in [
        event.replace("DURATION", "TRANSP:TRANSPARENT\nDURATION"),
        event.replace("ATTENDEE:", "ATTENDEE;PARTSTAT=DECLINED:"),
    ] {
        let mut work = Work::of(100);
        let taken = freebusy::taken(&[calendar(&event)], Some(&owner), century(), &mut work);
        assert_eq!(taken, freebusy::Taken::default());
        assert_eq!(work.left(), 100);
        let index = index(&calendar(&event), Some(&owner), century(), &limits()).unwrap();
        assert!(!index.is_open_in(century()));
    }
}

#[test]
fn what_is_remembered_of_a_series_is_read_once_for_all_its_instances() {
    let noted = |n: u32| {
        format!(
            "ATTENDEE;X-CONVOKE-REPLY-SEQUENCE=1:mailto:p{n}@example.com\nCOMMENT;X-CONVOKE-FROM=x:{n}\n"
        )
    };
    let lists: String = (0..20_000).map(noted).collect();
    let series = event(&format!(
        "DTSTART:20000101T100000Z\nRRULE:FREQ=DAILY\nSEQUENCE:1\n{}",
        lists.trim_end()
    ));
    let start = at("2000-01-01T10:00:00Z");
    let instances = (0..10_000).map(|n| {
        let day = start + jiff::SignedDuration::from_hours(24 * n);
        let day = day.strftime("%Y%m%dT%H%M%SZ");
        event(&format!(
            "RECURRENCE-ID:{day}\nDTSTART:{day}\nSEQUENCE:7\nATTENDEE:mailto:p1@example.com"
        ))
    });
    let stored = calendar(&instances.collect::<String>());
    let recalled = recall(&stored, &calendar(&series));
    for instance in recalled.main_components() {
        assert_eq!(instance.value("SEQUENCE"), Some("1"));
        let mut lines = instance.all("ATTENDEE");
        assert!(lines.any(|line| line.param("X-CONVOKE-REPLY-SEQUENCE") == Some("1")));
    }
}

#[test]
fn lists_in_a_rule_cost_what_they_are_long() {
    let numbers = |range: std::ops::RangeInclusive<i32>| {
        let numbers: Vec<_> = range.map(|number| number.to_string()).collect();
        numbers.join(",")
    };
    let within = format!(
        "BYHOUR={};BYMINUTE={};BYSECOND={}",
        numbers(0..=23),
        numbers(0..=59),
        numbers(0..=59)
    );
    let every = format!("FREQ=DAILY;{within}");
    let days = format!("BYYEARDAY={},{}", numbers(-366..=-1), numbers(1..=366));
    for lines in [
        // Each exclusion is a product of 86,400 by itself, made anew for each instance.
        format!("RRULE:FREQ=MINUTELY\nEXRULE:{every};UNTIL=20110101T000000Z"),
        format!("RRULE:FREQ=DAILY;{days};BYMONTH=2;BYMONTHDAY=30"),
        format!("RRULE:FREQ=YEARLY;{days};BYSETPOS={}", numbers(1..=366)),
        format!("RRULE:{every};COUNT=1\n").repeat(3000),
    ] {
        let lines = format!(
            "DTSTART:20100101T000000Z\nDURATION:PT1S\n{}",
            lines.trim_end()
        );
        let calendar = calendar(&event(&lines));
        let mut work = Work::of(20_000);
        let taken = freebusy::taken(&[calendar], None, century(), &mut work);
        assert_eq!(taken.cut_short, [0], "{}", &lines[..80]);
    }
}

#[test]
fn rules_that_never_come_true_end() {
    for rule in [
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;INTERVAL=4294967295;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;INTERVAL=1440;BYHOUR=5",
        "FREQ=DAILY;BYDAY=MO;BYMONTHDAY=31;BYMONTH=4",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=366",
    ] {
        let calendar = calendar(&event(&format!("DTSTART:20000103T100000Z\nRRULE:{rule}")));
        let busy = freebusy::busy(&calendar, None, century(), &Limits::default());
        assert!(
            busy.is_err() || busy.is_ok_and(|spans| spans.len() <= 1),
            "{rule}"
        );
    }
}

#[test]
fn ten_thousand_overrides_are_stored_answered_and_cancelled() {
    let instance = |n: u32, more: &str| {
        let day = at("2000-01-01T10:00:00Z")
            .checked_add(jiff::SignedDuration::from_hours(24 * i64::from(n)))
            .unwrap();
        let day = day.strftime("%Y%m%dT%H%M%SZ");
        event(&format!("RECURRENCE-ID:{day}\nDTSTART:{day}\n{more}"))
    };
    let series = event("DTSTART:20000101T100000Z\nRRULE:FREQ=DAILY");
    let overridden: String = (0..9_999).map(|n| instance(n, "SUMMARY:x")).collect();
    let request = message("REQUEST", &format!("{series}{overridden}"));
    let copy = stored(arrives(&request, None));
    assert_eq!(copy.main_components().count(), 10_000);
    assert_eq!(arrives(&request, Some(&copy)).change, Change::None);

    let answers: String = (0..10_000)
        .map(|n| instance(n, "").replace("ATTENDEE", "ATTENDEE;PARTSTAT=DECLINED"))
        .collect();
    let answered = stored(arrives(&message("REPLY", &answers), Some(&copy)));
    assert_eq!(answered.main_components().count(), 10_001);

    let notices: String = (0..10_000)
        .map(|n| instance(n, "STATUS:CANCELLED").replace("DTSTAMP:20261201", "DTSTAMP:20261202"))
        .collect();
    let cancelled = stored(arrives(&message("CANCEL", &notices), Some(&copy)));
    let off = cancelled.main_components();
    let off = off.filter(|it| it.value("STATUS") == Some("CANCELLED"));
    assert_eq!(off.count(), 10_000);

    let busy = freebusy::busy(&copy, None, century(), &Limits::default()).unwrap();
    assert_eq!(busy, []); // none of them takes time
    let one_more = format!(
        "METHOD:REQUEST\n{series}{overridden}{}",
        instance(20_000, "")
    );
    let error = Message::read(calendar(&one_more)).unwrap_err();
    assert!(error.to_string().contains("10001"), "{error}");
}

#[test]
fn a_time_zone_of_five_thousand_observances_is_read_or_refused() {
    let zone = |rule: &str, offsets: u32| {
        let mut text = "BEGIN:VTIMEZONE\nTZID:Vast\n".to_owned();
        for n in 0..5_000 {
            let (year, month, day) = (1900 + n / 28 % 200, n % 12 + 1, n % 28 + 1);
            let minutes = n % offsets;
            let offset = format!("+{:02}{:02}", minutes / 60, minutes % 60);
            let _ = write!(
                text,
                "BEGIN:STANDARD\nDTSTART:{year}{month:02}{day:02}T000000\nTZOFFSETFROM:+0000
TZOFFSETTO:{offset}\n{rule}\nEND:STANDARD\n"
            );
        }
        text + "END:VTIMEZONE\n"
    };
    let meeting =
        event("DTSTART;TZID=Vast:20270104T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=5");
    for (rule, offsets) in [
        ("", 60),
        ("", 1439),
        ("RRULE:FREQ=YEARLY", 60),
        ("RRULE:FREQ=SECONDLY", 60),
    ] {
        let calendar = calendar(&format!("METHOD:REQUEST\n{}{meeting}", zone(rule, offsets)));
        let message = Message::read(calendar.clone()).unwrap();
        assert!(arrives(&message, None).status.is_success());
        match freebusy::busy(&calendar, None, century(), &Limits::default()) {
            Ok(spans) => assert_eq!(spans.len(), 5, "{rule}"),
            Err(error) => assert!(error.to_string().contains("Vast"), "{rule}: {error}"),
        }
    }
}

#[test]
fn thousands_of_time_zones_are_stored_with_what_names_them() {
    let mut zones = String::new();
    for n in 0..10_000 {
        let _ = write!(
            zones,
            "BEGIN:VTIMEZONE\nTZID:Z{n}\nBEGIN:STANDARD\nDTSTART:19700101T000000
TZOFFSETFROM:+0000\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n"
        );
    }
    let series = event("DTSTART;TZID=Z7:20270104T100000\nRRULE:FREQ=DAILY");
    let copy = stored(arrives(
        &message("REQUEST", &format!("{zones}{series}")),
        None,
    ));
    let update = series
        .replace("DTSTAMP:20261201", "DTSTAMP:20261202")
        .replace("DAILY", "WEEKLY");
    let copy = stored(arrives(
        &message("REQUEST", &format!("{zones}{update}")),
        Some(&copy),
    ));
    assert_eq!(copy.zones().count(), 10_000);
    let refresh = event("").replace("DTSTART", "X");
    let received = arrives(&message("REFRESH", &refresh), Some(&copy));
    assert_eq!(received.outgoing[0].message.calendar().zones().count(), 1);
}

#[test]
fn thousands_of_time_zones_change_at_once() {
    let meeting = |sequence: u32, offset: &str| {
        let mut text = String::new();
        let mut dates = String::new();
        for n in 0..6_000 {
            let _ = write!(
                text,
                "BEGIN:VTIMEZONE\nTZID:Z{n}\nBEGIN:STANDARD\nDTSTART:19700101T000000
TZOFFSETFROM:{offset}\nTZOFFSETTO:{offset}\nEND:STANDARD\nEND:VTIMEZONE\n"
            );
            let _ = writeln!(dates, "EXDATE;TZID=Z{n}:20270105T100000");
        }
        let lines = format!(
            "SEQUENCE:{sequence}\nDTSTART;TZID=Z0:20270101T100000\nRRULE:FREQ=DAILY\n{dates}"
        );
        message("REQUEST", &format!("{text}{}", event(lines.trim_end())))
    };
    let copy = stored(arrives(&meeting(0, "+0100"), None));
    let copy = stored(arrives(&meeting(1, "+0200"), Some(&copy)));
    assert_eq!(copy.zones().count(), 6_000);
    let names = |zone: &convoke_calendar::tree::Component| zone.value("TZID").unwrap().to_owned();
    assert!(
        copy.zones().map(names).all(|name| !name.contains(' ')),
        "none keeps another name"
    );
}

#[test]
fn lists_of_a_hundred_thousand_dates_are_counted_and_searched() {
    let first = at("2027-01-04T10:00:00Z");
    let dates: Vec<String> = (0..100_000)
        .map(|n| {
            let at = first
                .checked_add(jiff::SignedDuration::from_mins(n))
                .unwrap();
            at.strftime("%Y%m%dT%H%M%SZ").to_string()
        })
        .collect();
    for name in ["RDATE", "EXDATE"] {
        let lines = format!(
            "DTSTART:20270104T100000Z\nDURATION:PT30S\nRRULE:FREQ=MINUTELY;COUNT=100000\n{name}:{}",
            dates.join(",")
        );
        let calendar = calendar(&event(&lines));
        assert!(finite_instances(&calendar, 1000).is_err());
        let busy = freebusy::busy(&calendar, None, century(), &Limits::default()).unwrap();
        assert_eq!(busy.len(), if name == "RDATE" { 100_000 } else { 0 });
        let id = "RECURRENCE-ID:20270204T100000Z\nSTATUS:CANCELLED";
        let notices = message(
            "CANCEL",
            &event(id).replace("DTSTAMP:20261201", "DTSTAMP:20261202"),
        );
        assert!(arrives(&notices, Some(&calendar)).status.is_success());
    }
}

#[test]
fn long_parameters_are_not_copied_for_each_date_or_instance() {
    let long = "x".repeat(300_000);
    let dates = vec!["20270105T100000Z"; 20_000].join(",");
    let series = event(&format!(
        "DTSTART;X-LONG={long}:20270104T100000Z\nRRULE:FREQ=DAILY\nEXDATE;X-LONG={long}:{dates}"
    ));
    let request = message("REQUEST", &series);
    let copy = stored(arrives(&request, None));
    let newer = series.replace("DTSTAMP:20261201", "DTSTAMP:20261202");
    assert!(
        arrives(&message("REQUEST", &newer), Some(&copy))
            .status
            .is_success()
    );
    let instance = event("RECURRENCE-ID:20270105T100000Z\nDTSTART:20270105T100000Z\nSEQUENCE:1");
    let back = stored(arrives(&message("REQUEST", &instance), Some(&copy)));
    let master = back.main_components().next().unwrap();
    assert!(
        master.get("EXDATE").is_none(),
        "all of them named that instance"
    );

    let instances: Vec<String> = (0..9_000)
        .map(|n| {
            let day = at("2027-01-01T10:00:00Z") + jiff::SignedDuration::from_hours(24 * n);
            let day = day.strftime("%Y%m%dT%H%M%SZ");
            format!("BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nATTENDEE:mailto:b@example.com\nRECURRENCE-ID:{day}\nDTSTART:{day}\nEND:VEVENT\n")
        })
        .collect();
    let organizer = series.replace("ORGANIZER:", &format!("ORGANIZER;CN={long}:"));
    let request = message("REQUEST", &format!("{organizer}{}", instances.concat()));
    assert!(request.calendar().write().len() < 16 << 20);

    let zone = event(&format!("DTSTART;TZID={long}:20270104T100000"));
    let error = Message::read(calendar(&format!("METHOD:REQUEST\n{zone}"))).unwrap_err();
    assert!(error.to_string().contains("1024 bytes"), "{error}");
}

#[test]
fn a_notice_is_not_read_anew_for_each_instance_nor_told_on_each_at_length() {
    let instance = |n: u32, more: &str| {
        let day = at("2000-01-01T10:00:00Z")
            .checked_add(jiff::SignedDuration::from_hours(24 * i64::from(n)))
            .unwrap();
        let day = day.strftime("%Y%m%dT%H%M%SZ");
        event(&format!("RECURRENCE-ID{more}:{day}\nDTSTART:{day}"))
    };
    let series = event("DTSTART:20000101T100000Z\nRRULE:FREQ=DAILY");
    let overridden: String = (0..9_000).map(|n| instance(n, "")).collect();
    let copy = stored(arrives(
        &message("REQUEST", &format!("{series}{overridden}")),
        None,
    ));

    let guests: Vec<String> = (0..1_000)
        .map(|n| format!("ATTENDEE:mailto:guest{n}@example.com\n"))
        .collect();
    let comment = "x".repeat(100_000);
    let notice = event(&format!(
        "SEQUENCE:1\nCOMMENT:{comment}\n{}",
        guests.concat()
    ));
    let notice = notice.replace("ATTENDEE:mailto:b@example.com\n", "");
    let uninvited = stored(arrives(&message("CANCEL", &notice), Some(&copy)));
    assert!(
        uninvited.write().len() < 4 << 20,
        "the comment stands there once at most"
    );

    let ranges = |count: u32| -> String {
        let notices = (0..count).map(|n| instance(9_000 - n, ";RANGE=THISANDFUTURE"));
        notices
            .map(|it| it.replace("DTSTAMP:20261201", "DTSTAMP:20261202"))
            .collect()
    };
    assert!(
        arrives(&message("CANCEL", &ranges(20)), Some(&copy))
            .status
            .is_success()
    );
    let error = Message::read(calendar(&format!("METHOD:CANCEL\n{}", ranges(21)))).unwrap_err();
    assert!(error.to_string().contains("THISANDFUTURE"), "{error}");
    assert_eq!(error.status().code(), "3.10");
}

#[test]
fn answers_of_nobody_are_refused_without_a_search_for_each() {
    let series = event("DTSTART:20000101T100000Z\nRRULE:FREQ=DAILY");
    let lines: Vec<String> = (0..20_000)
        .map(|n| format!("ATTENDEE:mailto:guest{n}@example.com\n"))
        .collect();
    let copy = calendar(&series.replace("DTSTART", &format!("{}DTSTART", lines.concat())));
    let answers: String = (0..2_000)
        .map(|n| {
            let day = at("2000-01-01T10:00:00Z") + jiff::SignedDuration::from_hours(24 * n);
            let day = day.strftime("%Y%m%dT%H%M%SZ");
            event(&format!("RECURRENCE-ID:{day}")).replace("mailto:b@", "mailto:nobody@")
        })
        .collect();
    let a = [address("mailto:a@example.com")];
    let owner = Owner {
        addresses: &a,
        name: None,
        timezone: TimeZone::UTC,
    };
    let received = Receiving {
        owner: &owner,
        originator: &address("mailto:nobody@example.com"),
        from: Provenance::Peer { proven: &[] },
        now: at("2027-01-01T00:00:00Z"),
        accept_uninvited: false,
    };
    let received = receive(&message("REPLY", &answers), Some(&copy), &received);
    assert!(received.status.is_failure() && received.change == Change::None);
}

#[test]
fn a_hundred_thousand_private_lines_survive_an_update() {
    let lines = |letter: &str| {
        (0..49_000)
            .map(|n| format!("X-{letter}{n}:1\n"))
            .collect::<Vec<_>>()
            .concat()
    };
    let first = event(&format!("DTSTART:20270104T100000Z\n{}", lines("A")));
    let copy = stored(arrives(&message("REQUEST", &first), None));
    let second = event(&format!(
        "DTSTART:20270104T110000Z\nSEQUENCE:1\n{}",
        lines("B")
    ));
    let copy = stored(arrives(&message("REQUEST", &second), Some(&copy)));
    let event = copy.main_components().next().unwrap();
    assert!(
        event.properties.len() > 98_000,
        "{}",
        event.properties.len()
    );
}

#[test]
fn nesting_is_refused_beyond_what_anybody_needs() {
    let nested = format!(
        "{}{}",
        "BEGIN:X-IN\n".repeat(1_000),
        "END:X-IN\n".repeat(1_000)
    );
    let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{nested}END:VCALENDAR\n");
    let error = Calendar::parse(text.as_bytes(), &limits()).unwrap_err();
    assert!(error.to_string().contains("deep"), "{error}");
}

#[test]

fn ten_thousand_guests_are_invited_and_uninvited() {
    let guests: Vec<String> = (0..10_000)
        .map(|n| format!("ATTENDEE:mailto:guest{n}@example.com\n"))
        .collect();
    let guests = guests.concat();
    let meeting = event(&format!("DTSTART:20270104T100000Z\n{guests}"));
    let addresses = [address("mailto:a@example.com")];
    let owner = Owner {
        addresses: &addresses,
        name: None,
        timezone: TimeZone::UTC,
    };
    let now = at("2027-01-01T00:00:00Z");
    let edited = edit(None, Some(&calendar(&meeting)), &owner, now).unwrap();
    assert_eq!(edited.outgoing[0].recipients.len(), 10_001);
    let edited = edit(Some(&calendar(&meeting)), None, &owner, now).unwrap();
    let told: usize = edited.outgoing.iter().map(|it| it.recipients.len()).sum();
    assert_eq!(told, 10_001);
}
