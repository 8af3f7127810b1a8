//! Proposals, refreshes and added instances.

use super::{
    ALICE, BOB, CARL, address, apply, assert_outgoing, assert_same, calendar, now, owner,
    without_zones,
};
use crate::itip::{
    Outgoing, Proposal, ReplyError, accept_counter, compose_counter, compose_decline_counter, edit,
};
use crate::message::{Message, Method};
use crate::time::{Clock, When};
use crate::tree::{Calendar, Property};
use convoke_types::RequestStatus;

const EVENT: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:1
    DTSTART:20270104T100000Z
    DTEND:20270104T110000Z
    ORGANIZER:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED;X-CONVOKE-REPLY-SEQUENCE=1;SCHEDULE-STATUS=2.0:mailto:b@example.com
    COMMENT;X-CONVOKE-FROM=\"mailto:b@example.com\":psst
    BEGIN:VALARM
    ACTION:DISPLAY
    TRIGGER:-PT10M
    END:VALARM
    END:VEVENT";

#[test]
fn proposals_are_kept_for_the_person() {
    let proposal = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:1
        DTSTART:20270104T120000Z\nORGANIZER:mailto:a@example.com
        ATTENDEE:mailto:b@example.com\nEND:VEVENT";
    apply("COUNTER", proposal).to(EVENT).keeps_for_the_person();
    apply("COUNTER", proposal).refuses_with(&RequestStatus::NO_AUTHORITY);
    apply("COUNTER", &proposal.replace("mailto:b@", "mailto:x@"))
        .to(EVENT)
        .refuses_with(&RequestStatus::NO_AUTHORITY);
    apply("DECLINECOUNTER", proposal)
        .to(EVENT)
        .keeps_for_the_person();
    apply("DECLINECOUNTER", proposal).changes_nothing();
}

#[test]
fn the_latest_version_goes_to_who_is_invited_without_what_is_private() {
    let question = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nORGANIZER:mailto:a@example.com
        ATTENDEE:mailto:b@example.com\nEND:VEVENT";
    apply("REFRESH", question)
        .to(EVENT)
        .changes_nothing()
        .sends(
            BOB,
            "REQUEST",
            "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:1\nDTSTART:20270104T100000Z
         DTEND:20270104T110000Z\nORGANIZER:mailto:a@example.com
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com\nEND:VEVENT",
        );
    apply("REFRESH", &question.replace("mailto:b@", "mailto:x@"))
        .to(EVENT)
        .refuses_with(&RequestStatus::NO_AUTHORITY);
    apply("REFRESH", question).refuses_with(&RequestStatus::NO_AUTHORITY);
}

#[test]
fn an_added_instance_joins_the_series() {
    let series = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1
        DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nRRULE:FREQ=WEEKLY\nSUMMARY:Plan
        ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    let added = |place: &str| {
        format!(
            "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2
             DTSTART:20270106T100000Z\nDTEND:20270106T110000Z\nSUMMARY:Plan
             ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\n{place}\nEND:VEVENT"
        )
    };
    let longer = series
        .replace("20261201", "20261202")
        .replace("SEQUENCE:1", "SEQUENCE:2\nRDATE:20270106T100000Z");
    apply("ADD", &added(""))
        .to(series)
        .gives(&longer)
        .then("REQUEST", series)
        .changes_nothing();
    apply("ADD", &added("LOCATION:Elsewhere"))
        .to(series)
        .gives(&format!(
            "{longer}\n{}",
            added("LOCATION:Elsewhere\nRECURRENCE-ID:20270106T100000Z")
        ));
}

#[test]
fn an_add_to_an_unknown_version_causes_a_refresh() {
    apply(
        "ADD",
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2\nDTSTART:20270106T100000Z
         ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT",
    )
    .changes_nothing()
    .sends(
        "mailto:a@example.com",
        "REFRESH",
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nORGANIZER:mailto:a@example.com
         ATTENDEE:mailto:b@example.com\nEND:VEVENT",
    );
}

/// A weekly meeting of Alice's in Berlin.
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
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com
    ATTENDEE:mailto:c@example.com
    END:VEVENT";

fn at(value: &str) -> When {
    When::of(&Property::new("DTSTART", value)).unwrap()
}

fn proposal(start: &str) -> Proposal {
    Proposal {
        start: at(start),
        end: None,
        instance: None,
        comment: None,
    }
}

fn countered(existing: &str, proposal: &Proposal) -> Result<Outgoing, ReplyError> {
    compose_counter(
        &calendar(existing),
        &owner(&[address(BOB)]),
        proposal,
        now(),
    )
}

fn accepted(existing: &str, counter: &Outgoing) -> Result<Calendar, ReplyError> {
    accept_counter(
        &calendar(existing),
        &counter.message,
        &owner(&[address(ALICE)]),
    )
}

