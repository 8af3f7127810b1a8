//! Reading mail: what came, from whom, and what of that is proved.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `fields`, `lexical` | header fields, unfolded; comments, quoted strings, parameters |
//! | `entity` | the parts of a mail, within bounds |
//! | `decode` | transfer encodings, character sets, encoded words |
//! | `calendar_part` | which part is the scheduling message |
//! | `authentication` | Authentication-Results of a trusted host |
//! | `origin` | whether a person, a program or a mailing list speaks |
//! | `bounce` | reports that a mail was not delivered |
//!
//! Nothing here fails: whatever the octets are, they are an [`Incoming`], whose [`Content`] says what is wrong with them.

mod authentication;
mod bounce;
mod calendar_part;
mod decode;
mod entity;
mod fields;
mod lexical;
mod origin;
mod refusal;

pub use authentication::{AuthservId, Evidence, InvalidAuthservId, Verdict};
pub use bounce::{Action, Bounce, DeliveryReport};
pub use calendar_part::CalendarPart;
pub use origin::{AutoSubmitted, Origin, ReturnPath};
pub use refusal::Refusal;

use crate::mailbox::{Mailbox, addr_spec, mailbox_address, one_line};
use crate::message_id::is_message_id;
use convoke_calendar::tree::Limits;
use convoke_types::CalendarAddress;
use entity::Entity;
use fields::Fields;

/// The most Message-IDs that a mail refers to.
const MAX_REFERENCES: usize = 50;
/// The most addresses that are taken out of a mail's header.
const MAX_RECIPIENTS: usize = 100;

/// What is known of a mail besides its octets.
#[derive(Clone, Debug)]
pub struct Arrival<'a> {
    /// MAIL FROM of the envelope.
    pub return_path: ReturnPath,
    /// Whose Authentication-Results are believed: those of the mail server that hands mail to us.
    pub trusted: &'a [AuthservId],
    /// Bounds on the calendar part.
    pub limits: &'a Limits,
}

/// A mail that came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Incoming {
    /// Its Message-ID, without angle brackets.
    pub message_id: Option<String>,
    /// The Message-IDs that it answers or refers to, without angle brackets, In-Reply-To first; at most 50.
    pub references: Vec<String>,
    /// From; `None` unless it is exactly one mailbox.
    pub from: Option<Mailbox>,
    /// Sender, where there is one: of Google's buttons, for example.
    pub sender: Option<CalendarAddress>,
    /// Whom the mail itself names, for want of an envelope: Delivered-To, X-Original-To, Envelope-To, To, Cc, in that order;
    /// at most 100.
    pub recipients: Vec<CalendarAddress>,
    /// Subject, decoded, one line of at most 200 characters.
    pub subject: Option<String>,
    /// What people read of it, as plain text of at most 64 KiB.
    pub text: Option<String>,
    /// Where reports on it go: MAIL FROM, or the Return-Path that the mail has where that is not known. An address is
    /// [as it stands in an envelope](crate::addr_spec).
    pub return_path: ReturnPath,
    /// Who speaks: a person, a program, a list.
    pub origin: Origin,
    /// What the trusted mail server says of From.
    pub verdict: Verdict,
    /// What it is.
    pub content: Content,
}

/// What a mail is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Content {
    /// A scheduling message.
    Scheduling(Box<CalendarPart>),
    /// Mails could not be delivered, or only later.
    Bounce(Bounce),
    /// A person's own words, without a scheduling message.
    Words,
    /// There is, or may be, a scheduling message, but it is not taken.
    Refused(Refusal),
    /// Anything else: holiday notices, receipts, lists.
    Other,
}

impl Incoming {
    /// What proves that the mail comes from this very address: From is that address, and the trusted mail server vouches for
    /// its domain. It is no proof for anybody else of the same domain.
    pub fn proves(&self, address: &CalendarAddress) -> Option<&Evidence> {
        let Verdict::Proved(evidence) = &self.verdict else {
            return None;
        };
        let from = self.from.as_ref()?;
        from.address.same_user(address).then_some(evidence)
    }
}

/// Reads a mail.
///
/// Lines may end with LF, and an mbox `From ` line may stand before the first.
///
/// ```
/// use convoke_imip::{Arrival, Content, ReturnPath, read};
///
/// let octets = b"From: bo@example.org\nContent-Type: text/calendar; method=REPLY\n\nBEGIN:VCALENDAR\nVERSION:2.0\n\
///     METHOD:REPLY\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20270104T100000Z\nATTENDEE;PARTSTAT=ACCEPTED:mailto:bo@example.org\n\
///     END:VEVENT\nEND:VCALENDAR\n";
/// let limits = Default::default();
/// let arrival = Arrival { return_path: ReturnPath::Unknown, trusted: &[], limits: &limits };
/// let incoming = read(octets, &arrival);
/// let Content::Scheduling(part) = incoming.content else { panic!("{incoming:?}") };
/// assert_eq!(part.message(None)?.uid().as_str(), "1");
/// # Ok::<(), convoke_calendar::message::MessageError>(())
/// ```
pub fn read(octets: &[u8], arrival: &Arrival) -> Incoming {
    match Entity::read(without_mbox_line(octets)) {
        Ok(mail) => of_entity(&mail, arrival),
        Err(refusal) => unreadable(octets, arrival, refusal),
    }
}

