//! Messages as they came, for calendar programs that show them (RFC 6638 §2.2).
//!
//! What a message means for the calendar is in the calendar, and what a person has to decide is in the store's inbox, whether a
//! program reads this or not. So copies are written behind ([`WriteBehind`]): one that is lost is missed by nobody but who looks.
//!
//! Each user has places for so many messages and no more: a message takes that of an earlier one of the same sender about the
//! same instances, or, seldom, that of another one. It is there until a program removes it, and for 30 days at most.

use crate::{state::OurState, write_behind::WriteBehind};
use convoke_scheduling::{Arrived, Processor, State};
use convoke_types::{Batch, CalendarUser, Error, ErrorKind, KeyRange, StateEntry};
use sha2::{Digest, Sha256};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// Places of a user.
const PLACES: u8 = 128;
/// How long a message is there.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest message that is there, in bytes.
const LONGEST: usize = 64 << 10;
/// What an inbox takes at most while it is read, in bytes.
pub(crate) const MOST: usize = PLACES as usize * LONGEST;
/// Of a digest, as many letters make a name.
const NAME: usize = 32;

/// Where messages go for programs that show them.
#[derive(Default)]
pub(crate) struct ProgramInboxes {
    is_wanted: AtomicBool,
}

/// A message in the inbox of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// What it is called: the same bytes are called the same.
    pub(crate) name: String,
    /// As it came.
    pub(crate) data: Vec<u8>,
    key: Vec<u8>,
    version: u64,
}

impl Shown {
    fn of(entry: StateEntry) -> Self {
        let mut name = digest(&entry.value);
        name.truncate(NAME);
        Self {
            name: name + ".ics",
            data: entry.value,
            key: entry.key,
            version: entry.version,
        }
    }

    /// Its entity tag.
    pub(crate) fn tag(&self) -> String {
        format!("\"{}\"", self.name.trim_end_matches(".ics"))
    }
}

impl ProgramInboxes {
    /// Whether there is a listener for calendar programs.
    pub(crate) fn want(&self, is_wanted: bool) {
        self.is_wanted.store(is_wanted, Ordering::Relaxed);
    }

    /// Has a message shown.
    pub(crate) fn add(&self, writes: &WriteBehind, arrived: &Arrived<'_>) {
        if self.is_wanted.load(Ordering::Relaxed) && arrived.data.len() <= LONGEST {
            writes.put(place(arrived), arrived.data.to_vec(), KEPT);
        }
    }
}

/// The messages of a user, in the order of their names.
pub(crate) async fn list(
    state: &OurState,
    processor: &impl Processor,
    user: &CalendarUser,
) -> Result<Vec<Shown>, Error> {
    let range = KeyRange::prefix(prefix(user));
    let entries = state.scan(&range, u32::from(PLACES)).await?;
    let size = entries.iter().map(|it| it.value.len()).sum();
    let name = || {
        let mut all: Vec<Shown> = entries.into_iter().map(Shown::of).collect();
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        all.dedup_by(|one, other| one.name == other.name);
        all
    };
    Ok(processor.run(size, name).await)
}

/// Removes a message, and none that has come to its place since.
pub(crate) async fn remove(
    state: &OurState,
    writes: &WriteBehind,
    shown: Shown,
) -> Result<(), Error> {
    // If it waits to be written once more.
    writes.withdraw(&shown.key, &shown.data);
    let removal = Batch::new().if_version(shown.key.as_slice(), shown.version);
    match state.commit(removal.delete(shown.key)).await {
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
        done => done.map(drop),
    }
}

/// What is newer of the same sender about the same instances takes the place of what is older.
fn place(arrived: &Arrived<'_>) -> Vec<u8> {
    let message = arrived.message;
    let mut digest = Sha256::new();
    for part in [
        message.uid().as_str(),
        &message.instance_names(),
        arrived.originator.as_str(),
    ] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let place = digest.finalize()[0] % PLACES;
    format!("{}{place:02x}", prefix(arrived.user)).into_bytes()
}

/// All that is kept of a user.
pub(crate) fn kept_of(user: &CalendarUser) -> KeyRange {
    KeyRange::prefix(prefix(user))
}

fn prefix(user: &CalendarUser) -> String {
    let user = user.address.as_str().to_ascii_lowercase();
    format!("caldav-inbox/{}/", digest(user.as_bytes()))
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
