//! Answers as people give them: to one instance, with a comment, by sending somebody else.

use super::{
    ALICE, BOB, CARL, address, assert_same, assert_told, calendar, now, owner, without_zones,
};
use crate::itip::{
    Change, Outgoing, PartStat, Receiving, Reply, ReplyError, compose_reply, edit, recall, receive,
    update_own_copy,
};
use crate::message::Provenance;
use crate::time::When;
use crate::tree::{Calendar, Property};

/// A weekly meeting of Alice's, in Berlin, as Bob keeps it.
const SERIES: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:1
    DTSTART;TZID=Europe/Berlin:20270104T100000
    DTEND;TZID=Europe/Berlin:20270104T110000
    RRULE:FREQ=WEEKLY
    SUMMARY:Plan
    ORGANIZER:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR;RSVP=TRUE:mailto:b@example.com
    ATTENDEE:mailto:c@example.com
    END:VEVENT";

/// One of them, which Alice has moved.
const MOVED: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:2
    RECURRENCE-ID;TZID=Europe/Berlin:20270111T100000
    DTSTART;TZID=Europe/Berlin:20270112T100000
    SUMMARY:Moved
    ORGANIZER:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com
    END:VEVENT";

fn at(value: &str) -> When {
    let property = Property::new("RECURRENCE-ID", value);
    When::of(&property).unwrap()
}

fn reply(existing: &str, answer: Reply) -> Result<Vec<Outgoing>, ReplyError> {
    compose_reply(&calendar(existing), &owner(&[address(BOB)]), answer, now())
}

#[track_caller]
fn one(existing: &str, answer: Reply) -> Outgoing {
    let replies = reply(existing, answer).unwrap_or_else(|error| panic!("{error}"));
    let [reply] = <[_; 1]>::try_from(replies).unwrap();
    reply
}

/// Bob's copy after it.
fn followed(existing: &str, outgoing: &Outgoing) -> Calendar {
    let existing = calendar(existing);
    let copy = update_own_copy(
        &outgoing.message,
        Some(&existing),
        &owner(&[address(BOB)]),
        now(),
    );
    let Change::Store(copy) = copy else {
        panic!("the copy follows")
    };
    copy
}

/// Alice's copy, which was like Bob's, after it.
fn received(existing: &str, outgoing: &Outgoing) -> (Calendar, Vec<Outgoing>) {
    let alices = [address(ALICE)];
    let at = Receiving {
        owner: &owner(&alices),
        originator: &outgoing.originator,
        from: Provenance::Peer { proven: &[] },
        now: now(),
        accept_uninvited: false,
    };
    let received = receive(&outgoing.message, Some(&calendar(existing)), &at);
    let Change::Store(copy) = received.change else {
        panic!("{}", received.status)
    };
    (copy, received.outgoing)
}

#[test]
fn one_instance_is_answered_and_has_its_own_component_then() {
    let named = ";TZID=Europe/Berlin:20270118T100000";
    let said = format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:1\nRECURRENCE-ID{named}\nDTSTART{named}\nSUMMARY:Plan
         ORGANIZER:mailto:a@example.com
         ATTENDEE;PARTSTAT=DECLINED;ROLE=CHAIR:mailto:b@example.com\nEND:VEVENT"
    );
    // By the instant, by the clock on the wall, by the day.
    for name in ["20270118T090000Z", "20270118T100000", "20270118"] {
        let answer = Reply::new(PartStat::Declined).to_instance(at(name));
        let reply = one(SERIES, answer);
        assert_told(&reply, ALICE, "REPLY", &said);
        let instance = SERIES
            .replace("20270104", "20270118")
            .replace("RRULE:FREQ=WEEKLY", &format!("RECURRENCE-ID{named}"));
        let answered = instance.replace("ACCEPTED;ROLE=CHAIR;RSVP=TRUE", "DECLINED;ROLE=CHAIR");
        assert_same(
            &without_zones(&followed(SERIES, &reply)),
            &calendar(&format!("{SERIES}{answered}")),
        );
        let (organizers, _) = received(SERIES, &reply);
        assert_eq!(organizers.main_components().count(), 2);
    }
    // One that Alice has moved, and two at once.
    let both = format!("{SERIES}{MOVED}");
    let answer = Reply::new(PartStat::Declined).to_instance(at("20270111"));
    let reply = one(&both, answer.clone());
    assert_eq!(reply.message.sequence(), 2);
    assert_same(
        &without_zones(&followed(&both, &reply)),
        &calendar(&both.replace("ACCEPTED:mailto:b", "DECLINED:mailto:b")),
    );
    let reply = one(&both, answer.to_instance(at("20270118")));
    assert_eq!(reply.message.components().count(), 2);
    // Instances that came without their series.
    for name in ["20270111T090000Z", "20270111T100000", "20270111"] {
        let answer = Reply::new(PartStat::Declined).to_instance(at(name));
        assert_eq!(
            one(MOVED, answer).message.instance_names(),
            "2027-01-11T09:00:00Z"
        );
    }
}

