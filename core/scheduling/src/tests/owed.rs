//! What our people send because something came in.

use super::world::{Host, codes, meeting, message};
use futures::FutureExt;
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
    assert_eq!(host.owed.left().len(), 1);
    assert!(host.owed.settled().now_or_never().is_none());
    host.pays();
    assert_eq!(host.sent(), ["REQUEST dee@example.org bo@example.com"]);
    assert!(host.owed.left().is_empty());
    assert!(host.owed.settled().now_or_never().is_some());
}

#[test]
fn one_message_a_second_goes_to_an_address_about_an_object() {
    let host = host("");
    let bo = "bo@example.com";
    for (wait, sent) in [(0, 1), (999, 1), (1, 2), (100, 2), (1000, 3)] {
        host.pass(Duration::from_millis(wait));
        host.receives(&refresh(bo), bo, &[DEE]);
        host.pays();
        assert_eq!(host.sent().len(), sent, "after {wait} ms");
    }
}

#[test]
fn few_are_on_their_way_to_a_domain_at_once() {
    let guests: Vec<String> = (0..12)
        .map(|number| format!("g{number}@example.com"))
        .collect();
    let lines = guests.iter().map(|it| format!("ATTENDEE:mailto:{it}\n"));
    let host = host(&lines.collect::<String>());
    for guest in &guests {
        host.receives(&refresh(guest), guest, &[DEE]);
    }
    assert_eq!(host.owed.left().len(), 10);
    // What is taken and given up is on its way no more.
    for _ in 0..10 {
        drop(host.owed.next().now_or_never().unwrap());
    }
    assert!(host.owed.left().is_empty());
    let last = &guests[11];
    host.receives(&refresh(last), last, &[DEE]);
    assert_eq!(host.owed.left().len(), 1);
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
