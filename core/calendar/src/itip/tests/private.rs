//! What is one person's own: it neither leaves, nor is it lost.

use super::{ALICE, BOB, address, apply, assert_same, calendar, now, owner};
use crate::itip::{Change, PartStat, compose_reply, edit, for_sending, update_own_copy};
use crate::message::Message;
use crate::tree::Calendar;

/// What programs and servers write into the owner's copy, a line each or a component.
const PRIVATE: &str = "X-CALENDARSERVER-PRIVATE-COMMENT:I will be late
    X-CALENDARSERVER-ATTENDEE-COMMENT;X-CALENDARSERVER-ATTENDEE-REF=\"mailto:c@example.com\":Not again
    X-APPLE-TRAVEL-START;X-ADDRESS=Home;X-APPLE-RADIUS=10;X-TITLE=Home:geo:52.5,13.4
    X-APPLE-TRAVEL-DURATION;VALUE=DURATION:PT45M
    X-MOZ-SNOOZE-TIME:20270104T095000Z
    X-MOZ-SNOOZE-TIME-1609750800000000:20270104T095000Z
    X-MOZ-LASTACK:20270104T094500Z
    X-MOZ-GENERATION:4
    X-MICROSOFT-CDO-BUSYSTATUS:OOF
    X-LIC-ERROR;X-LIC-ERRORTYPE=VALUE-PARSE-ERROR:No value for DESCRIPTION property
    x-odd:1
    CATEGORIES:Job hunt
    COLOR:red
    ATTACH:file:///home/anna/offer.pdf
    COMMENT;X-CONVOKE-FROM=\"mailto:c@example.com\":Must I?
    BEGIN:VALARM
    ACTION:DISPLAY
    TRIGGER:-PT10M
    END:VALARM
    BEGIN:X-NOTES
    X-TEXT:mine
    END:X-NOTES
    ";

/// What describes the meeting to everybody.
const SHARED: &str = "X-ALT-DESC;FMTTYPE=text/html:<b>Plan</b>
    X-GOOGLE-CONFERENCE:https://meet.example.com/abc
    X-MICROSOFT-SKYPETEAMSMEETINGURL:https://teams.example.com/abc
    X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-APPLE-RADIUS=70;X-TITLE=Office:geo:52.5,13.5
    CONFERENCE;VALUE=URI:tel:+49301234
    TRANSP:TRANSPARENT
    ATTACH:https://files.example.com/agenda.pdf
    COMMENT:Bring paper
    BEGIN:VLOCATION
    UID:place
    NAME:Office
    END:VLOCATION
    ";

/// Parameters that are of one server's copy, in this order.
const NOTED: &str = ";SCHEDULE-AGENT=SERVER;SCHEDULE-STATUS=2.0;X-CONVOKE-REPLY-SEQUENCE=1\
                     ;X-CALENDARSERVER-DTSTAMP=20270101T000000Z";

fn meeting(extra: &str, noted: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:1\nDTSTART:20270104T100000Z\nDTEND:20270104T110000Z
         RRULE:FREQ=WEEKLY\nSUMMARY:Plan\nORGANIZER:mailto:a@example.com
         ATTENDEE;X-NUM-GUESTS=2{noted}:mailto:b@example.com\nATTENDEE:mailto:c@example.com\n{extra}
         END:VEVENT"
    )
}

/// The series, and one of its instances, alike.
fn with_instance(extra: &str, noted: &str) -> String {
    let series = meeting(extra, noted);
    let instance = series.replace(
        "RRULE:FREQ=WEEKLY",
        "RECURRENCE-ID:20270111T100000Z\nLOCATION:Garden",
    );
    format!("{series}\n{instance}")
}

fn whole(inside: &str) -> String {
    format!(
        "X-WR-CALNAME:Anna's job hunt\nNAME:Anna's job hunt\n{inside}\nBEGIN:X-NOTES\nX-A:1\nEND:X-NOTES"
    )
}

#[test]
fn a_new_meeting_takes_nothing_private_along() {
    let full = with_instance(&format!("{SHARED}{PRIVATE}"), NOTED);
    let edited = edit(
        None,
        Some(&calendar(&whole(&full))),
        &owner(&[address(ALICE)]),
        now(),
    )
    .unwrap();
    let clean = with_instance(SHARED, "");
    let [told] = edited.outgoing.as_slice() else {
        panic!("{:?}", edited.outgoing)
    };
    assert_same(
        told.message.calendar(),
        &calendar(&format!("METHOD:REQUEST\n{clean}")),
    );
    let Change::Store(stored) = edited.store else {
        panic!("it is stored")
    };
    assert_same(&stored, &calendar(&whole(&full)));
    // Nor does the own copy lose any of it when it follows what was sent.
    let Change::None = update_own_copy(
        &told.message,
        Some(&stored),
        &owner(&[address(ALICE)]),
        now(),
    ) else {
        panic!("nothing is new")
    };
}

