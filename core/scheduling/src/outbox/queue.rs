//! The order in which what waits is tried: values in, values out; no I/O, no clock.
//!
//! What one originator tells one recipient about one object is a *chain*: only its first entry may go. Recipients of one
//! domain are a *lane*: where its receiver is down, all of it rests but for one entry that tries, and what is new rests with
//! it, until its time is up. What goes by mail is one lane, as one mail server takes all of it. Whatever may go lies in the
//! `ready` of its lane, by the time from which on it may, and the first of each lane that has room in `heads`; so that finding
//! the next costs as much for ten entries as for a hundred thousand, also while a receiver has as many as it gets at once.

mod replace;

use super::{
    entry::{Chain, Entry, EntryId, Tried},
    retry,
};
use crate::{
    keys::folded,
    outcome::{HandedOver, Via},
};
use convoke_types::{CalendarAddress, RequestStatus};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
    time::Duration,
};

/// Entries that are on their way to one lane at once.
const OF_A_LANE: usize = 32;

/// Receivers remembered though nothing waits for them, as they are down.
const MOST_LANES: usize = 10_000;

/// What waits, by name.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    slots: BTreeMap<EntryId, Slot>,
    chains: HashMap<Chain, BTreeSet<EntryId>>,
    lanes: HashMap<LaneName, Lane>,
    messages: HashMap<String, BTreeSet<EntryId>>,
    /// Of each lane that has room what goes first, by the time from which on it may.
    heads: BTreeSet<(Timestamp, EntryId)>,
    /// What rests, by when its time is up.
    resting: BTreeSet<(Timestamp, EntryId)>,
}

/// Who shares a lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum LaneName {
    /// Those behind the receiver of a domain, or one whose address has none.
    Receiver(String),
    /// Those whom mail is for.
    Mail,
    /// What has ended, and is to be noted only.
    Notes,
}

#[derive(Debug)]
struct Slot {
    entry: Entry,
    place: Place,
    /// Something newer says all of it: this is its last try.
    is_superseded: bool,
    /// Whoever handed it in waits for its first try, and makes it.
    is_waited_for: bool,
    /// How many are about to replace it.
    reservations: u32,
}

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Behind an earlier one of its chain, or about to be replaced.
    Behind,
    /// In `ready` of its lane, at this time.
    Ready(Timestamp),
    /// It may go, and somebody waits for it.
    Kept,
    /// It rests with its lane.
    Resting,
    /// On its way.
    OnItsWay,
}

/// The receiver of a domain.
#[derive(Debug, Default)]
struct Lane {
    /// All of it.
    entries: usize,
    under_way: usize,
    /// What may go, by the time from which on it may.
    ready: BTreeSet<(Timestamp, EntryId)>,
    /// What it has in `heads`.
    head: Option<(Timestamp, EntryId)>,
    /// Failures of the receiver in a row.
    failures: u32,
    resting: BTreeSet<EntryId>,
    /// When the one is tried that tries for all.
    probe: Option<Timestamp>,
    /// The one that tries for all, from when it may go until it is known what came of it.
    probing: Option<EntryId>,
    /// The one that did so last.
    probed: Option<EntryId>,
}

/// What the world says that an entry was tried in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct After {
    /// When it was.
    pub(crate) now: Timestamp,
    /// By what it went, if it got so far.
    pub(crate) via: Option<Via>,
    /// Whether the other side may have the message.
    pub(crate) handed_over: HandedOver,
    /// Until when mail is tried for what no receiver took in time; `None`: not at all.
    pub(crate) mail_until: Option<Timestamp>,
}

/// What became of an entry that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done, with this status.
    Ended(RequestStatus),
    /// It has failed, and something newer says all of it. These are done with it, as they call off what never left.
    Replaced(Vec<Entry>),
    /// It waits for its next try, changed like this.
    Waits(Box<Entry>),
}

impl Fate {
    /// What waits no longer, of what was tried under this name.
    pub(crate) fn ends<'a>(&'a self, id: &'a EntryId) -> Vec<&'a EntryId> {
        match self {
            Self::Ended(_) => vec![id],
            Self::Replaced(with_it) => {
                let with_it = with_it.iter().map(|it| &it.id);
                std::iter::once(id).chain(with_it).collect()
            }
            Self::Waits(_) => Vec::new(),
        }
    }
}

