//! Proposals, refreshes and added instances.

use super::{BOB, apply};
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