#[test]
fn another_time_is_proposed_with_all_of_the_meeting() {
    let moved = |start: &str, end: &str| {
        EVENT
            .replace("20261201T100000Z", "20270101T000000Z")
            .replace("DTSTART:20270104T100000Z", start)
            .replace("DTEND:20270104T110000Z", end)
            .replace(";X-CONVOKE-REPLY-SEQUENCE=1;SCHEDULE-STATUS=2.0", "")
            .replace(
                "    COMMENT;X-CONVOKE-FROM=\"mailto:b@example.com\":psst\n",
                "",
            )
            .replace(
                "    BEGIN:VALARM\n    ACTION:DISPLAY\n    TRIGGER:-PT10M\n    END:VALARM\n",
                "",
            )
    };
    for (start, end, expected) in [
        (
            "20270104T120000Z",
            None,
            ("DTSTART:20270104T120000Z", "DTEND:20270104T130000Z"),
        ),
        // On the clock that it is on.
        (
            "20270104T120000",
            None,
            ("DTSTART:20270104T120000Z", "DTEND:20270104T130000Z"),
        ),
        (
            "20270104T120000",
            Some("20270104T123000"),
            ("DTSTART:20270104T120000Z", "DTEND:20270104T123000Z"),
        ),
    ] {
        let proposal = Proposal {
            end: end.map(at),
            ..proposal(start)
        };
        let counter = countered(EVENT, &proposal).unwrap();
        assert_eq!(counter.originator, address(BOB));
        assert_outgoing(&counter, ALICE, "COUNTER", &moved(expected.0, expected.1));
        let arriving = apply("COUNTER", &moved(expected.0, expected.1));
        arriving.to(EVENT).keeps_for_the_person();
    }
    let commented = Proposal {
        comment: Some("Rather later".to_owned()),
        ..proposal("20270104T120000Z")
    };
    let counter = countered(EVENT, &commented).unwrap();
    let said = counter.message.components().next().unwrap();
    assert_eq!(said.value("COMMENT"), Some("Rather later"));
    // In another zone, which it describes.
    let mut elsewhere = proposal("20270104T120000");
    elsewhere.start.clock = Clock::Zone("America/New_York".to_owned());
    let counter = countered(SERIES, &elsewhere).unwrap();
    let zones = counter.message.calendar().zones();
    let zones: Vec<_> = zones.filter_map(|zone| zone.value("TZID")).collect();
    assert_eq!(zones, ["America/New_York"]);
    let said = counter.message.components().next().unwrap();
    assert_eq!(said.value("DTEND"), Some("20270104T130000"));
}

#[test]
fn what_cannot_be_proposed_is_said() {
    let error = |existing: &str, proposal: &Proposal| countered(existing, proposal).unwrap_err();
    let early = Proposal {
        end: Some(at("20270104T110000Z")),
        ..proposal("20270104T120000Z")
    };
    assert!(
        error(EVENT, &early)
            .to_string()
            .contains("nothing before DTSTART")
    );
    assert!(matches!(
        error(EVENT, &proposal("20270104")),
        ReplyError::Odd(_)
    ));
    let instance = Proposal {
        instance: Some(at("20270105")),
        ..proposal("20270104T120000")
    };
    assert_eq!(
        error(SERIES, &instance),
        ReplyError::NoSuchInstance("20270105".to_owned())
    );
    let off = EVENT.replace("BEGIN:VALARM", "STATUS:CANCELLED\nBEGIN:VALARM");
    let later = &proposal("20270104T120000Z");
    assert_eq!(error(&off, later), ReplyError::Cancelled);
    assert_eq!(
        error(&EVENT.replace("ATTENDEE;", "X-A;"), later),
        ReplyError::NotInvited
    );
    assert_eq!(
        error(&EVENT.replace("ORGANIZER:", "X-A:"), later),
        ReplyError::NoOrganizer
    );
    assert_eq!(
        error(&EVENT.replace("mailto:a@", "mailto:b@"), later),
        ReplyError::OwnInvitation
    );
}

#[test]
fn a_proposal_that_is_accepted_is_an_edit_that_everybody_hears_of() {
    let counter = countered(SERIES, &proposal("20270104T140000")).unwrap();
    let after = accepted(SERIES, &counter).unwrap();
    let expected = SERIES
        .replace("T100000\n", "T140000\n")
        .replace("T110000\n", "T150000\n");
    assert_same(&without_zones(&after), &calendar(&expected));
    let alices = [address(ALICE)];
    let edited = edit(
        Some(&calendar(SERIES)),
        Some(&after),
        &owner(&alices),
        now(),
    )
    .unwrap();
    let [request] = &edited.outgoing[..] else {
        panic!("{:?}", edited.outgoing)
    };
    assert_eq!(request.recipients, [BOB, CARL].map(address));
    assert_eq!(request.message.sequence(), 2);
    // The same again proposes nothing.
    assert_eq!(
        accepted(&expected, &counter).unwrap_err(),
        ReplyError::NothingProposed
    );
}

