//! Invitations, updates and reschedules at the attendee.

use super::{BOB, CARL, apply, calendar};
use crate::itip::Change;
use convoke_types::RequestStatus;

/// What Bob has been invited to, with what he made of it.
const ANSWERED: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:1
    DTSTART:20270104T100000Z
    DTEND:20270104T110000Z
    SUMMARY:Plan
    ORGANIZER:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com
    TRANSP:TRANSPARENT
    CATEGORIES:Private
    COLOR:red
    X-MINE:1
    BEGIN:VALARM
    ACTION:DISPLAY
    TRIGGER:-PT10M
    END:VALARM
    END:VEVENT";

#[test]
fn an_invitation_is_stored_as_it_came_without_its_method() {
    apply(
        "REQUEST",
        "BEGIN:VTIMEZONE\nTZID:X\nEND:VTIMEZONE
         BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nDTSTART;TZID=X:20270104T100000
         ORGANIZER;SCHEDULE-AGENT=CLIENT;CN=A:mailto:a@example.com
         ATTENDEE;RSVP=TRUE;SCHEDULE-STATUS=\"1.2\";X-CONVOKE-REPLY-SEQUENCE=9:mailto:b@example.com
         X-ODD;X-P=1:as it came\nBEGIN:X-COMP\nX-A:1\nEND:X-COMP\nEND:VEVENT",
    )
    .gives(
        "BEGIN:VTIMEZONE\nTZID:X\nEND:VTIMEZONE
         BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nDTSTART;TZID=X:20270104T100000
         ORGANIZER;CN=A:mailto:a@example.com\nATTENDEE;RSVP=TRUE:mailto:b@example.com
         X-ODD;X-P=1:as it came\nBEGIN:X-COMP\nX-A:1\nEND:X-COMP\nEND:VEVENT",
    );
}

#[test]
fn an_update_takes_the_organizers_and_leaves_the_users() {
    apply(
        "REQUEST",
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:1
         DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nSUMMARY:Plan more\nLOCATION:Room 1
         ORGANIZER:mailto:a@example.com\nATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com
         ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:b@example.com\nATTENDEE:mailto:c@example.com
         TRANSP:OPAQUE\nCATEGORIES:Work\nX-THEIRS:2\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:PT0S\nEND:VALARM
         END:VEVENT",
    )
    .to(ANSWERED)
    .gives(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:1
         DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nSUMMARY:Plan more\nLOCATION:Room 1
         ORGANIZER:mailto:a@example.com\nATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com\nATTENDEE:mailto:c@example.com
         TRANSP:TRANSPARENT\nCATEGORIES:Private\nCOLOR:red\nX-MINE:1\nX-THEIRS:2
         BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nEND:VALARM
         END:VEVENT",
    );
}

/// (the organizer's SEQUENCE, DTSTART, what it says of Bob) and how Bob's answer stands then.
#[test]
fn an_answer_stands_until_the_organizer_asks_anew() {
    for (sequence, start, said, stands) in [
        (1, "20270104T100000Z", "", ";PARTSTAT=ACCEPTED"),
        (
            1,
            "20270104T100000Z",
            ";PARTSTAT=NEEDS-ACTION",
            ";PARTSTAT=ACCEPTED",
        ),
        (
            1,
            "20270104T100000Z",
            ";PARTSTAT=DECLINED",
            ";PARTSTAT=ACCEPTED",
        ),
        (2, "20270104T090000Z", "", ""),
        (
            2,
            "20270104T090000Z",
            ";PARTSTAT=NEEDS-ACTION",
            ";PARTSTAT=NEEDS-ACTION",
        ),
        (
            2,
            "20270104T090000Z",
            ";PARTSTAT=TENTATIVE",
            ";PARTSTAT=TENTATIVE",
        ),
        (1, "20270104T090000Z", "", ""),
        (2, "20270104T100000Z", "", ";PARTSTAT=ACCEPTED"),
        (
            2,
            "20270104T100000Z",
            ";PARTSTAT=NEEDS-ACTION",
            ";PARTSTAT=NEEDS-ACTION",
        ),
    ] {
        let event = |answer: &str| {
            format!(
                "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:{sequence}
                 DTSTART:{start}\nDTEND:20270104T110000Z\nORGANIZER:mailto:a@example.com
                 ATTENDEE{answer}:mailto:b@example.com\n"
            )
        };
        let own = "TRANSP:TRANSPARENT\nCATEGORIES:Private\nCOLOR:red\nX-MINE:1
                   BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nEND:VALARM\n";
        apply("REQUEST", &format!("{}END:VEVENT", event(said)))
            .to(ANSWERED)
            .gives(&format!("{}{own}END:VEVENT", event(stands)));
    }
}

