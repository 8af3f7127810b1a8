//! One user's objects: what changed on disk, get, put, remove.

use crate::{
    Shared, inbox, memory, names, people,
    tree::{Content, Folder, PATIENCE, Stamp},
    watch::Changed,
};
use convoke_sdk::{
    mirror::{Mirror, Object},
    prelude::*,
    tracing,
};
use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

/// Where new objects go if nobody says otherwise.
const CALENDAR: &str = "calendar";

/// How often something is tried again that another program gets in the way of.
const ATTEMPTS: u32 = 8;

/// So much news is worth writing down for the next run, if it is a tenth of all.
const WORTH_KEEPING: usize = 100;

/// Where a file lies in its user's folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) calendar: String,
    pub(crate) name: String,
}

/// How a file was when it was last read.
pub(crate) struct State {
    pub(crate) stamp: Stamp,
    /// It may have been written again without a change of its stamp.
    pub(crate) fresh: bool,
}

/// The calendars of one user, as far as they are known.
#[derive(Default)]
pub(crate) struct Calendars {
    person: Option<CalendarUser>,
    calendar: Option<String>,
    index: Mirror<Place, State>,
    /// Whether every file was looked at since the watch began.
    complete: bool,
    /// Whether what is known of busy time was worked out for somebody else (another time zone, another address).
    outdated: bool,
    /// How many files the next run will know of; `None`: what the last run knew was not asked for yet.
    kept: Option<usize>,
    /// How many of them have changed since.
    news: usize,
    /// Whether it is time to write that down: after a look at everything, so at most once a minute where files are watched.
    due: bool,
}

impl Calendars {
    /// Says whose calendars these are, before anything else is asked.
    pub(crate) fn are_of(&mut self, person: CalendarUser, calendar: Option<String>) {
        self.calendar = calendar;
        if self.person.as_ref() != Some(&person) {
            self.outdated |= self.person.is_some();
            self.complete = false;
            self.person = Some(person);
        }
    }

    pub(crate) fn get(&mut self, shared: &Shared, uid: &Uid) -> Result<Option<StoredObject>> {
        let folder = self.refresh(shared)?;
        for _ in 0..ATTEMPTS {
            let Some((place, _, _)) = self.index.find(uid) else {
                return Ok(None);
            };
            let place = Place::clone(place);
            if let Some(object) = self.read(shared, &folder, &place)? {
                return Ok(Some(object));
            }
        }
        Err(restless(&folder))
    }

