//! Programs of attendees.

use super::super::{ALICE, BOB, address, calendar};
use super::{continued, look, story, written};
use crate::itip::note_delivery;
use crate::message::Method;
use convoke_types::RequestStatus;

/// A weekly meeting of Alice's, as Bob has received it.
const RECEIVED: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:3
    DTSTART:20270104T100000Z
    DTEND:20270104T110000Z
    RRULE:FREQ=WEEKLY
    SUMMARY:Plan
    COMMENT:Bring paper
    ORGANIZER:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:a@example.com
    ATTENDEE;RSVP=TRUE:mailto:b@example.com
    ATTENDEE:mailto:c@example.com
    END:VEVENT";

/// One that Alice has moved.
const MOVED: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:4
    RECURRENCE-ID:20270111T100000Z
    DTSTART:20270111T120000Z
    DTEND:20270111T130000Z
    SUMMARY:Plan
    ORGANIZER:mailto:a@example.com
    ATTENDEE;RSVP=TRUE:mailto:b@example.com
    END:VEVENT";

fn answers(object: &str, partstat: &str) -> String {
    object.replace(
        "ATTENDEE;RSVP=TRUE:",
        &format!("ATTENDEE;PARTSTAT={partstat}:"),
    )
}

/// Saved by a program that counts at each save.
fn saved(object: &str) -> String {
    object
        .replace("SEQUENCE:3", "SEQUENCE:6")
        .replace("DTSTAMP:20261201", "DTSTAMP:20261224")
}

/// Bob's REPLY, of one component.
fn said(partstat: &str, more: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:3\nDTSTART:20270104T100000Z\nSUMMARY:Plan
         ORGANIZER:mailto:a@example.com\nATTENDEE;PARTSTAT={partstat}:mailto:b@example.com\n{more}\nEND:VEVENT"
    )
}

/// An instance of the series of which Bob says something by itself.
fn instance(partstat: &str) -> String {
    answers(RECEIVED, partstat)
        .replace("RRULE:FREQ=WEEKLY", "RECURRENCE-ID:20270118T100000Z")
        .replace("20270104", "20270118")
}

/// RFC 5546 §2.1.4: a REPLY does not count.
#[test]
fn an_answer_is_one_to_the_version_that_was_received() {
    story(BOB, RECEIVED, &saved(&answers(RECEIVED, "ACCEPTED")))
        .tells(&["REPLY a"])
        .saying(ALICE, "REPLY", &said("ACCEPTED", ""))
        .remembering(&answers(RECEIVED, "ACCEPTED"))
        .stays()
        .then(BOB, |text| {
            text.replace("ACCEPTED:mailto:b", "DECLINED:mailto:b")
        })
        .tells(&["REPLY a"])
        .saying(ALICE, "REPLY", &said("DECLINED", ""));
}

#[test]
fn what_is_ones_own_is_told_to_nobody() {
    let alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:PT0S\nEND:VALARM\nEND:VEVENT";
    let own = "TRANSP:TRANSPARENT\nCATEGORIES:Mine\nCOLOR:red\nCLASS:PRIVATE\nX-MINE:1\nATTACH:https://example.net/notes\nSUMMARY";
    for after in [
        saved(RECEIVED),
        RECEIVED.replace("END:VEVENT", alarm),
        saved(RECEIVED).replace("SUMMARY", own),
        saved(RECEIVED).replace("DTEND:20270104T110000Z", "DURATION:PT1H"),
        RECEIVED.replace(";RSVP=TRUE", ""),
        RECEIVED.replace("ORGANIZER:", "ORGANIZER;SCHEDULE-STATUS=5.1:"),
        RECEIVED.replace("ATTENDEE:mailto:c", "ATTENDEE;SCHEDULE-STATUS=2.0:mailto:c"),
    ] {
        story(BOB, RECEIVED, &after).tells(&[]).stays();
    }
    let failed = RECEIVED.replace("ORGANIZER:", "ORGANIZER;SCHEDULE-STATUS=5.1:");
    story(BOB, &failed, RECEIVED).tells(&[]).stays();
}

/// RFC 6638 §7.3
#[test]
fn the_status_of_an_answer_stands_on_the_organizer() {
    let answered = answers(RECEIVED, "ACCEPTED");
    let told = [
        (address("mailto:A@example.com"), RequestStatus::SENT),
        (address("mailto:b@example.com"), RequestStatus::SUCCESS),
    ];
    let stale = answered.replace(
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:b",
        "ATTENDEE;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:mailto:b",
    );
    let noted = answered.replace("ORGANIZER:", "ORGANIZER;SCHEDULE-STATUS=1.1:");
    for copy in [&answered, &stale] {
        assert_eq!(
            note_delivery(&calendar(copy), Method::Reply, &told),
            calendar(&noted)
        );
    }
}

