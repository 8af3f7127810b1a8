//! The tables of RFC 4791 §9.7 and §9.9.

use super::*;
use crate::xml::{self, CALDAV};

fn filter(inner: &str) -> Result<Filter, FilterError> {
    let text = format!(
        "<filter xmlns='{CALDAV}'><comp-filter name='VCALENDAR'>{inner}</comp-filter></filter>"
    );
    Filter::read(&xml::parse(text.as_bytes(), &xml::LIMITS).unwrap())
}

fn matches(inner: &str, object: &str) -> bool {
    let object = format!("BEGIN:VCALENDAR\n{object}END:VCALENDAR\n");
    let calendar = Calendar::parse(object.as_bytes(), &Limits::default()).unwrap();
    let filter = filter(inner).unwrap();
    let matches = filter.matches(&calendar, &TimeZone::UTC);
    // Where the extent decides, it says the same.
    let extent = Extent::of(&calendar, &TimeZone::UTC, horizon());
    let decided = filter.decided_by(&extent);
    assert!(decided.is_none_or(|it| it == matches), "{inner} {object}");
    matches
}

fn horizon() -> TimeRange {
    let at = |text: &str| text.parse().unwrap();
    TimeRange::new(at("2027-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z")).unwrap()
}

const WEEKLY: &str = "BEGIN:VEVENT\nUID:1\nSUMMARY:Tea\\, or coffee\nDTSTART:20270104T100000Z\nDURATION:PT1H\n\
    RRULE:FREQ=WEEKLY\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bo@example.org\nEND:VEVENT\n";

#[test]
fn time_ranges_are_those_of_the_instances() {
    for (start, end, expected) in [
        ("20270104T100000Z", "20270104T103000Z", true),
        ("20270104T110000Z", "20270105T000000Z", false),
        ("20270104T090000Z", "20270104T100000Z", false),
        ("20300107T000000Z", "20300108T000000Z", true),
        ("20300108T000000Z", "20300109T000000Z", false),
    ] {
        let range = format!(
            "<comp-filter name='VEVENT'><time-range start='{start}' end='{end}'/></comp-filter>"
        );
        assert_eq!(matches(&range, WEEKLY), expected, "{start} {end}");
    }
    let open = "<comp-filter name='VEVENT'><time-range start='20280101T000000Z'/></comp-filter>";
    assert!(matches(open, WEEKLY));
    let before = "<comp-filter name='VEVENT'><time-range end='20270101T000000Z'/></comp-filter>";
    assert!(!matches(before, WEEKLY));
}

/// RFC 4791 §9.9: the table for to-dos without a start.
#[test]
fn to_dos_without_a_start_have_their_own_rules() {
    let january = "<comp-filter name='VTODO'><time-range start='20270101T000000Z' end='20270201T000000Z'/></comp-filter>";
    for (lines, expected) in [
        ("", true),
        ("DUE:20270110T000000Z\n", true),
        ("DUE:20270310T000000Z\n", false),
        ("CREATED:20261201T000000Z\n", true),
        ("CREATED:20270301T000000Z\n", false),
        ("COMPLETED:20270110T000000Z\n", true),
        ("COMPLETED:20261210T000000Z\n", false),
        (
            "CREATED:20261201T000000Z\nCOMPLETED:20270301T000000Z\n",
            true,
        ),
        (
            "CREATED:20261101T000000Z\nCOMPLETED:20261201T000000Z\n",
            false,
        ),
    ] {
        let todo = format!("BEGIN:VTODO\nUID:1\n{lines}END:VTODO\n");
        assert_eq!(matches(january, &todo), expected, "{lines}");
    }
    let journal =
        "<comp-filter name='VJOURNAL'><time-range start='20270101T000000Z'/></comp-filter>";
    assert!(!matches(journal, "BEGIN:VJOURNAL\nUID:1\nEND:VJOURNAL\n"));
}

