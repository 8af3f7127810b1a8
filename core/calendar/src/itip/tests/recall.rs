//! Objects that calendar programs have saved, read with the protocol state that is remembered of them.

use super::{ALICE, BOB, address, apply, assert_same, calendar, now, owner};
use crate::itip::{Change, PartStat, compose_reply, edit, forget, observe, recall, unremembered};
use crate::message::Method;
use crate::tree::Calendar;

/// A weekly meeting of Alice's as Bob has received it.
const RECEIVED: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:1
    DTSTART:20270104T100000Z
    DTEND:20270104T110000Z
    RRULE:FREQ=WEEKLY
    SUMMARY:Plan
    ORGANIZER:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com
    END:VEVENT";

/// The same as Alice keeps it, with what is noted of Bob's answer.
const ANSWERED: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:1
    DTSTART:20270104T100000Z
    DTEND:20270104T110000Z
    RRULE:FREQ=WEEKLY
    SUMMARY:Plan
    ORGANIZER:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED;X-CONVOKE-REPLY-SEQUENCE=1;X-CONVOKE-REPLY-DTSTAMP=20261203T100000Z
    |:mailto:b@example.com
    ATTENDEE;X-CONVOKE-UNINVITED=TRUE;PARTSTAT=ACCEPTED:mailto:x@example.net
    COMMENT;X-CONVOKE-FROM=\"mailto:b@example.com\":With pleasure\\, of course
    END:VEVENT";

const INSTANCE: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261202T100000Z
    SEQUENCE:3
    RECURRENCE-ID:20270111T100000Z
    DTSTART:20270111T120000Z
    DTEND:20270111T130000Z
    SUMMARY:Plan
    ORGANIZER:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com
    END:VEVENT";

/// What khal makes of a file that somebody saves in it so many times.
fn saved_by_khal(object: &str, times: u64) -> String {
    let raised = |object: String, was: u64| {
        object.replace(
            &format!("SEQUENCE:{was}\n"),
            &format!("SEQUENCE:{}\n", was + times),
        )
    };
    let object = raised(raised(object.to_owned(), 3), 1);
    object.replace("DTSTAMP:2026120", "DTSTAMP:2026122")
}

#[track_caller]
fn assert_recalled(stored: &str, remembered: &str, expected: &str) {
    let recalled = recall(&calendar(stored), &calendar(remembered));
    assert_same(&recalled, &calendar(expected));
}

#[test]
fn an_update_and_a_cancel_apply_to_what_khal_has_saved_three_times() {
    let saved = saved_by_khal(RECEIVED, 3);
    assert!(saved.contains("SEQUENCE:4") && saved.contains("DTSTAMP:20261221"));
    let update = RECEIVED
        .replace("20261201", "20261203")
        .replace("SUMMARY:Plan", "SUMMARY:Plan\nLOCATION:Here");
    let cancel = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261204T100000Z\nSEQUENCE:2\nSTATUS:CANCELLED
        ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    // The file alone makes them look old.
    apply("REQUEST", &update).to(&saved).changes_nothing();
    apply("CANCEL", cancel).to(&saved).changes_nothing();

    let recalled = recall(&calendar(&saved), &calendar(RECEIVED));
    apply("REQUEST", &update)
        .over(recalled.clone())
        .gives(&update)
        .then("CANCEL", cancel)
        .gives(
            &update
                .replace("20261203", "20261204")
                .replace("SEQUENCE:1", "SEQUENCE:2\nSTATUS:CANCELLED"),
        );
    // What had been received before is still old.
    let older = RECEIVED.replace("20261201", "20261130");
    apply("REQUEST", &older.replace("Plan", "Draft"))
        .over(recalled)
        .changes_nothing();
}

