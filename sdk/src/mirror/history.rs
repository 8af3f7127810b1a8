//! In which order UIDs changed, for whoever asks what happened since a cursor.

use crate::prelude::*;
use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
};

/// Removed UIDs that are remembered, at most.
const MOST_REMOVED: usize = 10_000;

/// The order in which UIDs last changed, since this process began to look.
pub(super) struct History {
    /// Tells this history from those of other processes.
    run: u64,
    now: u64,
    pub(super) changed: BTreeMap<u64, Uid>,
    pub(super) removed: BTreeMap<u64, Uid>,
    last: HashMap<Uid, u64>,
    /// What was removed up to here is forgotten.
    forgotten: u64,
}

impl Default for History {
    fn default() -> Self {
        Self {
            run: RandomState::new().build_hasher().finish(),
            now: 0,
            changed: BTreeMap::new(),
            removed: BTreeMap::new(),
            last: HashMap::new(),
            forgotten: 0,
        }
    }
}

impl History {
    pub(super) fn note(&mut self, uid: Uid, there: bool) {
        self.now += 1;
        if let Some(before) = self.last.insert(uid.clone(), self.now) {
            self.changed.remove(&before);
            self.removed.remove(&before);
        }
        let kind = if there {
            &mut self.changed
        } else {
            &mut self.removed
        };
        kind.insert(self.now, uid);
        if self.removed.len() > MOST_REMOVED
            && let Some((number, uid)) = self.removed.pop_first()
        {
            self.forgotten = number;
            self.last.remove(&uid);
        }
    }

    pub(super) fn cursor(&self) -> Cursor {
        Cursor(format!("{:016x}-{}", self.run, self.now))
    }

    pub(super) fn read(&self, Cursor(text): &Cursor) -> Result<u64> {
        let number = text.split_once('-').and_then(|(run, number)| {
            let ours = u64::from_str_radix(run, 16) == Ok(self.run);
            number.parse().ok().filter(|_| ours)
        });
        number
            .filter(|number| (self.forgotten..=self.now).contains(number))
            .ok_or_else(|| {
                Error::invalid(format!(
                    "`{text}` is no cursor of this run of the store; begin again without one"
                ))
            })
    }
}