fn of_entity(mail: &Entity, arrival: &Arrival) -> Incoming {
    let mut incoming = of_header(&mail.fields, arrival);
    incoming.text = decode::readable_text(mail);
    incoming.content = content(mail, &incoming, arrival);
    incoming
}

/// What the header says of a mail whose parts cannot be told apart.
fn unreadable(octets: &[u8], arrival: &Arrival, refusal: Refusal) -> Incoming {
    let fields =
        Fields::read(without_mbox_line(octets)).map_or_else(|_| Fields::default(), |it| it.0);
    let mut incoming = of_header(&fields, arrival);
    incoming.content = Content::Refused(refusal);
    incoming
}

fn content(mail: &Entity, incoming: &Incoming, arrival: &Arrival) -> Content {
    let text = incoming.text.as_deref().unwrap_or_default();
    if let Some(bounce) = bounce::read(mail, text, incoming) {
        return Content::Bounce(bounce);
    }
    match calendar_part::find(mail, arrival.limits) {
        Ok(Some(part)) => Content::Scheduling(Box::new(part)),
        Err(refusal) => Content::Refused(refusal),
        Ok(None) if incoming.origin.is_person() && !mail.is("multipart", "report") => {
            Content::Words
        }
        Ok(None) => Content::Other,
    }
}

fn of_header(fields: &Fields, arrival: &Arrival) -> Incoming {
    let from = fields.only("From").and_then(lexical::mailbox);
    let address = from.as_ref().map(|(_, address)| address);
    let verdict = authentication::verdict(fields, address, arrival.trusted);
    let sender = fields.only("Sender").and_then(lexical::mailbox);
    let origin = Origin::of(fields, &arrival.return_path, address);
    Incoming {
        message_id: fields
            .get("Message-ID")
            .and_then(|value| message_ids(value).next()),
        references: references(fields),
        from: from.map(|(name, address)| Mailbox {
            address,
            name: Some(decode::words(&name)).filter(|name| !name.is_empty()),
        }),
        sender: sender.map(|(_, address)| address),
        recipients: recipients(fields),
        subject: fields
            .get("Subject")
            .map(|value| one_line(&decode::words(value)))
            .filter(|subject| !subject.is_empty()),
        text: None,
        return_path: return_path(fields, &arrival.return_path),
        origin,
        verdict,
        content: Content::Other,
    }
}

fn return_path(fields: &Fields, known: &ReturnPath) -> ReturnPath {
    let (ReturnPath::Unknown, Some(path)) = (known, fields.get("Return-Path")) else {
        return known.clone();
    };
    if path.replace([' ', '\t'], "") == "<>" {
        return ReturnPath::Null;
    }
    let mailbox = lexical::mailbox(path);
    let spec = mailbox.and_then(|(_, address)| addr_spec(&address).ok());
    spec.map_or(ReturnPath::Unknown, ReturnPath::Address)
}

fn references(fields: &Fields) -> Vec<String> {
    let values = ["In-Reply-To", "References"].map(|name| fields.get(name).unwrap_or_default());
    let mut found: Vec<String> = Vec::new();
    for id in values
        .into_iter()
        .flat_map(message_ids)
        .take(MAX_REFERENCES)
    {
        if !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

/// The Message-IDs of a header field: what stands between angle brackets.
fn message_ids(value: &str) -> impl Iterator<Item = String> {
    let behind = value.split('<').skip(1);
    let ids = behind.filter_map(|rest| rest.split_once('>').map(|(id, _)| id.trim()));
    ids.filter(|id| is_message_id(id)).map(str::to_owned)
}

fn recipients(fields: &Fields) -> Vec<CalendarAddress> {
    const NAMES: [&str; 5] = ["Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc"];
    let values = NAMES.iter().flat_map(|name| fields.all(name));
    let mut found: Vec<CalendarAddress> = Vec::new();
    for address in values.flat_map(lexical::addresses).take(MAX_RECIPIENTS) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// Pipes of mail servers put an mbox line before the mail: `From bo@example.org Mon Jan  4 10:00:00 2027`.
fn without_mbox_line(octets: &[u8]) -> &[u8] {
    if !octets.starts_with(b"From ") {
        return octets;
    }
    let end = octets.iter().position(|octet| *octet == b'\n');
    end.map_or(&[], |end| &octets[end + 1..])
}

/// An address as a header field has it.
fn address(spec: &str) -> Option<CalendarAddress> {
    mailbox_address(spec.trim())
}