#[test]
fn each_component_has_its_own_revision_and_a_new_instance_that_of_its_series() {
    let both = format!("{RECEIVED}{INSTANCE}");
    assert_recalled(&saved_by_khal(&both, 3), &both, &both);
    // The program names the instance by the clock on the wall.
    let in_berlin = both.replace(
        "RECURRENCE-ID:20270111T100000Z",
        "RECURRENCE-ID;TZID=Europe/Berlin:20270111T110000",
    );
    assert_recalled(&saved_by_khal(&in_berlin, 2), &both, &in_berlin);
    let of_the_series = INSTANCE
        .replace("20261202", "20261201")
        .replace("SEQUENCE:3", "SEQUENCE:1");
    assert_recalled(&both, RECEIVED, &format!("{RECEIVED}{of_the_series}"));
    // From this one on the meeting is of a version of its own.
    let onwards = INSTANCE.replace("RECURRENCE-ID:", "RECURRENCE-ID;RANGE=THISANDFUTURE:");
    let later = INSTANCE.replace("20270111", "20270118");
    let saved = later.replace("SEQUENCE:3", "SEQUENCE:7");
    assert_recalled(
        &format!("{RECEIVED}{onwards}{saved}"),
        &format!("{RECEIVED}{onwards}"),
        &format!("{RECEIVED}{onwards}{later}"),
    );
}

#[test]
fn what_nothing_is_remembered_of_keeps_its_revision() {
    assert_recalled(RECEIVED, INSTANCE, RECEIVED);
    let later = INSTANCE.replace("20270111", "20270118");
    assert_recalled(&later, INSTANCE, &later);
    let todo = RECEIVED
        .replace("VEVENT", "VTODO")
        .replace("SEQUENCE:1", "SEQUENCE:9");
    assert_recalled(RECEIVED, &todo, RECEIVED);
    assert_recalled(RECEIVED, "", RECEIVED);
}

#[test]
fn a_revision_that_was_not_told_is_none() {
    let told = RECEIVED.replace("    SEQUENCE:1\n", "");
    assert_recalled(RECEIVED, &told, &told);
    assert_recalled(&told, RECEIVED, RECEIVED);
}

#[test]
fn only_the_state_is_recalled() {
    let own = RECEIVED
        .replace("PARTSTAT=ACCEPTED", "PARTSTAT=DECLINED")
        .replace("SUMMARY:Plan", "SUMMARY:Plan B\nX-MINE:1")
        .replace(
            "END:VEVENT",
            "BEGIN:VALARM\nTRIGGER:PT0S\nEND:VALARM\nEND:VEVENT",
        );
    let stored = saved_by_khal(&own, 3);
    assert_recalled(&stored, RECEIVED, &own);
    // Where there is nothing to recall, not an octet changes.
    let recalled = recall(&calendar(&own), &calendar(RECEIVED));
    assert_eq!(recalled.write(), calendar(&own).write());
}

/// An update would else be a stranger's, who has guessed the UID.
#[test]
fn a_program_does_not_make_a_meeting_that_of_another_organizer() {
    let without = RECEIVED.replace("    ORGANIZER:mailto:a@example.com\n", "");
    assert_recalled(&without, RECEIVED, RECEIVED);
    let usurped = RECEIVED.replace("ORGANIZER:mailto:a@", "ORGANIZER;CN=B:mailto:b@");
    assert_recalled(&usurped, RECEIVED, RECEIVED);
    // The same in other words is left.
    let named = RECEIVED.replace("ORGANIZER:mailto:a@", "ORGANIZER;CN=A:MAILTO:A@");
    assert_recalled(&named, RECEIVED, &named);
    // Without anybody on the list it is nobody's meeting any more.
    let private = without.replace("    ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com\n", "");
    assert_recalled(&private, RECEIVED, &private);
}

#[test]
fn an_object_is_written_without_the_notes_and_read_with_them() {
    let written = forget(calendar(ANSWERED));
    let text = String::from_utf8(written.write()).unwrap();
    assert!(!text.contains("X-CONVOKE"), "{text}");
    assert!(text.contains("With pleasure"), "{text}");
    assert_same(&recall(&written, &calendar(ANSWERED)), &calendar(ANSWERED));
    // Programs write addresses and texts in their own way, and lines in another order.
    let rewritten = text
        .replace("mailto:b@", "MAILTO:B@")
        .replace("pleasure\\, of", "pleasure, of");
    let rewritten = Calendar::parse(rewritten.as_bytes(), &crate::tree::Limits::default()).unwrap();
    let recalled = String::from_utf8(recall(&rewritten, &calendar(ANSWERED)).write()).unwrap();
    assert_eq!(
        recalled.replace("\r\n ", "").matches("X-CONVOKE-").count(),
        4,
        "{recalled}"
    );
    let todo = "BEGIN:VTODO\nUID:1\nATTENDEE;X-CONVOKE-PERCENT-COMPLETE=75:mailto:b@example.com
        BEGIN:VALARM\nATTENDEE;x-convoke-other=1;CN=B:mailto:b@example.com\nEND:VALARM\nEND:VTODO";
    let bare = "BEGIN:VTODO\nUID:1\nATTENDEE:mailto:b@example.com
        BEGIN:VALARM\nATTENDEE;CN=B:mailto:b@example.com\nEND:VALARM\nEND:VTODO";
    assert_same(&forget(calendar(todo)), &calendar(bare));
    let untouched = calendar(RECEIVED);
    assert_eq!(forget(untouched.clone()).write(), untouched.write());
}

