//! What the objects of a calendar are called in paths.
//!
//! A store knows objects by their UID, and most programs call an object `UID.ics`. What is called otherwise is kept in the state,
//! both ways:
//!
//! ```text
//! caldav-name/USER/DIGEST of the name    the UID
//! caldav-uid/USER/DIGEST of the UID      the UID, a line feed, and the name
//! ```
//!
//! An object that no program has named gets a name when it is first listed: the usual one, or, where that is another object's
//! or would not stand well in a path, one made of a digest. So a name means one UID, and a UID has one name.
//!
//! Of objects that were renamed, [`renames`] tells programs that saw their old names.
//!
//! What is removed keeps its name for a while, so that other programs learn by that name that it is gone.

use super::{
    renames::{self, Renamed},
    session::Session,
};
use crate::state::OurState;
use convoke_scheduling::{Environment, Home, Pages, State};
use convoke_types::{Batch, CalendarUser, Error, ErrorKind, KeyRange, StateEntry, Uid};
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use tokio::sync::OwnedMutexGuard;

/// More names than so many are read by reading all.
const FEW: usize = 50;
/// How long the name of a removed object is known.
const REMOVED: Duration = Duration::from_secs(90 * 24 * 3600);
/// How often a change is tried that others were faster than.
const TRIES: usize = 10;
/// A UID longer than this is not part of a name, in bytes.
const MAX_UID: usize = 200;

/// The name of an object that nobody named; `None`: its UID would not stand well in a path.
fn usual(uid: &Uid) -> Option<String> {
    let uid = uid.as_str();
    let stands = |it: u8| it.is_ascii_graphic() && !b"/\\%?#".contains(&it);
    let is_fine = uid.len() <= MAX_UID && !uid.starts_with('.') && uid.bytes().all(stands);
    is_fine.then(|| format!("{uid}.ics"))
}

/// The names of a user's objects.
pub(super) struct Names<'a, S> {
    state: &'a S,
    user: &'a CalendarUser,
}

impl<'a> Names<'a, OurState> {
    pub(super) fn of(session: &'a Session<'_>) -> Self {
        Self {
            state: session.instance.scheduler.environment().state(),
            user: session.user(),
        }
    }

    /// While it is held, nobody else gives a name to an object of the user by this host.
    pub(super) async fn lock(session: &Session<'_>) -> OwnedMutexGuard<()> {
        let views = &session.instance.calendar_views;
        let (store, user) = (session.home.store(), &session.user().id);
        views.lock_names(store, user).await
    }
}

