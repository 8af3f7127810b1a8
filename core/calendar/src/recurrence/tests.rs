use super::*;

mod rfc5545;
mod series;

fn starts(event: &str, from: &str, to: &str) -> Vec<String> {
    let text = format!(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n{}\nEND:VEVENT\nEND:VCALENDAR\n",
        event.replace('|', "\n")
    );
    let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
    let range = TimeRange::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
    let own = TimeZone::get("Europe/Berlin").unwrap();
    let mut starts: Vec<_> = instances(&calendar, "VEVENT", &own, range, &Limits::default())
        .unwrap()
        .iter()
        .map(|it| it.start)
        .collect();
    starts.sort();
    starts.iter().map(ToString::to_string).collect()
}

/// What says nothing is as if it were not there, and what names no date names no instance.
#[test]
fn one_tolerance_for_all_properties() {
    let start = "DTSTART;TZID=Europe/Berlin:20270104T100000";
    let ends = |lines: &str| {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n{start}\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"
        );
        let calendar = Calendar::parse_stored(text.as_bytes(), &Limits::default()).unwrap();
        let range = TimeRange::new(
            "2027-01-01T00:00:00Z".parse().unwrap(),
            "2027-01-08T00:00:00Z".parse().unwrap(),
        );
        let own = TimeZone::get("America/New_York").unwrap();
        let found = instances(
            &calendar,
            "VEVENT",
            &own,
            range.unwrap(),
            &Limits::default(),
        );
        let mut found: Vec<_> = found
            .unwrap_or_else(|error| panic!("{lines}: {error}"))
            .iter()
            .map(|it| (it.start, it.end))
            .collect();
        found.sort();
        found
    };
    let day = |day: u8, hours: u8| {
        let at = |hour: u8| {
            format!("2027-01-{day:02}T{hour:02}:00:00Z")
                .parse::<Timestamp>()
                .unwrap()
        };
        (at(9), at(9 + hours))
    };
    let hour = [day(4, 1)];
    for lines in [
        "DURATION:\nDTEND;TZID=Europe/Berlin:20270104T110000",
        "DTEND:\nDURATION:PT1H",
        "DTEND:\nDTEND:20270104T100000Z",
        "DURATION:PT1H\nRRULE:\nEXDATE:\nRDATE:\nEXRULE:\nRECURRENCE-ID:",
        "DURATION:PT1H\nEXDATE:20270230T100000Z,,x\nRDATE:x,20270230",
        "DTSTART:\nDURATION:PT1H",
        // The TZID lost its `=`: it is read off the clock of DTSTART, not off the owner's.
        "DTEND;TZIDEurope/Berlin:20270104T110000",
    ] {
        assert_eq!(ends(lines), hour, "{lines}");
    }
    for lines in ["DURATION:PT", "DURATION:P", "DTEND:\nDURATION:", ""] {
        assert_eq!(ends(lines), [day(4, 0)], "{lines}");
    }
    for lines in [
        "RRULE:FREQ=DAILY;UNTIL=;COUNT=;INTERVAL=;WKST=",
        "RRULE:FREQ=DAILY;UNTIL=",
    ] {
        assert_eq!(
            ends(&format!("DURATION:PT1H\n{lines}")),
            [4, 5, 6, 7].map(|it| day(it, 1)),
            "{lines}"
        );
    }
    let garbled =
        "DURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE;TZIDEurope/Berlin:20270105T100000";
    assert_eq!(ends(garbled), [day(4, 1), day(6, 1)]);
}

