//! Series with dates, exceptions and overrides; every row is what a person reading RFC 5545 would expect.

use super::super::*;
use std::fmt::Write as _;

/// The instances of a calendar as `start/end`, sorted; the owner lives in Berlin.
fn of(components: &str, from: &str, to: &str) -> Result<Vec<String>, RecurrenceError> {
    let text = format!(
        "BEGIN:VCALENDAR\n{}\nEND:VCALENDAR\n",
        components.replace('|', "\n")
    );
    let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
    let range = TimeRange::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
    let own = TimeZone::get("Europe/Berlin").unwrap();
    let mut found = instances(&calendar, "VEVENT", &own, range, &Limits::default())?;
    found.sort_by_key(|instance| (instance.start, instance.end));
    let short = |at: Timestamp| at.strftime("%d.%m. %H:%M").to_string();
    Ok(found
        .iter()
        .map(|it| format!("{}-{}", short(it.start), short(it.end)))
        .collect())
}

/// The instances of one event in 2027.
fn event(lines: &str) -> Vec<String> {
    let event = format!("BEGIN:VEVENT|UID:1|{lines}|END:VEVENT");
    of(&event, "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z").unwrap()
}

#[test]
fn lengths_are_exact_by_dtend_and_nominal_by_duration() {
    // the clocks in Berlin go forward on 28 March 2027 at 01:00 UTC
    for (lines, expected) in [
        (
            "DTSTART;TZID=Europe/Berlin:20270326T120000|DTEND;TZID=Europe/Berlin:20270327T120000|RRULE:FREQ=DAILY;COUNT=2",
            ["26.03. 11:00-27.03. 11:00", "27.03. 11:00-28.03. 11:00"],
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20270326T120000|DURATION:P1D|RRULE:FREQ=DAILY;COUNT=2",
            ["26.03. 11:00-27.03. 11:00", "27.03. 11:00-28.03. 10:00"],
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20270326T120000|DURATION:PT24H|RRULE:FREQ=DAILY;COUNT=2",
            ["26.03. 11:00-27.03. 11:00", "27.03. 11:00-28.03. 11:00"],
        ),
        (
            "DTSTART;VALUE=DATE:20270327|DTEND;VALUE=DATE:20270328|RRULE:FREQ=DAILY;COUNT=2",
            ["26.03. 23:00-27.03. 23:00", "27.03. 23:00-28.03. 22:00"],
        ),
        (
            "DTSTART;VALUE=DATE:20270327|RRULE:FREQ=DAILY;UNTIL=20270328",
            ["26.03. 23:00-27.03. 23:00", "27.03. 23:00-28.03. 22:00"],
        ),
        // forgotten VALUE=DATE, the last day instead of the end, UNTIL with a time
        (
            "DTSTART:20270327|DTEND:20270327|RRULE:FREQ=DAILY;UNTIL=20270328T000000Z",
            ["26.03. 23:00-27.03. 23:00", "27.03. 23:00-28.03. 22:00"],
        ),
        (
            "DTSTART:20270327T100000|DURATION:PT1H|RRULE:FREQ=DAILY;UNTIL=20270328",
            ["27.03. 09:00-27.03. 10:00", "28.03. 08:00-28.03. 09:00"],
        ),
    ] {
        assert_eq!(event(lines), expected, "{lines}");
    }
}

#[test]
fn wall_clocks_skip_and_repeat_as_rfc_5545_says() {
    // §3.3.5: 02:30 does not exist on 28 March: the offset before the gap; on 31 October the first of two.
    assert_eq!(
        event("DTSTART;TZID=Europe/Berlin:20270327T023000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=3"),
        [
            "27.03. 01:30-27.03. 02:30",
            "28.03. 01:30-28.03. 02:30",
            "29.03. 00:30-29.03. 01:30"
        ]
    );
    assert_eq!(
        event("DTSTART;TZID=Europe/Berlin:20271030T023000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=3"),
        [
            "30.10. 00:30-30.10. 01:30",
            "31.10. 00:30-31.10. 01:30",
            "01.11. 01:30-01.11. 02:30"
        ]
    );
    // UNTIL is an instant: 09:00 UTC is 10:00 before the clocks change, 11:00 after.
    assert_eq!(
        event(
            "DTSTART;TZID=Europe/Berlin:20270327T103000|DURATION:PT1H|RRULE:FREQ=DAILY;UNTIL=20270328T090000Z"
        ),
        ["27.03. 09:30-27.03. 10:30", "28.03. 08:30-28.03. 09:30"]
    );
}

