//! CANCEL: the organizer calls off all or part, or uninvites somebody (RFC 5546 §3.2.5, §3.4.5).
//!
//! Nothing is deleted: a cancelled component keeps its version, so that an old invitation that comes late does not
//! bring it back, and people see what happened.

use super::instance::{Range, recurs};
use super::object::{Object, retain_dates};
use super::participants::{Owner, person};
use super::personal::{COMMENT_FROM, Role};
use super::request::is_cancelled;
use super::revision::{Revision, has_unknown_revision};
use super::series::Search;
use crate::instance::InstanceKey;
use crate::message::Message;
use crate::tree::{Calendar, Component, Property};
use crate::zone::Zones;
use jiff::ToSpan;
use std::collections::HashSet;

/// The stored object with a CANCEL applied.
pub(super) fn apply<'c>(stored: &Object<'c>, message: &Message, role: Role) -> Object<'c> {
    let mut object = stored.clone();
    // What is called off as a whole needs no further word on its instances.
    if let Some(notice) = message
        .components()
        .find(|it| it.get("RECURRENCE-ID").is_none())
    {
        whole(&mut object, notice, role);
        return object;
    }
    let mut search = Search::of(stored);
    for notice in message.components() {
        let Some(key) = stored.part(notice) else {
            continue;
        };
        match Range::of(notice) {
            Range::This => instance(&mut object, key, notice, role, &mut search),
            Range::ThisAndFuture => future(&mut object, key, notice, role, &mut search),
        }
    }
    object
}

/// What a CANCEL to `owner` leaves of an object that they do not have yet: its parts, called off. `None` if it is of nobody else's
/// meeting.
///
/// Messages overtake each other (a mail may be days under way), so the invitation may come after it. Whoever remembers this
/// takes that for the older message that it is.
#[must_use]
pub fn called_off_before(message: &Message, owner: &Owner) -> Option<Calendar> {
    if message.organizer().is_none_or(|it| owner.answers_to(it)) {
        return None;
    }
    let mut calendar = message.calendar().clone();
    let root = calendar.root_mut();
    root.remove("METHOD");
    let notices = root.components.iter_mut();
    for notice in notices.filter(|it| it.is(message.kind().as_str())) {
        notice.set(Property::new("STATUS", "CANCELLED"));
    }
    Some(calendar)
}

/// The longest COMMENTs that a notice leaves on components, all together: more is said to nobody.
const MAX_COMMENTS: usize = 1 << 20;

/// A part of a CANCEL, read once for all the components that it is about.
struct Notice<'m> {
    component: &'m Component,
    role: Role<'m>,
    /// Who is named.
    gone: HashSet<String>,
    /// Whether it names the owner of the copy.
    names_owner: bool,
    /// Why, as it is told on each component.
    comments: Vec<&'m Property>,
}

impl<'m> Notice<'m> {
    /// Of a notice about so many components.
    fn of(component: &'m Component, role: Role<'m>, about: usize) -> Self {
        let names_owner = match role {
            Role::Attendee(owner) => owner.attendees(component).next().is_some(),
            Role::Organizer => false,
        };
        let comments: Vec<&Property> = component.all("COMMENT").collect();
        let weight: usize = comments.iter().map(|line| line.weight()).sum();
        Self {
            component,
            role,
            gone: component.all("ATTENDEE").map(person).collect(),
            names_owner,
            comments: if weight.saturating_mul(about) > MAX_COMMENTS {
                Vec::new()
            } else {
                comments
            },
        }
    }

    /// What it means for a component of the copy: it is called off, or others are not invited any more.
    ///
    /// RFC 5546 §3.2.5: with STATUS:CANCELLED all is cancelled; without, the attendees named are uninvited. Exchange and
    /// Google write it to those whom they uninvite, too: who is named, and is still invited at another address, stays. If
    /// all is off, that address is told as well.
    fn calls_off(&self, target: &Component) -> bool {
        match self.role {
            Role::Attendee(owner) if self.names_owner => {
                let mut lines = owner.attendees(target);
                !lines.any(|line| !self.gone.contains(&person(line)))
            }
            _ => is_cancelled(self.component) || self.gone.is_empty(),
        }
    }
}

fn whole(object: &mut Object, notice: &Component, role: Role) {
    let Some(leading) = object.leading() else {
        return;
    };
    if !is_newer(notice, leading) {
        return;
    }
    let notice = Notice::of(notice, role, object.components().count());
    for component in object.components_mut() {
        part(component, &notice);
    }
}

/// What a CANCEL does to one component of the copy.
fn part(component: &mut Component, notice: &Notice) {
    if notice.calls_off(component) {
        call_off(component, notice);
    } else {
        uninvite(component, notice);
    }
}

