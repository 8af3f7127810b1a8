use super::{ANNA, BO, CY, example_org};
use convoke_tests::{Credentials, Host, Post};

fn invitation() -> Post {
    Post::invitation("checks-1", ANNA, &[BO])
}

/// A message, spoilt, with the status and the element that it gets.
type Row<'a> = (&'a str, Post, u16, &'a str);

fn refuses(host: &Host, rows: Vec<Row>) {
    for (what, post, status, element) in rows {
        let answer = host.post(&post);
        let said = (answer.status, answer.error());
        let expected = (status, Some(element.to_owned()));
        assert_eq!(said, expected, "{what}: {}", answer.body);
        let why = answer.text("error/response-description");
        assert!(
            why.is_some_and(|why| !why.is_empty()),
            "{what}: {}",
            answer.body
        );
        assert_eq!(
            answer.header("iSchedule-Version").as_deref(),
            Some("1.0"),
            "{what}"
        );
        let control = answer.header("cache-control").unwrap_or_default();
        assert!(
            control.contains("no-cache") && control.contains("no-transform"),
            "{what}"
        );
    }
    assert_eq!(
        host.stored(BO, "checks-1"),
        None,
        "what is refused leaves nothing behind"
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn a_wrong_header_is_refused() {
    let rows = vec![
        (
            "no version",
            invitation().with("iSchedule-Version", ""),
            400,
            "version-not-supported",
        ),
        (
            "another version",
            invitation().with("iSchedule-Version", "2.0"),
            400,
            "version-not-supported",
        ),
        (
            "no type",
            invitation().with("Content-Type", ""),
            415,
            "invalid-calendar-data-type",
        ),
        (
            "another type",
            invitation().with("Content-Type", "text/html"),
            415,
            "invalid-calendar-data-type",
        ),
        (
            "another charset",
            invitation().with(
                "Content-Type",
                "text/calendar; charset=utf-16; component=VEVENT; method=REQUEST",
            ),
            415,
            "invalid-calendar-data-type",
        ),
        (
            "no originator",
            invitation().with("Originator", ""),
            400,
            "originator-missing",
        ),
        (
            "two originators",
            invitation().also("Originator", "mailto:eve@example.com"),
            400,
            "too-many-originators",
        ),
        (
            "two originators in one field",
            invitation().with("Originator", "mailto:a@example.com, mailto:b@example.com"),
            400,
            "too-many-originators",
        ),
        (
            "an originator that is none",
            invitation().with("Originator", "anna"),
            400,
            "originator-invalid",
        ),
        (
            "no recipient",
            invitation().with("Recipient", ""),
            400,
            "recipient-missing",
        ),
        (
            "an empty recipient",
            invitation().with("Recipient", " , "),
            400,
            "recipient-missing",
        ),
        (
            "a recipient that is none",
            invitation().with("Recipient", "bo"),
            400,
            "recipient-mismatch",
        ),
        (
            "an originator of ours",
            Post::invitation("u", CY, &[BO]),
            403,
            "originator-denied",
        ),
        (
            "an originator of ours, shouted",
            Post::invitation("u", "cy@EXAMPLE.ORG", &[BO]),
            403,
            "originator-denied",
        ),
    ];
    refuses(&example_org().start(), rows);
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn a_wrong_message_is_refused() {
    let rows = vec![
        (
            "no calendar",
            invitation().with_body(b"hello"),
            400,
            "invalid-calendar-data",
        ),
        (
            "an empty body",
            invitation().with_body(b""),
            400,
            "invalid-calendar-data",
        ),
        (
            "a cut body",
            invitation().edited("END:VEVENT\n", ""),
            400,
            "invalid-calendar-data",
        ),
        (
            "not UTF-8",
            invitation().with_body(b"BEGIN:VCALENDAR\r\nX:\xff\xfe\r\nEND:VCALENDAR\r\n"),
            400,
            "invalid-calendar-data",
        ),
        (
            "METHOD twice",
            invitation().edited("METHOD:REQUEST\n", "METHOD:REQUEST\nMETHOD:REQUEST\n"),
            400,
            "invalid-calendar-data",
        ),
        (
            "another calendar than the Gregorian",
            invitation().edited("METHOD:REQUEST\n", "METHOD:REQUEST\nCALSCALE:HEBREW\n"),
            400,
            "invalid-calendar-data",
        ),
        (
            "a control character",
            invitation().edited("SUMMARY:", "SUMMARY:\0"),
            400,
            "invalid-calendar-data",
        ),
        (
            "a parameter without =",
            invitation().edited("DTEND:", "DTEND;TZIDW. Europe Standard Time:"),
            400,
            "invalid-calendar-data",
        ),
        (
            "a name with a group",
            invitation().edited("SUMMARY:", "item1.SUMMARY:"),
            400,
            "invalid-calendar-data",
        ),
        (
            "an answer about busy time",
            Post::new(
                "VFREEBUSY REPLY",
                ANNA,
                &[BO],
                "BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REPLY\nBEGIN:VFREEBUSY\nUID:fb\nDTSTAMP:20261101T080000Z\n\
                 DTSTART:20270104T000000Z\nDTEND:20270109T000000Z\nORGANIZER:mailto:bo@example.org\n\
                 ATTENDEE:mailto:anna@example.com\nEND:VFREEBUSY\nEND:VCALENDAR\n",
            ),
            400,
            "invalid-scheduling-message",
        ),
        (
            "a component in the type that is not in the body",
            invitation().with(
                "Content-Type",
                "text/calendar; component=VEVENT; component=VTODO; method=REQUEST",
            ),
            400,
            "invalid-scheduling-message",
        ),
        (
            "another method in the body",
            invitation().edited("METHOD:REQUEST", "METHOD:CANCEL"),
            400,
            "invalid-scheduling-message",
        ),
        (
            "another component in the body",
            invitation().edited("VEVENT", "VTODO"),
            400,
            "invalid-scheduling-message",
        ),
        (
            "no method",
            invitation().edited("METHOD:REQUEST\n", ""),
            400,
            "invalid-scheduling-message",
        ),
        (
            "no UID",
            invitation().edited("UID:checks-1\n", ""),
            400,
            "invalid-scheduling-message",
        ),
        (
            "no organizer",
            invitation().edited("ORGANIZER:mailto:anna@example.com\n", ""),
            400,
            "invalid-scheduling-message",
        ),
        (
            "not the organizer",
            invitation().with("Originator", "mailto:eve@example.com"),
            400,
            "originator-invalid",
        ),
        (
            "not an attendee",
            invitation().with("Recipient", "mailto:cy@example.org"),
            400,
            "recipient-mismatch",
        ),
        (
            "free-busy of one more",
            Post::free_busy(ANNA, &[BO]).also("Recipient", "mailto:cy@example.org"),
            400,
            "recipient-mismatch",
        ),
        (
            "free-busy of one less",
            Post::free_busy(ANNA, &[BO, CY]).with("Recipient", "mailto:bo@example.org"),
            400,
            "recipient-mismatch",
        ),
        (
            "published",
            invitation()
                .edited("METHOD:REQUEST", "METHOD:PUBLISH")
                .with(
                    "Content-Type",
                    "text/calendar; component=VEVENT; method=PUBLISH",
                ),
            400,
            "invalid-scheduling-message",
        ),
    ];
    refuses(&example_org().start(), rows);
}

#[test]
fn the_answer_names_the_line_at_fault() {
    let host = example_org().start();
    let lines = invitation();
    let lines: Vec<&str> = std::str::from_utf8(lines.body()).unwrap().lines().collect();
    let line_of = |start: &str| 1 + lines.iter().position(|it| it.starts_with(start)).unwrap();
    for (before, after, line, says) in [
        ("DTSTART:", "DTSTART:noon", "DTSTART", "DTSTART is `noon"),
        (
            "SEQUENCE:0",
            "SEQUENCE:a\n b",
            "SEQUENCE",
            "SEQUENCE is `ab`",
        ),
        ("UID:checks-1\n", "", "BEGIN:VEVENT", "UID is missing"),
        (
            "METHOD:REQUEST",
            "METHOD:SHOUT",
            "METHOD",
            "METHOD `SHOUT` is not known",
        ),
        ("SUMMARY:", "SUMMARY ", "SUMMARY", "`SUMMARY Meeting`"),
    ] {
        let answer = host.post(&invitation().edited(before, after));
        let why = answer
            .text("error/response-description")
            .unwrap_or_default();
        let line = format!("line {}: ", line_of(line));
        assert!(why.contains(&line) && why.contains(says), "{after}: {why}");
    }
}

#[test]
fn what_is_beyond_our_limits_is_refused() {
    let limits =
        "content_length = \"8 KiB\"\nrecipients = 3\ninstances = 10\nattachments = [\"external\"]";
    let many = [
        "a@example.org",
        "b@example.org",
        "c@example.org",
        "d@example.org",
    ];
    let huge = "X".repeat(9 << 10);
    let rows = vec![
        (
            "many recipients",
            Post::invitation("u", ANNA, &many),
            400,
            "max-recipients",
        ),
        (
            "too large",
            invitation().with_body(huge.as_bytes()),
            413,
            "max-content-length",
        ),
        (
            "too early",
            invitation().edited("DTSTART:2027", "DTSTART:1827"),
            400,
            "min-date-time",
        ),
        (
            "too late",
            invitation().edited("DTEND:2027", "DTEND:2127"),
            400,
            "max-date-time",
        ),
        (
            "too often",
            invitation().edited("SUMMARY", "RRULE:FREQ=DAILY;COUNT=11\nSUMMARY"),
            400,
            "max-instances",
        ),
        (
            "data inside",
            invitation().edited(
                "SUMMARY",
                "ATTACH;VALUE=BINARY;ENCODING=BASE64:AAAA\nSUMMARY",
            ),
            400,
            "attachment-type-not-supported",
        ),
    ];
    refuses(&example_org().table("[limits]", limits).start(), rows);
}

#[test]
fn what_peers_do_in_other_ways_is_taken() {
    let host = example_org().start();
    for (what, post) in [
        ("as it should be", invitation()),
        (
            "several versions",
            invitation().with("iSchedule-Version", "1.0, 1.1"),
        ),
        ("no Cache-Control", invitation().with("Cache-Control", "")),
        (
            "parameters in capitals and quotes",
            invitation().with(
                "Content-Type",
                "Text/Calendar; COMPONENT=\"vevent\"; Method=request; charset=\"UTF-8\"",
            ),
        ),
        (
            "every component that is in the body, and a zone",
            invitation().with(
                "Content-Type",
                "text/calendar; component=VTIMEZONE; component=VEVENT; method=REQUEST",
            ),
        ),
        (
            "a component that is in the body's",
            invitation()
                .edited(
                    "END:VEVENT",
                    "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:PT0S\nEND:VALARM\nEND:VEVENT",
                )
                .with(
                    "Content-Type",
                    "text/calendar; component=VEVENT; component=VALARM; method=REQUEST",
                ),
        ),
        (
            "a UID with blanks around it",
            invitation().edited("UID:checks-1", "UID: checks-1 "),
        ),
        (
            "an address without mailto",
            invitation().with("Originator", ANNA).with("Recipient", BO),
        ),
        (
            "an address in other letters",
            invitation().with("Recipient", "MAILTO:Bo@Example.ORG"),
        ),
        (
            "an id in angle brackets",
            invitation().also("iSchedule-Message-ID", "<1@example.com>"),
        ),
        (
            "an endless series",
            invitation().edited("SUMMARY", "RRULE:FREQ=DAILY\nSUMMARY"),
        ),
    ] {
        let answer = host.post(&post);
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        assert_eq!(answer.codes(), ["2.0"], "{what}");
    }
    let chunked = host.ask(&invitation().to_chunks());
    assert_eq!(chunked.codes(), ["2.0"]);
}

type Spoil<'a> = &'a dyn Fn(Post) -> Post;

/// Spec §6: of several faults the one that is checked first is named.
#[test]
fn the_checks_come_in_order() {
    let (host, trusted) = required();
    let huge = [b'x'; 9 << 10];
    let faults: [(&str, Spoil); 9] = [
        ("max-content-length", &|post| post.with_body(&huge)),
        ("version-not-supported", &|post| {
            post.with("iSchedule-Version", "9")
        }),
        ("invalid-calendar-data-type", &|post| {
            post.with("Content-Type", "text/plain")
        }),
        ("too-many-originators", &|post| {
            post.also("Originator", "mailto:eve@example.com")
        }),
        ("recipient-missing", &|post| post.with("Recipient", "")),
        ("verification-failed", &|post| post),
        ("invalid-calendar-data", &|post| {
            post.edited("END:VEVENT\n", "")
        }),
        ("originator-invalid", &|post| {
            post.edited("ORGANIZER:mailto:anna", "ORGANIZER:mailto:eve")
        }),
        ("max-instances", &|post| {
            post.edited("SUMMARY", "RRULE:FREQ=DAILY;COUNT=11\nSUMMARY")
        }),
    ];
    let mut proven = false;
    for (place, (element, _)) in faults.iter().enumerate() {
        let later = faults[place..].iter().rev();
        let post = later.fold(invitation(), |post, (_, spoil)| spoil(post));
        let mut peer = if proven {
            host.connect_as(&trusted)
        } else {
            host.connect()
        };
        let answer = peer.ask(&post.to_bytes());
        assert_eq!(answer.error().as_deref(), Some(*element), "{answer:?}");
        proven |= *element == "verification-failed";
    }
}

/// A host that wants proof, and a certificate that proves `example.com`.
fn required() -> (Host, Credentials) {
    let host = example_org()
        .table("[limits]", "content_length = \"8 KiB\"\ninstances = 10")
        .table("[verification]", "required = true")
        .client_certificates()
        .start();
    let trusted = host.authority().issue(&["example.com"]);
    (host, trusted)
}
