//! Replies as the organizer's copy records them.

use super::{BOB, CARL, apply};
use convoke_types::RequestStatus;

const EVENT: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:1
    DTSTART:20270104T100000Z
    DTEND:20270104T110000Z
    RRULE:FREQ=WEEKLY
    SUMMARY:Plan
    ORGANIZER:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com
    ATTENDEE;ROLE=OPT-PARTICIPANT;RSVP=TRUE:mailto:b@example.com
    ATTENDEE:mailto:c@example.com
    END:VEVENT";

const BOBS: &str = "ATTENDEE;ROLE=OPT-PARTICIPANT;RSVP=TRUE:mailto:b@example.com";

fn answer(rest: &str) -> String {
    format!("BEGIN:VEVENT\nUID:1\nORGANIZER:mailto:a@example.com\n{rest}\nEND:VEVENT")
}

fn answered(partstat: &str, stamp: &str) -> String {
    format!(
        "ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT={partstat};X-CONVOKE-REPLY-SEQUENCE=1
         |;X-CONVOKE-REPLY-DTSTAMP={stamp};SCHEDULE-STATUS=2.0:mailto:b@example.com"
    )
}

#[test]
fn the_last_answer_counts_whatever_the_order_they_arrive_in() {
    let declined = answer(
        "DTSTAMP:20261203T100000Z\nSEQUENCE:1\nATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com",
    );
    let accepted = answer(
        "DTSTAMP:20261202T100000Z\nSEQUENCE:1\nATTENDEE;PARTSTAT=ACCEPTED:mailto:B@Example.com",
    );
    let outcome = EVENT.replace(BOBS, &answered("DECLINED", "20261203T100000Z"));
    apply("REPLY", &declined)
        .to(EVENT)
        .gives(&outcome)
        .then("REPLY", &accepted)
        .changes_nothing();
    apply("REPLY", &accepted)
        .to(EVENT)
        .gives(&EVENT.replace(BOBS, &answered("ACCEPTED", "20261202T100000Z")))
        .then("REPLY", &declined)
        .gives(&outcome);
}

#[test]
fn an_answer_to_an_older_version_is_acknowledged_and_ignored() {
    apply(
        "REPLY",
        &answer(
            "DTSTAMP:20261203T100000Z\nSEQUENCE:0\nATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com",
        ),
    )
    .to(EVENT)
    .changes_nothing();
}

#[test]
fn other_attendees_in_an_answer_do_not_count() {
    apply(
        "REPLY",
        &answer(
            "DTSTAMP:20261203T100000Z\nATTENDEE;PARTSTAT=DECLINED:mailto:c@example.com
             ATTENDEE;PARTSTAT=TENTATIVE:mailto:b@example.com\nREQUEST-STATUS:2.0;Success",
        ),
    )
    .by(BOB)
    .to(EVENT)
    .gives(&EVENT.replace(BOBS, &answered("TENTATIVE", "20261203T100000Z")));
}

#[test]
fn an_answer_for_one_instance_makes_it_an_exception() {
    let exception = format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1\nRECURRENCE-ID:20270111T100000Z
         DTSTART:20270111T100000Z\nDTEND:20270111T110000Z\nSUMMARY:Plan
         ORGANIZER:mailto:a@example.com
         ATTENDEE;PARTSTAT=ACCEPTED;X-CONVOKE-UNTOLD=TRUE:mailto:a@example.com
         {}\nATTENDEE;X-CONVOKE-UNTOLD=TRUE:mailto:c@example.com\nEND:VEVENT",
        answered("DECLINED", "20261203T100000Z")
    );
    apply(
        "REPLY",
        &answer(
            "DTSTAMP:20261203T100000Z\nSEQUENCE:1\nRECURRENCE-ID:20270111T100000Z
             ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com",
        ),
    )
    .to(EVENT)
    .gives(&format!("{EVENT}\n{exception}"));
}

#[test]
fn an_answer_for_an_instance_that_is_not_there_is_refused() {
    apply(
        "REPLY",
        &answer(
            "DTSTAMP:20261203T100000Z\nRECURRENCE-ID:20270112T100000Z
             ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com",
        ),
    )
    .to(EVENT)
    .refuses_with(&RequestStatus::INVALID_CALENDAR_SERVICE);
}

#[test]
fn an_attendees_comment_is_recorded_with_its_address() {
    let said = |text: &str, stamp: &str| {
        answer(&format!(
            "DTSTAMP:{stamp}\nATTENDEE;PARTSTAT=TENTATIVE:mailto:b@example.com\nCOMMENT:{text}"
        ))
    };
    let noted = |text: &str, stamp: &str| {
        EVENT.replace(BOBS, &answered("TENTATIVE", stamp)).replace(
            "END:VEVENT",
            &format!("COMMENT;X-CONVOKE-FROM=\"mailto:b@example.com\":{text}\nEND:VEVENT"),
        )
    };
    apply("REPLY", &said("Late", "20261203T100000Z"))
        .to(EVENT)
        .gives(&noted("Late", "20261203T100000Z"))
        .then("REPLY", &said("Later", "20261204T100000Z"))
        .gives(&noted("Later", "20261204T100000Z"));
}

