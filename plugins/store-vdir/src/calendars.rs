//! One user's objects: what changed on disk, get, put, remove.

use crate::{
    Shared, memory, names, people,
    tree::{Content, Folder, PATIENCE, Stamp},
    watch::Changed,
};
use convoke_sdk::{
    mirror::{Mirror, Object},
    parts::{Broken, Parts},
    prelude::*,
    tracing,
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Where new objects go if nobody says otherwise.
const CALENDAR: &str = "calendar";

/// How often something is tried again that another program gets in the way of.
const ATTEMPTS: u32 = 8;

/// So much news is worth writing down for the next run, if it is a tenth of all.
const WORTH_KEEPING: usize = 100;

/// Where a file lies in its user's folder, and which of its objects is meant, if it holds several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) calendar: String,
    pub(crate) name: String,
    /// The key of [`Parts`]; empty for the whole file.
    pub(crate) part: String,
}

impl Place {
    /// The whole file.
    pub(crate) const fn file(calendar: String, name: String) -> Self {
        let part = String::new();
        Self {
            calendar,
            name,
            part,
        }
    }

    /// One object of the file.
    fn part(&self, key: &str) -> Self {
        Self {
            part: key.to_owned(),
            ..self.clone()
        }
    }

    fn whole(&self) -> Self {
        self.part("")
    }
}

/// How a file was when it was last read.
#[derive(Clone, Copy)]
pub(crate) struct State {
    pub(crate) stamp: Stamp,
    /// It may have been written again without a change of its stamp.
    pub(crate) fresh: bool,
}

/// Something in a file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unreadable {
    /// Of what it is, if that can be told.
    uid: Option<String>,
    problem: String,
}

impl Unreadable {
    fn of(broken: &Broken) -> Self {
        Self {
            uid: broken.uid().map(str::to_owned),
            problem: broken.to_string(),
        }
    }
}

/// What is said of one file that is broken in many places, at most.
const MOST_TOLD: usize = 10;

