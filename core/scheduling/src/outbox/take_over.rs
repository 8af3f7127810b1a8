//! What is taken over of a host that has no lease any more: all that waits about an object at once.
//!
//! Two hosts that look at the same time would else share what waits for one guest, and neither would know what goes first. So what
//! waits about an object is taken in one commit: under the condition that each of it is as it was read, that its host has no lease
//! still, and that nobody hands in anything about the object meanwhile ([`Turn`](super::Turn)).
//!
//! It is done in steps, so that whoever takes over very much can renew its own lease in between.

use super::{Entry, Outbox};
use crate::{environment::State, keys};
use convoke_types::{Batch, CalendarAddress, Error, ErrorKind, KeyRange, Uid};
use std::collections::{BTreeMap, BTreeSet};

/// Entries that a step looks at, and the others about the same objects.
const A_STEP: u32 = 100;
/// How often it is tried to take over what is about one object, where others write it meanwhile. What is left is found by the next look.
const TRIES: usize = 8;

/// A look through all that waits, for what no living host holds.
#[derive(Debug)]
pub struct TakeOver {
    /// What is to be looked at still.
    rest: KeyRange,
    taken: usize,
    is_over: bool,
}

impl Default for TakeOver {
    fn default() -> Self {
        Self {
            rest: KeyRange::prefix(keys::OUTBOX),
            taken: 0,
            is_over: false,
        }
    }
}

impl TakeOver {
    /// How much was taken over.
    pub const fn taken(&self) -> usize {
        self.taken
    }

    /// Whether all was looked at.
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Looks at some more, and takes over into the outbox what is held by none of the `living`, nor by this host.
    pub async fn step(
        &mut self,
        outbox: &Outbox,
        state: &impl State,
        living: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let page = state.scan(&self.rest, A_STEP).await?;
        let Some(last) = page.last() else {
            self.is_over = true;
            return Ok(());
        };
        let rest = self.rest.after(&last.key);
        let mut objects = BTreeMap::new();
        for found in &page {
            // What this version cannot read is left to one that can.
            let Ok(entry) = Entry::read(found) else {
                continue;
            };
            if outbox.is_left(&entry, living) {
                let about = keys::waits_about(&entry.originator, &entry.uid);
                objects.insert(about.start().to_vec(), (entry.originator, entry.uid));
            }
        }
        for (originator, uid) in objects.values() {
            self.taken += outbox.take_object(state, living, originator, uid).await?;
        }
        self.rest = rest;
        Ok(())
    }
}

impl Outbox {
    /// Whether an entry is of a host that is gone.
    fn is_left(&self, entry: &Entry, living: &BTreeSet<String>) -> bool {
        entry.holder != self.holder() && !living.contains(&entry.holder)
    }

    /// Takes over what is about an object: how much it was.
    async fn take_object(
        &self,
        state: &impl State,
        living: &BTreeSet<String>,
        originator: &CalendarAddress,
        uid: &Uid,
    ) -> Result<usize, Error> {
        for _ in 0..TRIES {
            match self.try_to_take(state, living, originator, uid).await {
                // Some of it is done meanwhile, or taken by somebody else, or its host is back, or more of it was handed in.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done,
            }
        }
        Ok(0)
    }

    async fn try_to_take(
        &self,
        state: &impl State,
        living: &BTreeSet<String>,
        originator: &CalendarAddress,
        uid: &Uid,
    ) -> Result<usize, Error> {
        let turn = self.turn(state, originator, uid).await?;
        let mut left = Vec::new();
        let all = self.about(state, originator, uid).await?;
        for id in &all {
            if let Some(entry) = Entry::committed(state, id).await?
                && self.is_left(&entry, living)
            {
                left.push(entry);
            }
        }
        let Some(last) = all.last() else {
            return Ok(0);
        };
        if left.is_empty() {
            return Ok(0);
        }
        self.take_all(state, &left, turn.put(Batch::new(), last))
            .await
    }

    /// Takes over what is left, under conditions.
    async fn take_all(
        &self,
        state: &impl State,
        left: &[Entry],
        mut batch: Batch,
    ) -> Result<usize, Error> {
        let holder = self.holder();
        let gone: BTreeSet<&str> = left.iter().map(|it| it.holder.as_str()).collect();
        for host in gone {
            batch = batch.if_absent(keys::host(host));
        }
        let mut taken = Vec::new();
        for entry in left {
            batch = entry.goes_to(&holder, batch);
            taken.push(Entry {
                holder: holder.clone(),
                ..entry.clone()
            });
        }
        let commit = self.commit(Vec::new());
        match state.commit(batch).await {
            Ok(committed) => {
                self.add_taken(taken, committed.version);
                commit.settled();
                Ok(left.len())
            }
            Err(error) => {
                if error.kind() == ErrorKind::Conflict {
                    commit.settled();
                }
                Err(error)
            }
        }
    }

    /// What was committed waits here from now on. Whoever had it before may have sent it.
    pub(crate) fn add_taken(&self, taken: Vec<Entry>, version: u64) {
        let mut inner = self.lock();
        for entry in taken {
            // What is handed in from now on comes after it, whatever the clocks say.
            inner.last = inner.last.max(entry.id.place());
            inner.queue.is_in_version(&entry.id, version);
            inner.queue.add(Entry {
                version,
                may_have_left: true,
                ..entry
            });
        }
        inner.changed();
    }
}
