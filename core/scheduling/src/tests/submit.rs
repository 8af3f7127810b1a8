//! Messages that our people hand in.

use super::world::{Host, codes, meeting, message};

const DEE: &str = "dee@example.org";

/// Dee invites Bo of ours, and more.
fn invitation(more: &str) -> String {
    message("REQUEST", &meeting(more).replace("anna@example.com", DEE))
}

#[test]
fn the_own_copy_follows_and_each_recipient_is_told_where_it_is() {
    let host = Host::new();
    let more = "ATTENDEE:mailto:x@example.net\nX-MY-NOTE:private\n";
    let to = ["x@example.net", "bo@example.org"];
    let outcomes = host.submits(&invitation(more), DEE, &to);
    assert_eq!(codes(&outcomes), ["1.2", "2.0"]);
    assert_eq!(host.sent(), ["REQUEST dee@example.org x@example.net"]);
    assert_eq!(
        host.recorded(),
        ["delivered REQUEST 2.0", "sent REQUEST 1.2"]
    );
    assert!(
        host.person("dee")
            .object("meeting")
            .unwrap()
            .contains("private")
    );
    let told = host.person("bo").object("meeting").unwrap();
    assert!(!told.contains("private"), "{told}");
}

#[test]
fn nothing_leaves_if_the_own_copy_cannot_follow() {
    let host = Host::new();
    host.person("dee").is_broken();
    let to = ["x@example.net", "bo@example.org"];
    let more = "ATTENDEE:mailto:x@example.net\n";
    let outcomes = host.submits(&invitation(more), DEE, &to);
    assert_eq!(codes(&outcomes), ["5.1", "5.1"]);
    assert!(host.sent().is_empty());
    assert_eq!(host.person("bo").object("meeting"), None);
}

/// As who looks at Dee's calendar for the first time does, just then.
#[test]
fn somebody_else_who_writes_the_ledger_meanwhile_keeps_nothing_back() {
    let host = Host::new();
    host.world().remembered.has_a_rival();
    let to = ["x@example.net", "bo@example.org"];
    let more = "ATTENDEE:mailto:x@example.net\n";
    let outcomes = host.submits(&invitation(more), DEE, &to);
    assert_eq!(codes(&outcomes), ["1.2", "2.0"]);
    assert_eq!(host.sent(), ["REQUEST dee@example.org x@example.net"]);
}

/// Bo answers an invitation of Anna's: Cy goes in its place.
fn delegation() -> String {
    let lines = "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:cy@example.org\":mailto:bo@example.org\n\
                 ATTENDEE;DELEGATED-FROM=\"mailto:bo@example.org\":mailto:cy@example.org\n";
    let event = meeting("").replace("ATTENDEE:mailto:bo@example.org\n", lines);
    message("REPLY", &event)
}

#[test]
fn a_delegate_of_ours_is_invited_with_what_the_organizer_said() {
    let host = Host::new();
    let text = message("REQUEST", &meeting(""));
    host.receives(&text, "anna@example.com", &["bo@example.org"]);
    let claimed = delegation().replace("SUMMARY:Review", "SUMMARY:Something else");
    let outcomes = host.submits(&claimed, "bo@example.org", &["anna@example.com"]);
    assert_eq!(codes(&outcomes), ["1.2"]);
    assert_eq!(host.sent(), ["REPLY bo@example.org anna@example.com"]);
    let note = outcomes[0].description.clone().unwrap();
    assert!(
        note.starts_with("cy@example.org was invited here (2.0"),
        "{note}"
    );
    let stored = host.person("cy").object("meeting").unwrap();
    assert!(stored.contains("SUMMARY:Review"), "{stored}");
    assert!(stored.contains("DELEGATED-FROM"), "{stored}");
}

#[test]
fn an_attendee_hands_a_request_on_to_its_delegates_only() {
    let host = Host::new();
    let text = message("REQUEST", &meeting("ATTENDEE:mailto:dee@example.org\n"));
    host.receives(&text, "anna@example.com", &["bo@example.org"]);
    let request = delegation().replace("METHOD:REPLY", "METHOD:REQUEST");
    let to = ["cy@example.org", "dee@example.org"];
    let outcomes = host.submits(&request, "bo@example.org", &to);
    assert_eq!(codes(&outcomes), ["2.0", "3.8"]);
    assert!(host.person("cy").object("meeting").is_some());
    assert_eq!(host.person("dee").object("meeting"), None);
}

#[test]
fn who_has_nothing_to_delegate_invites_nobody() {
    let host = Host::new();
    let outcomes = host.submits(&delegation(), "bo@example.org", &["anna@example.com"]);
    let note = outcomes[0].description.clone().unwrap();
    assert!(note.contains("could not be invited here (3.8"), "{note}");
    assert_eq!(host.person("cy").object("meeting"), None);
}
