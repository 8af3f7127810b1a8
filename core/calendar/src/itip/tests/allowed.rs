//! What an attendee may change of its copy of a meeting (RFC 6638 §3.2.2.1), and what its organizer hears of that.

use super::{BOB, address, assert_same, calendar, now, owner};
use crate::itip::{Change, Edited, edit};
use crate::message::{Message, MessageError};
use crate::tree::{Calendar, Limits};

/// A weekly meeting of Alice's as Bob keeps it. Its lines are those of the file from the third on.
const MEETING: &str = "BEGIN:VEVENT
UID:1
DTSTAMP:20261201T100000Z
SEQUENCE:1
DTSTART:20270104T100000Z
DTEND:20270104T110000Z
RRULE:FREQ=WEEKLY
SUMMARY:Plan
ORGANIZER:mailto:a@example.com
ATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:a@example.com
ATTENDEE;RSVP=TRUE:mailto:b@example.com
ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:e@example.com\":mailto:c@example.com
ATTENDEE;DELEGATED-FROM=\"mailto:c@example.com\":mailto:e@example.com
END:VEVENT
";

/// An instance that Alice has moved.
const MOVED: &str = "BEGIN:VEVENT
UID:1
DTSTAMP:20261201T100000Z
SEQUENCE:1
RECURRENCE-ID:20270111T100000Z
DTSTART:20270111T120000Z
DTEND:20270111T130000Z
SUMMARY:Plan
ORGANIZER:mailto:a@example.com
ATTENDEE;RSVP=TRUE:mailto:b@example.com
END:VEVENT
";

/// An instance of which Bob has said something by itself.
fn answered(partstat: &str) -> String {
    let answered = MEETING
        .replace("RRULE:FREQ=WEEKLY\n", "RECURRENCE-ID:20270118T100000Z\n")
        .replace("20270104", "20270118");
    answered.replace(";RSVP=TRUE", &format!(";PARTSTAT={partstat}"))
}

fn whole(components: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{components}END:VCALENDAR\n")
}

fn edited(before: &str, after: &str) -> Result<Edited, MessageError> {
    let read = |text: &str| Calendar::parse(whole(text).as_bytes(), &Limits::default()).unwrap();
    let own = [address(BOB)];
    let edited = edit(Some(&read(before)), Some(&read(after)), &owner(&own), now());
    edited.map_err(|error| error.in_source(whole(after).as_bytes()))
}

#[track_caller]
fn assert_refused(before: &str, after: &str, line: usize, says: &str) {
    assert_ne!(before, after, "the edit changes something");
    let Err(error) = edited(before, after) else {
        panic!("it was taken, expected {says}:\n{after}")
    };
    assert_eq!(error.line(), Some(line), "{error}\n{after}");
    assert!(
        error.to_string().contains(says),
        "{error} is not {says}\n{after}"
    );
}

/// What the organizer hears: the instance, and the answer.
#[track_caller]
fn heard(before: &str, after: &str) -> Vec<String> {
    let edited = edited(before, after).unwrap_or_else(|error| panic!("{error}\n{after}"));
    let messages = edited.outgoing.iter().map(|it| &it.message);
    messages
        .flat_map(Message::components)
        .map(|said| {
            let line = said.get("ATTENDEE").unwrap();
            let partstat = line.param("PARTSTAT").unwrap_or("NEEDS-ACTION");
            format!(
                "{} {partstat}",
                said.value("RECURRENCE-ID").unwrap_or("all")
            )
        })
        .collect()
}

