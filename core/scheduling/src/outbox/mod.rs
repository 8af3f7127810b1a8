//! The outbox: what our people send waits here until it is delivered, given up, or replaced by something newer.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `entry` | one message that waits for one recipient: [`Entry`] |
//! | `queue` | in which order what waits is tried; pure |
//! | `retry` | when something is tried again |
//! | `chains` | the order of what waits in several hosts about one object |
//! | `calls` | what hosts ask of each other about what waits |
//! | `holders` | whose what waits is, where several hosts share a state: [`Membership`] |
//! | `take_over` | what a host leaves that is gone: [`TakeOver`] |
//! | `sharing` | what one host has alone becomes what several share, and back |
//! | `reserved` | what is about to be replaced does not go |
//! | `in_doubt` | what waits in memory is what was committed |
//! | `under_way` | whether what somebody was told is known yet |
//!
//! How something gets in, is tried and leaves is in [`send`](crate::send).
//!
//! On disk is what was committed to the [`State`]; [`Outbox`] is the order of it in
//! memory, made anew when a host starts. A message that was sent and not noted, as the host ended in between, is sent again
//! under the same name, and the receiver's rules of order make that harmless.

mod calls;
mod chains;
mod entry;
mod holders;
mod in_doubt;
mod queue;
mod reserved;
mod retry;
mod sharing;
mod take_over;
#[cfg(test)]
mod tests;
mod under_way;

pub(crate) use calls::call;
pub(crate) use chains::{Ahead, Turn};
pub use entry::{Entry, EntryId};
pub(crate) use entry::{Place, Tried, Waiting, no_entry};
pub use holders::{LEASE, Membership, Standing};
pub(crate) use in_doubt::{Commit, entries};
pub(crate) use queue::{After, Fate};
pub(crate) use reserved::Reserved;
pub use take_over::TakeOver;

use convoke_types::CalendarAddress;
use futures::lock::Mutex as OneAtATime;
use in_doubt::Certainty;
use jiff::Timestamp;
use queue::Queue;
use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

/// Entries of one message that go at once.
const TOGETHER: usize = 256;
/// Entries read at once when a host starts.
const PAGE: u32 = 1_000;

/// What waits to be delivered, in the order in which it is tried. Cheap to clone; clones are the same.
#[derive(Clone, Default)]
pub struct Outbox {
    inner: Arc<Mutex<Inner>>,
    /// Held by whoever reads what was committed.
    reading: Arc<OneAtATime<()>>,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) queue: Queue,
    /// The last place in the order that was given away.
    pub(crate) last: Place,
    certainty: Certainty,
    /// The host that holds what is handed in here; empty of one that is alone with its state.
    pub(crate) holder: String,
    /// Counts changes, for who waits for one.
    changes: u64,
    wakers: Vec<Waker>,
}

/// Entries of one message that are on their way. Those of which nobody said what came of them may go again when this is
/// dropped.
#[must_use]
pub struct Attempt {
    outbox: Outbox,
    pub(crate) entries: Vec<Entry>,
}

impl Attempt {
    /// The entries, all of one message.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Nothing came of it; it is tried again then.
    pub(crate) fn put_off(self, until: Timestamp) {
        let mut inner = self.outbox.lock();
        for entry in &self.entries {
            inner.queue.put_off(&entry.id, until);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut inner = self.outbox.lock();
        for entry in &self.entries {
            inner.queue.give_back(&entry.id);
        }
        inner.changed();
    }
}

impl Outbox {
    /// What goes next; nothing if nothing may go now, or if it is [in doubt](Self::is_certain) what waits.
    pub fn take(&self, now: Timestamp) -> Option<Attempt> {
        if !self.is_certain() {
            return None;
        }
        let entries = self.lock().queue.take(now, TOGETHER);
        self.attempt(entries)
    }

    /// When the next one may go that may not go now; `None` if nothing waits for a time.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        self.lock().queue.wakes_at()
    }

    /// A number that is another one after each change.
    pub fn version(&self) -> u64 {
        self.lock().changes
    }

    /// Returns once the version is not `seen` any more.
    pub async fn changed_since(&self, seen: u64) {
        poll_fn(|context| {
            let mut inner = self.lock();
            if inner.changes != seen {
                return Poll::Ready(());
            }
            if !inner.wakers.iter().any(|it| it.will_wake(context.waker())) {
                inner.wakers.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Everything that waits, the oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().queue.entries().cloned().collect()
    }

    /// How much waits for the recipients of one receiver.
    pub(crate) fn waiting_for(&self, recipient: &CalendarAddress) -> usize {
        self.lock().queue.waiting_for(recipient)
    }

    pub(crate) fn take_these(&self, ids: &[EntryId]) -> Option<Attempt> {
        let entries = self.lock().queue.take_these(ids);
        self.attempt(entries)
    }

    fn attempt(&self, entries: Vec<Entry>) -> Option<Attempt> {
        (!entries.is_empty()).then(|| Attempt {
            outbox: self.clone(),
            entries,
        })
    }

    pub(crate) fn finish(&self, id: &EntryId, tried: &Tried, after: After) -> Option<Fate> {
        let mut inner = self.lock();
        let fate = inner.finish(id, tried, after);
        inner.changed();
        fate
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves nothing half done: each method changes the queue in one step.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    pub(crate) fn changed(&mut self) {
        self.changes += 1;
        self.wakers.drain(..).for_each(Waker::wake);
    }
}
