//! Answers of a host that is alone with its state: many in one entry, as thousands are written for one that is read.
//!
//! ```text
//! replayed/TIME-NUMBER    answers of the moment before
//! ```
//!
//! An entry for each would be a row and two places in indexes, of which one is anywhere, as keys are digests: more than a page of
//! the state for each delivery, and as much again when it is removed.
//!
//! None can be removed from among the others. Once as much is written as two memories hold, the oldest entry goes, and what is
//! remembered still of it is written once more: a peer that comes often pushes nobody else's answers out of the state either.

use super::{
    kept::Kept,
    key::Key,
    memory::{Memory, Remembered},
};
use crate::write_behind::WriteBehind;
use convoke_plugin_host::StateHandle;
use convoke_sdk::Scan;
use convoke_types::{Error, KeyRange, StateEntry};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

const PREFIX: &str = "replayed/";
/// Bytes of an entry, about: a transaction is not to keep others waiting.
const TOGETHER: usize = 128 << 10;
/// Entries read at once.
const PAGE: u32 = 16;

/// What is to be written, and what is.
pub(super) struct Gathered {
    inner: Mutex<Inner>,
    more: Notify,
    /// Bytes that entries may hold together, about.
    most: usize,
}

#[derive(Default)]
struct Inner {
    /// Whose answers are to be written.
    waiting: Vec<Key>,
    /// The oldest first.
    written: VecDeque<Written>,
    bytes: usize,
    /// Distinguishes entries of one moment.
    next: u32,
}

/// An entry of the state.
struct Written {
    place: Vec<u8>,
    holds: Vec<Key>,
    bytes: usize,
    /// When the last of them is of no use any more.
    until: Timestamp,
}

/// An answer as it stands there.
#[derive(Serialize, Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    /// A domain, or a network address.
    #[serde(borrow)]
    peer: Cow<'a, str>,
    /// A schedule-response document.
    #[serde(borrow)]
    answer: Cow<'a, str>,
    /// When the signature dies.
    until: Timestamp,
}

/// An entry that is being made.
#[derive(Default)]
struct Entry {
    text: Vec<u8>,
    holds: Vec<Key>,
    until: Option<Timestamp>,
}

impl Entry {
    fn add(&mut self, key: Key, remembered: &Remembered) {
        // It is XML of ours.
        let Ok(answer) = std::str::from_utf8(&remembered.answer) else {
            return;
        };
        let answer = Answer {
            key: key.to_string().into(),
            peer: remembered.peer.to_string().into(),
            answer: answer.into(),
            until: remembered.until,
        };
        self.text
            .push(if self.holds.is_empty() { b'[' } else { b',' });
        // Texts can always be written.
        self.text
            .extend(serde_json::to_vec(&answer).unwrap_or_default());
        self.holds.push(key);
        self.until = self.until.max(Some(remembered.until));
    }
}

impl Gathered {
    /// Nothing yet; of what is remembered in `memory` bytes.
    pub(super) fn new(memory: usize) -> Self {
        Self {
            inner: Mutex::default(),
            more: Notify::new(),
            most: 2 * memory,
        }
    }

    /// Has an answer written by and by that is remembered.
    pub(super) fn keep(&self, key: Key) {
        self.lock().waiting.push(key);
        self.more.notify_one();
    }

    /// Returns once there is something to write.
    pub(super) async fn some(&self) {
        while self.lock().waiting.is_empty() {
            self.more.notified().await;
        }
    }

    /// Hands over what was gathered, to be written.
    pub(super) fn write(&self, memory: &Memory, writes: &WriteBehind, now: Timestamp) {
        let mut inner = self.lock();
        inner.make_room(self.most, writes, now);
        let mut entry = Entry::default();
        for key in std::mem::take(&mut inner.waiting) {
            // What was forgotten meanwhile is not written.
            if let Some(remembered) = memory.remembered(key, now) {
                entry.add(key, &remembered);
            }
            if entry.text.len() >= TOGETHER {
                inner.put(std::mem::take(&mut entry), writes, now);
            }
        }
        inner.put(entry, writes, now);
    }

