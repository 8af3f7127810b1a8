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
//! decision-id/MESSAGE-ID         where what is about a message begins
//! ```
//!
//! In the place of a UID stands the identifier of a message of which no more is known: one that was refused as a whole. Whom
//! that comes from need not have proved anything, so it is kept for a day at most, and so many an hour only.

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
    time::{Duration, Instant},
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
/// Refusals that are kept at once before they are too many, and how long it takes until there is room for one more.
const REFUSALS: u32 = 60;
const A_REFUSAL: Duration = Duration::from_secs(2);
/// How long refusals are kept.
const OF_REFUSALS: Duration = Duration::from_secs(24 * 3600);
/// Entries looked at or removed at once.
const PAGE: u32 = 1_000;

/// What was decided and is to be written.
#[derive(Default)]
pub struct Decisions {
    waiting: Mutex<VecDeque<Decided>>,
    /// Held while some of them are written: who has written what waits can read all that was decided before.
    writing: tokio::sync::Mutex<()>,
    more: Notify,
    /// Distinguishes decisions of one moment.
    number: AtomicU64,
    /// Bytes written, as far as they have been counted.
    bytes: AtomicU64,
    refusals: Mutex<Refusals>,
}

/// How many refusals may be kept.
struct Refusals {
    left: u32,
    since: Instant,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            left: REFUSALS,
            since: Instant::now(),
        }
    }
}

impl Refusals {
    /// Whether one more is kept.
    fn admit(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since).as_secs() / A_REFUSAL.as_secs();
        if let Ok(more @ 1..) = u32::try_from(passed) {
            self.left = self.left.saturating_add(more).min(REFUSALS);
            self.since = now;
        }
        let admitted = self.left > 0;
        self.left = self.left.saturating_sub(1);
        admitted
    }
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

    /// Takes note of a message that was refused as a whole, as long as they are not many.
    pub(crate) fn add_refusal(&self, decision: Decided) {
        let mut refusals = self.refusals.lock();
        let refusals = refusals.as_mut().map(|it| it.admit(Instant::now()));
        if refusals.unwrap_or(false) {
            self.add(decision);
        }
    }

    /// Returns once there is something to be written.
    pub(crate) async fn some(&self) {
        while self.lock().is_empty() {
            self.more.notified().await;
        }
    }

    /// Writes what waits, to be kept for so long; what somebody else is writing is written, too, when it returns.
    pub(crate) async fn write(&self, state: &impl State, keep: Duration) -> Result<(), Error> {
        let _one_at_a_time = self.writing.lock().await;
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
        let keep = if decision.uid.is_some() {
            keep
        } else {
            keep.min(OF_REFUSALS)
        };
        let prefix = match (&decision.uid, &decision.message_id) {
            (Some(uid), _) => prefix(uid.as_str()),
            (None, Some(id)) => prefix(bare(id)),
            (None, None) => prefix(""),
        };
        let key = format!("{prefix}{place}");
        let value = serde_json::to_vec(decision).unwrap_or_default();
        let bytes = (value.len() + 2 * key.len()) as u64;
        let batch = batch.put_for(key.as_str(), value, keep);
        let batch = batch.put_for(format!("decision-time/{place}"), key, keep);
        let batch = match &decision.message_id {
            Some(id) => batch.put_for(by_id(id), prefix, keep),
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
            found = of(state, prefix(uid.as_str()).as_bytes()).await?;
        }
    }
    if found.is_empty()
        && let Some(entry) = state.get(&by_id(what)).await?
    {
        found = of(state, &entry.value).await?;
        found.retain(|it| {
            let id = it.message_id.as_deref();
            id.is_none_or(|id| bare(id) == bare(what))
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

async fn of(state: &impl State, prefix: &[u8]) -> Result<Vec<Decided>, Error> {
    let entries = state.scan(&KeyRange::prefix(prefix), ANSWERED).await?;
    let read = entries
        .iter()
        .map(|entry| serde_json::from_slice(&entry.value));
    read.map(|it| it.map_err(|error| Error::internal(error.to_string())))
        .collect()
}

fn prefix(uid: &str) -> String {
    format!("decision/{}/", digest(uid))
}

fn by_id(id: &str) -> Vec<u8> {
    format!("decision-id/{}", digest(bare(id))).into_bytes()
}

/// An identifier of a message without the brackets that mail puts around it.
fn bare(id: &str) -> &str {
    let id = id.trim();
    let within = id.strip_prefix('<').and_then(|id| id.strip_suffix('>'));
    within.unwrap_or(id)
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

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_types::{Committed, StateEntry};
    use futures::FutureExt;
    use jiff::Timestamp;

    #[test]
    fn brackets_are_not_part_of_an_identifier() {
        for (id, expected) in [
            ("<a@b>", "a@b"),
            (" <a@b> ", "a@b"),
            ("a@b", "a@b"),
            ("<a@b", "<a@b"),
            ("<>", ""),
        ] {
            assert_eq!(bare(id), expected, "{id}");
        }
    }

    #[test]
    fn strangers_do_not_fill_the_log() {
        let mut refusals = Refusals::default();
        let begin = refusals.since;
        let kept = |refusals: &mut Refusals, at: Duration| {
            let admitted = (0..1_000).filter(|_| refusals.admit(begin + at));
            admitted.count()
        };
        assert_eq!(kept(&mut refusals, Duration::ZERO), 60);
        assert_eq!(kept(&mut refusals, Duration::from_secs(10)), 5);
        assert_eq!(kept(&mut refusals, Duration::from_secs(86_400)), 60);
    }

    /// A state that is slow: what is to be written is there once it is let go on.
    struct Slow {
        goes_on: tokio::sync::Semaphore,
        written: Mutex<usize>,
    }

    impl State for Slow {
        async fn get(&self, _: &[u8]) -> Result<Option<StateEntry>, Error> {
            Ok(None)
        }

        async fn scan(&self, _: &KeyRange, _: u32) -> Result<Vec<StateEntry>, Error> {
            Ok(Vec::new())
        }

        async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
            drop(self.goes_on.acquire().await);
            *self.written.lock().unwrap() += batch.writes.len();
            Ok(Committed::new(1))
        }
    }

    #[test]
    fn who_has_written_what_waits_finds_also_what_somebody_else_was_writing() {
        let decisions = Decisions::default();
        let state = Slow {
            goes_on: tokio::sync::Semaphore::new(0),
            written: Mutex::default(),
        };
        let decided = Decided::new(Timestamp::UNIX_EPOCH, "sent", &Uid::new("m").unwrap());
        decisions.add(decided);
        let keep = Duration::from_secs(60);
        let mut somebody = Box::pin(decisions.write(&state, keep));
        assert!((&mut somebody).now_or_never().is_none());
        let mut whoever_asks = Box::pin(decisions.write(&state, keep));
        assert!((&mut whoever_asks).now_or_never().is_none());
        state.goes_on.add_permits(1);
        assert!(somebody.now_or_never().is_some());
        assert!(whoever_asks.now_or_never().is_some());
        assert!(*state.written.lock().unwrap() > 0);
    }
}