#[test]
fn a_message_that_is_handed_in_takes_nothing_private_along() {
    for (method, status) in [("REQUEST", ""), ("CANCEL", "STATUS:CANCELLED\n")] {
        let shared = format!("{status}{SHARED}");
        // A CANCEL may hold no alarm.
        let private = PRIVATE
            .replace("BEGIN:VALARM", "BEGIN:X-ALARM")
            .replace("END:VALARM", "END:X-ALARM");
        let full = whole(&with_instance(&format!("{shared}{private}"), NOTED));
        let message = Message::read(calendar(&format!("METHOD:{method}\n{full}"))).unwrap();
        let expected = format!("METHOD:{method}\n{}", with_instance(&shared, ""));
        assert_same(for_sending(&message, None).calendar(), &calendar(&expected));
        // The sender's own copy keeps what it had.
        let existing = calendar(&with_instance(&format!("{SHARED}{PRIVATE}"), NOTED));
        if let Change::Store(stored) =
            update_own_copy(&message, Some(&existing), &owner(&[address(ALICE)]), now())
        {
            let stored = String::from_utf8(stored.write()).unwrap();
            assert!(stored.contains("PRIVATE-COMMENT") && stored.contains("BEGIN:X-NOTES"));
        }
    }
}

#[test]
fn a_private_component_beside_a_meeting_keeps_nobody_from_being_told() {
    let stored = calendar(&format!(
        "BEGIN:X-NOTE\nUID:2\nEND:X-NOTE\n{}",
        meeting(SHARED, "")
    ));
    let edited = edit(None, Some(&stored), &owner(&[address(ALICE)]), now()).unwrap();
    assert_eq!(edited.outgoing.len(), 1);
    let Change::Store(kept) = edited.store else {
        panic!("nothing is stored")
    };
    assert!(kept.root().components.iter().any(|it| it.is("X-NOTE")));
}

#[test]
fn an_attendee_tells_nothing_private_either() {
    let bobs = [address(BOB)];
    let full = meeting(&format!("{SHARED}{PRIVATE}"), NOTED);
    let answers =
        compose_reply(&calendar(&full), &owner(&bobs), PartStat::Accepted, now()).unwrap();
    let said = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:1\nDTSTART:20270104T100000Z\nSUMMARY:Plan
        ORGANIZER:mailto:a@example.com\nATTENDEE;X-NUM-GUESTS=2;PARTSTAT=ACCEPTED:mailto:b@example.com\nEND:VEVENT";
    assert_same(
        answers[0].message.calendar(),
        &calendar(&format!("METHOD:REPLY\n{said}")),
    );
    // How the time counts is one's own, unless one is the organizer.
    let counter = meeting(&format!("{SHARED}{PRIVATE}"), NOTED);
    let message = Message::read(calendar(&format!("METHOD:COUNTER\n{counter}"))).unwrap();
    let expected = meeting(SHARED, "").replace("    TRANSP:TRANSPARENT\n", "");
    assert_same(
        for_sending(&message, None).calendar(),
        &calendar(&format!("METHOD:COUNTER\n{expected}")),
    );
}

#[test]
fn only_changes_of_shared_properties_are_sent() {
    let tells = |before: &str, after: &str| {
        let [before, after] = [before, after].map(calendar);
        let edited = edit(
            Some(&before),
            Some(&after),
            &owner(&[address(ALICE)]),
            now(),
        )
        .unwrap();
        edited.outgoing.len()
    };
    let plain = meeting("", "");
    assert_eq!(tells(&plain, &meeting(PRIVATE, "")), 0);
    assert_eq!(tells(&meeting(PRIVATE, ""), &plain), 0);
    let online = meeting("X-GOOGLE-CONFERENCE:https://meet.example.com/abc", "");
    assert_eq!(tells(&plain, &online), 1);
}

#[test]
fn private_components_survive_an_update() {
    let notes = "BEGIN:X-NOTES\nX-TEXT:mine\nBEGIN:X-INNER\nX-A:1\nEND:X-INNER\nEND:X-NOTES\n";
    let update = |extra: &str| {
        meeting(extra, "")
            .replace("20270101T", "20270102T")
            .replace("Plan", "Plan B")
    };
    apply("REQUEST", &update(""))
        .to(&meeting(&format!("X-MINE:1\n{notes}{notes}"), ""))
        .gives(&update(&format!("X-MINE:1\n{notes}{notes}")));
    // The organizer's of the same name are the organizer's, as X- properties are.
    let theirs = "BEGIN:X-NOTES\nX-TEXT:theirs\nEND:X-NOTES\n";
    apply("REQUEST", &update(theirs))
        .to(&meeting(notes, ""))
        .gives(&update(theirs));
    // In an instance too, and where it is all that makes the instance one.
    let instance =
        meeting(notes, "").replace("RRULE:FREQ=WEEKLY", "RECURRENCE-ID:20270111T100000Z");
    let instance = instance.replace("20270104", "20270111");
    apply("REQUEST", &update(""))
        .to(&format!("{}\n{instance}", meeting("", "")))
        .gives(&format!(
            "{}\n{}",
            update(""),
            instance
                .replace("20270101T", "20270102T")
                .replace("Plan", "Plan B")
                .replace("=2:", "=2;PARTSTAT=NEEDS-ACTION:")
        ));
}

