//! Mail that comes in, by LMTP or a pipe: what it means, who says so, and what becomes of it for each recipient.
//!
//! | module | what it does |
//! | --- | --- |
//! | `addressee` | whom an envelope recipient means |
//! | `proof` | who says so: the verdict of our mail server on From |
//! | `deliver` | a scheduling message, on the way that all go: intake, policy, delivery |
//! | `returned` | what comes to the address of a guest besides: reports that a mail was not delivered, people's own words |
//! | `pass_on` | the mailbox behind us, which takes what is nothing for a calendar |
//! | `outcome` | what became of a mail, for LMTP, for a pipe, for the log and for `convoke explain` |
//!
//! Always true: words of a person's own go on to a person, whether or not the calendar takes what stands beside them; what is
//! not proved changes nothing, whatever policy says; a mail that is wrong, or that policy does not want,
//! is accepted and logged, as refusing it would send a report to whoever is named in it (backscatter); *try later* is said only
//! where trying later may help.
//!
//! Deliberately not here: sockets (`serve::lmtp`), MIME (`convoke-imip`), LMTP (`convoke-lmtp`).

mod addressee;
mod deliver;
mod outcome;
mod pass_on;
mod proof;
mod returned;

pub(crate) use addressee::{Addressee, InvalidRecipient, NotOurs, envelope_recipient, find};
pub(crate) use outcome::Outcome;
pub(crate) use pass_on::greeting;

use crate::{
    admission::RetryAfter,
    config::{Config, LmtpServer},
    instance::Instance,
};
use convoke_imip::{Arrival, AuthservId, Content, Gateway, Incoming, Refusal, ReturnPath};
use convoke_scheduling::{Environment, Guest, Processor};
use convoke_types::CalendarAddress;
use std::collections::HashMap;

/// So many mail servers a mail may have passed (RFC 5321 §6.3); more is a loop.
const HOPS: usize = 100;

/// What the configuration says of mail that comes in.
#[derive(Clone, Debug)]
pub(crate) struct IncomingMail {
    pub(crate) gateway: Gateway,
    trusted: Vec<AuthservId>,
    /// Who takes mail that is nothing for a calendar.
    pass_on: Option<LmtpServer>,
}

impl IncomingMail {
    /// As `[mail]` says; `None` if it says nothing.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        let mail = config.mail.as_ref()?;
        let trusted = mail.trusted.iter();
        Some(Self {
            gateway: mail.gateway.clone(),
            pass_on: mail.pass_on.clone(),
            // What is no name of a mail server is in no mail.
            trusted: trusted.filter_map(|id| AuthservId::new(id).ok()).collect(),
        })
    }
}

/// A mail as it came.
#[derive(Clone, Debug)]
pub(crate) struct Mail<'a> {
    pub(crate) octets: &'a [u8],
    pub(crate) return_path: ReturnPath,
}

/// A mail that goes on to somebody.
#[derive(Clone, Copy, Debug)]
struct Passing<'a> {
    octets: &'a [u8],
    /// MAIL FROM, where reports on it go; empty for the null sender.
    sender: &'a str,
}

/// What became of a mail for each of its recipients, in their order.
pub(crate) async fn receive(
    instance: &Instance,
    mail: &Mail<'_>,
    recipients: &[CalendarAddress],
) -> Vec<Outcome> {
    let later = |why: &str| vec![Outcome::Later(why.to_owned()); recipients.len()];
    let Some(settings) = &IncomingMail::of(&instance.config) else {
        return later("mail is not configured here any more");
    };
    let seen = match read(instance, settings, mail).await {
        Ok(seen) => seen,
        Err(wait) => return later(&wait.reason),
    };
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (place, recipient) in recipients.iter().enumerate() {
        // Who stands there twice gets it once.
        let outcome = if let Some(first) = places.get(recipient.as_str()) {
            outcomes[*first].clone()
        } else {
            let outcome = of_one(instance, settings, mail, &seen, recipient).await;
            outcome.note(instance, &seen.incoming, recipient);
            outcome
        };
        places.entry(recipient.as_str()).or_insert(place);
        outcomes.push(outcome);
    }
    outcomes
}

