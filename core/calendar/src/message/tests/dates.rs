//! Times and rules that can be followed, and those that cannot.

use super::{EVENT, read, refused, with};
use convoke_types::RequestStatus;

const START: &str = "DTSTART:20270104T100000Z";

#[test]
fn times_that_cannot_be_are_refused_with_their_property() {
    let berlin = "DTSTART;TZID=Europe/Berlin:20270104T100000";
    let day = "DTSTART;VALUE=DATE:20270104";
    for (start, more, words) in [
        (
            START,
            "DTEND:20270104T090000Z",
            "DTEND is `20270104T090000Z`, expected nothing before DTSTART",
        ),
        (berlin, "DTEND:20270104T080000Z", "DTEND"),
        (day, "DTEND;VALUE=DATE:20270103", "DTEND"),
        (day, "DTEND:20270105T000000Z", "expected a date"),
        (START, "DTEND:20270105", "expected a time"),
        ("DTSTART;VALUE=DATE:20270104T100000Z", "", "DTSTART is"),
        ("DTSTART;VALUE=DATE-TIME:20270104", "", "DTSTART is"),
        ("DTSTART;VALUE=PERIOD:20270104T100000Z", "", "DTSTART is"),
        (START, "RECURRENCE-ID:soon", "RECURRENCE-ID is `soon`"),
        (START, "EXDATE:20270104T100000Z,soon", "EXDATE is `soon`"),
        (START, "EXDATE:20270104T100000Z/PT1H", "EXDATE is"),
        (START, "RDATE;VALUE=PERIOD:20270104T100000Z", "RDATE is"),
        (START, "DURATION:1 hour", "DURATION is `1 hour`"),
        (START, "DURATION:-PT1H", "DURATION is `-PT1H`"),
    ] {
        let message = with("REQUEST", "VEVENT", &format!("{start}\n{more}"));
        refused(message, &RequestStatus::INVALID_DATE, words);
    }
    let due = with(
        "REQUEST",
        "VTODO",
        &format!("{START}\nDUE;VALUE=DATE:20270105"),
    );
    refused(due, &RequestStatus::INVALID_DATE, "DUE");
    for lines in ["DURATION:PT1H", "RRULE:FREQ=DAILY"] {
        let message = with("REQUEST", "VTODO", lines);
        refused(
            message,
            &RequestStatus::MISSING_COMPONENT,
            "without DTSTART",
        );
    }
}

#[test]
fn unambiguous_deviations_are_accepted() {
    for fine in [
        "DTSTART:20270104T100000Z\nDTEND:20270104T100000Z",
        "DTSTART:20270104\nDTEND:20270104",
        "DTSTART;TZID=Europe/Berlin:20270104T100000\nDTEND:20270104T093000Z",
        "DTSTART;TZID=Nowhere:20270104T100000\nDTEND:20270104T093000Z",
        "DTSTART:20270104T100000Z\nDURATION:PT0S",
        "DTSTART:20270104T100000Z\nRDATE:20270105T100000Z/PT1H,20270106T100000Z",
        "DTSTART:20270104T100000Z\nRRULE:FREQ=DAILY;UNTIL=20270110\nEXDATE;VALUE=DATE:20270105",
    ] {
        with("REQUEST", "VEVENT", fine).unwrap_or_else(|error| panic!("{fine}: {error}"));
    }
}

#[test]
fn rules_that_cannot_be_followed_are_refused() {
    for (rule, words) in [
        ("FREQ=NEVER", "VEVENT: RRULE: FREQ is `NEVER`"),
        ("COUNT=3", "FREQ is missing"),
        ("FREQ=DAILY;COUNT=0", "COUNT is `0`"),
        (
            "FREQ=DAILY;COUNT=2;UNTIL=20270110T100000Z",
            "COUNT and UNTIL",
        ),
        ("FREQ=YEARLY;BYMONTH=13", "BYMONTH is `13`"),
        ("FREQ=DAILY;BYWHAT=1", "BYWHAT"),
    ] {
        let message = with("REQUEST", "VEVENT", &format!("{START}\nRRULE:{rule}"));
        refused(message, &RequestStatus::INVALID_RULE, words);
    }
}

#[test]
fn calendars_other_than_the_gregorian_are_not_done_here() {
    for (rule, words) in [
        (
            "RSCALE=CHINESE;FREQ=YEARLY",
            "RSCALE=CHINESE is not supported",
        ),
        ("FREQ=MONTHLY;SKIP=FORWARD", "SKIP"),
    ] {
        let message = with("REQUEST", "VEVENT", &format!("{START}\nRRULE:{rule}"));
        let error = message.as_ref().unwrap_err();
        assert!(error.is_unsupported(), "{error}");
        refused(message, &RequestStatus::UNSUPPORTED, words);
    }
}

#[test]
fn the_time_range_of_a_message_uses_its_own_zones() {
    let extent = |lines: &str| {
        let zone = "BEGIN:VTIMEZONE\nTZID:Odd\nBEGIN:STANDARD\nDTSTART:19700101T000000
            TZOFFSETFROM:+0130\nTZOFFSETTO:+0130\nEND:STANDARD\nEND:VTIMEZONE";
        let message = read(&format!(
            "VERSION:2.0\nMETHOD:REQUEST\n{zone}\nBEGIN:VEVENT\n{EVENT}\n{lines}\nEND:VEVENT"
        ));
        let message = message.unwrap();
        [message.earliest(), message.latest()].map(|at| at.unwrap().to_string())
    };
    assert_eq!(
        extent("DTSTART;TZID=Odd:20270104T100000\nDTEND;TZID=America/New_York:20270104T100000"),
        ["2027-01-04T08:30:00Z", "2027-01-04T15:00:00Z"]
    );
    assert_eq!(
        extent("DTSTART;VALUE=DATE:20270104\nRDATE;VALUE=DATE:20270106,20270101"),
        ["2027-01-01T00:00:00Z", "2027-01-06T00:00:00Z"]
    );
}
