//! Objects that are stored only if those whom they concern can be told.

use super::{ALICE, BOB, address, owner};
use crate::itip::{Edited, edit, is_left_to_client};
use crate::message::MessageError;
use crate::tree::{Calendar, Limits};
use jiff::Timestamp;

const HEAD: &str = "UID:1\nDTSTAMP:20261201T100000Z\nDTSTART:20270104T100000Z";
const ALICES: &str = "ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com";
const DORAS: &str = "ORGANIZER:mailto:d@example.net\nATTENDEE:mailto:b@example.com";

fn object(components: &[(&str, &str)]) -> String {
    let component = |(kind, lines): &(&str, &str)| {
        format!("BEGIN:{kind}\n{HEAD}\n{lines}\nEND:{kind}\n").replace("\n\n", "\n")
    };
    let inside: String = components.iter().map(component).collect();
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{inside}END:VCALENDAR\n")
}

fn edited(who: &str, before: Option<&str>, after: &str) -> Result<Edited, MessageError> {
    let read = |text: &str| Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
    let now: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
    let before = before.map(read);
    let edited = edit(
        before.as_ref(),
        Some(&read(after)),
        &owner(&[address(who)]),
        now,
    );
    edited.map_err(|error| error.in_source(after.as_bytes()))
}

#[track_caller]
fn assert_refused(who: &str, before: Option<&str>, after: &str, line: usize, says: &str) {
    let error = edited(who, before, after).unwrap_err();
    assert_eq!(error.line(), Some(line), "{error}\n{after}");
    assert!(error.to_string().contains(says), "{error}\n{after}");
}

#[test]
fn a_message_cannot_change_the_kind_of_a_stored_object() {
    for (who, lines) in [(ALICE, ALICES), (BOB, ALICES), (ALICE, "")] {
        for (was, is) in [
            ("VEVENT", "VTODO"),
            ("VTODO", "VEVENT"),
            ("VEVENT", "VJOURNAL"),
            ("VJOURNAL", "VEVENT"),
        ] {
            let says = format!("{is}: its UID is that of a {was}");
            let [before, after] = [was, is].map(|kind| object(&[(kind, lines)]));
            assert_refused(who, Some(&before), &after, 3, &says);
        }
    }
    let event = object(&[("VEVENT", ALICES)]);
    let odd = object(&[("X-EVENT", ALICES)]);
    for before in [None, Some(&*event)] {
        assert_refused(
            ALICE,
            before,
            &odd,
            1,
            "there is no VEVENT, VTODO or VFREEBUSY",
        );
    }
    let both = object(&[("VEVENT", ALICES), ("VTODO", ALICES)]);
    for before in [None, Some(&*object(&[("VEVENT", ALICES)]))] {
        let says = "VEVENT and VTODO may not stand in one message or object";
        assert_refused(ALICE, before, &both, 10, says);
    }
    // What a store has of both kinds is mended by the one that is written.
    let event = object(&[("VEVENT", ALICES)]);
    assert_eq!(
        edited(ALICE, Some(&both), &event).unwrap().outgoing.len(),
        0
    );
}

#[test]
fn an_object_is_one_thing() {
    let instance = format!("RECURRENCE-ID:20270111T100000Z\n{ALICES}");
    let weekly = format!("RRULE:FREQ=WEEKLY\n{ALICES}");
    for (parts, line, says) in [
        (
            [("VEVENT", &*weekly), ("VEVENT", &*weekly), ("VEVENT", "")],
            11,
            "two components of the same UID without RECURRENCE-ID",
        ),
        (
            [
                ("VEVENT", &*weekly),
                ("VEVENT", &*instance),
                ("VEVENT", &*instance),
            ],
            23,
            "two components with the RECURRENCE-ID 20270111T100000Z",
        ),
    ] {
        let parts: Vec<_> = parts
            .into_iter()
            .filter(|(_, lines)| !lines.is_empty())
            .collect();
        assert_refused(ALICE, None, &object(&parts), line, says);
    }
    // Private or not: nothing is stored of which a part would be lost.
    let twice = object(&[("VEVENT", "SUMMARY:One"), ("VEVENT", "SUMMARY:Two")]);
    assert_refused(ALICE, None, &twice, 9, "two components of the same UID");
}

