//! What waits in memory is what was committed; where nobody knows whether a commit was made, it is read anew.
//!
//! A commit that fails may have been made: only its answer was lost. Whoever waits for one may be dropped meanwhile. And
//! before a host has read what it left behind, nothing is known at all. As long as the outbox is in doubt, nothing is taken
//! from it; whoever hands something in has it read first, so that it replaces what it should.

use super::{After, Entry, EntryId, Fate, Inner, Outbox, Tried, entry::Chain};
use crate::{environment::State, keys, pages::Pages};
use convoke_types::{Error, KeyRange};
use std::collections::{BTreeMap, HashMap, HashSet};

/// How far what waits in memory is what was committed.
#[derive(Default)]
pub(super) struct Certainty {
    /// Nothing is in doubt.
    pub(super) is_certain: bool,
    /// Counts doubts, for who reads meanwhile.
    doubts: u64,
    /// Entries that are done, and whose removal is being committed.
    ending: HashMap<EntryId, Ending>,
    /// Entries that are done, and that a commit was to say so of of which nobody knows whether it was made: as they wait to be
    /// noted.
    unnoted: HashMap<EntryId, Entry>,
    /// Entries that went since what was committed is being read.
    gone: Option<HashSet<EntryId>>,
}

/// What counts still of an entry that is done.
struct Ending {
    chain: Chain,
    message: String,
}

/// A commit under way: unless it is [`made`](Self::made), what waits is in doubt.
#[must_use]
pub(crate) struct Commit {
    outbox: Outbox,
    /// What it removes.
    ends: Vec<EntryId>,
    /// That, as it waits to be noted if the commit is not made.
    noted: Vec<Entry>,
    /// What it changes.
    changes: Vec<EntryId>,
    is_made: bool,
}

impl Commit {
    /// It changes these entries, too, which wait on.
    pub(crate) fn changing(mut self, entries: Vec<EntryId>) -> Self {
        self.changes = entries;
        self
    }

    /// What it removes waits like this if it is not made.
    pub(crate) fn noting(mut self, entries: Vec<Entry>) -> Self {
        self.noted = entries;
        self
    }

    /// It was made: what it changed has this version.
    pub(crate) fn made(self, version: u64) {
        let mut inner = self.outbox.lock();
        for id in &self.changes {
            inner.queue.is_in_version(id, version);
        }
        drop(inner);
        self.settled();
    }

    /// It was answered as made, or as not made for certain.
    pub(crate) fn settled(mut self) {
        self.is_made = true;
    }
}

impl Drop for Commit {
    fn drop(&mut self) {
        let mut inner = self.outbox.lock();
        for id in &self.ends {
            inner.certainty.ending.remove(id);
        }
        if !self.is_made {
            let noted = self.noted.drain(..).map(|it| (it.id.clone(), it));
            inner.certainty.unnoted.extend(noted);
            inner.certainty.is_certain = false;
            inner.certainty.doubts += 1;
            inner.changed();
        }
    }
}

impl Outbox {
    /// A commit that is about to change what waits, and to remove these entries, which are done.
    pub(crate) fn commit(&self, ends: Vec<EntryId>) -> Commit {
        Commit {
            outbox: self.clone(),
            ends,
            noted: Vec::new(),
            changes: Vec::new(),
            is_made: false,
        }
    }

    /// What waits is to be read anew: others may have taken some of it over.
    pub fn doubt(&self) {
        drop(self.commit(Vec::new()));
    }

    /// Whether what waits is known. It is not before it was [loaded](Self::load), nor after a commit of which nobody knows
    /// whether it was made; nothing is taken then.
    pub fn is_certain(&self) -> bool {
        self.lock().certainty.is_certain
    }

    /// Reads what waits from the state, if that is in doubt: how much there is.
    pub async fn load(&self, state: &impl State) -> Result<usize, Error> {
        let _one_at_a_time = self.reading.lock().await;
        if self.is_certain() {
            return Ok(self.lock().queue.len());
        }
        loop {
            let reading = Reading::begin(self);
            let found = entries(state).await?;
            if !self.make_its_own(state, &found).await? {
                return Ok(reading.end(found));
            }
        }
    }
}

/// What was committed is being read.
pub(super) struct Reading<'a> {
    outbox: &'a Outbox,
    /// What was in memory before.
    before: Vec<EntryId>,
    doubts: u64,
}

impl<'a> Reading<'a> {
    pub(super) fn begin(outbox: &'a Outbox) -> Self {
        let inner = &mut *outbox.lock();
        inner.certainty.gone = Some(inner.certainty.ending.keys().cloned().collect());
        Self {
            outbox,
            before: inner.queue.entries().map(|it| it.id.clone()).collect(),
            doubts: inner.certainty.doubts,
        }
    }

