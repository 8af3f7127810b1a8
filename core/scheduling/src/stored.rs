//! Objects as a store has them: read, changed, and written back if nobody else wrote meanwhile.

use crate::{
    effort::{Effort, TooMuch, Weight, lines_of},
    envelope::Peer,
    environment::{Event, Home, Journal, Overloaded, Processor},
    index,
    ledger::Ledger,
    limits::Limits,
};
use convoke_calendar::{
    itip::{self, Change, Owner},
    tree::Calendar,
};
use convoke_types::{Error, ErrorKind, Etag, NewObject, Precondition, StoredObject, Uid};
use jiff::Timestamp;

/// How often another writer may win before we give up; each round somebody makes progress.
pub(crate) const ATTEMPTS: usize = 64;

/// Reads what is stored. What cannot be read is left alone.
pub(crate) fn read(object: &StoredObject, limits: &Limits) -> Result<Calendar, Error> {
    Calendar::parse_stored(&object.data, &limits.of_objects()).map_err(|error| {
        let text = format!(
            "the stored object {} cannot be read and is left as it is: {error}",
            object.uid
        );
        Error::unavailable(text)
    })
}

/// The precondition under which a change to what was there may be written.
pub(crate) fn unchanged(there: Option<&StoredObject>) -> Precondition {
    there.map_or(Precondition::Absent, |object| {
        Precondition::Matches(object.etag.clone())
    })
}

/// An object that is about to change.
pub(crate) struct Update<'a, P, H, J> {
    /// Where the work is done.
    pub(crate) processor: &'a P,
    /// Whose object it is.
    pub(crate) home: &'a H,
    /// Who is told that it is written over.
    pub(crate) journal: &'a J,
    /// Which object.
    pub(crate) uid: &'a Uid,
    /// The same calendar user, as objects know it.
    pub(crate) owner: &'a Owner<'a>,
    /// What was told or received of it.
    pub(crate) ledger: Option<&'a Ledger>,
    pub(crate) limits: &'a Limits,
    pub(crate) now: Timestamp,
    /// Of the message.
    pub(crate) weight: Weight,
    /// As whom its sender is counted, and what is left of what it may cost; `None` if it is one of our own people's.
    pub(crate) budget: Option<(&'a Peer, &'a Effort)>,
}

/// What became of an object.
pub(crate) struct Updated<T> {
    pub(crate) answer: T,
    /// What comes of it for the object as others know it, where the owner's is another one that is not told yet.
    pub(crate) for_others: Option<T>,
    /// What is known of it from now on, if that is something else than before.
    pub(crate) ledger: Option<Ledger>,
    /// The object was there, and nothing was remembered of it.
    pub(crate) is_found: bool,
}

/// Why an object did not change.
pub(crate) enum NotUpdated {
    /// It would cost more than the message may.
    TooMuch,
    /// It could not be read or written.
    Failed(Error),
}

impl From<Overloaded> for NotUpdated {
    fn from(overloaded: Overloaded) -> Self {
        Self::Failed(overloaded.into())
    }
}