#[test]
fn instances_are_found() {
    for (event, from, to, expected) in [
        (
            "DTSTART:20270104T100000Z|DTEND:20270104T110000Z",
            "2027-01-01T00:00:00Z",
            "2027-02-01T00:00:00Z",
            vec!["2027-01-04T10:00:00Z"],
        ),
        // the wall clock stays when the clocks change
        (
            "DTSTART;TZID=Europe/Berlin:20270322T100000|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=3",
            "2027-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
            vec![
                "2027-03-22T09:00:00Z",
                "2027-03-29T08:00:00Z",
                "2027-04-05T08:00:00Z",
            ],
        ),
        // asked for decades after it began
        (
            "DTSTART:19900101T080000Z|DURATION:PT1H|RRULE:FREQ=DAILY;INTERVAL=3",
            "2027-01-01T00:00:00Z",
            "2027-01-07T00:00:00Z",
            vec!["2027-01-02T08:00:00Z", "2027-01-05T08:00:00Z"],
        ),
        // DTSTART counts although the rule would not give it
        (
            "DTSTART:20270104T100000Z|RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=3",
            "2027-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
            vec![
                "2027-01-04T10:00:00Z",
                "2027-01-05T10:00:00Z",
                "2027-01-12T10:00:00Z",
            ],
        ),
        (
            "DTSTART:20270104T100000Z|RRULE:FREQ=DAILY;UNTIL=20270107T100000Z|EXDATE:20270105T100000Z|RDATE:20270110T120000Z",
            "2027-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
            vec![
                "2027-01-04T10:00:00Z",
                "2027-01-06T10:00:00Z",
                "2027-01-07T10:00:00Z",
                "2027-01-10T12:00:00Z",
            ],
        ),
        (
            "DTSTART;VALUE=DATE:20270104|RRULE:FREQ=YEARLY;UNTIL=20290104",
            "2028-01-01T00:00:00Z",
            "2030-01-01T00:00:00Z",
            vec!["2028-01-03T23:00:00Z", "2029-01-03T23:00:00Z"],
        ),
        // RFC 5545 §3.3.10: of whole days, the parts within a day are ignored
        (
            "DTSTART;VALUE=DATE:20270104|RRULE:FREQ=DAILY;BYHOUR=9;BYMINUTE=1,2;BYSECOND=3;COUNT=2",
            "2027-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
            vec!["2027-01-03T23:00:00Z", "2027-01-04T23:00:00Z"],
        ),
        (
            "DTSTART:20240229T100000Z|RRULE:FREQ=YEARLY",
            "2090-01-01T00:00:00Z",
            "2093-01-01T00:00:00Z",
            vec!["2092-02-29T10:00:00Z"],
        ),
        (
            "DTSTART:20200131T100000Z|RRULE:FREQ=MONTHLY",
            "2027-01-01T00:00:00Z",
            "2027-06-01T00:00:00Z",
            vec![
                "2027-01-31T10:00:00Z",
                "2027-03-31T10:00:00Z",
                "2027-05-31T10:00:00Z",
            ],
        ),
        (
            "DTSTART:20270104T100000Z|RDATE;VALUE=PERIOD:20270105T100000Z/PT2H,20270106T100000Z/20270106T113000Z",
            "2027-01-05T11:00:00Z",
            "2027-01-07T00:00:00Z",
            vec!["2027-01-05T10:00:00Z", "2027-01-06T10:00:00Z"],
        ),
    ] {
        assert_eq!(starts(event, from, to), expected, "{event}");
    }
}

#[test]
fn rules_that_rfc_5545_forbids_mean_what_they_say() {
    for (event, from, to, expected) in [
        // EXRULE of old calendars takes away, RDATE too
        (
            "DTSTART;TZID=Europe/Berlin:20270322T100000|RRULE:FREQ=DAILY;COUNT=9|EXRULE:FREQ=DAILY;INTERVAL=2\
             |RDATE;TZID=Europe/Berlin:20270501T100000,20270502T100000",
            "2027-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
            vec![
                "2027-03-23T09:00:00Z",
                "2027-03-25T09:00:00Z",
                "2027-03-27T09:00:00Z",
                "2027-03-29T08:00:00Z",
                "2027-05-02T08:00:00Z",
            ],
        ),
        (
            "DTSTART:20270104T100000Z|RRULE:FREQ=DAILY;COUNT=4|EXRULE:FREQ=DAILY;COUNT=2",
            "2027-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
            vec!["2027-01-06T10:00:00Z", "2027-01-07T10:00:00Z"],
        ),
        // DTSTART is the first of one of the rules
        (
            "DTSTART:20270104T100000Z|RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2|RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=2",
            "2027-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
            vec![
                "2027-01-04T10:00:00Z",
                "2027-01-05T10:00:00Z",
                "2027-01-11T10:00:00Z",
                "2027-01-12T10:00:00Z",
            ],
        ),
        // nothing
        (
            "DTSTART:20270104T100000Z|RRULE:",
            "2027-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
            vec!["2027-01-04T10:00:00Z"],
        ),
        // two ends
        (
            "DTSTART:20270104T100000Z|RRULE:FREQ=DAILY;COUNT=4;UNTIL=20270105",
            "2027-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
            vec!["2027-01-04T10:00:00Z", "2027-01-05T10:00:00Z"],
        ),
    ] {
        assert_eq!(starts(event, from, to), expected, "{event}");
    }
}

