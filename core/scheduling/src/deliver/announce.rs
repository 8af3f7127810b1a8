//! What an update is about to make of an object is noted before, where that is needed.
//!
//! An update is written to the store first, and noted then. A host that ends in between finds a calendar that is not as the
//! ledger says, and takes that for what its owner did. Of most that an update changes it does not: it is the organizer's to
//! change. But who leaves an instance out of a series (EXDATE) may be either, and where it is the owner, it declines by that
//! (RFC 6638 §3.2.2.3). So what would be taken for an answer is noted first; a commit more, for few updates.

use crate::{
    environment::{Clock, Environment, Home, HomeOf, Processor, State},
    keys,
    ledger::Ledger,
    person::Person,
    scheduler::Scheduler,
    state::{self, Versioned},
    stored::read,
};
use convoke_calendar::{
    itip::{self, Change, Received},
    message::Message,
    tree::Calendar,
};
use convoke_types::{Batch, Error, StoredObject};

impl<E: Environment> Scheduler<E> {
    /// What is known of an object before a message changes it, with a note of what the message makes of it, if one is needed.
    pub(super) async fn announced(
        &self,
        home: &HomeOf<E>,
        message: &Message,
        before: Versioned<Ledger>,
        receive: impl Fn(Option<&Calendar>) -> Received + Send + Sync,
    ) -> Result<Versioned<Ledger>, Error> {
        let known = before.value.as_ref();
        let Some(known) = known.filter(|_| message.method().is_from_organizer()) else {
            return Ok(before);
        };
        let Some(remembered) = known.remembered(&self.limits) else {
            return Ok(before);
        };
        if !leaves_out(message.calendar()) && !leaves_out(&remembered) {
            return Ok(before);
        }
        let Some(stored) = home.get(message.uid()).await? else {
            return Ok(before);
        };
        let agrees = known.etag.as_ref() == Some(&stored.etag);
        let size = stored.data.len();
        let work = || self.looks_like_an_answer(home, &stored, &remembered, agrees, receive);
        let coming = self.environment.processor().run(size, work).await?;
        let Some(coming) = coming else {
            return Ok(before);
        };
        let mut announced = known.clone();
        announced.announce(&coming);
        let key = keys::ledger(home.user(), message.uid());
        let batch = state::unchanged(Batch::new(), &key, before.version);
        let batch = announced.put(batch, key);
        let committed = self.environment.state().commit(batch).await?;
        Ok(Versioned {
            value: Some(announced),
            version: Some(committed.version),
        })
    }

    /// What will be known of an object after an update, if a look that finds the update would have its owner say something.
    fn looks_like_an_answer(
        &self,
        home: &HomeOf<E>,
        stored: &StoredObject,
        remembered: &Calendar,
        agrees: bool,
        receive: impl Fn(Option<&Calendar>) -> Received,
    ) -> Result<Option<Calendar>, Error> {
        let existing = itip::recall(&read(stored, &self.limits)?, remembered);
        let Change::Store(after) = receive(Some(&existing)).change else {
            return Ok(None);
        };
        let coming = if agrees {
            after.clone()
        } else {
            match receive(Some(remembered)).change {
                Change::Store(known) => known,
                Change::None | Change::Remove => return Ok(None),
            }
        };
        let person = Person::of(home.user());
        let now = self.environment.clock().now();
        let found = itip::forget(after);
        let seen = itip::observe(Some(remembered), Some(&found), &person.owner(), now);
        let says_something = seen.is_ok_and(|it| !it.outgoing.is_empty());
        Ok(says_something.then_some(coming))
    }
}

/// Whether instances are left out of a series.
fn leaves_out(calendar: &Calendar) -> bool {
    let mut components = calendar.main_components();
    components.any(|it| it.get("EXDATE").is_some())
}