    /// Brings what waits in step with what was found: how much it is. What others hold is left to
    /// them.
    pub(super) fn end(self, mut found: BTreeMap<EntryId, Entry>) -> usize {
        let mut inner = self.outbox.lock();
        found.retain(|_, entry| entry.holder == inner.holder);
        for id in self.before.iter().filter(|id| !found.contains_key(id)) {
            inner.supersede(id);
        }
        // Of what is not there the commit was made.
        let unnoted = &mut inner.certainty.unnoted;
        unnoted.retain(|id, _| found.contains_key(id));
        for (id, mut entry) in found {
            // A host that has ended may have sent it.
            entry.may_have_left = true;
            // What is handed in from now on comes after it, whatever the clock says.
            inner.last = inner.last.max(id.place());
            if !inner.certainty.has_gone(&id) {
                if let Some(noted) = inner.certainty.unnoted.remove(&id) {
                    entry = noted.instead_of(entry);
                }
                inner.queue.is_in_version(&id, entry.version);
                inner.queue.add(entry);
            }
        }
        inner.certainty.is_certain = self.doubts == inner.certainty.doubts;
        inner.changed();
        inner.queue.len()
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.outbox.lock().certainty.gone = None;
    }
}

impl Certainty {
    /// Entries that are done, and whose removal is being committed.
    pub(super) fn ending(&self) -> impl Iterator<Item = &EntryId> {
        self.ending.keys()
    }

    fn goes(&mut self, id: &EntryId) {
        if let Some(gone) = &mut self.gone {
            gone.insert(id.clone());
        }
    }

    fn has_gone(&self, id: &EntryId) -> bool {
        self.gone.as_ref().is_some_and(|gone| gone.contains(id))
    }
}

impl Entry {
    /// As it waits to be noted, in place of what was found of it.
    fn instead_of(self, found: Self) -> Self {
        Self {
            holder: found.holder,
            version: found.version,
            may_have_left: found.may_have_left,
            ..self
        }
    }
}

/// Everything that was committed, whoever holds it; what cannot be read keeps back none of the others.
pub(crate) async fn entries(state: &impl State) -> Result<BTreeMap<EntryId, Entry>, Error> {
    let mut entries = BTreeMap::new();
    let mut pages = Pages::of(state, KeyRange::prefix(keys::OUTBOX));
    while let Some(page) = pages.next().await? {
        for found in &page {
            match Entry::read(found) {
                Ok(entry) => drop(entries.insert(entry.id.clone(), entry)),
                Err(error) => tracing::warn!(
                    event = "queue-entry-unreadable",
                    "a message that waits is left as it is; the others go: {error}"
                ),
            }
        }
    }
    Ok(entries)
}

impl Inner {
    pub(super) fn finish(&mut self, id: &EntryId, tried: &Tried, after: After) -> Option<Fate> {
        let entry = self.queue.get(id)?.clone();
        let fate = self.queue.finish(id, tried, after)?;
        let with_it = match &fate {
            Fate::Waits(_) => return Some(fate),
            Fate::Ended(_) => &[][..],
            Fate::Replaced(with_it) => with_it,
        };
        for done in std::iter::once(&entry).chain(with_it) {
            self.certainty.goes(&done.id);
            let ending = Ending {
                chain: done.chain(),
                message: done.message.clone(),
            };
            self.certainty.ending.insert(done.id.clone(), ending);
        }
        Some(fate)
    }

    /// An entry of this host that another one has committed waits from now on, unless this host is done with it. Where what waits is
    /// being read meanwhile, that may have begun before this was committed: it is read once more.
    pub(super) fn take_in(&mut self, entry: Entry) {
        if !self.certainty.is_certain {
            self.certainty.doubts += 1;
        } else if !self.certainty.ending.contains_key(&entry.id) {
            self.queue.add(entry);
        }
    }

    /// Whether anything of this entry's chain is on its way or waits, or was tried just now, which is not noted yet.
    pub(crate) fn has_others(&self, entry: &Entry, but: &[Entry]) -> bool {
        let chain = entry.chain();
        let mut ending = self.certainty.ending.values();
        self.queue.has_others(entry, but) || ending.any(|it| it.chain == chain)
    }

    /// Whether the entries are the last that need their message; what is done and not noted yet may need it once more.
    pub(crate) fn are_last(&self, message: &str, ids: &[EntryId]) -> bool {
        let Certainty {
            ending, unnoted, ..
        } = &self.certainty;
        let ending = ending.iter().filter(|(_, it)| it.message == message);
        let unnoted = unnoted.iter().filter(|(_, it)| it.message == message);
        let mut others = ending.map(|it| it.0).chain(unnoted.map(|it| it.0));
        self.queue.are_last(message, ids) && others.all(|id| ids.contains(id))
    }

    /// An entry is not there any more; one that is on its way is not tried again.
    pub(crate) fn supersede(&mut self, id: &EntryId) {
        self.queue.supersede(id);
        self.certainty.goes(id);
    }
}
