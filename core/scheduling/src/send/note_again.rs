//! How a message has ended stands in its originator's object (SCHEDULE-STATUS, RFC 6638 §3.2.9), also where the calendar could
//! not be written at that moment: the entry waits for that, and is sent no more.

use crate::{
    environment::{Clock, Environment, Home, State, Stores},
    keys,
    ledger::Noted,
    outbox::{After, Attempt, Entry, Fate, Tried},
    outcome::{HandedOver, Outcome},
    scheduler::Scheduler,
    state,
    stored::ATTEMPTS,
};
use convoke_calendar::{itip, message::Message};
use convoke_types::{Batch, Error, ErrorKind, RequestStatus};
use jiff::{SignedDuration, Timestamp};

/// When it is tried first.
const SOON: SignedDuration = SignedDuration::from_mins(1);
/// For how long.
const LONGEST: SignedDuration = SignedDuration::from_hours(3 * 24);

impl<E: Environment> Scheduler<E> {
    /// An entry that has ended, as it waits to be noted.
    pub(super) fn to_be_noted(&self, entry: &Entry, status: &RequestStatus) -> Entry {
        let now = self.environment.clock().now();
        Entry {
            attempts: 0,
            fruitless: 0,
            next: now.saturating_add(SOON).unwrap_or(Timestamp::MAX),
            until: now.saturating_add(LONGEST).unwrap_or(Timestamp::MAX),
            last: Some(status.to_string()),
            ended: Some(status.to_string()),
            ..entry.clone()
        }
    }

    /// What was committed as waiting to be noted does so.
    pub(super) fn keep_to_note(&self, entries: Vec<Entry>, version: u64) {
        let mut inner = self.shared.outbox.lock();
        for entry in entries {
            inner.queue.add(Entry { version, ..entry });
        }
        inner.changed();
    }

    /// Tries to note what could not be noted before.
    pub(super) async fn note_again(&self, attempt: &Attempt, message: &Message) {
        for entry in &attempt.entries {
            let status = entry.ended_as();
            let status = status.unwrap_or(RequestStatus::SERVICE_UNAVAILABLE);
            let tried = match self.note_ended(entry, message, &status).await {
                Ok(()) => Tried::Final(status),
                Err(error) => {
                    tracing::warn!(
                        event = "delivery-not-noted", uid = %entry.uid,
                        "what became of a message could not be noted; that is tried again: {error}"
                    );
                    Tried::Later(status, None)
                }
            };
            if let Err(error) = self.finish_note(entry, &tried).await {
                tracing::warn!(event = "queue-unwritable", "{error}");
            }
        }
    }

    async fn finish_note(&self, entry: &Entry, tried: &Tried) -> Result<(), Error> {
        let outbox = &self.shared.outbox;
        let after = After {
            now: self.environment.clock().now(),
            via: entry.via,
            handed_over: HandedOver::Perhaps,
            mail_until: None,
        };
        let Some(fate) = outbox.finish(&entry.id, tried, after) else {
            return Ok(());
        };
        let unchanged = entry.if_unchanged(Batch::new());
        let (batch, ends, noted) = match fate {
            Fate::Waits(changed) => {
                let key = keys::outbox(entry.id.as_str());
                (
                    unchanged.put(key, state::write(&changed)),
                    Vec::new(),
                    Vec::new(),
                )
            }
            // What has ended is in a chain of its own, where nothing replaces it.
            Fate::Replaced(_) => return Ok(()),
            Fate::Ended(status) => {
                let orphans = self.orphans(&[entry]).await?;
                let batch = orphans.delete(entry.delete(unchanged));
                let noted = self.to_be_noted(entry, &status);
                (batch, vec![entry.id.clone()], vec![noted])
            }
        };
        let has_ended = !ends.is_empty();
        let commit = outbox.commit(ends).noting(noted);
        let commit = commit.changing(vec![entry.id.clone()]);
        let committed = self.environment.state().commit(batch).await?;
        commit.made(committed.version);
        if has_ended {
            self.tidy(std::slice::from_ref(entry)).await;
        }
        Ok(())
    }

    /// Notes how a message has ended in ledger and object, unless a later one has been tried since.
    async fn note_ended(
        &self,
        entry: &Entry,
        message: &Message,
        status: &RequestStatus,
    ) -> Result<(), Error> {
        let found = self.environment.stores().find(&entry.originator).await?;
        let Some(home) = found else { return Ok(()) };
        let uid = message.uid();
        let _one_at_a_time = self.shared.locks.of(home.user(), uid).await;
        let outcome = Outcome {
            via: entry.via,
            ..status.clone().into()
        };
        let noted = [Noted {
            recipient: entry.recipient.clone(),
            status: status.clone(),
            arrival: self.arrival(&outcome, &Fate::Ended(status.clone())),
        }];
        for _ in 0..ATTEMPTS {
            let ledger = self.ledger(home.user(), uid).await?;
            let Some(mut known) = ledger.value else {
                return Ok(());
            };
            if known.was_told_later(&entry.recipient, message) {
                return Ok(());
            }
            let told = [(entry.recipient.clone(), status.clone())];
            let note = |copy: &_| itip::note_delivery(copy, message.method(), &told);
            let written = self.write_object(&home, uid, note).await?;
            known.note(message, &noted, self.environment.clock().now());
            if let Some((before, after)) = written {
                known.agrees_if(&before, &after);
            }
            let key = keys::ledger(home.user(), uid);
            let batch = state::unchanged(Batch::new(), &key, ledger.version);
            match self.environment.state().commit(known.put(batch, key)).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done.map(drop),
            }
        }
        let text = format!("the ledger of {uid} was written by others again and again");
        Err(Error::unavailable(text))
    }
}