/// The calendars of one user, as far as they are known.
#[derive(Default)]
pub(crate) struct Calendars {
    person: Option<CalendarUser>,
    calendar: Option<String>,
    index: Mirror<Place, State>,
    /// The objects of files that hold several; such a file itself has none in the index.
    parts: BTreeMap<Place, BTreeSet<Place>>,
    /// What cannot be read of files that could be.
    unreadable: BTreeMap<Place, Vec<Unreadable>>,
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
                return self.check_readable(&folder, uid).map(|()| None);
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
        Err(restless(&folder))
    }

    /// Busy time if no file has changed since the last look, and none must be read to tell; it waits for nothing.
    pub(crate) fn busy_at_once(&self, shared: &Shared, range: TimeRange) -> Option<Busy> {
        let person = self.person.as_ref()?;
        let known = self.complete
            && shared.watch.is_quiet(person.id.as_str())
            && shared.people.is_still(person)
            && self.index.open(range).is_empty();
        known.then(|| Busy::new(self.index.spans(range), Vec::new()))
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

    /// Where the object is; fails if the precondition does not hold.
    fn check(&self, folder: &Folder, uid: &Uid, when: &Precondition) -> Result<Option<Place>> {
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

    /// Fails if an object, or a part of it, stands where it cannot be read: whoever took it for new would write it twice,
    /// and whoever wrote over it would lose the rest of it.
    fn check_readable(&self, folder: &Folder, uid: &Uid) -> Result<()> {
        for (file, unreadable) in &self.unreadable {
            let mut unreadable = unreadable.iter();
            if let Some(it) = unreadable.find(|it| it.uid.as_deref() == Some(uid.as_str())) {
                let path = folder.path().join(&file.calendar).join(&file.name);
                return Err(Error::unavailable(format!(
                    "the object with the UID {uid} stands in {} and cannot be read there ({}); mend it, or take it out of \
                     the file: until then it is neither changed nor written anew",
                    path.display(),
                    it.problem
                )));
            }
        }
        Ok(())
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

    /// Writes over one of the objects of a file that holds several; `false` if another program was there first. All the
    /// rest of the file stays byte for byte.
    fn exchange(
        &mut self,
        shared: &Shared,
        folder: &Folder,
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
            self.look_at(shared, &home, &new)?;
            return self.take_out(shared, &dir, place);
        };
        self.rewrite(shared, &dir, place, &changed)
    }

    /// Takes one of the objects out of a file that holds several; `false` if another program was there first.
    fn take_out(&mut self, shared: &Shared, dir: &Folder, place: &Place) -> Result<bool> {
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
        dir: &Folder,
        place: &Place,
        file: &[u8],
    ) -> Result<bool> {
        let unfinished = dir.prepare(&place.name, file)?;
        if !self.is_as_known(dir, place)? {
            self.complete = false;
            return Ok(false);
        }
        unfinished.replace()?;
        self.look_at(shared, dir, &place.whole())?;
        Ok(true)
    }

    /// What the file of `place` holds, if it is the one that was last read.
    fn contents(&self, dir: &Folder, place: &Place) -> Result<Option<Vec<u8>>> {
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
    fn create(&self, folder: &Folder, object: &NewObject) -> Result<Option<(Place, Folder)>> {
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
            (Some((_, Content::Bytes(bytes))), Some(object)) => {
                part_of(&bytes, place).is_some_and(|it| names::etag(&it) == object.etag)
            }
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
        let places = [Arc::new(place.clone())];
        let read = self.read_all(shared, folder, place, &places)?;
        Ok(read.and_then(|mut objects| objects.pop()))
    }

    /// The objects at `places`, all of one file; `None` if one was changed meanwhile, which is then known.
    fn read_all(
        &mut self,
        shared: &Shared,
        folder: &Folder,
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
        self.forget(place);
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
                    let place = Place::file(calendar.clone(), entry.name);
                    self.look_at(shared, &dir, &place)?;
                    seen.insert(place);
                }
            }
        }
        let places = self
            .index
            .places()
            .map(|place| place.whole())
            .filter(|place| !seen.contains(place));
        let gone: BTreeSet<_> = places.collect();
        for place in gone {
            self.forget(&place);
        }
        self.due = true;
        Ok(())
    }

    /// Reads the file if it is not known as it is now.
    fn look_at(&mut self, shared: &Shared, dir: &Folder, place: &Place) -> Result<()> {
        let Some(stamp) = dir.stamp(&place.name)? else {
            self.forget(place);
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
            self.forget(place);
            return Ok(());
        };
        let state = State {
            stamp,
            fresh: stamp.is_fresh(now),
        };
        let (bytes, lines) = match &content {
            Content::Huge(outline) => (Err("it is larger than 16 MiB"), outline),
            Content::Bytes(bytes) => (Ok(bytes.as_slice()), bytes),
        };
        let parts = Parts::read(lines);
        if bytes.is_ok()
            && parts.keys().len() > 0
            && (parts.is_several() || !parts.broken().is_empty())
        {
            return self.note_parts(shared, dir, place, state, &parts);
        }
        self.forget_parts(place, &BTreeSet::new());
        let problem = self.note(shared, dir, place, state, bytes)?;
        let mut unreadable = Vec::new();
        if let Some(problem) = problem {
            unreadable.extend(parts.broken().iter().map(Unreadable::of));
            unreadable.extend(parts.keys().map(|uid| Unreadable {
                uid: Some(uid.to_owned()),
                problem: problem.clone(),
            }));
        }
        self.set_unreadable(place, unreadable);
        Ok(())
    }

    /// Takes note of a file that holds several objects, or something else besides one.
    fn note_parts(
        &mut self,
        shared: &Shared,
        dir: &Folder,
        file: &Place,
        state: State,
        parts: &Parts<'_>,
    ) -> Result<()> {
        let mut unreadable: Vec<_> = parts.broken().iter().map(Unreadable::of).collect();
        if !self.knows_of(file, &unreadable) {
            for it in unreadable.iter().take(MOST_TOLD) {
                let path = dir.path().join(&file.name);
                let (path, problem) = (path.display(), &it.problem);
                let of = if it.uid.is_some() { " of UID " } else { "" };
                let uid = it.uid.as_deref().unwrap_or_default();
                tracing::warn!(
                    event = "object-unreadable",
                    "{path}: {problem}; that{of}{uid:.80} is left as it is, and out of free-busy; what is whole in the file counts"
                );
            }
        }
        let now: BTreeSet<Place> = parts.keys().map(|key| file.part(key)).collect();
        for place in &now {
            let object = parts.object(&place.part).unwrap_or_default();
            if let Some(problem) = self.note(shared, dir, place, state, Ok(&object))? {
                let uid = Some(place.part.clone());
                unreadable.push(Unreadable { uid, problem });
            }
        }
        self.set_unreadable(file, unreadable);
        self.forget_parts(file, &now);
        self.parts.insert(file.clone(), now);
        self.index.set(file.clone(), state, None);
        Ok(())
    }

    /// Whether this was found broken in the file before, and so was told.
    fn knows_of(&self, file: &Place, broken: &[Unreadable]) -> bool {
        let known = self.unreadable.get(file);
        known.is_some_and(|known| known.starts_with(broken))
    }

    fn set_unreadable(&mut self, file: &Place, unreadable: Vec<Unreadable>) {
        if unreadable.is_empty() {
            self.unreadable.remove(file);
        } else {
            self.unreadable.insert(file.clone(), unreadable);
        }
    }

    /// Takes note of what is at `place` now; why it cannot be read, if it cannot.
    fn note(
        &mut self,
        shared: &Shared,
        dir: &Folder,
        place: &Place,
        state: State,
        object: Result<&[u8], &str>,
    ) -> Result<Option<String>> {
        let object = match object {
            Err(problem) => Err(problem.to_owned()),
            Ok(bytes) => {
                let etag = names::etag(bytes);
                if !self.outdated
                    && let Some(Some(object)) = self.index.known(place).map(|it| &it.object)
                    && object.etag == etag
                {
                    self.index.set_state(place, state);
                    return Ok(None);
                }
                match shared.host.index_for(self.person()?, bytes) {
                    Ok(index) => Ok(Object { etag, index }),
                    Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                    Err(error) => Err(error.to_string()),
                }
            }
        };
        if let Err(problem) = &object {
            let before = self.index.known(place);
            let said = before
                .is_some_and(|known| known.state.stamp == state.stamp && known.object.is_none());
            if !said {
                let path = dir.path().join(&place.name);
                let (path, uid) = (path.display(), &place.part);
                let of = if uid.is_empty() { "" } else { " of UID " };
                tracing::warn!(
                    event = "object-unreadable",
                    "{path}{of}{uid:.80} is left out of free-busy: {problem}"
                );
            }
        }
        let problem = object.as_ref().err().cloned();
        self.index.set(place.clone(), state, object.ok());
        self.news += 1;
        Ok(problem)
    }

    /// A file is gone, with all that it held.
    fn forget(&mut self, file: &Place) {
        self.forget_parts(file, &BTreeSet::new());
        self.unreadable.remove(file);
        self.index.forget(file);
    }

    /// Of the objects that a file held, only `left` are left.
    fn forget_parts(&mut self, file: &Place, left: &BTreeSet<Place>) {
        for part in self.parts.remove(file).unwrap_or_default() {
            if !left.contains(&part) {
                self.index.forget(&part);
            }
        }
    }

    /// What the last run knew is known again, once.
    fn recall(&mut self, folder: &Folder) -> Result<()> {
        if self.kept.is_none() {
            if let Some(control) = folder.folder(people::CONTROL)? {
                self.index = memory::recall(&control, self.person()?);
                for place in self.index.places().filter(|it| !it.part.is_empty()) {
                    let parts = self.parts.entry(place.whole()).or_default();
                    parts.insert(Place::clone(place));
                }
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
            Err(error) => tracing::info!(
                event = "index-not-saved",
                "the index could not be saved, so the next start reads every file again: {error}"
            ),
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

    pub(crate) fn user(&self) -> Result<&str> {
        self.person().map(|person| person.id.as_str())
    }
}

/// What of a file's bytes is at `place`; `None` if it is not there any more.
fn part_of<'a>(bytes: &'a [u8], place: &Place) -> Option<Cow<'a, [u8]>> {
    if place.part.is_empty() {
        return Some(bytes.into());
    }
    Some(Parts::of(bytes)?.object(&place.part)?.into())
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
