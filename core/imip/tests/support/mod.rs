//! A meeting and its people, for the tests of this crate.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test target is a crate of its own, and takes a part of it"
)]

use convoke_calendar::message::Message;
use convoke_calendar::tree::{Calendar, Limits};
use convoke_imip::{
    FromMode, Gateway, Language, Mail, Mailbox, Outgoing, Recipient, Token, compose,
};
use jiff::{Timestamp, tz::TimeZone};

/// A VEVENT of Anna's in Berlin, with what is put in before its end; lines are separated by `|`.
pub fn event(method: &str, lines: &str) -> String {
    let lines = lines.replace('|', "\r\n");
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nUID:tea@example.org\r\n\
         DTSTAMP:20261126T230000Z\r\nSEQUENCE:1\r\nORGANIZER;CN=Anna Ångström:mailto:anna@example.org\r\n{lines}\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

pub const GUESTS: &str = "ATTENDEE;CN=Anna Ångström;PARTSTAT=ACCEPTED:mailto:anna@example.org|\
    ATTENDEE;CN=\"Bo, the guest\";PARTSTAT=NEEDS-ACTION;LANGUAGE=en:mailto:bo@b.example|\
    ATTENDEE;PARTSTAT=DECLINED:mailto:carl@c.example";

pub const TIME: &str =
    "DTSTART;TZID=Europe/Berlin:20270104T100000|DTEND;TZID=Europe/Berlin:20270104T113000";

pub fn calendar(text: &str) -> Calendar {
    Calendar::parse(text.as_bytes(), &Limits::default()).expect("a calendar")
}

pub fn message(text: &str) -> Message {
    Message::read(calendar(text)).expect("a message")
}

/// An invitation to Bo, whose lines are GUESTS, TIME and these.
pub fn invitation(lines: &str) -> Message {
    message(&event("REQUEST", &format!("{GUESTS}|{TIME}|{lines}")))
}

/// A mail to be composed, which a test changes as it likes.
pub struct Sending {
    pub message: Message,
    pub person: Mailbox,
    pub recipient: Recipient,
    pub from: FromMode,
    pub token: Option<Token>,
    pub references: Vec<String>,
    pub previous: Option<Calendar>,
}

impl Sending {
    pub fn of(message: Message) -> Self {
        let bo = "bo@b.example".parse().unwrap();
        Self {
            person: Mailbox {
                address: "anna@example.org".parse().unwrap(),
                name: Some("Anna Ångström".to_owned()),
            },
            recipient: Recipient::listed(&message, &bo),
            message,
            from: FromMode::Person,
            token: Some(Token::of([7; 16])),
            references: Vec::new(),
            previous: None,
        }
    }

    pub fn in_language(mut self, language: Language) -> Self {
        self.recipient.language = language;
        self
    }

    pub fn composed(&self) -> Result<Mail, convoke_imip::ComposeError> {
        compose(&Outgoing {
            message: &self.message,
            person: &self.person,
            timezone: &TimeZone::get("Europe/Berlin").unwrap(),
            gateway: &gateway(),
            from: self.from,
            recipient: &self.recipient,
            token: self.token.as_ref(),
            date: "2026-11-26T23:00:01Z".parse::<Timestamp>().unwrap(),
            references: &self.references,
            previous: self.previous.as_ref(),
        })
    }

    pub fn mail(&self) -> Mail {
        self.composed().expect("it can be mailed")
    }
}

pub fn gateway() -> Gateway {
    Gateway::new("calendar@example.org".parse().unwrap()).unwrap()
}

/// The header fields of a mail, unfolded, and what stands behind them.
pub fn header(mail: &Mail) -> (Vec<(String, String)>, String) {
    let text = String::from_utf8(mail.octets.clone()).expect("a mail is UTF-8");
    let (header, body) = text.split_once("\r\n\r\n").expect("a header ends");
    let header = header.replace("\r\n ", " ").replace("\r\n\t", " ");
    let fields = header.split("\r\n").map(|line| {
        let (name, value) = line
            .split_once(": ")
            .expect("a field has a name and a value");
        (name.to_owned(), value.to_owned())
    });
    (fields.collect(), body.to_owned())
}

/// The value of a header field that stands once, or not at all.
pub fn field(mail: &Mail, name: &str) -> Option<String> {
    let fields = header(mail).0;
    let mut named = fields.into_iter().filter(|(known, _)| known == name);
    let value = named.next().map(|(_, value)| value);
    assert!(named.next().is_none(), "{name} stands twice");
    value
}
