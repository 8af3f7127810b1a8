//! Programs of organizers.

use super::super::{ALICE, CARL, address, calendar, now, owner};
use super::{continued, letters, look, look_at, story, written};
use crate::itip::{Change, Receiving, edit, note_delivery, recall, receive};
use crate::message::{Method, Provenance};
use crate::tree::Calendar;
use convoke_types::RequestStatus;
use jiff::SignedDuration;

/// One weekly meeting of Alice's, as it was told.
const TOLD: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:3
    DTSTART:20270104T100000Z
    DTEND:20270104T110000Z
    RRULE:FREQ=WEEKLY
    SUMMARY:Plan
    ORGANIZER;CN=Alice:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com
    ATTENDEE:mailto:c@example.com
    END:VEVENT";

/// One of its meetings by itself.
const INSTANCE: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:3
    RECURRENCE-ID:20270111T100000Z
    DTSTART:20270111T100000Z
    DTEND:20270111T110000Z
    SUMMARY:Plan
    ORGANIZER;CN=Alice:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com
    ATTENDEE:mailto:c@example.com
    END:VEVENT";

const NOW: &str = "DTSTAMP:20270101T000000Z";
const STAMP: &str = "DTSTAMP:20261201T100000Z";

/// Saved by a program that counts at each save.
fn saved(object: &str) -> String {
    object
        .replace("SEQUENCE:3", "SEQUENCE:6")
        .replace(STAMP, "DTSTAMP:20261224T100000Z")
}

fn without_organizer(object: &str) -> String {
    object.replace("    ORGANIZER;CN=Alice:mailto:a@example.com\n", "")
}

fn moved(object: &str) -> String {
    object.replace("T110000Z", "T120000Z")
}

fn asked_anew(object: &str) -> String {
    object
        .replace("ACCEPTED:mailto:b", "NEEDS-ACTION:mailto:b")
        .replace(
            "ATTENDEE:mailto:c",
            "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:c",
        )
}

#[test]
fn who_invites_without_being_named_is_the_organizer() {
    let named = "ORGANIZER;CN=\"Anna, or Bo\":mailto:a@example.com\n    ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@";
    let with = |object: &str| {
        object.replace(
            "ORGANIZER;CN=Alice:mailto:a@example.com\n    ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@",
            named,
        )
    };
    let both = format!("{TOLD}{INSTANCE}");
    story(ALICE, "", &without_organizer(&both))
        .tells(&["REQUEST b c"])
        .becomes(&with(&both));
    // As it was named before.
    story(ALICE, TOLD, &saved(&without_organizer(TOLD)))
        .tells(&[])
        .becomes(&saved(TOLD))
        .remembering(TOLD);
    let half = format!("{TOLD}{}", without_organizer(INSTANCE));
    story(ALICE, &both, &half).tells(&[]).becomes(&both);
    // Nobody else is invited, or not by us.
    let alone = "BEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nATTENDEE:mailto:a@alias.example\nATTENDEE:\nEND:VEVENT";
    story(ALICE, "", alone)
        .tells(&[])
        .stays()
        .remembering(alone);
    let by_client = "BEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:b@example.com\nEND:VEVENT";
    story(ALICE, "", by_client).tells(&[]).stays();
}

/// At the first look nobody was told of them; that stays so until the meeting changes.
#[test]
fn what_was_there_without_an_organizer_is_told_when_it_changes() {
    let found = without_organizer(TOLD);
    let alarm = found.replace(
        "END:VEVENT",
        "BEGIN:VALARM\nTRIGGER:PT0S\nEND:VALARM\nEND:VEVENT",
    );
    story(ALICE, &found, &alarm).tells(&[]);
    story(ALICE, &found, &found.replace("Plan", "Plan B")).tells(&["REQUEST b c"]);
}

