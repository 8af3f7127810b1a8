//! Delegation by the delegator's REPLY.

use super::{ALICE, BOB, CARL, address, apply, assert_outgoing, calendar, owner};
use crate::itip::{Change, forward_to_delegate, update_own_copy};
use crate::message::Message;
use convoke_types::RequestStatus;

fn meeting(kind: &str, guests: &str) -> String {
    format!(
        "BEGIN:{kind}\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1\nDTSTART:20270104T100000Z
         SUMMARY:Plan\nORGANIZER:mailto:a@example.com\n{guests}\nEND:{kind}"
    )
}

/// Bob's REPLY with this on his line, and more lines.
fn delegates(kind: &str, to: &[&str], more: &str) -> String {
    let to: Vec<String> = to.iter().map(|it| format!("\"mailto:{it}\"")).collect();
    format!(
        "BEGIN:{kind}\nUID:1\nDTSTAMP:20261203T100000Z\nSEQUENCE:1\nORGANIZER:mailto:a@example.com
         ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO={}:mailto:b@example.com\n{more}\nEND:{kind}",
        to.join(",")
    )
}

const BOBS: &str = "ATTENDEE;ROLE=CHAIR;RSVP=TRUE:mailto:b@example.com";

fn noted(to: &str) -> String {
    format!(
        "ATTENDEE;ROLE=CHAIR;PARTSTAT=DELEGATED;DELEGATED-TO={to};X-CONVOKE-REPLY-SEQUENCE=1
         |;X-CONVOKE-REPLY-DTSTAMP=20261203T100000Z;SCHEDULE-STATUS=2.0:mailto:b@example.com"
    )
}

#[test]
fn a_delegate_comes_on_the_list_and_is_invited_by_the_organizer() {
    let told = "ATTENDEE;CN=Eve;ROLE=NON-PARTICIPANT;PARTSTAT=ACCEPTED;SCHEDULE-AGENT=NONE
        |;SENT-BY=\"mailto:z@example.net\";DELEGATED-TO=\"mailto:y@example.net\":mailto:e@example.net";
    let eve = "ATTENDEE;CN=Eve;ROLE=CHAIR;PARTSTAT=NEEDS-ACTION;RSVP=TRUE
        |;DELEGATED-FROM=\"mailto:b@example.com\":mailto:e@example.net";
    for kind in ["VEVENT", "VTODO"] {
        let said = delegates(kind, &["e@example.net"], told);
        let arrives = apply("REPLY", &said).by(BOB).to(&meeting(kind, BOBS));
        let bob = "ATTENDEE;ROLE=CHAIR;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:e@example.net\"";
        let invitation = meeting(kind, &format!("{bob}:mailto:b@example.com\n{eve}"))
            .replace("20261201T100000Z", "20270101T000000Z");
        arrives.sends("mailto:e@example.net", "REQUEST", &invitation);
        let then = arrives.gives(&meeting(
            kind,
            &format!("{}\n{eve}", noted("\"mailto:e@example.net\"")),
        ));
        assert!(
            then.received().outgoing.is_empty(),
            "who is on the list is not told again"
        );
    }
}

#[test]
fn who_is_on_the_list_stays_as_it_is() {
    let carl = "ATTENDEE;PARTSTAT=ACCEPTED;CN=Carl:mailto:c@example.com";
    let said = delegates("VEVENT", &["C@example.com"], "");
    let existing = meeting("VEVENT", &format!("{BOBS}\n{carl}"));
    let arrives = apply("REPLY", &said).by(BOB).to(&existing);
    assert!(arrives.received().outgoing.is_empty());
    arrives.gives(&meeting(
        "VEVENT",
        &format!("{}\n{carl}", noted("\"mailto:C@example.com\"")),
    ));
}

#[test]
fn delegation_loops_and_too_many_delegates_are_refused() {
    let crowd = ["e@x.net", "f@x.net", "g@x.net", "h@x.net"];
    let from =
        |who: &str| format!("ATTENDEE;DELEGATED-FROM=\"mailto:b@example.com\":mailto:{who}\n");
    let earlier = from("f@x.net") + &from("g@x.net") + &from("h@x.net");
    let alice =
        "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:b@example.com\":mailto:c@example.com";
    let dora =
        "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:c@example.com\":mailto:d@example.com";
    for (what, to, guests) in [
        ("to itself", &["B@example.com"][..], BOBS.to_owned()),
        ("to the organizer", &["a@example.com"], BOBS.to_owned()),
        ("too many", &crowd, BOBS.to_owned()),
        (
            "too many, one by one",
            &crowd[..1],
            format!("{BOBS}\n{earlier}"),
        ),
        ("to and fro", &["c@example.com"], format!("{BOBS}\n{alice}")),
        (
            "in a circle",
            &["d@example.com"],
            format!("{BOBS}\n{alice}\n{dora}"),
        ),
        (
            "back by what the list says",
            &["d@example.com"],
            "ATTENDEE;DELEGATED-FROM=\"mailto:d@example.com\":mailto:b@example.com".to_owned(),
        ),
    ] {
        let refused = apply("REPLY", &delegates("VEVENT", to, ""))
            .by(BOB)
            .to(&meeting("VEVENT", &guests))
            .received();
        assert!(
            refused.status.same_code(&RequestStatus::NO_AUTHORITY),
            "{what}: {}",
            refused.status
        );
        assert!(
            refused.change == Change::None && refused.outgoing.is_empty(),
            "{what}"
        );
    }
    let three = apply("REPLY", &delegates("VEVENT", &crowd[..3], ""))
        .by(BOB)
        .to(&meeting("VEVENT", BOBS))
        .received();
    assert_eq!(three.outgoing.len(), 3);
}