#[test]
fn what_is_the_organizers_is_not_told_and_the_answer_is() {
    let with = |lines: &str| RECEIVED.replace("SUMMARY", &format!("{lines}\nSUMMARY"));
    for (foreign, stored) in [
        (
            "DTSTART",
            RECEIVED.replace("DTSTART:20270104T100000Z", "DTSTART:20270104T103000Z"),
        ),
        (
            "DTSTART",
            RECEIVED.replace("DTSTART:20270104T100000Z", "DTSTART:tomorrow"),
        ),
        ("DTEND", RECEIVED.replace("T110000Z", "T120000Z")),
        ("RRULE", RECEIVED.replace("WEEKLY", "DAILY")),
        ("SUMMARY", RECEIVED.replace("Plan", "Plan B")),
        ("LOCATION", with("LOCATION:Here")),
        (
            "STATUS",
            with("STATUS:CANCELLED").replace("END:VEVENT", "X-MINE:1\nEND:VEVENT"),
        ),
        (
            "ORGANIZER",
            RECEIVED.replace("ORGANIZER:mailto:a@", "ORGANIZER:mailto:b@"),
        ),
        (
            "ORGANIZER",
            RECEIVED.replace("ORGANIZER:mailto:a@", "ORGANIZER:mailto:d@"),
        ),
        (
            "ATTENDEE",
            RECEIVED.replace("    ATTENDEE:mailto:c@example.com\n", ""),
        ),
        ("ATTENDEE", RECEIVED.replace("mailto:c@", "mailto:x@")),
        (
            "ROLE of ATTENDEE",
            RECEIVED.replace("ATTENDEE:mailto:c", "ATTENDEE;ROLE=CHAIR:mailto:c"),
        ),
        (
            "PARTSTAT of ATTENDEE",
            RECEIVED.replace("ACCEPTED;ROLE", "DECLINED;ROLE"),
        ),
        (
            "RECURRENCE-ID",
            format!(
                "{RECEIVED}{}",
                MOVED.replace("RECURRENCE-ID:20270111", "RECURRENCE-ID:20270112")
            ),
        ),
    ] {
        story(BOB, RECEIVED, &saved(&stored))
            .tells_but(&[], foreign)
            .remembering(RECEIVED)
            .stays();
        let ending = story(BOB, RECEIVED, &saved(&answers(&stored, "DECLINED")))
            .tells_but(&["REPLY a"], foreign)
            .remembering(&answers(RECEIVED, "DECLINED"))
            .stays();
        let event = ending.seen.outgoing[0]
            .message
            .calendar()
            .main_components()
            .count();
        assert_eq!(event, 1, "{foreign}");
        ending.saying(ALICE, "REPLY", &said("DECLINED", ""));
    }
    // Its own line is gone: it has not said anything.
    let gone = RECEIVED.replace("    ATTENDEE;RSVP=TRUE:mailto:b@example.com\n", "");
    story(BOB, RECEIVED, &gone)
        .tells_but(&[], "ATTENDEE")
        .remembering(RECEIVED)
        .stays();
    // So is all the list, and who organizes it.
    let bare = "BEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nEND:VEVENT";
    story(BOB, RECEIVED, bare)
        .tells_but(&[], "ORGANIZER")
        .remembering(RECEIVED)
        .stays();
    // The whole series is, and one instance is left.
    let both = format!("{RECEIVED}{MOVED}");
    story(BOB, &both, &answers(MOVED, "ACCEPTED"))
        .tells_but(&["REPLY a"], "DTSTART")
        .remembering(&format!("{RECEIVED}{}", answers(MOVED, "ACCEPTED")));
    // An instance that the organizer moved is as the series says: it is not.
    story(BOB, &both, RECEIVED)
        .tells_but(&[], "RECURRENCE-ID")
        .remembering(&both);
}

#[test]
fn an_organizer_that_a_program_has_lost_is_put_back() {
    let without = RECEIVED.replace("    ORGANIZER:mailto:a@example.com\n", "");
    story(BOB, RECEIVED, &saved(&without))
        .tells(&[])
        .becomes(&saved(RECEIVED));
    let answered = answers(&without, "ACCEPTED");
    story(BOB, RECEIVED, &answered)
        .tells(&["REPLY a"])
        .becomes(&answers(RECEIVED, "ACCEPTED"));
}

