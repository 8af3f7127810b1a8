//! What an administrator may do with what waits: look, try at once, drop. Whichever host of several is asked, it is about what
//! waits in all of them.

use crate::{
    environment::{Clock, Environment, Home, HomeOf, State, Stores},
    keys,
    ledger::{Arrival, Ledger, Noted},
    outbox::{Entry, EntryId, Outbox, call, entries, no_entry},
    scheduler::Scheduler,
    state,
    stored::ATTEMPTS,
};
use convoke_calendar::{
    itip,
    message::Message,
    tree::{Calendar, Limits},
};
use convoke_types::{Batch, Error, ErrorKind, RequestStatus};

impl Outbox {
    fn get(&self, id: &EntryId) -> Result<Entry, Error> {
        let inner = self.lock();
        inner.queue.get(id).cloned().ok_or_else(|| no_entry(id))
    }

    /// Tries entries at once that wait here: how many there are.
    fn hurry<E: Environment>(&self, world: &E, ids: Option<&[EntryId]>) -> usize {
        let now = world.clock().now();
        let mut inner = self.lock();
        let is_meant = |entry: &Entry| ids.is_none_or(|ids| ids.contains(&entry.id));
        let hurried = inner.queue.hurry(now, is_meant);
        inner.changed();
        hurried
    }
}

impl<E: Environment> Scheduler<E> {
    /// Whether this host knows all that waits by itself.
    fn holds_all(&self) -> bool {
        self.shared.outbox.holder().is_empty()
    }

    /// Everything that waits, the oldest first.
    pub async fn waiting(&self) -> Result<Vec<Entry>, Error> {
        if self.holds_all() {
            return Ok(self.shared.outbox.entries());
        }
        let there = entries(self.environment.state()).await?;
        Ok(there.into_values().collect())
    }

    /// An entry.
    pub async fn entry(&self, id: &EntryId) -> Result<Entry, Error> {
        if self.holds_all() {
            return self.shared.outbox.get(id);
        }
        let key = keys::outbox(id.as_str());
        let found = self.environment.state().get(&key).await?;
        Entry::read(&found.ok_or_else(|| no_entry(id))?)
    }

    /// The octets of a message that waits; nothing if it was delivered meanwhile.
    pub async fn message_of(&self, entry: &Entry) -> Result<Option<Vec<u8>>, Error> {
        let key = keys::message(&entry.message);
        let found = self.environment.state().get(&key).await?;
        Ok(found.map(|found| found.value))
    }

    /// Lets what waits be tried at once, all of it or what has these names: how much.
    pub async fn retry(&self, ids: Option<&[EntryId]>) -> Result<usize, Error> {
        let outbox = &self.shared.outbox;
        if self.holds_all() {
            for id in ids.into_iter().flatten() {
                outbox.get(id)?;
            }
            return Ok(outbox.hurry(&self.environment, ids));
        }
        let mut meant = Vec::new();
        match ids {
            Some(ids) => {
                for id in ids {
                    meant.push(self.entry(id).await?);
                }
            }
            None => meant = self.waiting().await?,
        }
        outbox.hurry(&self.environment, ids);
        let holder = outbox.holder();
        let others = meant.iter().filter(|entry| entry.holder != holder);
        let calls = others.fold(Batch::new(), call);
        if !calls.writes.is_empty() {
            self.environment.state().commit(calls).await?;
        }
        Ok(meant.len())
    }