impl Queue {
    /// Adds an entry; one of this name that is there already stays as it is.
    pub(crate) fn add(&mut self, entry: Entry) {
        self.insert(entry, false);
    }

    /// Adds an entry whose first try somebody makes who waits for it, until it is [released](Self::release).
    pub(crate) fn add_waited_for(&mut self, entry: Entry) {
        self.insert(entry, true);
    }

    /// An entry was committed in this version.
    pub(crate) fn is_in_version(&mut self, id: &EntryId, version: u64) {
        if let Some(slot) = self.slots.get_mut(id) {
            slot.entry.version = version;
        }
    }

    /// Nobody waits for an entry any more: it goes by itself.
    pub(crate) fn release(&mut self, id: &EntryId) {
        let Some(slot) = self.slots.get_mut(id) else {
            return;
        };
        slot.is_waited_for = false;
        if slot.place == Place::Kept {
            let next = slot.entry.next;
            self.place(id, Place::Ready(next));
        }
    }

    fn insert(&mut self, entry: Entry, is_waited_for: bool) {
        let id = entry.id.clone();
        if self.slots.contains_key(&id) {
            return;
        }
        let chain = entry.chain();
        let message = self.messages.entry(entry.message.clone()).or_default();
        message.insert(id.clone());
        self.chains
            .entry(chain.clone())
            .or_default()
            .insert(id.clone());
        let slot = Slot {
            entry,
            place: Place::Behind,
            is_superseded: false,
            is_waited_for,
            reservations: 0,
        };
        if self.lanes.len() >= MOST_LANES {
            self.lanes
                .retain(|name, lane| !matches!(name, LaneName::Receiver(_)) || lane.entries > 0);
        }
        let lane = receiver_of(&slot.entry.recipient);
        self.lanes.entry(lane).or_default().entries += 1;
        self.slots.insert(id, slot);
        self.advance(&chain);
    }

    /// Takes an entry out, unless it is on its way.
    pub(crate) fn remove(&mut self, id: &EntryId) -> Option<Entry> {
        if self.slots.get(id)?.place == Place::OnItsWay {
            return None;
        }
        self.forget(id)
    }

    /// Takes an entry out; one that is on its way is not tried again.
    pub(crate) fn supersede(&mut self, id: &EntryId) {
        if self.remove(id).is_none()
            && let Some(slot) = self.slots.get_mut(id)
        {
            slot.is_superseded = true;
        }
    }

    /// Whether the entries are the last that need their message.
    pub(crate) fn are_last(&self, message: &str, ids: &[EntryId]) -> bool {
        let left = self.messages.get(message).into_iter().flatten();
        left.into_iter().all(|id| ids.contains(id))
    }

    /// The entries that go next, all of one message: at most `most`. They are on their way until [`finish`](Self::finish) or
    /// [`give_back`](Self::give_back).
    pub(crate) fn take(&mut self, now: Timestamp, most: usize) -> Vec<Entry> {
        self.wake_lanes(now);
        self.wake_expired(now);
        let first = self.heads.first().filter(|(at, _)| *at <= now);
        let Some((_, first)) = first else {
            return Vec::new();
        };
        let first = &self.slots[first].entry;
        let (message, has_ended) = (first.message.clone(), first.ended.is_some());
        let together = self.messages.get(&message).into_iter().flatten();
        let is_due = |id: &&EntryId| {
            let slot = &self.slots[*id];
            slot.entry.ended.is_some() == has_ended
                && matches!(slot.place, Place::Ready(at) if at <= now)
        };
        let together: Vec<EntryId> = together.filter(is_due).take(most).cloned().collect();
        together.iter().filter_map(|id| self.depart(id)).collect()
    }

    /// Takes those of these entries that may go, whether or not it is time: somebody waits for them.
    pub(crate) fn take_these(&mut self, ids: &[EntryId]) -> Vec<Entry> {
        let may_go = |id: &&EntryId| {
            let slot = self.slots.get(*id);
            slot.is_some_and(|slot| matches!(slot.place, Place::Ready(_) | Place::Kept))
        };
        let ids: Vec<EntryId> = ids.iter().filter(may_go).cloned().collect();
        ids.iter().filter_map(|id| self.depart(id)).collect()
    }

