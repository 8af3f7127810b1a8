//! Puts and removes objects.

use super::{ATTEMPTS, Calendars, keeps_changing, scan::calendars};
use crate::{
    Shared,
    directory::{Content, Directory, PATIENCE},
    names,
    place::{FileState, Place, part_of},
};
use convoke_sdk::{mirror::Object, parts::Parts, prelude::*};

/// Where new objects go if nobody says otherwise.
const CALENDAR: &str = "calendar";

impl Calendars {
    pub(crate) fn put(
        &mut self,
        shared: &Shared,
        object: &NewObject,
        when: &Precondition,
    ) -> Result<Etag> {
        let (folder, _lock) = shared.users.open_locked(self.user()?, PATIENCE)?;
        for _ in 0..ATTEMPTS {
            self.refresh(shared)?;
            let there = self.check(&folder, &object.index.uid, when)?;
            let written = match there {
                Some(place) if !place.part.is_empty() => {
                    if self.exchange(shared, &folder, &place, object)? {
                        let now = self.index.find(&object.index.uid);
                        if let Some((_, _, object)) = now {
                            return Ok(object.etag.clone());
                        }
                    }
                    continue;
                }
                Some(place) => self.replace(&folder, &place, object)?,
                None => self.create(&folder, object)?,
            };
            if let Some((place, dir)) = written {
                let etag = names::etag(&object.data);
                let known = Object {
                    etag: etag.clone(),
                    index: object.index.clone(),
                };
                // Another program may have written it already: then it is looked at as any other.
                if let Some(stamp) = dir.stamp(&place.name)? {
                    let state = FileState { stamp, fresh: true };
                    self.index.set(place, state, Some(known));
                    self.unsaved += 1;
                }
                return Ok(etag);
            }
        }
        Err(keeps_changing(&folder))
    }

    pub(crate) fn remove(&mut self, shared: &Shared, uid: &Uid, when: &Precondition) -> Result<()> {
        let (folder, _lock) = shared.users.open_locked(self.user()?, PATIENCE)?;
        for _ in 0..ATTEMPTS {
            self.refresh(shared)?;
            let Some(place) = self.check(&folder, uid, when)? else {
                return Err(Error::not_found(format!(
                    "there is no object with the UID {uid}"
                )));
            };
            if let Some(dir) = folder.folder(&place.calendar)?
                && self.is_as_known(&dir, &place)?
            {
                if place.part.is_empty() {
                    dir.remove(&place.name)?;
                    self.forget(&place);
                    return Ok(());
                }
                if self.take_out(shared, &dir, &place)? {
                    return Ok(());
                }
            }
            self.complete = false;
        }
        Err(keeps_changing(&folder))
    }

    /// Where the object is; fails if the precondition does not hold.
    fn check(&self, folder: &Directory, uid: &Uid, when: &Precondition) -> Result<Option<Place>> {
        self.check_readable(folder, uid)?;
        let found = self.index.find(uid);
        let place = found.map(|(place, _, _)| Place::clone(place));
        let problem = match (when, found) {
            (Precondition::Any, _) | (Precondition::Absent, None) => return Ok(place),
            (Precondition::Matches(wanted), Some((_, _, object))) if *wanted == object.etag => {
                return Ok(place);
            }
            (Precondition::Absent, Some(_)) => "is there already",
            (Precondition::Matches(_), None) => "is not there any more",
            _ => "was changed meanwhile",
        };
        Err(Error::conflict(format!(
            "the object with the UID {uid} {problem}"
        )))
    }

    /// Writes over the file at `place`; `None` if another program was there first.
    fn replace(
        &mut self,
        folder: &Directory,
        place: &Place,
        object: &NewObject,
    ) -> Result<Option<(Place, Directory)>> {
        let Some(dir) = folder.folder(&place.calendar)? else {
            self.complete = false;
            return Ok(None);
        };
        let unfinished = dir.prepare(&place.name, &object.data)?;
        if !self.is_as_known(&dir, place)? {
            self.complete = false;
            return Ok(None);
        }
        unfinished.replace()?;
        Ok(Some((place.clone(), dir)))
    }

