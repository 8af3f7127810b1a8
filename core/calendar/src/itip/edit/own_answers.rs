//! What an attendee says itself in an object of which its calendar program may have changed anything.

use super::FORCE_SEND;
use super::attendee_permissions::{ANSWER, PARAMETERS};
use super::permissions::known_version;
use crate::instance::InstanceKey;
use crate::itip::delegation::{MAX_DELEGATES, line_of};
use crate::itip::exceptions::{exceptions, left_out, own_exceptions};
use crate::itip::object::{Object, retain_dates, same_component};
use crate::itip::participants::{Owner, PartStat, address_of, attendee, delegated_to, person};
use crate::itip::personal::{PROGRESS, Role, is_only_own, note_unsure};
use crate::itip::request::is_cancelled;
use crate::itip::revision::has_unknown_revision;
use crate::itip::series::Search;
use crate::tree::{Component, Property};
use std::collections::HashSet;

/// The object with the instances that its owner had left out and takes in again in `new`.
pub(super) fn with_taken_in<'c>(old: &Object<'c>, new: &Object<'c>) -> Object<'c> {
    let mut object = old.clone();
    let (Some(before), Some(after)) = (&mut object.master, &new.master) else {
        return object;
    };
    let own = own_exceptions(before);
    let own: HashSet<InstanceKey> = own.iter().map(|date| old.key(date)).collect();
    let still: HashSet<InstanceKey> = exceptions(after).iter().map(|it| old.key(it)).collect();
    if !own.is_subset(&still) {
        retain_dates(before, "EXDATE", |date| {
            let key = old.key(date);
            still.contains(&key) || !own.contains(&key)
        });
    }
    object
}

/// The object as its organizer has told it, with what the owner says of it in `new`: how it answers, for the whole and for
/// instances, whom it delegates to, what it comments, how far a to-do is, and which instances it leaves out.
pub(super) fn with_own_answers<'c>(
    old: &Object<'c>,
    new: &Object<'c>,
    owner: &Owner,
) -> Object<'c> {
    // The organizer's series tells how instances are named.
    let new = &new.clone().named_as_in(old);
    let mut object = old.clone();
    let mut series = Search::of(old);
    for (part, component) in new.parts() {
        let Some(known) = known_version(old, component, &mut series) else {
            continue;
        };
        let mut answered = known.clone();
        // What does not take place needs no answer, so that none is told.
        if !is_cancelled(&known) {
            answer(&mut answered, component, owner);
        }
        let Some(key) = part else {
            object.master = Some(answered);
            continue;
        };
        // What says nothing by itself is as the series is, whose answer may be another one by now.
        let id = component.get("RECURRENCE-ID");
        let implied = id.and_then(|id| object.implied(id));
        let is_apart = implied.is_none_or(|it| !same_component(&answered, &it));
        if is_apart || old.instances.contains_key(&key) {
            object.instances.insert(key, answered);
        }
    }
    leave_out(&mut object, old, new, &mut series);
    take_back(&mut object, old, new, owner);
    object
}

/// COMMENTs that the owner has written onto a component.
pub(super) fn new_comments<'c>(known: &Component, component: &'c Component) -> Vec<&'c Property> {
    let text = |line: &Property| line.to_text().replace('\r', "").trim().to_owned();
    let there: HashSet<String> = known.all("COMMENT").map(text).collect();
    let comments = component.all("COMMENT").filter(|line| {
        let text = text(line);
        !text.is_empty() && !there.contains(&text)
    });
    comments.collect()
}

/// Puts the owner's own words in `said` onto the component that the organizer has told.
fn answer(component: &mut Component, said: &Component, owner: &Owner) {
    let own = owner.all_lines(said);
    let is_told = |name: &str| own.iter().any(|line| person(line) == name);
    let told: Vec<String> = owner.attendees(component).map(person).collect();
    // A program that names its user by another address of theirs answers for the one that is invited.
    let only = own
        .first()
        .filter(|_| !told.iter().any(|name| is_told(name)));
    let mut delegates = Vec::new();
    for line in &mut component.properties {
        if !(line.is("ATTENDEE") && owner.is(line)) {
            continue;
        }
        let name = person(line);
        let words = own.iter().find(|own| person(own) == name).or(only);
        if let Some(words) = words {
            *line = own_line(words, line);
            delegates.push(line.clone());
        }
    }
    // RFC 5546 §3.2.2.6: who was forwarded an invitation may answer it.
    if told.is_empty() {
        let lines = own.iter().map(|line| {
            let mailbox = line.param("EMAIL").map(|it| ("EMAIL", it));
            let bare = Property::new("ATTENDEE", &line.value);
            own_line(
                line,
                &mailbox.map_or(bare.clone(), |(name, it)| bare.with(name, it)),
            )
        });
        component.properties.extend(lines);
    }
    for line in &delegates {
        name_delegates(component, said, line);
    }
    let comments = new_comments(component, said);
    let comments: Vec<Property> = comments.into_iter().cloned().collect();
    component.properties.extend(comments);
    if component.is("VTODO") && !is_cancelled(component) && !is_cancelled(said) {
        for name in PROGRESS {
            component.remove(name);
            component.properties.extend(said.get(name).cloned());
        }
    }
    transport(component, said);
}

