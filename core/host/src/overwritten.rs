//! Versions of objects that this host has written over by itself: with delivery statuses, and with answers that came in.
//!
//! A program that read such a version and names it (`If-Match`) has missed nothing that a program wrote, and would be told of a
//! conflict with nobody (RFC 6638 §3.2.10 has schedule tags for that, which not all programs know). So of each such version it is
//! kept what programs had written of it, as a digest: if what is there now says the same, only we wrote since.
//!
//! Of each object the last few are kept for a week. They are written behind ([`WriteBehind`]): of one that is lost a program
//! is told of a conflict, as it would be anyway.

use crate::{state::OurState, write_behind::WriteBehind};
use convoke_caldav::schedule_tag::written_by_programs;
use convoke_calendar::tree::{Calendar, Limits, Property};
use convoke_scheduling::State;
use convoke_types::{CalendarAddress, CalendarUser, Error, Etag, KeyRange, StoredObject, Uid};
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// Versions of one object.
const MOST: usize = 8;
/// How long one is known.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Objects whose versions are known without the state.
const OBJECTS: u64 = 10_000;
/// Larger ones are not worth the work, in bytes.
const LARGEST: usize = 256 << 10;

/// Versions that were written over.
pub(crate) struct Overwritten {
    is_wanted: AtomicBool,
    /// By object; those that were written over last come last.
    lately: Cache<String, Vec<Version>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    etag: Etag,
    /// What programs had written of it.
    said: String,
}

impl Default for Overwritten {
    fn default() -> Self {
        let lately = Cache::builder().max_capacity(OBJECTS);
        Self {
            is_wanted: AtomicBool::default(),
            lately: lately.time_to_live(KEPT).build(),
        }
    }
}

impl Overwritten {
    /// Whether there is a listener for calendar programs.
    pub(crate) fn want(&self, is_wanted: bool) {
        self.is_wanted.store(is_wanted, Ordering::Relaxed);
    }

    /// Takes note of a version that is about to be written over.
    pub(crate) fn add(&self, writes: &WriteBehind, user: &CalendarUser, object: &StoredObject) {
        if !self.is_wanted.load(Ordering::Relaxed) || object.data.len() > LARGEST {
            return;
        }
        let Some(said) = said(user, &object.data) else {
            return;
        };
        let of_object = prefix(user, &object.uid);
        let mut versions = self.lately.get(&of_object).unwrap_or_default();
        versions.retain(|it| it.etag != object.etag);
        if versions.len() >= MOST {
            let oldest = versions.remove(0);
            writes.delete(key(&of_object, &oldest.etag));
        }
        let value = said.clone().into_bytes();
        writes.put(key(&of_object, &object.etag), value, KEPT);
        versions.push(Version {
            etag: object.etag.clone(),
            said,
        });
        self.lately.insert(of_object, versions);
    }

    /// Whether programs wrote the same of one of these versions as of `there`, so that only we wrote since.
    pub(crate) async fn is_there_still(
        &self,
        state: &OurState,
        user: &CalendarUser,
        there: &StoredObject,
        versions: impl IntoIterator<Item = Etag>,
    ) -> Result<bool, Error> {
        let mut now = None;
        for etag in versions.into_iter().take(MOST) {
            if let Some(then) = self.said_by(state, user, &there.uid, &etag).await? {
                let now = now.get_or_insert_with(|| said(user, &there.data));
                if now.as_ref() == Some(&then) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether one of these is a version of an object that was written over.
    pub(crate) async fn knows(
        &self,
        state: &OurState,
        user: &CalendarUser,
        uid: &Uid,
        versions: impl IntoIterator<Item = Etag>,
    ) -> Result<bool, Error> {
        for etag in versions.into_iter().take(MOST) {
            if self.said_by(state, user, uid, &etag).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn said_by(
        &self,
        state: &OurState,
        user: &CalendarUser,
        uid: &Uid,
        etag: &Etag,
    ) -> Result<Option<String>, Error> {
        let of_object = prefix(user, uid);
        let lately = self.lately.get(&of_object).unwrap_or_default();
        if let Some(version) = lately.into_iter().find(|it| it.etag == *etag) {
            return Ok(Some(version.said));
        }
        // Before this host started, or by another one.
        let entry = state.get(&key(&of_object, etag)).await?;
        Ok(entry.and_then(|it| String::from_utf8(it.value).ok()))
    }
}

/// What programs wrote of an object; `None` if it cannot be read.
fn said(user: &CalendarUser, data: &[u8]) -> Option<String> {
    let calendar = Calendar::parse_stored(data, &Limits::default()).ok()?;
    Some(written_by_programs(&calendar, &own_lines(user)))
}

/// Which lines of an object are its owner's.
pub(crate) fn own_lines(user: &CalendarUser) -> impl Fn(&Property) -> bool {
    |line| {
        let address = CalendarAddress::new(&line.value);
        address.is_ok_and(|it| user.answers_to(&it))
    }
}

/// All that is kept of a user.
pub(crate) fn kept_of(user: &CalendarUser) -> KeyRange {
    KeyRange::prefix(of_user(user))
}

fn prefix(user: &CalendarUser, uid: &Uid) -> String {
    format!("{}{}/", of_user(user), digest(uid.as_str()))
}

fn of_user(user: &CalendarUser) -> String {
    let user = user.address.as_str().to_ascii_lowercase();
    format!("caldav-overwritten/{}/", digest(&user))
}

fn key(of_object: &str, etag: &Etag) -> Vec<u8> {
    format!("{of_object}{}", digest(etag.as_str())).into_bytes()
}

fn digest(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_types::UserId;

    #[test]
    fn the_last_few_versions_of_an_object_are_known() {
        let (overwritten, writes) = (Overwritten::default(), WriteBehind::default());
        let address = CalendarAddress::new("anna@example.org").unwrap();
        let user = CalendarUser::new(UserId::new("anna").unwrap(), address);
        let uid = Uid::new("1").unwrap();
        let version = |number: usize| {
            let data = format!(
                "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:{number}\nEND:VEVENT\nEND:VCALENDAR\n"
            );
            let etag = Etag::new(number.to_string()).unwrap();
            StoredObject::new(uid.clone(), etag, data.into_bytes())
        };
        let known = || {
            let versions = overwritten.lately.get(&prefix(&user, &uid));
            let versions = versions.unwrap_or_default().into_iter();
            versions.map(|it| it.etag.to_string()).collect::<Vec<_>>()
        };
        overwritten.add(&writes, &user, &version(0));
        assert!(known().is_empty(), "nobody wants to know");
        overwritten.want(true);
        for number in [0, 1, 2, 3, 4, 5, 6, 7, 0, 8] {
            overwritten.add(&writes, &user, &version(number));
        }
        assert_eq!(known(), ["2", "3", "4", "5", "6", "7", "0", "8"]);
    }
}
