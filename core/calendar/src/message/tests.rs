mod dates;

use super::{Kind, Message, Method, Problem, Provenance};
use crate::tree::{Calendar, Limits};
use convoke_types::{CalendarAddress, RequestStatus};

fn read(inside: &str) -> Result<Message, super::MessageError> {
    let lines: Vec<&str> = inside
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let text = format!(
        "BEGIN:VCALENDAR\r\n{}\r\nEND:VCALENDAR\r\n",
        lines.join("\r\n")
    );
    Message::read(Calendar::parse(text.as_bytes(), &Limits::default()).unwrap())
}

const EVENT: &str = "DTSTAMP:20261201T100000Z\nUID:1\nORGANIZER:mailto:a@example.com
    ATTENDEE:mailto:b@example.com";

/// A message with one component of the lines that every method needs, and more.
fn with(method: &str, kind: &str, more: &str) -> Result<Message, super::MessageError> {
    read(&format!(
        "VERSION:2.0\nMETHOD:{method}\nBEGIN:{kind}\n{EVENT}\n{more}\nEND:{kind}"
    ))
}

#[track_caller]
fn refused(message: Result<Message, super::MessageError>, code: &RequestStatus, words: &str) {
    let error = message.unwrap_err();
    assert!(
        error.status().same_code(code),
        "{error}: {}",
        error.status()
    );
    assert!(
        error.to_string().contains(words),
        "`{error}` does not say `{words}`"
    );
}

#[test]
fn the_same_line_twice_counts_once() {
    let twice = |line: &str| with("REPLY", "VEVENT", line);
    assert!(twice("UID:1\nDTSTAMP:20261201T100000Z").is_ok());
    refused(
        twice("DTSTAMP:20261201T100001Z"),
        &RequestStatus::INVALID_COMPONENT,
        "DTSTAMP stands more than once",
    );
}