#[test]
fn a_delegate_comes_on_the_list_and_answers_for_itself() {
    let bob = "ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=DELEGATED
        |;DELEGATED-TO=\"mailto:e@example.net\";X-CONVOKE-REPLY-SEQUENCE=1
        |;X-CONVOKE-REPLY-DTSTAMP=20261203T100000Z;SCHEDULE-STATUS=2.0:mailto:b@example.com";
    let delegated = EVENT.replace(
        BOBS,
        &format!(
            "{bob}\nATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE
             |;DELEGATED-FROM=\"mailto:b@example.com\":mailto:e@example.net"
        ),
    );
    let accepted = EVENT.replace(
        BOBS,
        &format!(
            "{bob}\nATTENDEE;PARTSTAT=ACCEPTED;ROLE=OPT-PARTICIPANT;X-CONVOKE-REPLY-SEQUENCE=1
             |;X-CONVOKE-REPLY-DTSTAMP=20261204T100000Z;SCHEDULE-STATUS=2.0
             |;DELEGATED-FROM=\"mailto:b@example.com\":mailto:e@example.net"
        ),
    );
    apply(
        "REPLY",
        &answer(
            "DTSTAMP:20261203T100000Z
             ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:e@example.net\":mailto:b@example.com",
        ),
    )
    .to(EVENT)
    .gives(&delegated)
    .then(
        "REPLY",
        &answer(
            "DTSTAMP:20261204T100000Z\nATTENDEE;PARTSTAT=ACCEPTED
             |;DELEGATED-FROM=\"mailto:b@example.com\":mailto:e@example.net",
        ),
    )
    .gives(&accepted);
}

#[test]
fn when_the_delegate_declines_the_delegator_is_asked_again() {
    let existing = EVENT.replace(
        BOBS,
        "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:c@example.com\":mailto:b@example.com",
    );
    let declines = apply(
        "REPLY",
        &answer("DTSTAMP:20261204T100000Z\nATTENDEE;PARTSTAT=DECLINED:mailto:c@example.com"),
    )
    .by(CARL)
    .to(&existing);
    declines.sends(
        BOB,
        "REQUEST",
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:1\nDTSTART:20270104T100000Z
         DTEND:20270104T110000Z\nRRULE:FREQ=WEEKLY\nSUMMARY:Plan\nORGANIZER:mailto:a@example.com
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com
         ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:b@example.com
         ATTENDEE;PARTSTAT=DECLINED:mailto:c@example.com\nEND:VEVENT",
    );
}

/// The delegate has declined before the organizer hears that it was sent. Found by the simulator.
#[test]
fn who_sends_somebody_who_has_declined_already_is_asked_again() {
    let carl = "ATTENDEE;PARTSTAT=DECLINED:mailto:c@example.com";
    let existing = EVENT.replace("ATTENDEE:mailto:c@example.com", carl);
    assert!(existing.contains(carl));
    let delegates = apply(
        "REPLY",
        &answer(
            "DTSTAMP:20261204T100000Z
             ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:c@example.com\":mailto:b@example.com",
        ),
    )
    .to(&existing);
    delegates.sends(
        BOB,
        "REQUEST",
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:1\nDTSTART:20270104T100000Z
         DTEND:20270104T110000Z\nRRULE:FREQ=WEEKLY\nSUMMARY:Plan\nORGANIZER:mailto:a@example.com
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com
         ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:b@example.com
         ATTENDEE;PARTSTAT=DECLINED:mailto:c@example.com\nEND:VEVENT",
    );
}

#[test]
fn uninvited_replies_need_a_policy_that_accepts_them() {
    let crash =
        answer("DTSTAMP:20261203T100000Z\nATTENDEE;PARTSTAT=ACCEPTED;CN=X:mailto:x@example.net");
    apply("REPLY", &crash)
        .to(EVENT)
        .refuses_with(&RequestStatus::NO_AUTHORITY);
    apply("REPLY", &crash)
        .accepting_uninvited()
        .to(EVENT)
        .gives(&EVENT.replace(
            "END:VEVENT",
            "ATTENDEE;X-CONVOKE-UNINVITED=TRUE;PARTSTAT=ACCEPTED;CN=X;X-CONVOKE-REPLY-SEQUENCE=1
         |;X-CONVOKE-REPLY-DTSTAMP=20261203T100000Z;SCHEDULE-STATUS=2.0:mailto:x@example.net
         END:VEVENT",
        ));
}