#[test]
fn a_comment_is_told() {
    let comment = "COMMENT:I come late\\, sorry";
    let commented = RECEIVED.replace(
        "COMMENT:Bring paper",
        &format!("COMMENT:Bring paper\n{comment}"),
    );
    story(BOB, RECEIVED, &commented).tells(&["REPLY a"]).saying(
        ALICE,
        "REPLY",
        &said("NEEDS-ACTION", comment).replace(";PARTSTAT=NEEDS-ACTION", ""),
    );
    story(BOB, RECEIVED, &answers(&commented, "TENTATIVE"))
        .tells(&["REPLY a"])
        .saying(ALICE, "REPLY", &said("TENTATIVE", comment))
        .then(BOB, |text| text.replace("TENTATIVE", "ACCEPTED"))
        .tells(&["REPLY a"])
        .saying(ALICE, "REPLY", &said("ACCEPTED", ""));
}

#[test]
fn a_delegation_is_told() {
    let delegated = RECEIVED.replace(
        "ATTENDEE;RSVP=TRUE:mailto:b@example.com",
        "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:e@example.net\":mailto:b@example.com
         ATTENDEE;DELEGATED-FROM=\"mailto:b@example.com\":mailto:e@example.net",
    );
    let ending = story(BOB, RECEIVED, &delegated).tells(&["REPLY a"]).stays();
    let told = &ending.seen.outgoing[0].message;
    assert_eq!(
        told.attendees(),
        ["mailto:b@example.com", "mailto:e@example.net"].map(address)
    );
    // Whom a program does not put on the list is named all the same.
    let unlisted = delegated.replace(
        "         ATTENDEE;DELEGATED-FROM=\"mailto:b@example.com\":mailto:e@example.net\n",
        "",
    );
    assert_ne!(unlisted, delegated);
    let ending = story(BOB, RECEIVED, &unlisted).tells(&["REPLY a"]).stays();
    assert_eq!(ending.seen.outgoing[0].message.attendees().len(), 2);
    assert!(written(ending.seen.remembered.as_ref()).contains("mailto:e@example.net\n"));
}

/// Calendar programs leave whom one has sent on the line of one who comes itself.
#[test]
fn whom_one_has_sent_before_says_nothing() {
    let sent = "DELEGATED-TO=\"mailto:e@example.net\"";
    let left = |partstat: &str| answers(RECEIVED, &format!("{partstat};{sent}"));
    // It was taken back before it was told.
    let accepted = answers(RECEIVED, "ACCEPTED");
    story(BOB, &accepted, &left("ACCEPTED")).tells(&[]).stays();
    story(BOB, &left("ACCEPTED"), &accepted).tells(&[]).stays();
    story(BOB, RECEIVED, &left("NEEDS-ACTION"))
        .tells(&[])
        .stays();
    // Another answer is told, and a delegation to somebody else.
    story(BOB, &accepted, &left("DECLINED"))
        .tells(&["REPLY a"])
        .saying(ALICE, "REPLY", &said("DECLINED", ""));
    let other = left("DELEGATED").replace("e@example.net", "f@example.net");
    story(BOB, &left("DELEGATED"), &other).tells(&["REPLY a"]);
    let upper = left("DELEGATED").replace("e@example.net", "E@EXAMPLE.NET");
    story(BOB, &left("DELEGATED"), &upper).tells(&[]);
}

#[test]
fn an_invitation_that_is_removed_is_declined() {
    for partstat in ["ACCEPTED", "TENTATIVE", "NEEDS-ACTION"] {
        let gone = story(BOB, &answers(RECEIVED, partstat), "")
            .tells(&["REPLY a"])
            .saying(ALICE, "REPLY", &said("DECLINED", ""))
            .remembering(&answers(RECEIVED, "DECLINED"));
        // Taken back.
        let stored = calendar(&answers(RECEIVED, "ACCEPTED"));
        continued(BOB, gone.seen.remembered.as_ref(), Some(stored))
            .tells(&["REPLY a"])
            .saying(ALICE, "REPLY", &said("ACCEPTED", ""));
    }
    story(BOB, &answers(RECEIVED, "DECLINED"), "").tells(&[]);
    let off = RECEIVED.replace("SUMMARY", "STATUS:CANCELLED\nSUMMARY");
    story(BOB, &off, "").tells(&[]);
    story(BOB, &off, &answers(&off, "DECLINED")).tells(&[]);
}

