//! What something newer makes pointless. What waits is taken out before it goes; what is on its way and fails is not tried
//! again, and its failure concerns nobody: what counts is what comes of the newer one.

use super::{Place, Queue, lane_of};
use crate::outbox::entry::{Chain, Entry, EntryId};
use convoke_calendar::message::Method;
use jiff::Timestamp;

impl Queue {
    /// Those of the same chain that are not on their way and that `entry`, which is yet to be added, makes pointless.
    pub(crate) fn replaced_by(&self, entry: &Entry) -> Vec<Entry> {
        let chain = self.chains.get(&entry.chain()).into_iter().flatten();
        let waiting = chain.map(|id| &self.slots[id]);
        let replaced = waiting.filter(|slot| {
            slot.place != Place::OnItsWay
                && entry.id != slot.entry.id
                && entry.replaces(&slot.entry)
        });
        replaced.map(|slot| slot.entry.clone()).collect()
    }

    /// Whether anything of this entry's chain is on its way or waits.
    pub(crate) fn has_others(&self, entry: &Entry, but: &[Entry]) -> bool {
        let chain = self.chains.get(&entry.chain()).into_iter().flatten();
        chain
            .into_iter()
            .any(|id| !but.iter().any(|gone| gone.id == *id))
    }

    /// The last of the chain that `entry` is yet to be added to.
    pub(crate) fn goes_before(&self, entry: &Entry, but: &[Entry]) -> Option<Entry> {
        let chain = self.chains.get(&entry.chain())?;
        let mut last_first = chain.iter().rev();
        let last = last_first.find(|id| !but.iter().any(|gone| gone.id == **id))?;
        self.get(last).cloned()
    }

    /// An entry that is about to be replaced does not go until it is [let go](Self::unreserve).
    pub(crate) fn reserve(&mut self, id: &EntryId) {
        let Some(slot) = self.slots.get_mut(id) else {
            return;
        };
        slot.reservations += 1;
        let lane = lane_of(&slot.entry);
        // Another one tries for all of its lane.
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.probing.take_if(|probing| probing == id);
        }
        self.place(id, Place::Behind);
    }

    /// An entry that was to be replaced may go again, if it is there still.
    pub(crate) fn unreserve(&mut self, id: &EntryId) {
        let Some(slot) = self.slots.get_mut(id) else {
            return;
        };
        slot.reservations = slot.reservations.saturating_sub(1);
        let chain = slot.entry.chain();
        self.advance(&chain);
    }

    /// Takes an entry out whose try has failed, if a later one of its chain says all of it, which goes no sooner than at
    /// `next`. Answers with what is done with it: that later one, if all that it does is to call off what never left.
    pub(super) fn replaced_meanwhile(
        &mut self,
        id: &EntryId,
        next: Timestamp,
    ) -> Option<Vec<Entry>> {
        let failed = self.slots.get(id)?.entry.clone();
        let chain = failed.chain();
        let newer = self.newer(&chain, &failed)?;
        let slot = self.slots.get_mut(&newer)?;
        let is_needless = slot.entry.method == Method::Cancel.as_str()
            && failed.method != Method::Cancel.as_str()
            && failed.never_left()
            && slot.entry.never_left()
            && self.chains.get(&chain).is_some_and(|it| it.len() == 2);
        if !is_needless {
            slot.entry.may_have_left |= !failed.never_left();
            slot.entry.next = slot.entry.next.max(next);
            self.forget(id);
            return Some(Vec::new());
        }
        let needless = self.forget(&newer);
        self.forget(id);
        Some(needless.into_iter().collect())
    }

    fn newer(&self, chain: &Chain, earlier: &Entry) -> Option<EntryId> {
        let chain = self.chains.get(chain)?.iter();
        let mut later = chain.filter(|id| **id > earlier.id);
        later
            .find(|id| self.slots[*id].entry.replaces(earlier))
            .cloned()
    }
}