impl From<Error> for NotUpdated {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What is to be written.
enum Write {
    Nothing,
    Put(NewObject),
    Remove,
}

/// A change that was worked out.
struct Plan<T> {
    write: Write,
    /// The object as others know it afterwards.
    known: Option<Calendar>,
    /// Whether the store's object says the same then.
    agrees: bool,
    /// The object was there, and nothing was remembered of it.
    is_found: bool,
    answer: T,
    for_others: Option<T>,
}

impl<P: Processor, H: Home, J: Journal> Update<'_, P, H, J> {
    /// Lets `apply` change the object, again and again until no other writer came between.
    ///
    /// It is handed the owner's object with what the protocol remembers of it. Where the owner has changed the object
    /// since, and nobody was told yet, it is asked once more what becomes of the object as others know it: the owner's
    /// change stays one, to be told.
    pub(crate) async fn apply<T: Send>(
        self,
        apply: impl Fn(Option<&Calendar>) -> (Change, T) + Send + Sync,
    ) -> Result<Updated<T>, NotUpdated> {
        for _ in 0..ATTEMPTS {
            let stored = self.home.get(self.uid).await?;
            let bytes = stored.as_ref().map(|object| object.data.as_slice());
            let bytes = bytes.unwrap_or_default();
            let work = || self.plan(stored.as_ref(), &apply);
            let size = self.weight.bytes + bytes.len();
            let plan = match self.budget {
                Some((peer, effort)) => {
                    // What is new is compared with nothing, which is most of the work.
                    let lines = match bytes.len() {
                        0 => self.weight.lines / 4,
                        _ => self.weight.lines + lines_of(bytes),
                    };
                    let handled = effort.handle(lines);
                    handled.map_err(|TooMuch| NotUpdated::TooMuch)?;
                    self.processor.run_for(peer, size, work).await??
                }
                None => self.processor.run(size, work).await?,
            };
            let etag = stored.as_ref().map(|object| object.etag.clone());
            let when = unchanged(stored.as_ref());
            let written = match &plan.write {
                Write::Nothing => Ok(etag),
                Write::Put(object) => self.home.put(object, &when).await.map(Some),
                Write::Remove => self.home.remove(self.uid, &when).await.map(|()| None),
            };
            match written {
                Ok(etag) => return Ok(self.updated(plan, etag)),
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error.into()),
            }
        }
        let text = format!(
            "gave up after {ATTEMPTS} conflicting writes to the object {} of {}",
            self.uid,
            self.home.user().address
        );
        Err(Error::unavailable(text).into())
    }

    fn updated<T>(&self, plan: Plan<T>, etag: Option<Etag>) -> Updated<T> {
        let mut ledger = self.ledger.cloned().unwrap_or_default();
        if let (Some(known), true) = (&plan.known, plan.is_found) {
            ledger.find(known);
        }
        let changed = match (&plan.known, plan.agrees) {
            (Some(known), true) => {
                ledger.agree(known, etag);
                true
            }
            (Some(known), false) => {
                ledger.know(known);
                true
            }
            (None, _) => false,
        };
        Updated {
            answer: plan.answer,
            for_others: plan.for_others,
            ledger: changed.then_some(ledger),
            is_found: plan.is_found,
        }
    }

    /// What takes the processor's time: reads what is stored, changes it, makes it ready to be written.
    fn plan<T>(
        &self,
        stored: Option<&StoredObject>,
        apply: impl Fn(Option<&Calendar>) -> (Change, T),
    ) -> Result<Plan<T>, Error> {
        let remembered = self.ledger.and_then(|it| it.remembered(self.limits));
        if let (None, Some(remembered)) = (stored, &remembered) {
            return self.plan_of_gone(remembered, apply);
        }
        let existing = stored.map(|object| read(object, self.limits)).transpose()?;
        let existing = existing.map(|existing| match &remembered {
            Some(remembered) => itip::recall(&existing, remembered),
            None => itip::unremembered(&existing, self.owner),
        });
        let (change, answer) = apply(existing.as_ref());
        let etag = stored.map(|object| &object.etag);
        let agrees = remembered.is_none() || self.ledger.is_none_or(|it| it.etag.as_ref() == etag);
        let mut for_others = None;
        let known = match (&change, agrees) {
            (Change::Store(calendar), true) => Some(calendar.clone()),
            (Change::None | Change::Remove, true) => None,
            (_, false) => {
                let (change, answer) = apply(remembered.as_ref());
                for_others = Some(answer);
                match change {
                    Change::Store(calendar) => Some(calendar),
                    Change::None | Change::Remove => None,
                }
            }
        };
        let write = match change {
            Change::None => Write::Nothing,
            Change::Store(calendar) => self.put(calendar)?,
            Change::Remove => Write::Remove,
        };
        if let (Write::Put(_), Some(stored)) = (&write, stored) {
            let journal = self.journal;
            journal.record(&Event::Overwriting(self.home.user(), stored));
        }
        Ok(Plan {
            write,
            known,
            agrees,
            is_found: remembered.is_none() && stored.is_some(),
            answer,
            for_others,
        })
    }

    /// The owner has deleted the object, whether others were told or will be. What was under way meanwhile does not bring it back, nor does an update of what the
    /// owner has declined by that, unless it asks anew. It is remembered, as is what calls it off.
    fn plan_of_gone<T>(
        &self,
        remembered: &Calendar,
        apply: impl Fn(Option<&Calendar>) -> (Change, T),
    ) -> Result<Plan<T>, Error> {
        let (change, answer) = apply(Some(remembered));
        let Change::Store(known) = change else {
            return Ok(Plan {
                write: Write::Nothing,
                known: None,
                agrees: false,
                is_found: false,
                answer,
                for_others: None,
            });
        };
        let is_told = self.ledger.is_some_and(|ledger| ledger.gone);
        let (anew, answer_anew) = apply(None);
        let is_invitation = matches!(anew, Change::Store(_));
        let stays_declined = is_invitation
            && if is_told {
                self.owner.has_declined(&known)
            } else {
                self.would_stay_declined(remembered, &apply)
            };
        let comes_back = is_invitation && !stays_declined;
        let is_unknown = is_told && !is_invitation;
        let answer = if is_unknown { answer_anew } else { answer };
        let write = if comes_back {
            self.put(known.clone())?
        } else {
            Write::Nothing
        };
        Ok(Plan {
            write,
            known: Some(known),
            agrees: comes_back,
            is_found: false,
            answer,
            for_others: None,
        })
    }

    /// Whether a deletion that nobody was told yet declines what a message makes of the object.
    fn would_stay_declined<T>(
        &self,
        remembered: &Calendar,
        apply: impl Fn(Option<&Calendar>) -> (Change, T),
    ) -> bool {
        let observed = itip::observe(Some(remembered), None, self.owner, self.now);
        let declined = observed.ok().and_then(|it| it.remembered);
        match declined.map(|declined| apply(Some(&declined)).0) {
            Some(Change::Store(known)) => self.owner.has_declined(&known),
            _ => true,
        }
    }

    fn put(&self, calendar: Calendar) -> Result<Write, Error> {
        let calendar = itip::forget(calendar);
        let index = index::of(&calendar, Some(self.owner), self.limits, self.now)?;
        Ok(Write::Put(NewObject::new(calendar.write(), index)))
    }
}