#[test]
fn only_the_organizer_changes_other_attendees_parameters() {
    let of_a = "PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:a";
    let of_c = "PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:e@example.com\":mailto:c";
    let of_e = "DELEGATED-FROM=\"mailto:c@example.com\":mailto:e";
    for (was, is, line, says) in [
        (
            of_a,
            "PARTSTAT=DECLINED;ROLE=CHAIR:mailto:a",
            12,
            "PARTSTAT of ATTENDEE",
        ),
        (of_a, "ROLE=CHAIR:mailto:a", 12, "PARTSTAT of ATTENDEE"),
        (of_a, "PARTSTAT=ACCEPTED:mailto:a", 12, "ROLE of ATTENDEE"),
        (
            of_a,
            "PARTSTAT=ACCEPTED;ROLE=CHAIR;CUTYPE=ROOM:mailto:a",
            12,
            "CUTYPE of",
        ),
        (
            of_a,
            "PARTSTAT=ACCEPTED;ROLE=CHAIR;SENT-BY=\"mailto:b@example.com\":mailto:a",
            12,
            "SENT-BY of",
        ),
        (
            of_a,
            "PARTSTAT=ACCEPTED;ROLE=CHAIR;MEMBER=\"mailto:b@example.com\":mailto:a",
            12,
            "MEMBER of",
        ),
        (of_c, "PARTSTAT=DELEGATED:mailto:c", 14, "DELEGATED-TO of"),
        (
            of_c,
            "PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:b@example.com\":mailto:c",
            14,
            "DELEGATED-TO of",
        ),
        (
            of_e,
            "PARTSTAT=NEEDS-ACTION:mailto:e",
            15,
            "DELEGATED-FROM of",
        ),
        (
            of_e,
            "DELEGATED-FROM=\"mailto:b@example.com\":mailto:e",
            15,
            "DELEGATED-FROM of",
        ),
        (
            of_e,
            "DELEGATED-FROM=\"mailto:c@example.com\":mailto:x",
            2 + 1,
            "ATTENDEE is `mailto:e@",
        ),
        (
            of_e,
            "DELEGATED-FROM=\"mailto:c@example.com\":mailto:e@example.com\nATTENDEE:mailto:x",
            16,
            "ATTENDEE is `mailto:x@",
        ),
        (
            of_e,
            "DELEGATED-FROM=\"mailto:c@example.com\";EMAIL=b@example.com:urn:x:e@",
            3,
            "ATTENDEE is `mailto:e@",
        ),
    ] {
        assert_refused(MEETING, &MEETING.replace(was, is), line, says);
    }
    // In an instance that stands beside, its own line is named.
    let both = format!("{MEETING}{}", answered("ACCEPTED"));
    let changed = answered("ACCEPTED").replace(of_a, "PARTSTAT=DECLINED;ROLE=CHAIR:mailto:a");
    assert_refused(
        &both,
        &format!("{MEETING}{changed}"),
        26,
        "PARTSTAT of ATTENDEE",
    );
}

#[test]
fn who_the_owner_is_there_is_the_organizers() {
    let own = "ATTENDEE;RSVP=TRUE:mailto:b@example.com\n";
    for (is, line, says) in [
        ("", 3, "ATTENDEE is `mailto:b@example.com`"),
        (
            "ATTENDEE;RSVP=TRUE;ROLE=CHAIR:mailto:b@example.com\n",
            13,
            "ROLE of ATTENDEE",
        ),
        (
            "ATTENDEE;RSVP=TRUE;ROLE=OPT-PARTICIPANT:mailto:b@example.com\n",
            13,
            "ROLE of ATTENDEE",
        ),
        (
            "ATTENDEE;RSVP=TRUE;CUTYPE=GROUP:mailto:b@example.com\n",
            13,
            "CUTYPE of ATTENDEE",
        ),
        (
            "ATTENDEE;DELEGATED-FROM=\"mailto:a@example.com\":mailto:b@example.com\n",
            13,
            "DELEGATED-FROM of",
        ),
        (
            "ATTENDEE;MEMBER=\"mailto:all@example.com\":mailto:b@example.com\n",
            13,
            "MEMBER of",
        ),
    ] {
        assert_refused(MEETING, &MEETING.replace(own, is), line, says);
    }
    let answered = MEETING.replace(";RSVP=TRUE", ";PARTSTAT=ACCEPTED");
    let asked = answered.replace(
        ";PARTSTAT=ACCEPTED:mailto:b",
        ";PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:b",
    );
    assert_refused(&answered, &asked, 13, "RSVP of ATTENDEE");
    // Nor does an alias come on the list beside.
    let own = [address(BOB), address("mailto:bo@example.com")];
    let [before, after] = [
        MEETING.to_owned(),
        MEETING.replace(
            "ATTENDEE;RSVP",
            "ATTENDEE:mailto:bo@example.com\nATTENDEE;RSVP",
        ),
    ]
    .map(|text| calendar(&text));
    edit(Some(&before), Some(&after), &owner(&own), now()).unwrap_err();
}

