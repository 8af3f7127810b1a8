//! An attendee's edits: REPLY to the organizer (RFC 6638 §3.2.2).

use super::delivery::{drop_owed, is_owed};
use super::own_answers::new_comments;
use super::permissions::keep_version;
use super::{Edit, Told, Written, is_forced, spend_force};
use crate::instance::InstanceKey;
use crate::itip::address::is_served;
use crate::itip::compose_reply::{ReplyError, answer_to, send};
use crate::itip::exceptions::{exceptions, own_exceptions};
use crate::itip::instance::derive;
use crate::itip::object::Object;
use crate::itip::participants::{Owner, PartStat, delegated_to, person};
use crate::itip::personal::{is_taken_back, note_taken_back, note_unsure};
use crate::itip::recall::mark_left_out;
use crate::itip::request::is_cancelled;
use crate::itip::revision::has_unknown_revision;
use crate::itip::series::Search;
use crate::message::{Kind, MessageError, Method, Problem};
use crate::tree::{Component, Property};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};

pub(super) fn edited(edit: Edit) -> Result<Told, MessageError> {
    let Edit {
        old,
        mut new,
        zones,
        owner,
        written,
        now,
    } = edit;
    if let Some(new) = &mut new {
        keep_version(old.as_ref(), new);
    }
    let answers = match (&old, &new) {
        (old, Some(new)) => changed(old.as_ref(), new, owner, written, now),
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
    if let Some(new) = &mut new {
        note_answers_taken_back(old.as_ref(), new, owner);
        if !outgoing.is_empty() {
            note_unsure_answers(new, owner);
        }
        spend_force(new);
        if written == Written::ByCommand {
            drop_owed(new, "ORGANIZER");
            note_left_out(old.as_ref(), new);
        }
    }
    Ok(Told {
        object: new,
        outgoing,
    })
}

/// An update that crosses an answer says how it was answered before.
fn note_answers_taken_back(old: Option<&Object>, new: &mut Object, owner: &Owner) {
    let Some(old) = old else { return };
    for component in new.components_mut() {
        let known = old.version_of(component);
        let known = known.iter().flat_map(|it| owner.all_lines(it));
        let known: HashMap<String, &Property> = known.map(|line| (person(line), line)).collect();
        for line in &mut component.properties {
            if line.is("ATTENDEE") && owner.is(line) {
                note_taken_back(line, known.get(&person(line)).copied());
            }
        }
    }
}

/// What is answered of a copy of which no version is known.
fn note_unsure_answers(new: &mut Object, owner: &Owner) {
    let unknown = new.components_mut().filter(|it| has_unknown_revision(it));
    for component in unknown {
        let lines = component.properties.iter_mut();
        let own = lines.filter(|line| line.is("ATTENDEE") && owner.is(line));
        own.for_each(note_unsure);
    }
}

/// Marks the instances that the owner leaves out as its own exceptions, so that the organizer's next version keeps them.
fn note_left_out(old: Option<&Object>, new: &mut Object) {
    let Some((old, before)) = old.and_then(|old| Some((old, old.master.as_ref()?))) else {
        return;
    };
    let Some(after) = &mut new.master else { return };
    let keys = |dates: Vec<Property>| -> HashSet<InstanceKey> {
        dates.iter().map(|date| old.key(date)).collect()
    };
    let [known, mut own] = [exceptions(before), own_exceptions(before)].map(keys);
    let mut series = Search::of(old);
    let added = exceptions(after).into_iter();
    let added = added.filter(|date| !known.contains(&old.key(date)) && series.has(date));
    own.extend(added.map(|date| old.key(&date)));
    if !own.is_empty() {
        mark_left_out(after, &own, old);
    }
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
fn changed(
    old: Option<&Object>,
    new: &Object,
    owner: &Owner,
    written: Written,
    now: Timestamp,
) -> Vec<Component> {
    let line = |object: Option<&Object>, is: &dyn Fn(&Property) -> bool| {
        let leading = object.and_then(Object::leading);
        leading.is_some_and(|it| it.get("ORGANIZER").is_some_and(is))
    };
    // The organizer, who did not get the last answer, gets this one.
    let forced = line(Some(new), &|line| is_forced(line, Method::Reply));
    let owed = written == Written::ByCommand && line(old, &is_owed);
    let back = back_in(old, new);
    let is_back = |it: &Component| new.part(it).is_some_and(|key| back.contains_key(&key));
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
        let comments = match &known {
            Some(known) if written == Written::ByProgram => new_comments(known, component),
            _ => Vec::new(),
        };
        let forced = forced || is_back(component);
        // An instance that is written out now was what the series says, and that may be another answer by now.
        let implied = old.and_then(|old| implied_now(old, new, component));
        let known = implied.or(known);
        for (at, line) in lines.into_iter().enumerate() {
            // How far a to-do is, and a comment, one REPLY tells.
            let more = at == 0 && (works || !comments.is_empty());
            let owed = owed && is_answered(known.as_ref(), line, owner);
            if forced || owed || more || says_more(known.as_ref(), line, owner) {
                let mut answer = answer_to(component, line.clone(), now);
                answer.properties.extend(comments.iter().copied().cloned());
                answers.push(answer);
            }
        }
    }
    for (key, instance) in &back {
        if !new.instances.contains_key(key) {
            let lines = owner.all_lines(instance).into_iter();
            answers.extend(lines.map(|line| answer_to(instance, line.clone(), now)));
        }
    }
    answers.extend(left_out(old, new, owner, now));
    answers.extend(taken_back(old, new, owner, now));
    answers
}

/// What the series says after the edit of an instance that had no component of its own before it.
fn implied_now(old: &Object, new: &Object, component: &Component) -> Option<Component> {
    let id = component.get("RECURRENCE-ID")?;
    let is_new = old.master.is_some() && !old.instances.contains_key(&old.key(id));
    is_new.then(|| new.implied(id)).flatten()
}

/// The instances that the owner had left out and takes in again, as the series implies them.
fn back_in(old: Option<&Object>, new: &Object) -> HashMap<InstanceKey, Component> {
    let (Some(before), Some(after)) = (old.and_then(|it| it.master.as_ref()), &new.master) else {
        return HashMap::new();
    };
    let mut back = own_exceptions(before);
    if back.is_empty() {
        return HashMap::new();
    }
    let still: HashSet<InstanceKey> = exceptions(after).iter().map(|it| new.key(it)).collect();
    back.retain(|date| !still.contains(&new.key(date)));
    let back = back
        .iter()
        .filter_map(|date| Some((new.key(date), new.implied(date)?)));
    back.filter(|(_, instance)| !is_cancelled(instance))
        .collect()
}

/// The line of the same person as it was known.
fn known_line<'c>(
    known: Option<&'c Component>,
    line: &Property,
    owner: &Owner,
) -> Option<&'c Property> {
    let name = person(line);
    let lines = owner.all_lines(known?);
    lines.into_iter().find(|old| person(old) == name)
}

