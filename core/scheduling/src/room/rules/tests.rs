use super::*;

fn rules(text: &str) -> BookingRules {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A Tuesday, nine o'clock in Berlin.
fn moment() -> Moment {
    Moment {
        now: at("2026-12-01T08:00:00Z"),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
    }
}

#[test]
fn rules_are_read_as_administrators_write_them() {
    for (text, written) in [
        ("", ""),
        ("  ", ""),
        (
            "from=*@example.org ahead=90d longest=4h days=mo-fr",
            "from=*@example.org ahead=90d longest=4h days=mo-fr",
        ),
        ("days=Fr-Mo", "days=mo,fr-su"),
        ("days=mo,tu", "days=mo,tu"),
        ("days=mo-su", ""),
        ("days=su", "days=su"),
        (
            "from=*,mailto:Anna@Example.ORG,*@*.example.net",
            "from=*,Anna@example.org,*@*.example.net",
        ),
        ("longest=90min\tahead=1w", "ahead=7d longest=90min"),
    ] {
        assert_eq!(rules(text).to_string(), written, "{text}");
        assert_eq!(rules(written), rules(text));
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (text, names) in [
        ("until=90d", "`until=90d`: expected from="),
        ("mo-fr", "`mo-fr`: expected from="),
        ("days=mo days=tu", "days= is there twice"),
        ("from=", "from=: expected an address"),
        ("from=example.org", "from=example.org: expected"),
        ("from=an*@example.org", "from=an*@example.org: expected"),
        ("from=*@example.org,", "from=: expected"),
        ("ahead", "ahead=: expected a number"),
        ("ahead=0d", "ahead=0d: expected a number"),
        ("longest=4", "longest=4: expected a number"),
        ("days=mon", "days=mon: expected days"),
        ("days=mo--fr", "days=mo--fr: expected days"),
    ] {
        let error = text.parse::<BookingRules>().unwrap_err().to_string();
        assert!(error.starts_with(names), "{text}: {error}");
    }
    let long = format!("from={}", "x".repeat(10_000));
    assert!(long.parse::<BookingRules>().unwrap_err().to_string().len() < 250);
    let many = format!("from={}*", "*,".repeat(MOST_ORGANIZERS));
    assert!(many.parse::<BookingRules>().is_err());
}

#[test]
fn who_may_book() {
    for (text, organizer, is_ours, may) in [
        ("", "anna@example.org", true, true),
        ("", "anna@example.com", false, false),
        ("from=*@example.com", "anna@example.com", false, true),
        ("from=*@example.com", "anna@EXAMPLE.com", false, true),
        // Who is named is all who may.
        ("from=*@example.com", "bo@example.org", true, false),
        ("from=*@example.com", "anna@sub.example.com", false, false),
        ("from=*@example.com", "anna@evil-example.com", false, false),
        (
            "from=*@example.com",
            "https://example.com/anna",
            false,
            false,
        ),
        ("from=*@*.example.com", "anna@sub.example.com", false, true),
        ("from=*@*.example.com", "anna@example.com", false, false),
        ("from=Anna@example.com", "anna@example.com", false, true),
        ("from=anna@example.com", "annab@example.com", false, false),
        (
            "from=bo@example.org,*@example.com",
            "anna@example.com",
            false,
            true,
        ),
        ("from=*", "urn:uuid:1", false, true),
    ] {
        let organizer = CalendarAddress::new(organizer).unwrap();
        assert_eq!(
            rules(text).admits(&organizer, is_ours),
            may,
            "{text} {organizer}"
        );
    }
}

#[test]
fn when_it_may_be_booked() {
    for row in [
        // The ninetieth day is the first of March, to its end in Berlin.
        "ahead=90d    | 2027-03-01T22:30:00Z | 2027-03-02T01:00:00Z |",
        "ahead=90d    | 2027-03-01T23:00:00Z | 2027-03-01T23:30:00Z | ahead",
        "ahead=2h     | 2026-12-01T09:59:00Z | 2026-12-01T12:00:00Z |",
        "ahead=2h     | 2026-12-01T10:00:00Z | 2026-12-01T12:00:00Z | ahead",
        "ahead=36500d | 2100-01-01T00:00:00Z | 2100-01-01T01:00:00Z |",
        "longest=4h   | 2026-12-02T08:00:00Z | 2026-12-02T12:00:00Z |",
        "longest=4h   | 2026-12-02T08:00:00Z | 2026-12-02T12:00:01Z | longest",
        // Thursday; Friday to midnight in Berlin, and beyond.
        "days=mo-fr   | 2026-12-03T08:00:00Z | 2026-12-03T12:00:00Z |",
        "days=mo-fr   | 2026-12-04T20:00:00Z | 2026-12-04T23:00:00Z |",
        "days=mo-fr   | 2026-12-04T20:00:00Z | 2026-12-04T23:30:00Z | days",
        // Saturday in UTC is Sunday in Berlin.
        "days=sa      | 2026-12-05T23:30:00Z | 2026-12-05T23:45:00Z | days",
        "days=su      | 2026-12-05T23:30:00Z | 2026-12-05T23:45:00Z |",
        // What takes no time is on its day; what takes years is on all.
        "days=fr      | 2026-12-04T22:59:59Z | 2026-12-04T22:59:59Z |",
        "days=mo-sa   | 2026-12-02T08:00:00Z | 2096-12-02T08:00:00Z | days",
        "days=fr-mo   | 2026-12-04T08:00:00Z | 2026-12-07T12:00:00Z |",
    ] {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [text, start, end, broken] = cells[..] else {
            panic!("{row}");
        };
        let found = match rules(text).check(at(start), at(end), &moment()) {
            Ok(()) => "",
            Err(Broken::From) => "from",
            Err(Broken::Ahead(_)) => "ahead",
            Err(Broken::Longest(_)) => "longest",
            Err(Broken::Days(_)) => "days",
        };
        assert_eq!(found, broken, "{row}");
    }
}

#[test]
fn no_time_is_beyond_the_calendar() {
    let at = Moment {
        now: Timestamp::MAX,
        zone: TimeZone::UTC,
    };
    let rules = rules("ahead=90d days=mo-fr");
    assert!(rules.until(&at).is_some());
    let _ = rules.check(Timestamp::MIN, Timestamp::MAX, &at);
    let _ = rules.check(Timestamp::MAX, Timestamp::MAX, &at);
}
