//! A try: what waits is delivered, here or elsewhere.

use super::{elsewhere::Addressee, enqueue::Enqueued};
use crate::{
    decision::Decided,
    effort::Effort,
    envelope::{Answering, Envelope, Letter, Peer, TransportFacts},
    environment::{
        Answers, Clock, Environment, Event, Home, Journal, Processor, State, Stores, Unbounded,
    },
    keys,
    outbox::{After, Attempt, Entry, EntryId, Fate, Tried},
    outcome::{HandedOver, Outcome, Retry, Via},
    scheduler::Scheduler,
};
use convoke_calendar::{
    itip,
    message::{Message, Method, Provenance},
    tree::Calendar,
};
use convoke_types::{Batch, Error, Proof, RequestStatus};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long after something could not be looked at it is tried again.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// What became of entries, by name.
pub(crate) type Outcomes = BTreeMap<EntryId, Outcome>;

impl<E: Environment> Scheduler<E> {
    /// Tries what the outbox said goes next.
    pub async fn attempt(&self, mut attempt: Attempt) {
        let state = self.environment.state();
        if let Err(error) = attempt.leave_to_others(state).await {
            return self.put_off(attempt, &error);
        }
        let Some(first) = attempt.entries.first() else {
            return;
        };
        let data = match state.get(&keys::message(&first.message)).await {
            Ok(Some(entry)) => entry.value,
            Ok(None) => {
                let error = Error::internal("the message is not in the state any more");
                return self.give_up(attempt, &error).await;
            }
            Err(error) => return self.put_off(attempt, &error),
        };
        let transport = TransportFacts::default();
        self.try_to_deliver(attempt, &data, transport, &Unbounded)
            .await;
    }

    /// The first try of what was just handed in, for whoever waits for it: what became of each entry that could go.
    pub(crate) async fn first_try(
        &self,
        enqueued: &Enqueued,
        transport: TransportFacts<'_>,
        answers: &impl Answers,
    ) -> Outcomes {
        let mut outcomes = Outcomes::new();
        for message in &enqueued.waiting {
            let ids: Vec<EntryId> = message.entries.iter().map(|it| it.id.clone()).collect();
            if let Some(attempt) = self.shared.outbox.take_these(&ids) {
                let tried = self
                    .try_to_deliver(attempt, &message.data, transport, answers)
                    .await;
                outcomes.extend(tried);
            }
        }
        outcomes
    }

    async fn try_to_deliver(
        &self,
        attempt: Attempt,
        data: &[u8],
        transport: TransportFacts<'_>,
        answers: &impl Answers,
    ) -> Outcomes {
        let read = || {
            let calendar = Calendar::parse(data, &self.limits.of_objects())
                .map_err(|error| Error::internal(error.to_string()))?;
            Message::read(calendar).map_err(|error| Error::internal(error.to_string()))
        };
        let message = match self.environment.processor().run(data.len(), read).await {
            Ok(message) => message,
            Err(error) => {
                self.give_up(attempt, &error).await;
                return Outcomes::new();
            }
        };
        if attempt.entries.iter().any(|it| it.ended.is_some()) {
            self.note_again(&attempt, &message).await;
            return Outcomes::new();
        }
        let mail_until = self.mail_until(&message);
        let now = self.environment.clock().now();
        let recipients = attempt.entries.iter();
        let recipients: Vec<_> = recipients
            .map(|it| Addressee::of(it, mail_until, now))
            .collect();
        let handed_in = attempt.entries[0].created;
        let letter = Letter {
            message: &message,
            data,
            originator: &attempt.entries[0].originator,
            transport,
            id: Some(&attempt.entries[0].message),
        };
        let outcomes = self
            .deliver_letter(&letter, &recipients, handed_in, answers)
            .await;
        self.remember(&attempt, &message, &outcomes).await;
        let ids = attempt.entries.iter().map(|entry| entry.id.clone());
        ids.zip(outcomes).collect()
    }

    /// Hands a letter to those of our domains, and to the others by the transport: one outcome for each, in their order. It
    /// was handed in at `handed_in`.
    pub(crate) async fn deliver_letter(
        &self,
        letter: &Letter<'_>,
        recipients: &[Addressee],
        handed_in: Timestamp,
        answers: &impl Answers,
    ) -> Vec<Outcome> {
        let (mut local, mut remote, mut is_local) = (Vec::new(), Vec::new(), Vec::new());
        for recipient in recipients {
            // A store that cannot be asked answers for itself when it is delivered to.
            let ours = self.is_ours(&recipient.address).await.unwrap_or(true);
            is_local.push(ours);
            if ours {
                local.push(recipient.address.clone());
            } else {
                remote.push(recipient);
            }
        }
        let envelope = Envelope {
            message: letter.message,
            data: letter.data,
            originator: letter.originator,
            from: Provenance::Submission,
            proofs: &[Proof::Submission(letter.originator.clone())],
            peer: &Peer::of_ours(letter.originator),
            transport: letter.transport,
            now: self.environment.clock().now(),
            answering: Answering::Allowed,
            effort: Effort::default(),
        };
        let (here, there) = futures::join!(
            self.deliver(&envelope, &local, answers),
            self.send_elsewhere(letter, &remote, handed_in)
        );
        self.environment
            .journal()
            .record(&Event::Sent(letter.message, &there));
        let (mut here, mut there) = (here.into_iter(), there.into_iter());
        let sides = is_local.into_iter();
        sides
            .filter_map(|ours| if ours { here.next() } else { there.next() })
            .collect()
    }

