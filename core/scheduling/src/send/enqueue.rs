//! From a message to entries that wait, in the commit that also moves the ledger.

use crate::{
    environment::{Acquaintance, Clock, Environment, State, Stores},
    keys,
    ledger::Ledger,
    outbox::{Ahead, Entry, EntryId, Outbox, Place, Reserved, Turn, Waiting, call},
    person::Person,
    scheduler::Scheduler,
    stored::ATTEMPTS,
};
use convoke_calendar::{
    itip::{self, Outgoing},
    message::{Message, Method},
    zone::unknown_names,
};
use convoke_types::{Batch, CalendarAddress, CalendarUser, Error, ErrorKind, Uid};
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
    /// Has that wait until it is committed.
    reserved: Vec<Reserved>,
    /// What goes before some of it, here or in other hosts, and is to wait there still.
    ahead: Vec<Entry>,
    /// That nobody else hands in anything about the same objects meanwhile.
    turns: Vec<Turn>,
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

    /// What is handed in last.
    fn last(&self) -> Option<&Entry> {
        let entries = self.waiting.iter().flat_map(|it| &it.entries);
        entries.max_by(|one, other| one.id.cmp(&other.id))
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
        let outbox = &self.shared.outbox;
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
        let Ahead { elsewhere, turn } = self.ahead_of(&outgoing).await?;
        let mut waiting = Waiting::new(&outgoing, data, now, until, || outbox.place(now));
        let holder = outbox.holder();
        let calls_off = outgoing.message.method() == Method::Cancel;
        waiting.entries.retain_mut(|entry| {
            entry.next = entry.next.max(goes_at);
            let (mut replaced, reserved) = outbox.reserve_replaced_by(entry);
            enqueued.reserved.push(reserved);
            let chain = entry.chain();
            let ahead = elsewhere.iter().rfind(|it| it.chain() == chain);
            (entry.holder).clone_from(ahead.map_or(&holder, |ahead| &ahead.holder));
            // A CANCEL that waits does so because something has left.
            let is_unheard = |it: &Entry| it.never_left() && it.method != Method::Cancel.as_str();
            let reached = ledger.and_then(|ledger| ledger.has_reached(&entry.recipient));
            entry.may_have_left =
                reached == Some(true) || replaced.iter().any(|it| !it.never_left());
            let is_needless = calls_off
                && (!replaced.is_empty() || reached == Some(false))
                && replaced.iter().all(is_unheard)
                && !outbox.has_others(entry, &replaced)
                && ahead.is_none()
                && reached != Some(true);
            if is_needless {
                enqueued.spared.push(entry.recipient.clone());
            }
            let ahead = ahead.cloned();
            let ahead = ahead.or_else(|| outbox.goes_before(entry, &replaced));
            enqueued.ahead.extend(ahead);
            enqueued.replaced.append(&mut replaced);
            !is_needless
        });
        if !waiting.entries.is_empty() {
            enqueued.waiting.push(waiting);
            enqueued.turns.extend(turn);
        }
        Ok(())
    }

    /// What waits in other hosts about the same object; what waits here is known then.
    async fn ahead_of(&self, outgoing: &Outgoing) -> Result<Ahead, Error> {
        let (outbox, state) = (&self.shared.outbox, self.environment.state());
        let (originator, uid) = (&outgoing.originator, outgoing.message.uid());
        loop {
            if !outbox.is_certain() {
                outbox.load(state).await?;
            }
            let ahead = outbox.ahead(state, originator, uid).await?;
            if outbox.is_certain() {
                return Ok(ahead);
            }
        }
    }

    /// Has a message wait that moves no ledger; once more if somebody else handed in something about the same object meanwhile.
    pub(crate) async fn enqueue_alone(
        &self,
        outgoing: &Outgoing,
        goes: Goes,
    ) -> Result<Enqueued, Error> {
        for _ in 0..ATTEMPTS {
            let mut enqueued = Enqueued::that_goes(goes);
            self.enqueue(outgoing, None, &mut enqueued).await?;
            match self.commit(Batch::new(), &mut enqueued).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done.map(|()| enqueued),
            }
        }
        Err(contended(outgoing.message.uid()))
    }

    /// Commits a batch together with what is to wait.
    pub(crate) async fn commit(&self, batch: Batch, enqueued: &mut Enqueued) -> Result<(), Error> {
        let committed = self.commit_with_entries(batch, enqueued).await;
        enqueued.reserved.clear();
        committed
    }

    async fn commit_with_entries(
        &self,
        batch: Batch,
        enqueued: &mut Enqueued,
    ) -> Result<(), Error> {
        let batch = self.with_entries(batch, enqueued).await?;
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
                // What another host has taken meanwhile is read anew.
                if !self.is_taken(enqueued).await? {
                    commit.settled();
                }
                return Err(error);
            }
            Err(error) => return Err(error),
        }
        commit.settled();
        Ok(())
    }

    /// Whether something that waits here, as far as this host knows, was taken or dropped by another one.
    async fn is_taken(&self, enqueued: &Enqueued) -> Result<bool, Error> {
        let outbox = &self.shared.outbox;
        if outbox.holder().is_empty() {
            return Ok(false);
        }
        for entry in enqueued.replaced.iter().chain(&enqueued.ahead) {
            let key = keys::outbox(entry.id.as_str());
            let there = self.environment.state().get(&key).await?;
            let is_as_read = there.is_some_and(|there| there.version == entry.version);
            if !is_as_read && outbox.holds(entry) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn with_entries(&self, mut batch: Batch, enqueued: &Enqueued) -> Result<Batch, Error> {
        for gone in &enqueued.replaced {
            batch = gone.delete(gone.if_unchanged(batch));
        }
        for ahead in &enqueued.ahead {
            batch = batch.if_version(keys::outbox(ahead.id.as_str()), ahead.version);
        }
        if let Some(last) = enqueued.last() {
            for turn in &enqueued.turns {
                batch = turn.put(batch, &last.id);
            }
        }
        let outbox = &self.shared.outbox;
        let replaced: Vec<&Entry> = enqueued.replaced.iter().collect();
        batch = self.orphans(&replaced).await?.delete(batch);
        for Waiting {
            digest,
            data,
            entries,
        } in &enqueued.waiting
        {
            batch = batch.put(keys::message(digest), data.clone());
            for entry in entries {
                batch = entry.put(batch);
                if outbox.is_of_another(entry) {
                    batch = call(batch, entry);
                }
            }
        }
        Ok(batch)
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
        let ends = itip::ends(message, now).unwrap_or(Timestamp::MAX);
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

/// Somebody else was faster again and again.
pub(super) fn contended(uid: &Uid) -> Error {
    let text = format!("others wrote {uid} again and again while it was to be sent");
    Error::unavailable(text)
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

    /// What waits here and goes right before an entry that is yet to be added; nothing for a host that is alone, which nobody takes
    /// anything from.
    fn goes_before(&self, entry: &Entry, but: &[Entry]) -> Option<Entry> {
        let inner = self.lock();
        let is_alone = inner.holder.is_empty();
        (!is_alone).then(|| inner.queue.goes_before(entry, but))?
    }

    /// Whether an entry waits here in this version, as far as this host knows.
    fn holds(&self, entry: &Entry) -> bool {
        let inner = self.lock();
        let here = inner.queue.get(&entry.id);
        here.is_some_and(|here| here.version == entry.version)
    }

    fn has_others(&self, entry: &Entry, but: &[Entry]) -> bool {
        self.lock().has_others(entry, but)
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
