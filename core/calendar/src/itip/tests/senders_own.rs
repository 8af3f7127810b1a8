//! What organizers keep for themselves goes into no guest's calendar, though it was sent.

use super::{ALICE, apply, assert_same, calendar, now, owner};
use crate::itip::{Change, update_own_copy};
use crate::message::Message;

/// What a sender keeps to itself, and sends all the same: a line each, or a component.
const SENDERS: [&str; 10] = [
    "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Wake up\nTRIGGER:-PT10M\nEND:VALARM",
    "BEGIN:VALARM\nACTION:AUDIO\nATTACH;FMTTYPE=audio/basic:https://evil.example/ring.au\nTRIGGER:PT0S\nEND:VALARM",
    "BEGIN:VALARM\nACTION:EMAIL\nATTENDEE:mailto:victim@example.net\nSUMMARY:Buy\nDESCRIPTION:Now\nTRIGGER:-PT1H\nREPEAT:9\nDURATION:PT1M\nEND:VALARM",
    "COLOR:red",
    "X-MOZ-LASTACK:20270104T094500Z",
    "X-MOZ-SNOOZE-TIME-1609750800000000:20270104T095000Z",
    "X-APPLE-TRAVEL-START;X-ADDRESS=Home;X-APPLE-RADIUS=10;X-TITLE=Home:geo:52.5,13.4",
    "X-CALENDARSERVER-PRIVATE-COMMENT:I will be late",
    "X-LIC-ERROR;X-LIC-ERRORTYPE=VALUE-PARSE-ERROR:No value for DESCRIPTION property",
    "ATTACH:file://evil.example/share/agenda.pdf",
];

/// What a guest makes of it.
const GUESTS: &str = "COLOR:blue\nX-MOZ-LASTACK:20270103T094500Z
    BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Mine\nTRIGGER:-PT30M\nEND:VALARM";

fn meeting(sequence: u8, extra: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:2026120{sequence}T100000Z\nSEQUENCE:{sequence}\nDTSTART:20270104T100000Z
         DTEND:20270104T110000Z\nRRULE:FREQ=WEEKLY\nSUMMARY:Plan {sequence}\nORGANIZER:mailto:a@example.com
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com\nCATEGORIES:Work\nTRANSP:OPAQUE\n{extra}\nEND:VEVENT"
    )
}

fn instance(sequence: u8, extra: &str) -> String {
    meeting(sequence, extra)
        .replace(
            "DTSTART:20270104",
            "RECURRENCE-ID:20270111T100000Z\nDTSTART:20270112",
        )
        .replace("DTEND:20270104", "DTEND:20270112")
        .replace("RRULE:FREQ=WEEKLY\n", "")
}

#[test]
fn no_alarm_or_colour_of_the_sender_comes_with_an_invitation() {
    for own in SENDERS {
        apply("REQUEST", &meeting(1, own)).gives(&meeting(1, ""));
        apply("REQUEST", &instance(1, own)).gives(&instance(1, ""));
        let both = |own| format!("{}\n{}", meeting(1, own), instance(1, own));
        apply("REQUEST", &both(own)).gives(&both(""));
    }
}

#[test]
fn nor_with_an_update_which_leaves_the_guests_own() {
    for own in SENDERS {
        // To a guest who has set nothing, and to one who has.
        for mine in ["", GUESTS] {
            apply("REQUEST", &meeting(2, own))
                .to(&meeting(1, mine))
                .gives(&meeting(2, mine))
                .then("REQUEST", &instance(3, own))
                .gives(&format!("{}\n{}", meeting(2, mine), instance(3, mine)));
        }
    }
}

#[test]
fn nor_with_an_instance_that_is_added() {
    for own in SENDERS {
        let added = |id: &str, extra: &str| {
            meeting(2, extra)
                .replace("DTSTART:20270104T10", &format!("{id}DTSTART:20270119T15"))
                .replace("DTEND:20270104T11", "DTEND:20270119T16")
                .replace("RRULE:FREQ=WEEKLY\n", "")
        };
        let grown = |mine: &str| {
            meeting(1, mine)
                .replace("20261201", "20261202")
                .replace("SEQUENCE:1", "SEQUENCE:2\nRDATE:20270119T150000Z")
        };
        for mine in ["", GUESTS] {
            apply("ADD", &added("", own))
                .to(&meeting(1, mine))
                .gives(&format!(
                    "{}\n{}",
                    grown(mine),
                    added("RECURRENCE-ID:20270119T150000Z\n", mine)
                ));
        }
    }
}

#[test]
fn nor_does_what_describes_the_senders_calendar() {
    let of_calendar = "NAME:Alice\nCOLOR:red\nSOURCE;VALUE=URI:https://evil.example/a.ics
        REFRESH-INTERVAL;VALUE=DURATION:PT1H\nX-WR-CALNAME:Alice\nX-PUBLISHED-TTL:PT1H\n";
    apply("REQUEST", &format!("{of_calendar}{}", meeting(1, ""))).gives(&meeting(1, ""));
    // What the guest's own program has written there stays.
    apply("REQUEST", &format!("{of_calendar}{}", meeting(2, "")))
        .to(&format!("X-WR-CALNAME:Bob\n{}", meeting(1, "")))
        .gives(&format!("X-WR-CALNAME:Bob\n{}", meeting(2, "")));
}

#[test]
fn the_organizers_own_copy_keeps_what_it_hands_in() {
    for own in SENDERS {
        let message = calendar(&format!("METHOD:REQUEST\n{}", meeting(1, own)));
        let message = Message::read(message).unwrap();
        let addresses = [super::address(ALICE)];
        let kept = update_own_copy(&message, None, &owner(&addresses), now());
        let Change::Store(kept) = kept else {
            panic!("the organizer has nothing: {own}")
        };
        assert_same(&kept, &calendar(&meeting(1, own)));
    }
}
