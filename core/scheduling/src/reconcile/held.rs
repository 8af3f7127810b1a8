//! Many changes at once wait until somebody releases them: a calendar that was lost, or restored, would else call off
//! everything.
//!
//! What waits is the difference itself, which each look finds anew; so what comes back to what it was before waits no longer.

use super::{Looked, Quiet};
use crate::{
    change::Changed,
    environment::{Clock, Environment, Home, HomeOf, State, Stores},
    keys::{self, digest},
    pages::Pages,
    scheduler::Scheduler,
    send::Goes,
    state,
};
use convoke_calendar::itip::Outgoing;
use convoke_types::{Batch, CalendarAddress, CalendarUser, Error, ErrorKind, Uid};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Names a change that waits: letters, digits and a hyphen.
pub type HeldId = String;

/// A change of one object that waits to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HeldChange {
    /// Its name.
    pub id: HeldId,
    /// Whose calendar it is.
    pub user: CalendarAddress,
    /// The object.
    pub uid: Uid,
    /// Since when it waits.
    pub since: Timestamp,
    /// What would be sent: method and recipient.
    pub messages: Vec<(String, CalendarAddress)>,
}

impl HeldChange {
    fn new(user: &CalendarUser, uid: &Uid, now: Timestamp, outgoing: &[Outgoing]) -> Self {
        let digest = digest(&[user.address.as_str().as_bytes(), uid.as_str().as_bytes()]);
        let messages = outgoing.iter().flat_map(|it| {
            let method = it.message.method().as_str();
            let recipients = it.recipients.iter();
            recipients.map(move |who| (method.to_owned(), who.clone()))
        });
        Self {
            id: format!("held-{}", &digest[..12]),
            user: user.address.clone(),
            uid: uid.clone(),
            since: now,
            messages: messages.collect(),
        }
    }
}

impl<E: Environment> Scheduler<E> {
    /// Tells what is quiet, or lets it wait if it is too much at once. What is told leaves `pending`.
    pub(super) async fn tell_or_hold(
        &self,
        home: &HomeOf<E>,
        quiet: Quiet,
        pending: &mut BTreeSet<Uid>,
        looked: &mut Looked,
    ) -> Result<(), Error> {
        let user = home.user();
        let mut fresh = Vec::new();
        for uid in quiet.to_be_told {
            match self
                .environment
                .state()
                .get(&keys::held(user, &uid))
                .await?
            {
                Some(_) => self.hold_change(home, &uid).await?,
                None => fresh.push(uid),
            }
        }
        // Whoever restores a calendar writes one object after the other: how many they are is known when the last is quiet.
        if quiet.settling > 0 && fresh.len() + quiet.settling > self.timing.hold {
            fresh.clear();
        }
        let too_many = self.too_many(home, &fresh).await?;
        if !too_many.is_empty() {
            self.hold_changes(home, &too_many).await?;
            looked.held += too_many.len();
            fresh.retain(|uid| !too_many.contains(uid));
        }
        fresh.extend(quiet.to_be_written);
        let mut told = Ok(());
        for uid in fresh {
            // One that cannot be told keeps back none of the others.
            let changed = match self.tell_difference(home, &uid, Goes::ByItself).await {
                Ok(changed) => changed,
                Err(error) => {
                    told = told.and(Err(error));
                    continue;
                }
            };
            self.count_removal(home, changed.as_ref());
            let tells_anybody = |it: &Changed| !it.outgoing.is_empty();
            looked.told += usize::from(changed.as_ref().is_some_and(tells_anybody));
            pending.remove(&uid);
        }
        told
    }

    /// Which of these changes are too many: all of them, or the removals with those that others were told of lately.
    async fn too_many(&self, home: &HomeOf<E>, fresh: &[Uid]) -> Result<Vec<Uid>, Error> {
        if fresh.len() > self.timing.hold {
            return Ok(fresh.to_vec());
        }
        let lately = self.removed_lately(home);
        let mut removed = Vec::new();
        if lately + fresh.len() > self.timing.hold {
            for uid in fresh {
                if home.get(uid).await?.is_none() {
                    removed.push(uid.clone());
                }
            }
        }
        if lately + removed.len() <= self.timing.hold {
            removed.clear();
        }
        Ok(removed)
    }

    /// Whether an object is gone, and so are so many others lately that somebody may have lost a calendar.
    pub(super) async fn is_one_removal_too_many(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
    ) -> Result<bool, Error> {
        Ok(self.removed_lately(home) >= self.timing.hold
            && home.get(uid).await?.is_none()
            && !self.would_tell(home, uid).await?.is_empty())
    }

    /// Counts it, if others are told that an object is gone.
    pub(super) fn count_removal(&self, home: &HomeOf<E>, changed: Option<&Changed>) {
        if changed.is_some_and(|it| it.is_removal && !it.outgoing.is_empty()) {
            let now = self.environment.clock().now();
            self.shared.removals.note(home.user(), now);
        }
    }

