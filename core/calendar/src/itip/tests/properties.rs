//! What holds for every message, also for those that nobody would send.

use super::{ALICE, BOB, address, calendar, now, owner};
use crate::itip::object::same;
use crate::itip::{Change, Receiving, edit, forget, observe, recall, receive, update_own_copy};
use crate::message::{Message, Provenance};
use crate::tree::Calendar;
use proptest::prelude::*;

/// One of some.
fn one(of: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(of)
}

/// A component as people, servers and foes may write it.
fn component() -> impl Strategy<Value = String> {
    let identity = (
        one(&["", "", "SEQUENCE:0", "SEQUENCE:1", "SEQUENCE:2"]),
        one(&["20261201T100000Z", "20261202T100000Z", "20261203T100000"]),
        one(&[
            "",
            "",
            "RECURRENCE-ID:20270111T100000Z",
            "RECURRENCE-ID;TZID=Europe/Berlin:20270111T110000",
            "RECURRENCE-ID;RANGE=THISANDFUTURE:20270118T100000Z",
            "RECURRENCE-ID;VALUE=DATE:20270125",
            "RECURRENCE-ID;TZID=Nowhere:20270125T100000",
            "RECURRENCE-ID:99991231T235959Z",
        ]),
    );
    let times = (
        one(&[
            "DTSTART:20270104T100000Z",
            "DTSTART;TZID=Europe/Berlin:20270104T110000",
            "DTSTART;TZID=Nowhere:20270104T110000",
            "DTSTART;VALUE=DATE:20270104",
            "DTSTART:00010101T000000Z",
            "DTSTART:99991231T235959",
        ]),
        one(&[
            "",
            "DTEND:20270104T110000Z",
            "DURATION:PT1H",
            "DTEND:99991231T235959Z",
        ]),
        one(&[
            "",
            "RRULE:FREQ=WEEKLY;COUNT=5",
            "RRULE:",
            "RDATE:20270106T100000Z,x",
            "EXDATE:x",
        ]),
    );
    let people = (
        one(&[
            "ATTENDEE:mailto:b@example.com",
            "ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com",
            "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:c@example.com\":mailto:b@example.com",
            "ATTENDEE;PARTSTAT=DECLINED;DELEGATED-FROM=x;X-CONVOKE-REPLY-SEQUENCE=x:mailto:b@example.com",
        ]),
        one(&[
            "",
            "ATTENDEE:mailto:c@example.com",
            "ATTENDEE;SCHEDULE-AGENT=NONE:mailto:c@example.com",
        ]),
        one(&[
            "",
            "STATUS:CANCELLED",
            "STATUS:CONFIRMED",
            "COMMENT:x",
            "SUMMARY:x",
        ]),
        one(&[
            "",
            "BEGIN:VALARM\nTRIGGER:PT0S\nEND:VALARM",
            "X-MINE:1",
            "TRANSP:OPAQUE",
        ]),
    );
    (identity, times, people).prop_map(
        |((sequence, stamp, id), (start, end, rule), (b, c, x, y))| {
            format!(
            "BEGIN:VEVENT\nUID:1\nORGANIZER:mailto:a@example.com\nDTSTAMP:{stamp}\n{sequence}\n{id}
             {start}\n{end}\n{rule}\n{b}\n{c}\n{x}\n{y}\nEND:VEVENT\n"
        )
        },
    )
}

fn message() -> impl Strategy<Value = String> {
    let method = one(&[
        "REQUEST",
        "REQUEST",
        "CANCEL",
        "ADD",
        "REPLY",
        "REFRESH",
        "COUNTER",
        "DECLINECOUNTER",
    ]);
    (method, proptest::collection::vec(component(), 1..3))
        .prop_map(|(method, parts)| format!("METHOD:{method}\n{}", parts.concat()))
}

/// Applies a message as it comes from who may send it; nothing for what is no valid message.
fn arrives(text: &str, existing: Option<&Calendar>) -> Option<Change> {
    let message = Message::read(calendar(text)).ok()?;
    let (from, to) = if message.method().is_from_organizer() {
        (ALICE, BOB)
    } else {
        (BOB, ALICE)
    };
    let addresses = [address(to)];
    let at = Receiving {
        owner: &owner(&addresses),
        originator: &address(from),
        from: Provenance::Peer { proven: &[] },
        now: now(),
        accept_uninvited: true,
    };
    Some(receive(&message, existing, &at).change)
}