    /// Tries entries again at once, whatever they wait for; how many there are.
    pub(crate) fn hurry(&mut self, now: Timestamp, which: impl Fn(&Entry) -> bool) -> usize {
        let mut hurried = 0;
        let ids: Vec<EntryId> = self.slots.keys().cloned().collect();
        for id in ids {
            let slot = &self.slots[&id];
            if !which(&slot.entry) {
                continue;
            }
            hurried += 1;
            let lane = lane_of(&slot.entry);
            if let Some(lane) = self.lanes.get_mut(&lane) {
                lane.resting.remove(&id);
            }
            if matches!(slot.place, Place::Ready(_) | Place::Resting) {
                self.place(&id, Place::Ready(now));
            }
        }
        hurried
    }

    /// Says what came of a try, and is told what that means.
    pub(crate) fn finish(&mut self, id: &EntryId, tried: &Tried, after: After) -> Option<Fate> {
        let now = after.now;
        let slot = self.slots.get_mut(id)?;
        let left = lane_of(&slot.entry);
        slot.tried(tried, after);
        let (attempts, until) = (slot.entry.attempts, slot.entry.until);
        let is_superseded = slot.is_superseded;
        let name = lane_of(&slot.entry);
        self.arrived(&left);
        let lane = self.lanes.entry(left).or_default();
        lane.probing.take_if(|probing| probing == id);
        let (next, next_of_newer) = match tried {
            Tried::Final(_) => {
                self.open(&name, now);
                (now, now)
            }
            Tried::Later(_, after) => {
                self.open(&name, now);
                let next = |failed| retry::next(now, failed, *after, id.as_str());
                (next(attempts), next(1))
            }
            Tried::Down(_, after) => (self.close(&name, *after, now), now),
        };
        if tried.has_failed()
            && let Some(with_it) = self.replaced_meanwhile(id, next_of_newer)
        {
            return Some(Fate::Replaced(with_it));
        }
        if let Tried::Final(status) = tried {
            self.forget(id);
            return Some(Fate::Ended(status.clone()));
        }
        let slot = self.slots.get_mut(id)?;
        let place = if next < until && !is_superseded {
            slot.entry.next = next;
            match tried {
                Tried::Down(..) => Place::Resting,
                _ => Place::Ready(next),
            }
        } else if after.mail_until.is_some() && slot.turns_to_mail() && !is_superseded {
            slot.entry.next = until.max(now);
            Place::Ready(slot.entry.next)
        } else {
            self.forget(id);
            return Some(Fate::Ended(tried.status().clone()));
        };
        let entry = slot.entry.clone();
        self.place(id, place);
        Some(Fate::Waits(Box::new(entry)))
    }

    /// An entry of which nobody knows how far its try came may go again.
    pub(crate) fn give_back(&mut self, id: &EntryId) {
        let Some(slot) = self.slots.get_mut(id) else {
            return;
        };
        if slot.place != Place::OnItsWay {
            return;
        }
        slot.entry.may_have_left = true;
        let next = slot.entry.next;
        let lane = lane_of(&slot.entry);
        self.arrived(&lane);
        self.place(id, Place::Ready(next));
    }

    /// An entry of which nothing was tried may go then.
    pub(crate) fn put_off(&mut self, id: &EntryId, until: Timestamp) {
        let slot = self.slots.get_mut(id);
        let Some(slot) = slot.filter(|slot| slot.place == Place::OnItsWay) else {
            return;
        };
        slot.entry.next = until;
        let lane = lane_of(&slot.entry);
        self.arrived(&lane);
        self.place(id, Place::Ready(until));
    }

    /// When the next entry may go that may not go now.
    pub(crate) fn wakes_at(&self) -> Option<Timestamp> {
        let ready = self.heads.first().map(|(at, _)| *at);
        let probes = self.lanes.values();
        let probes = probes.filter(|lane| !lane.resting.is_empty() && lane.probing.is_none());
        let probe = probes.filter_map(|lane| lane.probe).min();
        let resting = self.resting.first().map(|(at, _)| *at);
        ready.into_iter().chain(probe).chain(resting).min()
    }

