//! How often a delivery asks the state. Counted, as each read and each commit is a way to another thread, another process or
//! another machine and back, and a commit is a sync of the disk.

use super::world::{Host, codes, meeting, message};

const ANNA: &str = "anna@example.com";

#[test]
fn a_delivery_asks_the_state_twice_and_writes_to_it_once() {
    let host = Host::new();
    let state = &host.world().remembered;
    let invitation = |more: &str| message("REQUEST", &meeting(more));
    let moved = invitation("SEQUENCE:1\n").replace("T100000Z", "T120000Z");
    let cancelled = message("CANCEL", &meeting("SEQUENCE:2\nSTATUS:CANCELLED\n"));
    for (what, text) in [
        ("new", invitation("")),
        ("an update", moved),
        ("called off", cancelled),
    ] {
        state.was_asked();
        let outcomes = host.receives(&text, ANNA, &["bo@example.org"]);
        assert_eq!(codes(&outcomes), ["2.0"], "{what}");
        let expected = ["get known", "get ledger", "commit ledger"];
        assert_eq!(state.was_asked(), expected, "{what}");
    }
}

#[test]
fn an_answer_asks_no_more_than_an_invitation() {
    let host = Host::new();
    let object = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\nBEGIN:VEVENT\nUID:own\nDTSTAMP:20261201T070000Z\n\
                  DTSTART:20270104T100000Z\nDURATION:PT1H\nSUMMARY:Review\nORGANIZER:mailto:bo@example.org\n\
                  ATTENDEE:mailto:bo@example.org\nATTENDEE:mailto:anna@example.com\nEND:VEVENT\nEND:VCALENDAR\n";
    host.person("bo").has(object);
    assert!(host.looks("bo").first);
    let state = &host.world().remembered;
    for partstat in ["ACCEPTED", "DECLINED"] {
        let reply = format!(
            "BEGIN:VEVENT\nUID:own\nDTSTAMP:20261201T07300{}Z\nORGANIZER:mailto:bo@example.org\n\
             ATTENDEE;PARTSTAT={partstat}:mailto:anna@example.com\nEND:VEVENT\n",
            usize::from(partstat == "DECLINED"),
        );
        state.was_asked();
        let outcomes = host.receives(&message("REPLY", &reply), ANNA, &["bo@example.org"]);
        assert_eq!(codes(&outcomes), ["2.0"], "{partstat}");
        let expected = ["get known", "get ledger", "commit ledger"];
        assert_eq!(state.was_asked(), expected, "{partstat}");
        let stored = host.person("bo").object("own").unwrap();
        assert!(stored.contains(&format!("PARTSTAT={partstat}")), "{stored}");
    }
}
