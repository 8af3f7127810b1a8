//! What a store knows of one user's objects that others may change too: UIDs, busy time, history.
//!
//! For a store in front of files or a server: it looks at what changed, has the host describe it
//! ([`Host::index_for`](crate::Host::index_for)), and tells the [`Mirror`], which then answers `busy`, `list` and
//! `changes` from memory. A place (`P`) is where an object lies: a file, an address. What the store needs to see that a
//! place has not changed since (`S`) stands beside it: a file's time, an entity tag.
//!
//! Memory: about 300 bytes an object and 50 a busy span. The history begins with the mirror: a cursor of another run
//! is `Invalid`, and the caller begins again.

mod spans;

use crate::prelude::*;
use spans::{Owner, Spans};
use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

/// Removed UIDs remembered for [`changes`](Mirror::changes), at most.
const MOST_REMOVED: usize = 10_000;

/// A place as it was last looked at.
#[derive(Clone, Debug)]
pub struct Known<S> {
    /// What tells this state of the place from another.
    pub state: S,
    /// What it holds; `None`: no calendar object.
    pub object: Option<Object>,
    id: Owner,
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

    /// What `place` holds now.
    pub fn set(&mut self, place: P, state: S, object: Option<Object>) {
        let before = self.take(&place);
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
        let same = match (&before, &object) {
            (Some(before), Some(now)) => {
                before.etag == now.etag && before.index.uid == now.index.uid
            }
            _ => false,
        };
        let now = object.as_ref().map(|object| object.index.uid.clone());
        let known = Known { state, object, id };
        self.places.insert(place, known);
        if !same {
            let before = before.map(|object| object.index.uid);
            self.touch(before);
            self.touch(now);
        }
    }

    /// What was at `place` is gone.
    pub fn forget(&mut self, place: &P) {
        let before = self.take(place);
        self.touch(before.map(|object| object.index.uid));
    }

    fn take(&mut self, place: &P) -> Option<Object> {
        let known = self.places.remove(place)?;
        self.by_id.remove(&known.id);
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
            if let Some(places) = self.by_uid.get_mut(&index.uid) {
                places.remove(place);
                if places.is_empty() {
                    self.by_uid.remove(&index.uid);
                }
            }
        }
        known.object
    }

    fn touch(&mut self, uid: Option<Uid>) {
        if let Some(uid) = uid {
            let there = self.by_uid.contains_key(&uid);
            self.history.note(uid, there);
        }
    }

    /// Where the object of this UID is, and what is known of it.
    pub fn find(&self, uid: &Uid) -> Option<(&Arc<P>, &Known<S>, &Object)> {
        let place = self.by_uid.get(uid)?.first()?;
        let known = self.places.get(place)?;
        Some((place, known, known.object.as_ref()?))
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

/// The order in which UIDs last changed, since this process began to look.
struct History {
    /// Tells this history from those of other processes.
    run: u64,
    now: u64,
    changed: BTreeMap<u64, Uid>,
    removed: BTreeMap<u64, Uid>,
    last: HashMap<Uid, u64>,
    /// What was removed up to here is forgotten.
    forgotten: u64,
}

impl Default for History {
    fn default() -> Self {
        Self {
            run: RandomState::new().build_hasher().finish(),
            now: 0,
            changed: BTreeMap::new(),
            removed: BTreeMap::new(),
            last: HashMap::new(),
            forgotten: 0,
        }
    }
}

impl History {
    fn note(&mut self, uid: Uid, there: bool) {
        self.now += 1;
        if let Some(before) = self.last.insert(uid.clone(), self.now) {
            self.changed.remove(&before);
            self.removed.remove(&before);
        }
        let kind = if there {
            &mut self.changed
        } else {
            &mut self.removed
        };
        kind.insert(self.now, uid);
        if self.removed.len() > MOST_REMOVED
            && let Some((number, uid)) = self.removed.pop_first()
        {
            self.forgotten = number;
            self.last.remove(&uid);
        }
    }

    fn cursor(&self) -> Cursor {
        Cursor(format!("{:016x}-{}", self.run, self.now))
    }

    fn read(&self, Cursor(text): &Cursor) -> Result<u64> {
        let number = text.split_once('-').and_then(|(run, number)| {
            let ours = u64::from_str_radix(run, 16) == Ok(self.run);
            number.parse().ok().filter(|_| ours)
        });
        number
            .filter(|number| (self.forgotten..=self.now).contains(number))
            .ok_or_else(|| {
                Error::invalid(format!(
                    "`{text}` is no cursor of this run of the store; begin again without one"
                ))
            })
    }
}