#[test]
fn what_is_no_instance_is_not_answered() {
    let no = |existing: &str, name: &str| {
        reply(
            existing,
            Reply::new(PartStat::Declined).to_instance(at(name)),
        )
        .unwrap_err()
    };
    for (existing, name) in [
        (SERIES, "20270119T090000Z"),
        (SERIES, "20270118T100000Z"),
        (SERIES, "20270119"),
        (MOVED, "20270118"),
        (MOVED, "20270112T090000Z"),
        (&*SERIES.replace("    RRULE:FREQ=WEEKLY\n", ""), "20270104"),
        (
            &*SERIES.replace("SUMMARY", "EXDATE:20270118T090000Z\nSUMMARY"),
            "20270118",
        ),
    ] {
        assert_eq!(
            no(existing, name),
            ReplyError::NoSuchInstance(name.to_owned())
        );
    }
    let off = MOVED.replace("SUMMARY", "STATUS:CANCELLED\nSUMMARY");
    assert_eq!(
        no(&format!("{SERIES}{off}"), "20270111"),
        ReplyError::Cancelled
    );
    let without = MOVED.replace("mailto:b@", "mailto:d@");
    assert_eq!(
        no(&format!("{SERIES}{without}"), "20270111"),
        ReplyError::NotInvited
    );
}

#[test]
fn a_comment_goes_with_each_answer() {
    let answer = Reply::new(PartStat::Tentative).with_comment(" My train;\nis late ");
    let both = format!("{SERIES}{MOVED}");
    let reply = one(&both, answer);
    let comments: Vec<_> = reply
        .message
        .components()
        .map(|it| it.value("COMMENT"))
        .collect();
    assert_eq!(comments, [Some("My train\\;\\nis late"); 2]);
    let (organizers, _) = received(&both, &reply);
    let text = String::from_utf8(organizers.write()).unwrap();
    assert!(
        text.contains("COMMENT;X-CONVOKE-FROM=\"mailto:b@example.com\":My train"),
        "{text}"
    );
    let silent = one(SERIES, Reply::new(PartStat::Tentative).with_comment(" "));
    assert!(
        silent
            .message
            .components()
            .all(|it| it.get("COMMENT").is_none())
    );
}

/// RFC 5546 §3.2.2.3, §4.2.5
#[test]
fn a_delegation_names_the_delegate_to_the_organizer() {
    let reply = one(
        SERIES,
        Reply::delegate_to(address("mailto:e@example.net")).with_comment("Eve knows more"),
    );
    assert_told(
        &reply,
        ALICE,
        "REPLY",
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:1\nDTSTART;TZID=Europe/Berlin:20270104T100000
         SUMMARY:Plan\nCOMMENT:Eve knows more\nORGANIZER:mailto:a@example.com
         ATTENDEE;PARTSTAT=DELEGATED;ROLE=CHAIR;DELEGATED-TO=\"mailto:e@example.net\":mailto:b@example.com
         ATTENDEE;ROLE=CHAIR;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;DELEGATED-FROM=\"mailto:b@example.com\"
         |:mailto:e@example.net\nEND:VEVENT",
    );
    let copy = followed(SERIES, &reply);
    let text = String::from_utf8(copy.write())
        .unwrap()
        .replace("\r\n ", "");
    assert!(
        text.contains("DELEGATED-TO=\"mailto:e@example.net\":mailto:b@example.com"),
        "{text}"
    );
    // Her host invites the delegate.
    let (_, told) = received(SERIES, &reply);
    assert_eq!(told[0].recipients, [address("mailto:e@example.net")]);
    // Who comes after all takes it back.
    let back = compose_reply(&copy, &owner(&[address(BOB)]), PartStat::Accepted, now()).unwrap();
    let answer = back[0].message.components().next().unwrap();
    let line = answer.get("ATTENDEE").unwrap();
    assert_eq!(
        (line.param("PARTSTAT"), line.param("DELEGATED-TO")),
        (Some("ACCEPTED"), None)
    );
}

