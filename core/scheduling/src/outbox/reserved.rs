//! What is about to be replaced does not go while that is being committed: what is decided because it never left holds still
//! when it is replaced.

use super::{Entry, EntryId, Outbox};

/// Entries that are about to be replaced; they may go again once this is dropped, as far as they are there still.
pub(crate) struct Reserved {
    outbox: Outbox,
    ids: Vec<EntryId>,
}

impl Outbox {
    /// What waits here and is replaced by an entry that is yet to be added.
    pub(crate) fn reserve_replaced_by(&self, entry: &Entry) -> (Vec<Entry>, Reserved) {
        let mut inner = self.lock();
        let replaced = inner.queue.replaced_by(entry);
        let ids: Vec<EntryId> = replaced.iter().map(|it| it.id.clone()).collect();
        for id in &ids {
            inner.queue.reserve(id);
        }
        let outbox = self.clone();
        (replaced, Reserved { outbox, ids })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.ids.is_empty() {
            return;
        }
        let mut inner = self.outbox.lock();
        for id in &self.ids {
            inner.queue.unreserve(id);
        }
        inner.changed();
    }
}
