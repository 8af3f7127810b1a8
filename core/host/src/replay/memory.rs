//! Answers in bounded memory, each peer with its share.

use super::key::Key;
use bytes::Bytes;
use convoke_scheduling::Peer;
use jiff::Timestamp;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::OnceCell;

/// What an answer takes beside its own bytes, about.
const BESIDE: usize = size_of::<(Key, Entry, OnceCell<Bytes>)>() + 64;

/// An answer as it is sent: a schedule-response document. Empty while it is being worked out.
pub(super) type Answer = Arc<OnceCell<Bytes>>;

/// The answers of one kind of message.
pub(super) struct Memory {
    remembered: Mutex<Answers>,
    /// In bytes.
    most: usize,
}

#[derive(Default)]
struct Answers {
    answers: HashMap<Key, Entry>,
    bytes: usize,
}

#[derive(Clone)]
struct Entry {
    answer: Answer,
    peer: Peer,
    until: Timestamp,
    bytes: usize,
}

/// An answer that is remembered.
pub(super) struct Remembered {
    pub(super) peer: Peer,
    pub(super) answer: Bytes,
    /// When the signature of its message dies.
    pub(super) until: Timestamp,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It is remembered.
    Kept,
    /// It is not: trying again should help, it is too long, or others needed the room meanwhile.
    Forgotten,
}

impl Memory {
    /// No answers yet, and so many bytes of them at most, about.
    pub(super) fn new(most: usize) -> Self {
        Self {
            remembered: Mutex::default(),
            most,
        }
    }

    /// The place for the answer to a message. The second: whose answers had to go for it before their time.
    pub(super) fn cell(
        &self,
        key: Key,
        peer: &Peer,
        until: Timestamp,
        now: Timestamp,
    ) -> (Answer, Vec<Key>) {
        let mut remembered = self.lock();
        let known = remembered.answers.get(&key);
        if let Some(entry) = known.filter(|entry| now <= entry.until) {
            return (entry.answer.clone(), Vec::new());
        }
        let answer = Answer::default();
        let entry = Entry {
            answer: answer.clone(),
            peer: peer.clone(),
            until,
            bytes: BESIDE,
        };
        let gone = if remembered.bytes >= self.most {
            remembered.make_room(now, self.most / 2)
        } else {
            Vec::new()
        };
        remembered.insert(key, entry);
        (answer, gone)
    }

    /// Counts an answer's size; forgets it if it shall not be `kept` or is too long.
    pub(super) fn settle(&self, key: Key, cell: &Answer, size: usize, kept: bool) -> Settled {
        let mut remembered = self.lock();
        let ours = |entry: &&mut Entry| Arc::ptr_eq(&entry.answer, cell);
        let Some(entry) = remembered.answers.get_mut(&key).filter(ours) else {
            return Settled::Forgotten;
        };
        if kept && size <= self.most / 16 {
            entry.bytes += size;
            remembered.bytes += size;
            Settled::Kept
        } else {
            remembered.remove(&key);
            Settled::Forgotten
        }
    }

    /// What a message was answered, if that is remembered.
    pub(super) fn remembered(&self, key: Key, now: Timestamp) -> Option<Remembered> {
        let remembered = self.lock();
        let entry = remembered.answers.get(&key);
        let entry = entry.filter(|entry| now <= entry.until)?;
        Some(Remembered {
            peer: entry.peer.clone(),
            answer: entry.answer.get()?.clone(),
            until: entry.until,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    fn insert(&mut self, key: Key, entry: Entry) {
        self.remove(&key);
        self.bytes += entry.bytes;
        self.answers.insert(key, entry);
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.answers.remove(key) {
            self.bytes -= entry.bytes;
        }
    }

    /// Drops what has expired. If what is left holds more than `most` bytes, each peer's share is an equal part of them,
    /// and whoever has more loses what expires next: those are answered.
    fn make_room(&mut self, now: Timestamp, most: usize) -> Vec<Key> {
        let mut order: Vec<(Timestamp, Key)> = Vec::with_capacity(self.answers.len());
        let mut held: HashMap<Peer, usize> = HashMap::new();
        for (key, entry) in &self.answers {
            order.push((entry.until, *key));
            if now <= entry.until {
                *held.entry(entry.peer.clone()).or_default() += entry.bytes;
            }
        }
        let share = most / held.len().max(1);
        let mut gone = Vec::new();
        order.sort_unstable_by_key(|(until, _)| *until);
        for (until, key) in order {
            if now <= until {
                if self.bytes <= most {
                    break;
                }
                let entry = &self.answers[&key];
                let Some(held) = held.get_mut(&entry.peer).filter(|held| **held > share) else {
                    continue;
                };
                *held -= entry.bytes;
                gone.push(key);
            }
            self.remove(&key);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn peer(name: &str) -> Peer {
        Peer::Domain(name.parse().unwrap())
    }

    fn entry(peer: &Peer, until: i64) -> Entry {
        Entry {
            answer: Answer::default(),
            peer: peer.clone(),
            until: at(until),
            bytes: 100,
        }
    }

    fn key(number: u8, of: u8) -> Key {
        let mut key = [of; 32];
        key[0] = number;
        Key::of_test(key)
    }

    #[test]
    fn who_sends_much_pushes_out_nobody_else() {
        let (busy, quiet) = (peer("busy.example"), peer("quiet.example"));
        let mut remembered = Answers::default();
        for n in 0..100 {
            remembered.insert(key(n, 1), entry(&busy, 5000 + i64::from(n)));
        }
        // These expire before all of the other's.
        for n in 0..10 {
            remembered.insert(key(n, 2), entry(&quiet, 2000));
        }
        remembered.insert(key(0, 3), entry(&quiet, 999));
        assert_eq!(remembered.bytes, 11_100);
        let gone = remembered.make_room(at(1000), 5000);
        assert!(remembered.bytes <= 5000);
        let left = |of: u8| -> Vec<u8> {
            let there = |n: &u8| remembered.answers.contains_key(&key(*n, of));
            (0..100).filter(there).collect()
        };
        assert_eq!((left(2).len(), left(3).len()), (10, 0));
        // What had expired is not told: it is gone everywhere.
        assert_eq!(gone, (0..60).map(|n| key(n, 1)).collect::<Vec<_>>());
        // The busy one keeps what lives longest.
        assert_eq!(left(1), (60..100).collect::<Vec<_>>());
    }

    #[test]
    fn many_peers_are_bounded_too() {
        let mut remembered = Answers::default();
        for n in 0..200 {
            let peer = peer(&format!("p{n}.example"));
            for m in 0..3 {
                remembered.insert(key(n, m), entry(&peer, 5000));
            }
        }
        remembered.make_room(at(1000), 20_000);
        assert!(remembered.bytes <= 20_000, "{}", remembered.bytes);
    }
}
