//! What is asked of a room, occurrence by occurrence, and its answers.

use super::{BOB, address, calendar, now, owner};
use crate::itip::{
    Answer, Answers, Occurrence, PartStat, ReplyError, compose_answers, decide_tentative,
    hide_details, knows_answers, note_answers, occurrences,
};
use crate::message::Message;
use crate::recurrence::RecurrenceError;
use crate::tree::Calendar;
use crate::work::Work;
use convoke_types::TimeRange;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Alice's event, to which Bob is invited, with these lines.
fn event(lines: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:3\nORGANIZER:mailto:a@example.com\n\
         ATTENDEE:mailto:c@example.com\n{lines}END:VEVENT\n"
    )
}

const WEEKLY: &str = "DTSTART;TZID=Europe/Berlin:20270104T100000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=4\n\
                      ATTENDEE;RSVP=TRUE:mailto:b@example.com\n";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn found(components: &str, most: usize) -> Result<Vec<Occurrence>, RecurrenceError> {
    let addresses = [address(BOB)];
    let horizon = TimeRange::new(at("2027-01-01T00:00:00Z"), at("2027-02-01T00:00:00Z")).unwrap();
    let mut work = Work::of(10_000_000);
    let found = occurrences(
        &calendar(components),
        &owner(&addresses),
        horizon,
        most,
        &mut work,
    );
    found.map(|found| found.each)
}

#[test]
fn occurrences_are_those_that_take_place_and_that_one_is_invited_to() {
    let moved = event(
        "RECURRENCE-ID;TZID=Europe/Berlin:20270111T100000\nDTSTART;TZID=Europe/Berlin:20270112T100000\nDURATION:PT2H\n\
         ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com\n",
    );
    let without = event(
        "RECURRENCE-ID;TZID=Europe/Berlin:20270118T100000\nDTSTART;TZID=Europe/Berlin:20270118T100000\nDURATION:PT1H\n",
    );
    let cancelled = event(
        "RECURRENCE-ID;TZID=Europe/Berlin:20270125T100000\nDTSTART;TZID=Europe/Berlin:20270125T100000\nDURATION:PT1H\n\
         STATUS:CANCELLED\nATTENDEE:mailto:b@example.com\n",
    );
    let found = found(&[event(WEEKLY), moved, without, cancelled].concat(), 10).unwrap();
    let [first, second] = found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(first.start, at("2027-01-04T09:00:00Z"));
    assert_eq!(
        (first.answer, first.is_apart),
        (PartStat::NeedsAction, false)
    );
    assert_eq!(second.id, at("2027-01-11T09:00:00Z"));
    assert_eq!(
        (second.start, second.end),
        (at("2027-01-12T09:00:00Z"), at("2027-01-12T11:00:00Z"))
    );
    assert_eq!((second.answer, second.is_apart), (PartStat::Declined, true));
}

#[test]
fn occurrences_are_bounded_by_their_number_the_horizon_and_work() {
    assert_eq!(found(&event(WEEKLY), 4).unwrap().len(), 4);
    assert!(matches!(
        found(&event(WEEKLY), 3),
        Err(RecurrenceError::TooMany(3))
    ));
    let endless = WEEKLY.replace(";COUNT=4", "");
    assert_eq!(found(&event(&endless), 10).unwrap().len(), 4, "of January");
    let often = endless.replace("WEEKLY", "SECONDLY");
    assert!(matches!(
        found(&event(&often), usize::MAX),
        Err(RecurrenceError::TooMuchWork)
    ));
}

fn noted(existing: &Calendar, answers: &Answers) -> String {
    let addresses = [address(BOB)];
    let noted = note_answers(existing, &owner(&addresses), answers).unwrap();
    String::from_utf8(noted.write())
        .unwrap()
        .replace("\r\n ", "")
}

#[test]
fn each_part_has_its_answer_and_the_organizer_hears_of_each() {
    let existing = calendar(&event(WEEKLY));
    let declined = Answer::new(PartStat::Declined).because("Taken, alas");
    let answers = Answers {
        whole: Some(Answer::new(PartStat::Accepted)),
        instances: BTreeMap::from([(at("2027-01-11T09:00:00Z"), declined)]),
        rest: None,
    };
    let stored = noted(&existing, &answers);
    assert!(
        stored.contains("RECURRENCE-ID;TZID=Europe/Berlin:20270111T100000"),
        "{stored}"
    );
    let lines: Vec<&str> = stored
        .lines()
        .filter(|it| it.contains("b@example.com"))
        .collect();
    let [whole, instance] = lines[..] else {
        panic!("{stored}");
    };
    assert_eq!(whole, "ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com");
    assert_eq!(instance, "ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com");

    let addresses = [address(BOB)];
    let replies = compose_answers(&existing, &owner(&addresses), &answers, now()).unwrap();
    let [reply] = replies.as_slice() else {
        panic!("{replies:?}");
    };
    assert_eq!(reply.recipients, [address(super::ALICE)]);
    let text = String::from_utf8(reply.message.calendar().write()).unwrap();
    assert_eq!(text.matches("BEGIN:VEVENT").count(), 2, "{text}");
    assert!(
        text.contains("COMMENT:Taken\\, alas") && text.contains("SEQUENCE:3"),
        "{text}"
    );
    assert!(!text.contains("c@example.com"), "{text}");
}

