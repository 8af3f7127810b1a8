//! One change at a time for each object of a calendar user, within one host. Between hosts the conditions under which stores
//! and the state are written hold.

use crate::keys;
use convoke_types::{CalendarUser, Etag, ObjectSummary, Uid};
use futures::lock::{Mutex as Waiting, OwnedMutexGuard};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// From so many on, locks that nobody holds are forgotten.
const SWEEP: usize = 1_024;
/// From so many on, objects are forgotten of which the store and the ledger agree; twice as many are remembered at most.
const AGREED: usize = 4_096;

/// The locks. Cheap to clone; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Locks(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    by_key: HashMap<Vec<u8>, Weak<Waiting<()>>>,
    /// Versions of the store's that say what the ledger says, of objects whose lock nobody has taken since; the younger first.
    agreed: [HashMap<Vec<u8>, Etag>; 2],
}

impl Locks {
    /// Waits until nobody else changes this object, and keeps others out until the guard is dropped.
    pub(crate) async fn of(&self, user: &CalendarUser, uid: &Uid) -> OwnedMutexGuard<()> {
        let key = keys::ledger(user, uid);
        let guard = self.get(key.clone()).lock_owned().await;
        for agreed in &mut self.inner().agreed {
            agreed.remove(&key);
        }
        guard
    }

    /// Remembers that the ledger says what this version of the store's does, until somebody else takes the lock of the object,
    /// which the caller holds. Whoever looks at what a delivery has written need not compare it then.
    pub(crate) fn agreed(&self, key: Vec<u8>, etag: Etag) {
        let agreed = &mut self.inner().agreed;
        if agreed[0].len() >= AGREED {
            agreed[1] = std::mem::take(&mut agreed[0]);
        }
        agreed[0].insert(key, etag);
    }

    /// Whether it is certain, without a question to the state, that the ledger says what this version of the store's does.
    pub(crate) fn is_agreed(&self, user: &CalendarUser, object: &ObjectSummary) -> bool {
        let key = keys::ledger(user, &object.uid);
        let agreed = &self.inner().agreed;
        let mut known = agreed.iter().filter_map(|it| it.get(&key));
        known.next() == Some(&object.etag)
    }

    /// Waits until nobody else looks at this user's calendar.
    pub(crate) async fn of_calendar(&self, user: &CalendarUser) -> OwnedMutexGuard<()> {
        self.get(keys::user(user)).lock_owned().await
    }

    /// Waits until nobody else decides about a message that waits for this user.
    pub(crate) async fn of_inbox(&self, user: &CalendarUser) -> OwnedMutexGuard<()> {
        let mut key = keys::user(user);
        key.extend_from_slice(b"/inbox");
        self.get(key).lock_owned().await
    }

    fn get(&self, key: Vec<u8>) -> Arc<Waiting<()>> {
        let locks = &mut self.inner().by_key;
        if let Some(lock) = locks.get(&key).and_then(Weak::upgrade) {
            return lock;
        }
        if locks.len() >= SWEEP && locks.len().is_power_of_two() {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(Waiting::new(()));
        locks.insert(key, Arc::downgrade(&lock));
        lock
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
