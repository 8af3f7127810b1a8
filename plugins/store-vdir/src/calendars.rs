//! One user's objects: get, busy, list, changes.
//!
//! | module | what it does |
//! | --- | --- |
//! | `scan` | brings what is known in line with the files |
//! | `write` | puts and removes objects |
//! | `saved` | what is known, kept for the next run |

mod saved;
mod scan;
mod write;

use crate::{
    Shared,
    directory::{Content, Directory},
    names,
    place::{FileState, Place},
    watch::Activity,
};
use convoke_sdk::{mirror::Mirror, parts::Parts, prelude::*};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How often something is tried again that another program gets in the way of.
const ATTEMPTS: u32 = 8;

/// The calendars of one user, as far as they are known.
#[derive(Default)]
pub(crate) struct Calendars {
    person: Option<CalendarUser>,
    calendar: Option<String>,
    index: Mirror<Place, FileState>,
    /// The objects of files that hold several; such a file itself has none in the index.
    parts: BTreeMap<Place, FileParts>,
    /// Whether every file was looked at since the watch began.
    complete: bool,
    /// Whether what is known of busy time was worked out for somebody else (another time zone, another address).
    outdated: bool,
    /// How many files the next run will know of; `None`: what the last run knew was not asked for yet.
    saved: Option<usize>,
    /// How many of them have changed since.
    unsaved: usize,
    save: saved::Save,
}

/// The objects of a file that holds several.
#[derive(Default)]
struct FileParts {
    places: BTreeSet<Place>,
    /// How many other things are in it that cannot be read.
    broken: usize,
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
                return self.check_readable(&folder, uid).map(|()| None);
            };
            let place = Place::clone(place);
            if let Some(object) = self.read(shared, &folder, &place)? {
                return Ok(Some(object));
            }
        }
        Err(keeps_changing(&folder))
    }

    pub(crate) fn busy(&mut self, shared: &Shared, range: TimeRange) -> Result<Busy> {
        let folder = self.refresh(shared)?;
        'again: for _ in 0..ATTEMPTS {
            let mut files: BTreeMap<Place, Vec<Arc<Place>>> = BTreeMap::new();
            for place in self.index.open(range) {
                files.entry(place.whole()).or_default().push(place);
            }
            let mut objects = Vec::new();
            for (file, places) in files {
                match self.read_all(shared, &folder, &file, &places)? {
                    Some(read) => objects.extend(read),
                    None => continue 'again,
                }
            }
            let spans = self.index.spans(range);
            return Ok(Busy::new(spans, objects));
        }
        Err(keeps_changing(&folder))
    }

    /// Busy time if no file has changed since the last look, and none must be read to tell; it waits for nothing.
    pub(crate) fn busy_at_once(&self, shared: &Shared, range: TimeRange) -> Option<Busy> {
        let person = self.person.as_ref()?;
        let known = self.complete
            && shared.watch.is_quiet(person.id.as_str())
            && shared.users.is_still(person)
            && self.index.open(range).is_empty();
        known.then(|| Busy::new(self.index.spans(range), Vec::new()))
    }

    pub(crate) fn list(&mut self, shared: &Shared, page: &Page) -> Result<Listing<ObjectSummary>> {
        self.refresh(shared)?;
        self.index.list(page)
    }

    pub(crate) fn changes(&mut self, shared: &Shared, since: Option<&Cursor>) -> Result<Changes> {
        self.refresh(shared)?;
        let mut gone = BTreeSet::new();
        for _ in 0..ATTEMPTS {
            let changes = self.index.changes(since)?;
            if changes.removed.iter().all(|uid| gone.contains(uid)) {
                return Ok(changes);
            }
            // It may have been moved to a calendar that had been looked at already: gone is what is not there twice.
            gone = changes.removed.into_iter().collect();
            self.refresh(shared)?;
        }
        self.index.changes(since)
    }

    /// Whether all that can be known of the files is known.
    pub(crate) fn is_in_line(&self, shared: &Shared, user: &str) -> bool {
        self.complete && shared.watch.activity(user) == Activity::Quiet
    }

    /// What happened since the cursor as far as it is known, without a look at the files.
    pub(crate) fn known_changes(&self, since: &Cursor) -> Result<Changes> {
        self.index.changes(Some(since))
    }

    /// Fails if an object, or a part of it, stands where it cannot be read: whoever took it for new would write it twice,
    /// whoever took it for gone would cancel it, and whoever wrote over it would lose the rest of it.
    fn check_readable(&self, folder: &Directory, uid: &Uid) -> Result<()> {
        // A program was just writing it, or the power went.
        let mut unnamed = self.index.unnamed();
        let named = || unnamed.find(|(file, _)| names::is_of(&file.name, uid));
        let Some((file, unreadable)) = self.index.find_unreadable(uid).or_else(named) else {
            return Ok(());
        };
        let path = folder.path().join(&file.calendar).join(&file.name);
        Err(Error::unavailable(format!(
            "the object with the UID {uid} stands in {} and cannot be read there ({}); mend it, or take it out of \
             the file: until then it is neither changed nor written anew",
            path.display(),
            unreadable.problem
        )))
    }

    /// The object at `place`; `None` if it was changed meanwhile, which is then known.
    fn read(
        &mut self,
        shared: &Shared,
        folder: &Directory,
        place: &Place,
    ) -> Result<Option<StoredObject>> {
        let places = [Arc::new(place.clone())];
        let read = self.read_all(shared, folder, place, &places)?;
        Ok(read.and_then(|mut objects| objects.pop()))
    }

    /// The objects at `places`, all of one file; `None` if one was changed meanwhile, which is then known.
    fn read_all(
        &mut self,
        shared: &Shared,
        folder: &Directory,
        file: &Place,
        places: &[Arc<Place>],
    ) -> Result<Option<Vec<StoredObject>>> {
        if let Some(dir) = folder.folder(&file.calendar)?
            && let Some((_, Content::Bytes(bytes))) = dir.read(&file.name)?
            && let Some(objects) = self.known_objects(&bytes, places)
        {
            return Ok(Some(objects));
        }
        self.complete = false;
        self.refresh(shared)?;
        Ok(None)
    }

    /// The objects in a file's bytes, if all are as they were when they were last read.
    fn known_objects(&self, bytes: &[u8], places: &[Arc<Place>]) -> Option<Vec<StoredObject>> {
        let is_several = places.iter().any(|place| !place.part.is_empty());
        let parts = is_several.then(|| Parts::of(bytes)).flatten();
        let mut objects = Vec::with_capacity(places.len());
        for place in places {
            let data = match &parts {
                _ if place.part.is_empty() => bytes.to_vec(),
                parts => parts.as_ref()?.object(&place.part)?,
            };
            let known = self.index.known(place)?.object.as_ref()?;
            if names::etag(&data) != known.etag {
                return None;
            }
            objects.push(StoredObject::new(
                known.index.uid.clone(),
                known.etag.clone(),
                data,
            ));
        }
        Some(objects)
    }

    fn person(&self) -> Result<&CalendarUser> {
        (self.person.as_ref())
            .ok_or_else(|| Error::internal("nobody said whose calendars these are"))
    }

    pub(crate) fn user(&self) -> Result<&str> {
        self.person().map(|person| person.id.as_str())
    }
}

fn keeps_changing(folder: &Directory) -> Error {
    Error::unavailable(format!(
        "{} was changed by another program each time it was looked at",
        folder.path().display()
    ))
}
