//! Which accounts are to be looked at, and how many are at once.
//!
//! A look goes on when nobody waits for it any more: the host waits for changes in short turns, and a slow server would
//! never be seen to the end of one.

use convoke_sdk::prelude::*;
use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Accounts that are looked at at once.
pub(crate) const PARALLEL: usize = 8;

/// The accounts that are due.
#[derive(Default)]
pub(crate) struct Looks(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<UserId>,
    /// Those, and those that are being looked at.
    under_way: HashSet<UserId>,
    workers: usize,
    is_closed: bool,
}

impl Looks {
    /// These are due. How many workers are to be started for them.
    pub(crate) fn add(&self, due: impl IntoIterator<Item = UserId>) -> usize {
        let mut queue = self.lock();
        if queue.is_closed {
            return 0;
        }
        for user in due {
            if queue.under_way.insert(user.clone()) {
                queue.waiting.push_back(user);
            }
        }
        let new = (PARALLEL - queue.workers).min(queue.waiting.len());
        queue.workers += new;
        new
    }

    /// A worker takes the next one, or ends.
    pub(crate) fn next(&self) -> Option<Look<'_>> {
        let mut queue = self.lock();
        let next = queue.waiting.pop_front();
        next.map(|user| Look { user, looks: self })
    }

    /// A worker ends.
    pub(crate) fn end_worker(&self) {
        self.lock().workers -= 1;
    }

    /// Those that wait for a look, or are being looked at.
    pub(crate) fn under_way(&self) -> HashSet<UserId> {
        self.lock().under_way.clone()
    }

    /// No look begins any more.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.is_closed = true;
        queue.waiting.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look under way, until it is dropped.
pub(crate) struct Look<'a> {
    pub(crate) user: UserId,
    looks: &'a Looks,
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        self.looks.lock().under_way.remove(&self.user);
    }
}
