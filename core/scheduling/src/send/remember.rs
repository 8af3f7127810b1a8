//! What came of a try is remembered: in the originator's object, the ledger and the outbox.

use super::attempt::log;
use crate::{
    environment::{
        Clock, Environment, Home, HomeOf, Journal, Mailing, Notice, Occasion, State, Stores,
        Transport,
    },
    keys,
    ledger::{Arrival, Noted},
    outbox::{After, Attempt, Commit, Entry, Fate, Tried},
    outcome::{HandedOver, Outcome, Retry},
    scheduler::Scheduler,
    state,
    stored::ATTEMPTS,
};
use convoke_calendar::{itip, message::Message};
use convoke_types::{Batch, CalendarAddress, Error, ErrorKind, Etag, RequestStatus};

/// What came of a try for one recipient.
struct Came<'a> {
    entry: &'a Entry,
    fate: Fate,
    noted: Noted,
    /// Why the originator hears that it was not delivered, and what makes sure of that.
    failure: Option<(String, Batch)>,
    /// As it waits to be noted, if it has ended.
    ended: Option<Entry>,
}

/// Where what came of a try is noted.
enum Place<'a, E: Environment> {
    /// There is no calendar any more. What waits is what counts; the object follows when the person is there again.
    Nowhere,
    /// In the ledger alone, or in neither: the calendar cannot be written, or asked. What has ended waits for that.
    Later(Option<&'a HomeOf<E>>),
    /// In the object, whose version before and after is this, if that changed it, and in the ledger.
    InBoth(&'a HomeOf<E>, Option<(Etag, Etag)>),
}

impl Came<'_> {
    fn notice<'a>(&'a self, message: &'a Message) -> Option<Notice<'a>> {
        let (reason, _) = self.failure.as_ref()?;
        Some(notice_of(self.entry, message, reason))
    }

    /// The entries that wait no longer.
    fn gone(&self, is_noted: bool) -> Vec<&Entry> {
        match &self.fate {
            Fate::Ended(_) if is_noted => vec![self.entry],
            Fate::Replaced(with_it) => std::iter::once(self.entry).chain(with_it).collect(),
            Fate::Ended(_) | Fate::Waits(_) => Vec::new(),
        }
    }

    /// What the outbox holds from now on.
    fn put(&self, is_noted: bool, mut batch: Batch) -> Batch {
        let Came { entry, ended, .. } = self;
        batch = entry.if_unchanged(batch);
        let key = keys::outbox(entry.id.as_str());
        match (&self.fate, ended) {
            (Fate::Waits(changed), _) => batch = batch.put(key, state::write(changed)),
            (_, Some(ended)) if !is_noted => batch = batch.put(key, state::write(ended)),
            _ => {}
        }
        if let Fate::Replaced(with_it) = &self.fate {
            batch = with_it.iter().fold(batch, |it, gone| gone.if_unchanged(it));
        }
        self.gone(is_noted)
            .into_iter()
            .fold(batch, |it, gone| gone.delete(it))
    }
}

impl<E: Environment> Scheduler<E> {
    /// Remembers what came of a try.
    pub(super) async fn remember(
        &self,
        attempt: &Attempt,
        message: &Message,
        outcomes: &[Outcome],
    ) {
        let mut came = Vec::new();
        for (entry, outcome) in attempt.entries().iter().zip(outcomes) {
            came.extend(self.came(entry, message, outcome).await);
        }
        let ends = came.iter().flat_map(|it| it.fate.ends(&it.entry.id));
        let commit = self.shared.outbox.commit(ends.cloned().collect());
        let waits = came.iter();
        let waits = waits.filter(|it| matches!(it.fate, Fate::Waits(_)));
        let commit = commit.changing(waits.map(|it| it.entry.id.clone()).collect());
        let ended = came.iter().filter_map(|it| it.ended.clone());
        let commit = commit.noting(ended.collect());
        let noted = self.note_delivery(message, &mut came, commit).await;
        for notice in came.iter().filter_map(|it| it.notice(message)) {
            self.notice_is_kept(&notice);
        }
        if let Err(error) = noted {
            tracing::warn!(
                event = "delivery-not-noted", uid = %message.uid(),
                "what became of a message could not be noted; that is tried again: {error}"
            );
        }
    }

