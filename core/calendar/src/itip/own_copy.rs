//! Updating the sender's own copy after a calendar user has sent a message.

use super::delegation::delegates as named_delegates;
use super::instance::recurs;
use super::object::Object;
use super::participants::{Owner, address_of, attendee, is_attendee};
use super::personal::{Role, note_taken_back, note_unsure};
use super::receive::{Change, change};
use super::revision::has_unknown_revision;
use super::zone_alignment::{SideBySide, anchored};
use super::{
    add::{self, Added},
    cancel, request,
};
use crate::instance::InstanceKey;
use crate::message::{Message, Method};
use crate::tree::{Calendar, Component, Property};
use convoke_types::CalendarAddress;
use jiff::Timestamp;

/// Keeps the originator's own copy in step with what it has just sent.
///
/// `existing` is the stored object of the message's UID in the copy of `owner`, who is the originator.
pub fn update_own_copy(
    message: &Message,
    existing: Option<&Calendar>,
    owner: &Owner,
    now: Timestamp,
) -> Change {
    let organizes = message
        .organizer()
        .is_some_and(|organizer| owner.answers_to(organizer));
    let both = SideBySide::of(message, existing, &owner.timezone);
    let (message, existing) = (both.message(), both.existing());
    let zones = both.zones(owner.timezone.clone());
    let stored = existing
        .and_then(|it| Object::of(it, &zones))
        .filter(|object| object.is_kind(message.kind()))
        .map(|object| object.with_possible_versions(now));
    let anchored = stored.as_ref().map(|stored| anchored(message, stored));
    let message = anchored.as_deref().unwrap_or(message);
    match (message.method(), stored) {
        (Method::Request, None) if organizes && existing.is_none() => {
            request::begin(message, &zones).map_or(Change::None, |object| change(None, object))
        }
        (Method::Request | Method::Add | Method::Cancel, Some(stored)) if organizes => {
            if !stored
                .leading()
                .is_some_and(|leading| owner.organizes(leading))
            {
                return Change::None;
            }
            let object = match message.method() {
                Method::Request => {
                    let Some(object) = request::merge(&stored, message, Role::Organizer) else {
                        return Change::None;
                    };
                    object
                }
                Method::Cancel => cancel::apply(&stored, message, Role::Organizer),
                _ => match add::apply(&stored, message, Role::Organizer) {
                    Added::Taken(object) => *object,
                    Added::Stale | Added::Missed => return Change::None,
                },
            };
            change(existing, object)
        }
        (Method::Request, Some(stored)) => {
            change(existing, after_delegation(stored, message, owner))
        }
        (Method::Reply, Some(stored)) if !organizes => {
            change(existing, after_reply(stored, message, owner))
        }
        _ => Change::None,
    }
}

/// The attendee's copy after its answer.
fn after_reply<'c>(mut stored: Object<'c>, message: &Message, owner: &Owner) -> Object<'c> {
    for answer in message.components() {
        let Some((key, mut component)) = target(&stored, answer) else {
            continue;
        };
        let mut answers = false;
        for said in owner.attendees(answer) {
            answers = true;
            record_partstat(&mut component, said, owner);
            delegates(&mut component, answer, said);
        }
        if !answers {
            continue;
        }
        if component.is("VTODO") {
            progress(&mut component, answer);
        }
        match key {
            Some(key) => {
                stored.instances.insert(key, component);
            }
            None => stored.master = Some(component),
        }
    }
    stored
}

fn target(stored: &Object, answer: &Component) -> Option<(Option<InstanceKey>, Component)> {
    let Some(id) = answer.get("RECURRENCE-ID") else {
        return Some((None, stored.master.clone()?));
    };
    let key = stored.key(id);
    let known = stored.instances.get(&key).cloned();
    let recurs = stored.master.as_ref().is_some_and(recurs);
    let implied = || stored.implied(id).filter(|_| recurs);
    Some((Some(key), known.or_else(implied)?))
}

/// How the owner answers, on the line of the address that answers; on its others, if that one is not on the list.
fn record_partstat(component: &mut Component, said: &Property, owner: &Owner) {
    let answers = address_of(said);
    let is_it = |line: &Property| {
        let address = answers.as_ref();
        address.is_some_and(|address| is_attendee(line, address))
    };
    let is_listed = owner.attendees(component).any(is_it);
    let is_unknown = has_unknown_revision(component);
    let mut is_said = false;
    for line in &mut component.properties {
        if line.is("ATTENDEE") && owner.is(line) && (!is_listed || is_it(line)) {
            let before = line.clone();
            write_answer(line, said);
            note_taken_back(line, Some(&before));
            if is_unknown {
                note_unsure(line);
            }
            is_said = true;
        }
    }
    if !is_said {
        // RFC 5546 §3.2.2.6: who was forwarded an invitation answers though it is not on the list.
        component.push(said.clone());
    }
}

fn write_answer(line: &mut Property, said: &Property) {
    for name in ["PARTSTAT", "DELEGATED-TO", "SENT-BY"] {
        line.remove_param(name);
        let told = said
            .params
            .iter()
            .find(|param| param.name.eq_ignore_ascii_case(name));
        line.params.extend(told.cloned());
    }
    // It has been answered.
    line.remove_param("RSVP");
}

fn progress(component: &mut Component, answer: &Component) {
    for name in ["PERCENT-COMPLETE", "COMPLETED", "STATUS"] {
        if let Some(told) = answer.get(name) {
            component.set(told.clone());
        }
    }
}

/// The delegates that a message names come on the list of the delegator's copy too.
fn delegates(component: &mut Component, message: &Component, said: &Property) {
    let named = said
        .params
        .iter()
        .filter(|param| param.name.eq_ignore_ascii_case("DELEGATED-TO"));
    for delegate in named.flat_map(|param| &param.values) {
        let Ok(address) = CalendarAddress::new(delegate) else {
            continue;
        };
        if attendee(component, &address).is_none() {
            component
                .properties
                .extend(attendee(message, &address).cloned());
        }
    }
}

/// The delegator's copy after it handed the invitation on (RFC 5546 §3.2.2.3).
fn after_delegation<'c>(mut stored: Object<'c>, message: &Message, owner: &Owner) -> Object<'c> {
    for told in message.components() {
        let delegates_it = |line: &Property| {
            address_of(line).is_some_and(|address| {
                named_delegates(message, &address).is_ok_and(|it| !it.is_empty())
            })
        };
        let Some(said) = owner.attendees(told).find(|line| delegates_it(line)) else {
            continue;
        };
        let Some((key, mut component)) = target(&stored, told) else {
            continue;
        };
        record_partstat(&mut component, said, owner);
        delegates(&mut component, told, said);
        match key {
            Some(key) => {
                stored.instances.insert(key, component);
            }
            None => stored.master = Some(component),
        }
    }
    stored
}