#[test]
fn the_notes_of_an_earlier_release_hold_only_where_they_are_remembered() {
    let stale = ANSWERED
        .replace("X-CONVOKE-REPLY-SEQUENCE=1", "X-CONVOKE-REPLY-SEQUENCE=9")
        .replace(
            "ATTENDEE;PARTSTAT=ACCEPTED:mailto:x",
            "ATTENDEE;X-CONVOKE-UNINVITED=TRUE:mailto:x",
        );
    assert_recalled(&stale, ANSWERED, ANSWERED);
    // But an attendee's comment does not become the organizer's.
    let recalled = recall(&calendar(ANSWERED), &forget(calendar(ANSWERED)));
    let recalled = String::from_utf8(recalled.write()).unwrap();
    assert_eq!(recalled.matches("X-CONVOKE-").count(), 1, "{recalled}");
    assert!(recalled.contains("X-CONVOKE-FROM"), "{recalled}");
}

#[test]
fn two_who_comment_alike_are_told_apart() {
    let comment =
        "COMMENT;X-CONVOKE-FROM=\"mailto:c@example.com\":With pleasure\\, of course\nEND:VEVENT";
    let both = ANSWERED.replace("END:VEVENT", comment);
    assert_same(
        &recall(&forget(calendar(&both)), &calendar(&both)),
        &calendar(&both),
    );
    // One more of the same words is the organizer's own.
    let own = both.replace(
        "END:VEVENT",
        "COMMENT:With pleasure\\, of course\nEND:VEVENT",
    );
    assert_same(
        &recall(&forget(calendar(&own)), &calendar(&both)),
        &calendar(&own),
    );
}

/// Alice's program has raised the SEQUENCE of her own meeting; what she has told is remembered.
#[test]
fn an_answer_counts_for_an_organizer_whose_program_raised_the_sequence() {
    let told = ANSWERED.replace(
        "PARTSTAT=ACCEPTED;X-CONVOKE-REPLY-SEQUENCE",
        "RSVP=TRUE;X-CONVOKE-REPLY-SEQUENCE",
    );
    let saved = saved_by_khal(&told, 5);
    let reply = |stamp: &str, partstat: &str| {
        format!(
            "BEGIN:VEVENT\nUID:1\nDTSTAMP:{stamp}T100000Z\nSEQUENCE:1\nDTSTART:20270104T100000Z
             ORGANIZER:mailto:a@example.com\nATTENDEE;PARTSTAT={partstat}:mailto:b@example.com\nEND:VEVENT"
        )
    };
    let file = forget(calendar(&saved));
    apply("REPLY", &reply("20261204", "DECLINED"))
        .over(file.clone())
        .changes_nothing();
    let recalled = recall(&file, &calendar(&told));
    let arriving = apply("REPLY", &reply("20261204", "DECLINED")).over(recalled.clone());
    let Change::Store(stored) = arriving.received().change else {
        panic!("the answer is dropped")
    };
    let text = String::from_utf8(stored.write()).unwrap();
    assert!(text.contains("PARTSTAT=DECLINED"), "{text}");
    // One that was sent before what is remembered comes too late, though the file does not say so.
    apply("REPLY", &reply("20261202", "DECLINED"))
        .over(recalled)
        .changes_nothing();
}

#[test]
fn a_reply_carries_the_revision_that_was_received() {
    let recalled = recall(&calendar(&saved_by_khal(RECEIVED, 3)), &calendar(RECEIVED));
    let bobs = [address(BOB)];
    let replies = compose_reply(&recalled, &owner(&bobs), PartStat::Tentative, now()).unwrap();
    assert_eq!(replies[0].message.sequence(), 1);
}