#[test]
fn unreachable_attendees_are_named_in_the_error() {
    let foreign_first = format!("ORGANIZER:mailto:d@example.net\n{ALICES}");
    let alices_first = "ORGANIZER:mailto:a@example.com\nORGANIZER:mailto:d@example.net\nATTENDEE:mailto:b@example.com";
    for lines in [&*foreign_first, alices_first] {
        for who in [ALICE, BOB] {
            let says = "ORGANIZER stands more than once";
            assert_refused(who, None, &object(&[("VEVENT", lines)]), 8, says);
        }
    }
    let instance = "RECURRENCE-ID:20270111T100000Z";
    let guest = "ATTENDEE:mailto:b@example.com";
    for (kind, lines, line, says) in [
        // Somebody else's meeting, to which she is not invited.
        ("VEVENT", DORAS, 7, "ORGANIZER is `mailto:d@example.net`"),
        ("VTODO", DORAS, 7, "ORGANIZER is `mailto:d@example.net`"),
        (
            "VEVENT",
            "ORGANIZER:https://cal.example.com/alice\nATTENDEE:mailto:b@example.com",
            7,
            "ORGANIZER",
        ),
        // Kinds to which nobody is invited.
        (
            "VJOURNAL",
            ALICES,
            8,
            "ATTENDEE is `mailto:b@example.com`, expected nobody",
        ),
        ("VPOLL", ALICES, 8, "expected nobody"),
        ("VFREEBUSY", guest, 7, "expected nobody"),
        ("VAVAILABILITY", guest, 7, "expected nobody"),
        // Nobody who invites them.
        ("VEVENT", guest, 3, "ORGANIZER is missing"),
        (
            "VEVENT",
            "ORGANIZER:Alice\nATTENDEE:mailto:b@example.com",
            7,
            "ORGANIZER is `Alice`",
        ),
        (
            "VEVENT",
            "ORGANIZER:Dora\nATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com",
            7,
            "ORGANIZER is `Dora`",
        ),
        // Guests without an address, and the organizer itself.
        (
            "VEVENT",
            "ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:a@example.com\nATTENDEE:Bo",
            9,
            "ATTENDEE is `Bo`",
        ),
    ] {
        assert_refused(ALICE, None, &object(&[(kind, lines)]), line, says);
    }
    // In an instance only.
    let series = "RRULE:FREQ=WEEKLY";
    for (lines, says) in [
        (format!("{instance}\n{guest}"), "ORGANIZER is missing"),
        (
            format!("{instance}\n{ALICES}"),
            "must have the same ORGANIZER",
        ),
    ] {
        let object = object(&[("VEVENT", series), ("VEVENT", &lines)]);
        let error = edited(ALICE, None, &object).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    let own = format!("{series}\nORGANIZER:mailto:a@example.com");
    let lines = format!("{instance}\n{ALICES}");
    let told = edited(
        ALICE,
        None,
        &object(&[("VEVENT", &own), ("VEVENT", &lines)]),
    )
    .unwrap();
    assert_eq!(told.outgoing.len(), 1);
    assert_eq!(told.outgoing[0].recipients, [address(BOB)]);
}

#[test]
fn a_meeting_stays_its_organizers() {
    let mine = object(&[("VEVENT", ALICES)]);
    let handed = format!("ATTENDEE:mailto:a@example.com\n{DORAS}");
    let handed = object(&[("VEVENT", &handed)]);
    assert_refused(
        ALICE,
        Some(&mine),
        &handed,
        8,
        "expected its organizer as before",
    );
    // What was private becomes an invitation that came by other ways, if it invites her.
    let private = object(&[("VEVENT", "")]);
    edited(ALICE, Some(&private), &handed).unwrap();
    let doras = object(&[("VEVENT", DORAS)]);
    assert_refused(ALICE, Some(&private), &doras, 7, "not among the ATTENDEEs");
    // What is kept of a meeting to which she was never invited, she may file as she likes.
    let filed = object(&[("VEVENT", &format!("CATEGORIES:Mine\n{DORAS}"))]);
    assert_eq!(
        edited(ALICE, Some(&doras), &filed).unwrap().outgoing.len(),
        0
    );
}

#[test]
fn edits_without_recipients_are_stored() {
    let alices = [address(ALICE)];
    let owner = owner(&alices);
    for (kind, lines, is_left) in [
        ("VEVENT", "", false),
        ("VJOURNAL", "ORGANIZER:mailto:d@example.net", false),
        ("VEVENT", "ORGANIZER:mailto:a@example.com", false),
        ("VEVENT", "ORGANIZER:Alice", false),
        ("VEVENT", "ORGANIZER:mailto:d@example.net", false),
        (
            "VEVENT",
            "ORGANIZER:mailto:d@example.net\nATTENDEE:mailto:a@example.com",
            false,
        ),
        (
            "VJOURNAL",
            "ATTENDEE;SCHEDULE-AGENT=NONE:mailto:b@example.com",
            true,
        ),
        (
            "VEVENT",
            "ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:b@example.com",
            true,
        ),
        (
            "VEVENT",
            "ORGANIZER;SCHEDULE-AGENT=CLIENT:mailto:d@example.net\nATTENDEE:mailto:b@example.com",
            true,
        ),
        (
            "VEVENT",
            "ORGANIZER;SCHEDULE-AGENT=X-ELSE:Dora\nATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com",
            true,
        ),
    ] {
        let object = object(&[(kind, lines)]);
        let told = edited(ALICE, None, &object).unwrap_or_else(|error| panic!("{error}: {object}"));
        assert_eq!(told.outgoing.len(), 0, "{object}");
        let calendar = Calendar::parse(object.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(is_left_to_client(&calendar, &owner), is_left, "{object}");
    }
}
