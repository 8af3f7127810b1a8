//! One of our people has changed an object, by a command or in a calendar program: what they wrote is stored, the ledger
//! moves, and whom it concerns is told.
//!
//! Nothing is told that is not in the store. The object is written first, then one commit moves the ledger and fills the
//! outbox; a host that ends in between finds the same difference when it looks again, and tells it then.

use crate::{
    envelope::TransportFacts,
    environment::{Answers, Clock, Environment, Home, HomeOf, State},
    keys,
    ledger::Ledger,
    outcome::Outcome,
    person::Person,
    scheduler::Scheduler,
    send::{self, Enqueued, Goes, acquaint},
    state::{self, Versioned},
    stored::{ATTEMPTS, read},
};
use convoke_calendar::{
    gather,
    itip::{self, Change, Edited, Outgoing, ReplyError},
    message::{MessageError, Method},
    tree::{self, Calendar},
};
use convoke_types::{
    Batch, CalendarAddress, Error, ErrorKind, Etag, RequestStatus, StoredObject, Uid,
};
use std::{borrow::Cow, collections::BTreeSet};

/// A recipient, or a guest whom no address names, and what became of a message for it.
pub type Answered = (String, Outcome);

/// Why an object is not sent.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// It has no usable UID.
    #[error("the object has no usable UID, so that it cannot be kept")]
    NoUid,
    /// No message can be made of it; nothing is stored.
    #[error("{0}")]
    Invalid(MessageError),
    /// What is delegated in it cannot be; nothing is stored.
    #[error("{0}: {text}", text = .1.text())]
    Refused(Uid, RequestStatus),
    /// A proposal cannot be taken up; nothing is stored.
    #[error(transparent)]
    Proposal(#[from] ReplyError),
    /// Others wrote it again and again meanwhile; it may be sent again.
    #[error("others wrote {0} again and again while it was to be stored; send it again")]
    Contended(Uid),
    /// The store or the state cannot do it.
    #[error(transparent)]
    Store(#[from] Error),
}

/// What became of an edit.
#[derive(Debug, Default)]
pub struct Told {
    /// For each recipient; nothing, if it concerns nobody else.
    pub answers: Vec<Answered>,
    /// Others are on it whom SCHEDULE-AGENT leaves to the owner's program.
    pub left_to_client: bool,
}

/// What an edit was made to: the version in the store afterwards, and what is about to be told.
pub(crate) struct Changed {
    pub(crate) outgoing: Vec<Outgoing>,
    pub(crate) enqueued: Enqueued,
    /// The object is gone.
    pub(crate) is_removal: bool,
}

impl<E: Environment> Scheduler<E> {
    /// Stores the object as its owner wrote it, tells whom that concerns, and waits for the first try.
    ///
    /// Nothing is stored unless every message about it can be made.
    pub async fn send_object(
        &self,
        home: &HomeOf<E>,
        object: &Calendar,
        answers: &impl Answers,
    ) -> Result<Told, Unsent> {
        let uid = object.main_components().find_map(tree::Component::uid);
        let uid = uid.ok_or(Unsent::NoUid)?;
        let make = |copy: Option<&Calendar>| Ok(of_whole(copy, object).into_owned());
        self.send_edit(home, &uid, make, answers).await
    }

    /// As [`send_object`](Self::send_object), with an object that is made of the stored one, whatever others write meanwhile.
    pub(crate) async fn send_edit(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
        make: impl Fn(Option<&Calendar>) -> Result<Calendar, Unsent>,
        answers: &impl Answers,
    ) -> Result<Told, Unsent> {
        let (object, changed) = self.becomes(home, uid, make).await?;
        let tried = self
            .first_try(&changed.enqueued, TransportFacts::default(), answers)
            .await;
        let mut told = Told {
            answers: unnamed(&object, &changed.outgoing),
            left_to_client: itip::is_left_to_client(&object, &Person::of(home.user()).owner()),
        };
        for outgoing in &changed.outgoing {
            let outcomes = send::outcomes(outgoing, &changed.enqueued, &tried);
            let recipients = outgoing.recipients.iter().map(ToString::to_string);
            told.answers.extend(recipients.zip(outcomes));
        }
        Ok(told)
    }

    /// Makes an object of the stored one the stored one, whatever others write meanwhile.
    async fn becomes(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
        make: impl Fn(Option<&Calendar>) -> Result<Calendar, Unsent>,
    ) -> Result<(Calendar, Changed), Unsent> {
        let _one_at_a_time = self.shared.locks.of(home.user(), uid).await;
        for _ in 0..ATTEMPTS {
            let stored = home.get(uid).await?;
            let ledger = self.ledger(home.user(), uid).await?;
            let copy = stored
                .as_ref()
                .map(|it| read(it, &self.limits))
                .transpose()?;
            let after = make(copy.as_ref())?;
            let known = match &ledger.value {
                // It was stored since the calendar was looked at first, and nobody was told yet.
                None if self.is_looked_at(home).await? => None,
                ledger => known(ledger.as_ref(), copy.as_ref(), &self.limits),
            };
            let known = known.map(|known| match &ledger.value {
                // Whom the last message did not reach is told by the same object once more.
                Some(ledger) => ledger.with_failures(&known),
                None => known,
            });
            let person = Person::of(home.user());
            let owner = person.owner();
            let now = self.environment.clock().now();
            let now = ledger.value.as_ref().map_or(now, |it| it.time_of_next(now));
            let edit =
                |known| itip::edit(known, Some(&after), &owner, now).map_err(Unsent::Invalid);
            let mut edited = edit(known.as_ref())?;
            // Nobody was ever told, as far as is known: a program has stored it before.
            if edited.outgoing.is_empty() && ledger.value.is_none() {
                edited = edit(None)?;
            }
            for letter in &edited.outgoing {
                let delegates = itip::delegates(&letter.message, &letter.originator);
                delegates.map_err(|status| Unsent::Refused(uid.clone(), status))?;
            }
            let known_of_it = ledger.value.as_ref();
            let object = as_stored(&edited, &after, known_of_it);
            let Some(etag) = self.store_edit(home, stored, &object).await? else {
                continue;
            };
            let mut moved = ledger.value.unwrap_or_default();
            moved.agree(&after_edit(&edited, &after, known.as_ref()), Some(etag));
            let tells = Tells {
                uid,
                ledger: &moved,
                version: ledger.version,
                outgoing: edited.outgoing,
                goes: Goes::WaitedFor,
            };
            if let Some(changed) = self.tell(home, tells, Batch::new()).await? {
                return Ok((after, changed));
            }
        }
        Err(Unsent::Contended(uid.clone()))
    }

    /// Whether it is known what was in a calendar before anything was told by itself.
    pub(crate) async fn is_looked_at(&self, home: &HomeOf<E>) -> Result<bool, Error> {
        let key = keys::user(home.user());
        Ok(self.environment.state().get(&key).await?.is_some())
    }

    /// Writes an object, if it is not there yet: its version; `None` if somebody else was faster.
    async fn store_edit(
        &self,
        home: &HomeOf<E>,
        stored: Option<StoredObject>,
        object: &Calendar,
    ) -> Result<Option<Etag>, Error> {
        if let Some(stored) = &stored
            && stored.data == object.write()
        {
            return Ok(Some(stored.etag.clone()));
        }
        self.put(home, object, stored.as_ref()).await
    }

    /// Commits what is known from now on together with the messages that say it; `None` if somebody else was faster.
    pub(crate) async fn tell(
        &self,
        home: &HomeOf<E>,
        tells: Tells<'_>,
        batch: Batch,
    ) -> Result<Option<Changed>, Error> {
        let mut enqueued = Enqueued::that_goes(tells.goes);
        for letter in &tells.outgoing {
            self.enqueue(letter, Some(tells.ledger), &mut enqueued)
                .await?;
            for forwarded in self.forwarded(home, letter, tells.ledger).await {
                self.enqueue(&forwarded, None, &mut enqueued).await?;
            }
        }
        let key = keys::ledger(home.user(), tells.uid);
        let batch = state::unchanged(batch, &key, tells.version);
        let mut known = tells.ledger.clone();
        known.stamp(&tells.outgoing);
        let batch = known.put(batch, key);
        let batch = acquaint(batch, home.user(), &enqueued);
        match self.commit(batch, &mut enqueued).await {
            Ok(()) => Ok(Some(Changed {
                outgoing: tells.outgoing,
                enqueued,
                is_removal: tells.ledger.gone,
            })),
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is stored is known from now on, together with messages that say it.
    pub(crate) async fn tell_as_stored(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
        outgoing: Vec<Outgoing>,
    ) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let Versioned { value, version } = self.ledger(home.user(), uid).await?;
            let Some(known) = self.as_stored(home, uid, value).await? else {
                return Ok(());
            };
            let tells = Tells {
                uid,
                ledger: &known,
                version,
                outgoing: outgoing.clone(),
                goes: Goes::ByItself,
            };
            if self.tell(home, tells, Batch::new()).await?.is_some() {
                return Ok(());
            }
        }
        let text = format!("others wrote {uid} again and again while it was to be told");
        Err(Error::unavailable(text))
    }

    /// What our people among the delegates that a REPLY names are told at once, see `send::delegate`.
    async fn forwarded(
        &self,
        home: &HomeOf<E>,
        reply: &Outgoing,
        ledger: &Ledger,
    ) -> Vec<Outgoing> {
        let Ok(delegates) = itip::delegates(&reply.message, &reply.originator) else {
            return Vec::new();
        };
        let Some(object) = ledger.remembered(&self.limits) else {
            return Vec::new();
        };
        let person = Person::of(home.user());
        let mut forwarded = Vec::new();
        for delegate in &delegates {
            if self.is_ours(delegate).await.unwrap_or(true) {
                let owner = person.owner();
                forwarded.extend(itip::forward_to_delegate(&object, &owner, delegate));
            }
        }
        forwarded
    }
}

/// What is to be told.
pub(crate) struct Tells<'a> {
    pub(crate) uid: &'a Uid,
    /// What is known from now on.
    pub(crate) ledger: &'a Ledger,
    /// In which version it was read.
    pub(crate) version: Option<u64>,
    pub(crate) outgoing: Vec<Outgoing>,
    /// Who makes the first try.
    pub(crate) goes: Goes,
}

