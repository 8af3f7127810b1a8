//! A try: what waits is delivered, here or elsewhere, and what came of it is remembered.

use super::{elsewhere::Addressee, enqueue::Enqueued};
use crate::{
    decision::Decided,
    effort::Effort,
    envelope::{Answering, Envelope, Letter, Peer, TransportFacts},
    environment::{
        Answers, Clock, Environment, Event, Home, Journal, Mailing, Notice, Occasion, Processor,
        State, Stores, Transport, Unbounded,
    },
    keys,
    ledger::{Arrival, Noted},
    outbox::{After, Attempt, Commit, Entry, EntryId, Fate, Tried},
    outcome::{HandedOver, Outcome, Retry, Via},
    scheduler::Scheduler,
    state,
    stored::ATTEMPTS,
};
use convoke_calendar::{
    itip,
    message::{Message, Provenance},
    tree::Calendar,
};
use convoke_types::{Batch, CalendarAddress, Error, ErrorKind, Proof, RequestStatus};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What became of entries, by name.
pub(crate) type Outcomes = BTreeMap<EntryId, Outcome>;

impl<E: Environment> Scheduler<E> {
    /// Tries what the outbox said goes next.
    pub async fn attempt(&self, attempt: Attempt) {
        let attempt = match attempt.that_are_held_here(self.environment.state()).await {
            Ok(attempt) => attempt,
            Err(error) => {
                return tracing::warn!(event = "queue-unreadable", "not tried: {error}");
            }
        };
        let Some(first) = attempt.entries.first() else {
            return;
        };
        let data = match self
            .environment
            .state()
            .get(&keys::message(&first.message))
            .await
        {
            Ok(Some(entry)) => entry.value,
            Ok(None) => {
                let text = "the message is not in the state any more";
                return self.give_up(&attempt, &Error::internal(text)).await;
            }
            Err(error) => {
                tracing::warn!(event = "queue-unreadable", uid = %first.uid, "not tried: {error}");
                return;
            }
        };
        let transport = TransportFacts::default();
        self.try_to_deliver(&attempt, &data, transport, &Unbounded)
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
                    .try_to_deliver(&attempt, &message.data, transport, answers)
                    .await;
                outcomes.extend(tried);
            }
        }
        outcomes
    }

    async fn try_to_deliver(
        &self,
        attempt: &Attempt,
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
            self.note_again(attempt, &message).await;
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
        self.remember(attempt, &message, &outcomes).await;
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

    /// Remembers what came of a try: in the originator's object, the ledger and the outbox.
    async fn remember(&self, attempt: &Attempt, message: &Message, outcomes: &[Outcome]) {
        let now = self.environment.clock().now();
        let mail_until = self.mail_until(message);
        let mut told = Vec::new();
        let mut statuses = Vec::new();
        let mut fates = Vec::new();
        let mut notices = Vec::new();
        for (entry, outcome) in attempt.entries.iter().zip(outcomes) {
            let tried = tried(outcome);
            // Nobody mails our own people.
            let is_ours = self.is_ours(&entry.recipient).await.unwrap_or(true);
            let after = After {
                now,
                via: outcome.via,
                handed_over: outcome.handed_over,
                mail_until: mail_until.filter(|_| !is_ours),
            };
            let Some(fate) = self.shared.outbox.finish(&entry.id, &tried, after) else {
                continue;
            };
            log(entry, outcome, &fate);
            self.note_decision(&self.tried(entry, outcome, &fate));
            if let Fate::Ended(status) = &fate
                && status.is_failure()
            {
                let said = outcome.description.clone();
                let reason = said.unwrap_or_else(|| status.text().to_owned());
                notices.push((entry, reason));
            }
            let status = status_of(&fate);
            // What comes of the newer one is what counts.
            if !matches!(fate, Fate::Replaced(_)) {
                statuses.push((entry.recipient.clone(), status.clone()));
            }
            told.push(Noted {
                recipient: entry.recipient.clone(),
                status,
                arrival: self.arrival(outcome, &fate),
            });
            fates.push((entry, fate));
        }
        let ends = fates.iter().flat_map(|(entry, fate)| fate.ends(&entry.id));
        let commit = self.shared.outbox.commit(ends.cloned().collect());
        let waits = fates.iter();
        let waits = waits.filter(|(_, fate)| matches!(fate, Fate::Waits(_)));
        let commit = commit.changing(waits.map(|(entry, _)| entry.id.clone()).collect());
        let notices = notices.iter().map(|(entry, reason)| Notice {
            user: &entry.originator,
            other: &entry.recipient,
            message,
            occasion: Occasion::Undeliverable(reason),
        });
        let notices: Vec<Notice> = notices.collect();
        let journal = self.environment.journal();
        let mut batch = Batch::new();
        for notice in &notices {
            batch = journal.with_notice(notice, batch);
        }
        let (batch, unwritten, kept) = self.left_over(&fates, batch);
        let commit = commit.noting(kept.clone());
        let noting = Noting {
            statuses,
            batch,
            unwritten,
            kept,
            commit,
        };
        let noted = self.note_delivery(message, &attempt.entries, &told, noting);
        let noted = noted.await;
        for notice in &notices {
            self.notice_is_kept(notice);
        }
        if let Err(error) = noted {
            tracing::warn!(
                event = "delivery-not-noted", uid = %message.uid(),
                "what became of a message could not be noted; that is tried again: {error}"
            );
        }
    }

    /// What the outbox holds after a try; what it holds if that cannot be noted in the object; and what is to be noted there.
    fn left_over(&self, fates: &[(&Entry, Fate)], mut batch: Batch) -> (Batch, Batch, Vec<Entry>) {
        let mut unwritten = batch.clone();
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for (entry, fate) in fates {
            batch = entry.if_unchanged(batch);
            unwritten = entry.if_unchanged(unwritten);
            let key = keys::outbox(entry.id.as_str());
            match fate {
                Fate::Ended(status) => {
                    let noted = self.to_be_noted(entry, status);
                    unwritten = unwritten.put(key, state::write(&noted));
                    batch = entry.delete(batch);
                    gone.push(*entry);
                    kept.push(noted);
                }
                Fate::Replaced(with_it) => {
                    for it in with_it {
                        batch = it.if_unchanged(batch);
                        unwritten = it.if_unchanged(unwritten);
                    }
                    for it in std::iter::once(*entry).chain(with_it) {
                        batch = it.delete(batch);
                        unwritten = it.delete(unwritten);
                        gone.push(it);
                    }
                }
                Fate::Waits(changed) => {
                    unwritten = unwritten.put(key.clone(), state::write(changed));
                    batch = batch.put(key, state::write(changed));
                }
            }
        }
        for message in self.shared.outbox.orphaned(&gone) {
            batch = batch.delete(keys::message(&message));
        }
        (batch, unwritten, kept)
    }

    /// How far a try came. What others were told is remembered where mails say what changed.
    pub(super) fn arrival(&self, outcome: &Outcome, fate: &Fate) -> Arrival {
        match fate {
            Fate::Ended(status)
                if !status.is_failure()
                    && outcome.via.is_some()
                    && self.environment.transport().mails() == Mailing::On =>
            {
                Arrival::Taken
            }
            _ if outcome.handed_over == HandedOver::No => Arrival::Never,
            _ => Arrival::Perhaps,
        }
    }

    fn tried(&self, entry: &Entry, outcome: &Outcome, fate: &Fate) -> Decided {
        let event = match fate {
            Fate::Ended(status) if status.is_failure() => "not-sent",
            Fate::Ended(_) => "sent",
            Fate::Replaced(_) => "replaced",
            Fate::Waits(_) => "sent-later",
        };
        let why = outcome.description.clone().unwrap_or_default();
        let why = match fate {
            Fate::Waits(entry) => format!(
                "tried {} times, next at {}; {why}",
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

    /// Nothing can be delivered of a message that cannot be read.
    async fn give_up(&self, attempt: &Attempt, error: &Error) {
        let after = After {
            now: self.environment.clock().now(),
            via: None,
            handed_over: HandedOver::Perhaps,
            mail_until: None,
        };
        let status = Tried::Final(RequestStatus::SERVICE_UNAVAILABLE);
        let ids = attempt.entries.iter().map(|entry| entry.id.clone());
        let commit = self.shared.outbox.commit(ids.collect());
        let mut batch = Batch::new();
        for entry in &attempt.entries {
            tracing::error!(
                event = "queue-entry-broken", id = %entry.id, originator = %entry.originator,
                recipient = %entry.recipient, uid = %entry.uid, "given up: {error}"
            );
            self.shared.outbox.finish(&entry.id, &status, after);
            batch = entry.delete(entry.if_unchanged(batch));
        }
        if let Err(error) = self.commit_only((batch, commit)).await {
            tracing::warn!(event = "queue-unwritable", "{error}");
        }
    }

    /// Notes deliveries in the originator's object (SCHEDULE-STATUS, RFC 6638 §7.3) and in the ledger, and commits the
    /// batch with it.
    async fn note_delivery(
        &self,
        message: &Message,
        entries: &[Entry],
        told: &[Noted],
        noting: Noting,
    ) -> Result<(), Error> {
        let Some(entry) = entries.first() else {
            return Ok(());
        };
        let home = match self.environment.stores().find(&entry.originator).await {
            Ok(Some(home)) => home,
            // What waits is what counts; the object follows when the person is there again.
            Ok(None) => {
                let noted = self.commit_only((noting.batch, noting.commit)).await;
                return noted.map(drop);
            }
            Err(error) => {
                let version = self.commit_only((noting.unwritten, noting.commit)).await?;
                self.keep_to_note(noting.kept, version);
                return Err(error);
            }
        };
        let uid = message.uid();
        let _one_at_a_time = self.shared.locks.of(home.user(), uid).await;
        let now = self.environment.clock().now();
        let Noting {
            statuses,
            batch,
            unwritten,
            kept,
            commit,
        } = noting;
        let written = self
            .write_object(&home, uid, |copy| {
                itip::note_delivery(copy, message.method(), &statuses)
            })
            .await;
        let (batch, kept) = match &written {
            Ok(_) => (batch, Vec::new()),
            Err(_) => (unwritten, kept),
        };
        for _ in 0..ATTEMPTS {
            let mut ledger = self.ledger(home.user(), uid).await?;
            let batch = match &mut ledger.value {
                Some(entry) => {
                    entry.note(message, told, now);
                    if let Ok(Some((before, after))) = &written {
                        entry.agrees_if(before, after);
                    }
                    let key = keys::ledger(home.user(), uid);
                    entry.put(state::unchanged(batch.clone(), &key, ledger.version), key)
                }
                None => batch.clone(),
            };
            match self.environment.state().commit(batch).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    for entry in entries {
                        entry.is_unchanged(self.environment.state()).await?;
                    }
                }
                done => {
                    let version = done?.version;
                    commit.made(version);
                    self.keep_to_note(kept, version);
                    return written.map(drop);
                }
            }
        }
        let text = format!("the ledger of {uid} was written by others again and again");
        Err(Error::unavailable(text))
    }

    /// The version of what it put.
    async fn commit_only(&self, (batch, commit): (Batch, Commit)) -> Result<u64, Error> {
        let committed = self.environment.state().commit(batch).await?;
        commit.made(committed.version);
        Ok(committed.version)
    }
}

/// What came of a try, as it is committed.
struct Noting {
    /// What the originator's object says of whom.
    statuses: Vec<(CalendarAddress, RequestStatus)>,
    batch: Batch,
    /// The same, where the originator's calendar cannot be written.
    unwritten: Batch,
    /// What waits then.
    kept: Vec<Entry>,
    commit: Commit,
}

/// What an outcome means for the entry.
fn tried(outcome: &Outcome) -> Tried {
    let status = outcome.status.clone();
    match outcome.retry {
        Retry::No | Retry::ByMail => Tried::Final(status),
        Retry::Recipient(after) => Tried::Later(status, after),
        Retry::Receiver(after) => Tried::Down(status, after),
    }
}

/// What the originator's object says of a recipient: RFC 6638 §3.2.9.
fn status_of(fate: &Fate) -> RequestStatus {
    match fate {
        Fate::Ended(status) => status.clone(),
        Fate::Replaced(_) | Fate::Waits(_) => RequestStatus::PENDING,
    }
}

fn log(entry: &Entry, outcome: &Outcome, fate: &Fate) {
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