#[test]
fn nobody_delegates_to_the_organizer_or_itself() {
    for delegate in [ALICE, BOB] {
        let error = reply(SERIES, Reply::delegate_to(address(delegate))).unwrap_err();
        assert!(matches!(error, ReplyError::Delegation(_)), "{error}");
        assert!(error.to_string().contains("nobody delegates to"), "{error}");
    }
    let nobody = PartStat::Delegated;
    assert_eq!(
        reply(SERIES, nobody.into()).unwrap_err(),
        ReplyError::NotAnAnswer(nobody)
    );
    // To somebody who is on the list.
    assert_eq!(
        one(SERIES, Reply::delegate_to(address(CARL)))
            .message
            .attendees()
            .len(),
        2
    );
}

/// The file that Bob's program has saved does not tell which version he answers.
#[test]
fn an_answer_is_one_to_the_version_that_was_received() {
    let saved = SERIES
        .replace("SEQUENCE:1", "SEQUENCE:7")
        .replace("20261201", "20261224");
    let recalled = recall(&calendar(&saved), &calendar(SERIES));
    let bobs = [address(BOB)];
    for answer in [
        Reply::new(PartStat::Declined),
        Reply::new(PartStat::Declined).to_instance(at("20270118")),
        Reply::delegate_to(address(CARL)),
    ] {
        let replies = compose_reply(&recalled, &owner(&bobs), answer, now()).unwrap();
        assert_eq!(replies[0].message.sequence(), 1);
    }
    let declined = saved.replace("PARTSTAT=ACCEPTED", "PARTSTAT=DECLINED");
    let after = recall(&calendar(&declined), &calendar(SERIES));
    let edited = edit(Some(&calendar(SERIES)), Some(&after), &owner(&bobs), now()).unwrap();
    assert_eq!(edited.outgoing[0].message.sequence(), 1);
}

/// Bob accepted an instance of a series while the series was moved, so that his answer was refused; the update asked him anew. A
/// command that saves it again told Alice that he says NEEDS-ACTION, which he never did. The simulator found it.
#[test]
fn a_command_does_not_say_again_what_an_update_has_asked_anew() {
    let own = [address(BOB)];
    let saved = |series: &str, more: &str| {
        let part = |id: &str, line: &str| {
            format!(
                "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1\n{id}
                 ORGANIZER;SCHEDULE-STATUS=5.2:mailto:a@example.com
                 ATTENDEE;{line}:mailto:b@example.com\nEND:VEVENT\n"
            )
        };
        let rule = "DTSTART:20270104T100000Z\nRRULE:FREQ=WEEKLY";
        let copy = calendar(&format!("{}{more}", part(rule, series)));
        let edited = edit(Some(&copy), Some(&copy), &owner(&own), now()).unwrap();
        let Change::Store(stored) = edited.store else {
            panic!("the status is spent")
        };
        let mut lines = stored.main_components().flat_map(|it| it.all("ORGANIZER"));
        assert!(lines.all(|line| line.param("SCHEDULE-STATUS").is_none()));
        let replies = edited.outgoing.iter().map(|it| it.message.calendar());
        let events = replies.flat_map(|it| it.main_components().collect::<Vec<_>>());
        let said = events.map(|event| {
            let line = event.get("ATTENDEE").and_then(|it| it.param("PARTSTAT"));
            (
                event.value("RECURRENCE-ID").is_some(),
                line.map(str::to_owned),
            )
        });
        said.collect::<Vec<_>>()
    };
    let word = |text: &str| Some(text.to_owned());
    assert_eq!(saved("PARTSTAT=NEEDS-ACTION", ""), []);
    assert_eq!(saved("RSVP=TRUE", ""), []);
    // What he has said, and that he has taken an answer back, the organizer did not get.
    let accepted = saved("PARTSTAT=ACCEPTED", "");
    assert_eq!(accepted, [(false, word("ACCEPTED"))]);
    let taken_back = "PARTSTAT=NEEDS-ACTION;X-CONVOKE-TAKEN-BACK=TRUE";
    assert_eq!(saved(taken_back, ""), [(false, word("NEEDS-ACTION"))]);
    // Of a series that was not answered, an instance that was.
    let instance = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1
        RECURRENCE-ID:20270111T100000Z\nDTSTART:20270111T100000Z
        ORGANIZER;SCHEDULE-STATUS=5.2:mailto:a@example.com
        ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com\nEND:VEVENT";
    let only_instance = saved("PARTSTAT=NEEDS-ACTION", instance);
    assert_eq!(only_instance, [(true, word("ACCEPTED"))]);
}
