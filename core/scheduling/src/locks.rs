//! One change at a time for each object of a calendar user, within one host. Between hosts the conditions under which stores
//! and the state are written hold.

use crate::keys;
use convoke_types::{CalendarUser, Uid};
use futures::lock::{Mutex as Waiting, OwnedMutexGuard};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// From so many on, locks that nobody holds are forgotten.
const SWEEP: usize = 1_024;

/// The locks. Cheap to clone; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Locks(Arc<Mutex<ByKey>>);

type ByKey = HashMap<Vec<u8>, Weak<Waiting<()>>>;

impl Locks {
    /// Waits until nobody else changes this object, and keeps others out until the guard is dropped.
    pub(crate) async fn of(&self, user: &CalendarUser, uid: &Uid) -> OwnedMutexGuard<()> {
        self.get(keys::ledger(user, uid)).lock_owned().await
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
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
}