/// Bob has taken back what he had accepted. Until his organizer shows that it knows, it says what he had said before, or nothing,
/// as it has not even heard that. Found by the simulator.
#[test]
fn an_answer_that_is_taken_back_does_not_come_back_with_an_older_word() {
    let copy = |stamp: u8, line: &str| {
        format!(
            "BEGIN:VEVENT\nUID:1\nDTSTAMP:202612{stamp:02}T100000Z\nSEQUENCE:1
             DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nORGANIZER:mailto:a@example.com
             ATTENDEE;PARTSTAT={line}:mailto:b@example.com\nEND:VEVENT"
        )
    };
    let taken_back = "NEEDS-ACTION;X-CONVOKE-TAKEN-BACK=TRUE";
    let is_shown = "NEEDS-ACTION;X-CONVOKE-TAKEN-BACK=SHOWN";
    apply("REQUEST", &copy(2, "NEEDS-ACTION"))
        .to(&copy(2, taken_back))
        .changes_nothing()
        .then("REQUEST", &copy(3, "NEEDS-ACTION"))
        .gives(&copy(3, taken_back))
        .then("REQUEST", &copy(4, "ACCEPTED"))
        .gives(&copy(4, is_shown))
        // It knows now. If it says otherwise afterwards, it has heard of it by other means.
        .then("REQUEST", &copy(5, "NEEDS-ACTION"))
        .gives(&copy(5, "NEEDS-ACTION"))
        .then("REQUEST", &copy(6, "ACCEPTED"))
        .gives(&copy(6, "ACCEPTED"));
}

#[test]
fn older_and_equal_messages_are_acknowledged_and_change_nothing() {
    for (sequence, stamp) in [
        (0, "20261231T000000Z"),
        (1, "20261201T095959Z"),
        (0, "20261201T100000Z"),
    ] {
        apply(
            "REQUEST",
            &format!(
                "BEGIN:VEVENT\nUID:1\nDTSTAMP:{stamp}\nSEQUENCE:{sequence}\nDTSTART:20270110T100000Z
                 SUMMARY:Old\nORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT"
            ),
        )
        .to(ANSWERED)
        .changes_nothing();
    }
}

#[test]
fn nobody_but_the_organizer_changes_the_object() {
    let takeover = |organizer: &str| {
        format!(
            "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nSEQUENCE:9\nDTSTART:20270110T100000Z
             ORGANIZER{organizer}\nATTENDEE:mailto:b@example.com\nEND:VEVENT"
        )
    };
    for method in ["REQUEST", "CANCEL", "ADD"] {
        // another organizer of the same UID, see `authority` for CANCEL
        let takes_over = apply(method, &takeover(":mailto:mallory@evil.example")).to(ANSWERED);
        if method == "CANCEL" {
            takes_over.changes_nothing();
        } else {
            takes_over.refuses_with(&RequestStatus::NO_AUTHORITY);
        }
        // in the organizer's name
        apply(method, &takeover(":mailto:a@example.com"))
            .by("mailto:mallory@evil.example")
            .to(ANSWERED)
            .refuses_with(&RequestStatus::NO_AUTHORITY);
        // on behalf of the organizer, as the sender itself says
        apply(
            method,
            &takeover(";SENT-BY=\"mailto:mallory@evil.example\":mailto:a@example.com"),
        )
        .by("mailto:mallory@evil.example")
        .to(ANSWERED)
        .refuses_with(&RequestStatus::NO_AUTHORITY);
        // an attendee
        apply(method, &takeover(":mailto:a@example.com"))
            .by(BOB)
            .to(ANSWERED)
            .refuses_with(&RequestStatus::NO_AUTHORITY);
    }
}

#[test]
fn a_private_object_of_the_same_uid_is_not_overwritten() {
    apply(
        "REQUEST",
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\nDTSTART:20270110T100000Z
         ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT",
    )
    .to("BEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\nDTSTART:20270110T100000Z\nEND:VEVENT")
    .refuses_with(&RequestStatus::NO_AUTHORITY)
    .to("BEGIN:VTODO\nUID:1\nORGANIZER:mailto:a@example.com\nEND:VTODO")
    .refuses_with(&RequestStatus::NO_AUTHORITY)
    .to("BEGIN:VJOURNAL\nUID:1\nORGANIZER:mailto:a@example.com\nEND:VJOURNAL")
    .refuses_with(&RequestStatus::NO_AUTHORITY);
}