/// What became of a mail from a pipe, to `to` if that is known, else to the first of ours whom the mail itself names.
pub(crate) async fn receive_piped(
    instance: &Instance,
    octets: &[u8],
    to: Option<&CalendarAddress>,
) -> Outcome {
    let Some(settings) = &IncomingMail::of(&instance.config) else {
        return Outcome::Later("there is no [mail] in the configuration".to_owned());
    };
    let mail = Mail {
        octets,
        return_path: ReturnPath::Unknown,
    };
    let seen = match read(instance, settings, &mail).await {
        Ok(seen) => seen,
        Err(wait) => return Outcome::Later(wait.reason),
    };
    let recipient = match to {
        Some(to) => Some(to.clone()),
        None => first_of_ours(instance, settings, &seen.incoming).await,
    };
    let Some(recipient) = recipient else {
        return Outcome::Unknown("nobody whom it names is ours; say who with --to".to_owned());
    };
    let outcome = of_one(instance, settings, &mail, &seen, &recipient).await;
    outcome.note(instance, &seen.incoming, &recipient);
    outcome
}

async fn first_of_ours(
    instance: &Instance,
    settings: &IncomingMail,
    incoming: &Incoming,
) -> Option<CalendarAddress> {
    for recipient in &incoming.recipients {
        match find(instance, settings, recipient).await {
            // Whether it is, is said later.
            Ok(_) | Err(NotOurs::Unavailable(_)) => return Some(recipient.clone()),
            Err(_) => {}
        }
    }
    None
}

/// What a mail says, whoever gets it: it is read once.
struct Seen {
    incoming: Incoming,
    /// It has passed too many mail servers.
    loops: bool,
}

impl Seen {
    /// The mail, as it goes on to somebody.
    fn passing<'a>(&'a self, mail: &'a Mail<'_>) -> Passing<'a> {
        Passing {
            octets: mail.octets,
            sender: match &self.incoming.return_path {
                ReturnPath::Address(address) => address,
                ReturnPath::Null | ReturnPath::Unknown => "",
            },
        }
    }
}

/// Reads a mail when it is its turn.
async fn read(
    instance: &Instance,
    settings: &IncomingMail,
    mail: &Mail<'_>,
) -> Result<Seen, RetryAfter> {
    let _permit = instance.admission.permit_for(mail.octets.len()).await?;
    let limits = instance.config.limits.messages.of_messages();
    let arrival = Arrival {
        return_path: mail.return_path.clone(),
        trusted: &settings.trusted,
        limits: &limits,
    };
    let work = || Seen {
        incoming: convoke_imip::read(mail.octets, &arrival),
        loops: hops(mail.octets) > HOPS,
    };
    let processor = instance.scheduler.environment().processor();
    Ok(processor.run(mail.octets.len(), work).await)
}

async fn of_one(
    instance: &Instance,
    settings: &IncomingMail,
    mail: &Mail<'_>,
    seen: &Seen,
    recipient: &CalendarAddress,
) -> Outcome {
    let (outcome, addressee) = match for_calendar(instance, settings, mail, seen, recipient).await {
        Ok(done) => done,
        Err(outcome) => return outcome,
    };
    let Some(goes) = goes_on(settings, &outcome, &addressee, &seen.incoming) else {
        return outcome;
    };
    // A mailbox may take minutes, and hang: whoever waits for one holds no place of messages.
    let passed = match instance.admission.handing_on().await {
        Ok(_permit) => match goes {
            Goes::ToMailbox(server) => {
                pass_on::pass_on(server, settings, seen.passing(mail), recipient).await
            }
            Goes::ToWhoInvited(guest) => {
                returned::words(instance, settings, seen.passing(mail), guest).await
            }
        },
        Err(wait) => Outcome::Later(wait.reason),
    };
    match goes {
        _ if matches!(outcome, Outcome::Taken(_)) => outcome.with_words_that_went_on(passed),
        Goes::ToMailbox(_) => passed,
        Goes::ToWhoInvited(_) => outcome.of_what_went_on(passed),
    }
}

