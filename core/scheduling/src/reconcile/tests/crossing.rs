//! Messages that cross what a person does before that is told. All of it was found by the simulator.

use super::{host, invited};
use crate::tests::world::{meeting, message};

const ANNA: &str = "anna@example.com";
const BO: &str = "bo@example.org";
const SERIES: &str = "RRULE:FREQ=DAILY;COUNT=3\n";

fn answers(object: &str, partstat: &str) -> String {
    object.replace("ATTENDEE:", &format!("ATTENDEE;PARTSTAT={partstat}:"))
}

/// An instance is told that an answer to the series holds for, which is not told yet.
#[test]
fn an_answer_that_crosses_an_instance_is_told_once() {
    let host = host();
    invited(&host, SERIES);
    host.person("bo")
        .edits("meeting", |it| answers(it, "TENTATIVE"));
    host.looks("bo");
    let instance = meeting("RECURRENCE-ID:20270105T100000Z\n");
    let instance = instance.replace("DTSTART:20270104", "DTSTART:20270105");
    let both = format!("{}{}", meeting(SERIES), instance.replace("Review", "Party"));
    host.receives(
        &message("REQUEST", &answers(&both, "NEEDS-ACTION")),
        ANNA,
        &[BO],
    );
    host.pays();
    assert!(host.sent().is_empty(), "{:?}", host.sent());
    for _ in 0..2 {
        host.tells("bo");
        assert_eq!(host.sent(), ["REPLY bo@example.org anna@example.com"]);
    }
    let said = &host.bodies()[0];
    assert_eq!(said.matches("PARTSTAT=TENTATIVE").count(), 2, "{said}");
}

/// The host ended after it had stored the invitation, and before it had noted that; then it comes once more.
#[test]
fn an_answer_to_an_invitation_that_was_not_noted_is_told() {
    let host = host();
    let object = answers(&meeting(""), "TENTATIVE");
    let object = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{object}END:VCALENDAR\n");
    host.person("bo").has(&object);
    host.looks("bo");
    invited(&host, "");
    for _ in 0..2 {
        host.tells("bo");
        assert_eq!(host.sent(), ["REPLY bo@example.org anna@example.com"]);
    }
    let stored = host.person("bo").object("meeting").unwrap();
    assert!(stored.contains("PARTSTAT=TENTATIVE"), "{stored}");
}

/// The series was moved, and back again; the guest sees the last of it only.
#[test]
fn what_was_left_out_is_asked_about_anew_with_the_series() {
    let host = host();
    invited(&host, SERIES);
    let left_out = "EXDATE:20270105T100000Z\n";
    host.person("bo").edits("meeting", |it| {
        it.replace("SUMMARY", &format!("{left_out}SUMMARY"))
    });
    host.tells("bo");
    for (sequence, stays) in [(0, true), (2, false)] {
        let update = meeting(&format!("{SERIES}SEQUENCE:{sequence}\nLOCATION:Yard\n"));
        host.receives(
            &message("REQUEST", &answers(&update, "NEEDS-ACTION")),
            ANNA,
            &[BO],
        );
        let stored = host.person("bo").object("meeting").unwrap();
        assert!(stored.contains("Yard"), "{stored}");
        assert_eq!(stored.contains("EXDATE"), stays, "{sequence}: {stored}");
    }
}