#[test]
fn what_the_whole_object_is_is_said_once() {
    let head = "PRODID:-//Test//EN\nVERSION:2.0\nCALSCALE:gregorian\nMETHOD:REFRESH";
    let whole = |head: &str| {
        let text =
            format!("BEGIN:VCALENDAR\n{head}\nBEGIN:VEVENT\n{EVENT}\nEND:VEVENT\nEND:VCALENDAR\n");
        let text = text.replace("\n    ", "\n");
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        Message::read(calendar).map_err(|error| error.in_source(text.as_bytes()))
    };
    assert!(whole(head).is_ok());
    for (more, line, words) in [
        ("METHOD:REFRESH", 6, "more than one METHOD"),
        ("method:CANCEL", 6, "more than one METHOD"),
        ("VERSION:2.0", 6, "more than one VERSION"),
        ("PRODID:-//Test//EN", 6, "more than one PRODID"),
        ("CALSCALE:GREGORIAN", 6, "more than one CALSCALE"),
    ] {
        let error = whole(&format!("{head}\n{more}")).unwrap_err();
        assert!(error.is_calendar_data(), "{error}");
        assert_eq!(error.line(), Some(line), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    for scale in ["HEBREW", "", "GREGORIAN2"] {
        let error = whole(&head.replace("gregorian", scale)).unwrap_err();
        assert!(error.is_calendar_data(), "{error}");
        assert_eq!(error.line(), Some(4), "{error}");
    }
    assert!(
        !with("REFRESH", "VEVENT", "DTSTART:20270104")
            .unwrap_err()
            .is_calendar_data()
    );
}

#[test]
fn a_uid_is_the_same_however_it_is_escaped() {
    let two = |one: &str, other: &str| {
        let event = |uid: &str, more: &str| {
            format!(
                "BEGIN:VEVENT\n{}\nDTSTART:20270104T100000Z\n{more}\nEND:VEVENT",
                EVENT.replace("UID:1", uid)
            )
        };
        let [one, other] = [
            event(one, "RRULE:FREQ=DAILY"),
            event(other, "RECURRENCE-ID:20270105T100000Z"),
        ];
        read(&format!("VERSION:2.0\nMETHOD:REQUEST\n{one}\n{other}"))
    };
    assert_eq!(two("UID:a\\,b", "UID: a,b").unwrap().uid().as_str(), "a,b");
    refused(
        two("UID:a", "UID:b"),
        &RequestStatus::INVALID_PROPERTY_VALUE,
        "the same UID",
    );
}

#[test]
fn the_least_that_each_method_needs_is_taken() {
    let times = "DTSTART:20270104T100000Z\nDTEND:20270104T110000Z";
    for (method, kind, more) in [
        ("REQUEST", "VEVENT", "DTSTART:20270104T100000Z"),
        ("REPLY", "VEVENT", ""),
        ("ADD", "VEVENT", "DTSTART;VALUE=DATE:20270104\nSEQUENCE:1"),
        ("CANCEL", "VEVENT", ""),
        ("REFRESH", "VEVENT", ""),
        ("COUNTER", "VEVENT", "DTSTART:20270104T100000Z\nSEQUENCE:0"),
        ("DECLINECOUNTER", "VEVENT", ""),
        ("REQUEST", "VTODO", ""),
        ("REPLY", "VTODO", "PERCENT-COMPLETE:75"),
        ("CANCEL", "VTODO", ""),
        ("REQUEST", "VFREEBUSY", times),
        ("REPLY", "VFREEBUSY", times),
        // what nobody knows is fine everywhere
        (
            "REFRESH",
            "VEVENT",
            "X-ODD:1\nX-ODD:2\nCONFERENCE:x\nBEGIN:X-ODD\nEND:X-ODD",
        ),
        ("REFRESH", "vevent", ""),
    ] {
        let message = with(method, kind, more).unwrap_or_else(|e| panic!("{method} {kind}: {e}"));
        assert_eq!(Some(message.method()), Method::parse(method));
        assert_eq!(Some(message.kind()), Kind::parse(kind));
        assert_eq!(message.uid().as_str(), "1");
    }
}

#[test]
fn violations_of_a_methods_property_table_are_named() {
    let start = "DTSTART:20270104T100000Z";
    let (missing, excess) = (
        &RequestStatus::MISSING_COMPONENT,
        &RequestStatus::INVALID_COMPONENT,
    );
    for (method, kind, more, code, words) in [
        (
            "REQUEST",
            "VEVENT",
            "",
            missing,
            "VEVENT: DTSTART is missing",
        ),
        ("ADD", "VEVENT", "", missing, "DTSTART"),
        (
            "REQUEST",
            "VEVENT",
            "DTSTART:20270104\nDTSTART:20270105",
            excess,
            "DTSTART",
        ),
        (
            "REQUEST",
            "VEVENT",
            "DTSTART:20270104\nREQUEST-STATUS:2.0;x",
            excess,
            "REQUEST-STATUS",
        ),
        (
            "REQUEST",
            "VEVENT",
            "DTSTART:20270104\nDTEND:20270105\nDURATION:P1D",
            excess,
            "DTEND and DURATION",
        ),
        (
            "REQUEST",
            "VTODO",
            "DUE:20270105\nDURATION:P1D",
            excess,
            "DUE and DURATION",
        ),
        (
            "REQUEST",
            "VTODO",
            "DTEND:20270105",
            excess,
            "VTODO: DTEND may not",
        ),
        (
            "REQUEST",
            "VEVENT",
            "DTSTART:20270104\nDUE:20270105",
            excess,
            "VEVENT: DUE may not",
        ),
        (
            "ADD",
            "VEVENT",
            "DTSTART:20270104\nRRULE:FREQ=DAILY",
            excess,
            "RRULE",
        ),
        (
            "ADD",
            "VEVENT",
            "DTSTART:20270104\nRECURRENCE-ID:20270104",
            excess,
            "RECURRENCE-ID",
        ),
        (
            "REFRESH",
            "VEVENT",
            start,
            excess,
            "DTSTART may not be in a REFRESH",
        ),
        (
            "REPLY",
            "VEVENT",
            "BEGIN:VALARM\nEND:VALARM",
            excess,
            "VALARM",
        ),
        ("CANCEL", "VEVENT", "UID:2", excess, "UID"),
        (
            "REQUEST",
            "VFREEBUSY",
            "DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nFREEBUSY:x",
            excess,
            "FREEBUSY",
        ),
    ] {
        refused(with(method, kind, more), code, words);
    }
}

#[test]
fn what_every_message_needs() {
    let missing = &RequestStatus::MISSING_COMPONENT;
    for property in ["DTSTAMP", "UID", "ORGANIZER", "ATTENDEE"] {
        let lines: Vec<&str> = EVENT
            .lines()
            .filter(|it| !it.trim().starts_with(property))
            .collect();
        let lines = lines.join("\n");
        let text = format!(
            "VERSION:2.0\nMETHOD:REQUEST\nBEGIN:VEVENT\n{lines}\nDTSTART:20270104\nEND:VEVENT"
        );
        refused(read(&text), missing, property);
    }
    refused(
        read("METHOD:REQUEST"),
        &RequestStatus::UNSUPPORTED_VERSION,
        "VERSION",
    );
    refused(
        read("VERSION:1.0\nMETHOD:REQUEST"),
        &RequestStatus::UNSUPPORTED_VERSION,
        "1.0",
    );
    refused(read("VERSION:2.0"), missing, "METHOD");
    refused(read("VERSION:2.0\nMETHOD:REQUEST"), missing, "VEVENT");
    refused(
        read("VERSION:2.0\nMETHOD:REQUEST\nBEGIN:X-A\nEND:X-A"),
        missing,
        "VEVENT",
    );
}

#[test]
fn what_is_not_done_here_is_said_so() {
    let event = "DTSTART:20270104T100000Z";
    for (method, kind) in [
        ("PUBLISH", "VEVENT"),
        ("PUBLISH", "VTODO"),
        ("PUBLISH", "VFREEBUSY"),
        ("CANCEL", "VFREEBUSY"),
        ("REQUEST", "VJOURNAL"),
        ("CANCEL", "VJOURNAL"),
        ("REQUEST", "VPOLL"),
        ("REQUEST", "VAVAILABILITY"),
        ("POLLSTATUS", "VEVENT"),
    ] {
        let error = with(method, kind, event).unwrap_err();
        assert!(error.is_unsupported(), "{error}");
        assert!(error.status().same_code(&RequestStatus::UNSUPPORTED));
    }
}

#[test]
fn components_of_a_message_belong_together() {
    let part = |kind: &str, uid: &str, organizer: &str, more: &str| {
        format!(
            "BEGIN:{kind}\nUID:{uid}\nDTSTAMP:20261201T100000Z\nDTSTART:20270104T100000Z
             {organizer}\nATTENDEE:mailto:b@example.com\n{more}\nEND:{kind}\n"
        )
    };
    let alice = "ORGANIZER:mailto:a@example.com";
    let whole = part("VEVENT", "1", alice, "RRULE:FREQ=DAILY\nSEQUENCE:2");
    let first = "RECURRENCE-ID:20270105T100000Z";
    let both =
        |method: &str, other: &str| read(&format!("VERSION:2.0\nMETHOD:{method}\n{whole}{other}"));
    // RFC 5546 §4.4.8 leaves the ORGANIZER of an instance out.
    let message = both("REQUEST", &part("VEVENT", "1", "X-A:1", first)).unwrap();
    assert_eq!((message.sequence(), message.attendees().len()), (2, 1));
    assert_eq!(
        message
            .components()
            .filter(|it| it.get("ORGANIZER").is_some())
            .count(),
        2
    );

    let excess = &RequestStatus::INVALID_COMPONENT;
    let wrong = &RequestStatus::INVALID_PROPERTY_VALUE;
    refused(
        both("REQUEST", &part("VTODO", "1", alice, first)),
        excess,
        "VEVENT and VTODO",
    );
    refused(
        both("REQUEST", &part("VEVENT", "2", alice, first)),
        wrong,
        "UID",
    );
    refused(
        both(
            "REQUEST",
            &part("VEVENT", "1", "ORGANIZER:mailto:z@example.com", first),
        ),
        wrong,
        "ORGANIZER",
    );
    refused(
        both("REQUEST", &part("VEVENT", "1", alice, "")),
        excess,
        "without RECURRENCE-ID",
    );
    refused(
        both("COUNTER", &part("VEVENT", "1", alice, first)),
        excess,
        "exactly one",
    );
    let twice = part("VEVENT", "1", alice, first).repeat(2);
    refused(both("REQUEST", &twice), excess, "20270105T100000Z");
    let many = "BEGIN:VEVENT\nEND:VEVENT\n".repeat(super::MAX_COMPONENTS);
    refused(both("REQUEST", &many), &RequestStatus::TOO_LARGE, "10001");
}

#[test]
fn values_that_scheduling_works_with_are_checked() {
    let wrong = &RequestStatus::INVALID_PROPERTY_VALUE;
    let date = &RequestStatus::INVALID_DATE;
    for (more, code, words) in [
        ("DTSTART:tomorrow", date, "DTSTART is `tomorrow`"),
        ("DTSTART:20270230T100000Z", date, "20270230"),
        (
            "DTSTART:20270104T100000Z\nDTEND:19970701T2100000Z",
            date,
            "DTEND",
        ),
    ] {
        refused(with("REQUEST", "VEVENT", more), code, words);
    }
    for number in [
        "-1",
        "+1",
        "",
        " ",
        "1 ",
        " 1",
        "1.0",
        "0x1",
        "one",
        "2147483648",
        "18446744073709551615",
        "99999999999999999999999",
        "\u{661}",
    ] {
        let head = EVENT.replace("\n    ", "\r\n");
        let octets = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n{head}\r\n\
             DTSTART:20270104\r\nSEQUENCE:{number}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        let read = Message::read(Calendar::parse(octets.as_bytes(), &Limits::default()).unwrap());
        refused(read, wrong, "SEQUENCE");
    }
    for number in ["0", "007", "2147483647"] {
        assert!(
            with(
                "REQUEST",
                "VEVENT",
                &format!("DTSTART:20270104\nSEQUENCE:{number}")
            )
            .is_ok()
        );
    }
    refused(
        with("ADD", "VEVENT", "DTSTART:20270104\nSEQUENCE:0"),
        wrong,
        "SEQUENCE",
    );
    let local = "DTSTART:20270104T100000\nDTEND:20270104T110000Z";
    refused(with("REQUEST", "VFREEBUSY", local), date, "DTSTART");
    let backwards = "DTSTART:20270104T100000Z\nDTEND:20270104T100000Z";
    refused(
        with("REQUEST", "VFREEBUSY", backwards),
        date,
        "after DTSTART",
    );
}

/// Spec §5: METHOD, who may be Originator and Recipient: a the organizer, b the attendee, x a stranger.
#[test]
fn originator_and_recipient_match_what_the_method_says() {
    let address =
        |letter: char| CalendarAddress::new(&format!("mailto:{letter}@example.com")).unwrap();
    let start = "DTSTART:20270104T100000Z";
    let times = "DTSTART:20270104T100000Z\nDTEND:20270104T110000Z";
    for (method, kind, more, originator, recipient) in [
        ("REQUEST", "VEVENT", start, 'a', 'b'),
        ("ADD", "VEVENT", start, 'a', 'b'),
        ("CANCEL", "VEVENT", "", 'a', 'b'),
        ("DECLINECOUNTER", "VEVENT", "", 'a', 'b'),
        ("REPLY", "VEVENT", "", 'b', 'a'),
        ("REFRESH", "VEVENT", "", 'b', 'a'),
        ("COUNTER", "VEVENT", start, 'b', 'a'),
        ("REQUEST", "VFREEBUSY", times, 'a', 'b'),
    ] {
        let message = with(method, kind, more).unwrap();
        for who in ['a', 'b', 'x'] {
            let (from, to) = (
                message.check_originator(&address(who), Provenance::Peer { proven: &[] }),
                message.check_recipient(&address(who)),
            );
            assert_eq!(from.is_ok(), who == originator, "{method} from {who}");
            assert_eq!(to.is_ok(), who == recipient, "{method} to {who}");
            assert!(from.err().is_none_or(|error| error.is_originator()));
            assert!(to.err().is_none_or(|error| error.is_recipient()));
        }
    }
}

#[test]
fn attendees_without_an_address_do_not_block_scheduling() {
    let message = with("REPLY", "VEVENT", "ATTENDEE;CN=Anna:Anna").unwrap();
    assert_eq!(message.attendees().len(), 1);
    let lines = "UID:1\nDTSTAMP:20261201T100000Z\nORGANIZER:mailto:a@example.com\nATTENDEE:nobody";
    let nobody = read(&format!(
        "VERSION:2.0\nMETHOD:REPLY\nBEGIN:VEVENT\n{lines}\nEND:VEVENT"
    ));
    refused(
        nobody,
        &RequestStatus::INVALID_PROPERTY_VALUE,
        "ATTENDEE is `nobody`",
    );
}

#[test]
fn the_size_of_a_message_is_measured() {
    let message = with(
        "REQUEST",
        "VEVENT",
        "DTSTART:20270104T100000Z\nDTEND:20280104T100000Z\nRDATE:20290101T000000Z,20250101T000000Z
         ATTACH:https://example.com/x\nBEGIN:VALARM\nATTACH;ENCODING=BASE64;VALUE=BINARY:AA==\nEND:VALARM",
    )
    .unwrap();
    assert_eq!(message.instances(3), Ok(3));
    assert!(message.instances(2).is_err());
    assert_eq!(
        message.earliest().unwrap().to_string(),
        "2025-01-01T00:00:00Z"
    );
    assert_eq!(
        message.latest().unwrap().to_string(),
        "2029-01-01T00:00:00Z"
    );
    let attachments = message.attachments();
    assert!(attachments.inline && attachments.external);
}

#[test]
fn every_problem_has_a_sentence_and_a_status() {
    for problem in [
        Problem::NoMethod,
        Problem::NoComponent,
        Problem::Version(None),
        Problem::UnknownMethod("X".into()),
        Problem::TwoMasters(Kind::Event),
    ] {
        let error = super::MessageError::from(problem);
        assert!(!error.to_string().is_empty() && error.status().is_failure());
    }
}

#[test]
fn a_message_is_not_of_the_future() {
    let message = with("REQUEST", "VEVENT", "DTSTART:20270104T100000Z").unwrap();
    let check = |now: &str| message.check_written_by(now.parse().unwrap());
    assert!(check("2026-12-01T10:00:00Z").is_ok());
    assert!(check("2026-12-01T09:55:00Z").is_ok());
    let error = check("2026-12-01T09:54:59Z").unwrap_err();
    assert!(
        error.to_string().contains("DTSTAMP is `20261201T100000Z`"),
        "{error}"
    );
}