    /// What came of a try, for who asks later.
    pub(super) fn tried(&self, entry: &Entry, outcome: &Outcome, fate: &Fate) -> Decided {
        let event = match fate {
            Fate::Ended(status) if status.is_failure() => "not-sent",
            Fate::Ended(_) => "sent",
            Fate::Replaced(_) => "replaced",
            Fate::Waits(_) => "sent-later",
        };
        let why = outcome.description.clone().unwrap_or_default();
        let why = match fate {
            Fate::Waits(entry) => format!(
                "tried {} times, next at {:.0}; {why}",
                entry.attempts, entry.next
            ),
            Fate::Replaced(_) => format!("a newer message says all of it; {why}"),
            Fate::Ended(_) => why,
        };
        let decided = self.decision(event, &entry.uid).of(&entry.originator);
        let decided = decided.to(&entry.method, &entry.recipient);
        let by = match outcome.via {
            Some(Via::Mail) => "by mail",
            Some(Via::Ischedule) => "by iSchedule",
            None => "",
        };
        let said = [by, &why].into_iter().filter(|it| !it.is_empty());
        let why = said.collect::<Vec<_>>().join("; ");
        let mut decided = decided.result(&outcome.status).why(why);
        decided.message_id.clone_from(&outcome.message_id);
        decided
    }

    /// Nothing can be delivered of a message that cannot be read: its originator hears of that as of any other message that was not
    /// delivered.
    async fn give_up(&self, attempt: Attempt, error: &Error) {
        for entry in attempt.entries() {
            tracing::error!(
                event = "queue-entry-broken", id = %entry.id, originator = %entry.originator,
                recipient = %entry.recipient, uid = %entry.uid, "given up: {error}"
            );
        }
        let first = &attempt.entries()[0];
        match self.stand_in(first).await {
            Ok(Some(message)) if first.ended.is_some() => self.note_again(&attempt, &message).await,
            Ok(Some(message)) => {
                let status = RequestStatus::SERVICE_UNAVAILABLE;
                let outcome = Outcome {
                    description: Some(format!("It cannot be read any more: {error}")),
                    retry: Retry::No,
                    ..Outcome::from(status).not_handed_over()
                };
                let outcomes = vec![outcome; attempt.entries().len()];
                self.remember(&attempt, &message, &outcomes).await;
            }
            Ok(None) => self.forget_attempt(&attempt).await,
            Err(error) => self.put_off(attempt, &error),
        }
    }

    /// The object that an entry is about as a message, as it is stored or, if it is gone, as others know it; `None` if nothing is
    /// known of it, or if it cannot be one.
    async fn stand_in(&self, entry: &Entry) -> Result<Option<Message>, Error> {
        let Some(home) = self.environment.stores().find(&entry.originator).await? else {
            return Ok(None);
        };
        let Some(method) = Method::parse(&entry.method) else {
            return Ok(None);
        };
        if let Some(message) = self.object_as_message(&home, &entry.uid, method).await? {
            return Ok(Some(message));
        }
        let known = self.ledger(home.user(), &entry.uid).await?.value;
        let known = known.and_then(|it| it.remembered(&self.limits));
        Ok(known.and_then(|it| Message::of_object(itip::forget(it), method).ok()))
    }

    /// Entries wait no longer, and there is nowhere to say so.
    async fn forget_attempt(&self, attempt: &Attempt) {
        let after = After {
            now: self.environment.clock().now(),
            via: None,
            handed_over: HandedOver::Perhaps,
            mail_until: None,
        };
        let status = Tried::Final(RequestStatus::SERVICE_UNAVAILABLE);
        let outbox = &self.shared.outbox;
        let ids = attempt.entries().iter().map(|entry| entry.id.clone());
        let commit = outbox.commit(ids.collect());
        let mut batch = Batch::new();
        for entry in attempt.entries() {
            outbox.finish(&entry.id, &status, after);
            batch = entry.delete(entry.if_unchanged(batch));
        }
        match self.environment.state().commit(batch).await {
            Ok(committed) => commit.made(committed.version),
            Err(error) => tracing::warn!(event = "queue-unwritable", "{error}"),
        }
    }

    /// What cannot be looked at is tried again, and not at once.
    fn put_off(&self, attempt: Attempt, error: &Error) {
        let first = attempt.entries().first();
        let uid = first.map_or("", |it| it.uid.as_str());
        tracing::warn!(event = "queue-unreadable", uid, "not tried: {error}");
        let now = self.environment.clock().now();
        attempt.put_off(now.saturating_add(AGAIN).unwrap_or(Timestamp::MAX));
    }
}

pub(super) fn log(entry: &Entry, outcome: &Outcome, fate: &Fate) {
    let Entry {
        id,
        originator,
        recipient,
        uid,
        method,
        ..
    } = entry;
    let why = outcome.description.as_deref().unwrap_or_default();
    let via = outcome.via.map(Via::as_str);
    let message_id = outcome.message_id.as_deref();
    match fate {
        Fate::Ended(status) if !status.is_failure() => tracing::info!(
            event = "sent", %id, %originator, %recipient, %uid, method, via, message_id, status = %status.code(), "{status}"
        ),
        Fate::Ended(status) => tracing::warn!(
            event = "not-sent", %id, %originator, %recipient, %uid, method, via, message_id, status = %status.code(),
            "given up: {status} {why}"
        ),
        Fate::Replaced(_) => tracing::info!(
            event = "replaced", %id, %originator, %recipient, %uid, method, via, message_id,
            status = %outcome.status.code(), "not delivered, and a newer message says all of it: {} {why}", outcome.status
        ),
        Fate::Waits(later) => tracing::info!(
            event = "sent-later", %id, %originator, %recipient, %uid, method, via, message_id, next = %later.next,
            status = %outcome.status.code(), "not delivered yet, it is tried again: {} {why}", outcome.status
        ),
    }
}
