//! Messages whose last entry goes: their octets are needed by nobody any more.
//!
//! What this host knows says whether others of a message wait here, or are done and not noted yet. Where several hosts share a
//! state, others may wait elsewhere, as each is handed on to the host that has what goes before it: so the state is asked. An entry
//! is never added to a message that waits already; but two hosts may be done with the last two entries of one at the same time. So
//! whoever leaves a message to an entry elsewhere commits only if that is there still.

use crate::{
    environment::{Environment, State},
    keys,
    outbox::{Entry, EntryId, Outbox},
    scheduler::Scheduler,
};
use convoke_types::{Batch, Error};

/// What becomes of the messages of entries that go.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    /// Nobody needs them.
    messages: Vec<String>,
    /// Entries elsewhere that need another one.
    needing: Vec<Entry>,
}

impl Orphans {
    /// Has nobody keep what nobody needs, if it is needed elsewhere where it was.
    pub(super) fn delete(&self, mut batch: Batch) -> Batch {
        for message in &self.messages {
            batch = batch.delete(keys::message(message));
        }
        for entry in &self.needing {
            batch = batch.if_version(keys::outbox(entry.id.as_str()), entry.version);
        }
        batch
    }
}

impl<E: Environment> Scheduler<E> {
    /// The messages that nobody needs when these entries are gone.
    pub(super) async fn orphans(&self, gone: &[&Entry]) -> Result<Orphans, Error> {
        let outbox = &self.shared.outbox;
        let mut orphans = Orphans::default();
        for last in outbox.last_of_their_messages(gone) {
            let elsewhere = if outbox.holder().is_empty() {
                None
            } else {
                self.needing(last, gone).await?
            };
            match elsewhere {
                Some(entry) => orphans.needing.push(entry),
                None => orphans.messages.push(last.message.clone()),
            }
        }
        Ok(orphans)
    }

    /// An entry of the same message that waits in any host.
    async fn needing(&self, last: &Entry, gone: &[&Entry]) -> Result<Option<Entry>, Error> {
        let (outbox, state) = (&self.shared.outbox, self.environment.state());
        for id in outbox.about(state, &last.originator, &last.uid).await? {
            if gone.iter().any(|it| it.id == id) {
                continue;
            }
            if let Some(other) = Entry::committed(state, &id).await?
                && other.message == last.message
            {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// After entries have gone: removes what others needed then that have gone meanwhile, too.
    pub(super) async fn tidy(&self, gone: &[Entry]) {
        let gone: Vec<&Entry> = gone.iter().collect();
        let tidied = async {
            let orphans = self.orphans(&gone).await?;
            if orphans.messages.is_empty() {
                return Ok(());
            }
            let batch = orphans.delete(Batch::new());
            self.environment.state().commit(batch).await.map(drop)
        };
        if let Err(error) = tidied.await {
            tracing::debug!("a message that nobody needs is left: {error}");
        }
    }
}

impl Outbox {
    /// One of these entries for each message that nothing else needs, as far as this host knows.
    fn last_of_their_messages<'a>(&self, gone: &[&'a Entry]) -> Vec<&'a Entry> {
        let inner = self.lock();
        let ids: Vec<EntryId> = gone.iter().map(|entry| entry.id.clone()).collect();
        let mut last = gone.to_vec();
        last.sort_unstable_by(|one, other| one.message.cmp(&other.message));
        last.dedup_by(|one, other| one.message == other.message);
        last.retain(|it| inner.are_last(&it.message, &ids));
        last
    }
}
