//! What strangers have caused to be sent lately, so that they do not cause too much.

use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// How long after a message about an object the next one may go to the same address.
const BETWEEN: SignedDuration = SignedDuration::from_secs(1);
/// Messages that wait for one domain, from which on strangers cause no more.
pub(crate) const TO_A_DOMAIN: usize = 1_000;
/// Messages remembered at once.
const MOST_REMEMBERED: usize = 10_000;

/// What strangers have caused lately. Cheap to clone; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Echoes(Arc<Mutex<HashMap<Key, Timestamp>>>);

/// Method, UID, recipient.
pub(crate) type Key = (&'static str, String, String);

/// Why a message does not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Lately,
    Crowded,
}

impl Held {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Lately => "one about this object went to this address a moment ago",
            Self::Crowded => "many are on their way to this domain",
        }
    }
}

/// What becomes of a message so soon after another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// It waits: it says what the one before did not.
    Waits,
    /// It does not go: the one before has asked the same.
    Ends,
}

impl Echoes {
    /// From when on a message may go: at once, or if it can wait, as long after the one before it as must be between them. One
    /// that waits for that already goes then, or what takes its place.
    pub(crate) fn admit(&self, key: Key, haste: Haste, now: Timestamp) -> Result<Timestamp, Held> {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back holds nobody up.
        let is_recent = |at: Timestamp| now.duration_since(at).abs() < BETWEEN;
        if let Some(last) = lately.get_mut(&key).filter(|at| is_recent(**at)) {
            if haste == Haste::Ends {
                return Err(Held::Lately);
            }
            if *last <= now {
                *last = last.saturating_add(BETWEEN).unwrap_or(now);
            }
            return Ok(*last);
        }
        if lately.len() >= MOST_REMEMBERED {
            lately.retain(|_, at| is_recent(*at));
        }
        if lately.len() >= MOST_REMEMBERED {
            return Err(Held::Crowded);
        }
        lately.insert(key, now);
        Ok(now)
    }
}
