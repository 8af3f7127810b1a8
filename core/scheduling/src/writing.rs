//! Small changes of our own to an object that is stored: read, changed, written back if nobody else wrote meanwhile.

use crate::{
    environment::{Clock, Environment, Event, Home, HomeOf, Journal},
    index,
    scheduler::Scheduler,
    stored::{ATTEMPTS, read, unchanged},
};
use convoke_calendar::tree::Calendar;
use convoke_types::{Error, ErrorKind, Etag, NewObject, StoredObject, Uid};

impl<E: Environment> Scheduler<E> {
    /// Changes a stored object: its version before and after; `None` if there is none, or nothing changes.
    pub(crate) async fn write_object(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
        change: impl Fn(&Calendar) -> Calendar,
    ) -> Result<Option<(Etag, Etag)>, Error> {
        for _ in 0..ATTEMPTS {
            let Some(stored) = home.get(uid).await? else {
                return Ok(None);
            };
            let before = read(&stored, &self.limits)?;
            let after = change(&before);
            if before == after {
                return Ok(None);
            }
            if let Some(etag) = self.put(home, &after, Some(&stored)).await? {
                return Ok(Some((stored.etag, etag)));
            }
        }
        let text = format!("{uid} was written by somebody else {ATTEMPTS} times meanwhile");
        Err(Error::unavailable(text))
    }

    /// Writes an object in the place of what is there; `None` if somebody else was faster.
    pub(crate) async fn put(
        &self,
        home: &HomeOf<E>,
        object: &Calendar,
        there: Option<&StoredObject>,
    ) -> Result<Option<Etag>, Error> {
        let data = object.write();
        if let Some(there) = there {
            let journal = self.environment.journal();
            journal.record(&Event::Overwriting(home.user(), there));
        }
        let when = unchanged(there);
        let now = self.environment.clock().now();
        let index = index::index_stored(Some(home.user()), &data, &self.limits, now)?;
        unless_conflict(home.put(&NewObject::new(data, index), &when).await)
    }
}

fn unless_conflict<T>(written: Result<T, Error>) -> Result<Option<T>, Error> {
    match written {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
        Err(error) => Err(error),
    }
}
