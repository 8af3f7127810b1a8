//! What a store knows of one user's objects that others may change too: UIDs, busy time, history.
//!
//! For a store in front of files or a server: it looks at what changed, has the host describe it
//! ([`Host::index_for`](crate::Host::index_for)), and tells the [`Mirror`], which then answers `busy`, `list` and
//! `changes` from memory. A place (`P`) is where an object lies: a file, an address. What the store needs to see that a
//! place has not changed since (`S`) stands beside it: a file's time, an entity tag.
//!
//! What cannot be read is not gone: an object whose place holds something unreadable now
//! ([`set_unreadable`](Mirror::set_unreadable)) is told neither as changed nor as removed until it can be read again, or
//! its place is gone, too. Nor is an object gone that is at another place by the time somebody asks.
//!
//! Memory: about 300 bytes an object and 50 a busy span. The history begins with the mirror: a cursor of another run
//! is `Invalid`, and the caller begins again.

mod history;
mod spans;

use crate::{parts::Broken, prelude::*};
use history::History;
use spans::{Owner, Spans};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// A place as it was last looked at.
#[derive(Clone, Debug)]
pub struct Known<S> {
    /// What tells this state of the place from another.
    pub state: S,
    /// What it holds; `None`: no calendar object.
    pub object: Option<Object>,
    /// What in it cannot be read.
    pub unreadable: Vec<Unreadable>,
    id: Owner,
}

/// Something at a place that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Of which object it is, as far as that can be told.
    pub uid: Option<Uid>,
    /// What is wrong with it, for the log.
    pub problem: String,
}

impl From<&Broken> for Unreadable {
    fn from(broken: &Broken) -> Self {
        Self {
            uid: broken.uid().and_then(|uid| Uid::new(uid).ok()),
            problem: broken.to_string(),
        }
    }
}

/// What a place holds.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its version.
    pub etag: Etag,
    /// What the host found in it. The busy spans are those that shall count.
    pub index: ObjectIndex,
}

/// What is known of one user's objects.
pub struct Mirror<P, S> {
    places: BTreeMap<Arc<P>, Known<S>>,
    /// The first of several places of one UID is the object; the others only take time.
    by_uid: BTreeMap<Uid, BTreeSet<Arc<P>>>,
    /// Where something of an object stands that cannot be read.
    unreadable: BTreeMap<Uid, BTreeSet<Arc<P>>>,
    /// Where something stands that cannot be read, and nothing says of which object it is.
    unnamed: BTreeSet<Arc<P>>,
    /// UIDs that were put at a second place, and that nobody asked for since.
    duplicates: BTreeSet<Uid>,
    by_id: HashMap<Owner, Arc<P>>,
    next_id: Owner,
    spans: Spans,
    open_before: BTreeSet<(Timestamp, Owner)>,
    open_after: BTreeSet<(Timestamp, Owner)>,
    history: History,
}

impl<P: Ord, S> Default for Mirror<P, S> {
    fn default() -> Self {
        Self {
            places: BTreeMap::new(),
            by_uid: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            unnamed: BTreeSet::new(),
            duplicates: BTreeSet::new(),
            by_id: HashMap::new(),
            next_id: 0,
            spans: Spans::default(),
            open_before: BTreeSet::new(),
            open_after: BTreeSet::new(),
            history: History::default(),
        }
    }
}

impl<P: Ord, S> Mirror<P, S> {
    /// What is known of a place.
    pub fn known(&self, place: &P) -> Option<&Known<S>> {
        self.places.get(place)
    }

    /// The place holds what it held before; only what tells its state is another.
    pub fn set_state(&mut self, place: &P, state: S) {
        if let Some(known) = self.places.get_mut(place) {
            known.state = state;
        }
    }

    /// All places, sorted.
    pub fn places(&self) -> impl Iterator<Item = &Arc<P>> {
        self.places.keys()
    }

    /// What `place` holds now, all of which can be read.
    pub fn set(&mut self, place: P, state: S, object: Option<Object>) {
        let uid = object.as_ref().map(|object| object.index.uid.clone());
        let was_twice = uid.as_ref().is_some_and(|uid| self.is_twice(uid));
        let before = self.take(&place);
        let same = match (before.as_ref().and_then(|it| it.object.as_ref()), &object) {
            (Some(before), Some(now)) => {
                before.etag == now.etag && before.index.uid == now.index.uid
            }
            (None, None) => true,
            _ => false,
        };
        self.insert(place, state, object, Vec::new());
        if let Some(uid) = uid.as_ref().filter(|uid| !was_twice && self.is_twice(uid)) {
            self.duplicates.insert(uid.clone());
        }
        let (object, unreadable) = before.map(Known::uids).unwrap_or_default();
        for uid in unreadable {
            self.touch(uid);
        }
        if !same {
            for uid in object.into_iter().chain(uid) {
                self.touch(uid);
            }
        }
    }