#[test]
fn dates_are_added_and_taken_away_whatever_they_are_written_in() {
    let daily = "DTSTART;TZID=Europe/Berlin:20270104T100000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=3";
    let [first, second, third] = [
        "04.01. 09:00-04.01. 10:00",
        "05.01. 09:00-05.01. 10:00",
        "06.01. 09:00-06.01. 10:00",
    ];
    for (more, expected) in [
        (
            "EXDATE;TZID=Europe/Berlin:20270105T100000",
            vec![first, third],
        ),
        ("EXDATE:20270105T090000Z,20270104T090000Z", vec![third]),
        (
            "EXDATE;TZID=America/New_York:20270105T040000",
            vec![first, third],
        ),
        ("EXDATE;VALUE=DATE:20270105", vec![first, third]),
        ("EXDATE:20270105T100000Z", vec![first, second, third]),
        ("RDATE:20270105T090000Z", vec![first, second, third]),
        (
            "RDATE;VALUE=PERIOD:20270107T090000Z/PT2H",
            vec![first, second, third, "07.01. 09:00-07.01. 11:00"],
        ),
        (
            "RDATE;VALUE=DATE:20270107",
            vec![first, second, third, "07.01. 09:00-07.01. 10:00"],
        ),
        (
            "RDATE;VALUE=PERIOD:20270106T090000Z/20270106T093000Z",
            vec![first, second, "06.01. 09:00-06.01. 09:30"],
        ),
        (
            "RDATE:20270107T090000Z,|EXDATE:20270107T090000Z",
            vec![first, second, third],
        ),
        (
            "RRULE:FREQ=WEEKLY;COUNT=2",
            vec![first, second, third, "11.01. 09:00-11.01. 10:00"],
        ),
    ] {
        assert_eq!(event(&format!("{daily}|{more}")), expected, "{more}");
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "one table")]
fn overrides_replace_their_instance() {
    let series = "BEGIN:VEVENT|UID:1|DTSTART;TZID=Europe/Berlin:20270104T100000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=4|EXDATE:20270107T090000Z|END:VEVENT";
    let override_ =
        |id: &str, lines: &str| format!("|BEGIN:VEVENT|UID:1|RECURRENCE-ID{id}|{lines}|END:VEVENT");
    let [first, second, third] = [
        "04.01. 09:00-04.01. 10:00",
        "05.01. 09:00-05.01. 10:00",
        "06.01. 09:00-06.01. 10:00",
    ];
    let later = "DTSTART:20270105T150000Z|DURATION:PT2H";
    let moved = "05.01. 15:00-05.01. 17:00";
    for (overrides, expected) in [
        (
            override_(":20270105T090000Z", later),
            vec![first, moved, third],
        ),
        (
            override_(";TZID=Europe/Berlin:20270105T100000", later),
            vec![first, moved, third],
        ),
        (
            override_(";TZID=America/New_York:20270105T040000", later),
            vec![first, moved, third],
        ),
        // outside of the rule: it is there because somebody says so
        (
            override_(":20270105T093000Z", later),
            vec![first, second, moved, third],
        ),
        (
            override_(
                ":20270107T090000Z",
                "DTSTART:20270107T090000Z|DURATION:PT1H",
            ),
            vec![first, second, third], // left out: it was left behind
        ),
        // to before the series begins, and out of the year
        (
            override_(
                ":20270105T090000Z",
                "DTSTART:20270101T090000Z|DURATION:PT1H",
            ),
            vec!["01.01. 09:00-01.01. 10:00", first, third],
        ),
        (
            override_(
                ":20270105T090000Z",
                "DTSTART:20290101T090000Z|DURATION:PT1H",
            ),
            vec![first, third],
        ),
        // all that follow, by as much
        (
            override_(
                ";RANGE=THISANDFUTURE:20270105T090000Z",
                "DTSTART;TZID=Europe/Berlin:20270105T130000|DURATION:PT2H",
            ),
            vec![
                first,
                "05.01. 12:00-05.01. 14:00",
                "06.01. 12:00-06.01. 14:00",
            ],
        ),
        (
            override_(
                ";RANGE=THISANDFUTURE:20270105T090000Z",
                "DTSTART;TZID=Europe/Berlin:20270104T130000|DURATION:PT1H",
            ),
            vec![
                first,
                "04.01. 12:00-04.01. 13:00",
                "05.01. 12:00-05.01. 13:00",
            ],
        ),
        // one of them by itself, and a later one that goes on differently
        (
            override_(
                ";RANGE=THISANDFUTURE:20270104T090000Z",
                "DTSTART:20270104T080000Z|DURATION:PT1H",
            ) + &override_(":20270105T090000Z", later),
            vec![
                "04.01. 08:00-04.01. 09:00",
                moved,
                "06.01. 08:00-06.01. 09:00",
            ],
        ),
        (
            override_(
                ";RANGE=THISANDFUTURE:20270105T090000Z",
                "DTSTART:20270105T200000Z|DURATION:PT1H",
            ) + &override_(
                ";RANGE=THISANDFUTURE:20270106T090000Z",
                "DTSTART:20270106T210000Z|DURATION:PT1H",
            ),
            vec![
                first,
                "05.01. 20:00-05.01. 21:00",
                "06.01. 21:00-06.01. 22:00",
            ],
        ),
    ] {
        let mut expected = expected;
        expected.sort_unstable();
        let found = of(
            &format!("{series}{overrides}"),
            "2027-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
        );
        assert_eq!(found.unwrap(), expected, "{overrides}");
    }
    // invited to single instances only
    let alone = override_(":20270105T090000Z", later)
        + &override_(":20270112T090000Z", "DTSTART:20270112T090000Z");
    let found = of(&alone[1..], "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z").unwrap();
    assert_eq!(found, [moved, "12.01. 09:00-12.01. 09:00"]);
}

