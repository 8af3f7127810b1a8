//! Composed mails against what RFC 6047 and the big receivers want, read by `mail-parser`, which did not write them.

mod support;

use convoke_calendar::tree::Calendar;
use convoke_imip::{ComposeError, FromMode, Gateway, Mail, Mailbox, Token};
use mail_parser::{MessageParser, MimeHeaders, PartType};
use support::{GUESTS, Sending, TIME, calendar, event, field, header, invitation, message};

/// Type, disposition and octets of each part, as mail-parser reads them.
fn parts(mail: &Mail) -> Vec<(String, Vec<u8>)> {
    let parsed = MessageParser::default()
        .parse(&mail.octets)
        .expect("a mail");
    let parts = parsed.parts.iter().map(|part| {
        let kind = part.content_type().expect("every part has a type");
        let name = format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default());
        let octets = match &part.body {
            PartType::Multipart(_) => Vec::new(),
            _ => part.contents().to_vec(),
        };
        (name, octets)
    });
    parts.collect()
}

/// The calendar in a mail.
fn sent(mail: &Mail) -> Calendar {
    let (_, octets) = parts(mail)
        .into_iter()
        .find(|(kind, _)| kind == "text/calendar")
        .unwrap();
    calendar(std::str::from_utf8(&octets).unwrap())
}

fn text(mail: &Mail) -> String {
    let (_, octets) = parts(mail)
        .into_iter()
        .find(|(kind, _)| kind == "text/plain")
        .unwrap();
    String::from_utf8(octets).unwrap()
}

#[test]
fn the_parts_are_those_that_all_receivers_take() {
    let mail = Sending::of(invitation("SUMMARY:Tea")).mail();
    let parts = parts(&mail);
    let kinds: Vec<&str> = parts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "multipart/mixed",
            "multipart/alternative",
            "text/plain",
            "text/html",
            "text/calendar",
            "application/ics",
        ]
    );
    assert_eq!(parts[4].1, parts[5].1, "both are the same calendar");
    let (_, body) = header(&mail);
    for line in [
        "Content-Type: text/calendar; method=REQUEST; charset=UTF-8; component=VEVENT\r\n",
        "Content-Type: application/ics; name=\"invite.ics\"\r\n",
        "Content-Disposition: attachment; filename=\"invite.ics\"\r\n",
    ] {
        assert!(body.contains(line), "{line}");
    }
    let written = String::from_utf8(parts[4].1.clone()).unwrap();
    assert_eq!(written.matches("BEGIN:VCALENDAR\r\n").count(), 1);
    assert_eq!(written.matches("METHOD:REQUEST\r\n").count(), 1);
}

