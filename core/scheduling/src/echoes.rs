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

impl Echoes {
    pub(crate) fn admit(&self, key: Key, now: Timestamp) -> Result<(), Held> {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back holds nobody up.
        let is_recent =
            |at: &Timestamp| (SignedDuration::ZERO..BETWEEN).contains(&now.duration_since(*at));
        if lately.get(&key).is_some_and(is_recent) {
            return Err(Held::Lately);
        }
        if lately.len() >= MOST_REMEMBERED {
            lately.retain(|_, at| is_recent(at));
        }
        if lately.len() >= MOST_REMEMBERED {
            return Err(Held::Crowded);
        }
        lately.insert(key, now);
        Ok(())
    }
}
