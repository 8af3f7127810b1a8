//! Idempotency cache for signed requests: a replayed message gets the recorded answer and is not delivered twice (spec §9).
//!
//! The key: signing domain, Message-ID, Recipients and the body as the signature covers it (`bh=`), so that
//! nothing that a signature tolerates (a line end more, fields in another order) makes another message of it. The
//! Message-ID over anything else is another message. A message without a signed Message-ID is known by its signature.
//!
//! Answers are remembered until the signature dies, and in bounded memory. When that is full, those are forgotten first
//! that expire first, of the peers that have more than their share: who sends much pushes out nobody else's. Look-ups of
//! free-busy have a small share of it for themselves: they come by the thousand, do nothing, and must not push out what a
//! delivery was answered with. A message that arrives again while it is still being worked on waits for that answer. Only
//! a final answer is remembered, not one that tells a recipient to try later (5.1): trying again should help.
//!
//! Not here yet: memory over a restart. [`Replays`] is what a plugin of kind `state` will stand behind: `Key` is the key,
//! the document the value, `until` its expiry.

use crate::answer::document;
use bytes::Bytes;
use convoke_calendar::message::Kind;
use convoke_ischedule::{
    ScheduleResponse,
    dkim::{Verified, canon::relaxed},
    headers::{ISCHEDULE_MESSAGE_ID, RECIPIENT},
};
use convoke_scheduling::Peer;
use convoke_types::RequestStatus;
use http::HeaderMap;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::OnceCell;

/// Bytes that answers to look-ups may hold together, about.
const LOOK_UPS: usize = 2 << 20;
/// Bytes that answers to deliveries may hold together, about.
const DELIVERIES: usize = 14 << 20;
/// What an answer takes beside its own bytes, about.
const BESIDE: usize = size_of::<(Key, Entry, OnceCell<Bytes>)>() + 64;

/// The answers to signed messages whose signatures still live.
pub struct Replays {
    look_ups: Memory,
    deliveries: Memory,
}

struct Memory {
    remembered: Mutex<Remembered>,
    /// In bytes.
    most: usize,
}

#[derive(Default)]
struct Remembered {
    answers: HashMap<Key, Entry>,
    bytes: usize,
}

/// An answer as it is sent: a schedule-response document.
type Answer = Arc<OnceCell<Bytes>>;

#[derive(Clone)]
struct Entry {
    answer: Answer,
    peer: Peer,
    until: Timestamp,
    bytes: usize,
}

/// A message that may come again.
pub(crate) struct Repeatable<'a> {
    pub(crate) key: Key,
    pub(crate) kind: Kind,
    /// Who sent it.
    pub(crate) peer: &'a Peer,
    /// When its signature dies.
    pub(crate) until: Timestamp,
}

impl Default for Replays {
    fn default() -> Self {
        let memory = |most| Memory {
            remembered: Mutex::default(),
            most,
        };
        Self {
            look_ups: memory(LOOK_UPS),
            deliveries: memory(DELIVERIES),
        }
    }
}

/// What makes two messages the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// Of the fields as the signature covers them, so that no space that it tolerates makes another message.
    pub(crate) fn of(fields: &HeaderMap, signed: &Verified) -> Self {
        let mut digest = Sha256::new();
        // Each part with its length, so that none can run into the next.
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        add(signed.domain().as_str().as_bytes());
        let id = fields.contains_key(&ISCHEDULE_MESSAGE_ID) && signed.signs(&ISCHEDULE_MESSAGE_ID);
        if id {
            add(&relaxed(fields, &ISCHEDULE_MESSAGE_ID));
        } else {
            add(&signed.signature().bytes);
        }
        add(&relaxed(fields, &RECIPIENT));
        add(&signed.signature().body);
        Self(digest.finalize().into())
    }
}

