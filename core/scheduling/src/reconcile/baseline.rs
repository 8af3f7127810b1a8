//! The first look at a calendar: what is there is known, and nobody is told.

use super::{Looked, record::Record};
use crate::{
    environment::{Clock, Environment, Home, HomeOf, State},
    keys,
    scheduler::Scheduler,
    state,
    stored::{ATTEMPTS, read},
};
use convoke_calendar::itip;
use convoke_types::{Batch, Error, ErrorKind, ObjectSummary, Uid};
use std::collections::BTreeSet;

/// Objects that one commit makes known.
const PAGE: usize = 100;

impl<E: Environment> Scheduler<E> {
    /// Takes what is in a calendar for what others know.
    pub(super) async fn baseline(
        &self,
        home: &HomeOf<E>,
        version: Option<u64>,
    ) -> Result<Looked, Error> {
        let user = home.user();
        let changes = home.changes(None).await?;
        for page in changes.changed.chunks(PAGE) {
            self.all_known_as_stored(home, page).await?;
        }
        let record = Record {
            since: self.environment.clock().now(),
            store: home.store().to_owned(),
            cursor: changes.cursor.clone(),
            pending: BTreeSet::new(),
        };
        let key = keys::user(user);
        let batch = state::unchanged(Batch::new(), &key, version).put(key, state::write(&record));
        self.environment.state().commit(batch).await?;
        tracing::info!(
            event = "calendar-first-look", user = %user.address, objects = changes.changed.len(),
            "what changes from now on is told; what is there already is not"
        );
        Ok(Looked {
            first: true,
            ..Looked::at(changes.cursor)
        })
    }

    async fn all_known_as_stored(
        &self,
        home: &HomeOf<E>,
        page: &[ObjectSummary],
    ) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let mut batch = Batch::new();
            for object in page {
                batch = self.known_as_stored(home, &object.uid, batch).await?;
            }
            if batch.writes.is_empty() {
                return Ok(());
            }
            match self.environment.state().commit(batch).await {
                // A message came in for one of them meanwhile.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done.map(drop),
            }
        }
        let text = "messages came in again and again while a calendar was looked at first";
        Err(Error::unavailable(text))
    }

    async fn known_as_stored(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
        batch: Batch,
    ) -> Result<Batch, Error> {
        let Some(stored) = home.get(uid).await? else {
            return Ok(batch);
        };
        let ledger = self.ledger(home.user(), uid).await?;
        let known = ledger.value.as_ref().and_then(|it| it.etag.as_ref());
        let Ok(copy) = read(&stored, &self.limits) else {
            return Ok(batch);
        };
        if known == Some(&stored.etag) {
            return Ok(batch);
        }
        let mut moved = ledger.value.unwrap_or_default();
        let copy = match moved.remembered(&self.limits) {
            Some(remembered) => itip::recall(&copy, &remembered),
            None => copy,
        };
        moved.agree(&copy, Some(stored.etag));
        let key = keys::ledger(home.user(), uid);
        let batch = state::unchanged(batch, &key, ledger.version);
        Ok(moved.put(batch, key))
    }

    /// Every object of a user of which something is remembered.
    pub(super) async fn remembered_uids(&self, home: &HomeOf<E>) -> Result<Vec<Uid>, Error> {
        let mut uids = Vec::new();
        let mut range = keys::ledger_of(home.user());
        loop {
            let page = self.environment.state().scan(&range, 1_000).await?;
            let Some(last) = page.last() else {
                return Ok(uids);
            };
            range = range.after(&last.key);
            for entry in &page {
                let ledger: crate::ledger::Ledger = state::read(entry)?;
                let object = ledger.remembered(&self.limits).filter(|_| !ledger.gone);
                uids.extend(object.and_then(|it| it.uid()));
            }
        }
    }

    /// Forgets how far a calendar has been looked at: the next look is a first one. For a user whose changes are told to
    /// nobody for now.
    pub async fn forget_calendar(&self, home: &HomeOf<E>) -> Result<(), Error> {
        let key = keys::user(home.user());
        if self.environment.state().get(&key).await?.is_some() {
            let batch = Batch::new().delete(key);
            self.environment.state().commit(batch).await?;
        }
        Ok(())
    }
}