#[test]
fn several_series_do_not_mix() {
    let event = |uid: &str, day: u8| {
        format!(
            "BEGIN:VEVENT|UID:{uid}|DTSTART:202701{day:02}T100000Z|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=2|END:VEVENT|BEGIN:VEVENT|UID:{uid}|RECURRENCE-ID:202701{day:02}T100000Z|DTSTART:202701{day:02}T120000Z|END:VEVENT"
        )
    };
    let both = format!("{}|{}", event("a", 4), event("b", 5));
    let found = of(&both, "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z").unwrap();
    assert_eq!(
        found,
        [
            "04.01. 12:00-04.01. 12:00",
            "05.01. 12:00-05.01. 12:00",
            "11.01. 10:00-11.01. 11:00",
            "12.01. 10:00-12.01. 11:00"
        ]
    );
}

#[test]
fn what_reaches_into_the_range_counts() {
    let long =
        "BEGIN:VEVENT|UID:1|DTSTART:19900101T100000Z|DURATION:P10D|RRULE:FREQ=MONTHLY|END:VEVENT";
    for (from, to, expected) in [
        (
            "2027-01-10T00:00:00Z",
            "2027-01-11T00:00:00Z",
            vec!["01.01. 10:00-11.01. 10:00"],
        ),
        ("2027-01-11T10:00:00Z", "2027-02-01T10:00:00Z", vec![]),
        (
            "2027-01-11T09:59:59Z",
            "2027-02-01T10:00:01Z",
            vec!["01.01. 10:00-11.01. 10:00", "01.02. 10:00-11.02. 10:00"],
        ),
    ] {
        assert_eq!(of(long, from, to).unwrap(), expected, "{from}");
    }
    // moved back by half a year from where the rule has it
    let back = "BEGIN:VEVENT|UID:1|DTSTART:20260101T100000Z|DURATION:PT1H|RRULE:FREQ=MONTHLY|END:VEVENT|BEGIN:VEVENT|UID:1|RECURRENCE-ID;RANGE=THISANDFUTURE:20270801T100000Z|DTSTART:20270201T110000Z|DURATION:PT1H|END:VEVENT";
    let found = of(back, "2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z").unwrap();
    assert_eq!(
        found,
        ["01.03. 10:00-01.03. 11:00", "04.03. 11:00-04.03. 12:00"]
    );
}