#[test]
fn an_assistant_of_the_same_domain_may_act_for_the_organizer() {
    apply(
        "REQUEST",
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2\nDTSTART:20270104T100000Z
         ORGANIZER;SENT-BY=\"mailto:aide@example.com\":mailto:a@example.com
         ATTENDEE:mailto:b@example.com\nEND:VEVENT",
    )
    .by("mailto:aide@example.com")
    .gives(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2\nDTSTART:20270104T100000Z
         ORGANIZER;SENT-BY=\"mailto:aide@example.com\":mailto:a@example.com
         ATTENDEE:mailto:b@example.com\nEND:VEVENT",
    );
}

const SERIES: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:1
    DTSTART;TZID=Europe/Berlin:20270104T100000
    DTEND;TZID=Europe/Berlin:20270104T110000
    RRULE:FREQ=WEEKLY
    SUMMARY:Weekly
    ORGANIZER:mailto:a@example.com
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com
    BEGIN:VALARM
    ACTION:DISPLAY
    TRIGGER:-PT10M
    END:VALARM
    END:VEVENT";

#[test]
fn a_changed_instance_stands_beside_its_series_with_the_users_alarms() {
    let moved = |answer: &str, alarm: &str| {
        format!(
            "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2
             RECURRENCE-ID;TZID=Europe/Berlin:20270111T100000
             DTSTART;TZID=Europe/Berlin:20270112T100000\nDTEND;TZID=Europe/Berlin:20270112T110000
             SUMMARY:Weekly\nORGANIZER:mailto:a@example.com\nATTENDEE{answer}:mailto:b@example.com
             {alarm}\nEND:VEVENT"
        )
    };
    let alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nEND:VALARM";
    apply("REQUEST", &moved("", ""))
        .to(SERIES)
        .gives(&format!("{SERIES}\n{}", moved("", alarm)));
}

#[test]
fn an_instance_is_the_same_in_utc_and_in_its_zone() {
    let instance = |id: &str, sequence: u8| {
        format!(
            "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T10000{sequence}Z\nSEQUENCE:{sequence}
             RECURRENCE-ID{id}\nDTSTART:20270112T090000Z\nORGANIZER:mailto:a@example.com
             ATTENDEE:mailto:b@example.com\nEND:VEVENT"
        )
    };
    apply("REQUEST", &instance(":20270111T090000Z", 3))
        .to(&instance(";TZID=Europe/Berlin:20270111T100000", 2))
        .gives(&instance(":20270111T090000Z", 3));
}

#[test]
fn single_instances_are_stored_without_a_series_and_join_it_when_it_comes() {
    let instance = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261203T100000Z\nSEQUENCE:3
        RECURRENCE-ID;TZID=Europe/Berlin:20270111T100000\nDTSTART:20270112T090000Z
        ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    let (series, _alarm) = SERIES.split_once("BEGIN:VALARM").unwrap();
    let series = format!("{series}\nEND:VEVENT");
    apply("REQUEST", instance)
        .gives(instance)
        .then("REQUEST", &series)
        .gives(&format!("{series}\n{instance}"));
}

#[test]
fn a_reschedule_of_the_series_forgets_its_old_exceptions() {
    let exception = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:1
        RECURRENCE-ID;TZID=Europe/Berlin:20270111T100000\nDTSTART:20270112T090000Z
        SUMMARY:Moved\nORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    let later = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261203T100000Z\nSEQUENCE:2
        DTSTART;TZID=Europe/Berlin:20270104T120000\nDTEND;TZID=Europe/Berlin:20270104T130000
        RRULE:FREQ=WEEKLY\nORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com";
    apply("REQUEST", &format!("{later}\nEND:VEVENT"))
        .to(&format!("{SERIES}\n{exception}"))
        .gives(&format!(
            "{later}\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nEND:VALARM\nEND:VEVENT"
        ));
}

#[test]
fn what_the_user_changed_on_one_instance_survives_an_update_of_the_series() {
    let declined = |stamp: &str, summary: &str| {
        format!(
            "BEGIN:VEVENT\nUID:1\nDTSTAMP:{stamp}\nSEQUENCE:1
             RECURRENCE-ID;TZID=Europe/Berlin:20270111T100000
             DTSTART;TZID=Europe/Berlin:20270111T100000\nDTEND;TZID=Europe/Berlin:20270111T110000
             SUMMARY:{summary}\nORGANIZER:mailto:a@example.com
             ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com\nTRANSP:TRANSPARENT\nEND:VEVENT"
        )
    };
    let update = SERIES
        .replace("20261201T100000Z", "20261205T100000Z")
        .replace("Weekly", "Daily");
    apply("REQUEST", &update)
        .to(&format!(
            "{SERIES}\n{}",
            declined("20261201T100000Z", "Weekly")
        ))
        .gives(&format!(
            "{update}\n{}",
            declined("20261205T100000Z", "Daily")
        ));
}

