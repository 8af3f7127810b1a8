//! What a host must not forget, in memory.

use crate::{host::Env, story::Part, world::Failure};
use convoke_scheduling::State;
use convoke_types::{Batch, Committed, Error, KeyRange, StateEntry, StateWrite};
use std::{collections::BTreeMap, sync::Mutex};

#[derive(Default)]
pub(crate) struct MemoryState(Mutex<(u64, BTreeMap<Vec<u8>, StateEntry>)>);

impl MemoryState {
    /// Whether a key holds something that goes by itself.
    pub(crate) fn expires(&self, key: &str) -> bool {
        let entry = self.get(key.as_bytes());
        entry.is_some_and(|it| it.expires_in.is_some())
    }

    /// What the keys that begin like this hold.
    pub(crate) fn under(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let range = KeyRange::prefix(prefix);
        let entries = &self.0.lock().unwrap().1;
        let found = entries.values().filter(|entry| range.contains(&entry.key));
        let key = |entry: &StateEntry| String::from_utf8_lossy(&entry.key).into_owned();
        found
            .map(|entry| (key(entry), entry.value.clone()))
            .collect()
    }

    /// Everything is lost.
    pub(crate) fn lose(&self) {
        self.0.lock().unwrap().1.clear();
    }

    fn get(&self, key: &[u8]) -> Option<StateEntry> {
        self.0.lock().unwrap().1.get(key).cloned()
    }

    fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        let (version, entries) = &mut *self.0.lock().unwrap();
        for condition in &batch.conditions {
            condition.check(entries.get(condition.key()).map(|it| it.version))?;
        }
        *version += 1;
        for write in batch.writes {
            match write {
                StateWrite::Put {
                    key,
                    value,
                    expires_in,
                } => {
                    let mut entry = StateEntry::new(key.clone(), value, *version);
                    entry.expires_in = expires_in;
                    entries.insert(key, entry);
                }
                StateWrite::Delete { key } => drop(entries.remove(&key)),
                _ => return Err(Error::unsupported("no such write")),
            }
        }
        Ok(Committed::new(*version))
    }
}

impl State for Env {
    async fn get(&self, key: &[u8]) -> Result<Option<StateEntry>, Error> {
        self.world.operation(self.host).await;
        match self.world.fails(self.host, Part::State) {
            Some(_) => Err(Failure::Before.error()),
            None => Ok(self.state().get(key)),
        }
    }

    async fn scan(&self, range: &KeyRange, limit: u32) -> Result<Vec<StateEntry>, Error> {
        self.world.operation(self.host).await;
        if self.world.fails(self.host, Part::State).is_some() {
            return Err(Failure::Before.error());
        }
        let entries = &self.state().0.lock().unwrap().1;
        let found = entries.values().filter(|entry| range.contains(&entry.key));
        Ok(found.take(limit as usize).cloned().collect())
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        self.world.operation(self.host).await;
        let done = match self.world.fails(self.host, Part::State) {
            Some(failure @ (Failure::Before | Failure::Conflict)) => Err(failure.error()),
            Some(Failure::After) => {
                let _ = self.state().commit(batch);
                Err(Failure::After.error())
            }
            None => self.state().commit(batch),
        };
        self.world.operation(self.host).await;
        done
    }
}

impl Env {
    fn state(&self) -> &MemoryState {
        &self.world.hosts[self.host].state
    }
}
