//! The changes that an attendee may make to a meeting (RFC 6638 §3.2.2.1): its own answer, alarms, notes and progress, and which
//! instances it leaves out. The rest is its organizer's.
//!
//! | part of the object | an attendee |
//! | --- | --- |
//! | its own ATTENDEE line | answers, hands on, and says no longer RSVP; who it is there is the organizer's |
//! | the lines of others | leaves them; its delegates come on the list |
//! | times, and what [`OWN`] does not name | leaves them, however they are written; what its program does not know may go |
//! | EXDATE | adds instances that there are |
//! | instances written out | writes out those that there are; takes back what it wrote itself |
//!
//! The list of attendees is checked by `attendee_permissions`.

use super::attendee_permissions::check_attendees;
use crate::instance::InstanceKey;
use crate::itip::address::is_served;
use crate::itip::exceptions::exceptions;
use crate::itip::instance::recurs;
use crate::itip::object::Object;
use crate::itip::participants::{Owner, person};
use crate::itip::personal::{Role, is_only_own, is_rescheduled};
use crate::itip::redact::is_extension;
use crate::itip::request::is_cancelled;
use crate::itip::revision::Revision;
use crate::itip::series::Search;
use crate::message::{Kind, MessageError, Problem, excerpt};
use crate::tree::{Component, Property};
use crate::zone::Zones;
use std::collections::HashSet;

const TIMES: [&str; 6] = ["DTSTART", "DTEND", "DUE", "DURATION", "RRULE", "RDATE"];

/// What describes the meeting, and may not go either. Of what else does, programs drop what they do not know.
const TEXTS: [&str; 6] = ["SUMMARY", "LOCATION", "DESCRIPTION", "STATUS", "URL", "GEO"];

/// What is each one's own, besides `X-` properties, or checked by itself.
const OWN: [&str; 18] = [
    "TRANSP",
    "PERCENT-COMPLETE",
    "COMPLETED",
    "CREATED",
    "DTSTAMP",
    "LAST-MODIFIED",
    "SEQUENCE",
    "CATEGORIES",
    "COLOR",
    "CLASS",
    "COMMENT",
    "ATTACH",
    "REQUEST-STATUS",
    "UID",
    "RECURRENCE-ID",
    "EXDATE",
    "ORGANIZER",
    "ATTENDEE",
];

/// Refuses an edit that changes what is the organizer's, and names the first thing that does.
pub(super) fn check(old: &Object, new: &Object, owner: &Owner) -> Result<(), MessageError> {
    let organizer = old.leading().and_then(|it| it.get("ORGANIZER"));
    let Some(organizer) = organizer.filter(|line| !owner.is(line) && is_served(line)) else {
        return Ok(()); // RFC 6638 §7.1: the client looks after it, or nobody
    };
    let mut series = Search::of(old);
    for (part, component) in new.parts() {
        let line = component.get("ORGANIZER");
        if line.map(person) != Some(person(organizer)) {
            return Err(said(component, "ORGANIZER"));
        }
        let Some(known) = known_version(old, component, &mut series) else {
            let named = ["DTSTART", "RECURRENCE-ID"][usize::from(part.is_some())];
            return Err(said(component, named));
        };
        same_times(&known, component, &new.zones)?;
        same_texts(&known, component)?;
        check_attendees(&known, component, owner)?;
    }
    same_instances(old, new, owner)
}

/// A component as the object had it, if it is a part of that: itself, or what its series implies.
pub(super) fn known_version(
    old: &Object,
    component: &Component,
    series: &mut Search,
) -> Option<Component> {
    let is_known = match component.get("RECURRENCE-ID") {
        None => old.master.is_some(),
        Some(id) => old.instances.contains_key(&old.key(id)) || series.has(id),
    };
    old.version_of(component).filter(|_| is_known)
}

/// Whose version it is: programs count it up at each save, which would keep the organizer's next update out.
pub(super) fn keep_version(old: Option<&Object>, new: &mut Object) {
    let Some(old) = old else { return };
    for component in new.components_mut() {
        let Some(known) = old.version_of(component) else {
            continue;
        };
        if Revision::of(component) != Revision::of(&known) {
            for name in ["SEQUENCE", "DTSTAMP"] {
                component.remove(name);
                component.properties.extend(known.get(name).cloned());
            }
        }
    }
}