#[test]
fn an_alarm_on_one_instance_survives_an_update_that_does_not_name_it() {
    let changed = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T110000Z\nSEQUENCE:1
        RECURRENCE-ID;TZID=Europe/Berlin:20270111T100000
        DTSTART;TZID=Europe/Berlin:20270111T100000\nDTEND;TZID=Europe/Berlin:20270111T110000
        SUMMARY:Only this time\nORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com
        BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT1H\nEND:VALARM\nEND:VEVENT";
    let update = SERIES
        .replace("20261201T100000Z", "20261205T100000Z")
        .replace("Weekly", "Daily");
    let rebased = changed
        .replace("20261201T110000Z", "20261205T100000Z")
        .replace("Only this time", "Daily")
        .replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:"); // as to the series
    apply("REQUEST", &update)
        .to(&format!("{SERIES}\n{changed}"))
        .gives(&format!("{update}\n{rebased}"))
        // The organizer drops that instance.
        .then(
            "REQUEST",
            &update
                .replace("20261205", "20261206")
                .replace("RRULE", "EXDATE;TZID=Europe/Berlin:20270111T100000\nRRULE"),
        )
        .gives(
            &update
                .replace("20261205", "20261206")
                .replace("RRULE", "EXDATE;TZID=Europe/Berlin:20270111T100000\nRRULE"),
        );
}

#[test]
fn a_reschedule_in_the_same_second_asks_anew() {
    let moved = |hour: &str, answer: &str| {
        format!(
            "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nDTSTART:20270104T{hour}0000Z
             ORGANIZER:mailto:a@example.com\nATTENDEE;PARTSTAT={answer}:mailto:b@example.com\nEND:VEVENT"
        )
    };
    apply("REQUEST", &moved("12", "NEEDS-ACTION"))
        .to(&moved("10", "ACCEPTED"))
        .gives(&moved("12", "NEEDS-ACTION"));
    apply("REQUEST", &moved("10", "NEEDS-ACTION"))
        .to(&moved("10", "ACCEPTED"))
        .changes_nothing();
}

#[test]
fn personal_properties_may_be_changed_by_an_attendee() {
    let event = |stamp: &str, rest: &str| {
        format!(
            "BEGIN:VEVENT\nUID:1\nDTSTAMP:{stamp}\nDTSTART:20270104T100000Z
             ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\n{rest}\nEND:VEVENT"
        )
    };
    let own = "X-APPLE-TRAVEL-DURATION;VALUE=DURATION:PT30M\nX-MICROSOFT-CDO-BUSYSTATUS:FREE";
    let told = "X-APPLE-TRAVEL-DURATION;VALUE=DURATION:PT2H\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY\nX-ALT-DESC:New";
    apply("REQUEST", &event("20261202T100000Z", told))
        .to(&event(
            "20261201T100000Z",
            &format!("{own}\nX-ALT-DESC:Old\nX-MINE:1"),
        ))
        .gives(&event(
            "20261202T100000Z",
            &format!("{own}\nX-ALT-DESC:New\nX-MINE:1"),
        ));
}

#[test]
fn a_delegate_is_invited_by_a_delegator_of_our_own() {
    let event = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nDTSTART:20270104T100000Z
        ORGANIZER:mailto:a@example.com
        ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:c@example.com\":mailto:b@example.com
        ATTENDEE;RSVP=TRUE;DELEGATED-FROM=\"mailto:b@example.com\":mailto:c@example.com\nEND:VEVENT";
    let handed_on = || apply("REQUEST", event).by(BOB).at(CARL).submitted();
    handed_on().gives(event);
    handed_on()
        .at("mailto:d@example.com")
        .refuses_with(&RequestStatus::NO_AUTHORITY);
    // The delegator cannot change what the delegate has from the organizer.
    apply("REQUEST", &event.replace("T100000Z\n", "T120000Z\n"))
        .by(BOB)
        .at(CARL)
        .submitted()
        .to(event)
        .changes_nothing();
    // From another server nobody but the organizer invites.
    apply("REQUEST", event)
        .by(BOB)
        .at(CARL)
        .proving(&["example.com"])
        .refuses_with(&RequestStatus::NO_AUTHORITY);
}

