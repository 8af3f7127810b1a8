//! From a message to entries that wait, in the commit that also moves the ledger.

use crate::{
    environment::{Acquaintance, Clock, Environment, State, Stores},
    keys,
    ledger::Ledger,
    outbox::{Entry, EntryId, Outbox, Place, Waiting, call},
    person::Person,
    scheduler::Scheduler,
};
use convoke_calendar::{
    itip::{self, Outgoing},
    message::{Message, Method},
    zone::unknown_names,
};
use convoke_types::{Batch, CalendarAddress, CalendarUser, Error, ErrorKind};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use std::collections::BTreeSet;

/// Acquaintances that one commit notes.
const ACQUAINTANCES: usize = 500;

/// Messages that are about to wait, and those that wait no longer.
#[derive(Default)]
pub(crate) struct Enqueued {
    goes: Goes,
    /// Keeps the entries for whoever waits for their first try, once they are committed.
    kept: Option<Kept>,
    pub(crate) waiting: Vec<Waiting>,
    replaced: Vec<Entry>,
    /// What waits in other hosts, and is to go before some of it.
    ahead: Vec<Entry>,
    /// Who hears nothing, as nothing ever left for them that would have to be called off.
    pub(crate) spared: Vec<CalendarAddress>,
}

/// Who makes the first try.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Goes {
    /// Whoever empties the outbox.
    #[default]
    ByItself,
    /// Whoever hands the message in, and waits for what comes of it.
    WaitedFor,
}

/// Entries that somebody waits for; they go by themselves once this is dropped.
struct Kept {
    outbox: Outbox,
    ids: Vec<EntryId>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut inner = self.outbox.lock();
        for id in &self.ids {
            inner.queue.release(id);
        }
        inner.changed();
    }
}

impl Enqueued {
    pub(crate) fn that_goes(goes: Goes) -> Self {
        Self {
            goes,
            ..Self::default()
        }
    }

    fn changes_what_waits(&self) -> bool {
        !(self.waiting.is_empty() && self.replaced.is_empty())
    }

    /// The entry of a recipient of a message of this method; the last, if there are several.
    pub(crate) fn entry_for(&self, method: Method, recipient: &CalendarAddress) -> Option<&Entry> {
        let entries = self.waiting.iter().flat_map(|it| &it.entries);
        let mut last_first = entries.rev();
        last_first
            .find(|entry| entry.method == method.as_str() && entry.recipient.same_user(recipient))
    }
}

impl<E: Environment> Scheduler<E> {
    /// Makes a message ready to leave, and decides for whom it is to wait: nobody hears that something is called off of
    /// which nothing ever left.
    pub(crate) async fn enqueue(
        &self,
        outgoing: &Outgoing,
        ledger: Option<&Ledger>,
        enqueued: &mut Enqueued,
    ) -> Result<(), Error> {
        self.enqueue_from(Timestamp::MIN, outgoing, ledger, enqueued)
            .await
    }

