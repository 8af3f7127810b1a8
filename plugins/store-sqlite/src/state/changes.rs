//! Who waits for a change is told of it.

use convoke_sdk::prelude::*;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::Notify;

/// The commits of this process, and who waits for some of them. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Changes(Arc<Shared>);

#[derive(Default)]
struct Shared {
    made: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    ended: bool,
    by_number: BTreeMap<u64, (KeyRange, Arc<Notify>)>,
}

impl Changes {
    /// Tells those who wait for a key that `batch` wrote.
    pub(super) fn tell(&self, batch: &Batch) {
        if batch.writes.is_empty() {
            return;
        }
        self.0.made.fetch_add(1, Ordering::Relaxed);
        for (range, notify) in self.waiting().by_number.values() {
            if batch.writes.iter().any(|write| range.contains(key(write))) {
                notify.notify_one();
            }
        }
    }

    /// How many commits were told of that wrote.
    pub(super) fn made(&self) -> u64 {
        self.0.made.load(Ordering::Relaxed)
    }

    /// Is told of what is written in `range` from now on, until it is dropped.
    pub(super) fn told_of(&self, range: &KeyRange) -> Told {
        let notify = Arc::new(Notify::new());
        let mut waiting = self.waiting();
        let number = waiting.next;
        waiting.next += 1;
        if waiting.ended {
            notify.notify_one();
        }
        (waiting.by_number).insert(number, (range.clone(), Arc::clone(&notify)));
        Told {
            changes: self.clone(),
            number,
            notify,
        }
    }

    /// There is nothing more to wait for.
    pub(super) fn end(&self) {
        let mut waiting = self.waiting();
        waiting.ended = true;
        for (_, notify) in waiting.by_number.values() {
            notify.notify_one();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        let waiting = &self.0.waiting;
        waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key that is written; of a write that is not known, the first of all.
fn key(write: &StateWrite) -> &[u8] {
    match write {
        StateWrite::Put { key, .. } | StateWrite::Delete { key } => key,
        _ => b"",
    }
}

/// Somebody who waits.
pub(super) struct Told {
    changes: Changes,
    number: u64,
    notify: Arc<Notify>,
}

impl Told {
    /// Waits for a change since this was made.
    pub(super) async fn wait(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.changes.waiting().by_number.remove(&self.number);
    }
}
