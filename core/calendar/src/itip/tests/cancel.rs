//! Cancellations at the attendee.

use super::apply;
use crate::itip::Change;

const SERIES: &str = "
    BEGIN:VEVENT
    UID:1
    DTSTAMP:20261201T100000Z
    SEQUENCE:1
    DTSTART;TZID=Europe/Berlin:20270104T100000
    DTEND;TZID=Europe/Berlin:20270104T110000
    RRULE:FREQ=WEEKLY;COUNT=20
    SUMMARY:Weekly
    ORGANIZER:mailto:a@example.com
    ATTENDEE:mailto:b@example.com
    ATTENDEE:mailto:c@example.com
    X-MINE:1
    END:VEVENT";

fn notice(rest: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nORGANIZER:mailto:a@example.com\n{rest}\nEND:VEVENT"
    )
}

#[test]
fn a_cancel_of_an_unknown_object_is_acknowledged() {
    apply("CANCEL", &notice("SEQUENCE:2\nSTATUS:CANCELLED")).changes_nothing();
}

#[test]
fn a_cancelled_object_stays_and_says_so() {
    let cancelled = SERIES
        .replace("20261201", "20261202")
        .replace("SEQUENCE:1", "SEQUENCE:2\nSTATUS:CANCELLED\nCOMMENT:Rain");
    apply(
        "CANCEL",
        &notice("SEQUENCE:2\nSTATUS:CANCELLED\nCOMMENT:Rain"),
    )
    .to(SERIES)
    .gives(&cancelled)
    // An old invitation that comes late does not bring it back.
    .then("REQUEST", SERIES)
    .changes_nothing()
    // A new one does.
    .then("REQUEST", &SERIES.replace("SEQUENCE:1", "SEQUENCE:3"))
    .gives(&SERIES.replace("SEQUENCE:1", "SEQUENCE:3"));
}

/// An organizer that counts each instance by itself may have counted one further than the whole.
#[test]
fn what_was_told_of_an_instance_before_the_end_does_not_bring_it_back() {
    let moved = |sequence: u32, stamp: &str| {
        let instance = SERIES.replace(
            "RRULE:FREQ=WEEKLY;COUNT=20",
            "RECURRENCE-ID;TZID=Europe/Berlin:20270111T100000",
        );
        instance
            .replace("20270104T1", "20270111T1")
            .replace("SEQUENCE:1", &format!("SEQUENCE:{sequence}"))
            .replace("20261201T100000Z", stamp)
    };
    let before = "20261202T090000Z";
    let late = SERIES.replace("20261201T100000Z", before) + &moved(5, before);
    let end = notice("SEQUENCE:2\nATTENDEE:mailto:b@example.com");
    let known = SERIES.to_owned() + &moved(4, "20261201T110000Z");
    for stored in [SERIES, &known] {
        let ended = apply("CANCEL", &end).to(stored);
        let Change::Store(off) = ended.received().change else {
            panic!("it is called off")
        };
        let arrives = |message: &str| apply("REQUEST", message).over(off.clone());
        arrives(&late).changes_nothing();
        arrives(&moved(5, before)).changes_nothing();
        let again = arrives(&moved(5, "20261203T090000Z")).received();
        assert!(
            matches!(again.change, Change::Store(_)),
            "it is invited again"
        );
    }
}

#[test]
fn without_sequence_the_time_of_the_notice_counts() {
    apply("CANCEL", &notice("STATUS:CANCELLED"))
        .to(SERIES)
        .gives(
            &SERIES
                .replace("20261201", "20261202")
                .replace("RRULE", "STATUS:CANCELLED\nRRULE"),
        );
    let newer = SERIES.replace("20261201", "20261203");
    apply("CANCEL", &notice("STATUS:CANCELLED"))
        .to(&newer)
        .changes_nothing();
    apply("CANCEL", &notice("SEQUENCE:0\nSTATUS:CANCELLED"))
        .to(SERIES)
        .changes_nothing();
}