/// Whether a line says an answer, or that one is taken back. Of what an update has asked anew since, nothing is said.
fn is_answered(known: Option<&Component>, line: &Property, owner: &Owner) -> bool {
    PartStat::of(line) != PartStat::NeedsAction
        || known_line(known, line, owner).is_some_and(is_taken_back)
}

/// Whether a line says another thing than it did. Whom one who answers for itself has sent before, its program may leave on the
/// line: that says nothing.
fn says_more(known: Option<&Component>, line: &Property, owner: &Owner) -> bool {
    let Some(old) = known_line(known, line, owner) else {
        return PartStat::of(line) != PartStat::NeedsAction;
    };
    let sent = |line: &Property| -> HashSet<String> {
        let delegates = delegated_to(line);
        delegates
            .map(|it| it.as_str().to_ascii_lowercase())
            .collect()
    };
    PartStat::of(old) != PartStat::of(line) || sent(old) != sent(line)
}

/// How far a to-do is.
fn progress(component: &Component) -> Option<[Option<&str>; 2]> {
    component
        .is("VTODO")
        .then(|| ["PERCENT-COMPLETE", "COMPLETED"].map(|name| component.value(name)))
}

/// RFC 6638 §3.2.2.3: an EXDATE declines its instance.
///
/// Of a series that was declined nothing was said of it by that; it is said once the series is not declined any more.
fn left_out(old: Option<&Object>, new: &Object, owner: &Owner, now: Timestamp) -> Vec<Component> {
    let (Some(before), Some(after)) = (old.and_then(|it| it.master.as_ref()), &new.master) else {
        return Vec::new();
    };
    let keys = |dates: Vec<Property>| -> HashSet<InstanceKey> {
        dates.iter().map(|date| new.key(date)).collect()
    };
    let [known, own] = [exceptions(before), own_exceptions(before)].map(keys);
    let declined = |series: &Component| -> HashSet<String> {
        let lines = owner.lines(series).into_iter();
        let declined = lines.filter(|line| PartStat::of(line) == PartStat::Declined);
        declined.map(person).collect()
    };
    let [was_declined, is_declined] = [before, after].map(declined);
    let is_open_again = !was_declined.is_subset(&is_declined);
    let mut series = old.map(Search::of);
    let mut answers = Vec::new();
    for date in &exceptions(after) {
        let key = new.key(date);
        let is_new = !known.contains(&key);
        // A date that is none of the series' leaves nothing out.
        let is_instance = |series: &mut Search| series.has(date);
        let is_left_out = if is_new {
            series.as_mut().is_some_and(is_instance)
        } else {
            is_open_again && own.contains(&key)
        };
        if !is_left_out {
            continue;
        }
        let mut instance = derive(after, date, &new.zones);
        if let Some(known) = old.and_then(|old| old.version_of(&instance)) {
            instance = known;
        }
        if is_cancelled(&instance) {
            continue; // nothing new
        }
        let by_itself = old.is_some_and(|old| old.instances.contains_key(&key));
        let lines = owner.lines(&instance).into_iter();
        let unsaid = lines.filter(|line| {
            let was_declined = PartStat::of(line) == PartStat::Declined;
            let is_open_again = !by_itself && !is_declined.contains(&person(line));
            if was_declined { is_open_again } else { is_new }
        });
        answers.extend(unsaid.map(|line| answer_as(&instance, line, PartStat::Declined, now)));
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
