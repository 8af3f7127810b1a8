//! Write-behind in front of the state: writes that nobody waits for.
//!
//! What spares work but is not needed (answers to messages that may come again, what receivers take) is put here and written
//! by a task, many at once. The state commits them together with what others wait for at that moment, so under load they
//! cost no sync of their own, and never one in the path of an answer. A host that is killed loses what was put here in its
//! last moments; whoever puts something here says why that is harmless. One that ends writes what is left.
//!
//! It is bounded: while the state cannot be written and it is full, what is put is dropped, and what is to be removed stays
//! until it expires.

use convoke_plugin_host::StateHandle;
use convoke_types::{Batch, Error};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// Bytes that may wait, about.
const MOST: usize = 16 << 20;
/// Bytes that are written at once, about: a transaction is not to keep others waiting.
const TOGETHER: usize = 256 << 10;
/// Writes that are made at once: each takes pages of its own, however short it is.
const MANY: usize = 400;
/// What a write takes beside its key and its value, about.
const BESIDE: usize = 128;

/// Writes to the state that nobody waits for.
#[derive(Default)]
pub struct WriteBehind {
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Default)]
struct Waiting {
    /// Each with its place in `order`.
    writes: HashMap<Vec<u8>, (u64, Write)>,
    /// The keys, as they were put.
    order: BTreeMap<u64, Vec<u8>>,
    next: u64,
    bytes: usize,
}

/// What becomes of a key.
enum Write {
    Put { value: Vec<u8>, until: Instant },
    Delete,
}

impl Write {
    fn size(&self, key: &[u8]) -> usize {
        let value = match self {
            Self::Put { value, .. } => value.len(),
            Self::Delete => 0,
        };
        BESIDE + key.len() + value
    }
}

impl WriteBehind {
    /// Has a key hold a value for so long.
    pub(crate) fn put(&self, key: Vec<u8>, value: Vec<u8>, expires_in: Duration) {
        let until = Instant::now() + expires_in.min(LONGEST);
        self.add(key, Write::Put { value, until });
    }

    /// Has a key hold nothing.
    pub(crate) fn delete(&self, key: Vec<u8>) {
        self.add(key, Write::Delete);
    }

    /// Has a key not be given this value any more, if that waits yet.
    #[cfg(feature = "caldav")]
    pub(crate) fn withdraw(&self, key: &[u8], value: &[u8]) {
        let mut waiting = self.lock();
        let there = waiting.writes.get(key);
        if there.is_some_and(|(_, it)| matches!(it, Write::Put { value: it, .. } if it == value)) {
            waiting.remove(key);
        }
    }

    fn add(&self, key: Vec<u8>, write: Write) {
        self.lock().add(key, write);
        self.more.notify_one();
    }

    /// Returns once there is something to write.
    pub(crate) async fn some(&self) {
        while self.lock().writes.is_empty() {
            self.more.notified().await;
        }
    }

    /// Writes what has waited longest, as much as may be written at once; whether more waits. On an error it waits on.
    pub(crate) async fn write_some(&self, state: &StateHandle) -> Result<bool, Error> {
        let some = self.lock().take(TOGETHER);
        if some.is_empty() {
            return Ok(false);
        }
        if let Err(error) = state.commit(&batch(&some, Instant::now())).await {
            self.lock().give_back(some);
            return Err(error);
        }
        Ok(!self.lock().writes.is_empty())
    }

    /// Writes all that waits; on an error it waits on.
    pub(crate) async fn write_all(&self, state: &StateHandle) -> Result<(), Error> {
        while self.write_some(state).await? {}
        Ok(())
    }

