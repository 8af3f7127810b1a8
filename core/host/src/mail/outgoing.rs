//! A message to each recipient, as a mail of its own.

use super::{
    notices::{WaitingNotice, reads_notices},
    smtp::{MailServer, NotTaken},
    under_way::UnderWay,
};
use crate::{
    access::access_request,
    config::{Mail as MailConfig, MailFrom, SmtpServer},
    state::OurState,
};
use convoke_calendar::tree::{self, Calendar};
use convoke_file_access::PrivateFileError;
use convoke_imip::{
    ComposeError, FromMode, Gateway, Language, Mail, Mailbox, Notice as ImipNotice, Outgoing,
    Recipient, Token, compose, compose_notice,
};
use convoke_net::http_client::Client;
use convoke_plugin_host::{Objection, Plugins, origin::Origin};
use convoke_scheduling::{Guest, HandedOver, Letter, MailRecipient, Outcome, Person, Retry};
use convoke_sdk::Action;
use convoke_types::{CalendarAddress, Error, Proof, RequestStatus};
use futures::{StreamExt, stream};
use jiff::{Timestamp, tz::TimeZone};
use std::{sync::Arc, time::Duration};

/// The attribute of a calendar user that says what language they read: a tag such as `de`.
const LANGUAGE: &str = "language";
/// What a notice tells of where the message was too long to be kept.
const NO_CALENDAR: &[u8] = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n";
/// Mails of one message that are made and sent at once.
const AT_ONCE: usize = 8;

/// Hands messages to a mail server, a mail for each recipient.
pub struct Mailer {
    under_way: UnderWay,
    gateway: Gateway,
    from: FromMode,
    plugins: Arc<Plugins>,
    state: OurState,
}

/// A person was not told.
pub(crate) enum Untold {
    /// It may be tried again.
    Now(String),
    /// The mail server had all of the mail and said nothing of it: the person may have it.
    Perhaps(String),
}

/// Who writes, as their mails name them.
struct Sender {
    mailbox: Mailbox,
    timezone: TimeZone,
}

impl Mailer {
    /// Sends as `config` says; the server may take `patience` for each of its replies.
    pub fn new(
        config: &MailConfig,
        client: Client,
        plugins: &Arc<Plugins>,
        patience: Duration,
    ) -> Result<Self, PrivateFileError> {
        Ok(Self {
            under_way: UnderWay::new(MailServer::new(config, client, patience)?),
            gateway: config.gateway.clone(),
            from: match config.from {
                MailFrom::Person => FromMode::Person,
                MailFrom::Gateway => FromMode::Gateway,
            },
            state: OurState::of(plugins),
            plugins: plugins.clone(),
        })
    }

    /// The mail server.
    pub fn server(&self) -> &MailServer {
        self.under_way.server()
    }

    /// Mails a letter to each recipient: an outcome each, in their order.
    pub(crate) async fn send(
        &self,
        letter: &Letter<'_>,
        recipients: &[MailRecipient],
        handed_in: Timestamp,
    ) -> Vec<Outcome> {
        let sender = self.sender(letter).await;
        let mut mails = Vec::new();
        for recipient in recipients {
            mails.push(self.send_one(letter, &sender, recipient, handed_in));
        }
        stream::iter(mails).buffered(AT_ONCE).collect().await
    }

    async fn send_one(
        &self,
        letter: &Letter<'_>,
        sender: &Sender,
        to: &MailRecipient,
        handed_in: Timestamp,
    ) -> Outcome {
        let recipient = &to.address;
        if let Some(outcome) = self.objection(letter, recipient).await {
            return outcome.not_handed_over();
        }
        let guest = Guest {
            user: letter.originator.clone(),
            uid: letter.message.uid().clone(),
            recipient: recipient.clone(),
        };
        let known = to.last_told.as_ref();
        let composed = self.compose(letter, sender, &guest, (handed_in, known));
        let mail = match composed.await {
            Ok(mail) => mail,
            Err(outcome) => return outcome.not_handed_over(),
        };
        if let Err(error) = guest.announce_mail(&self.state, &mail.message_id).await {
            return later(&error).not_handed_over();
        }
        let sent = self.under_way.send(&mail).await;
        let sent = self.if_silent_again(sent, &guest, &mail).await;
        if sent.is_ok()
            && let Err(error) = guest.remember_mail(&self.state, &mail.message_id).await
        {
            tracing::warn!(
                event = "mail-not-remembered", %recipient, uid = %guest.uid,
                "later mails about it do not refer to this one: {error}"
            );
        }
        Outcome {
            message_id: Some(mail.message_id),
            ..self.outcome(sent)
        }
    }