impl<S: State> Names<'_, S> {
    /// The UID of the object of a name; `None`: no object can have it.
    pub(super) async fn uid(&self, name: &str) -> Result<Option<Uid>, Error> {
        if let Some(entry) = self.state.get(&self.by_name(name)).await? {
            return Ok(uid_in(&entry));
        }
        let uid = name.strip_suffix(".ics");
        let uid = uid.and_then(|uid| Uid::new(uid).ok());
        let Some(uid) = uid.filter(|uid| usual(uid).as_deref() == Some(name)) else {
            return Ok(None);
        };
        // Not if a program called it otherwise.
        let is_named = self.state.get(&self.by_uid(&uid)).await?.is_some();
        Ok((!is_named).then_some(uid))
    }

    /// The name of the object of a UID.
    pub(super) async fn name(&self, uid: &Uid) -> Result<String, Error> {
        for _ in 0..TRIES {
            let named = self.state.get(&self.by_uid(uid)).await?;
            if let Some((_, name)) = named.as_ref().and_then(both_in) {
                return Ok(name);
            }
            if let Some(usual) = usual(uid) {
                let taken = self.state.get(&self.by_name(&usual)).await?;
                if taken.is_none_or(|it| uid_in(&it).as_ref() == Some(uid)) {
                    return Ok(usual);
                }
            }
            let name = format!("{}.ics", digest(uid.as_str()));
            let batch = Batch::new().if_absent(self.by_uid(uid));
            let batch = batch.if_absent(self.by_name(&name));
            match self.state.commit(self.named(batch, uid, &name)).await {
                Ok(_) => return Ok(name),
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// The names of the objects of these UIDs.
    pub(super) async fn names(&self, uids: &[&Uid]) -> Result<HashMap<Uid, String>, Error> {
        let mut names = HashMap::with_capacity(uids.len());
        if uids.len() <= FEW {
            for &uid in uids {
                names.insert(uid.clone(), self.name(uid).await?);
            }
            return Ok(names);
        }
        let kept = self.all().await?;
        let taken: HashSet<&str> = kept.values().map(String::as_str).collect();
        for &uid in uids {
            let name = match (kept.get(uid.as_str()), usual(uid)) {
                (Some(name), _) => name.clone(),
                (None, Some(usual)) if !taken.contains(&*usual) => usual,
                (None, _) => self.name(uid).await?,
            };
            names.insert(uid.clone(), name);
        }
        Ok(names)
    }

    /// The names that are kept, by UID.
    async fn all(&self) -> Result<HashMap<String, String>, Error> {
        let mut names = HashMap::new();
        let all = KeyRange::prefix(prefix("caldav-uid", self.user));
        let mut pages = Pages::of(self.state, all);
        while let Some(page) = pages.next().await? {
            names.extend(page.iter().filter_map(both_in));
        }
        Ok(names)
    }

    /// An object that is about to be made has this name from now on, and no other. Whatever had the name is not there any more.
    pub(super) async fn set(&self, uid: &Uid, name: &str) -> Result<(), Error> {
        self.change(uid, name, None).await
    }

    /// An object that is there has another name from now on.
    pub(super) async fn rename(&self, uid: &Uid, from: &str, to: &str) -> Result<(), Error> {
        self.change(uid, to, Some(from)).await
    }

    async fn change(&self, uid: &Uid, name: &str, before: Option<&str>) -> Result<(), Error> {
        let (by_uid, by_name) = (self.by_uid(uid), self.by_name(name));
        for _ in 0..TRIES {
            let of_uid = self.state.get(&by_uid).await?;
            let of_name = self.state.get(&by_name).await?;
            let is_usual = usual(uid).as_deref() == Some(name);
            if is_usual && of_uid.is_none() && of_name.is_none() {
                return Ok(());
            }
            let mut batch = as_read(Batch::new(), &by_uid, of_uid.as_ref());
            batch = as_read(batch, &by_name, of_name.as_ref());
            if let Some((_, before)) = of_uid.as_ref().and_then(both_in)
                && before != name
            {
                batch = batch.delete(self.by_name(&before));
            }
            if let Some(other) = of_name.as_ref().and_then(uid_in)
                && other != *uid
            {
                let key = self.by_uid(&other);
                let entry = self.state.get(&key).await?;
                batch = as_read(batch, &key, entry.as_ref()).delete(key);
            }
            batch = if is_usual {
                batch.delete(by_uid.clone()).delete(by_name.clone())
            } else {
                self.named(batch, uid, name)
            };
            if let Some(before) = before {
                batch = renames::add(self.state, self.user, batch, uid, before).await?;
            }
            match self.state.commit(batch).await {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// Which objects were renamed since so many of them were; `None`: it is not known any more.
    pub(super) async fn renamed_since(&self, count: u64) -> Result<Option<Vec<Renamed>>, Error> {
        let renames = renames::all(self.state, self.user).await?;
        Ok(renames.since(count))
    }

    /// How many were renamed ever.
    pub(super) async fn renames(&self) -> Result<u64, Error> {
        Ok(renames::all(self.state, self.user).await?.count)
    }

    /// The object is gone: its name is known for a while.
    pub(super) async fn removed(&self, uid: &Uid, name: &str) -> Result<(), Error> {
        let (by_uid, by_name) = (self.by_uid(uid), self.by_name(name));
        let (Some(of_uid), Some(of_name)) = (
            self.state.get(&by_uid).await?,
            self.state.get(&by_name).await?,
        ) else {
            return Ok(());
        };
        let batch = as_read(Batch::new(), &by_uid, Some(&of_uid));
        let batch = as_read(batch, &by_name, Some(&of_name));
        let batch = batch.put_for(by_uid, of_uid.value, REMOVED);
        let batch = batch.put_for(by_name, of_name.value, REMOVED);
        match self.state.commit(batch).await {
            // Somebody has made it anew meanwhile.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            done => done.map(drop),
        }
    }

    fn named(&self, batch: Batch, uid: &Uid, name: &str) -> Batch {
        let both = format!("{uid}\n{name}");
        let batch = batch.put(self.by_uid(uid), both);
        batch.put(self.by_name(name), uid.as_str())
    }

    fn by_uid(&self, uid: &Uid) -> Vec<u8> {
        key("caldav-uid", self.user, uid.as_str())
    }

    fn by_name(&self, name: &str) -> Vec<u8> {
        key("caldav-name", self.user, name)
    }
}

/// Only if a key is still as it was read.
pub(super) fn as_read(batch: Batch, key: &[u8], entry: Option<&StateEntry>) -> Batch {
    match entry {
        Some(entry) => batch.if_version(key, entry.version),
        None => batch.if_absent(key),
    }
}

fn contended() -> Error {
    Error::unavailable("the names of objects were changed again and again meanwhile")
}

fn uid_in(entry: &StateEntry) -> Option<Uid> {
    Uid::new(std::str::from_utf8(&entry.value).ok()?).ok()
}

fn both_in(entry: &StateEntry) -> Option<(String, String)> {
    let (uid, name) = std::str::from_utf8(&entry.value).ok()?.split_once('\n')?;
    Some((uid.to_owned(), name.to_owned()))
}

/// All that is kept of a user's calendar for programs: names of objects, how they were renamed, properties.
pub(crate) fn kept_of(user: &CalendarUser) -> Vec<KeyRange> {
    let by_part = ["caldav-uid", "caldav-name"].map(|kind| prefix(kind, user).into_bytes());
    let own = ["caldav-renames", "caldav-properties"].map(|kind| key_of(kind, user));
    by_part
        .into_iter()
        .chain(own)
        .map(KeyRange::prefix)
        .collect()
}

fn prefix(kind: &str, user: &CalendarUser) -> String {
    let user = user.address.as_str().to_ascii_lowercase();
    format!("{kind}/{}/", digest(&user))
}

fn key(kind: &str, user: &CalendarUser, part: &str) -> Vec<u8> {
    (prefix(kind, user) + &digest(part)).into_bytes()
}

/// A key of a user's own.
pub(super) fn key_of(kind: &str, user: &CalendarUser) -> Vec<u8> {
    let mut key = prefix(kind, user);
    key.pop();
    key.into_bytes()
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