    /// All that waits, as if it were written; of what is removed no value.
    #[cfg(test)]
    pub(crate) fn take_all(&self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut waiting = self.lock();
        let mut all = Vec::new();
        while !waiting.writes.is_empty() {
            all.extend(waiting.take(usize::MAX));
        }
        let value = |write| match write {
            Write::Put { value, .. } => Some(value),
            Write::Delete => None,
        };
        all.into_iter()
            .map(|(key, write)| (key, value(write)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Each change is one step.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing that is written behind is of use for longer.
const LONGEST: Duration = Duration::from_secs(400 * 24 * 3600);

fn batch(some: &[(Vec<u8>, Write)], now: Instant) -> Batch {
    let mut batch = Batch::new();
    for (key, write) in some {
        batch = match write {
            // What has expired meanwhile takes the place of what was there before, for a moment.
            Write::Put { value, until } => batch.put_for(
                key.as_slice(),
                value.as_slice(),
                until.saturating_duration_since(now),
            ),
            Write::Delete => batch.delete(key.as_slice()),
        };
    }
    batch
}

impl Waiting {
    /// The later of two writes of a key counts.
    fn add(&mut self, key: Vec<u8>, write: Write) {
        self.remove(&key);
        let size = write.size(&key);
        if self.bytes + size <= MOST {
            self.bytes += size;
            self.order.insert(self.next, key.clone());
            self.writes.insert(key, (self.next, write));
            self.next += 1;
        }
    }

    fn remove(&mut self, key: &[u8]) -> Option<Write> {
        let (place, write) = self.writes.remove(key)?;
        self.order.remove(&place);
        self.bytes -= write.size(key);
        Some(write)
    }

    /// The oldest, so many bytes of them, about, and something if there is anything.
    fn take(&mut self, most: usize) -> Vec<(Vec<u8>, Write)> {
        let (mut some, mut bytes) = (Vec::new(), 0);
        while bytes < most
            && some.len() < MANY
            && let Some((_, key)) = self.order.pop_first()
            && let Some(write) = self.remove(&key)
        {
            bytes += write.size(&key);
            some.push((key, write));
        }
        some
    }

    /// What was not written waits on, unless something later does.
    fn give_back(&mut self, some: Vec<(Vec<u8>, Write)>) {
        for (key, write) in some {
            if !self.writes.contains_key(&key) {
                self.add(key, write);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(value: &str) -> Write {
        Write::Put {
            value: value.into(),
            until: Instant::now() + LONGEST,
        }
    }

    fn values(some: &[(Vec<u8>, Write)]) -> Vec<(String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let value = |write: &Write| match write {
            Write::Put { value, .. } => Some(text(value)),
            Write::Delete => None,
        };
        (some.iter())
            .map(|(key, write)| (text(key), value(write)))
            .collect()
    }

    #[test]
    fn what_was_put_first_is_written_first() {
        let mut waiting = Waiting::default();
        for key in ["c", "a", "d", "b", "c"] {
            waiting.add(key.into(), put(key));
        }
        let mut written = Vec::new();
        while !waiting.writes.is_empty() {
            written.extend(values(&waiting.take(1)));
        }
        let keys: Vec<_> = written.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            ["a", "d", "b", "c"],
            "what is put anew is the youngest"
        );
        assert_eq!((waiting.bytes, waiting.order.len()), (0, 0));
    }

    #[test]
    fn the_later_of_two_writes_counts() {
        let mut waiting = Waiting::default();
        waiting.add(b"a".into(), put("1"));
        waiting.add(b"a".into(), Write::Delete);
        waiting.add(b"b".into(), Write::Delete);
        waiting.add(b"b".into(), put("2"));
        let some = waiting.take(usize::MAX);
        let expected = [
            ("a".to_owned(), None),
            ("b".to_owned(), Some("2".to_owned())),
        ];
        assert_eq!(values(&some), expected);
        assert_eq!(waiting.bytes, 0);
        // It could not be written, and meanwhile there was more.
        waiting.add(b"b".into(), put("3"));
        waiting.give_back(some);
        let some = waiting.take(usize::MAX);
        let expected = [
            ("b".to_owned(), Some("3".to_owned())),
            ("a".to_owned(), None),
        ];
        assert_eq!(values(&some), expected);
        assert_eq!(waiting.bytes, 0);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut waiting = Waiting::default();
        let large = "x".repeat(1 << 20);
        for number in 0..100 {
            waiting.add(format!("{number}").into(), put(&large));
        }
        assert!(waiting.bytes <= MOST && waiting.writes.len() == 15);
        // What is in the place of something larger fits always.
        let key = waiting.writes.keys().next().unwrap().clone();
        waiting.add(key, Write::Delete);
        assert_eq!(waiting.writes.len(), 15);
        let mut written = 0;
        while !waiting.writes.is_empty() {
            written += waiting.take(TOGETHER).len();
        }
        assert_eq!((written, waiting.bytes), (15, 0));
        // However short they are, others need not wait for all of them.
        for number in 0..=MANY {
            waiting.add(format!("{number}").into(), Write::Delete);
        }
        assert_eq!(waiting.take(TOGETHER).len(), MANY);
        assert_eq!(waiting.take(TOGETHER).len(), 1);
    }

    #[cfg(feature = "caldav")]
    #[test]
    fn what_is_withdrawn_is_what_was_put() {
        let writes = WriteBehind::default();
        writes.put(b"a".to_vec(), b"newer".to_vec(), LONGEST);
        writes.withdraw(b"a", b"older");
        assert_eq!(writes.lock().writes.len(), 1);
        writes.withdraw(b"a", b"newer");
        let waiting = writes.lock();
        assert_eq!((waiting.writes.len(), waiting.bytes), (0, 0));
    }
}
