//! What an administrator may do with what waits: look, try at once, drop. Whichever host of several is asked, it is about what
//! waits in all of them.

use crate::{
    environment::{Clock, Environment, State},
    keys,
    outbox::{Entry, EntryId, Outbox, call, entries, no_entry},
    scheduler::Scheduler,
};
use convoke_types::{Batch, Error};

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

    /// Takes something out that waits: nobody will be told. If another host holds it, that one finds it gone before it tries it.
    pub async fn drop_entry(&self, id: &EntryId) -> Result<Entry, Error> {
        let outbox = &self.shared.outbox;
        let entry = self.entry(id).await?;
        let mut batch = entry.delete(entry.if_unchanged(Batch::new()));
        if self.is_last(&entry).await? {
            batch = batch.delete(keys::message(&entry.message));
        }
        let commit = outbox.commit(Vec::new());
        self.environment.state().commit(batch).await?;
        outbox.lock().supersede(id);
        commit.settled();
        let decided = self.decision("queue-entry-dropped", &entry.uid);
        let decided = decided.of(&entry.originator);
        self.note_decision(&decided.to(&entry.method, &entry.recipient));
        tracing::info!(
            event = "queue-entry-dropped", %id, originator = %entry.originator,
            recipient = %entry.recipient, uid = %entry.uid, method = entry.method, "dropped by the administrator"
        );
        Ok(entry)
    }

    /// Whether nobody else needs the message of an entry.
    async fn is_last(&self, entry: &Entry) -> Result<bool, Error> {
        if self.holds_all() {
            let inner = self.shared.outbox.lock();
            let ids = std::slice::from_ref(&entry.id);
            return Ok(inner.queue.are_last(&entry.message, ids));
        }
        let waiting = self.waiting().await?;
        let mut others = waiting.iter().filter(|it| it.id != entry.id);
        Ok(others.all(|it| it.message != entry.message))
    }
}
