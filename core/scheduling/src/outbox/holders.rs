//! Whose what waits is, where several hosts share a state.
//!
//! Each entry is held by the host that handed it in, which alone tries it. A host that lives renews its [lease](Membership)
//! `host/ID`, which expires by the clock of the state. Where a host has no lease any more, another one [takes its entries
//! over](super::take_over). A host that was only paused, and wakes up, looks at each entry again before
//! it sends it, and leaves those alone that somebody else holds now; what it had sent, it notes only of entries that nobody has
//! touched since.
//!
//! A host that is alone with its state has no name here, holds all that waits, and pays nothing for any of this.

use super::{Attempt, Entry, EntryId, Outbox, PAGE};
use crate::{environment::State, keys, state};
use convoke_types::{Batch, Error, ErrorKind, KeyRange, StateEntry};
use std::{collections::BTreeSet, time::Duration};

/// How long a host is believed to live that says nothing.
pub const LEASE: Duration = Duration::from_secs(30);

/// A host among those that share a state.
#[derive(Debug)]
pub struct Membership {
    id: String,
    /// Tells this process from an earlier or another one of the same name.
    run: String,
    /// The version of the lease, if it is held.
    lease: Option<u64>,
    /// Whether it ever was.
    was_held: bool,
}

/// What became of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was held all the time.
    Held,
    /// It is held from now on: it is the first, or it had ended, and others may have taken over what was held here.
    Anew,
}

impl Membership {
    /// Of a host of this name, which it keeps over restarts, and which no other one has. `run` is another one for each process.
    pub fn new(id: impl Into<String>, run: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            run: run.into(),
            lease: None,
            was_held: false,
        }
    }

    /// The name of the host.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes the lease, or renews it. `Conflict` if another host goes by the same name.
    pub async fn renew(&mut self, state: &impl State) -> Result<Standing, Error> {
        let key = keys::host(&self.id);
        let put = |batch: Batch| batch.put_for(key.clone(), self.run.as_bytes(), LEASE);
        if let Some(version) = self.lease {
            match state
                .commit(put(Batch::new().if_version(key.clone(), version)))
                .await
            {
                Ok(committed) => {
                    self.lease = Some(committed.version);
                    return Ok(Standing::Held);
                }
                // It ended, or somebody else has it.
                Err(error) if error.kind() == ErrorKind::Conflict => self.lease = None,
                Err(error) => return Err(error),
            }
        }
        let there = state.get(&key).await?;
        let batch = match &there {
            // A run before this one, or our own whose renewal was made though its answer was lost.
            Some(entry) if !self.was_held || entry.value == self.run.as_bytes() => {
                Batch::new().if_version(key.clone(), entry.version)
            }
            // It took it while we run, which a run before could not.
            Some(_) => {
                return Err(Error::conflict(format!(
                    "another host goes by the same name, {}; its `server.state` is a copy of ours: remove the file `host-id` from one \
                     of the two, and start that host again",
                    self.id
                )));
            }
            None => Batch::new().if_absent(key.clone()),
        };
        self.lease = Some(state.commit(put(batch)).await?.version);
        self.was_held = true;
        Ok(Standing::Anew)
    }

    /// Lets go of the lease: what waits is taken over by another host at once. Whoever starts again has it, too.
    pub async fn leave(&mut self, state: &impl State) -> Result<(), Error> {
        let Some(version) = self.lease.take() else {
            return Ok(());
        };
        let key = keys::host(&self.id);
        let batch = Batch::new().if_version(key.clone(), version).delete(key);
        state.commit(batch).await.map(drop)
    }

    /// The other hosts that have a lease.
    pub async fn others(&self, state: &impl State) -> Result<BTreeSet<String>, Error> {
        let living = state.scan(&KeyRange::prefix(keys::HOSTS), PAGE).await?;
        let mut living: BTreeSet<String> = living.iter().filter_map(name).collect();
        living.remove(&self.id);
        Ok(living)
    }
}

/// The name of the host that an entry is the lease of.
fn name(lease: &StateEntry) -> Option<String> {
    let name = lease.key.strip_prefix(keys::HOSTS.as_bytes())?;
    String::from_utf8(name.to_vec()).ok()
}

impl Outbox {
    /// From now on what is handed in is held by this host, and what others hold is left to them.
    pub fn belong_to(&self, host: &str) {
        host.clone_into(&mut self.lock().holder);
    }

    /// Who holds what is handed in; empty for a host that is alone with its state.
    pub fn holder(&self) -> String {
        self.lock().holder.clone()
    }
}

impl Attempt {
    /// Looks again whose its entries are, and leaves out those that somebody else holds, or that are done.
    pub(crate) async fn leave_to_others(&mut self, state: &impl State) -> Result<(), Error> {
        let holder = self.outbox.holder();
        if holder.is_empty() {
            return Ok(());
        }
        let mut left = Vec::new();
        for entry in &mut self.entries {
            match Entry::committed(state, &entry.id).await? {
                Some(there) if there.holder == holder => entry.version = there.version,
                _ => left.push(entry.id.clone()),
            }
        }
        if !left.is_empty() {
            let mut inner = self.outbox.lock();
            for id in &left {
                inner.queue.give_back(id);
                inner.supersede(id);
            }
            inner.changed();
        }
        self.entries.retain(|entry| !left.contains(&entry.id));
        Ok(())
    }
}

impl Entry {
    /// As it was committed, if it waits still and can be read.
    pub(crate) async fn committed(state: &impl State, id: &EntryId) -> Result<Option<Self>, Error> {
        let found = state.get(&keys::outbox(id.as_str())).await?;
        Ok(found.and_then(|found| Self::read(&found).ok()))
    }

    /// As it was committed.
    pub(crate) fn read(found: &StateEntry) -> Result<Self, Error> {
        let entry: Self = state::read(found)?;
        Ok(Self {
            version: found.version,
            ..entry
        })
    }

    /// Only if nobody has changed it or taken it over. A host that is alone with its state need not ask.
    pub(crate) fn if_unchanged(&self, batch: Batch) -> Batch {
        if self.holder.is_empty() {
            return batch;
        }
        batch.if_version(keys::outbox(self.id.as_str()), self.version)
    }

    /// Whether nobody has changed it or taken it over. A host that is alone with its state need not ask.
    pub(crate) async fn is_as_committed(&self, state: &impl State) -> Result<bool, Error> {
        if self.holder.is_empty() {
            return Ok(true);
        }
        let there = state.get(&keys::outbox(self.id.as_str())).await?;
        Ok(there.is_some_and(|there| there.version == self.version))
    }

    /// Fails as a conflict if somebody has changed it or taken it over.
    pub(crate) async fn is_unchanged(&self, state: &impl State) -> Result<(), Error> {
        if self.is_as_committed(state).await? {
            return Ok(());
        }
        Err(Error::conflict(format!(
            "another host, or an administrator, has taken {} away meanwhile",
            self.id
        )))
    }
}

#[cfg(test)]
mod tests;
