//! What a person writes through us (RFC 6638 §3.2): it is judged before it is stored, and told at once.
//!
//! A calendar server that schedules by itself need not wait until a calendar is quiet: a request is an edit. All else is as in
//! a look: the store's object is compared with the ledger, so what a crash leaves behind is found by the next look.

use super::adopt;
use crate::{
    change::Changed,
    envelope::TransportFacts,
    environment::{Clock, Environment, Home, HomeOf, Processor, State, Unbounded},
    keys,
    ledger::Ledger,
    person::Person,
    scheduler::Scheduler,
    send::Goes,
    state,
    stored::{ATTEMPTS, read},
};
use convoke_calendar::{
    itip::{self, Observed},
    message::MessageError,
    tree::Calendar,
};
use convoke_types::{Batch, CalendarUser, Error, ErrorKind, Uid};

/// An edit that is not its author's to make, or that others cannot be told of (RFC 6638 §3.2.4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// An attendee would change what is the organizer's.
    #[error("{0}")]
    ByAttendee(MessageError),
    /// The meeting would become another organizer's.
    #[error("{0}")]
    ByOrganizer(MessageError),
    /// Its components name different organizers.
    #[error("{0}")]
    SeveralOrganizers(MessageError),
    /// No valid message could be made of it.
    #[error("{0}")]
    Untellable(MessageError),
}

/// Messages about an edit that wait for their first try.
pub struct Telling(Changed);

impl<E: Environment> Scheduler<E> {
    /// Makes sure that what is in a calendar now is known, so that what is written from now on is new; and that what others
    /// know of an object is known, where a store cannot tell what changes.
    pub async fn look_before(&self, home: &HomeOf<E>, uid: &Uid) -> Result<(), Error> {
        if self.is_looked_at(home).await? {
            return Ok(());
        }
        match self.reconcile(home).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                if self.ledger(home.user(), uid).await?.value.is_none() {
                    adopt(self.environment.state(), home, uid).await?;
                }
                Ok(())
            }
            looked => looked.map(drop),
        }
    }

    /// Whether the owner of a calendar may make this of an object, which takes `length` bytes. What the store holds already may be
    /// stored again.
    pub async fn judge_edit(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
        written: &Calendar,
        length: usize,
    ) -> Result<Result<(), Forbidden>, Error> {
        let ledger = self.ledger(home.user(), uid).await?.value;
        let stored = home.get(uid).await?;
        let size = length + stored.as_ref().map_or(0, |it| it.data.len());
        let judge = || {
            let judged = self.judged(home.user(), ledger.as_ref(), written);
            let there = stored.as_ref().and_then(|it| read(it, &self.limits).ok());
            let was_there = there.is_some_and(|there| {
                judged.is_err() && self.judged(home.user(), ledger.as_ref(), &there).is_err()
            });
            if was_there { Ok(()) } else { judged }
        };
        Ok(self.environment.processor().run(2 * size, judge).await)
    }

    fn judged(
        &self,
        user: &CalendarUser,
        ledger: Option<&Ledger>,
        written: &Calendar,
    ) -> Result<(), Forbidden> {
        let remembered = ledger.and_then(|it| it.remembered(&self.limits));
        let (person, now) = (Person::of(user), self.environment.clock().now());
        let observed = itip::observe(remembered.as_ref(), Some(written), &person.owner(), now);
        match observed {
            Ok(Observed {
                foreign: Some(error),
                ..
            }) => Err(Forbidden::ByAttendee(error)),
            Ok(_) => Ok(()),
            Err(error) if error.is_of_several_organizers() => {
                Err(Forbidden::SeveralOrganizers(error))
            }
            Err(error) if error.is_of_organizer() => Err(Forbidden::ByOrganizer(error)),
            Err(error) => Err(Forbidden::Untellable(error)),
        }
    }

    /// Makes the messages about what differs of one object from what others know, without waiting until it is quiet; `None`
    /// if it concerns nobody, or if the calendar is being emptied and it has to wait.
    pub async fn tell_at_once(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
    ) -> Result<Option<Telling>, Error> {
        if self.is_one_removal_too_many(home, uid).await? {
            self.hold_changes(home, std::slice::from_ref(uid)).await?;
            return Ok(None);
        }
        let changed = self.tell_difference(home, uid, Goes::WaitedFor).await?;
        self.count_removal(home, changed.as_ref());
        Ok(changed.map(Telling))
    }

    /// Tries to deliver for the first time, and notes what came of it in the object. What is not delivered then, or if
    /// this is dropped, is delivered by the outbox.
    pub async fn first_delivery(&self, telling: Telling) {
        let Telling(changed) = telling;
        let transport = TransportFacts::default();
        self.first_try(&changed.enqueued, transport, &Unbounded)
            .await;
    }

    /// An attendee is about to remove an object, and wishes that nobody is told (RFC 6638 §8.1, `Schedule-Reply: F`). That is noted
    /// before: a host that ends after the removal keeps to it.
    pub async fn begin_silence(&self, home: &HomeOf<E>, uid: &Uid) -> Result<(), Error> {
        let now = self.environment.clock().now();
        self.change_ledger(home, uid, |ledger| {
            ledger.is_to_go_in_silence(now);
            true
        })
        .await
    }

    /// The object was not removed after all.
    pub async fn end_silence(&self, home: &HomeOf<E>, uid: &Uid) -> Result<(), Error> {
        self.change_ledger(home, uid, Ledger::is_not_to_go).await
    }

    /// What is stored of an object is what is known from now on, and nobody is told.
    pub async fn tell_nobody(&self, home: &HomeOf<E>, uid: &Uid) -> Result<(), Error> {
        self.adopt(home, uid).await
    }

    /// Changes what is remembered of an object, if anything is.
    async fn change_ledger(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
        change: impl Fn(&mut Ledger) -> bool,
    ) -> Result<(), Error> {
        let _one_at_a_time = self.shared.locks.of(home.user(), uid).await;
        let key = keys::ledger(home.user(), uid);
        for _ in 0..ATTEMPTS {
            let read = self.ledger(home.user(), uid).await?;
            let Some(mut ledger) = read.value else {
                return Ok(());
            };
            if !change(&mut ledger) {
                return Ok(());
            }
            let batch = state::unchanged(Batch::new(), &key, read.version);
            let batch = ledger.put(batch, key.clone());
            match self.environment.state().commit(batch).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done.map(drop),
            }
        }
        let text = format!("the ledger of {uid} was written by others again and again");
        Err(Error::unavailable(text))
    }
}