/// The object as others know it; where nothing is remembered, as it is stored.
fn known(
    ledger: Option<&Ledger>,
    copy: Option<&Calendar>,
    limits: &crate::Limits,
) -> Option<Calendar> {
    match ledger {
        Some(ledger) => ledger.remembered(limits).or_else(|| copy.cloned()),
        None => copy.cloned(),
    }
}

/// The object as it is written after an edit, with what became of earlier messages to those who are not told of the edit.
fn as_stored(edited: &Edited, after: &Calendar, ledger: Option<&Ledger>) -> Calendar {
    let object = match &edited.store {
        Change::Store(object) => object,
        Change::None | Change::Remove => after,
    };
    let object = itip::forget(object.clone());
    let restored = ledger.and_then(|it| it.puts_back(&object, &edited.outgoing));
    restored.unwrap_or(object)
}

/// The object as others know it after an edit: an organizer's as it was told; an attendee's own answer in what it received.
fn after_edit(edited: &Edited, after: &Calendar, known: Option<&Calendar>) -> Calendar {
    match (&edited.store, known) {
        (Change::Store(object), Some(known)) if edited.outgoing.is_empty() => {
            itip::recall(object, known)
        }
        (Change::Store(object), _) => object.clone(),
        (_, Some(known)) => itip::recall(after, known),
        (_, None) => after.clone(),
    }
}