    /// Everything that waits, the oldest first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slots.values().map(|slot| &slot.entry)
    }

    /// An entry.
    pub(crate) fn get(&self, id: &EntryId) -> Option<&Entry> {
        self.slots.get(id).map(|slot| &slot.entry)
    }

    /// How much waits for the recipients of one receiver.
    pub(crate) fn waiting_for(&self, recipient: &CalendarAddress) -> usize {
        let lane = self.lanes.get(&receiver_of(recipient));
        lane.map_or(0, |lane| lane.entries)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Lets the first of a chain go, if it did not yet.
    fn advance(&mut self, chain: &Chain) {
        let Some(first) = self.chains.get(chain).and_then(BTreeSet::first).cloned() else {
            return;
        };
        let slot = &self.slots[&first];
        if slot.place != Place::Behind || slot.reservations > 0 {
            return;
        }
        let (next, is_waited_for) = (slot.entry.next, slot.is_waited_for);
        let lane = lane_of(&slot.entry);
        let is_down = self.lanes.get(&lane).is_some_and(Lane::is_down);
        let place = match (is_down, is_waited_for) {
            (true, _) => Place::Resting,
            (false, true) => Place::Kept,
            (false, false) => Place::Ready(next),
        };
        self.place(&first, place);
    }

    /// Puts an entry where it belongs now.
    fn place(&mut self, id: &EntryId, place: Place) {
        let Some(slot) = self.slots.get_mut(id) else {
            return;
        };
        let lane = lane_of(&slot.entry);
        let until = slot.entry.until;
        match std::mem::replace(&mut slot.place, place) {
            Place::Ready(at) => {
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.ready.remove(&(at, id.clone()));
                }
            }
            Place::Resting => {
                self.resting.remove(&(until, id.clone()));
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.resting.remove(id);
                }
            }
            Place::Behind | Place::Kept | Place::OnItsWay => {}
        }
        match place {
            Place::Ready(at) => {
                let lane = self.lanes.entry(lane.clone()).or_default();
                lane.ready.insert((at, id.clone()));
            }
            Place::Resting => {
                self.resting.insert((until, id.clone()));
                let lane = self.lanes.entry(lane.clone()).or_default();
                lane.resting.insert(id.clone());
            }
            Place::Behind | Place::Kept | Place::OnItsWay => {}
        }
        self.put_head(&lane);
    }

    /// What goes first of a lane is in `heads`, if the lane has room.
    fn put_head(&mut self, lane: &LaneName) {
        let Some(lane) = self.lanes.get_mut(lane) else {
            return;
        };
        let has_room = lane.under_way < OF_A_LANE;
        let head = lane.ready.first().filter(|_| has_room);
        if lane.head.as_ref() == head {
            return;
        }
        let head = head.cloned();
        if let Some(before) = std::mem::replace(&mut lane.head, head.clone()) {
            self.heads.remove(&before);
        }
        self.heads.extend(head);
    }

    /// One of a lane is on its way no longer.
    fn arrived(&mut self, name: &LaneName) {
        let lane = self.lanes.entry(name.clone()).or_default();
        lane.under_way = lane.under_way.saturating_sub(1);
        self.put_head(name);
    }

    fn depart(&mut self, id: &EntryId) -> Option<Entry> {
        self.place(id, Place::OnItsWay);
        let entry = self.slots.get(id)?.entry.clone();
        let lane = lane_of(&entry);
        self.lanes.entry(lane.clone()).or_default().under_way += 1;
        self.put_head(&lane);
        Some(entry)
    }

    fn forget(&mut self, id: &EntryId) -> Option<Entry> {
        self.place(id, Place::Behind);
        let Slot { entry, .. } = self.slots.remove(id)?;
        remove_from(&mut self.messages, &entry.message, id);
        let chain = entry.chain();
        if !remove_from(&mut self.chains, &chain, id) {
            self.advance(&chain);
        }
        if let Some(lane) = self.lanes.get_mut(&lane_of(&entry)) {
            lane.probing.take_if(|probing| probing == id);
        }
        let name = receiver_of(&entry.recipient);
        if let Some(lane) = self.lanes.get_mut(&name) {
            lane.entries = lane.entries.saturating_sub(1);
            // A receiver that is down is so for what comes next, too, until its time is up.
            if lane.entries == 0 && !lane.is_down() {
                self.lanes.remove(&name);
            }
        }
        Some(entry)
    }

    /// The receiver answers: all that rested may go.
    fn open(&mut self, lane: &LaneName, now: Timestamp) {
        let Some(lane) = self.lanes.get_mut(lane) else {
            return;
        };
        lane.failures = 0;
        lane.probe = None;
        lane.probing = None;
        for id in std::mem::take(&mut lane.resting) {
            self.place(&id, Place::Ready(now));
        }
    }

    /// The receiver does not answer: all that could go rests until one tries.
    fn close(&mut self, name: &LaneName, after: Option<Duration>, now: Timestamp) -> Timestamp {
        let lane = self.lanes.entry(name.clone()).or_default();
        let probe = match lane.probe {
            // Several that failed together are one failure.
            Some(probe) if probe > now => return probe,
            _ => retry::next(now, lane.failures + 1, after, name.as_str()),
        };
        lane.failures = lane.failures.saturating_add(1);
        lane.probe = Some(probe);
        let ready = lane.ready.iter().map(|(_, id)| id.clone());
        for id in ready.collect::<Vec<_>>() {
            self.place(&id, Place::Resting);
        }
        probe
    }

    /// Lets one entry go in each lane whose time has come to be tried.
    fn wake_lanes(&mut self, now: Timestamp) {
        let due = self.lanes.values_mut();
        let due = due
            .filter(|lane| lane.probing.is_none() && lane.probe.is_some_and(|probe| probe <= now));
        let probes: Vec<EntryId> = due
            .filter_map(|lane| {
                lane.probing = lane.next_to_probe();
                lane.probed.clone_from(&lane.probing);
                lane.probing.clone()
            })
            .collect();
        for id in probes {
            self.place(&id, Place::Ready(now));
        }
    }
}

