//! People stay in their calendar programs: what they change there is told.
//!
//! [`Scheduler::reconcile`] looks at the calendar of one user and compares what the store holds with what the ledger says
//! that others know. Whatever differs is to be told, whoever wrote it, whenever; so a crash, a missed notification or a
//! second host change nothing: the next look finds the same difference.
//!
//! | module | what it does |
//! | --- | --- |
//! | `record` | how far a user's calendar has been looked at |
//! | `baseline` | the first look, at which nobody is told |
//! | `compare` | one object: what differs, and whom that concerns |
//! | `delete` | a command deletes an object |
//! | `at_once` | what a person writes through us is judged before, and told at once |
//! | `held` | many changes at once wait until somebody releases them |
//!
//! Manners: what is new at the first look is told to nobody; calendar programs save several times, so an object must be
//! quiet for [`Timing::settle`](crate::Timing::settle); if more than [`Timing::hold`](crate::Timing::hold) meetings changed
//! at once, be it one file after the other, or were removed one by one within a minute, somebody may have lost a calendar, and
//! they wait; meetings that are over tell nobody.

mod at_once;
mod baseline;
mod compare;
mod delete;
mod held;
mod record;
#[cfg(test)]
mod tests;

pub use at_once::{Forbidden, Telling};
pub use compare::adopt;
pub use held::{HeldChange, HeldId};

use crate::{
    environment::{Clock, Environment, Home, HomeOf, State},
    forget::forget_user,
    keys,
    pages::Pages,
    scheduler::Scheduler,
    state,
};
use compare::{Compared, log_unreadable};
use convoke_types::{
    Batch, CalendarAddress, Cursor, Error, ErrorKind, ObjectSummary, StateEntry, Uid,
};
use jiff::{SignedDuration, Timestamp};
use record::Record;
use std::{collections::BTreeSet, time::Duration};

/// The version of an object that cannot be read.
const UNREADABLE: &str = "unreadable";
/// How long after an object could not be read it is looked at again.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// How far a calendar was looked at, as it is put back from a backup: not at all.
pub(crate) fn put_back(looked: &StateEntry) -> Result<Vec<u8>, Error> {
    let record: Record = state::read(looked)?;
    Ok(state::write(&record.restored()))
}

/// What a look at a calendar led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Where the store's changes go on.
    pub cursor: Cursor,
    /// Objects about which somebody is told.
    pub told: usize,
    /// Objects whose changes wait to be released.
    pub held: usize,
    /// Objects that differ still: they are settling, or held.
    pub pending: usize,
    /// When to look again, as something has to be quiet until then.
    pub next: Option<Timestamp>,
    /// It was the first look: nobody is told.
    pub first: bool,
}

impl Looked {
    const fn at(cursor: Cursor) -> Self {
        Self {
            cursor,
            told: 0,
            held: 0,
            pending: 0,
            next: None,
            first: false,
        }
    }

    fn again_at(&mut self, at: Timestamp) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

/// Objects that differ, and have been quiet for long enough.
#[derive(Default)]
struct Quiet {
    /// Others are to be told.
    to_be_told: Vec<Uid>,
    /// They alone are to be written otherwise: that is nothing of which there may be too much at once.
    to_be_written: Vec<Uid>,
    /// How many others are to be told of later, as they are not quiet yet.
    settling: usize,
}

impl<E: Environment> Scheduler<E> {
    /// Looks at what changed in a calendar since the last look, and tells whom it concerns.
    pub async fn reconcile(&self, home: &HomeOf<E>) -> Result<Looked, Error> {
        self.look(home, self.timing.settle).await
    }

    /// As [`reconcile`](Self::reconcile), and what has just changed is told without having been quiet first: whoever changed it
    /// says that it is done.
    pub async fn reconcile_at_once(&self, home: &HomeOf<E>) -> Result<Looked, Error> {
        self.look(home, Duration::ZERO).await
    }

    /// Whose calendars in a store were looked at, as far as they are remembered.
    pub async fn looked_at(&self, store: &str) -> Result<Vec<CalendarAddress>, Error> {
        let mut looked_at = Vec::new();
        let mut pages = Pages::of(self.environment.state(), keys::users());
        while let Some(page) = pages.next().await? {
            for entry in &page {
                let record: Record = state::read(entry)?;
                if record.store == store {
                    looked_at.extend(keys::user_in(&entry.key));
                }
            }
        }
        Ok(looked_at)
    }

