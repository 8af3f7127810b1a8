//! The ways to others: to receivers by the sender, and by mail. What waits in the outbox leaves only as long as this host holds it.

#[cfg(feature = "mail")]
use crate::{
    mail::Mailer,
    metrics::{Stage, Way},
};
use crate::{sender::Sender, shared::SharedState};
use convoke_scheduling::{Letter, Outcome, Transport};
#[cfg(feature = "mail")]
use convoke_scheduling::{MailRecipient, Mailing};
use convoke_types::{CalendarAddress, RequestStatus};
#[cfg(feature = "mail")]
use jiff::Timestamp;
use std::{future::Future, sync::Arc};

/// The ways to others that a configuration has.
pub struct OurTransport {
    /// To receivers.
    pub sender: Sender,
    /// Has the lease of this host.
    pub shared: Arc<SharedState>,
    /// To who has none; `None`: they are not reached.
    #[cfg(feature = "mail")]
    pub mailer: Option<Arc<Mailer>>,
}

impl Transport for OurTransport {
    async fn send(&self, letter: &Letter<'_>, recipients: &[CalendarAddress]) -> Vec<Outcome> {
        let sending = self.sender.send(letter, recipients);
        self.while_held(letter, recipients.len(), sending).await
    }

    #[cfg(feature = "mail")]
    fn mails(&self) -> Mailing {
        match self.mailer {
            Some(_) => Mailing::On,
            None => Mailing::Off,
        }
    }

    #[cfg(feature = "mail")]
    async fn send_mail(
        &self,
        letter: &Letter<'_>,
        recipients: &[MailRecipient],
        handed_in: Timestamp,
    ) -> Vec<Outcome> {
        match &self.mailer {
            Some(mailer) => {
                let metrics = &self.shared.metrics;
                let sending = mailer.send(letter, recipients, handed_in);
                let sending = metrics.timed(Stage::Mail, sending);
                let sent = self.while_held(letter, recipients.len(), sending).await;
                for outcome in &sent {
                    metrics.tried(Way::Mail, &outcome.status);
                }
                sent
            }
            None => Vec::new(),
        }
    }
}

impl OurTransport {
    /// Sends a letter as long as this host has its lease: whoever has been paused, and wakes up, does not send what another host
    /// may have taken over.
    async fn while_held(
        &self,
        letter: &Letter<'_>,
        recipients: usize,
        sending: impl Future<Output = Vec<Outcome>>,
    ) -> Vec<Outcome> {
        if letter.id.is_none() {
            // A question: it does not wait in the outbox, and nobody takes it over.
            return sending.await;
        }
        let sent = self.shared.lease.while_held(sending).await;
        sent.unwrap_or_else(|| {
            let later = Outcome::from(RequestStatus::SERVICE_UNAVAILABLE);
            let why =
                "This host could not say in time that it lives, so that another one may send it";
            let later = Outcome {
                description: Some(why.to_owned()),
                ..later
            };
            vec![later; recipients]
        })
    }
}