#[test]
fn removed_attendees_get_a_cancel_and_the_others_an_update() {
    apply(
        "CANCEL",
        &notice("SEQUENCE:2\nATTENDEE:mailto:b@example.com"),
    )
    .to(SERIES)
    .gives(
        &SERIES
            .replace("20261201", "20261202")
            .replace("SEQUENCE:1", "SEQUENCE:2\nSTATUS:CANCELLED"),
    );
    apply(
        "CANCEL",
        &notice("SEQUENCE:2\nATTENDEE:mailto:c@example.com"),
    )
    .to(SERIES)
    .gives(
        &SERIES
            .replace("20261201", "20261202")
            .replace("SEQUENCE:1", "SEQUENCE:2")
            .replace("    ATTENDEE:mailto:c@example.com\n", ""),
    );
}

#[test]
fn a_cancelled_instance_is_told_from_its_series() {
    let instance = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2\nSTATUS:CANCELLED
        RECURRENCE-ID;TZID=Europe/Berlin:20270329T100000
        DTSTART;TZID=Europe/Berlin:20270329T100000\nDTEND;TZID=Europe/Berlin:20270329T110000
        SUMMARY:Weekly\nORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com
        ATTENDEE:mailto:c@example.com\nX-MINE:1\nEND:VEVENT";
    // named in UTC, in summer time
    apply(
        "CANCEL",
        &notice("SEQUENCE:2\nRECURRENCE-ID:20270329T080000Z\nSTATUS:CANCELLED"),
    )
    .to(SERIES)
    .gives(&format!("{SERIES}\n{instance}"))
    .then("REQUEST", SERIES)
    .changes_nothing();
}

#[test]
fn several_instances_are_cancelled_at_once() {
    let todo = "BEGIN:VTODO\nUID:1\nDTSTAMP:20261201T100000Z\nDTSTART;VALUE=DATE:20270104
        DUE;VALUE=DATE:20270105\nRRULE:FREQ=DAILY\nORGANIZER:mailto:a@example.com
        ATTENDEE:mailto:b@example.com\nEND:VTODO";
    let notice = |day: u8| {
        format!(
            "BEGIN:VTODO\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:1\nORGANIZER:mailto:a@example.com
             RECURRENCE-ID;VALUE=DATE:202701{day:02}\nSTATUS:CANCELLED\nEND:VTODO\n"
        )
    };
    let cancelled = |day: u8| {
        format!(
            "BEGIN:VTODO\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:1\nDTSTART;VALUE=DATE:202701{day:02}
             DUE;VALUE=DATE:202701{:02}\nRECURRENCE-ID;VALUE=DATE:202701{day:02}\nSTATUS:CANCELLED
             ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VTODO\n",
            day + 1
        )
    };
    apply("CANCEL", &(notice(6) + &notice(8)))
        .to(todo)
        .gives(&format!("{todo}\n{}{}", cancelled(6), cancelled(8)));
}

#[test]
fn a_series_ends_before_the_instance_from_which_it_is_cancelled() {
    let id = "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20270118T100000";
    apply(
        "CANCEL",
        &notice(&format!("SEQUENCE:2\n{id}\nSTATUS:CANCELLED")),
    )
    .to(SERIES)
    .gives(
        &SERIES
            .replace("20261201", "20261202")
            .replace("SEQUENCE:1", "SEQUENCE:2")
            .replace("COUNT=20", "UNTIL=20270118T085959Z"),
    )
    .then("REQUEST", SERIES)
    .changes_nothing();
    let first = "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20270104T100000";
    apply(
        "CANCEL",
        &notice(&format!("SEQUENCE:2\n{first}\nSTATUS:CANCELLED")),
    )
    .to(SERIES)
    .gives(
        &SERIES
            .replace("20261201", "20261202")
            .replace("SEQUENCE:1", "SEQUENCE:2\nSTATUS:CANCELLED"),
    );
}