#[test]
fn instances_are_answered_by_themselves() {
    let both = format!("{RECEIVED}{}", instance("DECLINED"));
    let ending = story(BOB, RECEIVED, &both)
        .tells(&["REPLY a"])
        .remembering(&both);
    let told = ending.seen.outgoing[0].message.instance_names();
    assert_eq!(told, "2027-01-18T10:00:00Z");
    // It is as the series says again.
    let accepted = answers(RECEIVED, "ACCEPTED");
    let apart = format!("{accepted}{}", instance("DECLINED"));
    story(BOB, &apart, &accepted)
        .tells(&["REPLY a"])
        .remembering(&accepted);
    let same = format!("{accepted}{}", instance("ACCEPTED"));
    story(BOB, &accepted, &same)
        .tells(&[])
        .remembering(&accepted);
}

/// The organizer takes an answer to the series for one to each instance that nothing else was said of.
#[test]
fn a_series_is_declined_but_for_one_of_its_instances() {
    let accepted = answers(RECEIVED, "ACCEPTED");
    let all_but_one = format!("{}{}", answers(RECEIVED, "DECLINED"), instance("ACCEPTED"));
    let ending = story(BOB, &accepted, &all_but_one)
        .tells(&["REPLY a"])
        .remembering(&all_but_one);
    let told = ending.seen.outgoing[0].message.components().count();
    assert_eq!(told, 2, "the series, and the instance");
    let all = format!("{}{}", answers(RECEIVED, "DECLINED"), instance("DECLINED"));
    let ending = story(BOB, &accepted, &all).tells(&["REPLY a"]);
    assert_eq!(ending.seen.outgoing[0].message.instance_names(), "");
}

/// An organizer may call an instance off, and leave it out of the next version of the series.
#[test]
fn an_instance_that_is_off_and_left_out_is_nobody_s_edit() {
    let out = RECEIVED.replace("SUMMARY", "EXDATE:20270111T100000Z\nSUMMARY");
    let off = MOVED.replace("SUMMARY", "STATUS:CANCELLED\nSUMMARY");
    let both = |partstat: &str| format!("{}{off}", answers(&out, partstat));
    story(BOB, &format!("{out}{off}"), &both("ACCEPTED"))
        .tells(&["REPLY a"])
        .remembering(&both("ACCEPTED"))
        .then(BOB, |text| {
            text.replace("ACCEPTED:mailto:b", "TENTATIVE:mailto:b")
        })
        .tells(&["REPLY a"]);
}

#[test]
fn an_instance_that_is_left_out_is_declined_and_may_come_back() {
    let accepted = answers(RECEIVED, "ACCEPTED");
    let out = accepted.replace("SUMMARY", "EXDATE:20270118T100000Z\nSUMMARY");
    let left = story(BOB, &accepted, &out).tells(&["REPLY a"]).stays();
    let said = |ending: &super::Ending| {
        let message = &ending.seen.outgoing[0].message;
        let answer = message.components().next().unwrap();
        let line = answer.get("ATTENDEE").unwrap();
        format!(
            "{} {}",
            message.instance_names(),
            line.param("PARTSTAT").unwrap()
        )
    };
    assert_eq!(said(&left), "2027-01-18T10:00:00Z DECLINED");
    let back = left
        .then(BOB, |text| text.replace("EXDATE:20270118T100000Z\n", ""))
        .tells(&["REPLY a"]);
    assert_eq!(said(&back), "2027-01-18T10:00:00Z ACCEPTED");
    // With an answer of its own.
    let left = story(BOB, &accepted, &out);
    let back = left
        .then(BOB, |text| {
            format!(
                "{}{}",
                text.replace("EXDATE:20270118T100000Z\n", ""),
                instance("TENTATIVE")
            )
        })
        .tells(&["REPLY a"]);
    assert_eq!(said(&back), "2027-01-18T10:00:00Z TENTATIVE");
    // What the organizer leaves out does not come back.
    story(BOB, &out, &accepted)
        .tells_but(&[], "EXDATE")
        .remembering(&out);
    // A date that is none of the series leaves nothing out.
    let odd = accepted.replace("SUMMARY", "EXDATE:20270119T100000Z\nEXDATE:x\nSUMMARY");
    story(BOB, &accepted, &odd)
        .tells(&[])
        .remembering(&accepted);
    // An instance of its own that is left out.
    let both = format!("{accepted}{}", answers(MOVED, "ACCEPTED"));
    let left = story(
        BOB,
        &both,
        &accepted.replace("SUMMARY", "EXDATE:20270111T100000Z\nSUMMARY"),
    );
    assert_eq!(said(&left), "2027-01-11T10:00:00Z DECLINED");
    // One of several that came without their series.
    let two = format!("{}{}", answers(MOVED, "ACCEPTED"), instance("ACCEPTED"));
    let left = story(BOB, &two, &instance("ACCEPTED")).tells(&["REPLY a"]);
    assert_eq!(said(&left), "2027-01-11T10:00:00Z DECLINED");
}

