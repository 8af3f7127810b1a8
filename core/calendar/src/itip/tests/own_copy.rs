//! The originator's own copy after it has sent a message, and replies composed for an attendee.

use super::{ALICE, BOB, address, assert_outgoing, assert_same, calendar, now, owner};
use crate::itip::{
    Change, PartStat, ReplyError, addressees, compose_reply, for_sending, update_own_copy,
};
use crate::message::Message;

fn message(method: &str, components: &str) -> Message {
    Message::read(calendar(&format!("METHOD:{method}\n{components}"))).unwrap()
}

fn sends(who: &str, method: &str, components: &str, existing: &str) -> Change {
    let existing = (!existing.is_empty()).then(|| calendar(existing));
    update_own_copy(
        &message(method, components),
        existing.as_ref(),
        &owner(&[address(who)]),
        now(),
    )
}

#[track_caller]
fn assert_stored(change: Change, expected: &str) {
    let Change::Store(stored) = change else {
        panic!("nothing is stored")
    };
    assert_same(&stored, &calendar(expected));
}

const SERIES: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:1
    DTSTART:20270104T100000Z
    DTEND:20270104T110000Z
    RRULE:FREQ=WEEKLY
    SUMMARY:Plan
    ORGANIZER;SCHEDULE-STATUS=1.2:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED;X-CONVOKE-REPLY-SEQUENCE=1:mailto:b@example.com
    ATTENDEE;RSVP=TRUE:mailto:c@example.com
    BEGIN:VALARM
    ACTION:DISPLAY
    TRIGGER:-PT10M
    END:VALARM
    END:VEVENT";

#[test]
fn an_organizers_copy_begins_with_its_invitation_and_follows_it() {
    let request = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:1
        DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nRRULE:FREQ=WEEKLY\nSUMMARY:New
        ORGANIZER:mailto:a@example.com\nATTENDEE;RSVP=TRUE:mailto:b@example.com\nEND:VEVENT";
    assert_stored(sends(ALICE, "REQUEST", request, ""), request);
    // What was answered stays, and so do the alarms.
    assert_stored(
        sends(ALICE, "REQUEST", request, SERIES),
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:1
         DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nRRULE:FREQ=WEEKLY\nSUMMARY:New
         ORGANIZER;SCHEDULE-STATUS=1.2:mailto:a@example.com
         ATTENDEE;RSVP=TRUE;PARTSTAT=ACCEPTED;X-CONVOKE-REPLY-SEQUENCE=1:mailto:b@example.com
         BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nEND:VALARM\nEND:VEVENT",
    );
    // Who is not the organizer of what is stored changes nothing by saying so.
    let foreign = SERIES.replace("1.2:mailto:a@", "1.2:mailto:z@");
    assert_eq!(sends(ALICE, "REQUEST", request, &foreign), Change::None);
}

#[test]
fn an_organizers_copy_drops_whom_it_uninvites() {
    let notice = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2
        ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:c@example.com\nEND:VEVENT";
    let without = SERIES
        .replace("20261201", "20261202")
        .replace("SEQUENCE:1\n", "SEQUENCE:2\n")
        .replace("    ATTENDEE;RSVP=TRUE:mailto:c@example.com\n", "");
    assert_stored(sends(ALICE, "CANCEL", notice, SERIES), &without);
}

#[test]
fn an_answer_says_who_how_and_to_what() {
    let exception = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:2
        RECURRENCE-ID:20270111T100000Z\nDTSTART:20270112T100000Z\nSUMMARY:Moved
        ORGANIZER:mailto:a@example.com\nATTENDEE;RSVP=TRUE:mailto:c@example.com\nEND:VEVENT
        BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:2
        RECURRENCE-ID:20270118T100000Z\nDTSTART:20270118T100000Z\nSTATUS:CANCELLED
        ORGANIZER:mailto:a@example.com\nATTENDEE;RSVP=TRUE:mailto:c@example.com\nEND:VEVENT
        BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:2
        RECURRENCE-ID:20270125T100000Z\nDTSTART:20270125T100000Z
        ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    let existing = format!("{SERIES}\n{exception}");
    let carl = [address("mailto:C@example.com")];
    let outgoing = compose_reply(
        &calendar(&existing),
        &owner(&carl),
        PartStat::Declined,
        now(),
    );
    let [outgoing] = <[_; 1]>::try_from(outgoing.unwrap()).unwrap();
    let said = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:1\nDTSTART:20270104T100000Z
        SUMMARY:Plan\nORGANIZER:mailto:a@example.com
        ATTENDEE;PARTSTAT=DECLINED:mailto:c@example.com\nEND:VEVENT
        BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:2\nDTSTART:20270112T100000Z
        RECURRENCE-ID:20270111T100000Z\nSUMMARY:Moved\nORGANIZER:mailto:a@example.com
        ATTENDEE;PARTSTAT=DECLINED:mailto:c@example.com\nEND:VEVENT";
    assert_outgoing(&outgoing, ALICE, "REPLY", said);
    assert_stored(
        sends("mailto:c@example.com", "REPLY", said, &existing),
        &existing.replacen(
            "ATTENDEE;RSVP=TRUE:mailto:c@",
            "ATTENDEE;PARTSTAT=DECLINED:mailto:c@",
            2,
        ),
    );
}

