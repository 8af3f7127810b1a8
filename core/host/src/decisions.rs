//! The decision log: what was decided about each message and object, kept for a while for who asks why something arrived, or
//! did not.
//!
//! Nobody waits for it: decisions are gathered in memory and written a few times a second, so that a host that is killed
//! loses the last of them, and nothing else. It is bounded: by time (`server.decisions`), by bytes in all, and in
//! memory while the state cannot be written.
//!
//! Thousands are written for one that is read, so what was gathered is one entry, and there is no index: who asks goes through
//! all entries, and reads those in which the name that is asked for occurs.
//!
//! ```text
//! decision/TIME-HOST-NUMBER      decisions of the moment before
//! ```
//!
//! Of a message that was refused as a whole no UID is known, but its identifier perhaps. Whom that comes from need not have
//! proved anything, so it is kept for a day at most, and so many an hour only; and whoever asks for a UID is told of its object alone,
//! also where somebody has given that name to a message. What became of a mail of which nothing was decided is kept in the same way.

use convoke_scheduling::{Decided, Pages, State};
use convoke_types::{Batch, CalendarAddress, Error, ErrorKind, KeyRange, StateEntry};
use memchr::memmem;
use std::{
    collections::VecDeque,
    hash::{BuildHasher, Hasher, RandomState},
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
/// Decisions answered about one object: the latest.
const ANSWERED: usize = 1_000;
/// Refusals that are kept at once before they are too many, and how long it takes until there is room for one more.
const REFUSALS: u32 = 60;
const A_REFUSAL: Duration = Duration::from_secs(2);
/// How long refusals are kept.
const OF_REFUSALS: Duration = Duration::from_secs(24 * 3600);
/// Entries looked at or removed at once: each holds no more than [`TOGETHER`] decisions, some 150 KiB.
const PAGE: u32 = 50;
/// What the keys begin with.
const PREFIX: &str = "decision/";

/// What was decided and is to be written.
pub struct Decisions {
    waiting: Mutex<VecDeque<Decided>>,
    /// Held while some of them are written: who has written what waits can read all that was decided before.
    writing: tokio::sync::Mutex<()>,
    more: Notify,
    /// Distinguishes entries of several hosts.
    host: u64,
    /// Distinguishes entries of one moment.
    number: AtomicU64,
    /// Bytes written, as far as they have been counted.
    bytes: AtomicU64,
    refusals: Mutex<Refusals>,
    /// As many as refusals: neither takes the room of the other.
    #[cfg(feature = "mail")]
    mails: Mutex<Refusals>,
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

impl Default for Decisions {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            more: Notify::new(),
            host: RandomState::new().build_hasher().finish(),
            number: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            refusals: Mutex::default(),
            #[cfg(feature = "mail")]
            mails: Mutex::default(),
        }
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
        self.add_if_few(&self.refusals, decision);
    }

    /// Takes note of what became of a mail that led to no decision about an object, as long as they are not many.
    #[cfg(feature = "mail")]
    pub(crate) fn add_mail(&self, decision: Decided) {
        self.add_if_few(&self.mails, decision);
    }

    fn add_if_few(&self, room: &Mutex<Refusals>, decision: Decided) {
        let admitted = room.lock().is_ok_and(|mut it| it.admit(Instant::now()));
        if admitted {
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
            let (of_objects, refusals): (Vec<_>, Vec<_>) =
                some.iter().partition(|it| it.uid.is_some());
            let (batch, written) = self.put(Batch::new(), &of_objects, keep);
            let (batch, refused) = self.put(batch, &refusals, keep.min(OF_REFUSALS));
            let bytes = written + refused;
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

    /// Writes decisions as one entry; how many bytes that takes.
    fn put(&self, batch: Batch, decisions: &[&Decided], keep: Duration) -> (Batch, u64) {
        let Some(first) = decisions.first() else {
            return (batch, 0);
        };
        let number = self.number.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff;
        let time = u64::try_from(first.at.as_microsecond()).unwrap_or(0);
        let key = format!("{PREFIX}{time:016x}-{:016x}-{number:08x}", self.host);
        let value = written(decisions);
        let bytes = (key.len() + value.len()) as u64;
        (batch.put_for(key, value, keep), bytes)
    }

    /// Counts what is there anew, and removes the oldest where it is too much.
    pub(crate) async fn trim(&self, state: &impl State) -> Result<(), Error> {
        let mut bytes = 0;
        let mut pages = all(state);
        while let Some(page) = pages.next().await? {
            bytes += size(&page);
        }
        let goal = if bytes > MOST { MOST / 10 * 9 } else { bytes };
        while bytes > goal {
            let oldest = state.scan(&KeyRange::prefix(PREFIX), PAGE).await?;
            if oldest.is_empty() {
                break;
            }
            bytes = bytes.saturating_sub(size(&oldest));
            let keys = oldest.into_iter().map(|it| it.key);
            state.commit(keys.fold(Batch::new(), Batch::delete)).await?;
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
    let id = bare(what);
    let is_of_message = |it: &Decided| it.message_id.as_deref().map(bare) == Some(id);
    let is_named = |it: &Decided| [what, id].contains(&subject_of(it)) || is_of_message(it);
    let mut found = named(state, id, is_named).await?;
    let subjects = [what, id];
    let is_of_object = |it: &Decided, name: &str| {
        let uid = it.uid.as_ref();
        uid.is_some_and(|uid| uid.as_str() == name)
    };
    let mut uids = subjects.into_iter();
    let mut subjects = subjects.into_iter();
    if let Some(uid) = uids.find(|name| found.iter().any(|one| is_of_object(one, name))) {
        // Whoever writes to us names their messages: none is taken for what was decided about an object.
        found.retain(|it| is_of_object(it, uid));
    } else if let Some(subject) = subjects.find(|it| found.iter().any(|one| subject_of(one) == *it))
    {
        found.retain(|it| subject_of(it) == subject);
    } else if let Some(last) = found.pop() {
        // And what led to the message, or came of it: what is about its object, and about no other message.
        let subject = subject_of(&last);
        let is_about = |it: &Decided| {
            subject_of(it) == subject && (it.message_id.is_none() || is_of_message(it))
        };
        found = named(state, subject, is_about).await?;
    }
    if let Some(user) = user {
        found.retain(|it| concerns(it, user));
    }
    found.sort_by_key(|it| it.at);
    found.drain(..found.len().saturating_sub(ANSWERED));
    Ok(found)
}

/// What was decided last about a UID, the message of an identifier or an address, or about anything; the newest first.
pub(crate) async fn last(
    state: &impl State,
    about: Option<&str>,
    most: usize,
) -> Result<Vec<Decided>, Error> {
    let about = about.map(str::trim).filter(|about| !about.is_empty());
    let address = about.and_then(|about| CalendarAddress::new(about).ok());
    let is_meant = |it: &Decided| {
        about.is_none_or(|about| {
            [about, bare(about)].contains(&subject_of(it))
                || it.message_id.as_deref().map(bare) == Some(bare(about))
                || address.as_ref().is_some_and(|address| names(it, address))
        })
    };
    let mut found = VecDeque::new();
    let mut pages = all(state);
    while let Some(page) = pages.next().await? {
        for entry in &page {
            found.extend(read(entry)?.into_iter().filter(&is_meant));
            found.drain(..found.len().saturating_sub(most));
        }
    }
    let mut found = Vec::from(found);
    found.sort_by_key(|it| std::cmp::Reverse(it.at));
    Ok(found)
}

/// Whether a decision is about somebody, of ours or elsewhere.
fn names(decision: &Decided, address: &CalendarAddress) -> bool {
    let human = address.human();
    let peer = decision.peer.as_deref();
    concerns(decision, address)
        || peer.is_some_and(|peer| peer == human || peer.starts_with(&format!("{human}, ")))
}

/// Forgets all that was decided about a calendar user.
pub(crate) async fn forget(state: &impl State, user: &CalendarAddress) -> Result<(), Error> {
    let mut range = KeyRange::prefix(PREFIX);
    loop {
        let page = state.scan(&range, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        let next = range.after(&last.key);
        match state.commit(without(&page, user)?).await {
            // It was removed meanwhile, as it was old: once more.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            done => {
                done?;
                range = next;
            }
        }
    }
}

/// What makes entries those that do not tell of a calendar user.
fn without(entries: &[StateEntry], user: &CalendarAddress) -> Result<Batch, Error> {
    let mut batch = Batch::new();
    for entry in entries {
        let decisions = read(entry)?;
        let others: Vec<&Decided> = decisions.iter().filter(|it| !concerns(it, user)).collect();
        if others.len() == decisions.len() {
            continue;
        }
        batch = batch.if_version(entry.key.as_slice(), entry.version);
        batch = match (others.is_empty(), entry.expires_in) {
            (true, _) => batch.delete(entry.key.as_slice()),
            (false, Some(left)) => batch.put_for(entry.key.as_slice(), written(&others), left),
            (false, None) => batch.put(entry.key.as_slice(), written(&others)),
        };
    }
    Ok(batch)
}

/// Whether a decision names a calendar user.
fn concerns(decision: &Decided, user: &CalendarAddress) -> bool {
    let named = [&decision.user, &decision.recipient];
    named.into_iter().flatten().any(|it| it.same_user(user))
        || decision.peer.as_deref().is_some_and(|it| is_from(it, user))
}

/// Whether what is said of a peer begins with the address of a calendar user, who sent the message.
fn is_from(peer: &str, user: &CalendarAddress) -> bool {
    let name = user.human();
    let (said, rest) = peer.split_at_checked(name.len()).unwrap_or_default();
    said.eq_ignore_ascii_case(name) && rest.starts_with(',')
}

/// The UID of the object that a decision is about; if that is not known, the identifier of the message.
fn subject_of(decision: &Decided) -> &str {
    match (&decision.uid, &decision.message_id) {
        (Some(uid), _) => uid.as_str(),
        (None, Some(id)) => bare(id),
        (None, None) => "",
    }
}

/// The decisions that are wanted, in the order of their entries; a name occurs somewhere in each of them.
async fn named(
    state: &impl State,
    name: &str,
    is_wanted: impl Fn(&Decided) -> bool,
) -> Result<Vec<Decided>, Error> {
    let literal = serde_json::to_string(name).unwrap_or_default();
    let name = memmem::Finder::new(literal.trim_matches('"').as_bytes());
    let mut found = Vec::new();
    let mut pages = all(state);
    while let Some(page) = pages.next().await? {
        // Most are not read any further.
        for entry in page.iter().filter(|it| name.find(&it.value).is_some()) {
            found.extend(read(entry)?.into_iter().filter(&is_wanted));
        }
    }
    Ok(found)
}

fn size(entries: &[StateEntry]) -> u64 {
    let sizes = entries.iter().map(|it| it.key.len() + it.value.len());
    sizes.sum::<usize>() as u64
}

fn all<S: State>(state: &S) -> Pages<'_, S> {
    Pages::of(state, KeyRange::prefix(PREFIX)).at_most(PAGE)
}

fn written(decisions: &[&Decided]) -> Vec<u8> {
    serde_json::to_vec(decisions).unwrap_or_default()
}

fn read(entry: &StateEntry) -> Result<Vec<Decided>, Error> {
    serde_json::from_slice(&entry.value).map_err(|error| {
        let key = entry.key.escape_ascii();
        Error::internal(format!("the decisions under {key} cannot be read: {error}"))
    })
}

/// An identifier of a message without the brackets that mail puts around it.
fn bare(id: &str) -> &str {
    let id = id.trim();
    let within = id.strip_prefix('<').and_then(|id| id.strip_suffix('>'));
    within.unwrap_or(id)
}

#[cfg(test)]
mod tests;
