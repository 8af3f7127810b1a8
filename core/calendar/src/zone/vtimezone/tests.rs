use super::*;
use crate::{work::Work, zone::observance};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn written(zone: &TimeZone, first: &str, last: &str) -> String {
    let text = vtimezone("X", zone, at(first), at(last)).write();
    String::from_utf8(text).unwrap().replace("\r\n ", "")
}

#[track_caller]
fn assert_agrees(name: &str, zone: &TimeZone, first: Timestamp, last: Timestamp) {
    let component = vtimezone(name, zone, first, last);
    let mut work = Work::of(5_000_000);
    let read = observance::zone(&component, &mut work).unwrap().unwrap();
    let text = || String::from_utf8(component.write()).unwrap();
    let changes = zone.following(first).map(|it| it.timestamp().as_second());
    let changes = changes.take_while(|at| *at <= last.as_second());
    let around = changes.flat_map(|at| [at - 1, at]);
    let steps = (first.as_second()..=last.as_second()).step_by(13 * 3600 + 1);
    for second in around.chain(steps) {
        let at = Timestamp::from_second(second).unwrap();
        assert_eq!(
            read.to_offset(at),
            zone.to_offset(at),
            "{name} at {at} of {first} to {last}\n{}",
            text()
        );
    }
    assert!(!text().contains("RDATE"));
}

#[test]
fn every_zone_of_iana_is_told_as_it_is() {
    let names = jiff::tz::db().available();
    let spans = [
        ("2026-12-01T10:00:00Z", "2047-01-01T00:00:00Z"),
        ("2027-07-01T10:00:00Z", "2027-07-01T12:00:00Z"),
        ("2005-02-10T10:00:00Z", "2027-12-01T00:00:00Z"),
        ("1930-01-01T00:00:00Z", "1999-12-31T00:00:00Z"),
        ("2090-06-01T10:00:00Z", "2099-12-31T00:00:00Z"),
    ];
    let mut count = 0;
    for name in names {
        let Ok(zone) = TimeZone::get(name.as_str()) else {
            continue;
        };
        for (first, last) in spans {
            assert_agrees(name.as_str(), &zone, at(first), at(last));
        }
        count += 1;
    }
    assert!(count > 400, "{count}");
}

/// Readers that know no other properties than those of RFC 5545 refuse a VTIMEZONE that has one.
#[test]
fn the_name_of_a_zone_is_said_once() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let at = "2027-01-04T10:00:00Z".parse().unwrap();
    let location = |id: &str| {
        let zone = vtimezone(id, &berlin, at, at);
        zone.value("X-LIC-LOCATION").map(str::to_owned)
    };
    assert_eq!(location("Europe/Berlin"), None);
    assert_eq!(location("W. Europe Standard Time"), None);
    assert_eq!(location("Office").as_deref(), Some("Europe/Berlin"));
}