impl Queue {
    /// Lets go what rests and whose time is up: nobody waits longer because others fail, too.
    fn wake_expired(&mut self, now: Timestamp) {
        let expired = self.resting.iter().take_while(|(until, _)| *until <= now);
        let expired: Vec<EntryId> = expired.map(|(_, id)| id.clone()).collect();
        for id in expired {
            self.place(&id, Place::Ready(now));
        }
    }
}

impl Slot {
    /// Notes a try. What began to go by mail as its time was up has some more of it.
    fn tried(&mut self, tried: &Tried, after: After) {
        let entry = &mut self.entry;
        entry.attempts = entry.attempts.saturating_add(1);
        if after.handed_over == HandedOver::No {
            entry.fruitless = entry.fruitless.saturating_add(1);
        }
        entry.last = Some(tried.status().to_string());
        let is_new_by_mail = after.via == Some(Via::Mail) && entry.via != after.via;
        if is_new_by_mail && entry.until <= after.now {
            entry.until = after.mail_until.unwrap_or(entry.until);
        }
        entry.via = after.via.or(entry.via);
    }

    /// What no receiver took in time goes by mail; whether it did not yet.
    const fn turns_to_mail(&self) -> bool {
        !matches!(self.entry.via, Some(Via::Mail))
    }
}

impl LaneName {
    fn as_str(&self) -> &str {
        match self {
            Self::Receiver(domain) => domain,
            Self::Mail => "mail",
            Self::Notes => "notes",
        }
    }
}

impl Lane {
    const fn is_down(&self) -> bool {
        self.probe.is_some()
    }

    /// The one after who tried last: the receiver may hang on one of them alone, and take all others.
    fn next_to_probe(&self) -> Option<EntryId> {
        let after = self.probed.as_ref().and_then(|probed| {
            let behind = (Bound::Excluded(probed), Bound::Unbounded);
            self.resting.range(behind).next()
        });
        after.or_else(|| self.resting.first()).cloned()
    }
}

/// The lane of an entry.
fn lane_of(entry: &Entry) -> LaneName {
    match entry.via {
        _ if entry.ended.is_some() => LaneName::Notes,
        Some(Via::Mail) => LaneName::Mail,
        _ => receiver_of(&entry.recipient),
    }
}

/// Whoever shares a domain shares a receiver; whoever has none is alone.
fn receiver_of(recipient: &CalendarAddress) -> LaneName {
    LaneName::Receiver(match recipient.domain() {
        Ok(domain) => domain.as_str().to_owned(),
        Err(_) => folded(recipient),
    })
}

/// Whether nothing is left under `key`.
fn remove_from<K: std::hash::Hash + Eq>(
    sets: &mut HashMap<K, BTreeSet<EntryId>>,
    key: &K,
    id: &EntryId,
) -> bool {
    let Some(set) = sets.get_mut(key) else {
        return true;
    };
    set.remove(id);
    let is_empty = set.is_empty();
    if is_empty {
        sets.remove(key);
    }
    is_empty
}
