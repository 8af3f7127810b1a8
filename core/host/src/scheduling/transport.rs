//! The ways to others: to receivers by the sender, and by mail.

#[cfg(feature = "mail")]
use crate::mail::Mailer;
use crate::sender::Sender;
use convoke_scheduling::{Letter, Outcome, Transport};
#[cfg(feature = "mail")]
use convoke_scheduling::{MailRecipient, Mailing};
use convoke_types::CalendarAddress;
#[cfg(feature = "mail")]
use jiff::Timestamp;
#[cfg(feature = "mail")]
use std::sync::Arc;

/// The ways to others that a configuration has.
pub struct OurTransport {
    /// To receivers.
    pub sender: Sender,
    /// To who has none; `None`: they are not reached.
    #[cfg(feature = "mail")]
    pub mailer: Option<Arc<Mailer>>,
}

impl Transport for OurTransport {
    async fn send(&self, letter: &Letter<'_>, recipients: &[CalendarAddress]) -> Vec<Outcome> {
        self.sender.send(letter, recipients).await
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
            Some(mailer) => mailer.send(letter, recipients, handed_in).await,
            None => Vec::new(),
        }
    }
}
