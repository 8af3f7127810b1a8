//! Which calendars have been looked at, and which are being looked at now.

use crate::scheduling::OurHome;
use convoke_scheduling::Home;
use convoke_types::UserId;
use moka::sync::Cache;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// For how long it is known that there was a first look.
const KNOWN: Duration = Duration::from_secs(3600);
/// For how long a first look that failed is not tried again: whoever asks for one need not have logged in.
const FAILED: Duration = Duration::from_secs(5);
const MOST: u64 = 10_000;

/// A user of a store.
type Whose = (String, UserId);

/// Looks at calendars.
pub(crate) struct Looks {
    known: Cache<Whose, ()>,
    /// First looks that are being made, or were lately.
    first: moka::future::Cache<Whose, ()>,
    /// Whose are being looked at; whether once more, as something changed meanwhile.
    running: Arc<Mutex<HashMap<Whose, bool>>>,
}

impl Looks {
    pub(super) fn new() -> Self {
        Self {
            known: Cache::builder()
                .max_capacity(MOST)
                .time_to_live(KNOWN)
                .build(),
            first: moka::future::Cache::builder()
                .max_capacity(MOST)
                .time_to_live(FAILED)
                .build(),
            running: Arc::default(),
        }
    }

    /// Whether a calendar is known to have been looked at.
    pub(crate) fn is_known(&self, home: &OurHome) -> bool {
        self.known.contains_key(&whose(home))
    }

    /// Waits for a first look at a calendar: this one, or the one that somebody else makes or has made just now.
    pub(crate) async fn first(&self, home: &OurHome, look: impl Future<Output = ()>) {
        let look = Box::pin(look);
        self.first.get_with(whose(home), look).await;
    }

    pub(crate) fn set_known(&self, home: &OurHome) {
        self.known.insert(whose(home), ());
    }

    /// Begins to look at a calendar; `None` if somebody does, who looks once more now.
    pub(crate) fn begin(&self, home: &OurHome) -> Option<Look> {
        let whose = whose(home);
        let mut running = lock(&self.running);
        if let Some(again) = running.get_mut(&whose) {
            *again = true;
            return None;
        }
        running.insert(whose.clone(), false);
        Some(Look {
            all: self.running.clone(),
            whose,
        })
    }
}

/// A calendar that is being looked at.
pub(crate) struct Look {
    all: Arc<Mutex<HashMap<Whose, bool>>>,
    whose: Whose,
}

impl Look {
    /// This look has ended; to be made once more, if something changed meanwhile.
    pub(crate) fn again(self) -> Option<Self> {
        let is_again = lock(&self.all).get(&self.whose).copied();
        if is_again == Some(true) {
            lock(&self.all).insert(self.whose.clone(), false);
            return Some(self);
        }
        None
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        lock(&self.all).remove(&self.whose);
    }
}

fn whose(home: &OurHome) -> Whose {
    (home.store().to_owned(), home.user().id.clone())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // It changes in one step, so that a panic leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
