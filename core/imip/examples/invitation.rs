//! Prints an invitation as it is mailed: `cargo run -p convoke-imip --example invitation`.

use convoke_calendar::message::Message;
use convoke_calendar::tree::{Calendar, Limits};
use convoke_imip::{FromMode, Gateway, Mailbox, Outgoing, Recipient, Token, compose};
use jiff::tz::TimeZone;
use std::io::Write;

const MESSAGE: &str = "\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:tea@example.org
DTSTAMP:20261126T230000Z
DTSTART;TZID=Europe/Berlin:20270104T100000
DTEND;TZID=Europe/Berlin:20270104T113000
RRULE:FREQ=WEEKLY;COUNT=4
SUMMARY:Tea\\, or coffee?
LOCATION:Café Österreich
ORGANIZER;CN=Anna Ångström:mailto:anna@example.org
ATTENDEE;CN=Anna Ångström;PARTSTAT=ACCEPTED:mailto:anna@example.org
ATTENDEE;CN=Bo;PARTSTAT=NEEDS-ACTION;LANGUAGE=de:mailto:bo@example.com
END:VEVENT
END:VCALENDAR
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let message = Message::read(Calendar::parse(MESSAGE.as_bytes(), &Limits::default())?)?;
    let recipient = Recipient::listed(&message, &"bo@example.com".parse()?);
    let mail = compose(&Outgoing {
        message: &message,
        person: &Mailbox {
            address: "anna@example.org".parse()?,
            name: Some("Anna Ångström".to_owned()),
        },
        timezone: &TimeZone::get("Europe/Berlin")?,
        gateway: &Gateway::new("calendar@example.org".parse()?)?,
        from: FromMode::Person,
        recipient: &recipient,
        // 128 bits of a cryptographic random number generator, kept for this guest and meeting.
        token: Some(&Token::of([7; 16])),
        date: "2026-11-26T23:00:01Z".parse()?,
        references: &[],
        previous: None,
    })?;
    std::io::stdout().write_all(&mail.octets)?;
    Ok(())
}