/// What an attendee has commented is not told to the others as if the organizer said it.
#[test]
fn an_edit_knows_what_was_noted_though_the_calendar_does_not_hold_it() {
    let alices = [address(ALICE)];
    let file = forget(calendar(ANSWERED));
    let edited = |after: &Calendar| {
        edit(
            Some(&calendar(ANSWERED)),
            Some(after),
            &owner(&alices),
            now(),
        )
        .unwrap()
    };
    let same = edited(&file);
    assert!(same.outgoing.is_empty());
    assert_eq!(same.store, Change::None);

    let renamed = String::from_utf8(file.write())
        .unwrap()
        .replace("SUMMARY:Plan", "SUMMARY:Plan B");
    let renamed = Calendar::parse(renamed.as_bytes(), &crate::tree::Limits::default()).unwrap();
    let told = edited(&renamed);
    assert_eq!(told.outgoing.len(), 1);
    let message = &told.outgoing[0].message;
    assert_eq!(message.method(), Method::Request);
    let text = String::from_utf8(message.calendar().write()).unwrap();
    assert!(
        !text.contains("pleasure") && !text.contains("X-CONVOKE"),
        "{text}"
    );
    let Change::Store(store) = told.store else {
        panic!("nothing is stored")
    };
    let text = String::from_utf8(store.write())
        .unwrap()
        .replace("\r\n ", "");
    assert!(
        text.contains("X-CONVOKE-REPLY-DTSTAMP=20261203T100000Z"),
        "{text}"
    );
    assert!(text.contains("COMMENT;X-CONVOKE-FROM"), "{text}");
}

/// An attendee's copy of which nothing is remembered.
fn found(object: &str) -> Calendar {
    let addresses = [address(BOB)];
    unremembered(&calendar(object), &owner(&addresses))
}

#[test]
fn the_organizers_next_message_counts_where_nothing_is_remembered() {
    let saved = RECEIVED.replace("SEQUENCE:1", "SEQUENCE:4");
    let update = RECEIVED
        .replace("20261201", "20261203")
        .replace("SUMMARY:Plan", "SUMMARY:Plan\nLOCATION:Here");
    let cancel = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261204T100000Z\nSEQUENCE:2\nSTATUS:CANCELLED
        ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    let off = |object: &str| {
        object
            .replace("20261201", "20261204")
            .replace("20261203", "20261204")
            .replace("SEQUENCE:4", "SEQUENCE:1")
            .replace("SEQUENCE:1", "SEQUENCE:2\nSTATUS:CANCELLED")
    };
    apply("REQUEST", &update)
        .over(found(&saved))
        .gives(&update)
        .then("CANCEL", cancel)
        .gives(&off(&update));
    apply("CANCEL", cancel)
        .over(found(&saved))
        .gives(&off(&saved));
    // Who counts on is later, whatever the clocks say.
    let counted = update
        .replace("20261203", "20261130")
        .replace("SEQUENCE:1", "SEQUENCE:5");
    apply("REQUEST", &counted)
        .over(found(&saved))
        .gives(&counted);
}

#[test]
fn what_may_be_older_than_what_is_found_asks_for_the_latest() {
    let older = RECEIVED.replace("20261201", "20261130");
    let cancel = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261130T100000Z\nSTATUS:CANCELLED
        ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    for (method, text) in [
        ("REQUEST", older.replace("Plan", "Draft").as_str()),
        ("CANCEL", cancel),
    ] {
        let received = apply(method, text).over(found(RECEIVED)).received();
        assert_eq!(received.change, Change::None);
        assert!(received.status.is_success(), "{}", received.status);
        let [question] = received.outgoing.as_slice() else {
            panic!("{method}: {:?}", received.outgoing);
        };
        assert_eq!(question.message.method(), Method::Refresh);
        assert_eq!(question.recipients, [address(ALICE)]);
    }
    // What is remembered is known to be newer, and nothing is asked.
    let received = apply("REQUEST", &older).over(calendar(RECEIVED)).received();
    assert!(received.outgoing.is_empty());
}

/// The same message again, after what was remembered is lost: the answer that was given stands.
#[test]
fn a_doubled_message_takes_back_no_answer_where_nothing_is_remembered() {
    let asked = RECEIVED.replace("PARTSTAT=ACCEPTED", "PARTSTAT=NEEDS-ACTION");
    for sequence in ["SEQUENCE:1", "SEQUENCE:4", "X-NONE:1"] {
        let saved = RECEIVED.replace("SEQUENCE:1", sequence);
        let received = apply("REQUEST", &asked).over(found(&saved)).received();
        let Change::Store(stored) = received.change else {
            panic!("{sequence}: its version is known from now on");
        };
        let text = String::from_utf8(stored.write()).unwrap();
        assert!(text.contains("PARTSTAT=ACCEPTED"), "{text}");
    }
}

