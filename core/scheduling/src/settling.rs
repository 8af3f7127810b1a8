//! An object must be quiet before its changes are told: programs save several times while somebody edits.

use crate::keys;
use convoke_types::{CalendarUser, Uid};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Since when each object that is to be told has been as it is. Cheap to clone; clones are the same.
///
/// It is in memory only: after a restart an object has to be quiet anew.
#[derive(Clone, Default)]
pub(crate) struct Settling(Arc<Mutex<HashMap<Vec<u8>, Quiet>>>);

struct Quiet {
    version: String,
    since: Timestamp,
}

impl Settling {
    /// When an object that is in this version now has been quiet for long enough.
    pub(crate) fn settles(
        &self,
        (user, uid): (&CalendarUser, &Uid),
        version: &str,
        now: Timestamp,
        settle: Duration,
    ) -> Timestamp {
        let mut quiet = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Quiet {
            version: version.to_owned(),
            since: now,
        };
        let known = quiet.entry(keys::ledger(user, uid)).or_insert_with(new);
        // A clock that was set back does not hold anything up.
        if known.version != version || known.since > now {
            *known = new();
        }
        let settle = SignedDuration::try_from(settle).unwrap_or(SignedDuration::MAX);
        known.since.saturating_add(settle).unwrap_or(Timestamp::MAX)
    }

    /// An object agrees, or was told.
    pub(crate) fn forget(&self, user: &CalendarUser, uid: &Uid) {
        let mut quiet = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        quiet.remove(&keys::ledger(user, uid));
    }
}