/// Who is not invited does not learn whether there is such a UID.
#[test]
fn answers_that_nobody_may_give_are_refused_in_one_way() {
    let accepted =
        answer("DTSTAMP:20261203T100000Z\nATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com");
    let todo = EVENT.replace("VEVENT", "VTODO").replace("DTEND", "DUE");
    let foreign = EVENT.replace("ORGANIZER:mailto:a@", "ORGANIZER:mailto:z@");
    let without_bob = EVENT.replace(BOBS, "X-A:1");
    let unknown = apply("REPLY", &accepted).received().status;
    for (what, existing) in [
        ("another kind", todo),
        ("another organizer", foreign),
        ("nobody invited", without_bob.clone()),
        (
            "nobody's",
            without_bob.replace("ORGANIZER:mailto:a@example.com", "X-B:1"),
        ),
    ] {
        for method in ["REPLY", "REFRESH"] {
            let lines = accepted.replace("PARTSTAT=ACCEPTED:", "PARTSTAT=ACCEPTED;X-A=1:");
            let refused = apply(method, &lines)
                .to(&existing)
                .refuses_with(&RequestStatus::NO_AUTHORITY);
            assert_eq!(refused.received().status, unknown, "{method}: {what}");
        }
    }
    let astray = answer(
        "DTSTAMP:20261203T100000Z\nRECURRENCE-ID:20270112T100000Z
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:x@example.net",
    );
    let refused = apply("REPLY", &astray).to(EVENT).received().status;
    assert_eq!(refused, unknown, "an instance that is not there");
    // in somebody else's name
    apply("REPLY", &accepted)
        .by(CARL)
        .to(EVENT)
        .refuses_with(&RequestStatus::NO_AUTHORITY);
    // to one who is not the organizer
    let elsewhere = apply("REPLY", &accepted).at(CARL).to(EVENT);
    assert_eq!(elsewhere.received().status, unknown);
}

#[test]
fn an_answer_without_organizer_is_for_the_one_invitation_that_it_answers() {
    let line = "DTSTAMP:20261203T100000Z\nSEQUENCE:1\nATTENDEE;PARTSTAT=TENTATIVE:mailto:";
    let said = |who: &str| format!("BEGIN:VEVENT\nUID:1\n{line}{who}\nEND:VEVENT");
    apply("REPLY", &said("b@example.com"))
        .to(EVENT)
        .gives(&EVENT.replace(BOBS, &answered("TENTATIVE", "20261203T100000Z")));
    apply("REPLY", &said("x@example.net"))
        .accepting_uninvited()
        .to(EVENT)
        .refuses_with(&RequestStatus::NO_AUTHORITY);
    apply("REPLY", &said("b@example.com")).refuses_with(&RequestStatus::NO_AUTHORITY);
    let foreign = EVENT.replace("ORGANIZER:mailto:a@", "ORGANIZER:mailto:z@");
    apply("REPLY", &said("b@example.com"))
        .to(&foreign)
        .refuses_with(&RequestStatus::NO_AUTHORITY);
}

#[test]
fn a_to_do_is_as_far_as_its_only_attendee_says() {
    let todo = |lines: &str| {
        format!(
            "BEGIN:VTODO\nUID:1\nDTSTAMP:20261201T100000Z\nORGANIZER:mailto:a@example.com
             ATTENDEE:mailto:a@example.com\n{lines}\nEND:VTODO"
        )
    };
    let said = "BEGIN:VTODO\nUID:1\nDTSTAMP:20261202T100000Z\nORGANIZER:mailto:a@example.com
        ATTENDEE;PARTSTAT=IN-PROCESS:mailto:b@example.com\nPERCENT-COMPLETE:75\nEND:VTODO";
    let line = "ATTENDEE;PARTSTAT=IN-PROCESS;X-CONVOKE-REPLY-SEQUENCE=0
        |;X-CONVOKE-REPLY-DTSTAMP=20261202T100000Z;SCHEDULE-STATUS=2.0";
    apply("REPLY", said)
        .to(&todo("ATTENDEE:mailto:b@example.com"))
        .gives(&todo(&format!(
            "{line}:mailto:b@example.com\nPERCENT-COMPLETE:75\nSTATUS:IN-PROCESS"
        )));
    // Where several share it, each has its own part.
    apply("REPLY", said)
        .to(&todo("ATTENDEE:mailto:b@example.com\nATTENDEE:mailto:c@example.com"))
        .gives(&todo(&format!(
            "{line};X-CONVOKE-PERCENT-COMPLETE=75:mailto:b@example.com\nATTENDEE:mailto:c@example.com"
        )));
}
