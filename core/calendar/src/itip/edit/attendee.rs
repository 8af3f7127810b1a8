//! An attendee's edits: REPLY to the organizer (RFC 6638 §3.2.2).

use super::{Edit, Edited, allowed::keep_version, delivery::is_owed, stored};
use crate::itip::address::is_served;
use crate::itip::instance::{InstanceKey, derive};
use crate::itip::object::Object;
use crate::itip::people::{Owner, PartStat, person};
use crate::itip::reply::{ReplyError, answer_to, send};
use crate::itip::request::is_cancelled;
use crate::message::MessageError;
use crate::tree::{Calendar, Component, Property};
use jiff::Timestamp;

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
            Err(_) => Vec::new(),
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
    open.flat_map(|component| {
        let lines = owner.lines(component).into_iter();
        let news = lines.filter(|line| PartStat::of(line) != PartStat::Declined);
        news.map(|line| answer_as(component, line, PartStat::Declined, now))
    })
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
    let known: Vec<InstanceKey> = exceptions(before)
        .iter()
        .map(|date| new.key(date))
        .collect();
    let added = exceptions(after);
    let added = added.iter().filter(|date| !known.contains(&new.key(date)));
    let mut answers = Vec::new();
    for date in added {
        let mut instance = derive(after, date, &new.zones);
        if let Some(known) = old.and_then(|old| old.version_of(&instance)) {
            instance = known;
        }
        if is_cancelled(&instance) {
            continue; // nothing new
        }
        let lines = owner.lines(&instance).into_iter();
        let news = lines.filter(|line| PartStat::of(line) != PartStat::Declined);
        answers.extend(news.map(|line| answer_as(&instance, line, PartStat::Declined, now)));
    }
    answers
}

/// The dates that a series leaves out, one a property.
fn exceptions(master: &Component) -> Vec<Property> {
    let dates = master.all("EXDATE").flat_map(|line| {
        line.value.split(',').map(|date| {
            let mut one = Property::new("RECURRENCE-ID", date);
            one.params.clone_from(&line.params);
            one
        })
    });
    dates.collect()
}