#[test]
fn zones_that_a_calendar_carries_come_first() {
    let zone = "BEGIN:VTIMEZONE|TZID:Europe/Berlin|BEGIN:STANDARD|DTSTART:19700101T000000|TZOFFSETFROM:+0545|TZOFFSETTO:+0545|END:STANDARD|END:VTIMEZONE|";
    let event = "BEGIN:VEVENT|UID:1|DTSTART;TZID=Europe/Berlin:20270104T100000|END:VEVENT";
    let year = |text: &str| of(text, "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z").unwrap();
    assert_eq!(
        year(&format!("{zone}{event}")),
        ["04.01. 04:15-04.01. 04:15"]
    );
    assert_eq!(year(event), ["04.01. 09:00-04.01. 09:00"]);
    assert_eq!(
        year(&event.replace("Europe/Berlin", "/x.example/20270101_1/America/New_York")),
        ["04.01. 15:00-04.01. 15:00"]
    );
    assert_eq!(
        year(&event.replace("Europe/Berlin", "Tokyo Standard Time")),
        ["04.01. 01:00-04.01. 01:00"]
    );
    // nobody knows it: the owner's own
    assert_eq!(
        year(&event.replace("Europe/Berlin", "Nowhere")),
        ["04.01. 09:00-04.01. 09:00"]
    );
}

#[test]
fn ten_thousand_overrides_end_quickly() {
    let mut text =
        "BEGIN:VEVENT|UID:1|DTSTART:20000101T100000Z|DURATION:PT1H|RRULE:FREQ=DAILY|END:VEVENT"
            .to_owned();
    let first = jiff::civil::date(2000, 1, 1);
    for day in 0..10_000 {
        let day = (first + jiff::Span::new().days(day)).strftime("%Y%m%d");
        let _ = write!(
            text,
            "|BEGIN:VEVENT|UID:1|RECURRENCE-ID;RANGE=THISANDFUTURE:{day}T100000Z|DTSTART:{day}T120000Z|DURATION:PT1H|END:VEVENT"
        );
    }
    let text = format!(
        "BEGIN:VCALENDAR\n{}\nEND:VCALENDAR\n",
        text.replace('|', "\n")
    );
    let limits = Limits {
        bytes: 4 << 20,
        ..Limits::default()
    };
    let calendar = Calendar::parse(text.as_bytes(), &limits).unwrap();
    let range = TimeRange::new(
        "2027-05-01T00:00:00Z".parse().unwrap(),
        "2027-06-01T00:00:00Z".parse().unwrap(),
    )
    .unwrap();
    let found = instances(&calendar, "VEVENT", &TimeZone::UTC, range, &limits).unwrap();
    assert_eq!(found.len(), 31);
}

#[test]
fn a_rule_of_another_calendar_is_refused_politely() {
    let event =
        "BEGIN:VEVENT|UID:1|DTSTART:20270104T100000Z|RRULE:RSCALE=CHINESE;FREQ=YEARLY|END:VEVENT";
    let error = of(event, "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z").unwrap_err();
    assert!(
        error.is_unsupported() && error.to_string().contains("RSCALE=CHINESE"),
        "{error}"
    );
}
