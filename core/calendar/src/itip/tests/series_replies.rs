//! Replies to a recurring event: to the series, to single instances, and to an instance and all later ones.

use super::{ALICE, BOB, address, apply, assert_same, calendar, owner};
use crate::itip::{Change, unremembered};
use crate::tree::Calendar;
use convoke_types::RequestStatus;

const SERIES: &str = "BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    DTSTART:20270104T100000Z
    DTEND:20270104T110000Z
    RRULE:FREQ=WEEKLY
    ORGANIZER:mailto:a@example.com
    ATTENDEE:mailto:b@example.com
    END:VEVENT";

/// An instance that was moved by two hours, with what is known of Bob.
fn moved(day: &str, bob: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nRECURRENCE-ID:{day}T100000Z
         DTSTART:{day}T120000Z\nDTEND:{day}T130000Z\nORGANIZER:mailto:a@example.com
         ATTENDEE{bob}:mailto:b@example.com\nEND:VEVENT\n"
    )
}

fn answer(id: &str, stamp: &str, partstat: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:{stamp}\n{id}\nORGANIZER:mailto:a@example.com
         ATTENDEE;PARTSTAT={partstat}:mailto:b@example.com\nEND:VEVENT\n"
    )
}

fn noted(partstat: &str, stamp: &str) -> String {
    format!(
        ";PARTSTAT={partstat};X-CONVOKE-REPLY-SEQUENCE=0;X-CONVOKE-REPLY-DTSTAMP={stamp}
         |;SCHEDULE-STATUS=2.0"
    )
}

fn series(bob: &str) -> String {
    SERIES.replace("ATTENDEE:", &format!("ATTENDEE{bob}:"))
}

const LATER: &str = "20261205T100000Z";

#[test]
fn an_answer_to_the_series_leaves_instances_that_are_written_out() {
    let apart = [
        moved("20270111", ""),
        moved("20270118", ";PARTSTAT=DECLINED"),
    ]
    .join("\n");
    apply("REPLY", &answer("", LATER, "ACCEPTED"))
        .to(&format!("{SERIES}\n{apart}"))
        .gives(&format!("{}\n{apart}", series(&noted("ACCEPTED", LATER))));
}

#[test]
fn an_answer_that_names_an_instance_says_what_counts_for_it() {
    let both = answer("", LATER, "ACCEPTED")
        + &answer(
            "RECURRENCE-ID:20270111T100000Z",
            "20261204T100000Z",
            "TENTATIVE",
        );
    apply("REPLY", &both)
        .to(&format!("{SERIES}\n{}", moved("20270111", "")))
        .gives(&format!(
            "{}\n{}",
            series(&noted("ACCEPTED", LATER)),
            moved("20270111", &noted("TENTATIVE", "20261204T100000Z"))
        ));
}

/// A room accepts a series without one instance, in two answers that overtake each other on their way.
#[test]
fn an_answer_to_an_instance_counts_though_a_later_one_to_its_series_came_first() {
    let instance = answer(
        "RECURRENCE-ID:20270111T100000Z",
        "20261204T100000Z",
        "DECLINED",
    );
    let whole = answer("", LATER, "ACCEPTED");
    let heard = |order: [&str; 2]| {
        order.iter().fold(calendar(SERIES), |known, answer| {
            match apply("REPLY", answer).over(known).received().change {
                Change::Store(known) => known,
                other => panic!("{other:?}"),
            }
        })
    };
    let in_order = heard([&instance, &whole]);
    let text = String::from_utf8(in_order.write()).unwrap();
    assert!(text.contains("PARTSTAT=DECLINED") && text.contains("PARTSTAT=ACCEPTED"));
    assert_same(&heard([&whole, &instance]), &in_order);
    // One that has been overtaken by another one to the same instance does not.
    let earlier = instance
        .replace("20261204", "20261203")
        .replace("DECLINED", "TENTATIVE");
    apply("REPLY", &earlier).over(in_order).changes_nothing();
}

