//! Edits by the owner of a copy, and who hears of them.

use super::{ALICE, BOB, CARL, address, assert_outgoing, assert_same, calendar, now, owner};
use crate::itip::{Change, Edited, Receiving, edit, receive};
use crate::message::Provenance;

/// One weekly meeting as Alice, its organizer, keeps it.
const MEETING: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:1
    DTSTART:20270104T100000Z
    DTEND:20270104T110000Z
    RRULE:FREQ=WEEKLY
    SUMMARY:Plan
    ORGANIZER:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com
    ATTENDEE:mailto:c@example.com
    END:VEVENT";

fn edited(who: &str, before: &str, after: &str) -> Edited {
    let some = |text: &str| (!text.is_empty()).then(|| calendar(text));
    edit(
        some(before).as_ref(),
        some(after).as_ref(),
        &owner(&[address(who)]),
        now(),
    )
    .unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn assert_stored(edited: &Edited, expected: &str) {
    let Change::Store(stored) = &edited.store else {
        panic!("{:?}", edited.store)
    };
    assert_same(stored, &calendar(expected));
}

/// (method, recipients) of what goes out.
fn letters(edited: &Edited) -> Vec<String> {
    let outgoing = edited.outgoing.iter();
    outgoing
        .map(|it| {
            let to: Vec<&str> = it
                .recipients
                .iter()
                .map(|it| it.local_part().unwrap())
                .collect();
            format!("{} {}", it.message.method(), to.join(" "))
        })
        .collect()
}

fn now_stamped(text: &str) -> String {
    text.replace("20261201T100000Z", "20270101T000000Z")
}

/// A command has the object from a file that was written before anybody had answered.
#[test]
fn an_answer_that_a_command_says_nothing_of_is_kept() {
    const BOBS: &str = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:b";
    let noted = ";X-CONVOKE-REPLY-SEQUENCE=1;X-CONVOKE-REPLY-DTSTAMP=20261201T110000Z:mailto:b";
    let answered = MEETING.replace(BOBS, &BOBS.replace(":mailto:b", noted));
    let file = MEETING.replace("Plan", "Plan B");
    let says = |line: &str| {
        let edited = edited(ALICE, &answered, &file.replace(BOBS, line));
        let text = String::from_utf8(edited.outgoing[0].message.calendar().write()).unwrap();
        text.contains(BOBS)
    };
    assert!(says("ATTENDEE:mailto:b"));
    assert!(!says("ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:b"));
    // Another time is asked for anew.
    let moved = file.replace(BOBS, "ATTENDEE:mailto:b").replace("T1", "T2");
    let moved = edited(ALICE, &answered, &moved);
    let text = String::from_utf8(moved.outgoing[0].message.calendar().write()).unwrap();
    assert!(!text.contains(BOBS), "{text}");
}

#[test]
fn personal_changes_send_nothing() {
    let alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:PT0S\nEND:VALARM\nEND:VEVENT";
    for after in [
        MEETING.to_owned(),
        MEETING.replace("END:VEVENT", alarm),
        MEETING.replace(
            "SUMMARY",
            "TRANSP:TRANSPARENT\nCATEGORIES:Mine\nX-MINE:1\nSUMMARY",
        ),
        MEETING.replace("20261201", "20261202"),
        MEETING.replace("c@", "C@"),
    ] {
        let edited = edited(ALICE, MEETING, &after);
        assert_eq!(letters(&edited), [""; 0], "{after}");
    }
    assert_eq!(edited(ALICE, MEETING, MEETING).store, Change::None);
}

#[test]
fn a_new_meeting_goes_to_everybody_but_its_organizer() {
    let edited = edited(ALICE, "", MEETING);
    assert_eq!(letters(&edited), ["REQUEST b c"]);
    assert_outgoing(
        &edited.outgoing[0],
        "mailto:b@example.com mailto:c@example.com",
        "REQUEST",
        &now_stamped(MEETING),
    );
    assert_stored(&edited, MEETING);
}

#[test]
fn an_update_keeps_the_sequence_and_a_reschedule_counts_it_up_and_asks_anew() {
    let edited_summary = MEETING.replace("Plan", "Plan B");
    let update = edited(ALICE, MEETING, &edited_summary);
    assert_eq!(letters(&update), ["REQUEST b c"]);
    assert_stored(&update, &now_stamped(&edited_summary));

    let moved = MEETING.replace("T110000Z", "T120000Z");
    let reschedule = edited(ALICE, MEETING, &moved);
    let asked = now_stamped(&moved)
        .replace("SEQUENCE:1", "SEQUENCE:2")
        .replace("ACCEPTED:mailto:b", "NEEDS-ACTION:mailto:b")
        .replace(
            "ATTENDEE:mailto:c",
            "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:c",
        );
    assert_eq!(letters(&reschedule), ["REQUEST b c"]);
    assert_stored(&reschedule, &asked);
}

#[test]
fn added_attendees_get_a_request_and_removed_ones_a_cancel() {
    let after = MEETING.replace("mailto:c@example.com", "mailto:d@example.com");
    let edited = edited(ALICE, MEETING, &after);
    assert_eq!(letters(&edited), ["CANCEL c", "REQUEST b d"]);
    assert_outgoing(
        &edited.outgoing[0],
        CARL,
        "CANCEL",
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:2\nDTSTART:20270104T100000Z
         DTEND:20270104T110000Z\nSUMMARY:Plan\nORGANIZER:mailto:a@example.com\nATTENDEE:mailto:c@example.com\nEND:VEVENT",
    );
}

#[test]
fn a_removed_meeting_is_cancelled_for_all() {
    let gone = edited(ALICE, MEETING, "");
    assert_eq!(gone.store, Change::Remove);
    assert_eq!(letters(&gone), ["CANCEL b c"]);
    let cancelled = edited(
        ALICE,
        MEETING,
        &MEETING.replace("SUMMARY", "STATUS:CANCELLED\nSUMMARY"),
    );
    assert_eq!(letters(&cancelled), ["CANCEL b c"]);
    assert_outgoing(
        &cancelled.outgoing[0],
        "mailto:b@example.com mailto:c@example.com",
        "CANCEL",
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:2\nDTSTART:20270104T100000Z
         DTEND:20270104T110000Z\nSUMMARY:Plan\nORGANIZER:mailto:a@example.com\nSTATUS:CANCELLED
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com
         ATTENDEE:mailto:c@example.com\nEND:VEVENT",
    );
}

#[test]
fn one_instance_may_have_other_guests() {
    let instance = |guests: &str| {
        format!(
            "{MEETING}\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1
             RECURRENCE-ID:20270111T100000Z\nDTSTART:20270111T100000Z\nDTEND:20270111T110000Z
             SUMMARY:Plan\nORGANIZER:mailto:a@example.com
             ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com{guests}\nEND:VEVENT"
        )
    };
    let without_carl = "\nATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com";
    let edited_once = edited(ALICE, MEETING, &instance(without_carl));
    assert_eq!(letters(&edited_once), ["CANCEL c", "REQUEST b"]);
    assert_outgoing(
        &edited_once.outgoing[0],
        CARL,
        "CANCEL",
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:2\nDTSTART:20270111T100000Z
         DTEND:20270111T110000Z\nRECURRENCE-ID:20270111T100000Z\nSUMMARY:Plan
         ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:c@example.com\nEND:VEVENT",
    );
    let with_dora =
        format!("{without_carl}\nATTENDEE:mailto:c@example.com\nATTENDEE:mailto:d@example.com");
    let edited_more = edited(ALICE, MEETING, &instance(&with_dora));
    assert_eq!(letters(&edited_more), ["REQUEST b c", "REQUEST d"]);
    let only_dora = edited_more.outgoing[1]
        .message
        .calendar()
        .main_components()
        .count();
    assert_eq!(only_dora, 1, "who comes once is not told of the series");
}

#[test]
fn an_attendee_removed_from_the_series_may_keep_one_instance() {
    let without = MEETING.replace("    ATTENDEE:mailto:c@example.com\n", "");
    let instance = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1
        RECURRENCE-ID:20270111T100000Z\nDTSTART:20270111T100000Z\nDTEND:20270111T110000Z
        SUMMARY:Plan\nORGANIZER:mailto:a@example.com\nATTENDEE:mailto:c@example.com\nEND:VEVENT";
    let edited = edited(ALICE, MEETING, &format!("{without}\n{instance}"));
    // Bob leaves the instance.
    assert_eq!(
        letters(&edited),
        ["CANCEL b", "CANCEL c", "REQUEST b", "REQUEST c"]
    );
    // Carl's copy after both
    let addresses = [address(CARL)];
    let mut copy = calendar(MEETING);
    for outgoing in [&edited.outgoing[1], &edited.outgoing[3]] {
        let at = Receiving {
            owner: &owner(&addresses),
            originator: &outgoing.originator,
            from: Provenance::Peer { proven: &[] },
            now: now(),
            accept_uninvited: false,
        };
        let Change::Store(next) = receive(&outgoing.message, Some(&copy), &at).change else {
            panic!("{} changes nothing", outgoing.message.method());
        };
        copy = next;
    }
    let cancelled: Vec<bool> = copy
        .main_components()
        .map(|it| it.value("STATUS") == Some("CANCELLED"))
        .collect();
    assert_eq!(
        cancelled,
        [true, false],
        "the series is off, the instance is on"
    );
}

#[test]
fn schedule_agent_and_force_send_decide_who_gets_messages() {
    let by_client = MEETING.replace(
        "ATTENDEE:mailto:c",
        "ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:c",
    );
    assert_eq!(letters(&edited(ALICE, "", &by_client)), ["REQUEST b"]);
    // RFC 6638 §3.2.1.2: who was served until now is told.
    assert_eq!(letters(&edited(ALICE, MEETING, &by_client)), ["CANCEL c"]);
    let forced = MEETING.replace(
        "ATTENDEE:mailto:c",
        "ATTENDEE;SCHEDULE-FORCE-SEND=REQUEST:mailto:c",
    );
    let edited = edited(ALICE, MEETING, &forced);
    assert_eq!(letters(&edited), ["REQUEST c"]);
    assert_eq!(edited.store, Change::None, "the force is spent");
}

#[test]
fn an_attendees_answer_goes_to_the_organizer_and_its_alarms_do_not() {
    let alarm = MEETING.replace(
        "END:VEVENT",
        "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:PT0S\nEND:VALARM\nEND:VEVENT",
    );
    assert_eq!(letters(&edited(BOB, MEETING, &alarm)), [""; 0]);
    let declined = MEETING.replace("ACCEPTED:mailto:b", "DECLINED:mailto:b");
    let edited_answer = edited(BOB, MEETING, &declined);
    assert_stored(&edited_answer, &declined);
    assert_outgoing(
        &edited_answer.outgoing[0],
        ALICE,
        "REPLY",
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:1\nDTSTART:20270104T100000Z
         SUMMARY:Plan\nORGANIZER:mailto:a@example.com
         ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com\nEND:VEVENT",
    );
    // A client, or nobody, does it.
    let by_client = |text: &str| text.replace("ORGANIZER:", "ORGANIZER;SCHEDULE-AGENT=CLIENT:");
    assert_eq!(
        letters(&edited(BOB, &by_client(MEETING), &by_client(&declined))),
        [""; 0]
    );
}

#[test]
fn an_attendee_declines_what_it_removes() {
    let gone = edited(BOB, MEETING, "");
    assert_eq!(
        (letters(&gone), &gone.store),
        (vec!["REPLY a".to_owned()], &Change::Remove)
    );
    let left_out = edited(
        BOB,
        MEETING,
        &MEETING.replace("SUMMARY", "EXDATE:20270111T100000Z\nSUMMARY"),
    );
    assert_outgoing(
        &left_out.outgoing[0],
        ALICE,
        "REPLY",
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:1\nDTSTART:20270111T100000Z
         RECURRENCE-ID:20270111T100000Z\nSUMMARY:Plan\nORGANIZER:mailto:a@example.com
         ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com\nEND:VEVENT",
    );
}

#[test]
fn what_is_cancelled_or_declined_already_needs_no_answer() {
    let off = MEETING.replace("SUMMARY", "STATUS:CANCELLED\nSUMMARY");
    let answered = off.replace("ACCEPTED:mailto:b", "DECLINED:mailto:b");
    assert_eq!(letters(&edited(BOB, &off, &answered)), [""; 0]);
    let exception = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1
        RECURRENCE-ID:20270111T100000Z\nDTSTART:20270111T100000Z\nSUMMARY:Plan
        ORGANIZER:mailto:a@example.com\nATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com\nEND:VEVENT";
    let left_out = MEETING.replace("SUMMARY", "EXDATE:20270111T100000Z\nSUMMARY");
    let removed = edited(BOB, &format!("{MEETING}\n{exception}"), &left_out);
    assert_eq!(letters(&removed), [""; 0]);
}

#[test]
fn a_meeting_made_private_is_called_off() {
    let plain =
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nDTSTART:20270104T100000Z\nEND:VEVENT";
    let private = edited(ALICE, MEETING, plain);
    assert_eq!(letters(&private), ["CANCEL b c"]);
    assert_stored(&private, plain);
}

/// RFC 6638 §3.2.2.1
#[test]
fn an_attendee_changes_nothing_that_is_the_organizers() {
    let edit_by_bob = |after: &str| {
        let own = [address(BOB)];
        edit(
            Some(&calendar(MEETING)),
            Some(&calendar(after)),
            &owner(&own),
            now(),
        )
    };
    for (name, after) in [
        (
            "DTSTART",
            MEETING.replace("20270104T100000Z", "20270104T103000Z"),
        ),
        ("DTEND", MEETING.replace("T110000Z", "T120000Z")),
        ("RRULE", MEETING.replace("WEEKLY", "DAILY")),
        ("SUMMARY", MEETING.replace("Plan", "Plan B")),
        (
            "LOCATION",
            MEETING.replace("SUMMARY", "LOCATION:Here\nSUMMARY"),
        ),
        (
            "STATUS",
            MEETING.replace("SUMMARY", "STATUS:CANCELLED\nSUMMARY"),
        ),
        (
            "ORGANIZER",
            MEETING.replace("ORGANIZER:mailto:a@", "ORGANIZER:mailto:b@"),
        ),
        (
            "ORGANIZER",
            MEETING.replace("ORGANIZER:mailto:a@example.com", "X-A:1"),
        ),
        ("ATTENDEE", MEETING.replace("mailto:c@", "mailto:x@")),
        (
            "ATTENDEE",
            MEETING.replace("    ATTENDEE:mailto:c@example.com\n", ""),
        ),
    ] {
        let error = edit_by_bob(&after).unwrap_err().to_string();
        assert!(error.contains(name), "{name}: {error}");
    }
    let own = MEETING
        .replace("SEQUENCE:1", "SEQUENCE:9")
        .replace("20261201", "20261209")
        .replace(
            "SUMMARY",
            "TRANSP:TRANSPARENT\nCATEGORIES:Mine\nX-MINE:1\nSUMMARY",
        )
        .replace("DTEND:20270104T110000Z", "DURATION:PT1H")
        .replace("ACCEPTED:mailto:b", "DECLINED:mailto:b");
    let edited = edit_by_bob(&own).unwrap();
    let kept = own
        .replace("SEQUENCE:9", "SEQUENCE:1")
        .replace("20261209", "20261201");
    assert_stored(&edited, &kept);
    assert_eq!(letters(&edited), ["REPLY a"]);
    let delegated = MEETING.replace(
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com",
        "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:e@example.net\":mailto:b@example.com
         ATTENDEE;DELEGATED-FROM=\"mailto:b@example.com\":mailto:e@example.net",
    );
    let edited = edit_by_bob(&delegated).unwrap();
    assert_eq!(letters(&edited), ["REPLY a"]);
    assert_eq!(edited.outgoing[0].message.attendees().len(), 2);
}

#[test]
fn components_of_different_objects_are_refused() {
    let exception = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nRECURRENCE-ID:20270111T100000Z
        DTSTART:20270111T120000Z\nORGANIZER:mailto:a@example.com\nATTENDEE:mailto:c@example.com\nEND:VEVENT";
    for (odd, name) in [
        (exception.replace("UID:1", "UID:2"), "UID"),
        (
            exception.replace("ORGANIZER:mailto:a", "ORGANIZER:mailto:d"),
            "ORGANIZER",
        ),
    ] {
        let odd = calendar(&format!("{MEETING}\n{odd}"));
        let error = edit(None, Some(&odd), &owner(&[address(ALICE)]), now()).unwrap_err();
        let says = format!("VEVENT: all components of a message must have the same {name}");
        assert_eq!(error.to_string(), says);
    }
    let whole = format!("{MEETING}\n{exception}");
    assert_eq!(
        letters(&edited(ALICE, "", &whole)),
        ["REQUEST b", "REQUEST c"]
    );
}

#[test]
fn objects_without_attendees_send_nothing() {
    let plain = "BEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nEND:VEVENT";
    let stored = edited(ALICE, "", plain);
    assert_stored(&stored, plain);
    assert_eq!(letters(&stored), [""; 0]);
    assert_eq!(edited(ALICE, plain, "").store, Change::Remove);
}

#[test]
fn one_more_date_is_added_for_those_who_know_the_series() {
    let date = "RDATE:20270106T100000Z";
    let grown = MEETING.replace("SUMMARY", &format!("{date}\nSUMMARY"));
    let added = edited(ALICE, MEETING, &grown);
    assert_eq!(letters(&added), ["ADD b c"]);
    assert_outgoing(
        &added.outgoing[0],
        "mailto:b@example.com mailto:c@example.com",
        "ADD",
        &now_stamped(MEETING)
            .replace("    RRULE:FREQ=WEEKLY\n", "")
            .replace("SEQUENCE:1", "SEQUENCE:2")
            .replace("20270104", "20270106"),
    );
    // What was answered stays, and so does what is answered to the version before.
    let asked = now_stamped(&grown)
        .replace("SEQUENCE:1", "SEQUENCE:2")
        .replace(
            "ACCEPTED:mailto:b",
            "ACCEPTED;X-CONVOKE-ASKED-SEQUENCE=1:mailto:b",
        )
        .replace(
            "ATTENDEE:mailto:c",
            "ATTENDEE;X-CONVOKE-ASKED-SEQUENCE=1:mailto:c",
        );
    assert_stored(&added, &asked);
    // Whoever is new gets all of it; what was moved with it, or two dates at once, are told as a whole.
    let with_dora = grown.replace("SUMMARY", "ATTENDEE:mailto:d@example.com\nSUMMARY");
    assert_eq!(
        letters(&edited(ALICE, MEETING, &with_dora)),
        ["REQUEST d b c"]
    );
    for more in [
        grown.replace("T110000Z", "T120000Z"),
        grown.replace(date, &format!("{date},20270107T100000Z")),
        grown.replace("Plan", "Plan B"),
    ] {
        assert_eq!(letters(&edited(ALICE, MEETING, &more)), ["REQUEST b c"]);
    }
    // A date that is taken away again
    assert_eq!(letters(&edited(ALICE, &grown, MEETING)), ["REQUEST b c"]);
}

#[test]
fn an_added_date_may_have_words_of_its_own() {
    let instance = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1
        RECURRENCE-ID:20270106T100000Z\nDTSTART:20270106T100000Z\nDTEND:20270106T110000Z
        SUMMARY:Extra\nORGANIZER:mailto:a@example.com
        ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com\nEND:VEVENT";
    let grown = MEETING.replace("SUMMARY", "RDATE:20270106T100000Z\nSUMMARY");
    let added = edited(ALICE, MEETING, &format!("{grown}\n{instance}"));
    // Carl knows the series, but is not invited to the new instance.
    assert_eq!(letters(&added), ["ADD b"]);
    assert_outgoing(
        &added.outgoing[0],
        BOB,
        "ADD",
        &now_stamped(instance)
            .replace("        RECURRENCE-ID:20270106T100000Z\n", "")
            .replace("SEQUENCE:1", "SEQUENCE:2"),
    );
}

#[test]
fn the_same_time_in_other_words_sends_nothing() {
    for after in [
        MEETING.replace("DTEND:20270104T110000Z", "DURATION:PT1H"),
        MEETING.replace("FREQ=WEEKLY", "INTERVAL=1;FREQ=WEEKLY"),
        MEETING.replace("SUMMARY", "STATUS:CONFIRMED\nSUMMARY"),
    ] {
        let edited = edited(ALICE, MEETING, &after);
        assert!(
            edited.outgoing.iter().all(|it| it.message.sequence() == 1),
            "{after}"
        );
    }
    let shorter = MEETING.replace("DTEND:20270104T110000Z", "DURATION:PT1H");
    assert_eq!(letters(&edited(ALICE, MEETING, &shorter)), [""; 0]);
}

/// What a program has made of the SEQUENCE of a part that did not change is told to nobody, and answers to it would be late.
#[test]
fn a_part_that_did_not_change_stays_at_its_version() {
    let off = MEETING
        .replace("RRULE:FREQ=WEEKLY", "RECURRENCE-ID:20270111T100000Z")
        .replace("SUMMARY", "STATUS:CANCELLED\nSUMMARY")
        .replace("20270104", "20270111");
    let counted = |it: &str| it.replace("SEQUENCE:1", "SEQUENCE:2");
    let edited = edited(ALICE, MEETING, &counted(&format!("{MEETING}{off}")));
    assert_eq!(letters(&edited), ["CANCEL b c"]);
    let Change::Store(stored) = &edited.store else {
        panic!("{:?}", edited.store)
    };
    let versions = stored.main_components().map(|it| it.value("SEQUENCE"));
    assert_eq!(versions.collect::<Vec<_>>(), [Some("1"), Some("2")]);
}

/// To others the message would be older than what they were told last.
#[test]
fn a_clock_that_was_set_back_makes_no_message_older() {
    let stamped =
        |minutes: u8| MEETING.replace("20261201T1000", &format!("20270101T00{minutes:02}"));
    for (told, says) in [(3, "20270101T000300Z"), (20, "20270101T000000Z")] {
        let after = stamped(told).replace("Plan", "Better plan");
        let edited = edited(ALICE, &stamped(told), &after);
        let message = edited.outgoing[0].message.calendar();
        let stamp = message.main_components().find_map(|it| it.value("DTSTAMP"));
        assert_eq!(stamp, Some(says));
    }
}
