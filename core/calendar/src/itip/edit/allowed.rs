//! What an attendee may change of a meeting (RFC 6638 §3.2.2.1): its own answer, alarms, notes and progress, and which
//! instances it leaves out. The rest is its organizer's.

use crate::itip::address::is_served;
use crate::itip::delegation::delegated_to;
use crate::itip::object::Object;
use crate::itip::own::is_rescheduled;
use crate::itip::people::{Owner, address_of, person};
use crate::itip::revision::Revision;
use crate::message::{Kind, MessageError, Problem, excerpt};
use crate::tree::{Component, Property};
use crate::zone::Zones;
use std::collections::HashSet;

const TIMES: [&str; 6] = ["DTSTART", "DTEND", "DUE", "DURATION", "RRULE", "RDATE"];
const TEXTS: [&str; 6] = ["SUMMARY", "LOCATION", "DESCRIPTION", "STATUS", "URL", "GEO"];

/// Refuses an edit that changes what is the organizer's, and names the first thing that does.
pub(super) fn check(old: &Object, new: &Object, owner: &Owner) -> Result<(), MessageError> {
    let organizer = old.leading().and_then(|it| it.get("ORGANIZER"));
    let Some(organizer) = organizer.filter(|line| !owner.is(line) && is_served(line)) else {
        return Ok(()); // RFC 6638 §7.1: the client looks after it, or nobody
    };
    for component in new.components() {
        let line = component.get("ORGANIZER");
        if line.map(person) != Some(person(organizer)) {
            return Err(theirs(new.kind(), "ORGANIZER", line));
        }
        if let Some(known) = old.version_of(component) {
            same_times(&known, component, new.kind(), &new.zones)?;
            same_texts(&known, component, new.kind())?;
            same_guests(&known, component, new.kind(), owner)?;
        }
    }
    Ok(())
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

fn theirs(component: Kind, property: &'static str, line: Option<&Property>) -> MessageError {
    let value = line.map(|line| excerpt(&line.value));
    let problem = Problem::Value {
        component,
        property,
        value: value.unwrap_or_default(),
        expected: "what its organizer says; an attendee changes its own answer, alarms and notes only",
    };
    problem.into()
}

fn same_times(
    known: &Component,
    component: &Component,
    kind: Kind,
    zones: &Zones,
) -> Result<(), MessageError> {
    if !is_rescheduled(known, component, zones) {
        return Ok(());
    }
    let values = |it: &Component, name: &str| -> Vec<String> {
        it.all(name).map(|line| line.value.clone()).collect()
    };
    let mut moved = TIMES.into_iter();
    let moved = moved.find(|name| values(known, name) != values(component, name));
    let moved = moved.unwrap_or("DTSTART");
    Err(theirs(kind, moved, component.get(moved)))
}

fn same_texts(known: &Component, component: &Component, kind: Kind) -> Result<(), MessageError> {
    let said = |it: &Component, name: &str| {
        let text = it.get(name).map(Property::to_text).unwrap_or_default();
        text.replace('\r', "").trim().to_owned()
    };
    let is_theirs = |name: &&str| !(*name == "STATUS" && component.is("VTODO"));
    for name in TEXTS.into_iter().filter(is_theirs) {
        if said(known, name) != said(component, name) {
            return Err(theirs(kind, name, component.get(name)));
        }
    }
    Ok(())
}

/// The same list, but for the owner's own lines and those of its delegates.
fn same_guests(
    known: &Component,
    component: &Component,
    kind: Kind,
    owner: &Owner,
) -> Result<(), MessageError> {
    let others = |it: &Component| -> HashSet<String> {
        let lines = it.all("ATTENDEE").filter(|line| !owner.is(line));
        lines.map(person).collect()
    };
    let mut allowed = others(known);
    let delegates = owner.attendees(component).flat_map(delegated_to);
    allowed.extend(delegates.map(|it| it.as_str().to_ascii_lowercase()));
    let mut lines = component.all("ATTENDEE");
    let added = lines.find(|line| !owner.is(line) && !allowed.contains(&person(line)));
    if added.is_some() {
        return Err(theirs(kind, "ATTENDEE", added));
    }
    let there = others(component);
    let mut gone = known.all("ATTENDEE").filter(|line| {
        !owner.is(line) && address_of(line).is_some() && !there.contains(&person(line))
    });
    match gone.next() {
        Some(line) => Err(theirs(kind, "ATTENDEE", Some(line))),
        None => Ok(()),
    }
}