#[test]
fn most_time_ranges_are_decided_without_the_object() {
    let object = format!("BEGIN:VCALENDAR\n{WEEKLY}END:VCALENDAR\n");
    let calendar = Calendar::parse(object.as_bytes(), &Limits::default()).unwrap();
    let extent = Extent::of(&calendar, &TimeZone::UTC, horizon());
    let range = |kind: &str, start: &str, end: &str, more: &str| {
        let text = format!(
            "<comp-filter name='{kind}'><time-range start='{start}' end='{end}'/>{more}</comp-filter>"
        );
        filter(&text).unwrap().decided_by(&extent)
    };
    let tea = "<prop-filter name='SUMMARY'><text-match>tea</text-match></prop-filter>";
    for (kind, start, end, more, expected) in [
        (
            "VEVENT",
            "20270201T000000Z",
            "20270301T000000Z",
            "",
            Some(true),
        ),
        (
            "VEVENT",
            "20270205T000000Z",
            "20270206T000000Z",
            "",
            Some(false),
        ),
        (
            "VEVENT",
            "20270205T000000Z",
            "20270206T000000Z",
            tea,
            Some(false),
        ),
        ("VEVENT", "20270201T000000Z", "20270301T000000Z", tea, None),
        (
            "VEVENT",
            "20270201T000000Z",
            "20300301T000000Z",
            "",
            Some(true),
        ),
        ("VEVENT", "20300205T000000Z", "20300206T000000Z", "", None),
        (
            "VTODO",
            "20270201T000000Z",
            "20270301T000000Z",
            "",
            Some(false),
        ),
    ] {
        assert_eq!(
            range(kind, start, end, more),
            expected,
            "{kind} {start} {end} {more}"
        );
    }
}

#[test]
fn properties_parameters_and_texts_are_looked_at() {
    for (inner, expected) in [
        ("", true),
        ("<comp-filter name='VEVENT'/>", true),
        ("<comp-filter name='VTODO'/>", false),
        (
            "<comp-filter name='VTODO'><is-not-defined/></comp-filter>",
            true,
        ),
        (
            "<comp-filter name='VEVENT'><comp-filter name='VALARM'/></comp-filter>",
            false,
        ),
        (
            "<comp-filter name='VEVENT'><prop-filter name='SUMMARY'><text-match>TEA, OR</text-match></prop-filter></comp-filter>",
            true,
        ),
        (
            "<comp-filter name='VEVENT'><prop-filter name='SUMMARY'><text-match collation='i;octet'>TEA</text-match></prop-filter></comp-filter>",
            false,
        ),
        (
            "<comp-filter name='VEVENT'><prop-filter name='SUMMARY'><text-match negate-condition='yes'>tea</text-match></prop-filter></comp-filter>",
            false,
        ),
        (
            "<comp-filter name='VEVENT'><prop-filter name='COMPLETED'><is-not-defined/></prop-filter></comp-filter>",
            true,
        ),
        (
            "<comp-filter name='VEVENT'><prop-filter name='DTSTART'><time-range start='20270104T000000Z' end='20270105T000000Z'/></prop-filter></comp-filter>",
            true,
        ),
        (
            "<comp-filter name='VEVENT'><prop-filter name='DTSTART'><time-range start='20270105T000000Z' end='20270106T000000Z'/></prop-filter></comp-filter>",
            false,
        ),
        (
            "<comp-filter name='VEVENT'><prop-filter name='ATTENDEE'><param-filter name='partstat'><text-match>needs-action</text-match></param-filter></prop-filter></comp-filter>",
            true,
        ),
        (
            "<comp-filter name='VEVENT'><prop-filter name='ATTENDEE'><param-filter name='PARTSTAT'><text-match>accepted</text-match></param-filter></prop-filter></comp-filter>",
            false,
        ),
        (
            "<comp-filter name='VEVENT'><prop-filter name='ATTENDEE'><param-filter name='ROLE'><is-not-defined/></param-filter></prop-filter></comp-filter>",
            true,
        ),
        (
            "<comp-filter name='VEVENT'><prop-filter name='ATTENDEE'><param-filter name='ROLE'/></prop-filter></comp-filter>",
            false,
        ),
    ] {
        assert_eq!(matches(inner, WEEKLY), expected, "{inner}");
    }
}

#[test]
fn what_is_no_filter_is_told_apart() {
    let many = "<comp-filter name='VEVENT'/>".repeat(MAX_CONDITIONS);
    let range = "<comp-filter name='VEVENT'><time-range start='20270105T000000Z'/></comp-filter>";
    assert!(filter(&range.repeat(MAX_RANGES)).is_ok());
    let ranges = range.repeat(MAX_RANGES + 1);
    for (inner, is_invalid) in [
        ("<comp-filter/>", true),
        (
            "<comp-filter name='VEVENT'><time-range/></comp-filter>",
            true,
        ),
        (
            "<comp-filter name='VEVENT'><time-range start='2027'/></comp-filter>",
            true,
        ),
        (
            "<comp-filter name='VEVENT'><time-range start='20270105T000000Z' end='20270104T000000Z'/></comp-filter>",
            true,
        ),
        (
            "<comp-filter name='VFREEBUSY'><time-range start='20270105T000000Z'/></comp-filter>",
            false,
        ),
        (
            "<comp-filter name='VEVENT'><prop-filter name='X'><text-match collation='i;x'/></prop-filter></comp-filter>",
            false,
        ),
        (&many, false),
        (&ranges, false),
    ] {
        let error = filter(inner).unwrap_err();
        assert_eq!(
            matches!(error, FilterError::Invalid(_)),
            is_invalid,
            "{error}"
        );
    }
}

