//! One user's objects: get, busy, list, changes, and where they are found. One call at a time works on an account.

mod locked;
mod write;

use crate::{
    dav,
    href::Href,
    news::News,
    pace::{Found, Pace},
    remote::Remote,
    replica::Replica,
};
use convoke_sdk::prelude::*;
use locked::Locked;
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// How often something is tried again that another program gets in the way of.
const ATTEMPTS: u32 = 8;

/// After so many queries for a UID the whole account is read instead: a server may go through all of it for each query.
const MOST_QUERIES: u32 = 16;

/// A calendar user, and what is known of its objects.
pub(crate) struct Account {
    remote: Remote,
    replica: tokio::sync::Mutex<Replica>,
    pace: Mutex<Pace>,
    news: News,
}

impl Account {
    /// `news` is told of what happens to the objects.
    pub(crate) fn new(remote: Remote, pace: Pace, news: News) -> Self {
        Self {
            remote,
            replica: tokio::sync::Mutex::default(),
            pace: Mutex::new(pace),
            news,
        }
    }

    pub(crate) const fn user(&self) -> &CalendarUser {
        &self.remote.user
    }

    pub(crate) fn origin(&self) -> &str {
        self.remote.server.origin()
    }

    /// When it is looked at next.
    pub(crate) fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn get(&self, uid: &Uid) -> Result<Option<StoredObject>> {
        let mut replica = self.lock().await;
        for _ in 0..ATTEMPTS {
            let Some(there) = self.locate(&mut replica, uid).await? else {
                return self.check_readable(&replica, uid).map(|()| None);
            };
            if let Some(object) = self.remote.fetch(&mut replica, &there.href).await?
                && object.uid == *uid
            {
                return Ok(Some(object));
            }
        }
        Err(self.remote.keeps_changing(uid))
    }

    pub(crate) async fn busy(&self, range: TimeRange) -> Result<Busy> {
        let mut replica = self.refreshed().await?;
        'again: for _ in 0..ATTEMPTS {
            let mut objects = Vec::new();
            for href in replica.mirror.open(range) {
                match self.remote.fetch(&mut replica, &href).await? {
                    Some(object) => objects.push(object),
                    None => continue 'again,
                }
            }
            let spans = replica.mirror.spans(range);
            return Ok(Busy::new(spans, objects));
        }
        Err(self.remote.server.unavailable(
            "its objects change each time they are looked at; see what other programs do there",
        ))
    }

    pub(crate) async fn list(&self, page: &Page) -> Result<Listing<ObjectSummary>> {
        self.refreshed().await?.mirror.list(page)
    }

    pub(crate) async fn changes(&self, since: Option<&Cursor>) -> Result<Changes> {
        let mut replica = self.refreshed().await?;
        let mut gone = BTreeSet::new();
        for _ in 0..ATTEMPTS {
            let changes = replica.mirror.changes(since)?;
            if changes.removed.iter().all(|uid| gone.contains(uid)) {
                return Ok(changes);
            }
            // It may have been moved to a calendar that had been looked at already: gone is what is not there twice.
            gone = changes.removed.into_iter().collect();
            self.refresh(&mut replica).await?;
        }
        replica.mirror.changes(since)
    }

    /// What happened since the cursor, as far as it is known; `None` if another call works on the account.
    pub(crate) fn known_changes(&self, since: &Cursor) -> Option<Result<Changes>> {
        let replica = self.replica.try_lock().ok()?;
        Some(replica.mirror.changes(Some(since)))
    }

    /// Looks at the server.
    pub(crate) async fn look(&self) -> Result<()> {
        self.refreshed().await.map(drop)
    }

    /// The state as it is on the server now.
    async fn refreshed(&self) -> Result<Locked<'_>> {
        let asked = Instant::now();
        let mut replica = self.lock().await;
        // While we waited for our turn, another call may have looked.
        if replica.seen.is_none_or(|seen| seen < asked) {
            self.refresh(&mut replica).await?;
        }
        Ok(replica)
    }

    /// Makes known what changed on the server.
    async fn refresh(&self, replica: &mut Replica) -> Result<()> {
        let before = replica.seen.map(|_| replica.mirror.cursor());
        let refreshed = self.remote.refresh(replica).await;
        self.remote.log_duplicates(replica);
        let found = match (&refreshed, before) {
            (Err(error), _) => Found::Failure(error.clone()),
            (Ok(()), None) => Found::Everything,
            (Ok(()), Some(before)) if before == replica.mirror.cursor() => Found::Nothing,
            (Ok(()), Some(_)) => Found::Something,
        };
        self.pace().looked(&self.user().id, found);
        refreshed
    }

    async fn lock(&self) -> Locked<'_> {
        Locked::new(self.replica.lock().await, &self.news)
    }

    /// Fails if an object stands where it cannot be read: whoever took it for new would write it twice, and whoever took it
    /// for gone would cancel it.
    fn check_readable(&self, replica: &Replica, uid: &Uid) -> Result<()> {
        let mirror = &replica.mirror;
        let mut unnamed = mirror.unnamed();
        let named = || unnamed.find(|(href, _)| href.is_of(uid));
        let Some((href, unreadable)) = mirror.find_unreadable(uid).or_else(named) else {
            return Ok(());
        };
        Err(self.remote.server.unavailable(format!(
            "the object with the UID {uid} is {href} and cannot be read ({}); mend or remove it: until then it is neither \
             changed nor written anew",
            unreadable.problem
        )))
    }

    /// Where the object of this UID is.
    async fn locate(&self, replica: &mut Replica, uid: &Uid) -> Result<Option<There>> {
        if let Some(there) = known(replica, uid) {
            return Ok(Some(there));
        }
        if replica.seen.is_some() || replica.queries >= MOST_QUERIES || !dav::is_askable(uid) {
            self.refresh(replica).await?;
        } else {
            replica.queries += 1;
            self.remote.query(replica, uid).await?;
        }
        Ok(known(replica, uid))
    }
}

/// An object on the server.
struct There {
    href: Href,
    etag: Etag,
}

fn known(replica: &Replica, uid: &Uid) -> Option<There> {
    let (href, known, _) = replica.mirror.find(uid)?;
    Some(There {
        href: Href::clone(href),
        etag: known.state.clone(),
    })
}