    /// As [`enqueue`](Self::enqueue), and it goes no sooner than at `goes_at`.
    pub(crate) async fn enqueue_from(
        &self,
        goes_at: Timestamp,
        outgoing: &Outgoing,
        ledger: Option<&Ledger>,
        enqueued: &mut Enqueued,
    ) -> Result<(), Error> {
        // What it replaces is known then.
        let outbox = &self.shared.outbox;
        if !outbox.is_certain() {
            outbox.load(self.environment.state()).await?;
        }
        let now = self.environment.clock().now();
        let own = self
            .zone_of_unknown(&outgoing.message, &outgoing.originator)
            .await;
        let message = itip::for_sending(&outgoing.message, own.as_ref());
        let data = message.calendar().write();
        let until = self.given_up_at(&message, now);
        let outgoing = Outgoing {
            message,
            originator: outgoing.originator.clone(),
            recipients: outgoing.recipients.clone(),
        };
        let state = self.environment.state();
        let (originator, uid) = (&outgoing.originator, outgoing.message.uid());
        let elsewhere = outbox.elsewhere(state, originator, uid).await?;
        let mut waiting = Waiting::new(&outgoing, data, now, until, || outbox.place(now));
        let holder = outbox.holder();
        let calls_off = outgoing.message.method() == Method::Cancel;
        waiting.entries.retain_mut(|entry| {
            entry.next = entry.next.max(goes_at);
            let mut replaced = outbox.replaced_by(entry);
            let chain = entry.chain();
            let ahead = elsewhere.iter().rfind(|it| it.chain() == chain);
            (entry.holder).clone_from(ahead.map_or(&holder, |ahead| &ahead.holder));
            entry.may_have_left = replaced.iter().any(|it| !it.never_left());
            // A CANCEL that waits does so because something has left.
            let is_unheard = |it: &Entry| it.never_left() && it.method != Method::Cancel.as_str();
            let reached = ledger.and_then(|ledger| ledger.has_reached(&entry.recipient));
            let is_needless = calls_off
                && (!replaced.is_empty() || reached == Some(false))
                && replaced.iter().all(is_unheard)
                && !outbox.has_others(entry, &replaced)
                && ahead.is_none()
                && reached != Some(true);
            if is_needless {
                enqueued.spared.push(entry.recipient.clone());
            }
            enqueued.replaced.append(&mut replaced);
            enqueued.ahead.extend(ahead.cloned());
            !is_needless
        });
        if !waiting.entries.is_empty() {
            enqueued.waiting.push(waiting);
        }
        Ok(())
    }

    /// Commits a batch together with what is to wait.
    pub(crate) async fn commit(&self, batch: Batch, enqueued: &mut Enqueued) -> Result<(), Error> {
        let batch = self.with_entries(batch, enqueued);
        if batch.writes.is_empty() {
            return Ok(());
        }
        if !enqueued.changes_what_waits() {
            return self.environment.state().commit(batch).await.map(drop);
        }
        let commit = self.shared.outbox.commit(Vec::new());
        match self.environment.state().commit(batch).await {
            Ok(committed) => {
                enqueued.kept = self.shared.outbox.accept(enqueued, committed.version);
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {
                // It may be what it replaces that another host has taken, which is read anew then.
                if enqueued.replaced.iter().all(|it| it.holder.is_empty()) {
                    commit.settled();
                }
                return Err(error);
            }
            Err(error) => return Err(error),
        }
        commit.settled();
        Ok(())
    }

    fn with_entries(&self, mut batch: Batch, enqueued: &Enqueued) -> Batch {
        for gone in &enqueued.replaced {
            batch = gone.delete(gone.if_unchanged(batch));
        }
        for ahead in &enqueued.ahead {
            batch = batch.if_version(keys::outbox(ahead.id.as_str()), ahead.version);
        }
        for message in self.shared.outbox.orphaned(&enqueued.replaced) {
            let again = enqueued.waiting.iter().any(|it| it.digest == message);
            if !again {
                batch = batch.delete(keys::message(&message));
            }
        }
        for Waiting {
            digest,
            data,
            entries,
        } in &enqueued.waiting
        {
            batch = batch.put(keys::message(digest), data.clone());
            for entry in entries {
                batch = entry.put(batch);
                if self.shared.outbox.is_of_another(entry) {
                    batch = call(batch, entry);
                }
            }
        }
        batch
    }

    /// Whether a recipient, who may not exist, knows somebody. Whoever shares a calendar user knows itself.
    pub(crate) async fn acquaintance(
        &self,
        recipient: &CalendarAddress,
        sender: &CalendarAddress,
    ) -> Result<Acquaintance, Error> {
        let key = keys::known(recipient, sender);
        let found = self.environment.state().get(&key).await?;
        Ok(match found {
            Some(_) => Acquaintance::Known,
            None if recipient.same_user(sender) => Acquaintance::Known,
            None => Acquaintance::Stranger,
        })
    }

    /// From now on a user knows all of these.
    pub(crate) async fn introduce_all(
        &self,
        user: &CalendarUser,
        others: &BTreeSet<CalendarAddress>,
    ) -> Result<(), Error> {
        let others: Vec<&CalendarAddress> = others.iter().collect();
        for some in others.chunks(ACQUAINTANCES) {
            let batch = some
                .iter()
                .fold(Batch::new(), |it, other| knows(it, user, other));
            self.environment.state().commit(batch).await?;
        }
        Ok(())
    }

    /// From now on a user knows somebody.
    pub async fn introduce(
        &self,
        user: &CalendarUser,
        sender: &CalendarAddress,
    ) -> Result<(), Error> {
        let batch = knows(Batch::new(), user, sender);
        self.environment.state().commit(batch).await.map(drop)
    }

    /// Delivery is tried until then: for as long as the administrator says, and never past the end of what it is about.
    pub(super) fn given_up_at(&self, message: &Message, now: Timestamp) -> Timestamp {
        let expire = SignedDuration::try_from(self.timing.expire).unwrap_or(SignedDuration::MAX);
        let expires = now.saturating_add(expire).unwrap_or(Timestamp::MAX);
        let ends = message.latest().unwrap_or(Timestamp::MAX);
        expires.min(ends).max(now)
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
            Ok(home) => {
                use crate::environment::Home;
                home.map(|home| Person::of(home.user()).owner().timezone)
            }
            Err(error) => {
                tracing::warn!(event = "unknown-time-zone", %originator, uid = %message.uid(), "it is sent undescribed: {error}");
                None
            }
        }
    }
}

