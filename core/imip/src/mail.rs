//! The MIME message: header fields and parts, written with `mail-builder`.

use crate::mailbox::{Mailbox, NotMailable, addr_spec, header_text};
use crate::message_id::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::{BodyPart, MimePart};

/// A mail to be handed to a mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// MAIL FROM, where bounces go.
    pub envelope_from: String,
    /// RCPT TO.
    pub envelope_to: String,
    /// Its Message-ID, without angle brackets.
    pub message_id: String,
    /// The message: lines of at most 998 octets that end with CRLF, in ASCII unless [`smtputf8`](Self::smtputf8).
    pub octets: Vec<u8>,
    /// Whether an address is outside ASCII, so that the mail can go only to a server that offers SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
}

/// The header fields of a mail.
pub(crate) struct Head<'a> {
    pub from: &'a Mailbox,
    /// Where it is not From.
    pub sender: Option<&'a Mailbox>,
    pub to: &'a Mailbox,
    pub reply_to: Option<&'a Mailbox>,
    pub envelope_from: &'a Mailbox,
    pub subject: String,
    pub date: Timestamp,
    pub message_id: &'a str,
    /// The mail before this one, if there is one.
    pub in_reply_to: Option<&'a str>,
    /// Message-IDs that it refers to, oldest first; never empty.
    pub references: Vec<&'a str>,
    pub language: &'static str,
}

/// The calendar part.
pub(crate) struct Part<'a> {
    pub method: &'static str,
    pub component: &'static str,
    pub octets: &'a [u8],
}

/// Puts a mail together; a notice has no calendar part.
pub(crate) fn write(
    head: &Head,
    text: &str,
    html: Option<&str>,
    part: Option<&Part>,
) -> Result<Mail, NotMailable> {
    let envelope_from = addr_spec(&head.envelope_from.address)?;
    let envelope_to = addr_spec(&head.to.address)?;
    let message = fields(head)?.body(body(head, text, html, part));
    let mut octets = Vec::new();
    message.serialize(&mut octets);
    let written = [Some(head.from), Some(head.to), head.sender, head.reply_to];
    let smtputf8 = !envelope_from.is_ascii()
        || written
            .into_iter()
            .flatten()
            .any(|mailbox| !mailbox.address.as_str().is_ascii());
    Ok(Mail {
        envelope_from,
        envelope_to,
        message_id: head.message_id.to_owned(),
        octets,
        smtputf8,
    })
}

fn fields<'a>(head: &Head<'a>) -> Result<MessageBuilder<'a>, NotMailable> {
    let mut fields = MessageBuilder::new().from(written(head.from)?);
    if let Some(sender) = head.sender {
        fields = fields.sender(written(sender)?);
    }
    fields = fields.to(written(head.to)?);
    if let Some(reply_to) = head.reply_to {
        fields = fields.reply_to(written(reply_to)?);
    }
    fields = fields
        .subject(header_text(&head.subject))
        .date(Date::new(head.date.as_second()))
        .message_id(head.message_id);
    if let Some(last) = head.in_reply_to {
        fields = fields.in_reply_to(last);
    }
    fields = fields.references(MessageId::new_list(head.references.iter().copied()));
    // RFC 3834 §5: so that nobody's holiday notice answers it; Exchange looks for a field of its own.
    Ok(fields
        .header("Auto-Submitted", Raw::new("auto-generated"))
        .header("X-Auto-Response-Suppress", Raw::new("OOF, AutoReply"))
        .header("Content-Language", Raw::new(head.language))
        .header("MIME-Version", Raw::new("1.0")))
}

fn written(mailbox: &Mailbox) -> Result<Address<'static>, NotMailable> {
    let spec = addr_spec(&mailbox.address)?;
    Ok(Address::new_address(
        mailbox.clean_name().as_deref().map(header_text),
        spec,
    ))
}

/// `multipart/mixed( multipart/alternative( text, html, calendar ), application/ics )`, which all big receivers take.
fn body<'a>(
    head: &Head,
    text: &'a str,
    html: Option<&'a str>,
    part: Option<&'a Part>,
) -> MimePart<'a> {
    let mut alternatives = vec![MimePart::new("text/plain", text)];
    alternatives.extend(html.map(|html| MimePart::new("text/html", html)));
    let Some(part) = part else {
        return match alternatives.len() {
            1 => alternatives.remove(0),
            _ => multipart("alternative", head, alternatives),
        };
    };
    let encoded = encoded(part.octets);
    // Parameters without quotes, as everybody writes them: some look for the very words.
    let (method, component) = (part.method, part.component);
    let calendar = format!("text/calendar; method={method}; charset=UTF-8; component={component}");
    alternatives.push(transferred(Raw::new(calendar), encoded.clone()));
    let file = transferred(Raw::new("application/ics; name=\"invite.ics\""), encoded);
    let file = file.attachment("invite.ics");
    multipart(
        "mixed",
        head,
        vec![multipart("alternative", head, alternatives), file],
    )
}

/// A multipart whose boundary follows from the Message-ID. It holds `=_`, which neither base64 nor quoted-printable does,
/// and plain text only by finding a collision.
fn multipart<'a>(kind: &str, head: &Head, parts: Vec<MimePart<'a>>) -> MimePart<'a> {
    let boundary = format!("=_{}", digest(kind, &[head.message_id]));
    let kind = ContentType::new(format!("multipart/{kind}")).attribute("boundary", boundary);
    MimePart::new(kind, parts)
}

/// Base64, whatever the octets are: servers on the way may touch line ends and long lines of anything else.
fn transferred<'a>(kind: impl Into<HeaderType<'a>>, encoded: String) -> MimePart<'a> {
    let part = MimePart {
        headers: vec![("Content-Type".into(), kind.into())],
        contents: BodyPart::Binary(encoded.into_bytes().into()),
    };
    part.transfer_encoding("base64")
}

/// Lines of 76 characters (RFC 2045 §6.8).
fn encoded(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 4 / 3 + octets.len() / 28 + 8);
    for (number, line) in octets.chunks(57).enumerate() {
        text.push_str(if number > 0 { "\r\n" } else { "" });
        STANDARD.encode_string(line, &mut text);
    }
    text
}
