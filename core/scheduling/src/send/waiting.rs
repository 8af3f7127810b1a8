//! What an administrator may do with what waits: look, try at once, drop.

use crate::{
    environment::{Clock, Environment, State},
    keys,
    outbox::{Entry, EntryId, Outbox, no_entry},
    scheduler::Scheduler,
};
use convoke_types::{Batch, Error};

impl Outbox {
    /// An entry.
    pub fn get(&self, id: &EntryId) -> Result<Entry, Error> {
        let inner = self.lock();
        inner.queue.get(id).cloned().ok_or_else(|| no_entry(id))
    }
}

impl<E: Environment> Scheduler<E> {
    /// The octets of a message that waits; nothing if it was delivered meanwhile.
    pub async fn message_of(&self, entry: &Entry) -> Result<Option<Vec<u8>>, Error> {
        let key = keys::message(&entry.message);
        let found = self.environment.state().get(&key).await?;
        Ok(found.map(|found| found.value))
    }

    /// Lets what waits be tried at once, all of it or what has these names: how much.
    pub fn retry(&self, ids: Option<&[EntryId]>) -> Result<usize, Error> {
        let outbox = &self.shared.outbox;
        for id in ids.into_iter().flatten() {
            outbox.get(id)?;
        }
        let now = self.environment.clock().now();
        let mut inner = outbox.lock();
        let is_meant = |entry: &Entry| ids.is_none_or(|ids| ids.contains(&entry.id));
        let hurried = inner.queue.hurry(now, is_meant);
        inner.changed();
        Ok(hurried)
    }

    /// Takes something out that waits: nobody will be told.
    pub async fn drop_entry(&self, id: &EntryId) -> Result<Entry, Error> {
        let outbox = &self.shared.outbox;
        let entry = outbox.get(id)?;
        let mut batch = entry.if_unchanged(Batch::new());
        batch = batch.delete(keys::outbox(id.as_str()));
        if outbox
            .lock()
            .queue
            .are_last(&entry.message, std::slice::from_ref(id))
        {
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
}