#[test]
fn an_answer_is_heard_as_far_as_it_is_about_something() {
    let astray = answer("RECURRENCE-ID:20270112T100000Z", LATER, "DECLINED");
    apply("REPLY", &(answer("", LATER, "ACCEPTED") + &astray))
        .to(SERIES)
        .gives(&series(&noted("ACCEPTED", LATER)));
    apply("REPLY", &astray)
        .to(SERIES)
        .refuses_with(&RequestStatus::INVALID_CALENDAR_SERVICE);
}

#[test]
fn an_answer_for_this_and_all_later_instances_is_kept_as_one() {
    let id = "RECURRENCE-ID;RANGE=THISANDFUTURE:20270111T100000Z";
    let from_then_on = format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\n{id}\nDTSTART:20270111T100000Z
         DTEND:20270111T110000Z\nORGANIZER:mailto:a@example.com
         ATTENDEE{}:mailto:b@example.com\nEND:VEVENT",
        noted("DECLINED", LATER)
    );
    apply("REPLY", &answer(id, LATER, "DECLINED"))
        .to(&format!(
            "{SERIES}\n{}",
            moved("20270118", ";PARTSTAT=ACCEPTED")
        ))
        .gives(&format!(
            "{SERIES}\n{from_then_on}\n{}",
            moved("20270118", ";PARTSTAT=DECLINED")
        ))
        // A later instance is told from what holds from then on.
        .then(
            "REPLY",
            &answer(
                "RECURRENCE-ID:20270125T100000Z",
                "20261206T100000Z",
                "TENTATIVE",
            ),
        )
        .gives(&format!(
            "{SERIES}\n{from_then_on}\n{}\n{}",
            moved("20270118", ";PARTSTAT=DECLINED"),
            from_then_on
                .replace(";RANGE=THISANDFUTURE", "")
                .replace("20270111", "20270125")
                .replace("DECLINED", "TENTATIVE")
                .replace(LATER, "20261206T100000Z")
        ));
}

/// Whoever comes instead from an instance on comes to all later ones; who comes after all sends nobody.
#[test]
fn somebody_is_sent_to_an_instance_and_all_later_ones() {
    let from_then_on = "RECURRENCE-ID;RANGE=THISANDFUTURE:20270111T100000Z";
    let to_eve = ";DELEGATED-TO=\"mailto:e@example.net\"";
    let eve = "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;DELEGATED-FROM=\"mailto:b@example.com\":mailto:e@example.net
        END:VEVENT";
    let later = |bob: &str| moved("20270118", bob);
    let sends = answer(from_then_on, LATER, "DELEGATED")
        .replace("PARTSTAT=DELEGATED", &format!("PARTSTAT=DELEGATED{to_eve}"));
    let this = |bob: &str| {
        let this =
            moved("20270111", bob).replace("RECURRENCE-ID:", "RECURRENCE-ID;RANGE=THISANDFUTURE:");
        this.replace("DTSTAMP:20261202", "DTSTAMP:20261201")
            .replace("T120000Z", "T100000Z")
            .replace("T130000Z", "T110000Z")
    };
    let with_eve = |part: String| part.replace("END:VEVENT", eve);
    let sent = format!("{to_eve}{}", noted("DELEGATED", LATER));
    let next = "20261206T100000Z";
    apply("REPLY", &sends)
        .by(BOB)
        .to(&format!("{SERIES}\n{}", later("")))
        .gives(&format!(
            "{SERIES}\n{}\n{}",
            with_eve(this(&sent)),
            with_eve(later(&format!(";PARTSTAT=DELEGATED{to_eve}")))
        ))
        .then("REPLY", &answer(from_then_on, next, "ACCEPTED"))
        .gives(&format!(
            "{SERIES}\n{}\n{}",
            with_eve(this(&noted("ACCEPTED", next))),
            with_eve(later(";PARTSTAT=ACCEPTED"))
        ));
}