    pub(crate) fn busy(&mut self, shared: &Shared, range: TimeRange) -> Result<Busy> {
        let folder = self.refresh(shared)?;
        'again: for _ in 0..ATTEMPTS {
            let mut objects = Vec::new();
            for place in self.index.open(range) {
                match self.read(shared, &folder, &place)? {
                    Some(object) => objects.push(object),
                    None => continue 'again,
                }
            }
            let spans = self.index.spans(range);
            return Ok(Busy { spans, objects });
        }
        Err(restless(&folder))
    }

    /// Busy time if no file has changed since the last look, and none must be read to tell; it waits for nothing.
    pub(crate) fn busy_at_once(&self, shared: &Shared, range: TimeRange) -> Option<Busy> {
        let person = self.person.as_ref()?;
        let known = self.complete
            && shared.watch.is_quiet(person.id.as_str())
            && shared.people.is_still(person)
            && self.index.open(range).is_empty();
        known.then(|| Busy {
            spans: self.index.spans(range),
            objects: Vec::new(),
        })
    }

    pub(crate) fn put(
        &mut self,
        shared: &Shared,
        object: &NewObject,
        when: &Precondition,
    ) -> Result<Etag> {
        let (folder, _lock) = shared.people.open_locked(self.user()?, PATIENCE)?;
        for _ in 0..ATTEMPTS {
            self.refresh(shared)?;
            let there = self.check(&object.index.uid, when)?;
            let written = match there {
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
                    let state = State { stamp, fresh: true };
                    self.index.set(place, state, Some(known));
                    self.news += 1;
                }
                return Ok(etag);
            }
        }
        Err(restless(&folder))
    }

    pub(crate) fn remove(&mut self, shared: &Shared, uid: &Uid, when: &Precondition) -> Result<()> {
        let (folder, _lock) = shared.people.open_locked(self.user()?, PATIENCE)?;
        for _ in 0..ATTEMPTS {
            self.refresh(shared)?;
            let Some(place) = self.check(uid, when)? else {
                return Err(Error::not_found(format!(
                    "there is no object with the UID {uid}"
                )));
            };
            if let Some(dir) = folder.folder(&place.calendar)?
                && self.is_as_known(&dir, &place)?
            {
                dir.remove(&place.name)?;
                self.index.forget(&place);
                return Ok(());
            }
            self.complete = false;
        }
        Err(restless(&folder))
    }

    pub(crate) fn list(&mut self, shared: &Shared, page: &Page) -> Result<Listing<ObjectSummary>> {
        self.refresh(shared)?;
        self.index.list(page)
    }

    pub(crate) fn changes(&mut self, shared: &Shared, since: Option<&Cursor>) -> Result<Changes> {
        self.refresh(shared)?;
        self.index.changes(since)
    }

    /// Keeps a message for the person to decide on.
    pub(crate) fn keep(&mut self, shared: &Shared, message: &KeptMessage) -> Result<()> {
        inbox::keep(shared, self.user()?, message)
    }

    /// Where the object is; fails if the precondition does not hold.
    fn check(&self, uid: &Uid, when: &Precondition) -> Result<Option<Place>> {
        let found = self.index.find(uid);
        let place = found.map(|(place, _, _)| Place::clone(place));
        let problem = match (when, found) {
            (Precondition::Any, _) | (Precondition::Absent, None) => return Ok(place),
            (Precondition::Matches(wanted), Some((_, _, object))) if *wanted == object.etag => {
                return Ok(place);
            }
            (Precondition::Absent, Some(_)) => "is there already",
            (Precondition::Matches(_), Some(_)) => "was changed meanwhile",
            (Precondition::Matches(_), None) => "is not there any more",
        };
        Err(Error::conflict(format!(
            "the object with the UID {uid} {problem}"
        )))
    }

    /// Writes over the file at `place`; `None` if another program was there first.
    fn replace(
        &mut self,
        folder: &Folder,
        place: &Place,
        object: &NewObject,
    ) -> Result<Option<(Place, Folder)>> {
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

    /// Writes a new file; `None` if no name was free.
    fn create(&self, folder: &Folder, object: &NewObject) -> Result<Option<(Place, Folder)>> {
        let calendar = self.calendar_for_new(folder)?;
        let dir = folder.make_folder(&calendar)?;
        for attempt in 0..100 {
            // A name may be taken by a file that holds another UID, or nothing that can be read.
            let name = names::file(&object.index.uid, attempt);
            if dir.prepare(&name, &object.data)?.create()? {
                return Ok(Some((Place { calendar, name }, dir)));
            }
        }
        Ok(None)
    }

    fn calendar_for_new(&self, folder: &Folder) -> Result<String> {
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
    fn is_as_known(&self, dir: &Folder, place: &Place) -> Result<bool> {
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

    fn holds(&self, dir: &Folder, place: &Place) -> Result<bool> {
        let etag = self
            .index
            .known(place)
            .and_then(|known| known.object.as_ref());
        Ok(match (dir.read(&place.name)?, etag) {
            (Some((_, Content::Bytes(bytes))), Some(object)) => names::etag(&bytes) == object.etag,
            _ => false,
        })
    }

    /// The object at `place`; `None` if it was changed meanwhile, which is then known.
    fn read(
        &mut self,
        shared: &Shared,
        folder: &Folder,
        place: &Place,
    ) -> Result<Option<StoredObject>> {
        if let Some(dir) = folder.folder(&place.calendar)?
            && let Some((_, Content::Bytes(data))) = dir.read(&place.name)?
            && let Some(object) = self
                .index
                .known(place)
                .and_then(|known| known.object.as_ref())
            && names::etag(&data) == object.etag
        {
            return Ok(Some(StoredObject {
                uid: object.index.uid.clone(),
                etag: object.etag.clone(),
                data,
            }));
        }
        self.complete = false;
        self.refresh(shared)?;
        Ok(None)
    }

    /// Makes known what other programs did; the user's folder.
    fn refresh(&mut self, shared: &Shared) -> Result<Folder> {
        let user = self.user()?.to_owned();
        let folder = shared.people.open(&user)?;
        let changed = shared.watch.take(&user);
        // Until all of it was looked at.
        let was_complete = std::mem::replace(&mut self.complete, false);
        if let (true, Changed::Files(places)) = (was_complete, changed) {
            for place in places {
                self.look_again(shared, &folder, &place)?;
            }
        } else {
            self.look_at_all(shared, &folder, &user)?;
            self.outdated = false;
        }
        self.complete = true;
        Ok(folder)
    }

    fn look_again(&mut self, shared: &Shared, folder: &Folder, place: &Place) -> Result<()> {
        if let Some(dir) = folder.folder(&place.calendar)? {
            return self.look_at(shared, &dir, place);
        }
        self.index.forget(place);
        Ok(())
    }

    fn look_at_all(&mut self, shared: &Shared, folder: &Folder, user: &str) -> Result<()> {
        self.recall(folder)?;
        let calendars = calendars(folder)?;
        // First the watch, then the look: nothing falls between them.
        shared.watch.begin(user, folder, &calendars);
        let mut seen = BTreeSet::new();
        for calendar in calendars {
            let Some(dir) = folder.folder(&calendar)? else {
                continue;
            };
            for entry in dir.entries()? {
                if entry.is_file && names::is_object(&entry.name) {
                    let place = Place {
                        calendar: calendar.clone(),
                        name: entry.name,
                    };
                    self.look_at(shared, &dir, &place)?;
                    seen.insert(place);
                }
            }
        }
        let places = self
            .index
            .places()
            .filter(|place| !seen.contains(&***place));
        let gone: Vec<_> = places.cloned().collect();
        for place in gone {
            self.index.forget(&place);
        }
        self.due = true;
        Ok(())
    }

    /// Reads the file if it is not known as it is now.
    fn look_at(&mut self, shared: &Shared, dir: &Folder, place: &Place) -> Result<()> {
        let Some(stamp) = dir.stamp(&place.name)? else {
            self.index.forget(place);
            return Ok(());
        };
        if let Some(known) = self.index.known(place)
            && known.state.stamp == stamp
            && !known.state.fresh
            && !self.outdated
        {
            return Ok(());
        }
        let now = SystemTime::now();
        let Some((stamp, content)) = dir.read(&place.name)? else {
            self.index.forget(place);
            return Ok(());
        };
        let fresh = stamp.is_fresh(now);
        let object = match content {
            Content::Huge => Err("it is larger than 16 MiB".to_owned()),
            Content::Bytes(bytes) => {
                let etag = names::etag(&bytes);
                if !self.outdated
                    && let Some(Some(object)) = self.index.known(place).map(|it| &it.object)
                    && object.etag == etag
                {
                    self.index.set_state(place, State { stamp, fresh });
                    return Ok(());
                }
                match shared.host.index_for(self.person()?, &bytes) {
                    Ok(index) => Ok(Object { etag, index }),
                    Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                    Err(error) => Err(error.to_string()),
                }
            }
        };
        if let Err(problem) = &object {
            let before = self.index.known(place);
            let said =
                before.is_some_and(|known| known.state.stamp == stamp && known.object.is_none());
            if !said {
                let path = dir.path().join(&place.name);
                tracing::warn!("{} is left out of free-busy: {problem}", path.display());
            }
        }
        let state = State { stamp, fresh };
        self.index.set(place.clone(), state, object.ok());
        self.news += 1;
        Ok(())
    }

    /// What the last run knew is known again, once.
    fn recall(&mut self, folder: &Folder) -> Result<()> {
        if self.kept.is_none() {
            if let Some(control) = folder.folder(people::CONTROL)? {
                self.index = memory::recall(&control, self.person()?);
            }
            self.kept = Some(self.index.places().count());
        }
        Ok(())
    }

    /// Writes down for the next run what took long to find out.
    pub(crate) fn keep_in_mind(&mut self, shared: &Shared) {
        let due = std::mem::take(&mut self.due);
        if !due || self.news < WORTH_KEEPING.max(self.kept.unwrap_or_default() / 10) {
            return;
        }
        match self.try_to_keep_in_mind(shared) {
            Ok(kept) => self.kept = Some(kept),
            Err(error) => tracing::info!("the next start will read every file again: {error}"),
        }
        self.news = 0;
    }

    fn try_to_keep_in_mind(&self, shared: &Shared) -> Result<usize> {
        // Whoever writes now is not waited for: there will be another time.
        let (folder, _lock) = shared.people.open_locked(self.user()?, Duration::ZERO)?;
        let control = folder.make_folder(people::CONTROL)?;
        memory::keep(&control, self.person()?, &self.index)
    }

    fn person(&self) -> Result<&CalendarUser> {
        (self.person.as_ref())
            .ok_or_else(|| Error::internal("nobody said whose calendars these are"))
    }

    fn user(&self) -> Result<&str> {
        self.person().map(|person| person.id.as_str())
    }
}

/// The calendars in a user's folder, sorted.
fn calendars(folder: &Folder) -> Result<Vec<String>> {
    let entries = folder.entries()?.into_iter();
    let folders = entries.filter(|entry| entry.is_folder);
    let mut names: Vec<String> = folders.map(|entry| entry.name).collect();
    names.sort_unstable();
    Ok(names)
}

fn restless(folder: &Folder) -> Error {
    Error::unavailable(format!(
        "{} was changed by another program each time it was looked at",
        folder.path().display()
    ))
}