    /// Takes something out that waits: nobody will be told, and the ledger and its originator's object say so, as far as they can
    /// be written. If another host holds it, that one finds it gone before it tries it.
    pub async fn drop_entry(&self, id: &EntryId) -> Result<Entry, Error> {
        let entry = self.entry(id).await?;
        let home = match entry.ended {
            None => self.environment.stores().find(&entry.originator).await,
            Some(_) => Ok(None),
        };
        let home = home.unwrap_or_else(|error| {
            tracing::warn!(
                event = "delivery-not-noted", uid = %entry.uid, recipient = %entry.recipient,
                "that a message is dropped cannot be noted in its originator's calendar: {error}"
            );
            None
        });
        let message = self.message_of(&entry).await?;
        let message = message.and_then(|it| Calendar::parse_stored(&it, &Limits::default()).ok());
        match (home, message.and_then(|it| Message::read(it).ok())) {
            (Some(home), Some(message)) => {
                self.take_from_queue_noted(&entry, &message, &home).await?;
            }
            _ => self.take_from_queue_alone(&entry).await?,
        }
        let decided = self.decision("queue-entry-dropped", &entry.uid);
        let decided = decided.of(&entry.originator);
        self.note_decision(&decided.to(&entry.method, &entry.recipient));
        tracing::info!(
            event = "queue-entry-dropped", %id, originator = %entry.originator,
            recipient = %entry.recipient, uid = %entry.uid, method = entry.method, "dropped by the administrator"
        );
        Ok(entry)
    }

    /// Takes it out, once more where others of its message go meanwhile.
    async fn take_from_queue_alone(&self, entry: &Entry) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            match self.take_from_queue(entry, Batch::new()).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    entry.is_unchanged(self.environment.state()).await?;
                }
                done => return done,
            }
        }
        let text = format!("what waits about {} changes again and again", entry.uid);
        Err(Error::unavailable(text))
    }

    async fn take_from_queue(&self, entry: &Entry, batch: Batch) -> Result<(), Error> {
        let outbox = &self.shared.outbox;
        let orphans = self.orphans(&[entry]).await?;
        let batch = orphans.delete(entry.delete(entry.if_unchanged(batch)));
        let commit = outbox.commit(Vec::new());
        self.environment.state().commit(batch).await?;
        outbox.lock().supersede(&entry.id);
        commit.settled();
        self.tidy(std::slice::from_ref(entry)).await;
        Ok(())
    }

    /// The same, and notes that it was not delivered, unless a later message about the same was tried: whom nothing has reached need
    /// not hear of its end.
    async fn take_from_queue_noted(
        &self,
        entry: &Entry,
        message: &Message,
        home: &HomeOf<E>,
    ) -> Result<(), Error> {
        let (user, uid) = (home.user(), message.uid());
        let _one_at_a_time = self.shared.locks.of(user, uid).await;
        let status = RequestStatus::SERVICE_UNAVAILABLE;
        let noted = [Noted {
            recipient: entry.recipient.clone(),
            status: status.clone(),
            // Another host may be trying it just now.
            arrival: if entry.never_left() && self.holds_all() {
                Arrival::Never
            } else {
                Arrival::Perhaps
            },
        }];
        let told = [(entry.recipient.clone(), status)];
        let key = keys::ledger(user, uid);
        for _ in 0..ATTEMPTS {
            let ledger = self.ledger(user, uid).await?;
            let is_last = |it: &Ledger| !it.was_told_later(&entry.recipient, message);
            let Some(mut known) = ledger.value.filter(is_last) else {
                return self.take_from_queue_alone(entry).await;
            };
            known.note(message, &noted, self.environment.clock().now());
            let note = |copy: &_| itip::note_delivery(copy, message.method(), &told);
            match self.write_object(home, uid, note).await {
                Ok(Some((before, after))) => known.agrees_if(&before, &after),
                Ok(None) => {}
                Err(error) => tracing::warn!(
                    event = "delivery-not-noted", %uid,
                    "that a message was dropped could not be noted in the calendar: {error}"
                ),
            }
            let batch = state::unchanged(Batch::new(), &key, ledger.version);
            match self
                .take_from_queue(entry, known.put(batch, key.clone()))
                .await
            {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    entry.is_unchanged(self.environment.state()).await?;
                }
                done => return done,
            }
        }
        let text = format!("the ledger of {uid} was written by others again and again");
        Err(Error::unavailable(text))
    }
}