#[test]
fn an_instance_that_never_was_is_acknowledged() {
    let single = SERIES.replace("    RRULE:FREQ=WEEKLY;COUNT=20\n", "");
    apply(
        "CANCEL",
        &notice("SEQUENCE:2\nRECURRENCE-ID:20270118T090000Z\nSTATUS:CANCELLED"),
    )
    .to(&single)
    .changes_nothing();
}

#[test]
fn thousands_of_cancels_of_an_endless_series_terminate() {
    let minutely = SERIES.replace("FREQ=WEEKLY;COUNT=20", "FREQ=MINUTELY");
    let notices: Vec<String> = (0..3_000)
        .map(|n| {
            let (day, hour, minute) = (n / 1440 + 1, n / 60 % 24, n % 60);
            notice(&format!(
                "RECURRENCE-ID:203001{day:02}T{hour:02}{minute:02}00Z\nSTATUS:CANCELLED"
            ))
        })
        .collect();
    let received = apply("CANCEL", &notices.join("\n"))
        .to(&minutely)
        .received();
    assert!(received.status.is_success());
}

#[test]
fn a_cancelled_instance_stays_cancelled_when_the_series_is_updated() {
    let instance = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2\nSTATUS:CANCELLED
        RECURRENCE-ID;TZID=Europe/Berlin:20270329T100000
        DTSTART;TZID=Europe/Berlin:20270329T100000\nDTEND;TZID=Europe/Berlin:20270329T110000
        SUMMARY:Weekly\nORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com
        ATTENDEE:mailto:c@example.com\nX-MINE:1\nEND:VEVENT";
    let update = SERIES
        .replace("20261201", "20261203")
        .replace("SEQUENCE:1", "SEQUENCE:3")
        .replace("Weekly", "Every week");
    let stored = format!("{SERIES}\n{instance}");
    apply("REQUEST", &update)
        .to(&stored)
        .gives(&format!("{update}\n{instance}"))
        // It takes place after all.
        .then(
            "REQUEST",
            &instance
                .replace("STATUS:CANCELLED\n", "")
                .replace("20261202", "20261204")
                .replace("SEQUENCE:2", "SEQUENCE:4"),
        )
        .gives(&format!(
            "{update}\n{}",
            instance
                .replace("STATUS:CANCELLED\n", "")
                .replace("20261202", "20261204")
                .replace("SEQUENCE:2", "SEQUENCE:4")
        ));
    // The update leaves the instance out, or is at other times altogether.
    for changed in [
        update.replace("RRULE", "EXDATE;TZID=Europe/Berlin:20270329T100000\nRRULE"),
        update.replace("T110000", "T120000"),
    ] {
        apply("REQUEST", &changed).to(&stored).gives(&changed);
    }
}

#[test]
fn an_instance_of_a_series_that_was_moved_from_some_day_on_is_cancelled_where_it_is() {
    let future = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1
        RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20270118T100000
        DTSTART;TZID=Europe/Berlin:20270119T150000\nDTEND;TZID=Europe/Berlin:20270119T160000
        SUMMARY:Later\nORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    let cancelled = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nSEQUENCE:2
        STATUS:CANCELLED\nRECURRENCE-ID;TZID=Europe/Berlin:20270329T100000
        DTSTART;TZID=Europe/Berlin:20270330T150000\nDTEND;TZID=Europe/Berlin:20270330T160000
        SUMMARY:Later\nORGANIZER:mailto:a@example.com\nATTENDEE:mailto:b@example.com\nEND:VEVENT";
    let stored = format!("{SERIES}\n{future}");
    apply(
        "CANCEL",
        &notice("SEQUENCE:2\nRECURRENCE-ID:20270329T080000Z\nSTATUS:CANCELLED"),
    )
    .to(&stored)
    .gives(&format!("{stored}\n{cancelled}"));
}