#[test]
fn what_is_called_off_is_answered_by_nobody() {
    let addresses = [address(BOB)];
    let all = Answers::to_all(Answer::new(PartStat::Accepted));
    for (lines, replies) in [
        (WEEKLY.to_owned(), 1),
        (format!("{WEEKLY}STATUS:CANCELLED\n"), 0),
        (WEEKLY.replace("b@", "d@"), 0),
    ] {
        let existing = calendar(&event(&lines));
        let composed = compose_answers(&existing, &owner(&addresses), &all, now()).unwrap();
        assert_eq!(composed.len(), replies, "{lines}");
        assert_eq!(
            noted(&existing, &all).contains("ACCEPTED"),
            replies == 1,
            "{lines}"
        );
    }
    let own = calendar(&event(WEEKLY).replace("ORGANIZER:mailto:a@", "ORGANIZER:mailto:b@"));
    let composed = compose_answers(&own, &owner(&addresses), &all, now());
    assert_eq!(composed.unwrap_err(), ReplyError::OwnInvitation);
}

#[test]
fn an_object_does_not_grow_beyond_bounds_by_answers() {
    let addresses = [address(BOB)];
    let long = format!(
        "{}DESCRIPTION:{}\n",
        WEEKLY.replace("=4", "=999"),
        "x".repeat(100_000)
    );
    let existing = calendar(&event(&long));
    let each = (0..999).map(|week| {
        let days = jiff::SignedDuration::from_hours(7 * 24 * week);
        let id = at("2027-01-04T09:00:00Z").checked_add(days).unwrap();
        (id, Answer::new(PartStat::Declined))
    });
    let answers = Answers {
        instances: each.collect(),
        ..Answers::default()
    };
    let noted = note_answers(&existing, &owner(&addresses), &answers);
    assert_eq!(noted.unwrap_err(), ReplyError::TooLarge);
}

#[test]
fn what_was_tentative_is_decided_and_nothing_else() {
    let addresses = [address(BOB)];
    let tentative = WEEKLY.replace("RSVP=TRUE", "PARTSTAT=TENTATIVE");
    let refused = event(
        "RECURRENCE-ID;TZID=Europe/Berlin:20270111T100000\nDTSTART;TZID=Europe/Berlin:20270111T100000\nDURATION:PT1H\n\
         ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com\n",
    );
    let existing = calendar(&[event(&tentative), refused].concat());
    let accepted = Answer::new(PartStat::Accepted);
    let decided = decide_tentative(&existing, &owner(&addresses), &accepted, now());
    let (after, outgoing) = decided.unwrap().unwrap();
    let text = String::from_utf8(after.write()).unwrap();
    assert!(
        text.contains("PARTSTAT=ACCEPTED") && text.contains("PARTSTAT=DECLINED"),
        "{text}"
    );
    assert_eq!(outgoing.len(), 1);
    let again = decide_tentative(&after, &owner(&addresses), &accepted, now());
    assert!(again.unwrap().is_none());
}

#[test]
fn an_organizer_knows_the_answers_that_it_names() {
    let addresses = [address(BOB)];
    let stored = calendar(&event(&WEEKLY.replace("RSVP=TRUE", "PARTSTAT=ACCEPTED")));
    for (said, is_known) in [
        ("RSVP=TRUE", false),
        ("PARTSTAT=NEEDS-ACTION", false),
        ("PARTSTAT=DECLINED", false),
        ("PARTSTAT=ACCEPTED", true),
    ] {
        let text = format!(
            "METHOD:REQUEST\n{}",
            event(&WEEKLY.replace("RSVP=TRUE", said))
        );
        let message = Message::read(calendar(&text)).unwrap();
        assert_eq!(
            knows_answers(&message, &stored, &owner(&addresses)),
            is_known,
            "{said}"
        );
    }
}

#[test]
fn what_a_meeting_is_about_is_hidden_and_when_it_is_stays() {
    let addresses = [address(BOB)];
    let full = event(&format!(
        "{WEEKLY}SUMMARY:Layoffs\nDESCRIPTION:Who goes\nLOCATION:Bridge\nX-NOTE:all of them\nCATEGORIES:Staff\n\
         BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Layoffs\nTRIGGER:-PT5M\nEND:VALARM\n"
    ));
    let beside = "BEGIN:X-NOTE\nSUMMARY:Layoffs\nEND:X-NOTE\n";
    let text = format!("X-WR-CALNAME:Layoffs\n{full}{beside}");
    let hidden = hide_details(&calendar(&text), &owner(&addresses), "Booked, that is all");
    let text = String::from_utf8(hidden.write()).unwrap();
    for secret in [
        "Layoffs",
        "Who goes",
        "Bridge",
        "all of them",
        "Staff",
        "c@example.com",
    ] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    for shown in [
        "SUMMARY:Booked\\, that is all",
        "RRULE:",
        "SEQUENCE:3",
        "ORGANIZER:mailto:a@",
        "mailto:b@",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
}