    /// Writes over one of the objects of a file that holds several; `false` if another program was there first. All the
    /// rest of the file stays byte for byte.
    fn exchange(
        &mut self,
        shared: &Shared,
        folder: &Directory,
        place: &Place,
        object: &NewObject,
    ) -> Result<bool> {
        let Some(dir) = folder.folder(&place.calendar)? else {
            self.complete = false;
            return Ok(false);
        };
        let Some(file) = self.contents(&dir, place)? else {
            self.complete = false;
            return Ok(false);
        };
        let parts = Parts::of(&file);
        let Some(changed) = parts.and_then(|parts| parts.with(&place.part, &object.data)) else {
            // It brings a time zone that others in the file have by the same name: so it gets a file of its own.
            let Some((new, home)) = self.create(folder, object)? else {
                return Ok(false);
            };
            self.scan_file(shared, &home, &new)?;
            return self.take_out(shared, &dir, place);
        };
        self.rewrite(shared, &dir, place, &changed)
    }

    /// Takes one of the objects out of a file that holds several; `false` if another program was there first.
    fn take_out(&mut self, shared: &Shared, dir: &Directory, place: &Place) -> Result<bool> {
        let Some(file) = self.contents(dir, place)? else {
            self.complete = false;
            return Ok(false);
        };
        let rest = Parts::of(&file).and_then(|parts| parts.without(&place.part));
        if let Some(rest) = rest {
            return self.rewrite(shared, dir, place, &rest);
        }
        dir.remove(&place.name)?;
        self.forget(&place.whole());
        Ok(true)
    }

    /// Writes a file that holds several objects; `false` if another program was there first.
    fn rewrite(
        &mut self,
        shared: &Shared,
        dir: &Directory,
        place: &Place,
        file: &[u8],
    ) -> Result<bool> {
        let unfinished = dir.prepare(&place.name, file)?;
        if !self.is_as_known(dir, place)? {
            self.complete = false;
            return Ok(false);
        }
        unfinished.replace()?;
        self.scan_file(shared, dir, &place.whole())?;
        Ok(true)
    }

    /// What the file of `place` holds, if it is the one that was last read.
    fn contents(&self, dir: &Directory, place: &Place) -> Result<Option<Vec<u8>>> {
        let known = self.index.known(place).map(|known| known.state.stamp);
        Ok(match dir.read(&place.name)? {
            Some((stamp, Content::Bytes(bytes))) if known == Some(stamp) => {
                let object = self.index.known(place).and_then(|it| it.object.as_ref());
                let is_same = object.is_some_and(|object| {
                    part_of(&bytes, place).is_some_and(|it| names::etag(&it) == object.etag)
                });
                is_same.then_some(bytes)
            }
            _ => None,
        })
    }

    /// Writes a new file; `None` if no name was free.
    fn create(&self, folder: &Directory, object: &NewObject) -> Result<Option<(Place, Directory)>> {
        let calendar = self.calendar_for_new(folder)?;
        let dir = folder.make_folder(&calendar)?;
        for attempt in 0..100 {
            // A name may be taken by a file that holds another UID, or nothing that can be read.
            let name = names::file(&object.index.uid, attempt);
            if dir.prepare(&name, &object.data)?.create()? {
                return Ok(Some((Place::file(calendar, name), dir)));
            }
        }
        Ok(None)
    }

    fn calendar_for_new(&self, folder: &Directory) -> Result<String> {
        if let Some(calendar) = &self.calendar {
            return Ok(calendar.clone());
        }
        let mut calendars = calendars(folder)?;
        match (calendars.pop(), calendars.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => Ok(CALENDAR.to_owned()),
        }
    }

    /// Whether the file is the one that was last read.
    fn is_as_known(&self, dir: &Directory, place: &Place) -> Result<bool> {
        let known = self.index.known(place);
        let stamp = dir.stamp(&place.name)?;
        Ok(match (known, stamp) {
            (Some(known), Some(stamp)) if known.state.stamp == stamp => {
                // Only for a file written an instant ago the stamp is not enough.
                !known.state.fresh || self.holds(dir, place)?
            }
            _ => false,
        })
    }

    fn holds(&self, dir: &Directory, place: &Place) -> Result<bool> {
        let etag = self
            .index
            .known(place)
            .and_then(|known| known.object.as_ref());
        Ok(match (dir.read(&place.name)?, etag) {
            (Some((_, Content::Bytes(bytes))), Some(object)) => {
                part_of(&bytes, place).is_some_and(|it| names::etag(&it) == object.etag)
            }
            _ => false,
        })
    }
}