#[test]
fn an_answer_is_the_attendees() {
    let own = "ATTENDEE;RSVP=TRUE:mailto:b@example.com\n";
    for (is, hears) in [
        ("ATTENDEE:mailto:b@example.com\n", None),
        (
            "ATTENDEE;CN=Bo;X-NUM-GUESTS=1;RSVP=TRUE;SCHEDULE-STATUS=2.0:MAILTO:B@example.com\n",
            None,
        ),
        (
            "ATTENDEE;ROLE=REQ-PARTICIPANT;CUTYPE=INDIVIDUAL;PARTSTAT=NEEDS-ACTION:mailto:b@example.com\n",
            None,
        ),
        (
            "ATTENDEE;PARTSTAT=TENTATIVE:mailto:b@example.com\n",
            Some("all TENTATIVE"),
        ),
        (
            "ATTENDEE;PARTSTAT=ACCEPTED;SENT-BY=\"mailto:s@example.com\":mailto:b@example.com\n",
            Some("all ACCEPTED"),
        ),
        // Others may be written in other words.
        (
            "ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com\nBEGIN:VALARM\nACTION:AUDIO\nTRIGGER:PT0S\nEND:VALARM\n",
            Some("all DECLINED"),
        ),
    ] {
        let after = MEETING.replace(own, is).replace(
            "ROLE=CHAIR:",
            "ROLE=chair;CN=Alice;CUTYPE=Individual;SCHEDULE-STATUS=1.2:",
        );
        assert_eq!(heard(MEETING, &after), Vec::from_iter(hears), "{after}");
    }
    // Who was not on the list answers what was forwarded (RFC 5546 §3.2.2.6), as a guest like others.
    let forwarded = MEETING.replace(own, "");
    let accepts = MEETING.replace("RSVP=TRUE", "PARTSTAT=ACCEPTED");
    assert_eq!(heard(&forwarded, &accepts), ["all ACCEPTED"]);
    let chairs = accepts.replace(
        "PARTSTAT=ACCEPTED:mailto:b",
        "PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:b",
    );
    assert_refused(&forwarded, &chairs, 13, "ROLE of ATTENDEE");
}

#[test]
fn an_attendee_sends_a_delegate_who_has_said_nothing_yet() {
    let delegated = |delegate: &str| {
        let own = "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:f@example.com\":mailto:b@example.com";
        MEETING.replace(
            "ATTENDEE;RSVP=TRUE:mailto:b@example.com",
            &format!("{own}\n{delegate}"),
        )
    };
    let from = "DELEGATED-FROM=\"mailto:b@example.com\"";
    let fine = format!("ATTENDEE;CN=Fay;RSVP=TRUE;{from}:mailto:f@example.com");
    assert_eq!(heard(MEETING, &delegated(&fine)), ["all DELEGATED"]);
    for (delegate, says) in [
        (
            format!("ATTENDEE;PARTSTAT=ACCEPTED;{from}:mailto:f@example.com"),
            "PARTSTAT of",
        ),
        (
            format!("ATTENDEE;ROLE=CHAIR;{from}:mailto:f@example.com"),
            "ROLE of",
        ),
        (
            "ATTENDEE;DELEGATED-FROM=\"mailto:a@example.com\":mailto:f@example.com".to_owned(),
            "DELEGATED-FROM of",
        ),
    ] {
        assert_refused(MEETING, &delegated(&delegate), 14, says);
    }
    let other = delegated(&fine.replace("mailto:f@", "mailto:g@"));
    assert_refused(MEETING, &other, 14, "ATTENDEE is `mailto:g@");
}

#[test]
fn only_the_organizer_changes_the_set_of_instances() {
    let with = |lines: &str| MEETING.replace("SUMMARY", &format!("{lines}\nSUMMARY"));
    let single = MEETING.replace("RRULE:FREQ=WEEKLY\n", "");
    let exdate = "EXDATE:20270104T100000Z";
    assert_refused(
        &single,
        &single.replace("SUMMARY", &format!("{exdate}\nSUMMARY")),
        9,
        "EXDATE is",
    );
    assert_eq!(heard(MEETING, &with(exdate)), ["20270104T100000Z DECLINED"]);
    // What leaves nothing out is nothing to tell.
    assert_eq!(
        heard(MEETING, &with("EXDATE:20270105T100000Z\nEXDATE:x")),
        [""; 0]
    );
    assert_refused(&with(exdate), MEETING, 3, "EXDATE is");
    assert_eq!(
        heard(
            &with(exdate),
            &with("EXDATE:20270111T100000Z,20270104T100000Z")
        ),
        ["20270111T100000Z DECLINED"],
    );
    let both = format!("{MEETING}{MOVED}");
    assert_refused(&both, MEETING, 3, "RECURRENCE-ID is `20270111T100000Z`");
    assert_refused(&both, &both.replace("T130000Z", "T140000Z"), 23, "DTEND is");
    assert_refused(&both, MOVED, 8, "DTSTART is");
    assert_refused(MOVED, &both, 7, "DTSTART is");
    let out = format!("{}{MOVED}", with("EXDATE:20270111T100000Z"));
    assert_eq!(heard(&both, &out), ["20270111T100000Z DECLINED"]);
    let gone = with("EXDATE:20270111T100000Z");
    assert_eq!(heard(&both, &gone), ["20270111T100000Z DECLINED"]);
    // An instance that there is not.
    let odd = MOVED.replace("RECURRENCE-ID:20270111", "RECURRENCE-ID:20270112");
    assert_refused(MEETING, &format!("{MEETING}{odd}"), 21, "RECURRENCE-ID is");
    let cancelled = MOVED.replace("SUMMARY", "STATUS:CANCELLED\nSUMMARY");
    assert_refused(
        &format!("{MEETING}{cancelled}"),
        MEETING,
        3,
        "RECURRENCE-ID is",
    );
}