#[test]
fn overrides_move_single_instances_and_all_that_follow() {
    let series = "DTSTART:20270104T100000Z|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=5|END:VEVENT|BEGIN:VEVENT|UID:1|DURATION:PT1H";
    let (from, to) = ("2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z");
    assert_eq!(
        starts(
            &format!("{series}|RECURRENCE-ID:20270105T100000Z|DTSTART:20271224T100000Z"),
            from,
            to
        ),
        [
            "2027-01-04T10:00:00Z",
            "2027-01-06T10:00:00Z",
            "2027-01-07T10:00:00Z",
            "2027-01-08T10:00:00Z",
            "2027-12-24T10:00:00Z"
        ]
    );
    // Left out, and what was left behind.
    assert_eq!(
        starts(
            &format!("{series}|RECURRENCE-ID:20270105T100000Z|DTSTART:20270105T120000Z")
                .replace("COUNT=5", "COUNT=2|EXDATE:20270105T100000Z"),
            from,
            to
        ),
        ["2027-01-04T10:00:00Z"]
    );
    // The newer version of the whole, and of an instance.
    let short = series.replace("COUNT=5", "COUNT=2");
    let older = "END:VEVENT|BEGIN:VEVENT|UID:1|SEQUENCE:1";
    assert_eq!(
        starts(
            &format!(
                "SEQUENCE:2|{short}|RECURRENCE-ID:20270105T100000Z|DTSTART:20270105T120000Z|SEQUENCE:2\
                 |{older}|RECURRENCE-ID:20270105T100000Z|DTSTART:20270105T130000Z\
                 |{older}|DTSTART:20270204T100000Z"
            ),
            from,
            to
        ),
        ["2027-01-04T10:00:00Z", "2027-01-05T12:00:00Z"]
    );
    // The instance of a timed series may be named by its day.
    assert_eq!(
        starts(
            &format!("{series}|RECURRENCE-ID;VALUE=DATE:20270105|DTSTART:20270105T120000Z"),
            from,
            "2027-01-07T00:00:00Z"
        ),
        [
            "2027-01-04T10:00:00Z",
            "2027-01-05T12:00:00Z",
            "2027-01-06T10:00:00Z"
        ]
    );
    assert_eq!(
        starts(
            &format!(
                "{series}|RECURRENCE-ID;RANGE=THISANDFUTURE:20270106T100000Z|DTSTART:20270106T120000Z"
            ),
            from,
            to
        ),
        [
            "2027-01-04T10:00:00Z",
            "2027-01-05T10:00:00Z",
            "2027-01-06T12:00:00Z",
            "2027-01-07T12:00:00Z",
            "2027-01-08T12:00:00Z"
        ]
    );
}

#[test]
fn hostile_rules_terminate() {
    for rule in [
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=MINUTELY;BYDAY=MO;BYHOUR=3;BYSECOND=0,1,2",
        "FREQ=SECONDLY\nEXRULE:FREQ=SECONDLY;COUNT=100000000",
        "FREQ=DAILY\nEXRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
    ] {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:19000101T000000Z\nRRULE:{rule}\nEND:VEVENT\nEND:VCALENDAR\n"
        );
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        let range = TimeRange::new(
            "2000-01-01T00:00:00Z".parse().unwrap(),
            "2100-01-01T00:00:00Z".parse().unwrap(),
        )
        .unwrap();
        let outcome = instances(
            &calendar,
            "VEVENT",
            &TimeZone::UTC,
            range,
            &Limits::default(),
        );
        assert!(
            matches!(outcome, Ok(_) | Err(RecurrenceError::TooMuchWork)),
            "{rule}: {outcome:?}"
        );
    }
}

#[test]
fn finite_sets_are_counted_and_endless_ones_let_pass() {
    for (rule, expected) in [
        ("FREQ=DAILY;COUNT=10", Ok(10)),
        ("FREQ=DAILY;COUNT=1000", Ok(1000)),
        ("FREQ=DAILY;COUNT=1001", Err(())),
        ("FREQ=SECONDLY;UNTIL=20300101T000000Z", Err(())),
        ("FREQ=DAILY", Ok(1)),
    ] {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nRRULE:{rule}\nEND:VEVENT\nEND:VCALENDAR\n"
        );
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(
            finite_instances(&calendar, 1000).map_err(|_| ()),
            expected,
            "{rule}"
        );
    }
}

#[test]
fn malformed_rules_are_refused() {
    for rule in [
        "FREQ",
        "FREQ=NEVER",
        "FREQ=DAILY;COUNT=x",
        "INTERVAL=1",
        "FREQ=DAILY;UNTIL=soon",
    ] {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nRRULE:{rule}\nEND:VEVENT\nEND:VCALENDAR\n"
        );
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        let error = finite_instances(&calendar, 10).unwrap_err();
        assert!(
            matches!(error, RecurrenceError::Rule(_)) && !error.is_unsupported(),
            "{rule}: {error}"
        );
    }
}
