//! One user's objects: get, busy, list, changes, and where they are found. One call at a time works on an account.

mod write;

use crate::{dav, href::Href, remote::Remote, replica::Replica};
use convoke_sdk::prelude::*;
use std::time::Instant;
use tokio::sync::{Mutex, MutexGuard};

/// How often something is tried again that another program gets in the way of.
const ATTEMPTS: u32 = 8;

/// After so many queries for a UID the whole account is read instead: a server may go through all of it for each query.
const MOST_QUERIES: u32 = 16;

/// A calendar user, and what is known of its objects.
pub(crate) struct Account {
    remote: Remote,
    replica: Mutex<Replica>,
}

impl Account {
    pub(crate) fn new(remote: Remote) -> Self {
        let replica = Mutex::default();
        Self { remote, replica }
    }

    pub(crate) const fn user(&self) -> &CalendarUser {
        &self.remote.user
    }

    pub(crate) async fn get(&self, uid: &Uid) -> Result<Option<StoredObject>> {
        let mut replica = self.replica.lock().await;
        for _ in 0..ATTEMPTS {
            let Some(there) = self.locate(&mut replica, uid).await? else {
                return Ok(None);
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
        self.refreshed().await?.mirror.changes(since)
    }

    /// The state as it is on the server now.
    async fn refreshed(&self) -> Result<MutexGuard<'_, Replica>> {
        let asked = Instant::now();
        let mut replica = self.replica.lock().await;
        // While we waited for our turn, another call may have looked.
        if replica.seen.is_none_or(|seen| seen < asked) {
            self.remote.refresh(&mut replica).await?;
        }
        Ok(replica)
    }

    /// Where the object of this UID is.
    async fn locate(&self, replica: &mut Replica, uid: &Uid) -> Result<Option<There>> {
        if let Some(there) = known(replica, uid) {
            return Ok(Some(there));
        }
        if replica.seen.is_some() || replica.queries >= MOST_QUERIES || !dav::is_askable(uid) {
            self.remote.refresh(replica).await?;
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