#[test]
fn an_answer_to_an_instance_comes_and_goes() {
    let declined = format!("{MEETING}{}", answered("DECLINED"));
    assert_eq!(heard(MEETING, &declined), ["20270118T100000Z DECLINED"]);
    // Taken back: it is as the series says.
    assert_eq!(heard(&declined, MEETING), ["20270118T100000Z NEEDS-ACTION"]);
    let accepted = MEETING.replace(";RSVP=TRUE", ";PARTSTAT=ACCEPTED");
    let apart = format!("{accepted}{}", answered("DECLINED"));
    assert_eq!(heard(&apart, &accepted), ["20270118T100000Z ACCEPTED"]);
    let same = format!("{accepted}{}", answered("ACCEPTED"));
    assert_eq!(heard(&same, &accepted), [""; 0]);
    let out = accepted.replace("SUMMARY", "EXDATE:20270118T100000Z\nSUMMARY");
    assert_eq!(heard(&apart, &out), [""; 0]);
    // One of several instances that came without their series.
    let other = answered("ACCEPTED");
    let two = format!("{MOVED}{other}");
    assert_eq!(heard(&two, MOVED), ["20270118T100000Z DECLINED"]);
    assert_eq!(heard(&two, &other), ["20270111T100000Z DECLINED"]);
}

#[test]
fn only_the_organizer_changes_the_meeting() {
    let with = |lines: &str| MEETING.replace("SUMMARY", &format!("{lines}\nSUMMARY"));
    for line in [
        "PRIORITY:1",
        "RESOURCES:Beamer",
        "CONTACT:Bo",
        "RELATED-TO:2",
        "CONFERENCE;VALUE=URI:https://meet.example.net/x",
        "EXRULE:FREQ=DAILY",
        "NEW-PROPERTY:1",
        "LOCATION:Here",
        "DESCRIPTION:There",
        "STATUS:CANCELLED",
        "URL:https://example.net/",
        "GEO:1;2",
    ] {
        let name = line.split([':', ';']).next().unwrap();
        assert_refused(MEETING, &with(line), 10, &format!("{name} is"));
    }
    // What is meant where nothing is said.
    assert_eq!(
        heard(
            MEETING,
            &with("STATUS:CONFIRMED\nPRIORITY:0\nLOCATION:\nCONTACT:")
        ),
        [""; 0]
    );
    // What a program does not know it may lose.
    assert_eq!(
        heard(
            &with("CONFERENCE;VALUE=URI:https://meet.example.net/x"),
            MEETING
        ),
        [""; 0]
    );
    let own = "CLASS:PRIVATE\nCOMMENT:Mine\nCATEGORIES:Mine\nX-MINE:1\nCREATED:20270101T000000Z\nLAST-MODIFIED:20270101T000000Z\nATTACH:https://example.net/notes";
    let edited = edited(MEETING, &with(own)).unwrap();
    let Change::Store(stored) = &edited.store else {
        panic!("it is stored")
    };
    assert_same(stored, &calendar(&with(own)));
    assert!(edited.outgoing.is_empty());
}

#[test]
fn a_to_do_is_done_by_its_attendees_and_called_off_by_its_organizer() {
    let todo = MEETING
        .replace("VEVENT", "VTODO")
        .replace("DTEND", "DUE")
        .replace("RRULE:FREQ=WEEKLY\n", "");
    let with = |lines: &str| todo.replace("SUMMARY", &format!("{lines}\nSUMMARY"));
    let done = "STATUS:COMPLETED\nPERCENT-COMPLETE:100\nCOMPLETED:20270105T100000Z";
    let done = with(done).replace(";RSVP=TRUE", ";PARTSTAT=COMPLETED");
    assert_eq!(heard(&todo, &done), ["all COMPLETED"]);
    assert_refused(&todo, &with("STATUS:CANCELLED"), 9, "STATUS is `CANCELLED`");
    assert_refused(
        &with("STATUS:CANCELLED"),
        &with("STATUS:COMPLETED"),
        9,
        "STATUS is",
    );
}