    /// Sends a mail of a guest's on to who has invited the guest.
    pub(crate) async fn pass_on(&self, guest: &Guest, mail: &Mail) -> Result<String, NotTaken> {
        let sent = self.under_way.send(mail).await;
        self.if_silent_again(sent, guest, mail).await
    }

    /// A mail server that takes a mail and says nothing of it does so each time, and the guest would have it again and again: the
    /// second time it counts as taken.
    async fn if_silent_again(
        &self,
        sent: Result<String, NotTaken>,
        guest: &Guest,
        mail: &Mail,
    ) -> Result<String, NotTaken> {
        let Err(NotTaken::Silent(reason)) = sent else {
            return sent;
        };
        match guest.is_silent_again(&self.state, &mail.message_id).await {
            Ok(true) => {
                let (server, recipient) = (self.server().server(), &guest.recipient);
                tracing::warn!(
                    event = "mail-server-failed", %server, %recipient, uid = %guest.uid,
                    "a mail counts as taken, which is not certain, as twice {reason}"
                );
                Ok(format!("that is not certain, as twice {reason}"))
            }
            // It is tried once more, at most.
            Ok(false) | Err(_) => Err(NotTaken::Silent(reason)),
        }
    }

    /// Policies may forbid to send there.
    async fn objection(&self, letter: &Letter<'_>, recipient: &CalendarAddress) -> Option<Outcome> {
        let originator = letter.originator;
        let proofs = vec![Proof::Submission(originator.clone())];
        let origin = Origin::of(originator, &proofs);
        let mut request = access_request(letter, proofs, recipient);
        request.action = Action::Send;
        let (status, told, reason) = match origin.ask(self.plugins.policy.forbids(&request)).await?
        {
            Objection::Denied(reason) => (
                RequestStatus::NO_AUTHORITY,
                "a policy of this server forbids to send there",
                reason,
            ),
            Objection::Unavailable(reason) => (
                RequestStatus::SERVICE_UNAVAILABLE,
                "a policy of this server cannot be asked; try later",
                reason,
            ),
        };
        tracing::info!(event = "not-sent-by-policy", %originator, %recipient, receiver = "mail", "not sent: {reason}");
        Some(Outcome {
            description: Some(told.to_owned()),
            ..status.into()
        })
    }

    async fn compose(
        &self,
        letter: &Letter<'_>,
        sender: &Sender,
        guest: &Guest,
        (handed_in, last_told): (Timestamp, Option<&Calendar>),
    ) -> Result<Mail, Outcome> {
        let correspondence = guest.correspondence(&self.state, fresh_token).await;
        let correspondence = correspondence.map_err(|error| later(&error))?;
        let token = Token::parse(&correspondence.token);
        let token = token.map_err(|error| later(&Error::internal(error.to_string())))?;
        let write = |references: &[String]| {
            compose(&Outgoing {
                message: letter.message,
                person: &sender.mailbox,
                timezone: &sender.timezone,
                gateway: &self.gateway,
                from: self.from,
                recipient: &Recipient::listed(letter.message, &guest.recipient),
                token: Some(&token),
                date: handed_in,
                references,
                previous: last_told,
            })
        };
        let mail = write(&correspondence.mails).map_err(|error| unmailable(&error))?;
        // Sent before and not noted: it refers to what it referred to then.
        let mut earlier = correspondence.mails.iter();
        match earlier.position(|it| *it == mail.message_id) {
            Some(position) => {
                let earlier = &correspondence.mails[..position];
                write(earlier).map_err(|error| unmailable(&error))
            }
            None => Ok(mail),
        }
    }

    async fn sender(&self, letter: &Letter<'_>) -> Sender {
        let listed = Recipient::listed(letter.message, letter.originator).mailbox;
        let (name, timezone) = match self.plugins.stores.find(letter.originator).await {
            Ok(Some((_, user))) => {
                let timezone = Person::of(&user).owner().timezone;
                (user.name, timezone)
            }
            // It is sent all the same; only its words are in UTC.
            Ok(None) | Err(_) => (None, TimeZone::UTC),
        };
        Sender {
            mailbox: Mailbox {
                address: letter.originator.clone(),
                name: listed.name.or(name),
            },
            timezone,
        }
    }

