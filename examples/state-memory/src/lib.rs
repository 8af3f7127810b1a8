//! What the host must not forget, in memory: it outlives a reload of the configuration, and is gone when the host ends.
use convoke_sdk::prelude::*;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

convoke_sdk::config! {
    /// What the administrator writes under `config`; `convoke plugin inspect` shows these lines.
    struct Config {
        /// The largest value that is kept, in bytes.
        max_bytes: usize = 10_000_000,
    }
}

/// A value, its version, and when it expires.
type Kept = (Vec<u8>, u64, Option<Instant>);

/// Outside the opened place, so that the next one finds it. Nobody waits while holding the lock.
static KEPT: Mutex<(u64, BTreeMap<Vec<u8>, Kept>)> = Mutex::new((0, BTreeMap::new()));

fn kept() -> MutexGuard<'static, (u64, BTreeMap<Vec<u8>, Kept>)> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    (kept.1).retain(|_, (_, _, until)| until.is_none_or(|until| now < until));
    kept
}

fn entry(key: &[u8], (value, version, until): &Kept) -> StateEntry {
    let mut entry = StateEntry::new(key.to_vec(), value.clone(), *version);
    entry.expires_in = until.map(|until| until.saturating_duration_since(Instant::now()));
    entry
}

/// An opened place. One is opened for each entry of the configuration, and asked from many threads at once.
struct Memory(Config);

impl State for Memory {
    type Config = Config;
    async fn open(config: Config, _host: Host) -> Result<Self> {
        Ok(Self(config))
    }

    async fn get(&self, key: &[u8], _: &Call) -> Result<Option<StateEntry>> {
        Ok(kept().1.get(key).map(|kept| entry(key, kept)))
    }

    async fn scan(&self, scan: &Scan, _: &Call) -> Result<Vec<StateEntry>> {
        let kept = kept();
        let found = kept.1.range(scan.range.start().to_vec()..);
        let found = found.take_while(|(key, _)| scan.range.contains(key));
        let found = found.take(scan.limit as usize);
        Ok(found.map(|(key, kept)| entry(key, kept)).collect())
    }

    /// All conditions first, then all writes, while nobody else has the lock.
    async fn commit(&self, batch: &Batch, _: &Call) -> Result<Committed> {
        let (versions, map) = &mut *kept();
        for condition in &batch.conditions {
            condition.check(map.get(condition.key()).map(|(_, version, _)| *version))?;
        }
        let large = |write: &StateWrite| matches!(write, StateWrite::Put { value, .. } if value.len() > self.0.max_bytes);
        if batch.writes.iter().any(large) {
            return Err(Error::denied("a value is larger than `config.max_bytes`"));
        }
        *versions += 1;
        for write in &batch.writes {
            match write {
                StateWrite::Put {
                    key,
                    value,
                    expires_in,
                    ..
                } => {
                    let until = expires_in.map(|length: Duration| Instant::now() + length);
                    map.insert(key.clone(), (value.clone(), *versions, until));
                }
                StateWrite::Delete { key, .. } => drop(map.remove(key)),
                other => return Err(Error::unsupported(format!("there is no {other:?} here"))),
            }
        }
        Ok(Committed::new(*versions))
    }
}

convoke_sdk::plugin! { name: "state-memory", state: Memory }

#[cfg(test)] // everything that the host relies on, in one line
convoke_sdk::conformance! { state: Memory, config: "" }
