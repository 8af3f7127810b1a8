//! Objects as a store has them: read, changed, and written back if nobody else wrote meanwhile.

use crate::{
    effort::{Effort, TooMuch, Weight, lines_of},
    envelope::Peer,
    environment::{Home, Overloaded, Processor},
    index,
    limits::Limits,
};
use convoke_calendar::{
    itip::{Change, Owner},
    tree::Calendar,
};
use convoke_types::{Error, ErrorKind, NewObject, Precondition, StoredObject, Uid};
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
pub(crate) fn unchanged(there: Option<StoredObject>) -> Precondition {
    there.map_or(Precondition::Absent, |object| {
        Precondition::Matches(object.etag)
    })
}

/// An object that is about to change.
pub(crate) struct Update<'a, P, H> {
    /// Where the work is done.
    pub(crate) processor: &'a P,
    /// Whose object it is.
    pub(crate) home: &'a H,
    /// Which object.
    pub(crate) uid: &'a Uid,
    /// The same calendar user, as objects know it.
    pub(crate) owner: &'a Owner<'a>,
    pub(crate) limits: &'a Limits,
    pub(crate) now: Timestamp,
    /// Of the message.
    pub(crate) weight: Weight,
    /// As whom its sender is counted, and what is left of what it may cost; `None` if it is one of our own people's.
    pub(crate) budget: Option<(&'a Peer, &'a Effort)>,
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

impl<P: Processor, H: Home> Update<'_, P, H> {
    /// Lets `apply` change the object, again and again until no other writer came between.
    pub(crate) async fn apply<T: Send>(
        self,
        apply: impl Fn(Option<&Calendar>) -> (Change, T) + Send + Sync,
    ) -> Result<T, NotUpdated> {
        for _ in 0..ATTEMPTS {
            let stored = self.home.get(self.uid).await?;
            let bytes = stored.as_ref().map(|object| object.data.as_slice());
            let bytes = bytes.unwrap_or_default();
            let work = || self.change(stored.as_ref(), &apply);
            let size = self.weight.bytes + bytes.len();
            let (write, answer) = match self.budget {
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
            let when = unchanged(stored);
            let written = match write {
                Write::Nothing => return Ok(answer),
                Write::Put(object) => self.home.put(&object, &when).await.map(|_| ()),
                Write::Remove => self.home.remove(self.uid, &when).await,
            };
            match written {
                Ok(()) => return Ok(answer),
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

    /// What takes the processor's time: reads what is stored, changes it, makes it ready to be written.
    fn change<T>(
        &self,
        stored: Option<&StoredObject>,
        apply: impl Fn(Option<&Calendar>) -> (Change, T),
    ) -> Result<(Write, T), Error> {
        let existing = stored.map(|object| read(object, self.limits)).transpose()?;
        let (change, answer) = apply(existing.as_ref());
        let write = match change {
            Change::None => Write::Nothing,
            Change::Store(calendar) => {
                let index = index::of(&calendar, Some(self.owner), self.limits, self.now)?;
                Write::Put(NewObject::new(calendar.write(), index))
            }
            Change::Remove => Write::Remove,
        };
        Ok((write, answer))
    }
}