#[test]
fn refused_replies_give_a_reason() {
    let refused = |who: &str, existing: &str, answer: PartStat| {
        compose_reply(&calendar(existing), &owner(&[address(who)]), answer, now()).unwrap_err()
    };
    let plain = "BEGIN:VEVENT\nUID:1\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    let cancelled = SERIES.replace("SUMMARY:Plan", "STATUS:CANCELLED");
    let journal = "BEGIN:VJOURNAL\nUID:1\nEND:VJOURNAL";
    let accepted = PartStat::Accepted;
    assert_eq!(refused(ALICE, SERIES, accepted), ReplyError::OwnInvitation);
    assert_eq!(
        refused("mailto:x@example.com", SERIES, accepted),
        ReplyError::NotInvited
    );
    assert_eq!(refused(BOB, plain, accepted), ReplyError::NoOrganizer);
    assert_eq!(refused(BOB, &cancelled, accepted), ReplyError::Cancelled);
    assert_eq!(refused(BOB, journal, accepted), ReplyError::NotSchedulable);
    let completed = PartStat::Completed;
    assert_eq!(
        refused(BOB, SERIES, completed),
        ReplyError::NotAnAnswer(completed)
    );
}

#[test]
fn personal_properties_are_not_sent() {
    let message = message("REQUEST", SERIES);
    let clean = SERIES
        .replace(";SCHEDULE-STATUS=1.2", "")
        .replace(";X-CONVOKE-REPLY-SEQUENCE=1", "");
    let (clean, _alarm) = clean.split_once("BEGIN:VALARM").unwrap();
    let clean = format!("{clean}END:VEVENT");
    let expected = calendar(&format!("METHOD:REQUEST\n{clean}"));
    assert_same(for_sending(&message, None).calendar(), &expected);
}

#[test]
fn a_message_is_for_whom_its_method_addresses() {
    let lines = "UID:1\nDTSTAMP:20261202T100000Z\nDTSTART:20270104T100000Z\nDTEND:20270104T110000Z
        ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:a@example.com\nATTENDEE:mailto:b@example.com
        ATTENDEE;SCHEDULE-AGENT=NONE:mailto:c@example.com";
    for (method, kind, from, to) in [
        ("REQUEST", "VEVENT", ALICE, "b@example.com"),
        ("CANCEL", "VEVENT", ALICE, "b@example.com"),
        ("REPLY", "VEVENT", BOB, "a@example.com"),
        ("COUNTER", "VEVENT", BOB, "a@example.com"),
        (
            "REQUEST",
            "VFREEBUSY",
            ALICE,
            "a@example.com b@example.com c@example.com",
        ),
    ] {
        let message = message(method, &format!("BEGIN:{kind}\n{lines}\nEND:{kind}"));
        let found = addressees(&message, &address(from));
        let found: Vec<&str> = found
            .iter()
            .map(convoke_types::CalendarAddress::human)
            .collect();
        assert_eq!(found.join(" "), to, "{method} of {kind}");
    }
}

/// Until its organizer knows, what it says of the answer is what it was.
#[test]
fn an_answer_that_is_taken_back_by_a_message_is_remembered() {
    let line = "ATTENDEE;PARTSTAT=ACCEPTED;X-CONVOKE-REPLY-SEQUENCE=1:mailto:b@example.com";
    let reply = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:1
        ORGANIZER:mailto:a@example.com
        ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:b@example.com\nEND:VEVENT";
    let copy = |own: &str| SERIES.replace(line, &format!("ATTENDEE;{own}:mailto:b@example.com"));
    let taken_back = copy("PARTSTAT=NEEDS-ACTION;X-CONVOKE-TAKEN-BACK=TRUE");
    assert_stored(
        sends(BOB, "REPLY", reply, &copy("PARTSTAT=ACCEPTED")),
        &taken_back,
    );
    let accepts = reply.replace("NEEDS-ACTION", "ACCEPTED");
    assert_stored(
        sends(BOB, "REPLY", &accepts, &taken_back),
        &copy("PARTSTAT=ACCEPTED"),
    );
}