/// What becomes of the part of a mail that is for a calendar, and for whom it is. An error: nothing else is to be done with the mail.
async fn for_calendar(
    instance: &Instance,
    settings: &IncomingMail,
    mail: &Mail<'_>,
    seen: &Seen,
    recipient: &CalendarAddress,
) -> Result<(Outcome, Addressee), Outcome> {
    let Seen { incoming, loops } = seen;
    let permit = instance.admission.permit_for(mail.octets.len()).await;
    let _permit = permit.map_err(|wait| Outcome::Later(wait.reason))?;
    let addressee = find(instance, settings, recipient).await;
    let addressee = addressee.map_err(|not_ours| not_ours.outcome())?;
    if *loops {
        let why = format!("it has passed more than {HOPS} mail servers, which is a loop");
        return Err(Outcome::Refused(why));
    }
    let outcome = match (&incoming.content, &addressee) {
        (_, Addressee::Mailbox) => Outcome::Dropped("it is for a mailbox alone".to_owned()),
        (Content::Scheduling(part), _) => {
            deliver::deliver(instance, incoming, part, &addressee, recipient).await
        }
        (Content::Refused(refusal), _) => Outcome::Unreadable(refusal.to_string()),
        (Content::Bounce(bounce), Addressee::Guest(guest, _)) => {
            returned::bounce(instance, guest, bounce).await
        }
        (Content::Bounce(bounce), Addressee::Gateway) => {
            returned::bounce_to_gateway(instance, bounce).await
        }
        (Content::Bounce(_), _) => Outcome::Dropped("a report on mail that was sent".to_owned()),
        _ => Outcome::Dropped("it holds no scheduling message".to_owned()),
    };
    Ok((outcome, addressee))
}

/// To whom a mail goes on.
#[derive(Clone, Copy)]
enum Goes<'a> {
    /// To the mailbox of its recipient, behind us.
    ToMailbox(&'a LmtpServer),
    /// To who has invited the guest, for the words in it.
    ToWhoInvited(&'a Guest),
}

/// Who gets the mail itself, beside what the calendar has taken of it.
fn goes_on<'a>(
    settings: &'a IncomingMail,
    outcome: &Outcome,
    addressee: &'a Addressee,
    incoming: &Incoming,
) -> Option<Goes<'a>> {
    let is_for_mailbox = outcome.is_for_mailbox();
    // The answer is in the calendar then, and what somebody has written beside it in the mailbox.
    let has_words_beside = outcome.has_words_beside(incoming);
    match (addressee, &settings.pass_on) {
        (Addressee::Mailbox, Some(server)) if is_for_mailbox => Some(Goes::ToMailbox(server)),
        (Addressee::Person(_), Some(server)) if is_for_mailbox || has_words_beside => {
            Some(Goes::ToMailbox(server))
        }
        (Addressee::Guest(guest, _), _)
            if has_words_beside || (is_for_mailbox && has_words(incoming)) =>
        {
            Some(Goes::ToWhoInvited(guest))
        }
        _ => None,
    }
}

/// Whether somebody has written something by hand, beside what is for a calendar perhaps.
fn has_words(incoming: &Incoming) -> bool {
    let has_text = || {
        let text = incoming.text.as_deref();
        incoming.origin.is_person() && text.is_some_and(|text| !text.trim().is_empty())
    };
    match incoming.content {
        Content::Words => true,
        // Of what is too much to be read nobody knows what it says.
        Content::Refused(Refusal::TooMuch { .. }) => incoming.origin.is_person(),
        Content::Scheduling(_) | Content::Refused(_) => has_text(),
        _ => false,
    }
}

/// How many mail servers a mail has passed, as far as its header says.
fn hops(octets: &[u8]) -> usize {
    let lines = octets.split(|octet| *octet == b'\n');
    let header = lines.take_while(|line| !line.trim_ascii_end().is_empty());
    let received = header.filter(|line| {
        let name = line.get(..b"Received:".len());
        name.is_some_and(|name| name.eq_ignore_ascii_case(b"Received:"))
    });
    received.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_counted_in_the_header_alone() {
        let mail = b"Received: by a\r\n\tfor x\r\nRECEIVED: by b\r\nSubject: Received:\r\n\r\nReceived: by c\r\n";
        assert_eq!(hops(mail), 2);
        assert_eq!(hops(b""), 0);
    }
}
