//! Brings what is known of a user's files in line with what is on disk.

use super::{Calendars, FileParts, saved::Save};
use crate::{
    Shared,
    directory::{Content, Directory},
    names,
    place::{FileState, Place},
    watch::Changed,
};
use convoke_sdk::{
    excerpt,
    mirror::{Object, Unreadable},
    parts::Parts,
    prelude::*,
    tracing,
};
use std::{borrow::Cow, collections::BTreeSet, time::SystemTime};

/// What is logged of one file that is broken in many places, or of many objects that are there twice, at most.
const MOST_LOGGED: usize = 10;

/// What stands at a place.
enum Found {
    /// What stood there before.
    Same,
    Object(Object),
}

/// What to think of objects that are missing in a file of which something cannot be read.
#[derive(Clone, Copy)]
enum Vanished {
    /// They are in what cannot be read, perhaps.
    Held,
    /// Somebody took them out.
    Gone,
}

impl Calendars {
    /// Makes known what other programs did; the user's folder.
    pub(super) fn refresh(&mut self, shared: &Shared) -> Result<Directory> {
        let user = self.user()?.to_owned();
        let folder = shared.users.open(&user)?;
        let changed = shared.watch.take(&user);
        // Until all of it was looked at.
        let was_complete = std::mem::replace(&mut self.complete, false);
        if let (true, Changed::Files(places)) = (was_complete, changed) {
            for place in places {
                self.rescan(shared, &folder, &place)?;
            }
        } else {
            self.scan_all(shared, &folder, &user)?;
            self.outdated = false;
        }
        self.complete = true;
        self.log_duplicates(&folder);
        Ok(folder)
    }

    fn rescan(&mut self, shared: &Shared, folder: &Directory, place: &Place) -> Result<()> {
        if let Some(dir) = folder.folder(&place.calendar)? {
            return self.scan_file(shared, &dir, place);
        }
        self.forget(place);
        Ok(())
    }

    fn scan_all(&mut self, shared: &Shared, folder: &Directory, user: &str) -> Result<()> {
        self.load_index(folder)?;
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
                    self.scan_file(shared, &dir, &place)?;
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
        self.save = self.save.max(Save::IfMuchChanged);
        Ok(())
    }

    /// Reads the file if it is not known as it is now.
    pub(super) fn scan_file(
        &mut self,
        shared: &Shared,
        dir: &Directory,
        file: &Place,
    ) -> Result<()> {
        let Some(stamp) = dir.stamp(&file.name)? else {
            self.forget(file);
            return Ok(());
        };
        if let Some(known) = self.index.known(file)
            && known.state.stamp == stamp
            && !known.state.fresh
            && !self.outdated
        {
            return Ok(());
        }
        let now = SystemTime::now();
        let Some((stamp, content)) = dir.read(&file.name)? else {
            self.forget(file);
            return Ok(());
        };
        let state = FileState {
            stamp,
            fresh: stamp.is_fresh(now),
        };
        let (bytes, lines) = match &content {
            Content::Bytes(bytes) => (Ok(bytes.as_slice()), bytes.as_slice()),
            Content::Huge(outline) => (Err("it is larger than 16 MiB"), outline.as_slice()),
            Content::Forbidden(problem) => (Err(problem.as_str()), &[][..]),
        };
        let parts = Parts::read(lines);
        let is_in_parts = parts.is_several() || !parts.broken().is_empty();
        if bytes.is_ok() && parts.keys().len() > 0 && is_in_parts {
            return self.record_parts(shared, dir, file, state, &parts);
        }
        let found = match bytes {
            Ok(bytes) => self.describe(shared, file, bytes)?,
            Err(problem) => Err(problem.to_owned()),
        };
        let mut unreadable = Vec::new();
        if let Err(problem) = &found {
            unreadable.extend(parts.broken().iter().map(Unreadable::from));
            unreadable.extend(parts.keys().map(|uid| Unreadable {
                uid: Uid::new(uid).ok(),
                problem: problem.clone(),
            }));
            if unreadable.is_empty() {
                let (uid, problem) = (None, problem.clone());
                unreadable.push(Unreadable { uid, problem });
            }
        }
        match found {
            Ok(found) => self.record(file.clone(), state, found),
            Err(_) => self.record_unreadable(dir, file, state, unreadable, Vanished::Held),
        }
        self.forget_parts(file, &BTreeSet::new());
        Ok(())
    }