#[test]
fn saving_tells_nobody() {
    let alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:PT0S\nEND:VALARM\nEND:VEVENT";
    let own = "TRANSP:TRANSPARENT\nCATEGORIES:Mine\nCOLOR:red\nX-MINE:1\nLAST-MODIFIED:20261224T100000Z\nSUMMARY";
    for after in [
        saved(TOLD),
        TOLD.replace("END:VEVENT", alarm),
        saved(TOLD).replace("SUMMARY", own),
        saved(TOLD).replace("DTEND:20270104T110000Z", "DURATION:PT1H"),
        TOLD.replace("mailto:c@", "MAILTO:C@"),
        TOLD.replace("ATTENDEE:mailto:c", "ATTENDEE;PARTSTAT=DECLINED:mailto:c"),
    ] {
        story(ALICE, TOLD, &after).tells(&[]).stays();
    }
    // What is remembered is what was told.
    story(ALICE, TOLD, &saved(TOLD)).remembering(TOLD);
}

/// Nobody is invited any more. Should what is remembered be lost, who is invited again is told a later version all the same than
/// the one by which it was called off. Found by the simulator.
#[test]
fn a_meeting_with_nobody_keeps_the_sequence_that_was_told() {
    let alone = |object: &str| {
        let lines = object.lines().filter(|line| !line.contains("ATTENDEE"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let forgotten = |object: &str| object.replace("SEQUENCE:3", "X-NONE:1");
    let told = alone(TOLD);
    for lost in ["SEQUENCE:1", "X-NONE:1"] {
        let saved = told.replace("SEQUENCE:3", lost).replace("Plan", "Plan B");
        let kept = format!("{saved}\n").replace(lost, "SEQUENCE:3");
        let kept = if lost == "X-NONE:1" {
            kept.replace("SEQUENCE:3", "SEQUENCE:3\nX-NONE:1")
        } else {
            kept
        };
        story(ALICE, &told, &saved).tells(&[]).becomes(&kept);
    }
    story(ALICE, &told, &told.replace("SEQUENCE:3", "SEQUENCE:4"))
        .tells(&[])
        .stays();
    // What others organize is theirs to count.
    story(CARL, &told, &forgotten(&told)).tells(&[]).stays();
}

#[test]
fn a_sequence_counts_from_what_was_told() {
    let forgotten = |object: &str| object.replace("    SEQUENCE:3\n", "");
    let lowered = |object: &str| object.replace("SEQUENCE:3", "SEQUENCE:1");
    let renamed = TOLD.replace("Plan", "Plan B");
    let told = renamed.replace(STAMP, NOW);
    // A title: what was told of the times holds, as do the answers that are on their way.
    story(ALICE, TOLD, &saved(&renamed))
        .tells(&["REQUEST b c"])
        .saying(
            "mailto:b@example.com mailto:c@example.com",
            "REQUEST",
            &told,
        )
        .remembering(&told)
        .stays();
    for less in [forgotten(&renamed), lowered(&renamed)] {
        story(ALICE, TOLD, &less)
            .tells(&["REQUEST b c"])
            .saying(
                "mailto:b@example.com mailto:c@example.com",
                "REQUEST",
                &told,
            )
            .becomes(&told);
    }
    // Other times.
    let next = asked_anew(&moved(TOLD))
        .replace(STAMP, NOW)
        .replace("SEQUENCE:3", "SEQUENCE:4");
    for less in [moved(TOLD), forgotten(&moved(TOLD)), lowered(&moved(TOLD))] {
        story(ALICE, TOLD, &less)
            .tells(&["REQUEST b c"])
            .saying(
                "mailto:b@example.com mailto:c@example.com",
                "REQUEST",
                &next,
            )
            .remembering(&next)
            .becomes(&next);
    }
    let ahead = asked_anew(&moved(&saved(TOLD)));
    story(ALICE, TOLD, &moved(&saved(TOLD)))
        .tells(&["REQUEST b c"])
        .becomes(&ahead)
        .remembering(&ahead.replace("DTSTAMP:20261224T100000Z", NOW));
    // It is never less than what was told, though nobody hears of that.
    story(ALICE, TOLD, &forgotten(TOLD))
        .tells(&[])
        .becomes(TOLD);
}

#[test]
fn many_edits_in_one_look_are_one() {
    let back_and_forth = story(ALICE, TOLD, &moved(TOLD)).tells(&["REQUEST b c"]);
    back_and_forth
        .then(ALICE, |text| text.replace("T120000Z", "T110000Z"))
        .tells(&["REQUEST b c"]);
    // A look that comes late has nothing to tell of it.
    story(ALICE, TOLD, &saved(TOLD)).tells(&[]);
    let more = moved(TOLD)
        .replace("Plan", "Plan B")
        .replace("ATTENDEE:mailto:c@", "ATTENDEE:mailto:d@");
    story(ALICE, TOLD, &more).tells(&["CANCEL c", "REQUEST b d"]);
}

#[test]
fn an_answer_that_was_written_over_is_put_back() {
    let answered = TOLD.replace(
        "PARTSTAT=ACCEPTED:mailto:b",
        "PARTSTAT=ACCEPTED;X-CONVOKE-REPLY-SEQUENCE=3;X-CONVOKE-REPLY-DTSTAMP=20261203T100000Z:mailto:b",
    );
    let file = TOLD.to_owned();
    for stale in [
        "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:b",
        "ATTENDEE:mailto:b",
    ] {
        let stale = file.replace("ATTENDEE;PARTSTAT=ACCEPTED:mailto:b", stale);
        story(ALICE, &answered, &stale)
            .tells(&[])
            .becomes(&file)
            .remembering(&answered);
        // But nobody has answered to other times.
        let again = moved(&stale);
        let ending = story(ALICE, &answered, &again).tells(&["REQUEST b c"]);
        assert!(
            written(ending.seen.rewritten.as_ref()).contains("NEEDS-ACTION:mailto:b")
                || stale.contains("NEEDS-ACTION")
        );
    }
    // What the organizer has heard otherwise is the organizer's to write.
    let by_phone = file.replace("ACCEPTED:mailto:b", "DECLINED:mailto:b");
    story(ALICE, &answered, &by_phone).tells(&[]).stays();
}

/// Bob has sent Eve, and Eve Frank. A program that had read the meeting before writes it again: nobody is called off by that.
#[test]
fn a_delegation_that_was_written_over_is_put_back() {
    let sends =
        |who: &str, to: &str| format!("DELEGATED-TO=\"mailto:{to}\":mailto:{who}@example.com");
    let from = |who: &str| format!("DELEGATED-FROM=\"mailto:{who}@example.com\"");
    let eve = format!(
        "ATTENDEE;PARTSTAT=DELEGATED;{};{}",
        from("b"),
        sends("e", "f@example.com")
    );
    let frank = format!(
        "ATTENDEE;PARTSTAT=ACCEPTED;{}:mailto:f@example.com",
        from("e")
    );
    let file = TOLD.replace(
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com",
        &format!(
            "ATTENDEE;PARTSTAT=DELEGATED;{}\n{eve}\n{frank}",
            sends("b", "e@example.com")
        ),
    );
    let told = file.replace(
        "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:e",
        "ATTENDEE;PARTSTAT=DELEGATED;X-CONVOKE-REPLY-SEQUENCE=3;DELEGATED-TO=\"mailto:e",
    );
    let stale = TOLD.replace("PARTSTAT=ACCEPTED:mailto:b", "RSVP=TRUE:mailto:b");
    story(ALICE, &told, &stale)
        .tells(&[])
        .becomes(&file)
        .remembering(&told);
    // Another time asks nobody who has sent somebody.
    let ending = story(ALICE, &told, &moved(&stale)).tells(&["REQUEST b c e f"]);
    let after = written(ending.seen.rewritten.as_ref());
    assert_eq!(after.matches("PARTSTAT=DELEGATED").count(), 2, "{after}");
    assert!(
        after.contains("PARTSTAT=NEEDS-ACTION;DELEGATED-FROM"),
        "{after}"
    );
    // A command has the meeting from whoever wrote it before anybody had answered.
    let before = calendar(&told);
    let again = calendar(&stale.replace("Plan", "Review"));
    let alice = [address(ALICE)];
    let edited = edit(Some(&before), Some(&again), &owner(&alice), now()).unwrap();
    assert_eq!(letters(&edited.outgoing), ["REQUEST b c e f"]);
    // Who strikes a delegate off strikes it off, and who was invited by itself may go, too.
    let without = file.replace(&format!("{frank}\n"), "");
    story(ALICE, &told, &without).tells(&["CANCEL f", "REQUEST b e c"]);
    let invited = told.replace(&format!(";{}", from("b")), "");
    story(ALICE, &invited, &stale).tells(&["CANCEL e f", "REQUEST b c"]);
}

#[test]
fn a_status_is_no_edit() {
    let status = |of: &str, code: &str| {
        TOLD.replace(of, &format!("ATTENDEE;SCHEDULE-STATUS={code}:mailto:c"))
    };
    let c = "ATTENDEE:mailto:c";
    for code in ["1.0", "1.1", "1.2", "2.0", "3.7", "5.1", "\"2.0,2.4\""] {
        story(ALICE, TOLD, &status(c, code)).tells(&[]).stays();
        story(ALICE, &status(c, code), TOLD).tells(&[]).stays();
        story(ALICE, &status(c, code), &status(c, "1.0"))
            .tells(&[])
            .stays();
    }
    let said = [
        (address("mailto:C@example.com"), RequestStatus::PENDING),
        (address("mailto:x@example.com"), RequestStatus::SUCCESS),
    ];
    let noted = note_delivery(&calendar(TOLD), Method::Request, &said);
    assert_eq!(noted, calendar(&status(c, "1.0")));
    let said = [(address("mailto:c@example.com"), RequestStatus::DELIVERED)];
    let noted = note_delivery(&noted, Method::Add, &said);
    assert_eq!(noted, calendar(&status(c, "1.2")));
    assert_eq!(note_delivery(&noted, Method::Cancel, &said), noted);
}

#[test]
fn a_message_is_forced_once() {
    let force = |method: &str| {
        TOLD.replace(
            "ATTENDEE:mailto:c",
            &format!("ATTENDEE;SCHEDULE-FORCE-SEND={method}:mailto:c"),
        )
    };
    story(ALICE, TOLD, &force("request"))
        .tells(&["REQUEST c"])
        .saying(CARL, "REQUEST", &TOLD.replace(STAMP, NOW))
        .remembering(TOLD)
        .becomes(TOLD);
    story(ALICE, TOLD, &force("REPLY")).tells(&[]).becomes(TOLD);
    // RFC 6638 §7.2
    let ignored = TOLD.replace("ATTENDEE:mailto:c", "ATTENDEE;SCHEDULE-STATUS=2.3:mailto:c");
    story(ALICE, TOLD, &force("X-ODD"))
        .tells(&[])
        .becomes(&ignored);
}

#[test]
fn whom_a_program_tells_itself_nobody_else_tells() {
    for agent in ["CLIENT", "none", "X-ODD"] {
        let to = format!("ATTENDEE;SCHEDULE-AGENT={agent}:mailto:c");
        let by_client = TOLD.replace("ATTENDEE:mailto:c", &to);
        story(ALICE, "", &by_client).tells(&["REQUEST b"]).stays();
        story(ALICE, &by_client, &by_client.replace("Plan", "Plan B")).tells(&["REQUEST b"]);
        story(ALICE, &by_client, "").tells(&["CANCEL b"]);
        // RFC 6638 §3.2.1.2
        story(ALICE, TOLD, &by_client)
            .tells(&["CANCEL c"])
            .then(ALICE, |text| text.replace(&to, "ATTENDEE:mailto:c"))
            .tells(&["REQUEST b c"]);
        let all = TOLD.replace("ORGANIZER;", &format!("ORGANIZER;SCHEDULE-AGENT={agent};"));
        story(ALICE, "", &all).tells(&[]).stays();
        story(ALICE, &all, &all.replace("Plan", "Plan B"))
            .tells(&[])
            .stays();
        story(ALICE, &all, "").tells(&[]);
    }
}

#[test]
fn a_meeting_that_is_removed_is_called_off() {
    let private = TOLD.replace(
        "END:VEVENT",
        "CATEGORIES:Mine\nX-MINE:1\nCOMMENT;X-CONVOKE-FROM=x:Sorry\nBEGIN:VALARM\nTRIGGER:PT0S\nEND:VALARM\nEND:VEVENT",
    );
    let notice = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:4\nDTSTART:20270104T100000Z
         DTEND:20270104T110000Z\nSUMMARY:Plan\nORGANIZER;CN=Alice:mailto:a@example.com\nSTATUS:CANCELLED
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com\nATTENDEE:mailto:c@example.com\nEND:VEVENT";
    let gone = story(ALICE, &private, "")
        .tells(&["CANCEL b c"])
        .saying(
            "mailto:b@example.com mailto:c@example.com",
            "CANCEL",
            notice,
        )
        .stays();
    // It is a private thing now; then others come to it again.
    let plain =
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nDTSTART:20270104T100000Z\nEND:VEVENT";
    story(ALICE, TOLD, plain).tells(&["CANCEL b c"]).stays();
    let kept = without_organizer(TOLD).replace(
        "    ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com\n    ATTENDEE:mailto:c@example.com\n",
        "",
    );
    story(ALICE, TOLD, &kept)
        .tells(&["CANCEL b c"])
        .stays()
        .then(ALICE, |text| {
            text.replace("END:VEVENT", "ATTENDEE:mailto:b@example.com\nEND:VEVENT")
        })
        .tells(&["REQUEST b"]);
    // Whoever takes the removal back invites anew, and is heard.
    let back = continued(ALICE, gone.seen.remembered.as_ref(), Some(calendar(TOLD)))
        .tells(&["REQUEST b c"]);
    assert_eq!(back.seen.outgoing[0].message.sequence(), 5);
    assert!(written(back.seen.rewritten.as_ref()).contains("SEQUENCE:5"));
}

#[test]
fn who_is_invited_again_hears_of_it() {
    let without = TOLD.replace("    ATTENDEE:mailto:c@example.com\n", "");
    let both = format!("{TOLD}{INSTANCE}");
    let fewer = both.replace("    ATTENDEE:mailto:c@example.com\n", "");
    let once = format!(
        "{TOLD}{}",
        INSTANCE.replace("    ATTENDEE:mailto:c@example.com\n", "")
    );
    for (before, left) in [
        (TOLD.to_owned(), without),
        (both.clone(), fewer),
        (both, once),
    ] {
        let mut copy = received_by_carl(None, &story(ALICE, "", &before).seen.outgoing);
        let ending = story(ALICE, &before, &left);
        copy = received_by_carl(copy, &ending.seen.outgoing);
        assert!(written(copy.as_ref()).contains("CANCELLED"), "{left}");
        let stored = ending.seen.rewritten.or(ending.stored);
        let next = with_versions(&before, stored.as_ref());
        let later = now() + SignedDuration::from_secs(1);
        let again = look_at(later, ALICE, ending.seen.remembered.as_ref(), Some(&next)).unwrap();
        copy = received_by_carl(copy, &again.outgoing);
        assert!(
            !written(copy.as_ref()).contains("CANCELLED"),
            "{}",
            written(copy.as_ref())
        );
    }
}

/// An object as its program writes it, which has read these versions.
fn with_versions(object: &str, read: Option<&Calendar>) -> Calendar {
    recall(&calendar(object), read.unwrap())
}

/// Carl's copy after what goes to him.
fn received_by_carl(
    copy: Option<Calendar>,
    outgoing: &[crate::itip::Outgoing],
) -> Option<Calendar> {
    let carls = [address(CARL)];
    let owner = owner(&carls);
    let mut copy = copy;
    for letter in outgoing
        .iter()
        .filter(|it| it.recipients.contains(&carls[0]))
    {
        let at = Receiving {
            owner: &owner,
            originator: &letter.originator,
            from: Provenance::Peer { proven: &[] },
            now: now(),
            accept_uninvited: false,
        };
        if let Change::Store(next) = receive(&letter.message, copy.as_ref(), &at).change {
            copy = Some(next);
        }
    }
    copy
}

#[test]
fn who_leaves_the_series_and_keeps_an_instance_hears_of_both() {
    let both = format!("{TOLD}{INSTANCE}");
    let left = format!(
        "{}{INSTANCE}",
        TOLD.replace("    ATTENDEE:mailto:c@example.com\n", "")
    );
    let first = received_by_carl(None, &story(ALICE, "", &both).seen.outgoing);
    let ending = story(ALICE, &both, &left).tells(&["CANCEL c", "REQUEST b", "REQUEST c"]);
    let copy = written(received_by_carl(first, &ending.seen.outgoing).as_ref());
    assert_eq!(copy.matches("STATUS:CANCELLED").count(), 1, "{copy}");
    // What they are told of it is the version that is remembered of it.
    let remembered = written(ending.seen.remembered.as_ref());
    assert!(
        remembered.contains("SEQUENCE:5") && copy.contains("SEQUENCE:5"),
        "{remembered}{copy}"
    );
}

#[test]
fn instances_are_told_by_themselves() {
    let at_noon = INSTANCE.replace("DTSTART:20270111T100000Z", "DTSTART:20270111T103000Z");
    let ending = story(ALICE, TOLD, &format!("{TOLD}{at_noon}")).tells(&["REQUEST b c"]);
    assert_eq!(ending.seen.outgoing[0].message.sequence(), 4);
    let out = TOLD.replace("SUMMARY", "EXDATE:20270111T100000Z\nSUMMARY");
    story(ALICE, TOLD, &out).tells(&["REQUEST b c"]);
    let grown = TOLD.replace("SUMMARY", "RDATE:20270106T100000Z\nSUMMARY");
    story(ALICE, TOLD, &grown).tells(&["ADD b c"]);
}

#[test]
fn what_no_message_can_be_made_of_is_an_error() {
    let error = |stored: &str| {
        let stored = calendar(stored);
        let error = look(ALICE, Some(&calendar(TOLD)), Some(&stored)).unwrap_err();
        let unknown = look(ALICE, None, Some(&stored)).unwrap_err();
        assert_eq!(error, unknown);
        error.in_source(&stored.write())
    };
    for (stored, says) in [
        (
            format!("{TOLD}{}", INSTANCE.replace("UID:1", "UID:2")),
            "same UID",
        ),
        (
            format!("{TOLD}{}", INSTANCE.replace("mailto:a@", "mailto:d@")),
            "same ORGANIZER",
        ),
        (
            TOLD.replace("ORGANIZER;", "ORGANIZER:mailto:d@example.com\nORGANIZER;"),
            "ORGANIZER stands more than once",
        ),
        (
            TOLD.replace("DTSTART:20270104T100000Z", "DTSTART:tomorrow"),
            "DTSTART is `tomorrow`",
        ),
        (format!("{TOLD}{TOLD}"), "two components of the same UID"),
        (TOLD.replace("VEVENT", "VJOURNAL"), "ATTENDEE is"),
    ] {
        let stored = if says == "ATTENDEE is" {
            stored.replace("DTEND", "X-END")
        } else {
            stored
        };
        let Some(error) = (says != "ATTENDEE is").then(|| error(&stored)) else {
            let error = look(ALICE, None, Some(&calendar(&stored))).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            continue;
        };
        assert!(error.to_string().contains(says), "{error} is not {says}");
        assert!(error.line().is_some(), "{error}");
    }
    let theirs = TOLD.replace("ORGANIZER;CN=Alice:mailto:a@", "ORGANIZER:mailto:d@");
    let error = look(ALICE, Some(&calendar(TOLD)), Some(&calendar(&theirs))).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no message hands a meeting to another one"),
        "{error}"
    );
    // Whom nothing of it concerns hears of nothing, whatever it is.
    let odd = "BEGIN:VEVENT\nUID:1\nDTSTART:tomorrow\nEND:VEVENT\nBEGIN:VEVENT\nUID:2\nEND:VEVENT";
    story(ALICE, "", odd).tells(&[]).stays();
}

/// Who was on it once, and is invited again, has been told a version. The file says so, too.
#[test]
fn a_meeting_without_guests_keeps_its_version() {
    let alone = TOLD.replace("ATTENDEE:mailto:c@example.com", "");
    let alone = alone.replace("ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com", "");
    let whole = alone.replace("Plan", "Plan B");
    story(ALICE, &alone, &whole.replace("SEQUENCE:3", ""))
        .tells(&[])
        .becomes(&whole)
        .remembering(&whole);
}

/// A command and a program tell the same of the same.
#[test]
fn commands_and_programs_agree() {
    let alices = [address(ALICE)];
    for after in [
        TOLD.to_owned(),
        moved(TOLD),
        TOLD.replace("Plan", "Plan B"),
        TOLD.replace("mailto:c@", "mailto:d@"),
        format!("{TOLD}{}", moved(INSTANCE)),
    ] {
        let [before, after] = [TOLD, &after].map(calendar);
        let commanded = edit(Some(&before), Some(&after), &owner(&alices), now()).unwrap();
        let seen = look(ALICE, Some(&before), Some(&after)).unwrap();
        assert_eq!(letters(&seen.outgoing), letters(&commanded.outgoing));
        if let Change::Store(stored) = commanded.store {
            assert_eq!(seen.remembered, Some(stored));
        }
    }
}

/// Found by the simulator.
#[test]
fn an_instance_that_was_called_off_and_is_left_out_then_is_no_news() {
    let off = INSTANCE.replace("SUMMARY", "STATUS:CANCELLED\nSUMMARY");
    let out = TOLD.replace("SUMMARY", "EXDATE:20270111T100000Z\nSUMMARY");
    let ending = story(ALICE, &format!("{TOLD}{off}"), &out);
    // It takes place after all: whoever was told that it was called off hears of it.
    let back = |text: String| text.replace("EXDATE:20270111T100000Z\n", "");
    let ending = ending.tells(&[]).stays().then(ALICE, back);
    let ending = ending.tells(&["REQUEST b c"]);
    let message = &ending.seen.outgoing[0].message;
    assert_eq!(message.components().count(), 2);
    // What else changes is told as ever.
    let other = out.replace("Plan", "Plan B");
    story(ALICE, &format!("{TOLD}{off}"), &other).tells(&["REQUEST b c"]);
}

/// Found by the simulator: a series was moved, and back.
#[test]
fn an_instance_that_says_no_more_than_an_answer_is_put_back() {
    let answer =
        "PARTSTAT=DECLINED;X-CONVOKE-REPLY-SEQUENCE=3;X-CONVOKE-REPLY-DTSTAMP=20261203T100000Z";
    let answered = INSTANCE.replace("ATTENDEE:mailto:c", &format!("ATTENDEE;{answer}:mailto:c"));
    let known = format!("{TOLD}{answered}");
    let file = INSTANCE.replace("ATTENDEE:mailto:c", "ATTENDEE;PARTSTAT=DECLINED:mailto:c");
    let ending = story(ALICE, &known, TOLD).tells(&[]);
    ending.becomes(&format!("{TOLD}{file}")).remembering(&known);
    // It says something else, or the series does, or is at other times: then it is taken back.
    let other = known.replace(
        "RECURRENCE-ID:20270111T100000Z\n",
        "RECURRENCE-ID:20270111T100000Z\nLOCATION:Yard\n",
    );
    let a_week_later = TOLD.replace("0104T", "0111T");
    let changes = [
        (&other, TOLD.to_owned()),
        (&known, moved(TOLD)),
        (&known, a_week_later),
    ];
    for (known, file) in changes {
        let ending = story(ALICE, known, &file).tells(&["REQUEST b c"]);
        let rewritten = written(ending.seen.rewritten.as_ref());
        assert!(!rewritten.contains("DECLINED"), "{rewritten}");
    }
}
