//! What our people send because something came in.

use super::world::{Host, codes, meeting, message};
use std::time::Duration;

const DEE: &str = "dee@example.org";

/// A host where Dee organizes a meeting with Bo of example.com.
fn host(more: &str) -> Host {
    let host = Host::new();
    let own = meeting(more)
        .replace("anna@example.com", DEE)
        .replace("bo@example.org", "bo@example.com");
    let own = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{own}END:VCALENDAR\n");
    host.person("dee").has(&own);
    host
}

fn refresh(who: &str) -> String {
    let lines = format!(
        "BEGIN:VEVENT\nUID:meeting\nDTSTAMP:20261201T070000Z\nORGANIZER:mailto:{DEE}\nATTENDEE:mailto:{who}\nEND:VEVENT\n"
    );
    message("REFRESH", &lines)
}

#[test]
fn a_refresh_is_answered_with_a_request_afterwards() {
    let host = host("");
    let bo = "bo@example.com";
    let outcomes = host.receives(&refresh(bo), bo, &[DEE]);
    assert_eq!(codes(&outcomes), ["2.0"]);
    assert!(host.sent().is_empty(), "the answer does not wait for it");
    assert_eq!(host.waits(), ["REQUEST bo@example.com"]);
    let host = host.restarted();
    host.pays();
    assert_eq!(host.sent(), ["REQUEST dee@example.org bo@example.com"]);
    assert!(host.waits().is_empty());
}

#[test]
fn one_message_a_second_goes_to_an_address_about_an_object() {
    let host = host("");
    let bo = "bo@example.com";
    let waits = [(0, 1), (999, 1), (1, 2), (100, 2), (1000, 3), (1000, 4)];
    for (wait, sent) in waits {
        host.pass(Duration::from_millis(wait));
        host.pays();
        host.receives(&refresh(bo), bo, &[DEE]);
        host.pays();
        assert_eq!(host.sent().len(), sent, "after {wait} ms");
        assert!(host.waits().len() <= 1);
    }
    // What came sooner is not lost.
    host.pass(Duration::from_secs(1));
    host.pays();
    assert_eq!(host.sent().len(), 5);
    assert!(host.waits().is_empty());
}

#[test]
fn an_organizer_and_a_guest_of_ours_need_no_other_server() {
    let host = host("ATTENDEE:mailto:cy@example.org\n");
    let outcomes = host.submits(&refresh("cy@example.org"), "cy@example.org", &[DEE]);
    assert_eq!(codes(&outcomes), ["2.0"]);
    host.pays();
    assert!(host.sent().is_empty());
    let stored = host.person("cy").object("meeting").unwrap();
    assert!(stored.contains("SUMMARY:Review"), "{stored}");
}
