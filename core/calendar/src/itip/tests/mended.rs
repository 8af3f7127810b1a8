//! What is read leniently goes out as RFC 5545 has it; what cannot is an error that names the line.

use super::{ALICE, BOB, address, assert_same, calendar, now, owner};
use crate::itip::{Change, edit, note_delivery, update_own_copy};
use crate::message::{Message, MessageError, Method};
use convoke_types::RequestStatus;

fn meeting(lines: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T000000Z\n{lines}\nORGANIZER:mailto:a@example.com
         ATTENDEE:mailto:b@example.com\nEND:VEVENT"
    )
}

/// The first message about a new meeting.
fn told(lines: &str) -> Result<Message, MessageError> {
    let edited = edit(
        None,
        Some(&calendar(&meeting(lines))),
        &owner(&[address(ALICE)]),
        now(),
    )?;
    let [told] = <[_; 1]>::try_from(edited.outgoing).unwrap();
    Ok(told.message)
}

#[test]
fn leniently_read_properties_are_sent_normalised() {
    let weekly = "DTSTART;TZID=Europe/Berlin:20270104T100000\nRRULE:FREQ=WEEKLY";
    for (written, sent) in [
        // Of COUNT and UNTIL the one that comes first.
        (
            format!("{weekly};COUNT=3;UNTIL=20270201T230000Z"),
            format!("{weekly};COUNT=3"),
        ),
        (
            format!("{weekly};COUNT=9;UNTIL=20270111T090000Z"),
            format!("{weekly};UNTIL=20270111T090000Z"),
        ),
        (
            format!("{weekly};UNTIL=20270111;COUNT=9"),
            format!("{weekly};UNTIL=20270111T225959Z"),
        ),
        (
            format!("{weekly};BYDAY=;UNTIL=20270111T100000"),
            format!("{weekly};UNTIL=20270111T090000Z"),
        ),
        (
            format!("{weekly}\nEXDATE;VALUE=DATE:20270111,20270118"),
            format!(
                "{weekly}\nEXDATE;TZID=Europe/Berlin:20270111T100000\nEXDATE;TZID=Europe/Berlin:20270118T100000"
            ),
        ),
        (
            "DTSTART:20270104\nDTEND:20270105\nRRULE:FREQ=DAILY;UNTIL=20270106T000000Z".to_owned(),
            "DTSTART;VALUE=DATE:20270104\nDTEND;VALUE=DATE:20270105\nRRULE:FREQ=DAILY;UNTIL=20270106"
                .to_owned(),
        ),
        (
            "DTSTART:20270104T100000\nRRULE:FREQ=DAILY;UNTIL=20270106".to_owned(),
            "DTSTART:20270104T100000\nRRULE:FREQ=DAILY;UNTIL=20270106T235959".to_owned(),
        ),
        (
            "DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nDURATION:PT2H".to_owned(),
            "DTSTART:20270104T100000Z\nDTEND:20270104T110000Z".to_owned(),
        ),
        (
            "DTSTART:20270104T100000Z\nEXDATE:20270230T100000Z\nEXDATE:x,20270105T100000Z".to_owned(),
            "DTSTART:20270104T100000Z\nEXDATE:20270105T100000Z".to_owned(),
        ),
        (
            "DTSTART:20270104T100000Z\nRRULE:\nEXDATE:\nDURATION:".to_owned(),
            "DTSTART:20270104T100000Z".to_owned(),
        ),
        (
            "DTSTART:20270104T100000Z\nDESCRIPTION:One\nDESCRIPTION:Two\nUID:1".to_owned(),
            "DTSTART:20270104T100000Z\nDESCRIPTION:One".to_owned(),
        ),
    ] {
        let message = told(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
        let expected = meeting(&sent);
        // The zone of the times comes along or not; it is not what this is about.
        let mut plain = message.into_calendar();
        let root = plain.root_mut();
        root.components.retain(|inner| !inner.is("VTIMEZONE"));
        assert_same(&plain, &calendar(&format!("METHOD:REQUEST\n{expected}")));
    }
}

#[test]
fn optional_properties_are_of_their_types() {
    let start = "DTSTART:20270104T100000Z";
    for (written, sent) in [
        ("CREATED:20260101T000000Z", "CREATED:20260101T000000Z"),
        ("CREATED:20260101T000000", "CREATED:20260101T000000Z"),
        ("CREATED;VALUE=DATE:20260101", "CREATED:20260101T000000Z"),
        (
            "LAST-MODIFIED;TZID=Europe/Berlin:20260101T010000",
            "LAST-MODIFIED:20260101T000000Z",
        ),
        (
            "LAST-MODIFIED;TZID=Europe/Berlin:20260101T010000Z",
            "LAST-MODIFIED:20260101T010000Z",
        ),
        ("CREATED:2026-01-01T00:00:00Z", ""),
        ("CREATED:", ""),
        ("GEO:52.5;13.4", "GEO:52.5;13.4"),
        ("GEO: 52.5; -13.4", "GEO:52.5;-13.4"),
        ("GEO:52.5\\,13.4", "GEO:52.5;13.4"),
        ("GEO:52.5,13", "GEO:52.5;13"),
        ("GEO:91;13", ""),
        ("GEO:1e1;13", ""),
        ("GEO:52.;13", ""),
        ("GEO:Berlin", ""),
        ("GEO:inf;nan", ""),
        ("PRIORITY:5", "PRIORITY:5"),
        ("PRIORITY:05", "PRIORITY:5"),
        ("PRIORITY:10", ""),
        ("PRIORITY:HIGH", ""),
        ("PRIORITY:-1", ""),
        ("STATUS:Tentative", "STATUS:TENTATIVE"),
        ("STATUS:BUSY", ""),
        ("STATUS:COMPLETED", ""),
        ("TRANSP:transparent", "TRANSP:TRANSPARENT"),
        ("TRANSP:FREE", ""),
        ("CLASS:CONFIDENTIAL", "CLASS:CONFIDENTIAL"),
        ("CLASS:X-CLUB", "CLASS:X-CLUB"),
        ("CLASS:Family only", "CLASS:PRIVATE"),
        ("CLASS:", ""),
        (
            "URL:https://example.com/a,b?c=d",
            "URL:https://example.com/a,b?c=d",
        ),
        (
            "URL;VALUE=TEXT:https://example.com/",
            "URL:https://example.com/",
        ),
        ("URL:www.example.com", ""),
        ("URL:https://example.com/a b", ""),
        ("URL::", ""),
        ("REFRESH-INTERVAL;VALUE=DURATION:P1D", ""),
        (
            "DTEND;TZID=Europe/Berlin:20270104T120000Z",
            "DTEND:20270104T120000Z",
        ),
        (
            "RRULE:FREQ=DAILY\nEXDATE;TZID=Europe/Berlin:20270105T100000Z,20270106T110000",
            "RRULE:FREQ=DAILY\nEXDATE:20270105T100000Z\nEXDATE;TZID=Europe/Berlin:20270106T110000",
        ),
        (
            "RDATE;VALUE=PERIOD;TZID=Europe/Berlin:20270105T100000Z/PT1H",
            "RDATE;VALUE=PERIOD:20270105T100000Z/PT1H",
        ),
    ] {
        let told = told(&format!("{start}\n{written}"));
        let message = told.unwrap_or_else(|error| panic!("{error}: {written}"));
        let mut plain = message.into_calendar();
        plain
            .root_mut()
            .components
            .retain(|inner| !inner.is("VTIMEZONE"));
        let expected = meeting(&format!("{start}\n{sent}"));
        assert_same(&plain, &calendar(&format!("METHOD:REQUEST\n{expected}")));
    }
    let day = "DTSTART;VALUE=DATE;TZID=Europe/Berlin:20270104";
    let mut plain = told(day).unwrap().into_calendar();
    plain
        .root_mut()
        .components
        .retain(|inner| !inner.is("VTIMEZONE"));
    let expected = meeting("DTSTART;VALUE=DATE:20270104");
    assert_same(&plain, &calendar(&format!("METHOD:REQUEST\n{expected}")));
}

#[test]
fn what_is_told_of_a_to_do_is_of_its_types() {
    let todo = |lines: &str, partstat: &str| {
        format!(
            "BEGIN:VTODO\nUID:1\nDTSTAMP:20270101T000000Z\n{lines}\nORGANIZER:mailto:a@example.com
             ATTENDEE;PARTSTAT={partstat}:mailto:b@example.com\nEND:VTODO"
        )
    };
    for (lines, sent) in [
        (
            "STATUS:in-process\nPERCENT-COMPLETE:50",
            "STATUS:IN-PROCESS\nPERCENT-COMPLETE:50",
        ),
        ("STATUS:CONFIRMED\nPERCENT-COMPLETE:50%", ""),
        (
            "PERCENT-COMPLETE:101\nCOMPLETED:20270101",
            "COMPLETED:20270101T000000Z",
        ),
        ("PERCENT-COMPLETE:256", ""),
    ] {
        let object = calendar(&todo(lines, "NEEDS-ACTION"));
        let edited = edit(None, Some(&object), &owner(&[address(ALICE)]), now()).unwrap();
        let expected = todo(sent, "NEEDS-ACTION");
        assert_same(
            edited.outgoing[0].message.calendar(),
            &calendar(&format!("METHOD:REQUEST\n{expected}")),
        );
    }
    let done = todo("COMPLETED;TZID=Europe/Berlin:20270104T110000", "COMPLETED");
    let bobs = [address(BOB)];
    let edited = edit(None, Some(&calendar(&done)), &owner(&bobs), now()).unwrap();
    let said = edited.outgoing[0].message.components().next().unwrap();
    assert_eq!(said.value("COMPLETED"), Some("20270104T100000Z"));
    assert_eq!(said.get("COMPLETED").unwrap().params.len(), 0);
}

#[test]
fn an_instance_named_by_its_day_is_named_by_its_time() {
    let series = meeting("DTSTART:20270104T100000Z\nRRULE:FREQ=WEEKLY");
    let instance = |id: &str| meeting(&format!("RECURRENCE-ID{id}\nDTSTART:20270111T120000Z"));
    let written = format!("{series}\n{}", instance(":20270111"));
    let rightly = format!("{series}\n{}", instance(":20270111T100000Z"));
    let edited = edit(
        None,
        Some(&calendar(&written)),
        &owner(&[address(ALICE)]),
        now(),
    );
    assert_same(
        edited.unwrap().outgoing[0].message.calendar(),
        &calendar(&format!("METHOD:REQUEST\n{rightly}")),
    );
}

#[test]
fn an_unchanged_object_sends_nothing() {
    let alices = [address(ALICE)];
    let lenient = meeting(
        "DTSTART;TZID=Europe/Berlin:20270104T100000\nDTEND;TZID=Europe/Berlin:20270104T110000\nDURATION:PT2H
         RRULE:FREQ=WEEKLY;COUNT=3;UNTIL=20270301\nEXDATE;VALUE=DATE:20270111\nDESCRIPTION:One\nDESCRIPTION:Two",
    );
    let lenient = calendar(&lenient);
    let first = edit(None, Some(&lenient), &owner(&alices), now()).unwrap();
    let Change::Store(mut stored) = first.store else {
        panic!("it is stored")
    };
    // The own copy follows what was sent, and is what was sent already.
    for told in &first.outgoing {
        if let Change::Store(followed) =
            update_own_copy(&told.message, Some(&stored), &owner(&alices), now())
        {
            stored = followed;
        }
    }
    let again = edit(Some(&stored), Some(&lenient), &owner(&alices), now()).unwrap();
    assert!(again.outgoing.is_empty(), "{:?}", again.outgoing);
    let again = edit(Some(&lenient), Some(&lenient), &owner(&alices), now()).unwrap();
    assert!(again.outgoing.is_empty() && again.store == Change::None);
}

#[test]
fn invalid_messages_give_the_line() {
    // The first line given is the sixth of the file.
    let other =
        "END:VEVENT\nBEGIN:VEVENT\nUID:2\nDTSTAMP:20270101T000000Z\nDTSTART:20270104T100000Z";
    for (lines, error) in [
        (
            "DTSTART:20270104T100000Z\nUID:2",
            "line 7: VEVENT: UID stands more than once",
        ),
        (
            "DTSTART:20270104T100000Z\nDTSTART:20270105T100000Z",
            "line 7: VEVENT: DTSTART stands more than once",
        ),
        (
            "DTSTART:20270104T100000Z\nRRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY",
            "line 8: VEVENT: RRULE stands more than once",
        ),
        (
            "DTSTART:20270104T100000Z\nRRULE:FREQ=DAILY;COUNT=x",
            "line 7: VEVENT: RRULE: COUNT is `x`",
        ),
        ("SUMMARY:Plan", "line 3: VEVENT: DTSTART is missing"),
        ("DTSTART:20270104T250000Z", "line 6: VEVENT: DTSTART is"),
        (
            "DTSTART:20270104T100000Z\nDUE:20270104T100000Z",
            "line 7: VEVENT: DUE may not be in a REQUEST",
        ),
        (
            other,
            "line 8: VEVENT: all components of a message must have the same UID",
        ),
    ] {
        let text = format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\n{}\nEND:VCALENDAR\n",
            meeting(lines)
        );
        let text = text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
        let found = told(lines).unwrap_err().in_source(text.as_bytes());
        assert!(found.to_string().starts_with(error), "{found}: {text}");
    }
}