/// Attendees who are named by no address, so that nobody can tell them; an empty property names nobody.
fn unnamed(object: &Calendar, outgoing: &[Outgoing]) -> Vec<Answered> {
    let invites = |it: &Outgoing| matches!(it.message.method(), Method::Request | Method::Add);
    if !outgoing.iter().any(invites) {
        return Vec::new();
    }
    let lines = object
        .main_components()
        .flat_map(|component| component.all("ATTENDEE"));
    let names = lines
        .map(|line| line.value.as_str())
        .filter(|value| !value.trim().is_empty() && CalendarAddress::new(value).is_err());
    let names: BTreeSet<&str> = names.collect();
    let status = RequestStatus::INVALID_CALENDAR_USER;
    let answers = names.into_iter();
    answers
        .map(|name| (name.to_owned(), status.clone().into()))
        .collect()
}

/// What an object becomes: changed instances alone are an edit of those, not the end of the series that they are of.
fn of_whole<'a>(before: Option<&Calendar>, after: &'a Calendar) -> Cow<'a, Calendar> {
    let kind = after.main_components().next().map(|it| it.name.as_str());
    let is_of_kind = |it: &Calendar| {
        it.main_components()
            .any(|one| kind.is_some_and(|kind| one.is(kind)))
    };
    match before.filter(|before| is_of_kind(before)) {
        Some(before) if gather::is_of_instances(after) => {
            Cow::Owned(gather::put_into(before.clone(), after.clone()))
        }
        _ => Cow::Borrowed(after),
    }
}
