//! Whom an envelope recipient means.

use super::{IncomingMail, Outcome};
use crate::{instance::Instance, scheduling::OurHome};
use convoke_imip::{Addressed, Token, mailbox_address};
use convoke_lmtp::Reply;
use convoke_scheduling::{Environment, Guest, Stores};
use convoke_types::{CalendarAddress, Error};

/// Whom an envelope recipient means.
pub(crate) enum Addressee {
    /// One of our own people.
    Person(OurHome),
    /// One of our own people, by the address that a mail about a meeting has told one guest.
    Guest(Guest, OurHome),
    /// The gateway itself: bounces, and strays.
    Gateway,
    /// Nobody with a calendar, but perhaps with a mailbox behind us.
    Mailbox,
}

/// Why a recipient is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOurs {
    /// Its domain is not ours.
    #[error("{0} is no domain of this host")]
    ForeignDomain(String),
    /// Our domain has no such calendar user.
    #[error("{0} is no calendar user")]
    UnknownUser(String),
    /// No mail that we sent has told of such an address.
    #[error("{0} was never given out")]
    UnknownToken(String),
    /// It cannot be said now.
    #[error("{0}")]
    Unavailable(String),
}

impl NotOurs {
    /// What becomes of a mail to it.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Unavailable(why) => Outcome::Later(why.clone()),
            not_ours => Outcome::Unknown(not_ours.to_string()),
        }
    }

    /// As it is said to who hands mail over.
    pub(crate) fn reply(&self) -> Reply {
        let (code, status) = match self {
            Self::ForeignDomain(_) => (550, "5.7.1"),
            Self::UnknownUser(_) | Self::UnknownToken(_) => (550, "5.1.1"),
            Self::Unavailable(_) => (451, "4.3.0"),
        };
        Reply::new(code, status, self.to_string())
    }
}

/// A text is no envelope recipient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a mail address such as anna@example.org, and found `{0}`")]
pub(crate) struct InvalidRecipient(String);

/// An envelope recipient as mail servers write it, in which nothing is percent-encoded; or as calendars do, with `mailto:`.
pub(crate) fn envelope_recipient(text: &str) -> Result<CalendarAddress, InvalidRecipient> {
    let address = match text.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => CalendarAddress::new(text).ok(),
        _ => mailbox_address(text),
    };
    address.ok_or_else(|| InvalidRecipient(convoke_types::excerpt(text, 100)))
}

/// Looks a recipient up.
pub(crate) async fn find(
    instance: &Instance,
    settings: &IncomingMail,
    recipient: &CalendarAddress,
) -> Result<Addressee, NotOurs> {
    match settings.gateway.read(recipient) {
        Addressed::Plain => return Ok(Addressee::Gateway),
        Addressed::Token(token) => return of_token(instance, recipient, &token).await,
        Addressed::BadToken => return Err(NotOurs::UnknownToken(recipient.human().to_owned())),
        Addressed::Other => {}
    }
    match recipient.domain() {
        Ok(domain) if instance.config.is_ours(domain) => {}
        Ok(domain) => return Err(NotOurs::ForeignDomain(domain.to_string())),
        Err(_) => return Err(NotOurs::UnknownUser(recipient.human().to_owned())),
    }
    match stores(instance).find(recipient).await {
        Ok(Some(home)) => Ok(Addressee::Person(home)),
        Ok(None) if settings.pass_on.is_some() => Ok(Addressee::Mailbox),
        Ok(None) => Err(NotOurs::UnknownUser(recipient.human().to_owned())),
        Err(error) => Err(unavailable(recipient, &error)),
    }
}

async fn of_token(
    instance: &Instance,
    recipient: &CalendarAddress,
    token: &Token,
) -> Result<Addressee, NotOurs> {
    let unknown = || NotOurs::UnknownToken(recipient.human().to_owned());
    let guest = instance.scheduler.guest_of(token.as_str()).await;
    let guest = guest.map_err(|error| unavailable(recipient, &error))?;
    let guest = guest.ok_or_else(unknown)?;
    match stores(instance).find(&guest.user).await {
        Ok(Some(home)) => Ok(Addressee::Guest(guest, home)),
        // Whoever sent that mail is gone.
        Ok(None) => Err(unknown()),
        Err(error) => Err(unavailable(recipient, &error)),
    }
}

fn stores(instance: &Instance) -> &impl Stores<Home = OurHome> {
    instance.scheduler.environment().stores()
}

fn unavailable(recipient: &CalendarAddress, error: &Error) -> NotOurs {
    tracing::warn!(event = "mail-recipient-unknown", %recipient, "whether it is ours cannot be said: {error}");
    NotOurs::Unavailable("the calendars cannot be asked; try again later".to_owned())
}