/// The owner's line with its own words on it, and what only the organizer says as it was.
fn own_line(words: &Property, known: &Property) -> Property {
    let mut line = words.clone();
    line.value.clone_from(&known.value);
    let bound = PARAMETERS.iter().filter(|name| !ANSWER.contains(name));
    for name in bound.chain(&["RSVP"]) {
        // It goes by itself when it is answered, and does not come by itself.
        if *name == "RSVP" && line.param(name).is_none() {
            continue;
        }
        line.remove_param(name);
        let told = known.params.iter();
        let told = told.filter(|param| param.name.eq_ignore_ascii_case(name));
        line.params.extend(told.cloned());
    }
    line
}

/// The delegates of the owner come on the list.
fn name_delegates(component: &mut Component, said: &Component, line: &Property) {
    let Some(delegator) = address_of(line) else {
        return;
    };
    for delegate in delegated_to(line).take(MAX_DELEGATES) {
        if attendee(component, &delegate).is_none() {
            let known = attendee(said, &delegate);
            component.push(line_of(&delegate, &delegator, known, Some(line)));
        }
    }
}

/// Who tells the organizer, and whether it must be told, is the owner's to say (RFC 6638 §7.1, §7.2).
fn transport(component: &mut Component, said: &Component) {
    let theirs = said.get("ORGANIZER");
    let Some(organizer) = component.get_mut("ORGANIZER") else {
        return;
    };
    let Some(theirs) = theirs.filter(|line| person(line) == person(organizer)) else {
        return;
    };
    for name in ["SCHEDULE-AGENT", FORCE_SEND] {
        organizer.remove_param(name);
        if let Some(value) = theirs.param(name) {
            organizer.set_param(name, value);
        }
    }
}

/// The instances that the owner leaves out, marked as its own exceptions.
fn leave_out(object: &mut Object, old: &Object, new: &Object, series: &mut Search) {
    let (Some(before), Some(after)) = (&old.master, &new.master) else {
        return;
    };
    let excluded = exceptions(after);
    let still: HashSet<InstanceKey> = excluded.iter().map(|date| old.key(date)).collect();
    let known: HashSet<InstanceKey> = exceptions(before).iter().map(|it| old.key(it)).collect();
    let added = excluded.into_iter();
    let added: Vec<Property> = added
        .filter(|date| !known.contains(&old.key(date)) && series.has(date))
        .map(left_out)
        .collect();
    let left: HashSet<InstanceKey> = added.iter().map(|date| old.key(date)).collect();
    if let Some(master) = object.master.as_mut() {
        master.properties.extend(added);
    }
    // What the organizer has called off, and leaves out as well, stands there by itself all the same.
    let is_told = |key: &InstanceKey| old.instances.contains_key(key) && !left.contains(key);
    for key in still.iter().filter(|key| !is_told(key)) {
        object.instances.remove(key);
    }
}

/// What the owner had written out of instances by themselves, and is not there any more, is as the series says.
fn take_back(object: &mut Object, old: &Object, new: &Object, owner: &Owner) {
    if old.master.is_some() && new.master.is_none() {
        return; // its program has lost the series
    }
    let gone = old.instances.iter();
    let gone = gone.filter(|(key, it)| !new.instances.contains_key(key) && !is_cancelled(it));
    for (key, instance) in gone {
        let id = instance.get("RECURRENCE-ID");
        match id.and_then(|id| object.implied(id)) {
            Some(implied) if is_only_own(instance, &implied, Role::Attendee(owner)) => {
                object.instances.remove(key);
            }
            Some(_) => {}
            // Of instances that come without their series, who takes one out does not come to it.
            None => {
                if let Some(instance) = object.instances.get_mut(key) {
                    decline(instance, owner);
                }
            }
        }
    }
}

/// The component as its owner keeps it who has removed it.
pub(super) fn decline(component: &mut Component, owner: &Owner) {
    if is_cancelled(component) {
        return;
    }
    let lines = owner.lines(component).into_iter();
    let declines: HashSet<String> = lines.map(person).collect();
    let is_unknown = has_unknown_revision(component);
    for line in &mut component.properties {
        if line.is("ATTENDEE") && owner.is(line) && declines.contains(&person(line)) {
            line.set_param("PARTSTAT", PartStat::Declined.as_str());
            if is_unknown {
                note_unsure(line);
            }
        }
    }
}
