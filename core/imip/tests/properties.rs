//! Whatever people are called and meetings are about, a mail is well formed and comes back as it was.

mod support;

use convoke_calendar::tree::{Calendar, Limits, Property};
use convoke_imip::{Arrival, Content, Incoming, Language, Mail, ReturnPath, Token, read};
use mail_parser::MessageParser;
use proptest::prelude::*;
use support::{GUESTS, Sending, TIME, calendar, event, header, message};

fn read_back(mail: &Mail) -> Incoming {
    let limits = Limits::default();
    let arrival = Arrival {
        return_path: ReturnPath::Address(mail.envelope_from.clone()),
        trusted: &[],
        limits: &limits,
    };
    read(&mail.octets, &arrival)
}

/// Texts of people, and of people who mean no good.
fn texts() -> impl Strategy<Value = String> {
    let hostile = prop::sample::select(vec![
        "\r\nBcc: x@x.example",
        "\n\n--=_",
        "\u{2028}Bcc: x",
        "=?utf-8?q?=0D=0ABcc:_x?=",
        "\" <x@x.example>",
        "(",
        "{who}",
        "\u{202e}gnirts",
        "\0",
        "\\",
        ",;:@<>",
        "日本語",
        "🎉",
    ]);
    let pieces = prop_oneof![
        hostile.prop_map(str::to_owned),
        any::<String>(),
        "[ -~]{0,80}"
    ];
    prop::collection::vec(pieces, 0..4).prop_map(|pieces| pieces.concat())
}

/// A text as a calendar may hold it: without control characters.
fn held(text: &str) -> String {
    let is_held = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().filter(is_held).collect()
}

fn sending(title: &str, place: &str, description: &str, name: &str) -> Sending {
    let mut edited = calendar(&event("REQUEST", &format!("{GUESTS}|{TIME}")));
    let component = &mut edited.root_mut().components[0];
    for (property, text) in [
        ("SUMMARY", title),
        ("LOCATION", place),
        ("DESCRIPTION", description),
    ] {
        component.push(Property::text(property, &held(text)));
    }
    let text = String::from_utf8(edited.write()).unwrap();
    let mut sending = Sending::of(message(&text));
    sending.person.name = Some(name.to_owned());
    sending.recipient.mailbox.name = Some(name.to_owned());
    sending
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_makes_a_header_field(
        title in texts(), place in texts(), description in texts(), name in texts(), language in prop::sample::select(Language::ALL)
    ) {
        let mail = sending(&title, &place, &description, &name).in_language(language).mail();
        prop_assert!(mail.octets.is_ascii());
        let (fields, _) = header(&mail);
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        prop_assert_eq!(names, [
            "From", "Sender", "To", "Reply-To", "Subject", "Date", "Message-ID", "References", "Auto-Submitted",
            "X-Auto-Response-Suppress",
            "Content-Language", "MIME-Version", "Content-Type",
        ]);
        let parsed = MessageParser::default().parse(&mail.octets).unwrap();
        let from: Vec<_> = parsed.from().unwrap().iter().map(|it| it.address.as_deref()).collect();
        prop_assert_eq!(from, [Some("anna@example.org")]);
        let to: Vec<_> = parsed.to().unwrap().iter().map(|it| it.address.as_deref()).collect();
        prop_assert_eq!(to, [Some("bo@b.example")]);
        prop_assert_eq!(parsed.parts.len(), 6);
    }

    #[test]
    fn what_is_sent_is_read(title in texts(), place in texts(), description in texts(), name in texts(), random in any::<[u8; 16]>()) {
        let mut sending = sending(&title, &place, &description, &name);
        sending.token = Some(Token::of(random));
        let mail = sending.mail();
        let incoming = read_back(&mail);
        prop_assert_eq!(incoming.message_id.as_deref(), Some(mail.message_id.as_str()));
        prop_assert_eq!(incoming.from.map(|from| from.address), Some("anna@example.org".parse().unwrap()));
        prop_assert_eq!(incoming.sender, Some("calendar@example.org".parse().unwrap()));
        prop_assert!(incoming.origin.may_be_answered() && !incoming.origin.is_person());
        prop_assert!(incoming.text.is_some() && incoming.subject.is_some());
        let Content::Scheduling(part) = incoming.content else { panic!("{:?}", incoming.content) };
        let read = part.message(None).unwrap();
        prop_assert_eq!(read.uid(), sending.message.uid());
        prop_assert_eq!(read.attendees(), sending.message.attendees());
        let text = |calendar: &Calendar, name: &str| {
            calendar.main_components().next().unwrap().get(name).map(Property::to_text)
        };
        for name in ["SUMMARY", "LOCATION", "DESCRIPTION", "DTSTART", "DTEND"] {
            prop_assert_eq!(text(read.calendar(), name), text(sending.message.calendar(), name));
        }
    }

    #[test]
    fn a_token_is_read_in_any_case(random in any::<[u8; 16]>()) {
        let token = Token::of(random);
        let address = support::gateway().with(&token).human().to_ascii_uppercase();
        prop_assert_eq!(support::gateway().read(&address.parse().unwrap()), convoke_imip::Addressed::Token(token));
    }
}