/// Each occurrence of a rule of every second would have to be looked at.
#[test]
fn what_takes_too_much_work_matches() {
    let often =
        "BEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nRRULE:FREQ=SECONDLY;BYHOUR=3\nEND:VEVENT\n";
    let later = "<comp-filter name='VEVENT'><time-range start='20300101T000000Z'/></comp-filter>";
    assert!(matches(later, often));
}

/// RFC 4791 §7.8.5, §9.9.
#[test]
fn alarms_go_off_relative_to_each_instance_or_at_a_time() {
    let goes_off = |object: &str, start: &str, end: &str| {
        let kind = if object.contains("VTODO") {
            "VTODO"
        } else {
            "VEVENT"
        };
        let inner = format!(
            "<comp-filter name='{kind}'><comp-filter name='VALARM'><time-range start='{start}' end='{end}'/></comp-filter></comp-filter>"
        );
        matches(&inner, object)
    };
    let with = |object: &str, lines: &str| {
        let alarm = format!("BEGIN:VALARM\nACTION:DISPLAY\n{lines}END:VALARM\nEND:");
        object.replace("END:", &alarm)
    };
    let todo = "BEGIN:VTODO\nUID:1\nDUE:20270110T120000Z\nEND:VTODO\n";
    let berlin = "BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20270328T100000\nDURATION:PT1H\nEND:VEVENT\n";
    for (object, lines, at, expected) in [
        (WEEKLY, "TRIGGER:-PT15M\n", "20270111T0945", true),
        (WEEKLY, "TRIGGER:-PT15M\n", "20270111T1000", false),
        (WEEKLY, "TRIGGER;RELATED=END:PT0S\n", "20270118T1100", true),
        (WEEKLY, "TRIGGER:-P2D\n", "20270109T1000", true),
        (WEEKLY, "TRIGGER:-P2D\n", "20270104T1000", false),
        (
            WEEKLY,
            "TRIGGER;VALUE=DATE-TIME:20270401T080000Z\n",
            "20270401T0800",
            true,
        ),
        (
            WEEKLY,
            "TRIGGER;VALUE=DATE-TIME:20270401T080000Z\n",
            "20270104T1000",
            false,
        ),
        (
            WEEKLY,
            "TRIGGER:-PT15M\nREPEAT:2\nDURATION:PT5M\n",
            "20270104T0955",
            true,
        ),
        (
            WEEKLY,
            "TRIGGER:-PT15M\nREPEAT:2\nDURATION:PT5M\n",
            "20270104T1000",
            false,
        ),
        (WEEKLY, "TRIGGER:-PT15M\nREPEAT:2\n", "20270104T0950", false),
        (
            WEEKLY,
            "TRIGGER:-PT15M\nREPEAT:9223372036854775807\nDURATION:P1W\n",
            "20270104T0945",
            true,
        ),
        (todo, "TRIGGER:-PT1H\n", "20270110T1100", true),
        (todo, "TRIGGER;RELATED=END:-PT2H\n", "20270110T1000", true),
        (
            "BEGIN:VTODO\nUID:1\nEND:VTODO\n",
            "TRIGGER:-PT1H\n",
            "20270110T1100",
            false,
        ),
        // The clock goes forward between the two: a day is as long as it is on the wall.
        (berlin, "TRIGGER:-P1D\n", "20270327T0900", true),
        (berlin, "TRIGGER:-PT24H\n", "20270327T0800", true),
        (WEEKLY, "TRIGGER:soon\n", "20270104T1000", false),
        (WEEKLY, "", "20270104T1000", false),
    ] {
        let (start, end) = (format!("{at}00Z"), format!("{at}01Z"));
        let object = with(object, lines);
        assert_eq!(goes_off(&object, &start, &end), expected, "{lines} {at}");
    }
    assert!(!goes_off(WEEKLY, "20270104T000000Z", "20270105T000000Z"));
    let often =
        "BEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nRRULE:FREQ=SECONDLY;BYHOUR=3\nEND:VEVENT\n";
    let often = with(often, "TRIGGER:PT0S\n");
    assert!(goes_off(&often, "20300101T050000Z", "20300102T000000Z"));
}
