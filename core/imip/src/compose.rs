//! A scheduling message as a mail.

use crate::body::Body;
use crate::clock::Voice;
use crate::language::{Language, Phrases, Sentences, fill};
use crate::mail::{Head, Mail, Part, write};
use crate::mailbox::{Mailbox, NotMailable};
use crate::meeting::{Meeting, main};
use crate::message_id::{is_message_id, message_id_of, thread_id_of};
use crate::previous::counterpart;
use crate::token::{Gateway, Token};
use crate::zones::write_zones_as_rules;
use convoke_calendar::itip::{PartStat, for_sending};
use convoke_calendar::message::{Kind, Message, Method};
use convoke_calendar::tree::{Calendar, Property};
use convoke_types::CalendarAddress;
use jiff::{Timestamp, tz::TimeZone};

/// The most earlier mails that one refers to; the latest ones, as a meeting may have hundreds of updates.
const MAX_REFERENCES: usize = 20;

/// Whose address stands in From.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FromMode {
    /// The person's own; the gateway is the Sender.
    #[default]
    Person,
    /// The gateway's, with the person's name: for domains whose SPF or DMARC would let nobody else send for them.
    Gateway,
}

/// Who gets a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Address and name.
    pub mailbox: Mailbox,
    /// What they read.
    pub language: Language,
}

/// A message to be mailed to one recipient.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// The message.
    pub message: &'a Message,
    /// Who of ours sends it.
    pub person: &'a Mailbox,
    /// The zone of that person, for times in UTC.
    pub timezone: &'a TimeZone,
    /// The gateway.
    pub gateway: &'a Gateway,
    /// Whose address stands in From.
    pub from: FromMode,
    /// Who gets it.
    pub recipient: &'a Recipient,
    /// Where answers and bounces go; absent: to the gateway and the person.
    pub token: Option<&'a Token>,
    /// The Date of the mail.
    pub date: Timestamp,
    /// Message-IDs of earlier mails about the meeting to or from this recipient, oldest first, without angle brackets. If
    /// there is one, a REQUEST is an update. The latest 20 are referred to; what cannot be a Message-ID is left out.
    pub references: &'a [String],
    /// The meeting as the recipient was told last, to say what has changed: its main components, of which SUMMARY, LOCATION
    /// and what says when they are count. `None` if that is not known.
    pub previous: Option<&'a Calendar>,
}

/// A message cannot be mailed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// An address has no mailbox.
    #[error(transparent)]
    Address(#[from] NotMailable),
    /// Busy time is asked between servers only.
    #[error("a VFREEBUSY is not sent by mail: expected an event or a to-do")]
    FreeBusy,
    /// The recipient has no ATTENDEE line, without which its calendar program shows no buttons.
    #[error("`{recipient}` is not on the list of attendees of this {method}")]
    NotListed {
        /// Who was to get it.
        recipient: String,
        /// The METHOD.
        method: Method,
    },
}

impl Recipient {
    /// The recipient as the message lists it: CN and LANGUAGE of its own line.
    pub fn listed(message: &Message, address: &CalendarAddress) -> Self {
        let mut lines = message.calendar().main_components().flat_map(|component| {
            component
                .properties
                .iter()
                .filter(|line| line.is("ATTENDEE") || line.is("ORGANIZER"))
        });
        let line = lines.find(|line| is_of(line, address));
        let param = |name| line.and_then(|line| line.param(name));
        Self {
            mailbox: Mailbox {
                address: address.clone(),
                name: param("CN").map(str::to_owned),
            },
            language: Language::of_tag(param("LANGUAGE").unwrap_or_default()),
        }
    }
}