#[test]
fn guests_without_an_organizer_are_no_secret() {
    for (organizer, error) in [
        ("", "VEVENT: ORGANIZER is missing"),
        ("ORGANIZER:Anna Berg\n", "VEVENT: ORGANIZER is `Anna Berg`"),
    ] {
        let object = meeting("DTSTART:20270104T100000Z")
            .replace("ORGANIZER:mailto:a@example.com\n", organizer);
        let edited = edit(
            None,
            Some(&calendar(&object)),
            &owner(&[address(ALICE)]),
            now(),
        );
        let found = edited.unwrap_err().to_string();
        assert!(found.starts_with(error), "{found}");
    }
    // Nobody of them can be reached.
    let object = meeting("DTSTART:20270104T100000Z").replace("mailto:b@example.com", "Bo Berg");
    let edited = edit(
        None,
        Some(&calendar(&object)),
        &owner(&[address(ALICE)]),
        now(),
    );
    let found = edited.unwrap_err().to_string();
    assert!(
        found.starts_with("VEVENT: ATTENDEE is `Bo Berg`"),
        "{found}"
    );
    // Nobody is invited: a note to oneself.
    let object = meeting("DTSTART:20270104T100000Z")
        .replace("ORGANIZER:mailto:a@example.com\n", "")
        .replace("mailto:b@", "mailto:a@");
    let edited = edit(
        None,
        Some(&calendar(&object)),
        &owner(&[address(ALICE)]),
        now(),
    );
    assert!(edited.unwrap().outgoing.is_empty());
}