/// A to-do of Bob's.
fn todo(due: &str, stamp: &str, sequence: u32, progress: &str) -> String {
    format!(
        "BEGIN:VTODO\nUID:1\nDTSTAMP:{stamp}\nSEQUENCE:{sequence}\nDTSTART:20270104T100000Z\n{due}\nSUMMARY:Paint
         ORGANIZER:mailto:a@example.com\n{progress}\nEND:VTODO"
    )
}

const OPEN: &str = "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:b@example.com";
const DONE: &str = "ATTENDEE;PARTSTAT=COMPLETED:mailto:b@example.com\nSTATUS:COMPLETED\nPERCENT-COMPLETE:100\n\
                    COMPLETED:20261203T100000Z";
const BEGUN: &str =
    "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:b@example.com\nSTATUS:IN-PROCESS\nPERCENT-COMPLETE:30";
const OLD: &str = "20261201T100000Z";
const NEW: &str = "20261204T100000Z";

#[test]
fn a_to_do_that_is_moved_begins_anew() {
    let due = "DUE:20270108T100000Z";
    for (moved, sequence) in [
        ("DUE:20270109T100000Z", 2),
        ("DUE:20270109T100000Z", 1), // who does not count
        ("DURATION:P5D", 2),
        ("DUE:20270108T100000Z\nRRULE:FREQ=DAILY", 2),
        ("", 2), // it is not due any more
    ] {
        for progress in [DONE, BEGUN] {
            apply("REQUEST", &todo(moved, NEW, sequence, OPEN))
                .to(&todo(due, OLD, 1, progress))
                .gives(&todo(moved, NEW, sequence, OPEN));
        }
    }
    // What is not moved goes on.
    let renamed = |progress: &str| todo(due, NEW, 1, progress).replace("Paint", "Paint it");
    for progress in [DONE, BEGUN] {
        apply("REQUEST", &renamed("ATTENDEE:mailto:b@example.com"))
            .to(&todo(due, OLD, 1, progress))
            .gives(&renamed(&progress.replace(";PARTSTAT=NEEDS-ACTION", "")));
    }
}

#[test]
fn an_organizer_who_moves_a_to_do_asks_anew() {
    let [before, after] = ["DUE:20270108T100000Z", "DUE:20270109T100000Z"]
        .map(|due| calendar(&todo(due, OLD, 1, DONE)));
    let edited = edit(
        Some(&before),
        Some(&after),
        &owner(&[address(ALICE)]),
        now(),
    )
    .unwrap();
    let asked = todo("DUE:20270109T100000Z", "20270101T000000Z", 2, OPEN);
    assert_same(
        edited.outgoing[0].message.calendar(),
        &calendar(&format!("METHOD:REQUEST\n{asked}")),
    );
    // The same by a message of its own.
    let told = todo("DUE:20270109T100000Z", NEW, 2, OPEN);
    let message = Message::read(calendar(&format!("METHOD:REQUEST\n{told}"))).unwrap();
    let stored: Change = update_own_copy(&message, Some(&before), &owner(&[address(ALICE)]), now());
    let Change::Store(stored): Change = stored else {
        panic!("the copy follows")
    };
    let stored: Calendar = stored;
    assert_same(&stored, &calendar(&told));
}

/// A server that keeps attachments has names for them, which mean another file at another server.
#[test]
fn what_a_server_calls_an_attachment_means_nothing_elsewhere() {
    let named = meeting(
        "ATTACH;SIZE=7;MANAGED-ID=97:https://files.example.com/x",
        "",
    );
    let bare = named.replace(";MANAGED-ID=97", "");
    apply("REQUEST", &named).gives(&bare);
    let alice = [address(ALICE)];
    let edited = edit(None, Some(&calendar(&named)), &owner(&alice), now()).unwrap();
    assert_same(
        edited.outgoing[0].message.calendar(),
        &calendar(&format!("METHOD:REQUEST\n{bare}")),
    );
    // The own copy keeps it, also where it follows what was handed in.
    let moved = format!(
        "METHOD:REQUEST\n{}",
        bare.replace("SEQUENCE:1", "SEQUENCE:2")
    );
    let message = Message::read(calendar(&moved)).unwrap();
    let copy = update_own_copy(&message, Some(&calendar(&named)), &owner(&alice), now());
    let Change::Store(copy) = copy else {
        panic!("it counts on")
    };
    let copy = String::from_utf8(copy.write()).unwrap();
    assert!(
        copy.contains("SEQUENCE:2") && copy.contains("MANAGED-ID=97"),
        "{copy}"
    );
}
