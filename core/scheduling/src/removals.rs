//! How many meetings people have removed lately, so that a program that empties a calendar one by one is noticed like one that
//! empties it at once.

use crate::keys;
use convoke_types::CalendarUser;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What is this long ago is not lately: no person removes fifty meetings in that time by hand.
const LATELY: SignedDuration = SignedDuration::from_mins(1);
/// Calendars remembered at once.
const MOST_REMEMBERED: usize = 10_000;

/// When whom that concerns was told that a meeting was removed, by calendar. Cheap to clone; clones are the same.
///
/// It is in memory only: after a restart it is counted anew.
#[derive(Clone, Default)]
pub(crate) struct Removals(Arc<Mutex<HashMap<Vec<u8>, Vec<Timestamp>>>>);

impl Removals {
    /// Others were told of a removal.
    pub(crate) fn note(&self, user: &CalendarUser, now: Timestamp) {
        let mut removals = self.lock();
        if removals.len() >= MOST_REMEMBERED {
            removals.retain(|_, told| told.iter().any(|at| is_lately(*at, now)));
        }
        if removals.len() < MOST_REMEMBERED {
            let told = removals.entry(keys::user(user)).or_default();
            told.retain(|at| is_lately(*at, now));
            told.push(now);
        }
    }

    /// Of how many removals others were told lately.
    pub(crate) fn lately(&self, user: &CalendarUser, now: Timestamp) -> usize {
        let removals = self.lock();
        let told = removals.get(&keys::user(user)).into_iter().flatten();
        told.filter(|at| is_lately(**at, now)).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Vec<Timestamp>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that was set back holds nothing up.
fn is_lately(at: Timestamp, now: Timestamp) -> bool {
    (SignedDuration::ZERO..LATELY).contains(&now.duration_since(at))
}
