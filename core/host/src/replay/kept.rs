//! Answers in the state: `replay/KEY` holds who sent the message and what it was answered, until its signature dies.

use super::{Repeatable, key::Key};
use crate::write_behind::WriteBehind;
use bytes::Bytes;
use convoke_plugin_host::StateHandle;
use convoke_scheduling::Peer;
use convoke_sdk::Scan;
use convoke_types::{Domain, Error, KeyRange, StateEntry};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, net::IpAddr, time::Duration};

const PREFIX: &str = "replay/";
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
    let network = written.peer.parse::<IpAddr>().map(Peer::Network).ok();
    let domain = || Domain::new(&written.peer).map(Peer::Domain).ok();
    let kept = Kept {
        peer: network.or_else(domain)?,
        answer: written.answer.into_owned().into(),
        expires_in: entry.expires_in?,
    };
    Some((key, kept))
}