    /// Takes note of a file that holds several objects, or something else besides one.
    fn record_parts(
        &mut self,
        shared: &Shared,
        dir: &Directory,
        file: &Place,
        state: FileState,
        parts: &Parts<'_>,
    ) -> Result<()> {
        let mut unreadable: Vec<_> = parts.broken().iter().map(Unreadable::from).collect();
        let mut now = BTreeSet::new();
        for key in parts.keys() {
            let place = file.part(key);
            let object = parts.object(key).unwrap_or_default();
            match self.describe(shared, &place, &object)? {
                Ok(found) => {
                    self.record(place.clone(), state, found);
                    now.insert(place);
                }
                Err(problem) => {
                    let uid = Uid::new(key).ok();
                    unreadable.push(Unreadable { uid, problem });
                }
            }
        }
        let broken = unreadable.len();
        let before = self.parts.get(file).map_or(0, |parts| parts.broken);
        let vanished = if broken > before {
            Vanished::Held
        } else {
            Vanished::Gone
        };
        self.record_unreadable(dir, file, state, unreadable, vanished);
        self.forget_parts(file, &now);
        let places = now;
        self.parts
            .insert(file.clone(), FileParts { places, broken });
        Ok(())
    }

    /// Has the host describe an object, unless it is known; why it cannot be read, if it cannot.
    fn describe(
        &self,
        shared: &Shared,
        place: &Place,
        bytes: &[u8],
    ) -> Result<Result<Found, String>> {
        let etag = names::etag(bytes);
        if !self.outdated
            && let Some(Some(object)) = self.index.known(place).map(|it| &it.object)
            && object.etag == etag
        {
            return Ok(Ok(Found::Same));
        }
        match shared.host.index_for(self.person()?, bytes) {
            Ok(index) => Ok(Ok(Found::Object(Object { etag, index }))),
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    fn record(&mut self, place: Place, state: FileState, found: Found) {
        match found {
            Found::Same => self.index.set_state(&place, state),
            Found::Object(object) => {
                self.index.set(place, state, Some(object));
                self.unsaved += 1;
            }
        }
    }

    /// Takes note of what in a file cannot be read, and logs what was not known of it.
    fn record_unreadable(
        &mut self,
        dir: &Directory,
        file: &Place,
        state: FileState,
        mut unreadable: Vec<Unreadable>,
        vanished: Vanished,
    ) {
        let before = self.index.known(file).map(|it| it.unreadable.as_slice());
        let before = before.unwrap_or_default();
        let new = unreadable.iter().filter(|it| !before.contains(it));
        for it in new.take(MOST_LOGGED) {
            let path = dir.path().join(&file.name);
            let left = match &it.uid {
                Some(uid) => Cow::Owned(format!(
                    "the object with the UID {} is left as it is, and out of free-busy",
                    excerpt(uid.as_str(), 80)
                )),
                None => Cow::Borrowed("it is left as it is, and only what is whole in it counts"),
            };
            tracing::warn!(
                event = "object-unreadable",
                "{}: {}; {left}",
                path.display(),
                it.problem
            );
        }
        if let (Vanished::Held, Some(parts)) = (vanished, self.parts.get(file))
            && let Some(problem) = unreadable.first().map(|it| it.problem.clone())
        {
            let missing = parts.places.iter().filter_map(|place| {
                let uid = Uid::new(&place.part).ok()?;
                let is_there = self
                    .index
                    .known(place)
                    .is_some_and(|it| it.state.stamp == state.stamp);
                (!is_there).then_some(uid)
            });
            unreadable.extend(missing.map(|uid| Unreadable {
                uid: Some(uid),
                problem: problem.clone(),
            }));
        }
        self.index.set_unreadable(file.clone(), state, unreadable);
        self.unsaved += 1;
        // Otherwise the next run would not know what the file held.
        let known = self.index.known(file).map(|it| it.unreadable.as_slice());
        if known.unwrap_or_default().iter().any(|it| it.uid.is_some()) {
            self.save = Save::AtOnce;
        }
    }

    /// An object that stands in two files is taken from the first.
    fn log_duplicates(&mut self, folder: &Directory) {
        let path = |place: &Place| folder.path().join(&place.calendar).join(&place.name);
        for (uid, places) in self.index.take_duplicates().into_iter().take(MOST_LOGGED) {
            if let [first, second, ..] = places.as_slice() {
                tracing::warn!(
                    event = "object-duplicate",
                    "the object with the UID {} stands in {} and in {}: the first is used; remove one of them",
                    excerpt(uid.as_str(), 80),
                    path(first).display(),
                    path(second).display()
                );
            }
        }
    }

    /// A file is gone, with all that it held.
    pub(super) fn forget(&mut self, file: &Place) {
        self.forget_parts(file, &BTreeSet::new());
        self.index.forget(file);
    }

    /// Of the objects that a file held, only `left` are left.
    fn forget_parts(&mut self, file: &Place, left: &BTreeSet<Place>) {
        for part in self.parts.remove(file).unwrap_or_default().places {
            if !left.contains(&part) {
                self.index.forget(&part);
            }
        }
    }
}

/// The calendars in a user's folder, sorted.
pub(super) fn calendars(folder: &Directory) -> Result<Vec<String>> {
    let entries = folder.entries()?.into_iter();
    let folders = entries.filter(|entry| entry.is_folder);
    let mut names: Vec<String> = folders.map(|entry| entry.name).collect();
    names.sort_unstable();
    Ok(names)
}
