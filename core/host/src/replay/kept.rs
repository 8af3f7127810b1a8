//! Answers in a state that several hosts share: `replay/KEY` holds who sent the message and what it was answered, until its
//! signature dies; `replaying/KEY` which host works on it.

use super::{Repeatable, key::Key};
use crate::write_behind::WriteBehind;
use bytes::Bytes;
use convoke_plugin_host::StateHandle;
use convoke_scheduling::Peer;
use convoke_sdk::Scan;
use convoke_types::{Batch, Domain, Error, ErrorKind, KeyRange, StateEntry};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, net::IpAddr, sync::LazyLock, time::Duration};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

const PREFIX: &str = "replay/";
const CLAIMS: &str = "replaying/";
/// How long a host may work on a message, before another one believes that it ended; longer than answers take.
const WORKING: Duration = Duration::from_secs(30);
/// How long the answer of another host is waited for at most, whoever works on it: ours is to come in time, too.
const PATIENCE: Duration = Duration::from_secs(35);
/// How often it is looked whether another host has answered: after so long, and seldom as time passes.
const LOOK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// Answers read at once.
const PAGE: u32 = 200;

/// An answer from the state.
pub(super) struct Kept {
    pub(super) peer: Peer,
    pub(super) answer: Bytes,
    pub(super) expires_in: Duration,
}

/// What stands there.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    /// A domain, or a network address.
    #[serde(borrow)]
    peer: Cow<'a, str>,
    /// A schedule-response document.
    #[serde(borrow)]
    answer: Cow<'a, str>,
}

fn place(key: Key) -> Vec<u8> {
    format!("{PREFIX}{key}").into_bytes()
}

/// Has an answer written by and by.
pub(super) fn keep(writes: &WriteBehind, message: &Repeatable<'_>, now: Timestamp, answer: &Bytes) {
    let left = message.until.duration_since(now);
    // It is XML of ours; what has died already is of no use.
    if let (Ok(answer), Ok(left)) = (std::str::from_utf8(answer), Duration::try_from(left)) {
        let peer = message.peer.to_string();
        let written = Written {
            peer: peer.into(),
            answer: answer.into(),
        };
        // Texts can always be written.
        let value = serde_json::to_vec(&written).unwrap_or_default();
        writes.put(place(message.key), value, left);
    }
}

/// Has answers removed by and by that had to go from memory.
pub(super) fn forget(writes: &WriteBehind, gone: &[Key]) {
    for key in gone {
        writes.delete(place(*key));
    }
}

/// What a message was answered before. A state that cannot be asked knows nothing: it is named in the log, and what comes
/// twice does no harm.
pub(super) async fn recall(state: &StateHandle, key: Key) -> Option<Bytes> {
    let entry = state.get(&place(key)).await.ok()??;
    read(&entry).map(|(_, kept)| kept.answer)
}

/// Who works on a message.
pub(super) enum Turn {
    /// This host, by this claim where hosts share the state.
    Ours(Option<Claim>),
    /// Somebody did: the answer.
    Done(Bytes),
}

/// That this host works on a message, and others wait for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    since: Instant,
}

impl Claim {
    /// Whether others may have stopped waiting.
    pub(super) fn has_ended(self) -> bool {
        self.since.elapsed() >= WORKING
    }
}

/// Has one of several hosts work on a message: this one, unless another one does, whose answer is waited for. If the state cannot
/// be asked, or nobody answers for long, it is this one: what is processed twice does no harm.
pub(super) async fn claim(state: &StateHandle, key: Key) -> Turn {
    let claim = claim_of(key);
    let batch = Batch::new().if_absent(claim.clone()).if_absent(place(key));
    let batch = batch.put_for(claim.clone(), RUN.as_bytes(), WORKING);
    let begun = Instant::now();
    let mut wait = LOOK.0;
    loop {
        // From before the state's clock begins to count.
        let since = Instant::now();
        match state.commit(&batch).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            _ => return Turn::Ours(Some(Claim { since })),
        }
        if let Some(answer) = recall(state, key).await {
            return Turn::Done(answer);
        }
        // Ours: whoever waited for it went away; of those that are here, one works.
        let is_ours = |there: StateEntry| there.value == RUN.as_bytes();
        let there = state.get(&claim).await;
        if there.is_ok_and(|it| it.is_some_and(is_ours)) || begun.elapsed() > PATIENCE {
            return Turn::Ours(Some(Claim { since: begun }));
        }
        sleep(wait).await;
        wait = (wait * 2).min(LOOK.1);
    }
}

/// Others need not wait for this host any more: by then the answer is in the state, or is none that is remembered.
pub(super) fn let_go(writes: &WriteBehind, key: Key) {
    writes.delete(claim_of(key));
}

/// Tells the claims of this process from those of others.
static RUN: LazyLock<String> = LazyLock::new(|| Uuid::new_v4().simple().to_string());

fn claim_of(key: Key) -> Vec<u8> {
    format!("{CLAIMS}{key}").into_bytes()
}

/// Everything that is there. What cannot be read is left to expire.
pub(super) async fn all(state: &StateHandle, mut each: impl FnMut(Key, Kept)) -> Result<(), Error> {
    let mut range = KeyRange::prefix(PREFIX);
    loop {
        let page = state.scan(&Scan::new(range.clone(), PAGE)).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        range = range.after(&last.key);
        for (key, kept) in page.iter().filter_map(read) {
            each(key, kept);
        }
    }
}

fn read(entry: &StateEntry) -> Option<(Key, Kept)> {
    let key = Key::read(entry.key.strip_prefix(PREFIX.as_bytes())?)?;
    let written: Written<'_> = serde_json::from_slice(&entry.value).ok()?;
    let kept = Kept {
        peer: peer(&written.peer)?,
        answer: written.answer.into_owned().into(),
        expires_in: entry.expires_in?,
    };
    Some((key, kept))
}

/// Reads who sent a message.
pub(super) fn peer(written: &str) -> Option<Peer> {
    let network = written.parse::<IpAddr>().map(Peer::Network).ok();
    network.or_else(|| Domain::new(written).map(Peer::Domain).ok())
}