#[test]
fn an_invitation_that_a_program_brings_is_answered() {
    story(BOB, "", RECEIVED)
        .tells(&[])
        .stays()
        // Nobody has seen which version its organizer has sent.
        .remembering(&RECEIVED.replace("DTSTAMP", "DTSTAMP;X-CONVOKE-UNKNOWN-REVISION=TRUE"));
    story(BOB, "", &answers(RECEIVED, "ACCEPTED"))
        .tells(&["REPLY a"])
        .saying(ALICE, "REPLY", &said("ACCEPTED", ""));
    // It is the meeting of others.
    let theirs = RECEIVED.replace("    ATTENDEE;RSVP=TRUE:mailto:b@example.com\n", "");
    story(BOB, "", &theirs).tells(&[]).stays();
    // Forwarded; at an alias.
    let forwarded = theirs.replace(
        "END:VEVENT",
        "ATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:b@alias.example\nEND:VEVENT",
    );
    story(BOB, &theirs, &forwarded)
        .tells_but(&["REPLY a"], "ROLE of ATTENDEE")
        .remembering(&forwarded.replace(";ROLE=CHAIR:mailto:b", ":mailto:b"));
}

#[test]
fn a_reply_is_forced_once_and_left_to_the_client() {
    let force = |method: &str| {
        RECEIVED.replace(
            "ORGANIZER:",
            &format!("ORGANIZER;SCHEDULE-FORCE-SEND={method}:"),
        )
    };
    let accepted = answers(RECEIVED, "ACCEPTED");
    story(BOB, &accepted, &answers(&force("REPLY"), "ACCEPTED"))
        .tells(&["REPLY a"])
        .saying(ALICE, "REPLY", &said("ACCEPTED", ""))
        .remembering(&accepted)
        .becomes(&accepted);
    story(BOB, &accepted, &answers(&force("REQUEST"), "ACCEPTED"))
        .tells(&[])
        .becomes(&accepted);
    for agent in ["CLIENT", "NONE"] {
        let by_client =
            |text: &str| text.replace("ORGANIZER:", &format!("ORGANIZER;SCHEDULE-AGENT={agent}:"));
        story(BOB, RECEIVED, &by_client(&accepted))
            .tells(&[])
            .stays();
        story(BOB, &by_client(RECEIVED), &by_client(&accepted))
            .tells(&[])
            .stays();
        story(BOB, &by_client(RECEIVED), "").tells(&[]);
    }
}

#[test]
fn how_far_a_to_do_is_is_told() {
    let todo = RECEIVED
        .replace("VEVENT", "VTODO")
        .replace("DTEND", "DUE")
        .replace("    RRULE:FREQ=WEEKLY\n", "");
    let done = answers(&todo, "COMPLETED").replace(
        "SUMMARY",
        "STATUS:COMPLETED\nPERCENT-COMPLETE:100\nCOMPLETED:20270105T100000Z\nSUMMARY",
    );
    story(BOB, &todo, &done)
        .tells(&["REPLY a"])
        .remembering(&done)
        .stays();
    let off = todo.replace("SUMMARY", "STATUS:CANCELLED\nSUMMARY");
    story(BOB, &todo, &off)
        .tells_but(&[], "STATUS")
        .remembering(&todo)
        .stays();
}

#[test]
fn what_is_no_one_meeting_is_an_error() {
    for (stored, says) in [
        (
            format!("{RECEIVED}{}", MOVED.replace("UID:1", "UID:2")),
            "same UID",
        ),
        (
            RECEIVED.replace("VEVENT", "VTODO").replace("DTEND", "DUE"),
            "its UID is that of a VEVENT",
        ),
    ] {
        let error = look(BOB, Some(&calendar(RECEIVED)), Some(&calendar(&stored))).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

/// Found by the simulator.
#[test]
fn what_was_left_out_of_a_declined_series_is_said_once_that_is_not_declined() {
    let declined = answers(RECEIVED, "DECLINED");
    let out = declined.replace("SUMMARY", "EXDATE:20270111T100000Z\nSUMMARY");
    let ending = story(BOB, &declined, &out).tells(&[]);
    let open = |text: String| text.replace("PARTSTAT=DECLINED", "PARTSTAT=TENTATIVE");
    let ending = ending.then(BOB, open).tells(&["REPLY a"]);
    let parts = ending.seen.outgoing[0].message.components();
    let said = parts.map(|it| it.get("ATTENDEE").and_then(|line| line.param("PARTSTAT")));
    assert_eq!(
        said.collect::<Vec<_>>(),
        [Some("TENTATIVE"), Some("DECLINED")]
    );
}