#[test]
fn who_is_not_on_the_list_gets_the_object_as_it_is() {
    let event = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nDTSTART:20270104T100000Z
        ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    apply("REQUEST", event)
        .at("mailto:new@example.net")
        .gives(event);
}

#[test]
fn a_to_do_keeps_how_far_its_owner_is() {
    let todo = |stamp: &str, rest: &str| {
        format!(
            "BEGIN:VTODO\nUID:1\nDTSTAMP:{stamp}\nSEQUENCE:1\nDUE:20270104T100000Z
             ORGANIZER:mailto:a@example.com\nATTENDEE;PARTSTAT=IN-PROCESS:mailto:b@example.com
             {rest}\nEND:VTODO"
        )
    };
    let own = "STATUS:IN-PROCESS\nPERCENT-COMPLETE:75";
    apply(
        "REQUEST",
        &todo("20261205T100000Z", "SUMMARY:Do\nSTATUS:NEEDS-ACTION"),
    )
    .to(&todo("20261201T100000Z", own))
    .gives(&todo("20261205T100000Z", &format!("SUMMARY:Do\n{own}")));
}

#[test]
fn many_instances_of_a_huge_series_are_refused() {
    let guests: Vec<String> = (0..2_000)
        .map(|n| format!("ATTENDEE:mailto:guest{n}@example.com\n"))
        .collect();
    let series = SERIES.replace("BEGIN:VALARM", &format!("{}BEGIN:VALARM", guests.concat()));
    let notices: Vec<String> = (0..2_000)
        .map(|n| {
            format!(
                "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nORGANIZER:mailto:a@example.com
                 RECURRENCE-ID:20270101T{:02}{:02}{:02}Z\nSTATUS:CANCELLED\nEND:VEVENT\n",
                n / 3600,
                n / 60 % 60,
                n % 60
            )
        })
        .collect();
    apply("CANCEL", &notices.concat())
        .to(&series)
        .refuses_with(&RequestStatus::TOO_LARGE);
}

#[test]
fn organizers_do_not_receive_their_own_invitations() {
    let received = apply("REQUEST", SERIES)
        .at("mailto:A@example.com")
        .received();
    assert_eq!(received.change, Change::None);
    assert!(calendar(SERIES).main_components().count() == 1);
}

#[test]
fn the_same_time_written_otherwise_asks_nobody_anew() {
    let event = |times: &str, answer: &str| {
        format!(
            "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261205T100000Z\nSEQUENCE:2\n{times}
             ORGANIZER:mailto:a@example.com\nATTENDEE{answer}:mailto:b@example.com\nEND:VEVENT"
        )
    };
    let stored = event(
        "DTSTART;TZID=Europe/Berlin:20270104T100000\nDURATION:PT1H",
        ";PARTSTAT=ACCEPTED",
    )
    .replace("20261205", "20261201")
    .replace("SEQUENCE:2", "SEQUENCE:1");
    for (times, answer) in [
        (
            "DTSTART:20270104T090000Z\nDTEND:20270104T100000Z",
            ";PARTSTAT=ACCEPTED",
        ),
        ("DTSTART:20270104T100000Z\nDTEND:20270104T110000Z", ""),
    ] {
        apply("REQUEST", &event(times, ""))
            .to(&stored)
            .gives(&event(times, answer));
    }
}

#[test]
fn an_instance_that_was_left_out_takes_place_when_it_is_told() {
    let told = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2
        RECURRENCE-ID;TZID=Europe/Berlin:20270111T100000\nDTSTART:20270112T090000Z
        ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    let without = |exceptions: &str| SERIES.replace("RRULE", &format!("{exceptions}RRULE"));
    apply("REQUEST", told)
        .to(&without("EXDATE:20270111T090000Z,20270118T090000Z\n"))
        .gives(&format!(
            "{}\n{}",
            without("EXDATE:20270118T090000Z\n"),
            told.replace(
                "END:VEVENT",
                "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nEND:VALARM\nEND:VEVENT"
            )
        ));
}

#[test]
fn a_to_do_is_cancelled_by_its_organizer_however_far_it_is() {
    let todo = |stamp: &str, status: &str| {
        format!(
            "BEGIN:VTODO\nUID:1\nDTSTAMP:{stamp}\nSEQUENCE:1\nORGANIZER:mailto:a@example.com
             ATTENDEE:mailto:b@example.com\nSTATUS:{status}\nEND:VTODO"
        )
    };
    let cancelled = todo("20261205T100000Z", "CANCELLED");
    apply("REQUEST", &cancelled)
        .to(&todo("20261201T100000Z", "IN-PROCESS"))
        .gives(&cancelled);
}