    /// What an outcome means for an entry; `None` if that was not on its way.
    async fn came<'a>(
        &self,
        entry: &'a Entry,
        message: &Message,
        outcome: &Outcome,
    ) -> Option<Came<'a>> {
        // Nobody mails our own people.
        let is_ours = self.is_ours(&entry.recipient).await.unwrap_or(true);
        let after = After {
            now: self.environment.clock().now(),
            via: outcome.via,
            handed_over: outcome.handed_over,
            mail_until: self.mail_until(message).filter(|_| !is_ours),
        };
        let tried = tried(outcome);
        let fate = self.shared.outbox.finish(&entry.id, &tried, after)?;
        log(entry, outcome, &fate);
        self.note_decision(&self.tried(entry, outcome, &fate));
        let failure = match &fate {
            Fate::Ended(status) if status.is_failure() => {
                let said = outcome.description.clone();
                let reason = said.unwrap_or_else(|| status.text().to_owned());
                let notice = notice_of(entry, message, &reason);
                let kept = self
                    .environment
                    .journal()
                    .with_notice(&notice, Batch::new());
                Some((reason, kept))
            }
            _ => None,
        };
        let ended = match &fate {
            Fate::Ended(status) => Some(self.to_be_noted(entry, status)),
            Fate::Replaced(_) | Fate::Waits(_) => None,
        };
        let noted = Noted {
            recipient: entry.recipient.clone(),
            status: status_of(&fate),
            arrival: self.arrival(outcome, &fate),
        };
        Some(Came {
            entry,
            fate,
            noted,
            failure,
            ended,
        })
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

    /// Notes deliveries in the originator's object (SCHEDULE-STATUS, RFC 6638 §7.3) and in the ledger, in one commit with what the
    /// outbox holds from now on.
    async fn note_delivery(
        &self,
        message: &Message,
        came: &mut Vec<Came<'_>>,
        commit: Commit,
    ) -> Result<(), Error> {
        let Some(first) = came.first() else {
            commit.settled();
            return Ok(());
        };
        let home = match self
            .environment
            .stores()
            .find(&first.entry.originator)
            .await
        {
            Ok(Some(home)) => home,
            Ok(None) => {
                return self
                    .commit_what_came(message, came, Place::Nowhere, commit)
                    .await;
            }
            Err(error) => {
                self.commit_what_came(message, came, Place::Later(None), commit)
                    .await?;
                return Err(error);
            }
        };
        let uid = message.uid();
        let _one_at_a_time = self.shared.locks.of(home.user(), uid).await;
        if self.leave_out_replaced(came) {
            commit.settled();
            return Ok(());
        }
        // What comes of the newer one is what counts.
        let told = statuses(came);
        let note = |copy: &_| itip::note_delivery(copy, message.method(), &told);
        match self.write_object(&home, uid, note).await {
            Ok(written) => {
                let place = Place::InBoth(&home, written);
                self.commit_what_came(message, came, place, commit).await
            }
            Err(error) => {
                let place = Place::Later(Some(&home));
                self.commit_what_came(message, came, place, commit).await?;
                Err(error)
            }
        }
    }

    /// Commits what came of a try; once more where somebody else has written the ledger, or has taken or dropped an entry, which
    /// is left out then.
    async fn commit_what_came(
        &self,
        message: &Message,
        came: &mut Vec<Came<'_>>,
        mut place: Place<'_, E>,
        commit: Commit,
    ) -> Result<(), Error> {
        let is_noted = !matches!(place, Place::Later(_));
        for _ in 0..ATTEMPTS {
            if self.leave_out_replaced(came) {
                commit.settled();
                return Ok(());
            }
            let gone: Vec<&Entry> = came.iter().flat_map(|it| it.gone(is_noted)).collect();
            let orphans = self.orphans(&gone).await?;
            let mut batch = orphans.delete(Batch::new());
            for it in &*came {
                batch = it.put(is_noted, batch);
                let notices = it.failure.iter().flat_map(|(_, kept)| &kept.writes);
                batch.writes.extend(notices.cloned());
            }
            batch = self.with_ledger(message, came, &place, batch).await?;
            match self.environment.state().commit(batch).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    self.leave_out_taken(came).await?;
                    if came.is_empty() {
                        commit.settled();
                        return Ok(());
                    }
                    // Another host that has looked at the object meanwhile may have put back what the ledger said.
                    if let Place::InBoth(home, written) = &mut place {
                        let told = statuses(came);
                        let note = |copy: &_| itip::note_delivery(copy, message.method(), &told);
                        if let Some(again) = self.write_object(home, message.uid(), note).await? {
                            *written = Some(again);
                        }
                    }
                }
                done => {
                    let version = done?.version;
                    let gone: Vec<Entry> = gone.into_iter().cloned().collect();
                    commit.made(version);
                    if !is_noted {
                        let ended = came.iter().filter_map(|it| it.ended.clone());
                        self.keep_to_note(ended.collect(), version);
                    }
                    self.tidy(&gone).await;
                    return Ok(());
                }
            }
        }
        let text = format!(
            "the ledger of {} was written by others again and again",
            message.uid()
        );
        Err(Error::unavailable(text))
    }

    async fn with_ledger(
        &self,
        message: &Message,
        came: &[Came<'_>],
        place: &Place<'_, E>,
        batch: Batch,
    ) -> Result<Batch, Error> {
        let (home, written) = match place {
            Place::Nowhere | Place::Later(None) => return Ok(batch),
            Place::Later(Some(home)) => (*home, None),
            Place::InBoth(home, written) => (*home, written.as_ref()),
        };
        let ledger = self.ledger(home.user(), message.uid()).await?;
        let Some(mut known) = ledger.value else {
            return Ok(batch);
        };
        let noted: Vec<Noted> = came.iter().map(|it| it.noted.clone()).collect();
        known.note(message, &noted, self.environment.clock().now());
        if let Some((before, after)) = written {
            known.agrees_if(before, after);
        }
        let key = keys::ledger(home.user(), message.uid());
        let batch = state::unchanged(batch, &key, ledger.version);
        Ok(known.put(batch, key))
    }

    /// Leaves out what was to be tried again and was replaced or dropped since, so that it does not wait once more; whether
    /// nothing is left.
    fn leave_out_replaced(&self, came: &mut Vec<Came<'_>>) -> bool {
        let inner = self.shared.outbox.lock();
        came.retain(|it| {
            !matches!(it.fate, Fate::Waits(_)) || inner.queue.get(&it.entry.id).is_some()
        });
        came.is_empty()
    }

    /// Leaves out what another host has taken over, or an administrator has dropped: the others of the message are done all the
    /// same.
    async fn leave_out_taken(&self, came: &mut Vec<Came<'_>>) -> Result<(), Error> {
        let state = self.environment.state();
        let mut left = Vec::with_capacity(came.len());
        for mut it in came.drain(..) {
            if !it.entry.is_as_committed(state).await? {
                let mut inner = self.shared.outbox.lock();
                inner.supersede(&it.entry.id);
                inner.changed();
                continue;
            }
            if let Fate::Replaced(with_it) = &mut it.fate {
                let mut there = Vec::new();
                for gone in with_it.drain(..) {
                    if gone.is_as_committed(state).await? {
                        there.push(gone);
                    }
                }
                *with_it = there;
            }
            left.push(it);
        }
        *came = left;
        Ok(())
    }
}

/// What the originator's object says of each recipient from now on.
fn statuses(came: &[Came<'_>]) -> Vec<(CalendarAddress, RequestStatus)> {
    let told = came.iter();
    let told = told.filter(|it| !matches!(it.fate, Fate::Replaced(_)));
    told.map(|it| (it.noted.recipient.clone(), it.noted.status.clone()))
        .collect()
}

fn notice_of<'a>(entry: &'a Entry, message: &'a Message, reason: &'a str) -> Notice<'a> {
    Notice {
        user: &entry.originator,
        other: &entry.recipient,
        message,
        occasion: Occasion::Undeliverable(reason),
    }
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