impl Replays {
    /// The answer to a message: the remembered one, or what `work` gives.
    pub(crate) async fn answer(
        &self,
        message: Repeatable<'_>,
        now: Timestamp,
        work: impl Future<Output = ScheduleResponse>,
    ) -> Bytes {
        let memory = match message.kind {
            Kind::FreeBusy => &self.look_ups,
            _ => &self.deliveries,
        };
        let cell = memory.cell(&message, now);
        let mut settled = None;
        let work = async {
            let response = work.await;
            settled = Some(is_settled(&response));
            document(&response)
        };
        let answer = cell.get_or_init(|| work).await.clone();
        match settled {
            Some(settled) => memory.settle(message.key, &cell, answer.len(), settled),
            None => {
                tracing::info!(event = "message-repeated", peer = %message.peer, "a message came again and is answered as before");
            }
        }
        answer
    }
}

/// Whether nobody shall try again later, which should help.
fn is_settled(response: &ScheduleResponse) -> bool {
    let later = &RequestStatus::SERVICE_UNAVAILABLE;
    !(response.responses.iter()).any(|it| it.status.same_code(later))
}

impl Memory {
    fn cell(&self, message: &Repeatable<'_>, now: Timestamp) -> Answer {
        let mut remembered = self.lock();
        let known = remembered.answers.get(&message.key);
        if let Some(entry) = known.filter(|entry| now <= entry.until) {
            return entry.answer.clone();
        }
        let answer = Answer::default();
        let entry = Entry {
            answer: answer.clone(),
            peer: message.peer.clone(),
            until: message.until,
            bytes: BESIDE,
        };
        if remembered.bytes >= self.most {
            remembered.make_room(now, self.most / 2);
        }
        remembered.insert(message.key, entry);
        answer
    }

    /// Counts an answer's size, or forgets it if trying again should help.
    fn settle(&self, key: Key, cell: &Answer, size: usize, settled: bool) {
        let mut remembered = self.lock();
        let ours = |entry: &&mut Entry| Arc::ptr_eq(&entry.answer, cell);
        let Some(entry) = remembered.answers.get_mut(&key).filter(ours) else {
            return;
        };
        if settled && size <= self.most / 16 {
            entry.bytes += size;
            remembered.bytes += size;
        } else {
            remembered.remove(&key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
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
    /// and whoever has more loses what expires next.
    fn make_room(&mut self, now: Timestamp, most: usize) {
        let mut order: Vec<(Timestamp, Key)> = Vec::with_capacity(self.answers.len());
        let mut held: HashMap<Peer, usize> = HashMap::new();
        for (key, entry) in &self.answers {
            order.push((entry.until, *key));
            if now <= entry.until {
                *held.entry(entry.peer.clone()).or_default() += entry.bytes;
            }
        }
        let share = most / held.len().max(1);
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
            }
            self.remove(&key);
        }
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
        Key(key)
    }

    #[test]
    fn who_sends_much_pushes_out_nobody_else() {
        let (busy, quiet) = (peer("busy.example"), peer("quiet.example"));
        let mut remembered = Remembered::default();
        for n in 0..100 {
            remembered.insert(key(n, 1), entry(&busy, 5000 + i64::from(n)));
        }
        // These expire before all of the other's.
        for n in 0..10 {
            remembered.insert(key(n, 2), entry(&quiet, 2000));
        }
        remembered.insert(key(0, 3), entry(&quiet, 999));
        assert_eq!(remembered.bytes, 11_100);
        remembered.make_room(at(1000), 5000);
        assert!(remembered.bytes <= 5000);
        let left = |of: u8| -> Vec<u8> {
            let there = |n: &u8| remembered.answers.contains_key(&key(*n, of));
            (0..100).filter(there).collect()
        };
        assert_eq!((left(2).len(), left(3).len()), (10, 0));
        // The busy one keeps what lives longest.
        assert_eq!(left(1), (60..100).collect::<Vec<_>>());
    }

    #[test]
    fn many_peers_are_bounded_too() {
        let mut remembered = Remembered::default();
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