    fn removed_lately(&self, home: &HomeOf<E>) -> usize {
        let now = self.environment.clock().now();
        self.shared.removals.lately(home.user(), now)
    }

    /// Lets changes wait, as they are too many at once.
    pub(super) async fn hold_changes(&self, home: &HomeOf<E>, uids: &[Uid]) -> Result<(), Error> {
        let user = home.user();
        tracing::warn!(
            event = "changes-held", user = %user.address, changes = uids.len(), most = self.timing.hold,
            "so many meetings changed at once that nobody is told yet; see `convoke queue list`, and tell it with \
             `convoke queue release --user {}`",
            user.address.human()
        );
        self.hold_all(home, uids).await?;
        for uid in uids {
            let decided = self.decision("changes-held", uid).of(&user.address);
            self.note_decision(&decided.why("so many meetings changed at once"));
        }
        Ok(())
    }

    /// All of them or none: what a host that ends in between had not let wait yet would be told when it looks again, as it is
    /// not too much any more.
    async fn hold_all(&self, home: &HomeOf<E>, uids: &[Uid]) -> Result<(), Error> {
        let now = self.environment.clock().now();
        let mut batch = Batch::new();
        for uid in uids {
            let outgoing = self.would_tell(home, uid).await?;
            let held = HeldChange::new(home.user(), uid, now, &outgoing);
            batch = batch.put(keys::held(home.user(), uid), state::write(&held));
        }
        self.environment.state().commit(batch).await.map(drop)
    }

    /// What waits already is told as what it would be now.
    async fn hold_change(&self, home: &HomeOf<E>, uid: &Uid) -> Result<(), Error> {
        let outgoing = self.would_tell(home, uid).await?;
        let key = keys::held(home.user(), uid);
        let now = self.environment.clock().now();
        let there = state::get::<HeldChange>(self.environment.state(), &key).await?;
        // Another host has released it meanwhile.
        let Some(before) = there.value else {
            return Ok(());
        };
        let mut held = HeldChange::new(home.user(), uid, now, &outgoing);
        held.since = before.since;
        if held == before {
            return Ok(());
        }
        let batch = state::unchanged(Batch::new(), &key, there.version);
        match self
            .environment
            .state()
            .commit(batch.put(key, state::write(&held)))
            .await
        {
            // The same.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            done => done.map(drop),
        }
    }

    /// The object is as others know it again.
    pub(super) async fn no_longer_held(&self, home: &HomeOf<E>, uid: &Uid) -> Result<(), Error> {
        let key = keys::held(home.user(), uid);
        if self.environment.state().get(&key).await?.is_some() {
            let batch = Batch::new().delete(key);
            self.environment.state().commit(batch).await?;
        }
        Ok(())
    }

    /// The changes that wait to be released, of one user or of everybody.
    pub async fn held(&self, user: Option<&CalendarUser>) -> Result<Vec<HeldChange>, Error> {
        let mut held = Vec::new();
        let mut pages = Pages::of(self.environment.state(), keys::held_of(user));
        while let Some(page) = pages.next().await? {
            for entry in &page {
                held.push(state::read(entry)?);
            }
        }
        Ok(held)
    }

    /// The messages that a change would send.
    pub async fn held_messages(&self, held: &HeldChange) -> Result<Vec<Vec<u8>>, Error> {
        let Some(home) = self.home_of(held).await? else {
            return Ok(Vec::new());
        };
        let outgoing = self.would_tell(&home, &held.uid).await?;
        let written = outgoing.iter();
        Ok(written.map(|it| it.message.calendar().write()).collect())
    }

    /// Tells a change that waits: whether there was something to tell.
    pub async fn release(&self, held: &HeldChange) -> Result<bool, Error> {
        let Some(home) = self.home_of(held).await? else {
            return Ok(false);
        };
        let told = self
            .tell_difference(&home, &held.uid, Goes::ByItself)
            .await?;
        self.no_longer_held(&home, &held.uid).await?;
        Ok(told.is_some())
    }

    /// Drops a change that waits: it counts as known, and nobody is told.
    pub async fn drop_held(&self, held: &HeldChange) -> Result<(), Error> {
        let Some(home) = self.home_of(held).await? else {
            return Ok(());
        };
        self.adopt(&home, &held.uid).await?;
        self.no_longer_held(&home, &held.uid).await
    }

    /// The calendar of a change; one that is gone holds nothing any more.
    async fn home_of(&self, held: &HeldChange) -> Result<Option<HomeOf<E>>, Error> {
        let home = self.environment.stores().find(&held.user).await?;
        if home.is_none() {
            let gone = Batch::new().delete(keys::held_by(&held.user, &held.uid));
            self.environment.state().commit(gone).await?;
            tracing::info!(event = "change-dropped", user = %held.user, uid = %held.uid, "its calendar user is gone");
        }
        Ok(home)
    }
}
