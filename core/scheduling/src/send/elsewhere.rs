//! To others: to the receiver of each, and by mail to who has none.
//!
//! An answer of a receiver is final and never becomes a mail. One version of a meeting goes to a person by one transport:
//! what began to go by mail goes on so, and what no receiver took in time ([`Timing::expire`](crate::Timing)) goes by mail
//! once, and to the receiver no more.

use crate::{
    envelope::Letter,
    environment::{Clock, Environment, Home, MailRecipient, Mailing, Stores, Transport},
    outbox::Entry,
    outcome::{Outcome, Retry, Via},
    scheduler::Scheduler,
};
use convoke_calendar::message::{Kind, Message};
use convoke_types::CalendarAddress;
use jiff::Timestamp;

/// To whom something goes, and how.
#[derive(Clone, Debug)]
pub(crate) struct Addressee {
    pub(crate) address: CalendarAddress,
    /// By this alone; `None`: to the receiver, or by mail where there is none.
    via: Option<Via>,
}

impl Addressee {
    /// To the receiver, or by mail where there is none.
    pub(crate) const fn by_whatever(address: CalendarAddress) -> Self {
        Self { address, via: None }
    }

    /// As an entry goes now, if mail may be tried until `mail_until`.
    pub(crate) fn of(entry: &Entry, mail_until: Option<Timestamp>, now: Timestamp) -> Self {
        let is_left = entry.attempts > 0 && entry.until <= now && mail_until.is_some();
        let by_mail = is_left || entry.via == Some(Via::Mail);
        Self {
            address: entry.recipient.clone(),
            via: by_mail.then_some(Via::Mail),
        }
    }
}

impl<E: Environment> Scheduler<E> {
    /// Until when mail is tried for what no receiver took in time: for as long again, and not past the end of the meeting.
    /// `None` if it does not go by mail.
    pub(super) fn mail_until(&self, message: &Message) -> Option<Timestamp> {
        let now = self.environment.clock().now();
        let until = self.given_up_at(message, now);
        (self.may_be_mailed(message) && until > now).then_some(until)
    }

    /// Busy time is asked between servers only.
    fn may_be_mailed(&self, message: &Message) -> bool {
        self.environment.transport().mails() == Mailing::On && message.kind() != Kind::FreeBusy
    }

    /// One outcome for each recipient, in their order.
    pub(super) async fn send_elsewhere(
        &self,
        letter: &Letter<'_>,
        recipients: &[&Addressee],
        handed_in: Timestamp,
    ) -> Vec<Outcome> {
        let may_be_mailed = self.may_be_mailed(letter.message);
        let is_for_mail = |it: &Addressee| may_be_mailed && it.via == Some(Via::Mail);
        let (mail, receivers): (Vec<_>, Vec<_>) =
            (0..recipients.len()).partition(|&at| is_for_mail(recipients[at]));
        let addresses = |positions: &[usize]| -> Vec<CalendarAddress> {
            let addresses = positions.iter().map(|&at| recipients[at].address.clone());
            addresses.collect()
        };
        let transport = self.environment.transport();
        let to_receivers = addresses(&receivers);
        let by_mail = addresses(&mail);
        let (sent, mailed) = futures::join!(
            transport.send(letter, &to_receivers),
            self.mail(letter, &by_mail, handed_in)
        );
        let mut outcomes = vec![None; recipients.len()];
        let mut left = Vec::new();
        for (at, outcome) in receivers.into_iter().zip(sent) {
            if outcome.retry == Retry::ByMail && may_be_mailed {
                left.push(at);
            }
            let outcome = match outcome.retry {
                Retry::ByMail => Outcome {
                    retry: Retry::No,
                    ..outcome
                },
                _ => outcome,
            };
            outcomes[at] = Some(outcome);
        }
        let left_mailed = self.mail(letter, &addresses(&left), handed_in).await;
        let mailed = mail.into_iter().zip(mailed);
        for (at, outcome) in mailed.chain(left.into_iter().zip(left_mailed)) {
            outcomes[at] = Some(outcome);
        }
        let outcomes = outcomes.into_iter();
        outcomes
            .map(|it| it.expect("a transport has an outcome for each recipient"))
            .collect()
    }

    async fn mail(
        &self,
        letter: &Letter<'_>,
        recipients: &[CalendarAddress],
        handed_in: Timestamp,
    ) -> Vec<Outcome> {
        if recipients.is_empty() {
            return Vec::new();
        }
        let recipients = self.mail_recipients(letter, recipients).await;
        let transport = self.environment.transport();
        let mailed = transport.send_mail(letter, &recipients, handed_in).await;
        mailed.into_iter().map(|it| it.via(Via::Mail)).collect()
    }

    /// Recipients with what they were told last. Where that cannot be looked up, mails only say less.
    async fn mail_recipients(
        &self,
        letter: &Letter<'_>,
        recipients: &[CalendarAddress],
    ) -> Vec<MailRecipient> {
        let home = self.environment.stores().find(letter.originator).await;
        let ledger = match home {
            Ok(Some(home)) => self.ledger(home.user(), letter.message.uid()).await.ok(),
            Ok(None) | Err(_) => None,
        };
        let ledger = ledger.and_then(|read| read.value);
        let recipients = recipients.iter();
        let recipients = recipients.map(|address| MailRecipient {
            address: address.clone(),
            last_told: ledger.as_ref().and_then(|it| it.last_told(address)),
        });
        recipients.collect()
    }
}