/// Only the delegator's REPLY adds somebody, and only where it says that it delegates.
#[test]
fn replies_other_than_delegations_add_no_attendee() {
    let said = delegates("VEVENT", &["e@x.net"], "ATTENDEE:mailto:f@x.net").replace(
        "PARTSTAT=DELEGATED",
        "PARTSTAT=ACCEPTED;DELEGATED-FROM=\"mailto:c@example.com\"",
    );
    let existing = meeting("VEVENT", BOBS);
    let expected = noted("x")
        .replace(";DELEGATED-TO=x", "")
        .replace("DELEGATED", "ACCEPTED");
    let then = apply("REPLY", &said)
        .by(BOB)
        .to(&existing)
        .gives(&meeting("VEVENT", &expected));
    then.then(
        "REPLY",
        &delegates("VEVENT", &["g@x.net"], "").replace("b@example.com", "e@x.net"),
    )
    .refuses_with(&RequestStatus::NO_AUTHORITY);
}

#[test]
fn uninvited_attendees_cannot_delegate() {
    let said = delegates("VEVENT", &["e@x.net"], "").replace("b@example.com", "x@example.net");
    apply("REPLY", &said)
        .accepting_uninvited()
        .to(&meeting("VEVENT", BOBS))
        .refuses_with(&RequestStatus::NO_AUTHORITY);
}

#[test]
fn a_delegate_of_our_own_gets_what_the_organizer_told_and_nothing_of_the_delegators_own() {
    let copy = meeting(
        "VEVENT",
        "ATTENDEE;RSVP=TRUE:mailto:b@example.com\nATTENDEE:mailto:d@example.com
         TRANSP:TRANSPARENT\nCATEGORIES:Secret\nX-APPLE-TRAVEL-DURATION:PT1H
         BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:PT0S\nEND:VALARM",
    );
    let said = delegates("VEVENT", &["c@example.com"], "SUMMARY:Something else");
    let reply = Message::read(calendar(&format!("METHOD:REPLY\n{said}"))).unwrap();
    let bob = [address(BOB)];
    let now = super::now();
    let Change::Store(after) = update_own_copy(&reply, Some(&calendar(&copy)), &owner(&bob), now)
    else {
        panic!("the delegator's own copy follows");
    };
    let outgoing = forward_to_delegate(&after, &owner(&bob), &address(CARL)).unwrap();
    assert_eq!(outgoing.originator, address(BOB));
    let expected = meeting(
        "VEVENT",
        "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:c@example.com\":mailto:b@example.com
         ATTENDEE:mailto:d@example.com
         ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;DELEGATED-FROM=\"mailto:b@example.com\":mailto:c@example.com",
    );
    assert_outgoing(&outgoing, CARL, "REQUEST", &expected);
    // The organizer's own invitation is an update of it.
    let organizers = expected
        .replace("20261201T100000Z", "20261204T100000Z")
        .replace("SUMMARY:Plan", "SUMMARY:Plan\nX-ORGANIZERS:1");
    apply("REQUEST", &expected)
        .by(BOB)
        .at(CARL)
        .submitted()
        .gives(&expected)
        .then("REQUEST", &organizers)
        .at(CARL)
        .gives(&organizers);
    for (who, delegate) in [(BOB, ALICE), (BOB, "mailto:d@example.com"), (ALICE, CARL)] {
        let own = [address(who)];
        assert!(forward_to_delegate(&after, &owner(&own), &address(delegate)).is_none());
    }
}

/// An update that crosses a delegation does not know of it; one that says that the delegate has declined asks anew. Found by the
/// simulator.
#[test]
fn an_update_that_crosses_a_delegation_leaves_it() {
    let delegated =
        "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:c@example.com\":mailto:b@example.com";
    let declined =
        "ATTENDEE;PARTSTAT=DECLINED;DELEGATED-FROM=\"mailto:b@example.com\":mailto:c@example.com";
    for (delegate, stays) in [
        ("ATTENDEE:mailto:d@example.com", true),
        ("ATTENDEE:mailto:c@example.com", true),
        (declined, false),
    ] {
        let open = "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:b@example.com";
        let update = meeting("VEVENT", &format!("{open}\n{delegate}"));
        let update = update.replace("20261201T100000Z", "20261204T100000Z");
        let known = meeting("VEVENT", delegated);
        let received = apply("REQUEST", &update).at(BOB).to(&known).received();
        let Change::Store(after) = received.change else {
            panic!("it is an update");
        };
        let text = String::from_utf8(after.write()).unwrap();
        assert_eq!(text.contains("PARTSTAT=DELEGATED"), stays, "{text}");
    }
}

/// Bob has sent Carl, and answers himself after all; meanwhile Alice moves the meeting, which asks nobody who has sent somebody. Found
/// by the simulator.
#[test]
fn another_time_does_not_delegate_again_what_was_taken_back() {
    let delegated =
        "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:c@example.com\":mailto:b@example.com";
    let moved = meeting("VEVENT", delegated)
        .replace("T100000Z\n         SUMMARY", "T120000Z\nSUMMARY")
        .replace("SEQUENCE:1", "SEQUENCE:2");
    for (known, kept) in [
        (
            "ATTENDEE;PARTSTAT=TENTATIVE:mailto:b@example.com",
            "PARTSTAT=TENTATIVE",
        ),
        (delegated, "PARTSTAT=DELEGATED"),
        ("ATTENDEE:mailto:b@example.com", "PARTSTAT=DELEGATED"),
    ] {
        let known = meeting("VEVENT", known);
        let received = apply("REQUEST", &moved).at(BOB).to(&known).received();
        let Change::Store(after) = received.change else {
            panic!("it is an update");
        };
        let text = String::from_utf8(after.write()).unwrap();
        assert!(text.contains("T120000Z") && text.contains(kept), "{text}");
    }
}