#[test]
fn an_answer_to_a_version_that_never_was_does_not_silence_later_ones() {
    let future = answer("SEQUENCE:99", LATER, "ACCEPTED");
    let next = "20261206T100000Z";
    apply("REPLY", &future)
        .to(SERIES)
        .gives(&series(&noted("ACCEPTED", LATER)))
        .then("REPLY", &answer("SEQUENCE:0", next, "DECLINED"))
        .gives(&series(&noted("DECLINED", next)));
}

#[test]
fn a_delegator_may_go_on_hearing_of_it() {
    let delegated = ";PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:e@example.net\"";
    let said = answer("", LATER, "DELEGATED").replace(
        ";PARTSTAT=DELEGATED",
        &format!("{delegated};ROLE=NON-PARTICIPANT"),
    );
    apply("REPLY", &said).by(BOB).to(SERIES).gives(&series(&format!(
        ";ROLE=NON-PARTICIPANT{};DELEGATED-TO=\"mailto:e@example.net\"",
        noted("DELEGATED", LATER)
    )).replace(
        "END:VEVENT",
        "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;DELEGATED-FROM=\"mailto:b@example.com\":mailto:e@example.net\nEND:VEVENT",
    ));
}

#[test]
fn an_invitation_to_one_instance_is_not_one_to_the_series() {
    let once = moved("20270111", "").replace("b@", "d@");
    let answers = |id: &str| {
        let said = answer(id, LATER, "ACCEPTED").replace("b@", "d@");
        apply("REPLY", &said).to(&format!("{SERIES}\n{once}"))
    };
    answers("").refuses_with(&RequestStatus::NO_AUTHORITY);
    answers("RECURRENCE-ID:20270118T100000Z").refuses_with(&RequestStatus::NO_AUTHORITY);
    answers("RECURRENCE-ID:20270111T100000Z").received();
    // Bob is on the list of the series, but not of that instance any more.
    apply(
        "REPLY",
        &answer("RECURRENCE-ID:20270111T100000Z", LATER, "ACCEPTED"),
    )
    .to(&format!("{SERIES}\n{once}"))
    .refuses_with(&RequestStatus::NO_AUTHORITY);
}

/// The answer to a series holds for an instance that comes later; where they have crossed, its organizer cannot know.
#[test]
fn an_answer_that_a_new_instance_has_crossed_is_said() {
    let answered = |own: &str| SERIES.replace(":mailto:b@", &format!("{own}:mailto:b@"));
    let copy = answered(";PARTSTAT=TENTATIVE");
    let told = |series: &str, instance: &str| {
        let moved = moved("20270111", instance).replace("T120000Z", "T100000Z");
        let moved = moved.replace("T130000Z", "T110000Z\nSUMMARY:Workshop");
        let series = SERIES.replace(":mailto:b@", &format!("{series}:mailto:b@"));
        apply("REQUEST", &format!("{series}\n{moved}"))
    };
    let accepted = ";PARTSTAT=ACCEPTED";
    let taken_back = answered(";PARTSTAT=NEEDS-ACTION;X-CONVOKE-TAKEN-BACK=TRUE");
    for (copy, [series, instance], said) in [
        (&copy, ["", ""], "TENTATIVE"),
        (&copy, [accepted, accepted], "TENTATIVE"),
        // The organizer knows that the answer to the series is taken back.
        (&taken_back, ["", accepted], "NEEDS-ACTION"),
        (&taken_back, [accepted, accepted], "NEEDS-ACTION"),
    ] {
        let reply = format!(
            "BEGIN:VEVENT
            DTSTAMP:20270101T000000Z
            UID:1
            RECURRENCE-ID:20270111T100000Z
            SEQUENCE:0
            ORGANIZER:mailto:a@example.com
            DTSTART:20270111T100000Z
            SUMMARY:Workshop
            ATTENDEE;PARTSTAT={said}:mailto:b@example.com
            END:VEVENT"
        );
        let arriving = told(series, instance).to(copy);
        arriving.sends("mailto:a@example.com", "REPLY", &reply);
    }
    // Who comes instead comes to the instance, too.
    let sent = ";PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:e@example.net\"";
    let reply = format!(
        "BEGIN:VEVENT\nDTSTAMP:20270101T000000Z\nUID:1\nRECURRENCE-ID:20270111T100000Z\nSEQUENCE:0
         ORGANIZER:mailto:a@example.com\nDTSTART:20270111T100000Z\nSUMMARY:Workshop
         ATTENDEE{sent}:mailto:b@example.com
         ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;DELEGATED-FROM=\"mailto:b@example.com\":mailto:e@example.net
         END:VEVENT"
    );
    for known in ["", accepted] {
        let arriving = told(known, known).to(&answered(sent));
        arriving.sends("mailto:a@example.com", "REPLY", &reply);
    }
    // It is known, it was no answer, or it is for the attendee's own program to say.
    let tentative = ";PARTSTAT=TENTATIVE";
    let silent = [
        told(tentative, tentative).to(&copy),
        told("", "").to(SERIES),
        told("", "").to(&copy.replace("ORGANIZER", "ORGANIZER;SCHEDULE-AGENT=CLIENT")),
        told("", "").to(&taken_back),
    ];
    for arriving in silent {
        assert!(arriving.received().outgoing.is_empty());
    }
}