    /// Tells a person of ours something by mail, under a name that is the same for the same thing. An error: it may be
    /// tried again.
    pub(crate) async fn tell(&self, id: &str, notice: &WaitingNotice) -> Result<(), Untold> {
        let found = self.plugins.stores.find(&notice.user).await;
        let found = found.map_err(|error| Untold::Now(error.to_string()))?;
        let Some((_, user)) = found.filter(|(_, user)| reads_notices(user)) else {
            return Ok(());
        };
        let limits = tree::Limits::default();
        let Ok(calendar) = Calendar::parse(&notice.calendar, &limits)
            .or_else(|_| Calendar::parse(NO_CALENDAR, &limits))
        else {
            return Ok(());
        };
        let language = user.attributes.get(LANGUAGE).unwrap_or_default();
        let mail = compose_notice(&ImipNotice {
            occasion: notice.occasion(),
            to: &Recipient {
                mailbox: Mailbox {
                    address: user.address.clone(),
                    name: user.name.clone(),
                },
                language: Language::of_tag(language),
            },
            other: &listed(&calendar, &notice.other),
            calendar: &calendar,
            uid: &notice.uid,
            timezone: &Person::of(&user).owner().timezone,
            gateway: &self.gateway,
            date: notice.at,
            key: id,
        });
        let sent = match mail {
            Ok(mail) => self.under_way.send(&mail).await,
            // Its address is no mailbox.
            Err(_) => return Ok(()),
        };
        let (user, uid) = (&user.address, &notice.uid);
        match sent {
            Ok(_) => tracing::info!(event = "notice-sent", %user, %uid, "told by mail"),
            Err(NotTaken::Refused(reply)) => tracing::warn!(
                event = "notice-not-sent", %user, %uid, "the person is not told by mail: {reply}"
            ),
            Err(NotTaken::Silent(reason)) => return Err(Untold::Perhaps(reason)),
            Err(later) => return Err(Untold::Now(later.to_string())),
        }
        Ok(())
    }

    /// What became of a mail: RFC 6638 §3.2.9.
    fn outcome(&self, sent: Result<String, NotTaken>) -> Outcome {
        let server = self.server().server();
        match sent {
            Ok(reply) => Outcome {
                description: Some(format!("{server} took it: {reply}")),
                ..RequestStatus::SENT.into()
            },
            Err(NotTaken::Refused(reply)) => Outcome {
                description: Some(format!("{server} refused it: {reply}")),
                retry: Retry::No,
                handed_over: HandedOver::No,
                ..RequestStatus::SERVICE_UNAVAILABLE.with_text(&reply).into()
            },
            Err(NotTaken::Later(reply)) => Outcome {
                description: Some(format!("{server} asks to come again: {reply}")),
                handed_over: HandedOver::No,
                ..RequestStatus::SERVICE_UNAVAILABLE.into()
            },
            Err(NotTaken::Unavailable(reason)) => unavailable(server, reason).not_handed_over(),
            Err(NotTaken::InDoubt(reason) | NotTaken::Silent(reason)) => {
                unavailable(server, reason)
            }
        }
    }
}

/// The mail server cannot be reached, or breaks off.
fn unavailable(server: &SmtpServer, reason: String) -> Outcome {
    tracing::warn!(event = "mail-server-failed", %server, "not mailed: {reason}");
    let outcome = Outcome {
        description: Some(reason),
        ..RequestStatus::SERVICE_UNAVAILABLE.into()
    };
    outcome.at_receiver(None)
}

/// A person as the message lists it.
fn listed(calendar: &Calendar, address: &CalendarAddress) -> Mailbox {
    let components = calendar.main_components();
    let mut lines = components.flat_map(|it| &it.properties);
    let line = lines.find(|line| {
        (line.is("ATTENDEE") || line.is("ORGANIZER")) && address.is_written_as(&line.value)
    });
    Mailbox {
        address: address.clone(),
        name: line.and_then(|it| it.param("CN")).map(str::to_owned),
    }
}

/// 128 bits that nobody guesses.
fn fresh_token() -> String {
    // Version 4 fixes six of its bits: two make up for them.
    let (one, other) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let mut random = *one.as_bytes();
    for (octet, more) in random.iter_mut().zip(other.as_bytes().iter().rev()) {
        *octet ^= more;
    }
    Token::of(random).as_str().to_owned()
}

fn later(error: &Error) -> Outcome {
    Outcome {
        description: Some(error.to_string()),
        ..RequestStatus::SERVICE_UNAVAILABLE.into()
    }
}

fn unmailable(error: &ComposeError) -> Outcome {
    Outcome {
        description: Some(error.to_string()),
        ..RequestStatus::INVALID_CALENDAR_USER.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn tokens_differ_in_each_of_their_bits() {
        let tokens: HashSet<String> = (0..256).map(|_| fresh_token()).collect();
        assert_eq!(tokens.len(), 256);
        assert!(tokens.iter().all(|token| token.len() == 25));
    }
}