    async fn look(&self, home: &HomeOf<E>, settle: Duration) -> Result<Looked, Error> {
        let _one_at_a_time = self.shared.locks.of_calendar(home.user()).await;
        let key = keys::user(home.user());
        let record = state::get::<Record>(self.environment.state(), &key).await?;
        let Some(known) = record.value else {
            return self.baseline(home, record.version).await;
        };
        if known.is_restored {
            return self.baseline(home, record.version).await;
        }
        if known.is_of_another(home.user(), home.store()) {
            tracing::info!(
                event = "calendar-of-another", user = %home.user().address, store = home.store(),
                "this address is another calendar user's from now on; what is remembered of the earlier one is forgotten"
            );
            forget_user(self.environment.state(), home.user()).await?;
            return self.baseline(home, None).await;
        }
        let (cursor, mut pending) = self.changed_since(home, &known).await?;
        let mut looked = Looked::at(cursor.clone());
        if pending.is_empty() && cursor == known.cursor {
            return Ok(looked);
        }
        let quiet = self
            .compare_all(home, &mut pending, &mut looked, settle)
            .await?;
        self.tell_or_hold(home, quiet, &mut pending, &mut looked)
            .await?;
        looked.pending = pending.len();
        let seen = Record {
            store: home.store().to_owned(),
            user: Some(home.user().id.clone()),
            cursor,
            pending,
            ..known.clone()
        };
        if seen != known {
            let batch = state::unchanged(Batch::new(), &key, record.version);
            let batch = batch.put(key, state::write(&seen));
            self.environment.state().commit(batch).await?;
        }
        Ok(looked)
    }

    /// Where to go on, and the objects to look at: what changed since the last look, and what had to wait then.
    async fn changed_since(
        &self,
        home: &HomeOf<E>,
        known: &Record,
    ) -> Result<(Cursor, BTreeSet<Uid>), Error> {
        let mut pending = known.pending.clone();
        let told = if home.store() == known.store {
            home.changes(Some(&known.cursor)).await
        } else {
            let text = format!("it was in the store `{}`", known.store);
            Err(Error::invalid(text))
        };
        let changes = match told {
            Err(error) if error.kind() == ErrorKind::Invalid => {
                tracing::info!(
                    event = "calendar-looked-through", user = %home.user().address, store = home.store(),
                    "the store does not tell changes since the last look, so that all objects are compared: {error}"
                );
                let changes = home.changes(None).await?;
                pending.extend(self.remembered_uids(home).await?);
                changes
            }
            changes => changes?,
        };
        // What we have just delivered need not be compared.
        let locks = &self.shared.locks;
        let is_news = |it: &ObjectSummary| !locks.is_agreed(home.user(), it);
        let written = changes.changed.into_iter().filter(is_news);
        pending.extend(written.map(|it| it.uid));
        pending.extend(changes.removed);
        Ok((changes.cursor, pending))
    }

    /// Compares each object; what is left in `pending` still differs, or cannot be read. Answers with those that have been quiet
    /// for long enough. One that cannot be read keeps back none of the others.
    async fn compare_all(
        &self,
        home: &HomeOf<E>,
        pending: &mut BTreeSet<Uid>,
        looked: &mut Looked,
        settle: Duration,
    ) -> Result<Quiet, Error> {
        let now = self.environment.clock().now();
        let mut quiet = Quiet::default();
        for uid in pending.clone() {
            let compared = self.compare(home, &uid).await?;
            let is_to_be_told = matches!(compared, Compared::Differs(_));
            match compared {
                Compared::Agrees => {
                    self.shared.settling.forget(home.user(), &uid);
                    self.no_longer_held(home, &uid).await?;
                    pending.remove(&uid);
                }
                Compared::Differs(version) | Compared::IsToBeWritten(version) => {
                    let settles =
                        self.shared
                            .settling
                            .settles((home.user(), &uid), &version, now, settle);
                    match settles <= now {
                        true if is_to_be_told => quiet.to_be_told.push(uid),
                        true => quiet.to_be_written.push(uid),
                        false => {
                            quiet.settling += usize::from(is_to_be_told);
                            looked.again_at(settles);
                        }
                    }
                }
                Compared::Unreadable(error) => {
                    // It has to be quiet anew when it can be read; it is said once.
                    let object = (home.user(), &uid);
                    let settling = &self.shared.settling;
                    if settling.settles(object, UNREADABLE, now, Duration::ZERO) == now {
                        log_unreadable(home.user(), &uid, &error);
                    }
                    looked.again_at(now.saturating_add(AGAIN).unwrap_or(Timestamp::MAX));
                }
            }
        }
        Ok(quiet)
    }
}