/// An instance was written out with a greater SEQUENCE than its series, which asks anew whoever has answered that meanwhile. So who
/// answers the series, and is taken to have answered the instance, is told how it counts. Found by the simulator.
#[test]
fn who_is_taken_to_have_answered_a_later_instance_is_told_so() {
    let untold = ";X-CONVOKE-ASKED-SEQUENCE=0;X-CONVOKE-UNTOLD=20261206T100000Z";
    for (sequence, told) in [("", 0), ("SEQUENCE:3\n", 1)] {
        let instance = moved("20270111", untold).replace("DTSTART", &format!("{sequence}DTSTART"));
        let received = apply("REPLY", &answer("SEQUENCE:0", LATER, "TENTATIVE"))
            .to(&format!("{SERIES}\n{instance}"))
            .received();
        let Change::Store(stored) = received.change else {
            panic!("the answer counts");
        };
        assert_eq!(tentative(&stored), 2);
        assert_eq!(received.outgoing.len(), told, "{sequence}");
        for outgoing in &received.outgoing {
            assert_eq!(outgoing.recipients, [address(BOB)]);
            assert_eq!(tentative(outgoing.message.calendar()), 2);
        }
    }
}

fn tentative(calendar: &Calendar) -> usize {
    let text = String::from_utf8(calendar.write()).unwrap();
    text.matches("PARTSTAT=TENTATIVE").count()
}

/// What was remembered is lost. Alice's copy has an instance written out, for somebody has answered it: whether Bob was told of it by
/// itself, nobody knows. His answer to the series goes for it, and he is told so. Found by the simulator.
#[test]
fn an_answer_to_the_series_goes_for_what_nobody_knows_that_it_is_written_out() {
    let as_series = |bob: &str| moved("20270111", bob).replace("T120000Z", "T100000Z");
    let as_series = |bob: &str| as_series(bob).replace("T130000Z", "T110000Z");
    let answered = |instance: &str| {
        let addresses = [address(ALICE)];
        let found = calendar(&format!("{SERIES}\n{instance}"));
        let found = unremembered(&found, &owner(&addresses));
        let said = answer("", LATER, "TENTATIVE");
        let received = apply("REPLY", &said).over(found).received();
        let Change::Store(stored) = received.change else {
            panic!("the answer counts");
        };
        let told = received.outgoing.iter();
        let told = told.map(|it| tentative(it.message.calendar()));
        (tentative(&stored), told.collect::<Vec<_>>())
    };
    assert_eq!(answered(&as_series("")), (2, vec![2]));
    // Of what is otherwise he was told; what he has answered by itself, he knows.
    assert_eq!(answered(&moved("20270111", "")), (1, vec![]));
    let declined = as_series(";PARTSTAT=DECLINED");
    assert_eq!(answered(&declined), (1, vec![]));
}
