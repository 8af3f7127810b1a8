use super::*;
use crate::tree::{Calendar, Limits};
use jiff::{Span, civil};

fn read(text: &str) -> TimeZone {
    let text = format!("BEGIN:VCALENDAR\n{text}END:VCALENDAR\n");
    let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
    zone(calendar.zones().next().unwrap(), &mut Work::of(1_000_000))
        .unwrap()
        .unwrap()
}

/// One observance: when, by which rule, from and to which offset.
fn change(start: &str, rule: &str, from: &str, to: &str) -> String {
    format!(
        "BEGIN:STANDARD\nDTSTART:{start}\n{rule}\nTZOFFSETFROM:{from}\nTZOFFSETTO:{to}\nEND:STANDARD\n"
    )
    .replace("\n\n", "\n")
}

fn vtimezone(changes: &[String]) -> String {
    let changes = changes.concat();
    format!("BEGIN:VTIMEZONE\nTZID:x\n{changes}END:VTIMEZONE\n")
}

fn instant(zone: &TimeZone, wall: &str) -> String {
    crate::time::instant(wall.parse().unwrap(), zone).to_string()
}

#[test]
fn zones_that_calendars_carry_agree_with_those_that_everybody_knows() {
    let yearly = |month: u8, day: &str| format!("RRULE:FREQ=YEARLY;BYMONTH={month};BYDAY={day}");
    for (name, changes) in [
        (
            "America/New_York",
            [
                change("20070311T020000", &yearly(3, "2SU"), "-0500", "-0400"),
                change("20071104T020000", &yearly(11, "1SU"), "-0400", "-0500"),
            ],
        ),
        (
            "Europe/Berlin",
            [
                change("19810329T020000", &yearly(3, "-1SU"), "+0100", "+0200"),
                change("19961027T030000", &yearly(10, "-1SU"), "+0200", "+0100"),
            ],
        ),
        (
            "Australia/Lord_Howe",
            [
                change("20080406T020000", &yearly(4, "1SU"), "+1100", "+1030"),
                change("20081005T020000", &yearly(10, "1SU"), "+1030", "+1100"),
            ],
        ),
        (
            // As Outlook and Exchange write it.
            "Europe/London",
            [
                change("16010101T020000", &yearly(10, "-1SU"), "+0100", "+0000"),
                change("16010101T010000", &yearly(3, "-1SU"), "+0000", "+0100"),
            ],
        ),
    ] {
        let (carried, known) = (read(&vtimezone(&changes)), TimeZone::get(name).unwrap());
        for half_hour in 0..2 * 24 * 366 * 3 {
            let wall =
                civil::date(2025, 12, 1).at(0, 15, 0, 0) + Span::new().minutes(30 * half_hour);
            let [one, other] = [&carried, &known].map(|zone| crate::time::instant(wall, zone));
            assert_eq!(one, other, "{name} {wall}");
        }
    }
}

#[test]
fn gaps_and_folds_are_as_rfc_5545_says() {
    let zone = read(&vtimezone(&[
        change("20270314T020000", "", "-0500", "-0400"),
        change("20271107T020000", "", "-0400", "-0500"),
    ]));
    // §3.3.5: by the offset before the gap; the first of a fold.
    assert_eq!(
        instant(&zone, "2027-03-14T02:30:00"),
        "2027-03-14T07:30:00Z"
    );
    assert_eq!(
        instant(&zone, "2027-11-07T01:30:00"),
        "2027-11-07T05:30:00Z"
    );
    // before anything is said, and long after
    assert_eq!(
        instant(&zone, "2000-07-01T12:00:00"),
        "2000-07-01T17:00:00Z"
    );
    assert_eq!(
        instant(&zone, "2900-07-01T12:00:00"),
        "2900-07-01T17:00:00Z"
    );
}

#[test]
fn odd_zones_hold() {
    let odd = read(&vtimezone(&[change(
        "19700101T000000",
        "",
        "+0130",
        "+013045",
    )]));
    assert_eq!(instant(&odd, "2027-01-04T10:00:45"), "2027-01-04T08:30:00Z");
    // a rule that ended, dates, and several years of rules one after another
    let changed = read(&vtimezone(&[
        change(
            "20000101T000000",
            "RRULE:FREQ=YEARLY;UNTIL=20020101T000000Z",
            "+0000",
            "+0100",
        ),
        change(
            "20000701T000000",
            "RDATE:20010701T000000,20270701T000000",
            "+0100",
            "+0000",
        ),
    ]));
    for (wall, instant_) in [
        ("2001-02-01T00:00:00", "2001-01-31T23:00:00Z"),
        ("2001-08-01T00:00:00", "2001-08-01T00:00:00Z"),
        ("2002-02-01T00:00:00", "2002-01-31T23:00:00Z"),
        ("2026-08-01T00:00:00", "2026-07-31T23:00:00Z"),
        ("2027-08-01T00:00:00", "2027-08-01T00:00:00Z"),
    ] {
        assert_eq!(instant(&changed, wall), instant_);
    }
}

#[test]
fn huge_zones_are_right_or_refused() {
    let vtimezone = |changes: &[String]| {
        let text = format!("BEGIN:VCALENDAR\n{}END:VCALENDAR\n", vtimezone(changes));
        let limits = Limits {
            bytes: 2 << 20,
            ..Limits::default()
        };
        let calendar = Calendar::parse(text.as_bytes(), &limits).unwrap();
        zone(calendar.zones().next().unwrap(), &mut Work::of(1_000_000))
    };
    let many: Vec<String> = (0..5000)
        .map(|number| {
            let day = civil::date(2000, 1, 1) + Span::new().days(number);
            let start = day.strftime("%Y%m%dT000000").to_string();
            let [from, to] = if number % 2 == 0 {
                ["+0000", "+0100"]
            } else {
                ["+0100", "+0000"]
            };
            change(&start, "", from, to)
        })
        .collect();
    let zone = vtimezone(&many).unwrap().unwrap();
    assert_eq!(
        instant(&zone, "2000-01-01T12:00:00"),
        "2000-01-01T11:00:00Z"
    );
    assert_eq!(
        instant(&zone, "2000-01-02T12:00:00"),
        "2000-01-02T12:00:00Z"
    );
    assert_eq!(
        instant(&zone, "2013-09-08T12:00:00"),
        "2013-09-08T12:00:00Z"
    );

    let hourly = change("19000101T000000", "RRULE:FREQ=HOURLY", "+0000", "+0000");
    assert!(vtimezone(&vec![hourly; 5000]).is_err());
    let offsets: Vec<String> = (0..300)
        .map(|n| {
            change(
                "20000101T000000",
                "",
                "+0000",
                &format!("+00{:02}{:02}", n / 60, n % 60),
            )
        })
        .enumerate()
        .map(|(n, change)| change.replace("20000101", &format!("{}0101", 2000 + n)))
        .collect();
    assert!(vtimezone(&offsets).is_err());
}

#[test]
fn a_vtimezone_without_observances_is_no_zone() {
    for text in [
        "",
        "BEGIN:STANDARD\nEND:STANDARD\n",
        "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:x\nTZOFFSETTO:+0100\nEND:STANDARD\n",
        "BEGIN:STANDARD\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\n",
    ] {
        let text = format!(
            "BEGIN:VCALENDAR\n{}END:VCALENDAR\n",
            vtimezone(&[text.to_owned()])
        );
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        let read = zone(calendar.zones().next().unwrap(), &mut Work::of(1000)).unwrap();
        assert!(read.is_none());
    }
}