    /// `place` holds no object, and something that cannot be read, of which whatever was there before may be a part.
    pub fn set_unreadable(&mut self, place: P, state: S, mut unreadable: Vec<Unreadable>) {
        let Some(problem) = unreadable.first().map(|it| it.problem.clone()) else {
            return self.set(place, state, None);
        };
        let (object, before) = self.take(&place).map(Known::uids).unwrap_or_default();
        for uid in object.iter().chain(&before) {
            let is_told = unreadable.iter().any(|it| it.uid.as_ref() == Some(uid));
            if !is_told && !self.by_uid.contains_key(uid) {
                let (uid, problem) = (Some(uid.clone()), problem.clone());
                unreadable.push(Unreadable { uid, problem });
            }
        }
        let now: Vec<Uid> = unreadable.iter().filter_map(|it| it.uid.clone()).collect();
        self.insert(place, state, None, unreadable);
        let touched: BTreeSet<Uid> = object.into_iter().chain(before).chain(now).collect();
        for uid in touched {
            self.touch(uid);
        }
    }

    /// What was at `place` is gone.
    pub fn forget(&mut self, place: &P) {
        let (object, unreadable) = self.take(place).map(Known::uids).unwrap_or_default();
        for uid in object.into_iter().chain(unreadable) {
            self.touch(uid);
        }
    }

    fn insert(&mut self, place: P, state: S, object: Option<Object>, unreadable: Vec<Unreadable>) {
        let id = self.next_id;
        self.next_id += 1;
        let place = Arc::new(place);
        self.by_id.insert(id, Arc::clone(&place));
        if let Some(Object { index, .. }) = &object {
            for span in &index.spans {
                self.spans.insert(*span, id);
            }
            self.open_before
                .extend(index.open_before.map(|instant| (instant, id)));
            self.open_after
                .extend(index.open_after.map(|instant| (instant, id)));
            let places = self.by_uid.entry(index.uid.clone()).or_default();
            places.insert(Arc::clone(&place));
        }
        if unreadable.iter().any(|it| it.uid.is_none()) {
            self.unnamed.insert(Arc::clone(&place));
        }
        for uid in unreadable.iter().filter_map(|it| it.uid.clone()) {
            let places = self.unreadable.entry(uid).or_default();
            places.insert(Arc::clone(&place));
        }
        let known = Known {
            state,
            object,
            unreadable,
            id,
        };
        self.places.insert(place, known);
    }

    fn take(&mut self, place: &P) -> Option<Known<S>> {
        let known = self.places.remove(place)?;
        self.by_id.remove(&known.id);
        self.unnamed.remove(place);
        if let Some(Object { index, .. }) = &known.object {
            for span in &index.spans {
                self.spans.remove(*span, known.id);
            }
            if let Some(instant) = index.open_before {
                self.open_before.remove(&(instant, known.id));
            }
            if let Some(instant) = index.open_after {
                self.open_after.remove(&(instant, known.id));
            }
            take_out(&mut self.by_uid, &index.uid, place);
        }
        for uid in known.unreadable.iter().filter_map(|it| it.uid.as_ref()) {
            take_out(&mut self.unreadable, uid, place);
        }
        Some(known)
    }

    fn is_twice(&self, uid: &Uid) -> bool {
        self.by_uid.get(uid).is_some_and(|places| places.len() > 1)
    }

    fn touch(&mut self, uid: Uid) {
        let there = self.by_uid.contains_key(&uid) || self.unreadable.contains_key(&uid);
        self.history.note(uid, there);
    }

    /// Where the object of this UID is, and what is known of it.
    pub fn find(&self, uid: &Uid) -> Option<(&Arc<P>, &Known<S>, &Object)> {
        let place = self.by_uid.get(uid)?.first()?;
        let known = self.places.get(place)?;
        Some((place, known, known.object.as_ref()?))
    }

    /// Where something of the object of this UID stands that cannot be read, and why not.
    pub fn find_unreadable(&self, uid: &Uid) -> Option<(&Arc<P>, &Unreadable)> {
        let place = self.unreadable.get(uid)?.first()?;
        let mut unreadable = self.places.get(place)?.unreadable.iter();
        Some((place, unreadable.find(|it| it.uid.as_ref() == Some(uid))?))
    }

