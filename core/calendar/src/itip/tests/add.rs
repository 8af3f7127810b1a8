//! Instances that the organizer adds (RFC 5546 §3.2.4).

use super::{ALICE, apply};
use crate::itip::Change;

const EVENT: &str = "BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:1
    DTSTART:20270104T100000Z
    DTEND:20270104T110000Z
    SUMMARY:Plan
    ORGANIZER:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com
    BEGIN:VALARM
    ACTION:DISPLAY
    TRIGGER:PT0S
    END:VALARM
    END:VEVENT";

fn add(sequence: u8, day: &str, rest: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:2026120{sequence}T100000Z\nSEQUENCE:{sequence}
         DTSTART:{day}T100000Z\n{rest}\nORGANIZER:mailto:a@example.com\nEND:VEVENT"
    )
}

fn grown(sequence: u8, dates: &str) -> String {
    EVENT
        .replace("20261201", &format!("2026120{sequence}"))
        .replace("SEQUENCE:1", &format!("SEQUENCE:{sequence}\n{dates}"))
}

#[test]
fn an_added_instance_is_one_more_date_of_the_event() {
    apply("ADD", &add(2, "20270105", ""))
        .to(EVENT)
        .gives(&grown(2, "RDATE:20270105T100000Z"))
        .then("ADD", &add(3, "20270106", ""))
        .gives(&grown(3, "RDATE:20270105T100000Z\nRDATE:20270106T100000Z"));
}

#[test]
fn what_an_added_instance_does_not_say_is_as_in_the_event() {
    let instance = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2
        RECURRENCE-ID:20270105T100000Z\nDTSTART:20270105T100000Z\nDTEND:20270105T110000Z
        SUMMARY:Plan\nLOCATION:Elsewhere\nORGANIZER:mailto:a@example.com
        ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com
        BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:PT0S\nEND:VALARM\nEND:VEVENT";
    apply("ADD", &add(2, "20270105", "LOCATION:Elsewhere"))
        .to(EVENT)
        .gives(&format!(
            "{}\n{instance}",
            grown(2, "RDATE:20270105T100000Z")
        ));
}

#[test]
fn an_instance_that_was_left_out_is_added_again() {
    let without = EVENT.replace(
        "SEQUENCE:1",
        "SEQUENCE:1\nRRULE:FREQ=DAILY\nEXDATE:20270105T100000Z,20270107T100000Z",
    );
    apply("ADD", &add(2, "20270105", ""))
        .to(&without)
        .gives(&grown(
            2,
            "RRULE:FREQ=DAILY\nEXDATE:20270107T100000Z\nRDATE:20270105T100000Z",
        ));
}

#[test]
fn what_was_missed_is_asked_for() {
    let question = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z
        ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    // nothing to add to
    apply("ADD", &add(2, "20270105", "")).sends(ALICE, "REFRESH", question);
    // a newer version came first, which says nothing of it
    let late = apply("ADD", &add(2, "20270105", "")).to(&grown(3, "RDATE:20270106T100000Z"));
    late.sends(ALICE, "REFRESH", question);
    assert_eq!(late.received().change, Change::None);
    // it does: a duplicate, or told with the newer version
    let known = apply("ADD", &add(2, "20270106", ""))
        .to(&grown(3, "RDATE:20270106T100000Z"))
        .changes_nothing();
    assert!(known.received().outgoing.is_empty());
}