proptest! {
    #[test]
    fn the_same_message_again_changes_nothing(messages in proptest::collection::vec(message(), 1..6)) {
        let mut stored: Option<Calendar> = None;
        for text in messages {
            let Some(Change::Store(next)) = arrives(&text, stored.as_ref()) else { continue };
            prop_assert_eq!(arrives(&text, Some(&next)), Some(Change::None), "{}", text);
            prop_assert!(next.root().get("METHOD").is_none());
            stored = Some(next);
        }
    }

    #[test]
    fn strangers_change_nothing(first in message(), then in message()) {
        let Some(Change::Store(stored)) = arrives(&first, None) else { return Ok(()) };
        let Ok(message) = Message::read(calendar(&then)) else { return Ok(()) };
        for who in [ALICE, BOB] {
            let addresses = [address(who)];
            let at = Receiving {
                owner: &owner(&addresses),
                originator: &address("mailto:mallory@evil.example"),
                from: Provenance::Peer { proven: &[] },
                now: now(),
                accept_uninvited: true,
            };
            let received = receive(&message, Some(&stored), &at);
            prop_assert_eq!(received.change, Change::None);
            prop_assert!(received.status.is_failure() && received.outgoing.is_empty());
        }
    }

    #[test]
    fn what_is_recalled_stays_recalled(stored in message(), remembered in message()) {
        let [stored, remembered] = [stored, remembered].map(|it| calendar(&it));
        let once = recall(&stored, &remembered);
        prop_assert_eq!(&recall(&once, &remembered), &once);
        prop_assert_eq!(recall(&forget(once.clone()), &remembered), once);
        // As it was written for its owner, an object says what it said.
        prop_assert_eq!(recall(&forget(stored.clone()), &stored), recall(&stored, &stored));
    }

    #[test]
    fn a_second_look_finds_nothing_to_tell(remembered in message(), stored in message(), removes in any::<bool>()) {
        let [remembered, stored] = [remembered, stored].map(|it| calendar(&it));
        for who in [ALICE, BOB] {
            let addresses = [address(who)];
            let owner = owner(&addresses);
            let stored = (!removes).then(|| stored.clone());
            let Ok(seen) = observe(Some(&remembered), stored.as_ref(), &owner, now()) else { continue };
            for outgoing in &seen.outgoing {
                let checked = outgoing.message.check_originator(&outgoing.originator, Provenance::Peer { proven: &[] });
                prop_assert!(checked.is_ok());
            }
            let next = seen.rewritten.or(stored);
            let again = observe(seen.remembered.as_ref(), next.as_ref(), &owner, now()).unwrap();
            prop_assert!(again.outgoing.is_empty(), "{:?}", again.outgoing);
            prop_assert_eq!(again.rewritten, None);
            let both = again.remembered.as_ref().zip(seen.remembered.as_ref());
            prop_assert!(both.is_none_or(|(again, seen)| same(again, seen)), "{:?}", both);
            prop_assert_eq!(again.remembered.is_some(), seen.remembered.is_some());
            // Nobody has changed anything.
            let same = observe(Some(&remembered), Some(&remembered), &owner, now());
            prop_assert!(same.is_err() || same.is_ok_and(|it| it.outgoing.is_empty()));
        }
    }

    #[test]
    fn edits_and_own_messages_terminate(before in message(), after in message()) {
        let (before, after) = (calendar(&before), calendar(&after));
        for who in [ALICE, BOB] {
            let addresses = [address(who)];
            let owner = owner(&addresses);
            let Ok(edited) = edit(Some(&before), Some(&after), &owner, now()) else { continue };
            for outgoing in edited.outgoing {
                let checked = outgoing.message.check_originator(&outgoing.originator, Provenance::Peer { proven: &[] });
                prop_assert!(checked.is_ok());
                update_own_copy(&outgoing.message, Some(&after), &owner, now());
            }
            // Stored objects may be odd; what is a message has each part once.
            if Message::read(after.clone()).is_ok() {
                let again = edit(Some(&after), Some(&after), &owner, now());
                prop_assert_eq!(again.unwrap().store, Change::None);
            }
        }
    }
}
