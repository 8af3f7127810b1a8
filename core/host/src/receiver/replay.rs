//! The same signed message again: the first answer again, and nothing delivered twice (spec §9).
//!
//! What is the same: signing domain, Message-ID, Originator, Recipients, Content-Type and body. The Message-ID over
//! anything else is another message. A message without a signed Message-ID is known by its signature.
//!
//! Answers are remembered while the signature lives, an hour at most, and in bounded memory; when that is full, those
//! that expire first are forgotten first. A message that arrives again while it is still being worked on waits for that
//! answer. An answer that tells a recipient to try later (5.1) is not remembered: trying again should help.
//!
//! Not here: memory over a restart. Applying an iTIP message twice changes nothing, so only the answer may differ.

use super::post::Posted;
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
/// Answers remembered at once.
const MAX_ANSWERS: usize = 20_000;
/// What they may hold together, in bytes, about.
const MAX_BYTES: usize = 16 << 20;

/// The answers to signed messages whose signatures still live.
#[derive(Default)]
pub struct Replays(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    answers: HashMap<Key, Entry>,
    bytes: usize,
}

#[derive(Clone)]
struct Entry {
    answer: Arc<OnceCell<Arc<ScheduleResponse>>>,
    until: Timestamp,
    bytes: usize,
}

/// What makes two messages the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn of(posted: &Posted<'_>, signed: &Verified) -> Self {
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
        key: Key,
        signed: &Verified,
        now: Timestamp,
        work: impl Future<Output = ScheduleResponse>,
    ) -> Arc<ScheduleResponse> {
        let cell = self.cell(key, signed.expires(), now);
        let mut first = false;
        let work = async {
            first = true;
            Arc::new(work.await)
        };
        let answer = cell.get_or_init(|| work).await.clone();
        if first {
            self.settle(key, &cell, &answer);
        } else {
            tracing::info!(domain = %signed.domain(), "a message came again and is answered as before");
        }
        answer
    }

    fn cell(
        &self,
        key: Key,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Arc<OnceCell<Arc<ScheduleResponse>>> {
        let mut remembered = self.lock();
        if let Some(entry) = remembered
            .answers
            .get(&key)
            .filter(|entry| now <= entry.until)
        {
            return entry.answer.clone();
        }
        let longest = now.saturating_add(LONGEST).unwrap_or(Timestamp::MAX);
        let answer = Arc::<OnceCell<_>>::default();
        remembered.insert(
            key,
            Entry {
                answer: answer.clone(),
                until: expires.map_or(longest, |expires| expires.min(longest)),
                bytes: size_of::<Entry>(),
            },
            now,
        );
        answer
    }

    /// Counts an answer's size, or forgets it if trying again should help.
    fn settle(
        &self,
        key: Key,
        cell: &Arc<OnceCell<Arc<ScheduleResponse>>>,
        answer: &ScheduleResponse,
    ) {
        let bytes = size_of::<Entry>() + size_of_answer(answer);
        let later = &RequestStatus::SERVICE_UNAVAILABLE;
        let keep = bytes <= MAX_BYTES / 16
            && !answer.responses.iter().any(|it| it.status.same_code(later));
        let mut remembered = self.lock();
        let ours = |entry: &&mut Entry| Arc::ptr_eq(&entry.answer, cell);
        let Some(entry) = remembered.answers.get_mut(&key).filter(ours) else {
            return;
        };
        if keep {
            let more = bytes - entry.bytes;
            entry.bytes = bytes;
            remembered.bytes += more;
        } else {
            remembered.remove(&key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn insert(&mut self, key: Key, entry: Entry, now: Timestamp) {
        if self.answers.len() >= MAX_ANSWERS || self.bytes >= MAX_BYTES {
            self.make_room(now);
        }
        self.remove(&key);
        self.bytes += entry.bytes;
        self.answers.insert(key, entry);
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.answers.remove(key) {
            self.bytes -= entry.bytes;
        }
    }

    /// Drops what has expired; if that is not half of all, also what expires next.
    fn make_room(&mut self, now: Timestamp) {
        let mut order: Vec<(Timestamp, Key)> = self
            .answers
            .iter()
            .map(|(key, entry)| (entry.until, *key))
            .collect();
        order.sort_unstable_by_key(|(until, _)| *until);
        for (until, key) in order {
            let room = self.answers.len() <= MAX_ANSWERS / 2 && self.bytes <= MAX_BYTES / 2;
            if room && now <= until {
                break;
            }
            self.remove(&key);
        }
    }
}

fn size_of_answer(answer: &ScheduleResponse) -> usize {
    let size = |it: &convoke_ischedule::RecipientResponse| {
        let data = it.calendar_data.as_ref().map_or(0, |data| data.data.len());
        let description = it.description.as_ref().map_or(0, String::len);
        size_of_val(it) + it.recipient.len() + data + description
    };
    answer.responses.iter().map(size).sum()
}