/// Writes a message as a mail to one recipient.
pub fn compose(outgoing: &Outgoing) -> Result<Mail, ComposeError> {
    let message = outgoing.message;
    if message.kind() == Kind::FreeBusy {
        return Err(ComposeError::FreeBusy);
    }
    let recipient = &outgoing.recipient.mailbox;
    let calendar = addressed(outgoing)?;
    let language = outgoing.recipient.language;
    let body = body(outgoing, language);
    let domain = outgoing
        .gateway
        .address()
        .domain()
        .expect("a gateway has a domain");
    let id = message_id_of(
        message,
        &outgoing.person.address,
        &recipient.address,
        outgoing.token,
        domain,
    );
    let thread = thread_id_of(message.uid(), domain);
    let gateway = Mailbox::new(outgoing.gateway.address().clone());
    let answers = outgoing
        .token
        .map(|token| Mailbox::new(outgoing.gateway.with(token)));
    let (from, sender) = match outgoing.from {
        FromMode::Person => (outgoing.person.clone(), Some(&gateway)),
        FromMode::Gateway => {
            let address = gateway.address.clone();
            let name = Some(outgoing.person.human());
            (Mailbox { address, name }, None)
        }
    };
    let references = references(outgoing, &thread);
    let head = Head {
        from: &from,
        sender,
        to: recipient,
        reply_to: Some(answers.as_ref().unwrap_or(outgoing.person)),
        envelope_from: answers.as_ref().unwrap_or(&gateway),
        subject: body.subject,
        date: outgoing.date,
        message_id: &id,
        in_reply_to: references.iter().skip(1).last().copied(),
        references,
        language: language.tag(),
    };
    let octets = calendar.write();
    let part = Part {
        method: message.method().as_str(),
        component: message.kind().as_str(),
        octets: &octets,
    };
    let (text, html) = (body.body.text(), body.body.html());
    Ok(write(&head, &text, Some(&html), Some(&part))?)
}

/// The thread, and the latest of the mails in it.
fn references<'a>(outgoing: &'a Outgoing, thread: &'a str) -> Vec<&'a str> {
    let earlier = outgoing.references.iter().map(String::as_str);
    let mut latest: Vec<&str> = earlier
        .rev()
        .filter(|id| is_message_id(id))
        .take(MAX_REFERENCES)
        .collect();
    latest.push(thread);
    latest.reverse();
    latest
}

struct Said {
    subject: String,
    body: Body<'static>,
}

fn body(outgoing: &Outgoing, language: Language) -> Said {
    let message = outgoing.message;
    let phrases = language.phrases();
    let voice = Voice {
        phrases,
        timezone: outgoing.timezone,
    };
    let meeting = Meeting::of(message.calendar(), voice).unwrap_or_default();
    let previous = outgoing
        .previous
        .filter(|_| matches!(message.method(), Method::Request | Method::Add))
        .and_then(|known| counterpart(message, known));
    let previous = previous.and_then(|previous| Meeting::of(&previous, voice));
    let pick = occasion(outgoing);
    let who = outgoing.person.human();
    let values = [("who", who.as_str()), ("title", meeting.title.as_str())];
    let mut footer = Vec::new();
    if matches!(message.method(), Method::Request | Method::Add) {
        footer.push(phrases.answer.to_owned());
    }
    footer.push(fill(phrases.write_back, &values));
    Said {
        subject: fill(pick(&phrases.subjects), &values),
        body: Body {
            sentence: sentence(&fill(pick(&phrases.sentences), &values), &meeting, phrases),
            rows: meeting.rows(previous.as_ref(), voice),
            footer,
            phrases,
            language: language.tag(),
        },
    }
}

/// What has happened, and whether to one instance of a series only.
fn sentence(what: &str, meeting: &Meeting, phrases: &Phrases) -> String {
    meeting.only.as_ref().map_or_else(
        || what.to_owned(),
        |date| format!("{what} {}", fill(phrases.one_of_series, &[("date", date)])),
    )
}