/// Notes whom a user knows from now on: whoever it writes to.
pub(crate) fn acquaint(mut batch: Batch, user: &CalendarUser, enqueued: &Enqueued) -> Batch {
    for entry in enqueued.waiting.iter().flat_map(|it| &it.entries) {
        batch = knows(batch, user, &entry.recipient);
    }
    batch
}

pub(crate) fn knows(mut batch: Batch, user: &CalendarUser, other: &CalendarAddress) -> Batch {
    for own in std::iter::once(&user.address).chain(&user.aliases) {
        batch = batch.put(keys::known(own, other), []);
    }
    batch
}

impl Outbox {
    /// The next place in the order of all that is handed in.
    fn place(&self, now: Timestamp) -> Place {
        let mut inner = self.lock();
        inner.last = inner.last.next(now);
        inner.last
    }

    /// Whether another host holds it, as what goes before it waits there.
    fn is_of_another(&self, entry: &Entry) -> bool {
        !entry.holder.is_empty() && entry.holder != self.lock().holder
    }

    fn replaced_by(&self, entry: &Entry) -> Vec<Entry> {
        self.lock().queue.replaced_by(entry)
    }

    fn has_others(&self, entry: &Entry, but: &[Entry]) -> bool {
        self.lock().queue.has_others(entry, but)
    }

    /// The messages that nobody needs when these entries are gone.
    fn orphaned(&self, gone: &[Entry]) -> Vec<String> {
        let inner = self.lock();
        let ids: Vec<EntryId> = gone.iter().map(|entry| entry.id.clone()).collect();
        let mut messages: Vec<&String> = gone.iter().map(|entry| &entry.message).collect();
        messages.sort_unstable();
        messages.dedup();
        let orphaned = messages.into_iter();
        let orphaned = orphaned.filter(|message| inner.queue.are_last(message, &ids));
        orphaned.cloned().collect()
    }

    /// What was committed waits from now on, and what it replaces no longer.
    fn accept(&self, enqueued: &Enqueued, version: u64) -> Option<Kept> {
        let mut inner = self.lock();
        for gone in &enqueued.replaced {
            inner.supersede(&gone.id);
        }
        let entries = enqueued.waiting.iter().flat_map(|it| &it.entries);
        let holder = inner.holder.clone();
        let entries = entries.filter(|entry| entry.holder == holder);
        let entries = entries.map(|entry| Entry {
            version,
            ..entry.clone()
        });
        let kept = match enqueued.goes {
            Goes::ByItself => {
                entries.for_each(|entry| inner.queue.add(entry));
                None
            }
            Goes::WaitedFor => {
                let ids = entries.clone().map(|entry| entry.id).collect();
                entries.for_each(|entry| inner.queue.add_waited_for(entry));
                let outbox = self.clone();
                Some(Kept { outbox, ids })
            }
        };
        inner.changed();
        kept
    }
}