#[test]
fn attendees_not_reached_get_the_next_edit() {
    let alices = [address(ALICE)];
    let object = meeting("DTSTART:20270104T100000Z")
        .replace("END:VEVENT", "ATTENDEE:mailto:c@example.com\nEND:VEVENT");
    let send = |before: Option<&str>| {
        let before = before.map(calendar);
        let edited = edit(
            before.as_ref(),
            Some(&calendar(&object)),
            &owner(&alices),
            now(),
        );
        edited.unwrap()
    };
    let first = send(None);
    assert_eq!(first.outgoing[0].recipients.len(), 2);
    assert!(send(Some(&object)).outgoing.is_empty());
    let statuses = [
        (address("mailto:b@example.com"), RequestStatus::SUCCESS),
        (
            address("mailto:C@example.com"),
            RequestStatus::SERVICE_UNAVAILABLE,
        ),
    ];
    // Who hears that something is called off, and is on the list still, is shown as well.
    let noted = note_delivery(&calendar(&object), Method::Cancel, &statuses);
    assert_same(
        &noted,
        &note_delivery(&calendar(&object), Method::Request, &statuses),
    );
    let reached = object.replace(
        "ATTENDEE:mailto:b@",
        "ATTENDEE;SCHEDULE-STATUS=2.0:mailto:b@",
    );
    let expected = reached.replace(
        "ATTENDEE:mailto:c@",
        "ATTENDEE;SCHEDULE-STATUS=5.1:mailto:c@",
    );
    assert_same(&noted, &calendar(&expected));
    let second = send(Some(&expected));
    assert_eq!(
        second.outgoing[0].recipients,
        [address("mailto:c@example.com")]
    );
    let Change::Store(stored) = second.store else {
        panic!("the status is spent")
    };
    assert_same(&stored, &calendar(&object));
}