/// What the mail is about.
fn occasion(outgoing: &Outgoing) -> fn(&Sentences) -> &'static str {
    let is_known = !outgoing.references.is_empty() || outgoing.previous.is_some();
    match outgoing.message.method() {
        Method::Cancel if is_uninvited(outgoing.message) => |it| it.uninvited,
        Method::Cancel => |it| it.cancellation,
        Method::Reply => match answer(outgoing.message) {
            PartStat::Accepted | PartStat::Completed | PartStat::InProcess => |it| it.accepted,
            PartStat::Tentative => |it| it.tentative,
            PartStat::Declined => |it| it.declined,
            PartStat::Delegated => |it| it.delegated,
            PartStat::NeedsAction => |it| it.answered,
        },
        Method::Counter => |it| it.proposal,
        Method::DeclineCounter => |it| it.proposal_declined,
        Method::Refresh => |it| it.refresh,
        Method::Add => |it| it.update,
        Method::Request | Method::Publish if is_known => |it| it.update,
        Method::Request | Method::Publish => |it| it.invitation,
    }
}

/// RFC 5546 §3.2.5: a CANCEL without STATUS:CANCELLED takes the attendees that it names off the list.
fn is_uninvited(message: &Message) -> bool {
    let status = main(message.calendar()).and_then(|component| component.value("STATUS"));
    let is_off = status.is_some_and(|status| status.trim().eq_ignore_ascii_case("CANCELLED"));
    !is_off && !message.attendees().is_empty()
}

/// How the ATTENDEE of a REPLY answers.
fn answer(message: &Message) -> PartStat {
    let line = main(message.calendar()).and_then(|component| component.get("ATTENDEE"));
    let word = line.and_then(|line| line.param("PARTSTAT"));
    PartStat::parse(word.unwrap_or_default())
}

/// The message as one recipient gets it by mail: nothing private, all people by `mailto:` (RFC 6047 §2.3), a bare
/// ORGANIZER, and the recipient's own line with RSVP.
fn addressed(outgoing: &Outgoing) -> Result<Calendar, ComposeError> {
    let message = outgoing.message;
    let recipient = &outgoing.recipient.mailbox.address;
    let method = message.method();
    let invites = matches!(method, Method::Request | Method::Add);
    let mut calendar = for_sending(message, Some(outgoing.timezone)).into_calendar();
    write_zones_as_rules(&mut calendar, message);
    let mut is_listed = false;
    for component in &mut calendar.root_mut().components {
        for line in &mut component.properties {
            if line.is("ORGANIZER") {
                by_mail(line);
                line.params.retain(|param| {
                    let mut kept = ["CN", "SENT-BY", "LANGUAGE"].iter();
                    kept.any(|name| param.name.eq_ignore_ascii_case(name))
                });
            } else if line.is("ATTENDEE") {
                by_mail(line);
                if invites && is_of(line, recipient) {
                    line.set_param("RSVP", "TRUE");
                    is_listed = true;
                }
            }
        }
    }
    // RFC 5546 §3.2.4: an ADD may leave the attendees out.
    let is_unlisted = method == Method::Add && message.attendees().is_empty();
    if invites && !is_listed && !is_unlisted {
        return Err(ComposeError::NotListed {
            recipient: recipient.human().to_owned(),
            method,
        });
    }
    Ok(calendar)
}

/// Names a person by the mailbox: also where the line has another address, and the mailbox beside it (RFC 7986 §6.2).
fn by_mail(line: &mut Property) {
    let Ok(address) = CalendarAddress::new(&line.value) else {
        return;
    };
    let address = if address.local_part().is_some() {
        address
    } else {
        let mailbox = line.param("EMAIL").map(CalendarAddress::new);
        match mailbox {
            Some(Ok(mailbox)) if mailbox.local_part().is_some() => mailbox,
            _ => return,
        }
    };
    address.as_str().clone_into(&mut line.value);
}

/// Whether an ATTENDEE or ORGANIZER line names an address.
fn is_of(line: &Property, address: &CalendarAddress) -> bool {
    address.is_written_as(&line.value)
        || line
            .param("EMAIL")
            .is_some_and(|mailbox| address.is_written_as(mailbox))
}