    /// The places where something stands that cannot be read, and of which nothing but perhaps their name says whose object it is;
    /// sorted.
    pub fn unnamed(&self) -> impl Iterator<Item = (&Arc<P>, &Unreadable)> {
        self.unnamed.iter().filter_map(|place| {
            let mut unreadable = self.places.get(place)?.unreadable.iter();
            Some((place, unreadable.find(|it| it.uid.is_none())?))
        })
    }

    /// The UIDs that stand at several places now, at which they were not the last time this was asked, with those places:
    /// the first is the object.
    pub fn take_duplicates(&mut self) -> Vec<(Uid, Vec<Arc<P>>)> {
        let new = std::mem::take(&mut self.duplicates).into_iter();
        let places = new.filter_map(|uid| {
            let places = self.by_uid.get(&uid)?;
            (places.len() > 1).then(|| (uid, places.iter().cloned().collect()))
        });
        places.collect()
    }

    /// Busy time in `range`.
    pub fn spans(&self, range: TimeRange) -> Vec<BusySpan> {
        self.spans.overlapping(range).collect()
    }

    /// The places whose spans may miss busy time in `range`.
    pub fn open(&self, range: TimeRange) -> Vec<Arc<P>> {
        let after_start = (self.open_before.iter().rev())
            .take_while(|(known_from, _)| range.start() < *known_from);
        let before_end =
            (self.open_after.iter()).take_while(|(known_until, _)| *known_until < range.end());
        let ids: BTreeSet<Owner> = after_start.chain(before_end).map(|(_, id)| *id).collect();
        let places = ids.iter().filter_map(|id| self.by_id.get(id));
        places.cloned().collect()
    }

    /// The objects in the order of their UIDs. `Invalid` if the cursor is none of these pages.
    pub fn list(&self, page: &Page) -> Result<Listing<ObjectSummary>> {
        let after = match &page.after {
            Some(cursor) => std::ops::Bound::Excluded(Uid::new(cursor.as_str())?),
            None => std::ops::Bound::Unbounded,
        };
        let limit = usize::try_from(page.limit.max(1)).unwrap_or(usize::MAX);
        let mut uids = self.by_uid.range((after, std::ops::Bound::Unbounded));
        let items: Vec<ObjectSummary> = (uids.by_ref().take(limit))
            .filter_map(|(uid, _)| self.summary(uid))
            .collect();
        let more = uids.next().is_some();
        let next = items.last().filter(|_| more);
        let next = next.map(|last| Cursor(last.uid.as_str().to_owned()));
        Ok(Listing::new(items, next))
    }

    fn summary(&self, uid: &Uid) -> Option<ObjectSummary> {
        let (_, _, object) = self.find(uid)?;
        Some(ObjectSummary::new(
            uid.clone(),
            object.index.component.clone(),
            object.etag.clone(),
        ))
    }

    /// Where to ask from for what happens after now.
    pub fn cursor(&self) -> Cursor {
        self.history.cursor()
    }

    /// What happened since `since`. `Invalid` if the cursor is of another run, or too old.
    pub fn changes(&self, since: Option<&Cursor>) -> Result<Changes> {
        let history = &self.history;
        let seen = match since {
            None => 0,
            Some(cursor) => history.read(cursor)?,
        };
        let changed = history.changed.range(seen + 1..);
        let removed = history.removed.range(seen + 1..);
        Ok(Changes::new(
            changed.filter_map(|(_, uid)| self.summary(uid)).collect(),
            removed.map(|(_, uid)| uid.clone()).collect(),
            history.cursor(),
        ))
    }
}

impl<S> Known<S> {
    /// Whose object the place holds, and of which objects something in it cannot be read.
    fn uids(self) -> (Option<Uid>, Vec<Uid>) {
        let object = self.object.map(|object| object.index.uid);
        let unreadable = self.unreadable.into_iter().filter_map(|it| it.uid);
        (object, unreadable.collect())
    }
}

fn take_out<P: Ord>(places: &mut BTreeMap<Uid, BTreeSet<Arc<P>>>, uid: &Uid, place: &P) {
    if let Some(at) = places.get_mut(uid) {
        at.remove(place);
        if at.is_empty() {
            places.remove(uid);
        }
    }
}

#[cfg(test)]
mod tests;