#[test]
fn one_instance_is_moved_by_a_proposal() {
    let once = Proposal {
        instance: Some(at("20270111")),
        ..proposal("20270112T150000")
    };
    let counter = countered(SERIES, &once).unwrap();
    assert_eq!(counter.message.instance_names(), "2027-01-11T09:00:00Z");
    let after = accepted(SERIES, &counter).unwrap();
    let instance = SERIES
        .replace("20270104T100000", "20270112T150000")
        .replace("20270104T110000", "20270112T160000")
        .replace(
            "RRULE:FREQ=WEEKLY",
            "RECURRENCE-ID;TZID=Europe/Berlin:20270111T100000",
        );
    assert_same(
        &without_zones(&after),
        &calendar(&format!("{SERIES}{instance}")),
    );
    // What was said of single instances goes when all the series moves.
    let moved = countered(SERIES, &proposal("20270105T100000")).unwrap();
    let after = accepted(&format!("{SERIES}{instance}"), &moved).unwrap();
    assert_eq!(after.main_components().count(), 1);
    // There is no such instance any more.
    let without = SERIES.replace("SUMMARY", "EXDATE:20270111T090000Z\nSUMMARY");
    let error = accepted(&without, &counter).unwrap_err();
    assert_eq!(
        error,
        ReplyError::NoSuchInstance("20270111T100000".to_owned())
    );
}

/// An attendee may write anything into a COUNTER; only times and the place are looked at before they are taken.
#[test]
fn a_proposal_changes_nothing_but_time_and_place() {
    let proposed = SERIES
        .replace("20270104T100000", "20270105T100000")
        .replace("20270104T110000", "20270105T110000")
        .replace("SUMMARY:Plan", "SUMMARY:Fraud\nLOCATION:Here\nEXDATE:20270112T090000Z\nDESCRIPTION:https://evil.example")
        .replace("ATTENDEE:mailto:c@", "ATTENDEE:mailto:x@");
    let message = Message::read(calendar(&format!("METHOD:COUNTER\n{proposed}"))).unwrap();
    let after = accept_counter(&calendar(SERIES), &message, &owner(&[address(ALICE)])).unwrap();
    let expected = SERIES
        .replace("20270104T100000", "20270105T100000")
        .replace("20270104T110000", "20270105T110000")
        .replace("SUMMARY", "LOCATION:Here\nSUMMARY");
    assert_same(&without_zones(&after), &calendar(&expected));
    let as_bob = accept_counter(&calendar(SERIES), &message, &owner(&[address(BOB)]));
    assert_eq!(as_bob.unwrap_err(), ReplyError::NotOrganizer);
    let other = calendar(&SERIES.replace("UID:1", "UID:2"));
    let other = accept_counter(&other, &message, &owner(&[address(ALICE)]));
    assert_eq!(other.unwrap_err(), ReplyError::NotSchedulable);
    let request = Message::read(calendar(&format!("METHOD:REQUEST\n{proposed}"))).unwrap();
    let error = accept_counter(&calendar(SERIES), &request, &owner(&[address(ALICE)])).unwrap_err();
    assert_eq!(error, ReplyError::NotAProposal(Method::Request));
}

/// RFC 5546 §3.2.8
#[test]
fn a_proposal_that_is_declined_is_answered() {
    let once = Proposal {
        instance: Some(at("20270111")),
        ..proposal("20270112T150000")
    };
    let counter = countered(SERIES, &once).unwrap();
    let declined =
        compose_decline_counter(&counter.message, &address(BOB), Some("Too late"), now());
    let declined = declined.unwrap();
    assert_eq!(declined.originator, address(ALICE));
    let zone = ";TZID=Europe/Berlin";
    assert_eq!(declined.message.calendar().zones().count(), 1);
    let told = Message::read(calendar(&format!(
        "METHOD:DECLINECOUNTER\nBEGIN:VEVENT\nDTSTAMP:20270101T000000Z\nUID:1\nRECURRENCE-ID{zone}:20270111T100000
         SEQUENCE:1\nDTSTART{zone}:20270112T150000\nSUMMARY:Plan\nORGANIZER:mailto:a@example.com
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com\nCOMMENT:Too late\nEND:VEVENT"
    )))
    .unwrap();
    let component = |it: &Message| it.components().next().cloned();
    assert_eq!(component(&declined.message), component(&told));
    let error = compose_decline_counter(&declined.message, &address(BOB), None, now()).unwrap_err();
    assert_eq!(error, ReplyError::NotAProposal(Method::DeclineCounter));
}
