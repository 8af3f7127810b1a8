//! The attendees of an object, and the parts of it that each is invited to.

use super::{delivery::is_owed, is_forced};
use crate::instance::InstanceKey;
use crate::itip::address::is_served;
use crate::itip::object::Object;
use crate::itip::participants::{address_of, delivery_address, person};
use crate::itip::personal::{UNINVITED, is_uninvited};
use crate::itip::request::is_cancelled;
use crate::message::Method;
use crate::tree::Property;
use convoke_types::CalendarAddress;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The whole (`None`) or one of its overridden instances.
pub(super) type Part = Option<InstanceKey>;

/// The attendees of one version of an object.
pub(super) struct Attendees<'o> {
    invited: HashMap<String, Vec<(Part, &'o Property)>>,
    /// Those whom their client tells, or nobody.
    unserved: HashSet<String>,
    nobody: Vec<(Part, &'o Property)>,
}

impl<'o> Attendees<'o> {
    /// Everybody whom the server schedules (who came uninvited is nobody's attendee yet), and the parts that take place and that they are invited to.
    pub(super) fn of(object: Option<&'o Object>) -> Self {
        let mut invited: HashMap<String, Vec<_>> = HashMap::new();
        let mut unserved = HashSet::new();
        let parts = object.into_iter().flat_map(Object::parts);
        for (part, component) in parts.filter(|(_, component)| !is_cancelled(component)) {
            let lines = component.all("ATTENDEE");
            for line in lines.filter(|line| !is_uninvited(line)) {
                if is_served(line) {
                    let parts = invited.entry(person(line)).or_default();
                    parts.push((part.clone(), line));
                } else {
                    unserved.insert(person(line));
                }
            }
        }
        Self {
            invited,
            unserved,
            nobody: Vec::new(),
        }
    }

    /// The parts that an attendee is invited to.
    pub(super) fn parts(&self, attendee: &CalendarAddress) -> BTreeSet<Part> {
        let lines = self.lines(attendee).iter();
        lines.map(|(part, _)| part.clone()).collect()
    }

    /// Whether an attendee is on a list, but not for the server to tell.
    pub(super) fn is_unserved(&self, attendee: &CalendarAddress) -> bool {
        let name = || attendee.as_str().to_ascii_lowercase();
        !self.unserved.is_empty() && self.unserved.contains(&name())
    }

    /// The first line of an attendee.
    pub(super) fn line(&self, attendee: &CalendarAddress) -> Option<&'o Property> {
        self.lines(attendee).first().map(|(_, line)| *line)
    }

    /// Where an attendee is reached: at its mailbox, where its line names it by what only its own server knows.
    pub(super) fn address(&self, attendee: &CalendarAddress) -> Option<CalendarAddress> {
        self.line(attendee).and_then(delivery_address)
    }

    /// Whether the owner wants an attendee told whatever changed (RFC 6638 §7.2).
    pub(super) fn is_forced(&self, attendee: &CalendarAddress) -> bool {
        let mut lines = self.lines(attendee).iter();
        lines.any(|(_, line)| is_forced(line, Method::Request))
    }

    /// Whether the last message to an attendee did not arrive.
    pub(super) fn is_owed(&self, attendee: &CalendarAddress) -> bool {
        self.lines(attendee).iter().any(|(_, line)| is_owed(line))
    }

    fn lines(&self, attendee: &CalendarAddress) -> &[(Part, &'o Property)] {
        let name = attendee.as_str().to_ascii_lowercase();
        self.invited.get(&name).unwrap_or(&self.nobody)
    }
}

/// Who came on the list uninvited becomes an attendee as the organizer edits the meeting with them on it. As long as the
/// edit changes nothing for others they stay what they are, also where a program has lost what was noted on their lines.
pub(super) fn admit_uninvited(old: Option<&Object>, new: &mut Object, is_edited: bool) {
    let lines = old.into_iter().flat_map(Object::components);
    let lines = lines.flat_map(|component| component.all("ATTENDEE"));
    let waiting: HashSet<String> = lines.filter(|it| is_uninvited(it)).map(person).collect();
    for component in new.components_mut() {
        let lines = component.properties.iter_mut();
        for line in lines.filter(|line| line.is("ATTENDEE")) {
            if is_edited {
                line.remove_param(UNINVITED);
            } else if !waiting.is_empty() && waiting.contains(&person(line)) {
                line.set_param(UNINVITED, "TRUE");
            }
        }
    }
}

/// Everybody who was or is on a list, but the organizer, once.
pub(super) fn all_attendees(
    old: Option<&Object>,
    new: Option<&Object>,
    organizer: &[CalendarAddress],
) -> Vec<CalendarAddress> {
    let own = organizer.iter().map(|it| it.as_str().to_ascii_lowercase());
    let mut seen: HashSet<String> = own.collect();
    let objects = new.into_iter().chain(old);
    let lines = objects
        .flat_map(Object::components)
        .flat_map(|component| component.all("ATTENDEE"));
    let attendees = lines.filter_map(address_of);
    attendees
        .filter(|attendee| seen.insert(attendee.as_str().to_ascii_lowercase()))
        .collect()
}
