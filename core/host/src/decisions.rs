//! The decision log: what was decided about each message and object, kept for a while for who asks why something arrived, or
//! did not.
//!
//! Nobody waits for it: decisions are gathered in memory and written a few times a second, so that a host that is killed
//! loses the last of them, and nothing else. It is bounded: by time (`server.decisions`), by bytes in all, and in
//! memory while the state cannot be written.
//!
//! ```text
//! decision/UID/TIME-NUMBER       a decision
//! decision-time/TIME-NUMBER      where it lies, to find the oldest
//! decision-id/MESSAGE-ID         the UID of a message
//! ```

use convoke_scheduling::{Decided, State};
use convoke_types::{Batch, CalendarAddress, Error, KeyRange, Uid};
use sha2::{Digest, Sha256};
use std::{
    collections::VecDeque,
    fmt::Write,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Decisions that wait in memory to be written.
const WAITING: usize = 10_000;
/// Decisions written at once.
const TOGETHER: usize = 500;
/// Bytes of decisions that are kept.
const MOST: u64 = 256 << 20;
/// Decisions answered about one object.
const ANSWERED: u32 = 1_000;
/// Entries looked at or removed at once.
const PAGE: u32 = 1_000;

/// What was decided and is to be written.
#[derive(Default)]
pub struct Decisions {
    waiting: Mutex<VecDeque<Decided>>,
    more: Notify,
    /// Distinguishes decisions of one moment.
    number: AtomicU64,
    /// Bytes written, as far as they have been counted.
    bytes: AtomicU64,
}

impl Decisions {
    /// Takes note of a decision. Where too many wait, the oldest is forgotten.
    pub(crate) fn add(&self, decision: Decided) {
        let mut waiting = self.lock();
        if waiting.len() >= WAITING {
            waiting.pop_front();
        }
        waiting.push_back(decision);
        drop(waiting);
        self.more.notify_one();
    }

    /// Returns once there is something to be written.
    pub(crate) async fn some(&self) {
        while self.lock().is_empty() {
            self.more.notified().await;
        }
    }

    /// Writes what waits, to be kept for so long.
    pub(crate) async fn write(&self, state: &impl State, keep: Duration) -> Result<(), Error> {
        loop {
            let some: Vec<Decided> = {
                let mut waiting = self.lock();
                let most = waiting.len().min(TOGETHER);
                waiting.drain(..most).collect()
            };
            if some.is_empty() {
                break;
            }
            let mut batch = Batch::new();
            let mut bytes = 0;
            for decision in &some {
                let written;
                (batch, written) = self.put(batch, decision, keep);
                bytes += written;
            }
            if let Err(error) = state.commit(batch).await {
                let mut waiting = self.lock();
                for decision in some
                    .into_iter()
                    .rev()
                    .take(WAITING - waiting.len().min(WAITING))
                {
                    waiting.push_front(decision);
                }
                return Err(error);
            }
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        if self.bytes.load(Ordering::Relaxed) > MOST {
            self.trim(state).await?;
        }
        Ok(())
    }

    fn put(&self, batch: Batch, decision: &Decided, keep: Duration) -> (Batch, u64) {
        let number = self.number.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff;
        let time = u64::try_from(decision.at.as_microsecond()).unwrap_or(0);
        let place = format!("{time:016x}-{number:08x}");
        let key = format!("{}{place}", prefix(&decision.uid));
        let value = serde_json::to_vec(decision).unwrap_or_default();
        let bytes = (value.len() + 2 * key.len()) as u64;
        let batch = batch.put_for(key.as_str(), value, keep);
        let batch = batch.put_for(format!("decision-time/{place}"), key, keep);
        let batch = match &decision.message_id {
            Some(id) => batch.put_for(by_id(id), decision.uid.as_str(), keep),
            None => batch,
        };
        (batch, bytes)
    }

    /// Counts what is there anew, and removes the oldest where it is too much.
    pub(crate) async fn trim(&self, state: &impl State) -> Result<(), Error> {
        let mut bytes = 0;
        let mut range = KeyRange::prefix("decision/");
        loop {
            let page = state.scan(&range, PAGE).await?;
            let Some(last) = page.last() else { break };
            range = range.after(&last.key);
            let sizes = page
                .iter()
                .map(|it| (it.value.len() + 2 * it.key.len()) as u64);
            bytes += sizes.sum::<u64>();
        }
        while bytes > MOST / 10 * 9 {
            let oldest = state
                .scan(&KeyRange::prefix("decision-time/"), PAGE)
                .await?;
            if oldest.is_empty() {
                break;
            }
            let mut batch = Batch::new();
            for entry in &oldest {
                // A decision has some 300 bytes; the next count is exact again.
                bytes = bytes.saturating_sub(300 + 2 * entry.value.len() as u64);
                batch = batch
                    .delete(entry.key.as_slice())
                    .delete(entry.value.as_slice());
            }
            state.commit(batch).await?;
        }
        self.bytes.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Decided>> {
        // Each change is one step.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was decided about a UID, or about the message of an identifier; the oldest first.
pub(crate) async fn about(
    state: &impl State,
    what: &str,
    user: Option<&CalendarAddress>,
) -> Result<Vec<Decided>, Error> {
    let mut found = Vec::new();
    for name in [what, bare(what)] {
        if found.is_empty()
            && let Ok(uid) = Uid::new(name)
        {
            found = of(state, &uid).await?;
        }
    }
    if found.is_empty()
        && let Some(entry) = state.get(&by_id(what)).await?
        && let Ok(uid) = Uid::new(String::from_utf8_lossy(&entry.value))
    {
        found = of(state, &uid).await?;
        found.retain(|it| {
            it.message_id
                .as_deref()
                .is_none_or(|id| bare(id) == bare(what))
        });
    }
    if let Some(user) = user {
        let is_theirs = |it: &Decided| {
            let named = [&it.user, &it.recipient];
            named.into_iter().flatten().any(|it| it.same_user(user))
        };
        found.retain(is_theirs);
    }
    Ok(found)
}

/// Forgets all that was decided about a calendar user.
pub(crate) async fn forget(state: &impl State, user: &CalendarAddress) -> Result<(), Error> {
    let mut range = KeyRange::prefix("decision/");
    loop {
        let page = state.scan(&range, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        range = range.after(&last.key);
        let theirs = page.iter().filter(|entry| {
            let decision: Option<Decided> = serde_json::from_slice(&entry.value).ok();
            decision.is_some_and(|it| {
                let named = [&it.user, &it.recipient];
                named.into_iter().flatten().any(|it| it.same_user(user))
            })
        });
        let batch = theirs.fold(Batch::new(), |batch, it| batch.delete(it.key.as_slice()));
        if !batch.writes.is_empty() {
            state.commit(batch).await?;
        }
    }
}

async fn of(state: &impl State, uid: &Uid) -> Result<Vec<Decided>, Error> {
    let entries = state.scan(&KeyRange::prefix(prefix(uid)), ANSWERED).await?;
    let read = entries
        .iter()
        .map(|entry| serde_json::from_slice(&entry.value));
    read.map(|it| it.map_err(|error| Error::internal(error.to_string())))
        .collect()
}

fn prefix(uid: &Uid) -> String {
    format!("decision/{}/", digest(uid.as_str()))
}

fn by_id(id: &str) -> Vec<u8> {
    format!("decision-id/{}", digest(bare(id))).into_bytes()
}

/// An identifier without the angle brackets that mails and some servers write around it.
fn bare(id: &str) -> &str {
    let id = id.trim();
    id.strip_prefix('<')
        .and_then(|id| id.strip_suffix('>'))
        .unwrap_or(id)
}

fn digest(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .take(16)
        .fold(String::new(), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}
