//! The same signed message again: the first answer again, and nothing delivered twice (spec §9).
//!
//! What is the same: signing domain, Message-ID, Originator, Recipients, Content-Type and body. The Message-ID over
//! anything else is another message. A message without a signed Message-ID is known by its signature.
//!
//! Answers are remembered while the signature lives, an hour at most, and in bounded memory; when that is full, those
//! that expire first are forgotten first. Look-ups of free-busy have a small share of it for themselves: they come by the
//! thousand, do nothing, and must not push out what a delivery was answered with. A message that arrives again while it is still being worked on waits for that
//! answer. An answer that tells a recipient to try later (5.1) is not remembered: trying again should help.
//!
//! Not here: memory over a restart. Applying an iTIP message twice changes nothing, so only the answer may differ.

use super::{answer::document, post::Posted};
use bytes::Bytes;
use convoke_calendar::message::Kind;
use convoke_ischedule::{ScheduleResponse, dkim::Verified, headers::ISCHEDULE_MESSAGE_ID};
use convoke_types::RequestStatus;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::OnceCell;

/// The longest that an answer is remembered.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);
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
    until: Timestamp,
    bytes: usize,
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
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn of(posted: &Posted, signed: &Verified) -> Self {
        let headers = &posted.headers;
        let mut digest = Sha256::new();
        // Each part with its length, so that none can run into the next.
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        add(signed.domain().as_str().as_bytes());
        match headers.message_id.as_deref() {
            Some(id) if signed.signs(&ISCHEDULE_MESSAGE_ID) => add(id.as_bytes()),
            _ => add(&signed.signature().bytes),
        }
        add(headers.originator.as_str().as_bytes());
        add(headers.content.to_string().as_bytes());
        for recipient in &headers.recipients {
            add(recipient.as_sent.as_bytes());
        }
        add(&posted.body);
        Self(digest.finalize().into())
    }
}

impl Replays {
    /// The answer to the message of `key`: the remembered one, or what `work` gives.
    pub(super) async fn answer(
        &self,
        (key, kind): (Key, Kind),
        signed: &Verified,
        now: Timestamp,
        work: impl Future<Output = ScheduleResponse>,
    ) -> Bytes {
        let memory = match kind {
            Kind::FreeBusy => &self.look_ups,
            _ => &self.deliveries,
        };
        let cell = memory.cell(key, signed.expires(), now);
        let mut settled = None;
        let work = async {
            let response = work.await;
            settled = Some(is_settled(&response));
            document(&response)
        };
        let answer = cell.get_or_init(|| work).await.clone();
        match settled {
            Some(settled) => memory.settle(key, &cell, answer.len(), settled),
            None => {
                tracing::info!(domain = %signed.domain(), "a message came again and is answered as before");
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
    fn cell(&self, key: Key, expires: Option<Timestamp>, now: Timestamp) -> Answer {
        let mut remembered = self.lock();
        if let Some(entry) = remembered
            .answers
            .get(&key)
            .filter(|entry| now <= entry.until)
        {
            return entry.answer.clone();
        }
        let longest = now.saturating_add(LONGEST).unwrap_or(Timestamp::MAX);
        let answer = Answer::default();
        let entry = Entry {
            answer: answer.clone(),
            until: expires.map_or(longest, |expires| expires.min(longest)),
            bytes: BESIDE,
        };
        if remembered.bytes >= self.most {
            remembered.make_room(now, self.most / 2);
        }
        remembered.insert(key, entry);
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

    /// Drops what has expired; if what is left holds more than `most` bytes, also what expires next.
    fn make_room(&mut self, now: Timestamp, most: usize) {
        let mut order: Vec<(Timestamp, Key)> = self
            .answers
            .iter()
            .map(|(key, entry)| (entry.until, *key))
            .collect();
        order.sort_unstable_by_key(|(until, _)| *until);
        for (until, key) in order {
            if self.bytes <= most && now <= until {
                break;
            }
            self.remove(&key);
        }
    }
}