#[test]
fn a_rule_that_holds_is_told_since_1970() {
    let new_york = TimeZone::get("America/New_York").unwrap();
    assert_eq!(
        written(&new_york, "2027-01-04T10:00:00Z", "2027-01-04T11:00:00Z"),
        "BEGIN:VTIMEZONE\r\nTZID:X\r\nX-LIC-LOCATION:America/New_York\r\n\
         BEGIN:DAYLIGHT\r\nTZNAME:EDT\r\nTZOFFSETFROM:-0500\r\nTZOFFSETTO:-0400\r\nDTSTART:19700308T020000\r\n\
         RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\r\nEND:DAYLIGHT\r\n\
         BEGIN:STANDARD\r\nTZNAME:EST\r\nTZOFFSETFROM:-0400\r\nTZOFFSETTO:-0500\r\nDTSTART:19701101T020000\r\n\
         RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    );
    for (name, first, rules) in [
        // Ireland's winter is what is not standard there.
        (
            "Europe/Dublin",
            "2027-01-04T10:00:00Z",
            [
                "BEGIN:DAYLIGHT\r\nTZNAME:IST\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\nDTSTART:19700329T010000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\n",
                "BEGIN:STANDARD\r\nTZNAME:GMT\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0000\r\nDTSTART:19701025T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\n",
            ],
        ),
        (
            "Australia/Lord_Howe",
            "2027-01-04T10:00:00Z",
            [
                "TZOFFSETFROM:+1030\r\nTZOFFSETTO:+1100\r\nDTSTART:19701004T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=1SU\r\n",
                "TZOFFSETFROM:+1100\r\nTZOFFSETTO:+1030\r\nDTSTART:19700405T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU\r\n",
            ],
        ),
        // the night after the first Saturday
        (
            "America/Santiago",
            "2027-01-04T10:00:00Z",
            [
                "DTSTART:19700906T000000\r\nRRULE:FREQ=YEARLY;BYMONTH=9;BYMONTHDAY=2,3,4,5,6,7,8;BYDAY=SU\r\n",
                "DTSTART:19700405T000000\r\nRRULE:FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=2,3,4,5,6,7,8;BYDAY=SU\r\n",
            ],
        ),
        // the midnight after the last Thursday of October
        (
            "Africa/Cairo",
            "2027-01-04T10:00:00Z",
            [
                "RRULE:FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=26,27,28,29,30,31;BYDAY=FR\r\n",
                "RRULE:FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=1;BYDAY=FR\r\n",
            ],
        ),
        (
            "America/New_York",
            "2005-01-04T10:00:00Z",
            [
                "RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU;UNTIL=20060402T070000Z\r\n",
                "DTSTART:20070311T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\r\n",
            ],
        ),
    ] {
        let zone = TimeZone::get(name).unwrap();
        let text = written(&zone, first, "2027-01-04T11:00:00Z");
        for rule in rules {
            assert!(text.contains(rule), "{rule} is not in\n{text}");
        }
    }
}

#[test]
fn what_follows_no_rule_is_told_change_by_change() {
    for (name, first, last, most) in [
        (
            "Africa/Casablanca",
            "2027-01-04T10:00:00Z",
            "2047-01-01T00:00:00Z",
            48,
        ),
        (
            "Asia/Gaza",
            "2027-01-04T10:00:00Z",
            "2027-01-04T11:00:00Z",
            10,
        ),
        (
            "Asia/Kathmandu",
            "2027-01-04T10:00:00Z",
            "2047-01-01T00:00:00Z",
            1,
        ),
        (
            "America/Sao_Paulo",
            "2018-07-01T10:00:00Z",
            "2047-01-01T00:00:00Z",
            3,
        ),
        (
            "Europe/Istanbul",
            "2027-01-04T10:00:00Z",
            "2047-01-01T00:00:00Z",
            1,
        ),
        (
            "Pacific/Apia",
            "2011-12-01T10:00:00Z",
            "2012-02-01T00:00:00Z",
            5,
        ),
        (
            "Asia/Tokyo",
            "1600-01-01T00:00:00Z",
            "1601-01-01T00:00:00Z",
            2,
        ),
        (
            "Etc/GMT-3",
            "2027-01-04T10:00:00Z",
            "2027-01-04T11:00:00Z",
            1,
        ),
    ] {
        let zone = TimeZone::get(name).unwrap();
        assert_agrees(name, &zone, at(first), at(last));
        let text = written(&zone, first, last);
        let count = text.matches("DTSTART").count();
        assert!((1..=most).contains(&count), "{count}: {text}");
    }
}

#[test]
fn a_fixed_offset_is_told_since_1970() {
    let zone = TimeZone::fixed(jiff::tz::Offset::from_seconds(-12_600).unwrap());
    assert_eq!(
        written(&zone, "2027-01-04T10:00:00Z", "2027-01-04T11:00:00Z"),
        "BEGIN:VTIMEZONE\r\nTZID:X\r\nBEGIN:STANDARD\r\nTZNAME:-03:30\r\nTZOFFSETFROM:-0330\r\nTZOFFSETTO:-0330\r\n\
         DTSTART:19700101T000000\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    );
}