/// That a line of `component` is the organizer's to say.
pub(super) fn organizers_only(component: &Component, property: &str, value: &str) -> MessageError {
    let kind = Kind::parse(&component.name).unwrap_or(Kind::Event);
    let problem = Problem::Theirs {
        component: kind,
        instance: component.value("RECURRENCE-ID").map(excerpt),
        property: excerpt(&property.to_ascii_uppercase()),
        parameter: None,
        value: excerpt(value),
    };
    problem.into()
}

/// The same of a line that may be gone.
fn said(component: &Component, property: &str) -> MessageError {
    organizers_only(
        component,
        property,
        component.value(property).unwrap_or_default(),
    )
}

fn same_times(known: &Component, component: &Component, zones: &Zones) -> Result<(), MessageError> {
    if !is_rescheduled(known, component, zones) {
        return Ok(());
    }
    let values = |it: &Component, name: &str| -> Vec<String> {
        it.all(name).map(|line| line.value.clone()).collect()
    };
    let mut moved = TIMES.into_iter();
    let moved = moved.find(|name| values(known, name) != values(component, name));
    Err(said(component, moved.unwrap_or("DTSTART")))
}

fn text(line: &Property) -> String {
    line.to_text().replace('\r', "").trim().to_owned()
}

fn same_texts(known: &Component, component: &Component) -> Result<(), MessageError> {
    let first = |it: &Component, name: &str| {
        let said = it.get(name).map(text).unwrap_or_default();
        // What an event is that does not say so: programs write it out.
        let is_default = name == "STATUS" && said.eq_ignore_ascii_case("CONFIRMED");
        if is_default { String::new() } else { said }
    };
    // How far a to-do is, is its owner's; whether it is to be done at all is not.
    let is_progress = |name: &str| {
        name == "STATUS" && component.is("VTODO") && is_cancelled(known) == is_cancelled(component)
    };
    for name in TEXTS.into_iter().filter(|name| !is_progress(name)) {
        if first(known, name) != first(component, name) {
            return Err(said(component, name));
        }
    }
    let named = |line: &Property| (line.name.to_ascii_uppercase(), text(line));
    let there: HashSet<(String, String)> = known.properties.iter().map(named).collect();
    let is_free = |line: &Property| {
        let mut free = OWN.iter().chain(&TIMES).chain(&TEXTS);
        // The same as none (RFC 5545 §3.8.1.9).
        let says_nothing = text(line).is_empty() || (line.is("PRIORITY") && text(line) == "0");
        is_extension(&line.name)
            || free.any(|name| line.is(name))
            || says_nothing
            || there.contains(&named(line))
    };
    match component.properties.iter().find(|line| !is_free(line)) {
        Some(line) => Err(organizers_only(component, &line.name, &line.value)),
        None => Ok(()),
    }
}

/// The same instances: an attendee leaves some out, and writes out what it says about others.
fn same_instances(old: &Object, new: &Object, owner: &Owner) -> Result<(), MessageError> {
    let (was, is) = match (&old.master, &new.master) {
        (Some(was), Some(is)) => (was, is),
        (Some(_), None) => return new.leading().map_or(Ok(()), |it| Err(said(it, "DTSTART"))),
        // It does not come to one of several.
        (None, _) => return Ok(()),
    };
    let excluded = exceptions(is);
    let added = excluded
        .first()
        .filter(|_| !recurs(is) && exceptions(was).is_empty());
    if let Some(date) = added {
        return Err(organizers_only(is, "EXDATE", &date.value));
    }
    let excluded: HashSet<InstanceKey> = excluded.iter().map(|date| new.key(date)).collect();
    let mut before = exceptions(was);
    before.retain(|date| !excluded.contains(&new.key(date)));
    if let Some(date) = before.first() {
        return Err(organizers_only(is, "EXDATE", &date.value));
    }
    let role = Role::Attendee(owner);
    for (key, instance) in &old.instances {
        if new.instances.contains_key(key) || excluded.contains(key) {
            continue;
        }
        let id = instance.get("RECURRENCE-ID");
        let implied = id.and_then(|id| new.implied(id));
        if implied.is_none_or(|implied| !is_only_own(instance, &implied, role)) {
            let date = instance.value("RECURRENCE-ID").unwrap_or_default();
            return Err(organizers_only(is, "RECURRENCE-ID", date));
        }
    }
    Ok(())
}
