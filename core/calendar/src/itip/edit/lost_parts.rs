//! What attendees lose by an organizer's edit, and how the SEQUENCE of what goes on follows.

use super::attendees::Part;
use super::diff::count_up;
use crate::instance::InstanceKey;
use crate::itip::object::Object;
use crate::itip::request::is_cancelled;
use crate::itip::revision::Revision;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A part of the object that somebody has lost, and whether it is called off for everybody.
pub(super) type LostPart = (Part, bool);

/// What an attendee had and has no more (RFC 6638 §3.2.1.2, §3.2.1.3).
///
/// `implied` are the instances written out by the edit that the series had before: who was invited to it knows them.
pub(super) fn lost_parts(
    had: &BTreeSet<Part>,
    has: &BTreeSet<Part>,
    new: Option<&Object>,
    implied: &BTreeSet<InstanceKey>,
) -> Vec<LostPart> {
    if had.contains(&None) && !has.contains(&None) {
        let whole_is_off = new.is_none_or(|new| new.leading().is_some_and(is_cancelled));
        return vec![(None, whole_is_off)];
    }
    let instances = new.into_iter().flat_map(|new| new.instances.keys());
    let changed = instances.map(|key| Some(key.clone())).collect();
    let mut lost = Vec::new();
    for part in had.union(&changed) {
        let Some(key) = part else { continue };
        let instance = new.and_then(|new| new.instances.get(key));
        // What is told with the series needs no notice of its own.
        if has.contains(part) || (has.contains(&None) && instance.is_none()) {
            continue;
        }
        if had.contains(part) || (had.contains(&None) && implied.contains(key)) {
            lost.push((part.clone(), instance.is_none_or(is_cancelled)));
        }
    }
    lost
}

/// RFC 5546 §2.1.4: a CANCEL counts the SEQUENCE up, also of what goes on without whom it is for. Who is invited again
/// later, or to an instance still, would else take the newer message for the older one.
#[derive(Default)]
pub(super) struct Cancels {
    /// Which SEQUENCE a part has at least.
    least: BTreeMap<Part, u64>,
}

impl Cancels {
    /// Takes in what one attendee has lost.
    pub(super) fn count(
        &mut self,
        old: &Object,
        lost: &[LostPart],
        had: &BTreeSet<Part>,
        has: &BTreeSet<Part>,
    ) {
        for (part, _) in lost {
            let next = Self::next(old, part);
            self.raise(part, next);
            if part.is_none() {
                // A CANCEL of the whole is one of all its instances.
                for part in had {
                    self.raise(part, next);
                }
                for part in has {
                    self.raise(part, next + 1);
                }
            }
        }
    }

    /// Takes in what one attendee has again, whom the server told that it was called off.
    pub(super) fn count_back<'p>(&mut self, old: &Object, back: impl Iterator<Item = &'p Part>) {
        for part in back {
            self.raise(part, Self::next(old, part));
        }
    }

    /// The SEQUENCE of a CANCEL of a part.
    fn next(old: &Object, part: &Part) -> u64 {
        let instance = part.as_ref().and_then(|key| old.instances.get(key));
        let known = instance.or(old.master.as_ref());
        known.map_or(0, |it| Revision::of(it).sequence) + 1
    }

    fn raise(&mut self, part: &Part, sequence: u64) {
        let least = self.least.entry(part.clone()).or_default();
        *least = sequence.max(*least);
    }

    /// Counts up what goes on, and says which parts that are.
    pub(super) fn write(self, old: &Object, new: &mut Object, now: Timestamp) -> BTreeSet<Part> {
        let mut counted = BTreeSet::new();
        let keys: Vec<Part> = new.parts().map(|(part, _)| part).collect();
        for (part, component) in keys.into_iter().zip(new.components_mut()) {
            let sequence = self.least.get(&part).copied().unwrap_or(0);
            if Revision::of(component).sequence >= sequence || is_cancelled(component) {
                continue;
            }
            let stamp = Some(now);
            let version = Revision { sequence, stamp };
            match old.version_of(component) {
                Some(known) => count_up(&known, component, version),
                None => version.write(component),
            }
            counted.insert(part);
        }
        counted
    }
}