#[test]
fn a_reply_carries_the_sequence_that_was_found() {
    let reply = |object: &str| {
        let addresses = [address(BOB)];
        let owner = owner(&addresses);
        let replies = compose_reply(&found(object), &owner, PartStat::Accepted, now()).unwrap();
        String::from_utf8(replies[0].message.calendar().write()).unwrap()
    };
    assert!(reply(RECEIVED).contains("SEQUENCE:1"));
    // A program that drops it says nothing of a version, and neither does the answer.
    let text = reply(&RECEIVED.replace("SEQUENCE:1", "X-NONE:1"));
    assert!(
        !text.contains("SEQUENCE") && !text.contains("X-CONVOKE"),
        "{text}"
    );
}

/// Alice's program has counted on, and nobody knows whether anybody was told.
#[test]
fn an_answer_counts_where_nothing_is_remembered_of_what_was_asked() {
    let own = RECEIVED
        .replace("SEQUENCE:1", "SEQUENCE:4")
        .replace("PARTSTAT=ACCEPTED", "PARTSTAT=NEEDS-ACTION");
    let own = format!("{own}{INSTANCE}");
    let addresses = [address(ALICE)];
    let found = unremembered(&calendar(&own), &owner(&addresses));
    let reply =
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261203T100000Z\nSEQUENCE:1\nORGANIZER:mailto:a@example.com
        ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com\nEND:VEVENT";
    // Nor does anybody know it after a save that concerns nobody.
    let saved = calendar(&own.replacen("SUMMARY", "CATEGORIES:Mine\nSUMMARY", 1));
    let seen = observe(Some(&found), Some(&saved), &owner(&addresses), now()).unwrap();
    assert!(seen.outgoing.is_empty());
    for known in [found.clone(), seen.remembered.unwrap()] {
        let received = apply("REPLY", reply).over(known).received();
        let Change::Store(stored) = received.change else {
            panic!("the answer is dropped");
        };
        assert!(received.outgoing.is_empty(), "nobody has to be told");
        let text = String::from_utf8(forget(stored).write()).unwrap();
        assert!(
            text.contains("PARTSTAT=DECLINED") && text.contains("SEQUENCE:4"),
            "{text}"
        );
    }
    // None of that goes to anybody.
    let after = calendar(&own.replace("Plan", "Plans"));
    let edited = edit(Some(&found), Some(&after), &owner(&addresses), now()).unwrap();
    let text = String::from_utf8(edited.outgoing[0].message.calendar().write()).unwrap();
    assert!(!text.contains("X-CONVOKE"), "{text}");
}

/// Bob's answer has waited for its way, while the meeting was moved, of which he was told; then Alice's host has lost what it
/// remembered. Found by the simulator.
#[test]
fn an_answer_that_may_be_to_what_is_over_does_not_count_where_nothing_is_remembered() {
    let own = RECEIVED.replace("PARTSTAT=ACCEPTED", "PARTSTAT=NEEDS-ACTION");
    let addresses = [address(ALICE)];
    let found = unremembered(&calendar(&own), &owner(&addresses));
    let said = |sequence: &str| {
        let said = format!(
            "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261130T100000Z\n{sequence}ORGANIZER:mailto:a@example.com
            ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com\nEND:VEVENT"
        );
        let received = apply("REPLY", &said).over(found.clone()).received();
        let told = received.outgoing.iter().map(|it| {
            let latest = it.message.calendar().write();
            assert!(!String::from_utf8(latest).unwrap().contains("DECLINED"));
            (it.message.method(), it.recipients.clone())
        });
        (received.change != Change::None, told.collect::<Vec<_>>())
    };
    let told = (Method::Request, vec![address(BOB)]);
    assert_eq!(said("SEQUENCE:0\n"), (false, vec![told]));
    // What speaks for it, or does not say to which version it is, counts.
    assert_eq!(said("SEQUENCE:1\n"), (true, vec![]));
    assert_eq!(said(""), (true, vec![]));
}
