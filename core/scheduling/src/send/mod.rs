//! Messages of our own people on their way: to those of our domains at once, to the others by the transport.
//!
//! The originator's own copy follows before anything leaves, so that an answer that comes back at once finds it.

mod delegate;

use crate::{
    effort::{Effort, Weight},
    envelope::{Envelope, Letter, Peer, TransportFacts},
    environment::{
        Answers, Clock, Environment, Event, Home, Journal, Stores, Transport, Unbounded,
    },
    intake::Intake,
    object::{Answered, Submit},
    outcome::Outcome,
    owed::OwedMessage,
    person::Person,
    refusal::Refusal,
    scheduler::Scheduler,
    stored::{NotUpdated, Update},
};
use convoke_calendar::{
    itip::{self, Outgoing},
    message::{Kind, Message, Method, Provenance},
    zone::unknown_names,
};
use convoke_types::{CalendarAddress, Error, Proof, RequestStatus};
use jiff::tz::TimeZone;

impl<E: Environment> Submit for Scheduler<E> {
    type Failure = Refusal;

    /// As if the originator had handed the message in: it is read, and sent to everybody it is for.
    async fn submit(&self, outgoing: &Outgoing) -> Result<Vec<Answered>, Refusal> {
        let Outgoing {
            message,
            originator,
            recipients,
        } = outgoing;
        let data = message.calendar().write();
        let intake = Intake {
            data: &data,
            originator,
            recipients,
            from: Provenance::Submission,
            now: self.environment.clock().now(),
        };
        let message = &self.read(&intake, |_| Ok(())).await?;
        let submission = Submission {
            message,
            data: &data,
            originator,
            recipients,
            transport: TransportFacts::default(),
        };
        let outcomes = self.dispatch(&submission, &Unbounded).await;
        let recipients = recipients.iter().map(ToString::to_string);
        Ok(recipients.zip(outcomes).collect())
    }
}

/// A message that one of our own people hands in.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// The message, valid by itself.
    pub message: &'a Message,
    /// The message as it was handed in.
    pub data: &'a [u8],
    /// Who sends it.
    pub originator: &'a CalendarAddress,
    /// Whom it is to reach.
    pub recipients: &'a [CalendarAddress],
    /// How it came in.
    pub transport: TransportFacts<'a>,
}

impl<E: Environment> Scheduler<E> {
    /// Sends a message of one of our users to everybody it is for: one outcome for each, in their order.
    pub async fn dispatch(
        &self,
        submission: &Submission<'_>,
        answers: &impl Answers,
    ) -> Vec<Outcome> {
        let Submission {
            message,
            originator,
            recipients,
            transport,
            ..
        } = *submission;
        let all = |status: RequestStatus| vec![Outcome::from(status); recipients.len()];
        let delegates = match itip::delegates(message, originator) {
            Ok(delegates) => delegates,
            Err(status) => return all(status),
        };
        if message.kind() != Kind::FreeBusy
            && let Err(error) = self.update_own_copy(submission).await
        {
            tracing::warn!(event = "own-copy-not-updated", %originator, uid = %message.uid(), "not sent: the originator's copy could not be updated: {error}");
            let text = "The originator's own calendar cannot be written";
            return all(RequestStatus::SERVICE_UNAVAILABLE.with_text(text));
        }
        if !delegates.is_empty() && message.method() == Method::Request {
            return self.hand_on_to(submission, &delegates).await;
        }
        let mut outcomes = self
            .send(message, originator, recipients, transport, answers)
            .await;
        if !delegates.is_empty() {
            self.invite_delegates(submission, &delegates, &mut outcomes)
                .await;
        }
        outcomes
    }

    /// Sends what one of our people owes, see [`Owed`](crate::Owed). It was made of the user's own copy, which therefore
    /// stays as it is: the message may hold a part of it only.
    pub async fn send_owed(&self, owed: OwedMessage) {
        let Outgoing {
            message,
            originator,
            recipients,
        } = owed.outgoing();
        let transport = TransportFacts::default();
        let sent = self
            .send(message, originator, recipients, transport, &Unbounded)
            .await;
        for (recipient, outcome) in recipients.iter().zip(sent) {
            tracing::info!(event = "owed-sent", %originator, %recipient, uid = %message.uid(), status = %outcome.status.code(), "answered: {}", outcome.status);
        }
    }

    /// The zone in which the originator reads the times of a message whose TZID nobody knows. `None` if there are none, or
    /// if the originator cannot be looked up.
    async fn zone_of_unknown(
        &self,
        message: &Message,
        originator: &CalendarAddress,
    ) -> Option<TimeZone> {
        if unknown_names(message.calendar()).is_empty() {
            return None;
        }
        match self.environment.stores().find(originator).await {
            Ok(home) => home.map(|home| Person::of(home.user()).owner().timezone),
            Err(error) => {
                tracing::warn!(event = "unknown-time-zone", %originator, uid = %message.uid(), "it is sent undescribed: {error}");
                None
            }
        }
    }

    /// Sends a message whose originator's copy knows it already.
    async fn send(
        &self,
        message: &Message,
        originator: &CalendarAddress,
        recipients: &[CalendarAddress],
        transport: TransportFacts<'_>,
        answers: &impl Answers,
    ) -> Vec<Outcome> {
        let own = self.zone_of_unknown(message, originator).await;
        let message = &itip::for_sending(message, own.as_ref());
        let data = message.calendar().write();
        let (mut local, mut remote, mut is_local) = (Vec::new(), Vec::new(), Vec::new());
        for recipient in recipients {
            // A store that cannot be asked answers for itself when it is delivered to.
            let ours = self.is_ours(recipient).await.unwrap_or(true);
            is_local.push(ours);
            let side = if ours { &mut local } else { &mut remote };
            side.push(recipient.clone());
        }
        let envelope = Envelope {
            message,
            data: &data,
            originator,
            from: Provenance::Submission,
            proofs: &[Proof::Submission(originator.clone())],
            peer: &Peer::of_ours(originator),
            transport,
            now: self.environment.clock().now(),
            effort: Effort::default(),
        };
        let letter = Letter {
            message,
            data: &data,
            originator,
            transport,
        };
        let (here, there) = futures::join!(
            self.deliver(&envelope, &local, answers),
            self.environment.transport().send(&letter, &remote)
        );
        self.environment
            .journal()
            .record(&Event::Sent(message, &there));
        let (mut here, mut there) = (here.into_iter(), there.into_iter());
        let sides = is_local.into_iter();
        sides
            .filter_map(|ours| if ours { here.next() } else { there.next() })
            .collect()
    }

    /// Keeps the originator's own copy in step with a message that is about to leave.
    async fn update_own_copy(&self, submission: &Submission<'_>) -> Result<(), Error> {
        let Submission {
            message,
            data,
            originator,
            ..
        } = *submission;
        let Some(home) = self.environment.stores().find(originator).await? else {
            return Ok(());
        };
        let person = Person::of(home.user());
        let owner = person.owner();
        let now = self.environment.clock().now();
        let update = Update {
            processor: self.environment.processor(),
            home: &home,
            uid: message.uid(),
            owner: &owner,
            limits: &self.limits,
            now,
            weight: Weight::of(message, data),
            budget: None,
        };
        let updated =
            update.apply(|existing| (itip::update_own_copy(message, existing, &owner, now), ()));
        updated.await.map_err(|error| match error {
            NotUpdated::Failed(error) => error,
            NotUpdated::TooMuch => Error::unavailable("the message takes too much work"),
        })
    }
}