    /// Everything that is there, from before this host was started. What cannot be read is left to expire.
    pub(super) async fn all(
        &self,
        state: &StateHandle,
        now: Timestamp,
        mut each: impl FnMut(Key, Kept),
    ) -> Result<(), Error> {
        let mut range = KeyRange::prefix(PREFIX);
        let mut written = VecDeque::new();
        loop {
            let page = state.scan(&Scan::new(range.clone(), PAGE)).await?;
            let Some(last) = page.last() else {
                break;
            };
            range = range.after(&last.key);
            for entry in page {
                written.push_back(read(entry, now, &mut each));
            }
        }
        let mut inner = self.lock();
        inner.bytes += written.iter().map(|it| it.bytes).sum::<usize>();
        // What was written meanwhile is younger.
        written.append(&mut inner.written);
        inner.written = written;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // What panics in between loses answers of the last moments, as a host that is killed does.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Removes the oldest entries where they are too many, and those that have expired from what is counted.
    fn make_room(&mut self, most: usize, writes: &WriteBehind, now: Timestamp) {
        while let Some(oldest) = self.written.front()
            && (oldest.until < now || self.bytes > most)
            && let Some(oldest) = self.written.pop_front()
        {
            self.bytes -= oldest.bytes;
            if now <= oldest.until {
                writes.delete(oldest.place);
                self.waiting.extend(oldest.holds);
            }
        }
    }

    fn put(&mut self, entry: Entry, writes: &WriteBehind, now: Timestamp) {
        let Some(until) = entry.until else {
            return;
        };
        let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        let time = u64::try_from(now.as_microsecond()).unwrap_or(0);
        let place = format!("{PREFIX}{time:016x}-{:08x}", self.next).into_bytes();
        self.next = self.next.wrapping_add(1);
        let mut text = entry.text;
        text.push(b']');
        let bytes = place.len() + text.len();
        writes.put(place.clone(), text, left);
        self.bytes += bytes;
        self.written.push_back(Written {
            place,
            holds: entry.holds,
            bytes,
            until,
        });
    }
}

fn read(entry: StateEntry, now: Timestamp, each: &mut impl FnMut(Key, Kept)) -> Written {
    let answers: Vec<Answer<'_>> = serde_json::from_slice(&entry.value).unwrap_or_default();
    let mut holds = Vec::with_capacity(answers.len());
    for answer in answers {
        let left = Duration::try_from(answer.until.duration_since(now));
        if let (Some(key), Some(peer), Ok(expires_in)) = (
            Key::read(answer.key.as_bytes()),
            super::kept::peer(&answer.peer),
            left,
        ) {
            holds.push(key);
            let kept = Kept {
                peer,
                answer: answer.answer.into_owned().into(),
                expires_in,
            };
            each(key, kept);
        }
    }
    let left = entry.expires_in.unwrap_or_default();
    Written {
        bytes: entry.key.len() + entry.value.len(),
        place: entry.key,
        holds,
        until: now.saturating_add(left).unwrap_or(Timestamp::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_scheduling::Peer;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Answers of a memory of so many bytes, and what becomes of them.
    struct World {
        memory: Memory,
        gathered: Gathered,
        writes: WriteBehind,
        state: std::collections::BTreeMap<Vec<u8>, Vec<u8>>,
        most: usize,
    }

    impl World {
        fn of(memory: usize) -> Self {
            Self {
                memory: Memory::new(memory),
                gathered: Gathered::new(memory),
                writes: WriteBehind::default(),
                state: std::collections::BTreeMap::new(),
                most: 0,
            }
        }

        /// A peer's message was answered.
        fn answers(&self, number: u16, peer: &str, until: i64) -> Key {
            let mut key = [0; 32];
            key[..2].copy_from_slice(&number.to_be_bytes());
            let key = Key::of_test(key);
            let peer = Peer::Domain(peer.parse().unwrap());
            let (cell, _) = self.memory.cell(key, &peer, at(until), at(0));
            let answer = format!("<answer number=\"{number}\"/>");
            let size = answer.len();
            cell.set(answer.into()).unwrap();
            self.memory.settle(key, &cell, size, true);
            self.gathered.keep(key);
            key
        }

        /// Everything is written that waits; how many writes that takes.
        fn writes(&mut self, now: i64) -> usize {
            self.gathered.write(&self.memory, &self.writes, at(now));
            let all = self.writes.take_all();
            let count = all.len();
            for (key, value) in all {
                match value {
                    Some(value) => self.state.insert(key, value),
                    None => self.state.remove(&key),
                };
            }
            let bytes = self
                .state
                .iter()
                .map(|(key, value)| key.len() + value.len());
            self.most = self.most.max(bytes.sum());
            count
        }

        /// What a host finds that is started then.
        fn finds(&self, now: i64) -> Vec<(Key, String)> {
            let mut found = Vec::new();
            for (key, value) in &self.state {
                let mut entry = StateEntry::new(key.clone(), value.clone(), 1);
                entry.expires_in = Some(Duration::from_secs(1));
                read(entry, at(now), &mut |key, kept: Kept| {
                    let answer = String::from_utf8(kept.answer.to_vec()).unwrap();
                    found.push((key, format!("{} {answer}", kept.peer)));
                });
            }
            found
        }
    }

    /// Counted, as each write takes pages of its own.
    #[test]
    fn the_answers_of_a_moment_are_one_write() {
        let mut world = World::of(1 << 20);
        let keys: Vec<Key> = (0..100)
            .map(|number| world.answers(number, "example.com", 1000 + i64::from(number)))
            .collect();
        assert_eq!(world.writes(1), 1);
        let found = world.finds(1050);
        let expected: Vec<_> = (50..100)
            .map(|number| {
                let text = format!("example.com <answer number=\"{number}\"/>");
                (keys[number], text)
            })
            .collect();
        assert_eq!(found, expected, "but not those that are of no use any more");
        assert_eq!(world.writes(2), 0);
    }

    #[test]
    fn what_is_remembered_stays_however_many_answers_others_get() {
        let memory = 60_000;
        let mut world = World::of(memory);
        let quiet = world.answers(u16::MAX, "quiet.example", 1_000_000);
        let mut written = 0;
        for round in 0..1_500 {
            world.answers(round, "busy.example", 2_000 + i64::from(round));
            written += world.writes(1_000);
            if round % 100 == 0 {
                let found = world.finds(1_000);
                assert!(found.iter().any(|(key, _)| *key == quiet), "{round}");
            }
        }
        assert!(world.most < 3 * memory, "{}", world.most);
        // Each is written, and removed later; those that are written more than once are few.
        assert!(written < 3_000, "{written}");
    }
}