#[test]
fn the_header_names_the_person_the_gateway_and_the_token() {
    let token = Token::of([7; 16]);
    let plus = format!("calendar+{token}@example.org");
    let sending = Sending::of(invitation("SUMMARY:Tea"));
    let mail = sending.mail();
    let names: Vec<String> = header(&mail).0.into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "From",
            "Sender",
            "To",
            "Reply-To",
            "Subject",
            "Date",
            "Message-ID",
            "References",
            "Auto-Submitted",
            "X-Auto-Response-Suppress",
            "Content-Language",
            "MIME-Version",
            "Content-Type",
        ]
    );
    for (name, expected) in [
        (
            "From",
            "=?utf-8?B?QW5uYSDDhW5nc3Ryw7Zt?= <anna@example.org>",
        ),
        ("Sender", "<calendar@example.org>"),
        ("To", "\"Bo, the guest\" <bo@b.example>"),
        ("Reply-To", &format!("<{plus}>")),
        ("Subject", "Invitation: Tea"),
        ("Date", "Thu, 26 Nov 2026 23:00:01 +0000"),
        ("Auto-Submitted", "auto-generated"),
        ("Message-ID", &format!("<{}>", mail.message_id)),
    ] {
        assert_eq!(field(&mail, name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(
        (mail.envelope_from.as_str(), mail.envelope_to.as_str()),
        (plus.as_str(), "bo@b.example")
    );
    assert!(!mail.smtputf8);
}

#[test]
fn a_gateway_may_send_in_its_own_name() {
    let sending = Sending {
        from: FromMode::Gateway,
        ..Sending::of(invitation("SUMMARY:Tea"))
    };
    let mail = sending.mail();
    let from = field(&mail, "From").unwrap();
    assert_eq!(
        from,
        "=?utf-8?B?QW5uYSDDhW5nc3Ryw7Zt?= <calendar@example.org>"
    );
    assert_eq!(field(&mail, "Sender"), None);
    let organizer = sent(&mail)
        .main_components()
        .next()
        .unwrap()
        .get("ORGANIZER")
        .unwrap()
        .clone();
    assert_eq!(
        organizer.value, "mailto:anna@example.org",
        "answers of programs go to the person"
    );
}

#[test]
fn without_a_token_answers_go_to_the_person() {
    let sending = Sending {
        token: None,
        ..Sending::of(invitation("SUMMARY:Tea"))
    };
    let mail = sending.mail();
    assert!(
        field(&mail, "Reply-To")
            .unwrap()
            .ends_with("<anna@example.org>")
    );
    assert_eq!(mail.envelope_from, "calendar@example.org");
}

#[test]
fn addresses_outside_ascii_need_smtputf8() {
    let mut sending = Sending::of(invitation("SUMMARY:Tea"));
    sending.person = Mailbox::new("ännä@example.org".parse().unwrap());
    assert!(sending.mail().smtputf8);
}

#[test]
fn a_mail_that_is_sent_again_is_the_same() {
    let version = |sequence: &str, stamp: &str| {
        let text = event("REQUEST", &format!("{GUESTS}|{TIME}|SUMMARY:Tea"));
        let text = text
            .replace("SEQUENCE:1", sequence)
            .replace("DTSTAMP:20261126T230000Z", stamp);
        Sending::of(message(&text)).mail()
    };
    let first = version("SEQUENCE:1", "DTSTAMP:20261126T230000Z");
    assert_eq!(first, version("SEQUENCE:1", "DTSTAMP:20261126T230000Z"));
    assert_ne!(
        first.message_id,
        version("SEQUENCE:2", "DTSTAMP:20261126T230000Z").message_id
    );
    assert_ne!(
        first.message_id,
        version("SEQUENCE:1", "DTSTAMP:20261126T230001Z").message_id
    );
    // Within one second, and without another SEQUENCE.
    let [of_ten, of_eleven] = ["20270104T100000Z", "20270104T110000Z"].map(|start| {
        let proposal = event("COUNTER", &format!("{GUESTS}|DTSTART:{start}|SUMMARY:Tea"));
        Sending::of(message(&proposal)).mail().message_id
    });
    assert_ne!(of_ten, of_eleven);
    let mut to_carl = Sending::of(invitation("SUMMARY:Tea"));
    to_carl.recipient.mailbox.address = "carl@c.example".parse().unwrap();
    assert_ne!(first.message_id, to_carl.mail().message_id);
}

/// A report may name a guest by the Message-ID of the mail alone: who else is invited knows all that the message holds.
#[test]
fn nobody_else_can_tell_the_message_id_of_a_guests_mail() {
    let id = |token: Option<Token>| {
        Sending {
            token,
            ..Sending::of(invitation("SUMMARY:Tea"))
        }
        .mail()
        .message_id
    };
    let of = |random| id(Some(Token::of(random)));
    assert_eq!(of([1; 16]), of([1; 16]));
    assert_ne!(of([1; 16]), of([2; 16]));
    assert_ne!(of([1; 16]), id(None));
}

#[test]
fn updates_are_of_one_thread() {
    let mut sending = Sending::of(invitation("SUMMARY:Tea"));
    let thread = field(&sending.mail(), "References").unwrap();
    assert_eq!(
        field(&sending.mail(), "In-Reply-To"),
        None,
        "nothing was before"
    );
    sending.references = (0..30)
        .map(|number| format!("{number}@example.org"))
        .collect();
    let mail = sending.mail();
    assert_eq!(
        field(&mail, "In-Reply-To").as_deref(),
        Some("<29@example.org>")
    );
    let references = field(&mail, "References").unwrap();
    assert!(
        references.starts_with(&format!("{thread} <10@example.org> ")),
        "{references}"
    );
    assert!(references.ends_with(" <29@example.org>"), "{references}");
    sending.references = vec![
        "1@example.org".to_owned(),
        "2@x>\r\nBcc: <x@x.example".to_owned(),
    ];
    let mail = sending.mail();
    assert_eq!(
        field(&mail, "In-Reply-To").as_deref(),
        Some("<1@example.org>")
    );
    assert_eq!(field(&mail, "Bcc"), None);
}

#[test]
fn people_are_named_as_mail_programs_need_it() {
    let lines = "ATTENDEE;RSVP=FALSE;SCHEDULE-STATUS=1.0:MAILTO:Bo@B.example|\
        ATTENDEE;RSVP=FALSE;EMAIL=carl@c.example:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
    let text = event("REQUEST", &format!("{lines}|{TIME}"));
    let text = text.replace("ORGANIZER;", "ORGANIZER;SCHEDULE-AGENT=SERVER;X-A=b;");
    let mail = Sending::of(message(&text)).mail();
    let written = String::from_utf8(sent(&mail).write())
        .unwrap()
        .replace("\r\n ", "");
    for line in [
        "ORGANIZER;CN=Anna Ångström:mailto:anna@example.org\r\n",
        "ATTENDEE;RSVP=TRUE:mailto:Bo@b.example\r\n",
        "ATTENDEE;RSVP=FALSE;EMAIL=carl@c.example:mailto:carl@c.example\r\n",
    ] {
        assert!(written.contains(line), "{line} in {written}");
    }
}

#[test]
fn who_is_not_on_the_list_gets_no_invitation() {
    let mut sending = Sending::of(invitation("SUMMARY:Tea"));
    sending.recipient.mailbox.address = "dora@d.example".parse().unwrap();
    let error = sending.composed().unwrap_err();
    assert!(matches!(error, ComposeError::NotListed { .. }), "{error}");
    sending.recipient.mailbox.address = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
        .parse()
        .unwrap();
    assert!(sending.composed().is_err());
}

#[test]
fn busy_time_is_not_asked_by_mail() {
    let text = "BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REQUEST\nBEGIN:VFREEBUSY\nUID:1\nDTSTAMP:20261126T230000Z\n\
        DTSTART:20270104T000000Z\nDTEND:20270105T000000Z\nORGANIZER:mailto:anna@example.org\n\
        ATTENDEE:mailto:bo@b.example\nEND:VFREEBUSY\nEND:VCALENDAR\n";
    let error = Sending::of(message(text)).composed().unwrap_err();
    assert_eq!(error, ComposeError::FreeBusy);
}

#[test]
fn every_zone_is_described_by_rules() {
    let listed = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\nDTSTART:20261025T030000\r\nTZOFFSETFROM:+0200\r\n\
        TZOFFSETTO:+0100\r\nRDATE:20271031T030000\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\nDTSTART:20270328T020000\r\n\
        TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nRDATE:20280326T020000\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n";
    let named = event("REQUEST", &format!("{GUESTS}|{TIME}"));
    let with_list = named.replace("BEGIN:VEVENT", &format!("{listed}BEGIN:VEVENT"));
    for text in [named, with_list] {
        let mail = Sending::of(message(&text)).mail();
        let written = String::from_utf8(sent(&mail).write()).unwrap();
        for line in [
            "TZID:Europe/Berlin\r\n",
            "DTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\n",
            "DTSTART:19701025T030000\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\n",
        ] {
            assert!(written.contains(line), "{line} in {written}");
        }
        assert!(!written.contains("RDATE"), "{written}");
    }
}

#[test]
fn a_zone_that_nobody_knows_is_that_of_the_person() {
    let time = "DTSTART;TZID=Home:20270104T100000|DTEND;TZID=Home:20270104T113000";
    let mail = Sending::of(message(&event("REQUEST", &format!("{GUESTS}|{time}")))).mail();
    let written = String::from_utf8(sent(&mail).write()).unwrap();
    assert!(
        written.contains("TZID:Home\r\n") && written.contains("TZOFFSETTO:+0200\r\n"),
        "{written}"
    );
}

#[test]
fn lines_are_short_and_ascii() {
    let long = "ü".repeat(5000);
    let lines = format!("SUMMARY:{long}|LOCATION:{long}|DESCRIPTION:{long}");
    let mail = Sending::of(invitation(&lines)).mail();
    assert!(mail.octets.is_ascii());
    let text = String::from_utf8(mail.octets).unwrap();
    assert!(
        text.split("\r\n")
            .all(|line| line.len() <= 78 && !line.contains(['\r', '\n']))
    );
}

#[test]
fn what_looks_encoded_is_not_decoded() {
    for (text, expected) in [
        ("=?utf-8?q?=0D=0ABcc:_x?=", "= ?utf-8?q?=0D=0ABcc:_x?="),
        ("a =?utf-8?b?eA==?= b", "a = ?utf-8?b?eA== ?= b"),
        ("ü ==??", "ü == ??"),
    ] {
        let mut sending = Sending::of(invitation(&format!("SUMMARY:{text}")));
        sending.person.name = Some(text.to_owned());
        let mail = sending.mail();
        let parsed = MessageParser::default().parse(&mail.octets).unwrap();
        assert_eq!(
            parsed.subject(),
            Some(format!("Invitation: {expected}").as_str())
        );
        assert_eq!(
            parsed.from().unwrap().first().unwrap().name.as_deref(),
            Some(expected)
        );
    }
}

#[test]
fn html_shows_what_was_written_and_runs_nothing() {
    let mail = Sending::of(invitation(
        "SUMMARY:<script>alert(1)</script>|LOCATION:\"&'",
    ))
    .mail();
    let (_, html) = parts(&mail)
        .into_iter()
        .find(|(kind, _)| kind == "text/html")
        .unwrap();
    let html = String::from_utf8(html).unwrap();
    assert!(
        html.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && html.contains("&quot;&amp;&#39;"),
        "{html}"
    );
    assert!(!html.contains("<script"), "{html}");
}

#[test]
fn a_gateway_with_the_longest_name_leaves_room_for_the_token() {
    let longest = "x".repeat(Gateway::MOST);
    let gateway = Gateway::new(format!("{longest}@example.org").parse().unwrap()).unwrap();
    let address = gateway.with(&Token::of([255; 16]));
    assert!(address.local_part().unwrap().len() <= 64);
}

#[test]
fn what_it_says_reads_well_in_each_language() {
    use convoke_imip::Language::{English, French, German, Spanish};
    let update = |lines: &str| {
        let mut sending = Sending::of(invitation(lines));
        let before = event(
            "REQUEST",
            &format!(
                "{GUESTS}|DTSTART:20270104T080000Z|DTEND:20270104T090000Z|SUMMARY:Tea|LOCATION:Room 1"
            ),
        );
        sending.previous = Some(calendar(&before));
        sending
    };
    for (language, subject, expected) in [
        (
            English,
            "Updated invitation: Tea",
            "Anna Ångström has updated “Tea”.\n\nWhen: Monday, 4 January 2027, 10:00 – 11:30 (Europe/Berlin)\n    \
             (was: Monday, 4 January 2027, 09:00 – 10:00 (Europe/Berlin))\nRepeats: weekly (Monday, Friday), 4 times\n    (was: –)\n\
             Where: Room 2\n    (was: Room 1)\nOrganizer: Anna Ångström\n",
        ),
        (
            German,
            "Geänderte Einladung: Tea",
            "Anna Ångström hat „Tea“ geändert.\n\nWann: Montag, 4. Januar 2027, 10:00 – 11:30 (Europe/Berlin)\n    \
             (bisher: Montag, 4. Januar 2027, 09:00 – 10:00 (Europe/Berlin))\nWiederholt sich: wöchentlich (Montag, Freitag), 4-mal\n",
        ),
        (
            French,
            "Invitation modifiée : Tea",
            "Anna Ångström a modifié « Tea ».\n\nQuand\u{a0}: lundi 4 janvier 2027, 10:00 – 11:30 (Europe/Berlin)\n    \
             (avant : lundi 4 janvier 2027, 09:00 – 10:00 (Europe/Berlin))\nSe répète\u{a0}: toutes les semaines (lundi, vendredi), 4 fois\n",
        ),
        (
            Spanish,
            "Invitación modificada: Tea",
            "Anna Ångström ha modificado «Tea».\n\nCuándo: lunes, 4 de enero de 2027, 10:00 – 11:30 (Europe/Berlin)\n    \
             (antes: lunes, 4 de enero de 2027, 09:00 – 10:00 (Europe/Berlin))\nSe repite: cada semana (lunes, viernes), 4 veces\n",
        ),
    ] {
        let sending = update("SUMMARY:Tea|LOCATION:Room 2|RRULE:FREQ=WEEKLY;BYDAY=FR,MO;COUNT=4")
            .in_language(language);
        let mail = sending.mail();
        let parsed = MessageParser::default().parse(&mail.octets).unwrap();
        assert_eq!(parsed.subject(), Some(subject));
        assert_eq!(
            field(&mail, "Content-Language").as_deref(),
            Some(language.tag())
        );
        let text = text(&mail).replace("\r\n", "\n");
        assert!(text.starts_with(expected), "{text}");
    }
}

/// Of one instance, what was told of it before: by itself, or as the series says.
#[test]
fn of_an_instance_it_says_what_was_told_of_that_instance() {
    let zone = "TZID=Europe/Berlin";
    let series = format!(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;{zone}:20270104T100000\nDTEND;{zone}:20270104T113000\n\
         RRULE:FREQ=WEEKLY\nSUMMARY:Tea\nLOCATION:Room 1\nEND:VEVENT\n"
    );
    let moved = format!(
        "BEGIN:VEVENT\nRECURRENCE-ID;{zone}:20270111T100000\nDTSTART;{zone}:20270111T140000\n\
         DTEND;{zone}:20270111T150000\nSUMMARY:Late tea\nLOCATION:Room 1\nEND:VEVENT\n"
    );
    let now = event(
        "REQUEST",
        &format!(
            "{GUESTS}|RECURRENCE-ID;{zone}:20270111T100000|DTSTART;{zone}:20270111T160000|\
             DTEND;{zone}:20270111T170000|SUMMARY:Late tea|LOCATION:Room 1"
        ),
    );
    let said = |known: &str| {
        let mut sending = Sending::of(message(&now));
        sending.previous = Some(calendar(&format!("{known}END:VCALENDAR\n")));
        text(&sending.mail()).replace("\r\n", "\n")
    };
    let of_series = said(&series);
    assert!(
        of_series.contains("Title: Late tea\n    (was: Tea)"),
        "{of_series}"
    );
    let when = "(was: Monday, 11 January 2027, 10:00 – 11:30 (Europe/Berlin))";
    assert!(of_series.contains(when), "{of_series}");
    assert!(!of_series.contains("Repeats"), "{of_series}");
    let of_itself = said(&format!("{series}{moved}"));
    let when = "(was: Monday, 11 January 2027, 14:00 – 15:00 (Europe/Berlin))";
    assert!(of_itself.contains(when), "{of_itself}");
    assert_eq!(of_itself.matches("(was").count(), 1, "{of_itself}");
    // Something else is known: nothing is said of what was.
    let in_utc = series
        .replace(&format!(";{zone}"), "")
        .replace("0000\n", "0000Z\n");
    assert_eq!(said(&in_utc).matches("(was").count(), 0);
}

/// What was is said of what is new, and of nothing that is called off or answered.
#[test]
fn only_an_invitation_says_what_was() {
    for method in ["REQUEST", "CANCEL", "REPLY"] {
        let lines =
            "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bo@b.example|DTSTART:20270104T080000Z|SUMMARY:Tea";
        let mut sending = Sending::of(message(&event(method, lines)));
        sending.previous = Some(calendar(&event(
            "REQUEST",
            "DTSTART:20270104T090000Z|SUMMARY:Tea",
        )));
        let was =
            text(&sending.mail()).contains("(was: Monday, 4 January 2027, 10:00 (Europe/Berlin))");
        assert_eq!(was, method == "REQUEST", "{method}");
    }
}

#[test]
fn the_subject_is_in_the_tongue_of_the_list() {
    let text = event("REQUEST", &format!("{GUESTS}|{TIME}|SUMMARY:Tee"))
        .replace("LANGUAGE=en", "LANGUAGE=de-AT");
    let mail = Sending::of(message(&text)).mail();
    assert_eq!(field(&mail, "Subject").as_deref(), Some("Einladung: Tee"));
}

#[test]
fn times_and_rules_are_said_in_words() {
    for (lines, expected) in [
        (
            "DTSTART;VALUE=DATE:20270104",
            "When: Monday, 4 January 2027 (all day)\n",
        ),
        (
            "DTSTART;VALUE=DATE:20270104|DTEND;VALUE=DATE:20270107",
            "When: Monday, 4 January 2027 – Wednesday, 6 January 2027 (all day)\n",
        ),
        (
            "DTSTART:20270704T080000Z|DURATION:PT1H",
            "When: Sunday, 4 July 2027, 10:00 – 11:00 (Europe/Berlin)\n",
        ),
        (
            "DTSTART:20270104T080000",
            "When: Monday, 4 January 2027, 08:00\n",
        ),
        (
            "DTSTART;TZID=America/New_York:20270104T220000|DTEND;TZID=Europe/Berlin:20270105T060000",
            "When: Monday, 4 January 2027, 22:00 – Tuesday, 5 January 2027, 00:00 (America/New_York)\n",
        ),
        (
            "DTSTART;TZID=America/New_York:20270104T220000|RRULE:FREQ=DAILY;UNTIL=20270202T030000Z",
            "Repeats: daily, until Monday, 1 February 2027\n",
        ),
        (
            "DTSTART;VALUE=DATE:20270104|RRULE:FREQ=YEARLY;UNTIL=20300104",
            "Repeats: yearly, until Friday, 4 January 2030\n",
        ),
        (
            "DTSTART:20270104T080000Z|RRULE:FREQ=MONTHLY;INTERVAL=3;BYDAY=1MO",
            "Repeats: every 3 months\n",
        ),
        (
            "DTSTART:20270104T080000Z|RRULE:FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
            "Repeats: daily (Monday, Tuesday, Wednesday, Thursday, Friday)\n",
        ),
        (
            "DTSTART:20270104T080000Z|RRULE:FREQ=HOURLY;COUNT=3",
            "Repeats: several times\n",
        ),
        (
            "DTSTART:20270104T080000Z|RDATE:20270105T080000Z",
            "Repeats: several times\n",
        ),
    ] {
        let mail = Sending::of(message(&event("REQUEST", &format!("{GUESTS}|{lines}")))).mail();
        let text = text(&mail).replace("\r\n", "\n");
        assert!(text.contains(expected), "{lines}: {text}");
    }
}

#[test]
fn each_method_is_called_what_it_is() {
    let bo = "ATTENDEE;PARTSTAT=DECLINED:mailto:bo@b.example";
    for (method, lines, subject, sentence) in [
        (
            "REQUEST",
            TIME,
            "Invitation: Tea",
            "Anna Ångström invites you to “Tea”.",
        ),
        (
            "CANCEL",
            "STATUS:CANCELLED",
            "Cancelled: Tea",
            "Anna Ångström has cancelled “Tea”.",
        ),
        (
            "CANCEL",
            "X-A:b",
            "No longer invited: Tea",
            "Anna Ångström has taken you off the list of guests of “Tea”.",
        ),
        (
            "CANCEL",
            "STATUS:CANCELLED|RECURRENCE-ID;TZID=Europe/Berlin:20270111T100000",
            "Cancelled: Tea",
            "Anna Ångström has cancelled “Tea”. This is about one date of a series only: Monday, 11 January 2027, 10:00 \
             (Europe/Berlin).",
        ),
        (
            "REPLY",
            TIME,
            "Declined: Tea",
            "Anna Ångström has declined the invitation to “Tea”.",
        ),
        (
            "COUNTER",
            TIME,
            "Proposed change: Tea",
            "Anna Ångström proposes a change to “Tea”.",
        ),
        (
            "DECLINECOUNTER",
            TIME,
            "Proposal declined: Tea",
            "Anna Ångström has declined your proposal for “Tea”.",
        ),
        (
            "ADD",
            TIME,
            "Updated invitation: Tea",
            "Anna Ångström has updated “Tea”.",
        ),
    ] {
        let mail = Sending::of(message(&event(
            method,
            &format!("{bo}|{lines}|SUMMARY:Tea"),
        )))
        .mail();
        assert_eq!(
            field(&mail, "Subject").as_deref(),
            Some(subject),
            "{method}"
        );
        assert!(
            text(&mail).starts_with(&format!("{sentence}\r\n")),
            "{}",
            text(&mail)
        );
    }
}