fn instance(
    object: &mut Object,
    key: InstanceKey,
    notice: &Component,
    role: Role,
    search: &mut Search,
) {
    let mut target = match (
        object.instances.get(&key),
        &object.master,
        notice.get("RECURRENCE-ID"),
    ) {
        (Some(known), ..) if is_newer(notice, known) => known.clone(),
        (None, Some(master), Some(id)) if is_newer(notice, master) && search.has(id) => {
            let Some(implied) = object.implied(id) else {
                return;
            };
            implied
        }
        _ => return, // older than what is known, or about an instance that was never here
    };
    part(&mut target, &Notice::of(notice, role, 1));
    object.instances.insert(key, target);
}

/// This instance and all later ones: the rule ends before it.
fn future(
    object: &mut Object,
    key: InstanceKey,
    notice: &Component,
    role: Role,
    search: &mut Search,
) {
    let zones = object.zones.clone();
    let Some(master) = object.master.as_mut().filter(|master| recurs(master)) else {
        return instance(object, key, notice, role, search);
    };
    if !is_newer(notice, master) {
        return;
    }
    let later = object.instances.range(key.clone()..).count();
    let read = Notice::of(notice, role, later);
    if !read.calls_off(master) {
        // Whoever else is dropped from some instances on is shown on the whole as before: instances that are not
        // written out have no attendees of their own.
        for (_, later) in object.instances.range_mut(key..) {
            part(later, &read);
        }
        return;
    }
    let start = master.get("DTSTART");
    let start = start.map(|it| InstanceKey::of_property(it, &zones));
    if start.is_some_and(|start| key <= start) {
        return whole(object, &without_id(notice), role);
    }
    end_before(master, &key, &zones);
    Revision::against(notice, master).write(master);
    for (_, later) in object.instances.range_mut(key..) {
        call_off(later, &read);
    }
}

fn without_id(notice: &Component) -> Component {
    let mut notice = notice.clone();
    notice.remove("RECURRENCE-ID");
    notice
}

/// Ends a series before one of its instances.
fn end_before(master: &mut Component, key: &InstanceKey, zones: &Zones) {
    if let (Some(rule), Some(until)) = (master.get_mut("RRULE"), before(key)) {
        // RFC 5545 §3.3.10: COUNT and UNTIL exclude each other.
        let parts = rule.value.split(';').filter(|part| {
            let name = part.split('=').next().unwrap_or_default();
            !name.eq_ignore_ascii_case("COUNT") && !name.eq_ignore_ascii_case("UNTIL")
        });
        rule.value = parts
            .chain([format!("UNTIL={until}").as_str()])
            .collect::<Vec<_>>()
            .join(";");
    }
    retain_dates(master, "RDATE", |date| {
        InstanceKey::of_property(date, zones) < *key
    });
}

/// The last moment before an instance, in the form UNTIL takes (RFC 5545 §3.3.10).
fn before(key: &InstanceKey) -> Option<String> {
    let second = 1.second();
    Some(match key {
        InstanceKey::Date(date) => date.yesterday().ok()?.strftime("%Y%m%d").to_string(),
        InstanceKey::Instant(instant) => super::revision::basic(instant.checked_sub(second).ok()?),
        // A zone that is not known by name: to end the rule on the wall's clock is as near as can be.
        InstanceKey::Wall(wall, zone) => {
            let form = if zone.is_empty() {
                "%Y%m%dT%H%M%S"
            } else {
                "%Y%m%dT%H%M%SZ"
            };
            wall.checked_sub(second).ok()?.strftime(form).to_string()
        }
        InstanceKey::Odd(_) => return None,
    })
}

/// A CANCEL counts unless it is older; the same again changes nothing.
fn is_newer(notice: &Component, stored: &Component) -> bool {
    Revision::against(notice, stored) >= Revision::of(stored)
}

fn call_off(component: &mut Component, notice: &Notice) {
    component.set(Property::new("STATUS", "CANCELLED"));
    take_version(component, notice);
}

fn uninvite(component: &mut Component, notice: &Notice) {
    component
        .properties
        .retain(|line| !line.is("ATTENDEE") || !notice.gone.contains(&person(line)));
    // To the organizer each address is a guest of its own: the SEQUENCE of this notice is not that of the meeting which
    // goes on for the other address, and would make its updates look old.
    if notice.names_owner {
        if has_unknown_revision(component) {
            return;
        }
        let known = Revision::of(component);
        let stamp = known.stamp.max(Revision::of(notice.component).stamp);
        Revision { stamp, ..known }.write(component);
    } else {
        take_version(component, notice);
    }
}

/// The version of the CANCEL, and why.
fn take_version(component: &mut Component, notice: &Notice) {
    let version = Revision::against(notice.component, component).max(Revision::of(component));
    version.write(component);
    if !notice.comments.is_empty() {
        let told_by_attendee = |line: &Property| line.param(COMMENT_FROM).is_some();
        component
            .properties
            .retain(|line| !line.is("COMMENT") || told_by_attendee(line));
        let comments = notice.comments.iter().copied().cloned();
        component.properties.extend(comments);
    }
}
