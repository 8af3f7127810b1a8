//! An attendee's edits: REPLY to the organizer (RFC 6638 §3.2.2).

use super::permissions::{exceptions, keep_version};
use super::{Edit, Edited, delivery::is_owed, stored};
use crate::instance::InstanceKey;
use crate::itip::address::is_served;
use crate::itip::compose_reply::{ReplyError, answer_to, send};
use crate::itip::instance::derive;
use crate::itip::object::Object;
use crate::itip::participants::{Owner, PartStat, person};
use crate::itip::request::is_cancelled;
use crate::itip::series::Search;
use crate::message::{Kind, MessageError, Method, Problem};
use crate::tree::{Calendar, Component, Property};
use jiff::Timestamp;
use std::collections::HashSet;

pub(super) fn edited(edit: Edit, before: Option<&Calendar>) -> Result<Edited, MessageError> {
    let Edit {
        old,
        mut new,
        zones,
        owner,
        now,
    } = edit;
    if let Some(new) = &mut new {
        keep_version(old.as_ref(), new);
    }
    let answers = match (&old, &new) {
        (old, Some(new)) => changed(old.as_ref(), new, owner, now),
        // RFC 6638 §3.2.2.4: who removes an invitation declines it.
        (Some(old), None) => declined(old, owner, now),
        (None, None) => Vec::new(),
    };
    let object = new.as_ref().or(old.as_ref());
    let leading = object.and_then(Object::leading);
    // RFC 6638 §7.1: the client does it, or nobody.
    let served = leading.filter(|it| it.get("ORGANIZER").is_some_and(is_served));
    let outgoing = match served {
        Some(leading) => match send(&zones, leading, answers, owner) {
            Ok(outgoing) => outgoing,
            Err(ReplyError::Odd(error)) => return Err(error),
            Err(_) => {
                let kind = object.map_or(Kind::Event, Object::kind);
                return Err(Problem::Missing(Method::Reply, kind, "ORGANIZER").into());
            }
        },
        None => Vec::new(),
    };
    for component in new.iter_mut().flat_map(Object::components_mut) {
        for line in &mut component.properties {
            line.remove_param("SCHEDULE-FORCE-SEND");
            if line.is("ORGANIZER") && is_owed(line) {
                line.remove_param("SCHEDULE-STATUS");
            }
        }
    }
    let after = new.map(Object::into_calendar);
    Ok(Edited {
        store: stored(before, after),
        outgoing,
    })
}

fn declined(old: &Object, owner: &Owner, now: Timestamp) -> Vec<Component> {
    let open = old
        .components()
        .filter(|component| !is_cancelled(component));
    open.flat_map(|component| declining(component, owner, now))
        .collect()
}

fn declining(component: &Component, owner: &Owner, now: Timestamp) -> Vec<Component> {
    let lines = owner.lines(component).into_iter();
    let changed = lines.filter(|line| PartStat::of(line) != PartStat::Declined);
    changed
        .map(|line| answer_as(component, line, PartStat::Declined, now))
        .collect()
}

fn answer_as(component: &Component, line: &Property, word: PartStat, now: Timestamp) -> Component {
    let mut line = line.clone();
    line.set_param("PARTSTAT", word.as_str());
    answer_to(component, line, now)
}

