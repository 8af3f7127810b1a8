//! Brings what is known of a user's files in line with what is on disk.

use super::Calendars;
use crate::{
    Shared,
    directory::{Content, Directory},
    names,
    place::{FileState, Place},
    watch::Changed,
};
use convoke_sdk::{
    excerpt,
    mirror::Object,
    parts::{Broken, Parts},
    prelude::*,
    tracing,
};
use std::{collections::BTreeSet, time::SystemTime};

/// Something in a file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// Of what it is, if that can be told.
    pub(super) uid: Option<String>,
    pub(super) problem: String,
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
const MOST_LOGGED: usize = 10;

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
        self.save_due = true;
        Ok(())
    }

    /// Reads the file if it is not known as it is now.
    pub(super) fn scan_file(
        &mut self,
        shared: &Shared,
        dir: &Directory,
        place: &Place,
    ) -> Result<()> {
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
        let state = FileState {
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
            return self.record_parts(shared, dir, place, state, &parts);
        }
        self.forget_parts(place, &BTreeSet::new());
        let problem = self.record(shared, dir, place, state, bytes)?;
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
    fn record_parts(
        &mut self,
        shared: &Shared,
        dir: &Directory,
        file: &Place,
        state: FileState,
        parts: &Parts<'_>,
    ) -> Result<()> {
        let mut unreadable: Vec<_> = parts.broken().iter().map(Unreadable::of).collect();
        if !self.is_logged(file, &unreadable) {
            for it in unreadable.iter().take(MOST_LOGGED) {
                let path = dir.path().join(&file.name);
                let (path, problem) = (path.display(), &it.problem);
                let of = if it.uid.is_some() { " of UID " } else { "" };
                let uid = excerpt(it.uid.as_deref().unwrap_or_default(), 80);
                tracing::warn!(
                    event = "object-unreadable",
                    "{path}: {problem}; that{of}{uid} is left as it is, and out of free-busy; what is whole in the file counts"
                );
            }
        }
        let now: BTreeSet<Place> = parts.keys().map(|key| file.part(key)).collect();
        for place in &now {
            let object = parts.object(&place.part).unwrap_or_default();
            if let Some(problem) = self.record(shared, dir, place, state, Ok(&object))? {
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
    fn is_logged(&self, file: &Place, broken: &[Unreadable]) -> bool {
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
    fn record(
        &mut self,
        shared: &Shared,
        dir: &Directory,
        place: &Place,
        state: FileState,
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
                let (path, uid) = (path.display(), excerpt(&place.part, 80));
                let of = if uid.is_empty() { "" } else { " of UID " };
                tracing::warn!(
                    event = "object-unreadable",
                    "{path}{of}{uid} is left out of free-busy: {problem}"
                );
            }
        }
        let problem = object.as_ref().err().cloned();
        self.index.set(place.clone(), state, object.ok());
        self.unsaved += 1;
        Ok(problem)
    }

    /// A file is gone, with all that it held.
    pub(super) fn forget(&mut self, file: &Place) {
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
}

/// The calendars in a user's folder, sorted.
pub(super) fn calendars(folder: &Directory) -> Result<Vec<String>> {
    let entries = folder.entries()?.into_iter();
    let folders = entries.filter(|entry| entry.is_folder);
    let mut names: Vec<String> = folders.map(|entry| entry.name).collect();
    names.sort_unstable();
    Ok(names)
}
