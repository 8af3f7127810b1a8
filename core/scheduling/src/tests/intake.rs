//! What is refused before anybody's calendar is looked at.

use super::world::{Host, meeting, message};
use crate::{Condition, Limits};
use convoke_calendar::message::Attachments;

const ANNA: &str = "anna@example.com";
const BO: &str = "bo@example.org";

fn refused(host: &Host, text: &str, from: &str, to: &[&str]) -> Option<Condition> {
    let read = host.reads(text, from, to);
    read.err().map(|refusal| refusal.condition)
}

#[test]
fn what_breaks_a_rule_is_refused_with_it() {
    let host = Host::new();
    let request = |more: &str| message("REQUEST", &meeting(more));
    let busy = "BEGIN:VFREEBUSY\nUID:1\nDTSTAMP:20261201T070000Z\nDTSTART:20270104T000000Z\nDTEND:20270105T000000Z\n\
                ORGANIZER:mailto:anna@example.com\nATTENDEE:mailto:bo@example.org\nEND:VFREEBUSY\n";
    for (text, from, to, expected) in [
        (request(""), ANNA, vec![BO], None),
        (
            "BEGIN:VCALENDAR\n".into(),
            ANNA,
            vec![BO],
            Some(Condition::CalendarData),
        ),
        (
            message("PUBLISH", &meeting("")),
            ANNA,
            vec![BO],
            Some(Condition::SchedulingMessage),
        ),
        (
            request("DTSTAMP:20261201T070000Z\n").replace("2026", "2031"),
            ANNA,
            vec![BO],
            Some(Condition::SchedulingMessage),
        ),
        (
            request(""),
            "eve@example.net",
            vec![BO],
            Some(Condition::Originator),
        ),
        (
            request(""),
            ANNA,
            vec!["cy@example.org"],
            Some(Condition::Recipients),
        ),
        // One who is not on the list does not stand in the way of the others.
        (request(""), ANNA, vec!["cy@example.org", BO], None),
        (
            request("RRULE:FREQ=DAILY;COUNT=1001\n"),
            ANNA,
            vec![BO],
            Some(Condition::Instances),
        ),
        (
            request("").replace("20270104", "18990104"),
            ANNA,
            vec![BO],
            Some(Condition::TooEarly),
        ),
        (
            request("").replace("20270104", "21000104"),
            ANNA,
            vec![BO],
            Some(Condition::TooLate),
        ),
        (message("REQUEST", busy), ANNA, vec![BO], None),
        (
            message("REQUEST", busy),
            ANNA,
            vec![BO, "cy@example.org"],
            Some(Condition::Recipients),
        ),
        (
            message("REPLY", busy),
            BO,
            vec![ANNA],
            Some(Condition::SchedulingMessage),
        ),
    ] {
        assert_eq!(refused(&host, &text, from, &to), expected, "{text}");
    }
}

#[test]
fn limits_are_the_administrators() {
    let host = Host::with(Limits {
        attendees: 2,
        attachments: Attachments {
            inline: false,
            external: true,
        },
        ..Limits::default()
    });
    let request = |more: &str| message("REQUEST", &meeting(more));
    let inline = "ATTACH;ENCODING=BASE64;VALUE=BINARY:AA==\n";
    let external = "ATTACH:https://example.com/agenda\n";
    let third = "ATTENDEE:mailto:cy@example.org\nATTENDEE:mailto:dee@example.org\n";
    for (more, expected) in [
        (external, None),
        (inline, Some(Condition::Attachments)),
        (third, Some(Condition::Attendees)),
    ] {
        let found = refused(&host, &request(more), ANNA, &[BO]);
        assert_eq!(found, expected, "{more}");
    }
}

#[test]
fn no_other_server_sends_for_our_own_people() {
    let host = Host::new();
    let ours = meeting("").replace("anna@example.com", "dee@example.org");
    let text = message("REQUEST", &ours);
    for from in ["dee@example.org", "urn:uuid:cy"] {
        let text = text.replace(
            "mailto:dee@example.org",
            &super::world::address(from).to_string(),
        );
        assert_eq!(
            refused(&host, &text, from, &[BO]),
            Some(Condition::Originator)
        );
    }
}

#[test]
fn what_was_announced_must_be_what_came() {
    let host = Host::new();
    let text = message("REQUEST", &meeting(""));
    let intake = crate::Intake {
        data: text.as_bytes(),
        originator: &super::world::address(ANNA),
        recipients: &super::world::addresses(&[BO]),
        from: convoke_calendar::message::Provenance::Submission,
        now: super::world::NOW.parse().unwrap(),
    };
    let announced = |_: &_| Err("it says REPLY".to_owned());
    let read = futures::executor::block_on(host.scheduler.read(&intake, announced));
    let refusal = read.unwrap_err();
    assert_eq!(refusal.condition, Condition::SchedulingMessage);
    assert_eq!(refusal.to_string(), "it says REPLY");
}
