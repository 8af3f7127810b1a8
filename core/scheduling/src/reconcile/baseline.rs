//! The first look at a calendar: what is there is known, and so is whom its owner has invited or answered; nobody is told.
//!
//! A change that waits to be released waits on, as where a state was restored from a backup: what others know of that object is
//! what is remembered, not what is there.

use super::{Looked, compare::recalled, record::Record};
use crate::{
    environment::{Clock, Environment, Home, HomeOf, State},
    keys,
    pages::Pages,
    person::Person,
    scheduler::Scheduler,
    state,
    stored::{ATTEMPTS, read},
};
use convoke_calendar::tree::Calendar;
use convoke_types::{Batch, CalendarAddress, CalendarUser, Error, ErrorKind, ObjectSummary, Uid};
use std::collections::BTreeSet;

/// Objects that one commit makes known.
const PAGE: usize = 100;

/// What is found of which nothing was remembered.
#[derive(Default)]
struct Found {
    /// Objects that tell of deliveries.
    orphans: usize,
    /// Whom their owner has invited or answered.
    acquaintances: BTreeSet<CalendarAddress>,
}

impl Found {
    fn acquaint(&mut self, user: &CalendarUser, object: &Calendar) {
        let person = Person::of(user);
        let known = person.owner().acquaintances(object);
        self.acquaintances.extend(known);
    }
}

impl<E: Environment> Scheduler<E> {
    /// Takes what is in a calendar for what others know.
    pub(super) async fn baseline(
        &self,
        home: &HomeOf<E>,
        version: Option<u64>,
    ) -> Result<Looked, Error> {
        let user = home.user();
        let mut changes = home.changes(None).await?;
        let objects = changes.changed.len();
        let held = self.held(Some(user)).await?.into_iter();
        let held: BTreeSet<Uid> = held.map(|it| it.uid).collect();
        changes.changed.retain(|it| !held.contains(&it.uid));
        let mut orphans = 0;
        for page in changes.changed.chunks(PAGE) {
            orphans += self.all_known_as_stored(home, page).await?;
        }
        let record = Record {
            since: self.environment.clock().now(),
            store: home.store().to_owned(),
            user: Some(user.id.clone()),
            cursor: changes.cursor.clone(),
            pending: held,
            is_restored: false,
        };
        let key = keys::user(user);
        let batch = state::unchanged(Batch::new(), &key, version).put(key, state::write(&record));
        self.environment.state().commit(batch).await?;
        tracing::info!(
            event = "calendar-first-look", user = %user.address, objects,
            "what changes from now on is told; what is there already is not"
        );
        if orphans > 0 {
            tracing::warn!(
                event = "ledger-missing", user = %user.address, objects = orphans,
                "messages about {orphans} of these objects were delivered before (they have SCHEDULE-STATUS), and nothing is remembered \
                 of that: if this host sent them, its state is lost. What changed while nothing was remembered is told to nobody; \
                 which versions and answers were received is not known, so the next message from an organizer or attendee counts"
            );
        }
        Ok(Looked {
            first: true,
            ..Looked::at(changes.cursor)
        })
    }

    /// Answers with how many of these objects tell of deliveries that nothing is remembered of.
    async fn all_known_as_stored(
        &self,
        home: &HomeOf<E>,
        page: &[ObjectSummary],
    ) -> Result<usize, Error> {
        for _ in 0..ATTEMPTS {
            let (mut batch, mut found) = (Batch::new(), Found::default());
            for object in page {
                let uid = &object.uid;
                batch = self.known_as_stored(home, uid, batch, &mut found).await?;
            }
            if batch.writes.is_empty() {
                return Ok(0);
            }
            // Before the ledgers, without which they are found again.
            let known = &found.acquaintances;
            self.introduce_all(home.user(), known).await?;
            match self.environment.state().commit(batch).await {
                // A message came in for one of them meanwhile.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done.map(|_| found.orphans),
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
        found: &mut Found,
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
        let remembered = moved.remembered(&self.limits);
        if remembered.is_none() {
            moved.find(&copy);
            found.acquaint(home.user(), &copy);
            found.orphans += usize::from(tells_of_deliveries(&copy));
        }
        let copy = recalled(&copy, remembered.as_ref(), home.user());
        moved.agree(&copy, Some(stored.etag));
        let key = keys::ledger(home.user(), uid);
        let batch = state::unchanged(batch, &key, ledger.version);
        Ok(moved.put(batch, key))
    }

    /// Every object of a user of which something is remembered.
    pub(super) async fn remembered_uids(&self, home: &HomeOf<E>) -> Result<Vec<Uid>, Error> {
        let mut uids = Vec::new();
        let ledger = keys::ledger_of(home.user());
        let mut pages = Pages::of(self.environment.state(), ledger);
        while let Some(page) = pages.next().await? {
            for entry in &page {
                let ledger: crate::ledger::Ledger = state::read(entry)?;
                let object = ledger.remembered(&self.limits).filter(|_| !ledger.gone);
                uids.extend(object.and_then(|it| it.uid()));
            }
        }
        Ok(uids)
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

/// Whether a scheduling server has noted in an object what it delivered (RFC 6638 §7.3).
fn tells_of_deliveries(object: &Calendar) -> bool {
    let mut lines = object.main_components().flat_map(|it| &it.properties);
    lines.any(|line| line.param("SCHEDULE-STATUS").is_some())
}