/// The parts about which the owner says something else than before.
fn changed(old: Option<&Object>, new: &Object, owner: &Owner, now: Timestamp) -> Vec<Component> {
    let forced = new
        .leading()
        .and_then(|it| it.get("ORGANIZER"))
        .is_some_and(|line| {
            let force = line.param("SCHEDULE-FORCE-SEND");
            force.is_some_and(|method| method.eq_ignore_ascii_case("REPLY"))
        });
    let leading = old.and_then(Object::leading);
    // The organizer, who did not get the last answer, gets this one.
    let owed = leading.is_some_and(|it| it.get("ORGANIZER").is_some_and(is_owed));
    let forced = forced || owed;
    let mut answers = Vec::new();
    for component in new.components() {
        let known = old.and_then(|old| old.version_of(component));
        // What does not take place needs no answer.
        if known.as_ref().is_some_and(is_cancelled) || is_cancelled(component) {
            continue;
        }
        let lines = owner.all_lines(component);
        let works = known
            .as_ref()
            .is_some_and(|known| progress(known) != progress(component));
        for (at, line) in lines.into_iter().enumerate() {
            // How far a to-do is, one REPLY tells.
            if forced || says_more(known.as_ref(), line, owner) || (works && at == 0) {
                answers.push(answer_to(component, line.clone(), now));
            }
        }
    }
    answers.extend(left_out(old, new, owner, now));
    answers.extend(taken_back(old, new, owner, now));
    answers
}

/// Whether a line says another thing than it did.
fn says_more(known: Option<&Component>, line: &Property, owner: &Owner) -> bool {
    let old = known.and_then(|known| {
        let name = person(line);
        let lines = owner.all_lines(known);
        lines.into_iter().find(|old| person(old) == name)
    });
    let Some(old) = old else {
        return PartStat::of(line) != PartStat::NeedsAction;
    };
    let answer = |line: &Property| {
        (
            PartStat::of(line),
            line.param("DELEGATED-TO").map(str::to_owned),
        )
    };
    answer(old) != answer(line)
}

/// How far a to-do is.
fn progress(component: &Component) -> Option<[Option<&str>; 2]> {
    component
        .is("VTODO")
        .then(|| ["PERCENT-COMPLETE", "COMPLETED"].map(|name| component.value(name)))
}

/// RFC 6638 §3.2.2.3: an EXDATE declines its instance.
fn left_out(old: Option<&Object>, new: &Object, owner: &Owner, now: Timestamp) -> Vec<Component> {
    let (Some(before), Some(after)) = (old.and_then(|it| it.master.as_ref()), &new.master) else {
        return Vec::new();
    };
    let known = exceptions(before);
    let known: HashSet<InstanceKey> = known.iter().map(|date| new.key(date)).collect();
    let mut series = old.map(Search::of);
    let mut answers = Vec::new();
    for date in &exceptions(after) {
        // A date that is none of the series' leaves nothing out.
        let is_instance = series.as_mut().is_some_and(|it| it.has(date));
        if known.contains(&new.key(date)) || !is_instance {
            continue;
        }
        let mut instance = derive(after, date, &new.zones);
        if let Some(known) = old.and_then(|old| old.version_of(&instance)) {
            instance = known;
        }
        if is_cancelled(&instance) {
            continue; // nothing new
        }
        answers.extend(declining(&instance, owner, now));
    }
    answers
}

/// What was said about instances by themselves, and is not written out any more: it is as its series says. Of instances
/// that come without their series, who takes one out does not come to it.
fn taken_back(old: Option<&Object>, new: &Object, owner: &Owner, now: Timestamp) -> Vec<Component> {
    let left_out = new.master.as_ref().map(exceptions).unwrap_or_default();
    let left_out: HashSet<InstanceKey> = left_out.iter().map(|date| new.key(date)).collect();
    let mut answers = Vec::new();
    for (key, instance) in old.into_iter().flat_map(|old| &old.instances) {
        let is_there = new.instances.contains_key(key) || left_out.contains(key);
        if is_there || is_cancelled(instance) {
            continue;
        }
        let id = instance.get("RECURRENCE-ID");
        let Some(implied) = id.and_then(|id| new.implied(id)) else {
            answers.extend(declining(instance, owner, now));
            continue;
        };
        let lines = owner.all_lines(&implied).into_iter();
        let changed = lines.filter(|line| says_more(Some(instance), line, owner));
        answers.extend(changed.map(|line| answer_to(&implied, line.clone(), now)));
    }
    answers
}
