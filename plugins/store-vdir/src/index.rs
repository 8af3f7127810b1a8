//! What is known of one user's files.

use crate::{
    spans::{Owner, Spans},
    tree::Stamp,
};
use convoke_sdk::prelude::*;
use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

/// Removed UIDs remembered for [`changes`](Index::changes), at most.
const MOST_REMOVED: usize = 10_000;

/// Where a file lies in its user's folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) calendar: String,
    pub(crate) name: String,
}

/// A file as it was last read.
pub(crate) struct Known {
    pub(crate) stamp: Stamp,
    /// It may have been written again without a change of its stamp.
    pub(crate) fresh: bool,
    /// `None`: it is no calendar object.
    pub(crate) object: Option<Object>,
    id: Owner,
}

/// What a file says.
pub(crate) struct Object {
    pub(crate) etag: Etag,
    pub(crate) index: ObjectIndex,
}

#[derive(Default)]
pub(crate) struct Index {
    files: BTreeMap<Arc<Place>, Known>,
    /// The first of several places of one UID is the object; the others only take time.
    by_uid: BTreeMap<Uid, BTreeSet<Arc<Place>>>,
    by_id: HashMap<Owner, Arc<Place>>,
    next_id: Owner,
    spans: Spans,
    open_before: BTreeSet<(Timestamp, Owner)>,
    open_after: BTreeSet<(Timestamp, Owner)>,
    history: History,
}

impl Index {
    pub(crate) fn known(&self, place: &Place) -> Option<&Known> {
        self.files.get(place)
    }

    pub(crate) fn known_mut(&mut self, place: &Place) -> Option<&mut Known> {
        self.files.get_mut(place)
    }

    /// All places, sorted.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Arc<Place>> {
        self.files.keys()
    }

    /// What the file at `place` holds now.
    pub(crate) fn set(&mut self, place: &Place, stamp: Stamp, fresh: bool, object: Option<Object>) {
        let before = self.take(place);
        let id = self.next_id;
        self.next_id += 1;
        let place = Arc::new(place.clone());
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
        let known = Known {
            stamp,
            fresh,
            object,
            id,
        };
        self.files.insert(place, known);
        if !same {
            let before = before.map(|object| object.index.uid);
            self.touch(before);
            self.touch(now);
        }
    }

    /// The file at `place` is gone.
    pub(crate) fn forget(&mut self, place: &Place) {
        let before = self.take(place);
        self.touch(before.map(|object| object.index.uid));
    }

    fn take(&mut self, place: &Place) -> Option<Object> {
        let known = self.files.remove(place)?;
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

    /// Where the object of this UID is.
    pub(crate) fn find(&self, uid: &Uid) -> Option<(&Arc<Place>, &Known, &Object)> {
        let place = self.by_uid.get(uid)?.first()?;
        let known = self.files.get(place)?;
        Some((place, known, known.object.as_ref()?))
    }

    /// Busy time in `range`.
    pub(crate) fn spans(&self, range: TimeRange) -> Vec<BusySpan> {
        self.spans.overlapping(range).collect()
    }

    /// The files whose spans may miss busy time in `range`.
    pub(crate) fn open(&self, range: TimeRange) -> Vec<Arc<Place>> {
        let after_start = (self.open_before.iter().rev())
            .take_while(|(known_from, _)| range.start() < *known_from);
        let before_end =
            (self.open_after.iter()).take_while(|(known_until, _)| *known_until < range.end());
        let ids: BTreeSet<Owner> = after_start.chain(before_end).map(|(_, id)| *id).collect();
        let places = ids.iter().filter_map(|id| self.by_id.get(id));
        places.cloned().collect()
    }

    /// The objects in the order of their UIDs.
    pub(crate) fn list(&self, page: &Page) -> Result<Listing<ObjectSummary>> {
        let after = match &page.after {
            Some(cursor) => std::ops::Bound::Excluded(Uid::new(&*cursor.0)?),
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
        Ok(Listing { items, next })
    }

    fn summary(&self, uid: &Uid) -> Option<ObjectSummary> {
        let (_, _, object) = self.find(uid)?;
        Some(ObjectSummary {
            uid: uid.clone(),
            component: object.index.component.clone(),
            etag: object.etag.clone(),
        })
    }

    /// What happened since `since`.
    pub(crate) fn changes(&self, since: Option<&Cursor>) -> Result<Changes> {
        let history = &self.history;
        let seen = match since {
            None => 0,
            Some(cursor) => history.read(cursor)?,
        };
        let changed = history.changed.range(seen + 1..);
        let removed = history.removed.range(seen + 1..);
        Ok(Changes {
            changed: changed.filter_map(|(_, uid)| self.summary(uid)).collect(),
            removed: removed.map(|(_, uid)| uid.clone()).collect(),
            cursor: history.cursor(),
        })
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
