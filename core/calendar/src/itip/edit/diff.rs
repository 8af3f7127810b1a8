//! The difference that an organizer's edit makes to others, and the versions (SEQUENCE, DTSTAMP) of the parts after it.

use super::Written;
use super::attendees::Part;
use crate::instance::InstanceKey;
use crate::itip::address::is_served;
use crate::itip::exceptions::exceptions;
use crate::itip::object::Object;
use crate::itip::outgoing::leave_out;
use crate::itip::participants::{PartStat, attendees_by_address, is_attendee, person};
use crate::itip::personal::{
    ASKED_SEQUENCE, PROGRESS, REPLY_DTSTAMP, REPLY_PERCENT, Role, asked, is_only_own,
    is_rescheduled, is_told, note_asked, note_overruled,
};
use crate::itip::recall::take_revision;
use crate::itip::request::is_cancelled;
use crate::itip::revision::Revision;
use crate::itip::schedule::left_out;
use crate::time::values;
use crate::tree::{Component, Property};
use crate::zone::Zones;
use convoke_types::CalendarAddress;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Which parts of the object changed in what concerns others.
pub(super) struct Diff {
    pub changed: BTreeSet<Part>,
    rescheduled: BTreeSet<Part>,
    /// Which SEQUENCE the series gets at least: that of instances that go on as the series has them. Who knows them by themselves
    /// would take the update of the series for the older one.
    series_at_least: u64,
    /// The one date that is all that the edit adds to the series.
    pub added: Option<Property>,
}

impl Diff {
    pub(super) fn between(old: Option<&Object>, new: Option<&Object>) -> Self {
        let mut diff = Self {
            changed: BTreeSet::new(),
            rescheduled: BTreeSet::new(),
            series_at_least: 0,
            added: None,
        };
        let Some(zones) = old.or(new).map(|object| &object.zones) else {
            return diff;
        };
        for (part, component) in new.into_iter().flat_map(Object::parts) {
            let known = old.and_then(|old| old.version_of(component));
            let Some(mut known) = known else {
                diff.changed.insert(part);
                continue;
            };
            if let (Some(old), Some(new), None) = (old, new, &part) {
                let off = called_off_and_left_out(old, new);
                leave_out(&mut known, off.map(|(_, instance)| instance));
            }
            if !is_same(component, &known, zones) {
                diff.changed.insert(part.clone());
            }
            if is_other_time(&known, component, zones) {
                diff.rescheduled.insert(part);
            }
        }
        // An exception taken back changes the series as people see it.
        for (key, instance) in old.into_iter().flat_map(|old| &old.instances) {
            let goes_on = new.filter(|new| !new.instances.contains_key(key));
            if goes_on.is_some_and(|new| is_called_off_and_left_out(instance, key, new)) {
                continue;
            }
            let series = goes_on.and_then(|new| new.implied(instance.get("RECURRENCE-ID")?));
            let Some(series) = series else { continue };
            // Who knows it by itself would answer it by itself.
            if is_told_of(instance) || !is_only_own(instance, &series, Role::Organizer) {
                diff.changed.insert(None);
            }
            let known = Revision::of(instance).sequence;
            diff.series_at_least = known.max(diff.series_at_least);
        }
        if let (Some(old), Some(new)) = (old, new) {
            diff.added = added(old, new, &diff);
        }
        diff
    }
}

/// The instances that were called off by a component of their own, and that the series leaves out instead: who was told that does
/// not take place is told nothing by that. They stay called off for all that is known.
pub(super) fn called_off_and_left_out<'o>(
    old: &'o Object,
    new: &'o Object,
) -> impl Iterator<Item = (&'o InstanceKey, &'o Component)> {
    let gone = old.instances.iter();
    gone.filter(|(key, it)| is_called_off_and_left_out(it, key, new))
}

fn is_called_off_and_left_out(instance: &Component, key: &InstanceKey, new: &Object) -> bool {
    let is_left_out = |series: &Component| {
        let mut dates = exceptions(series).into_iter();
        dates.any(|date| new.key(&date) == *key)
    };
    is_cancelled(instance)
        && !new.instances.contains_key(key)
        && new.master.as_ref().is_some_and(is_left_out)
}

/// Whether two versions say the same to others, if perhaps in other words.
fn is_same(one: &Component, other: &Component, zones: &Zones) -> bool {
    const TIMES: [&str; 6] = ["DTSTART", "DTEND", "DUE", "DURATION", "RRULE", "RDATE"];
    if is_rescheduled(one, other, zones) {
        return false;
    }
    let [one, other] = [one, other].map(|it| without(it, &TIMES));
    is_only_own(&one, &other, Role::Organizer)
}

/// Whether some of its attendees know an instance by itself.
fn is_told_of(instance: &Component) -> bool {
    let mut lines = instance.all("ATTENDEE");
    lines.any(is_told)
}

fn without(component: &Component, names: &[&str]) -> Component {
    let mut component = component.clone();
    component
        .properties
        .retain(|line| !names.iter().any(|name| line.is(name)));
    component
}

/// RFC 5546 §3.2.4: the date that was added to the series, if nothing else concerns others; perhaps with a component of
/// its own.
fn added(old: &Object, new: &Object, diff: &Diff) -> Option<Property> {
    let (was, is) = (old.master.as_ref()?, new.master.as_ref()?);
    let [before, after] = [was, is].map(|it| without(it, &["RDATE"]));
    if !is_same(&before, &after, &new.zones)
        || left_out(was, &new.zones) != left_out(is, &new.zones)
    {
        return None;
    }
    let (before, after) = (dates(old, was), dates(new, is));
    if !before.keys().all(|key| after.contains_key(key)) {
        return None;
    }
    let mut fresh = after.iter().filter(|(key, _)| !before.contains_key(key));
    let (key, date) = fresh.next().filter(|(_, date)| !date.value.contains('/'))?;
    let only_this = |part: &Part| part.is_none() || part.as_ref() == Some(key);
    if fresh.next().is_some() || !diff.changed.iter().all(only_this) {
        return None;
    }
    // What was moved in the same breath cannot be said by its date.
    let instance = new.instances.get(key);
    let start = instance.and_then(|it| it.get("DTSTART"));
    let in_place = instance.is_none() || start.is_some_and(|start| new.key(start) == *key);
    (in_place && !old.instances.contains_key(key)).then(|| date.clone())
}

/// The dates of RDATE, one a property.
fn dates(object: &Object, master: &Component) -> BTreeMap<InstanceKey, Property> {
    let dates = master.all("RDATE").flat_map(|line| {
        values(line).map(|value| {
            let mut date = Property::new("RDATE", value);
            date.params.clone_from(&line.params);
            date
        })
    });
    dates.map(|date| (object.key(&date), date)).collect()
}

/// RFC 5546 §2.1.4: the properties that count the SEQUENCE up.
fn is_other_time(old: &Component, new: &Component, zones: &Zones) -> bool {
    let status = |component: &Component| {
        // That of a to-do is how far its owner is; without it an event takes place.
        let status = component.value("STATUS").filter(|_| !new.is("VTODO"));
        status.unwrap_or("CONFIRMED").to_ascii_uppercase()
    };
    is_rescheduled(old, new, zones)
        || left_out(old, zones) != left_out(new, zones)
        || status(old) != status(new)
}

/// The versions that the parts have after the edit, and answers asked for anew.
///
/// A program counts at each save, or never: what it made of SEQUENCE counts only where the meeting is at other times.
pub(super) fn update_versions(
    old: Option<&Object>,
    new: &mut Object,
    diff: &Diff,
    (organizer, written): (&[CalendarAddress], Written),
    now: jiff::Timestamp,
) {
    let zones = new.zones.clone();
    let keys: Vec<Part> = new.parts().map(|(part, _)| part).collect();
    for (part, component) in keys.into_iter().zip(new.components_mut()) {
        let Some(known) = old.and_then(|old| old.version_of(component)) else {
            continue;
        };
        let (was, is) = (Revision::of(&known), Revision::of(component));
        let due = diff.rescheduled.contains(&part);
        if diff.changed.contains(&part) {
            let sequence = match written {
                _ if due => is.sequence.max(was.sequence + 1),
                Written::ByCommand => is.sequence.max(was.sequence),
                Written::ByProgram => was.sequence,
            };
            let stamp = Some(now);
            count_up(&known, component, Revision { sequence, stamp });
        } else {
            take_revision(component, &known);
        }
        let version = Revision::of(component);
        if part.is_none() && version.sequence < diff.series_at_least {
            let sequence = diff.series_at_least;
            count_up(
                &known,
                component,
                Revision {
                    sequence,
                    ..version
                },
            );
        }
        // One more date asks nobody anew about those that were answered.
        let is_on_again = is_cancelled(&known) && !is_cancelled(component);
        let is_moved = diff.added.is_none() && is_rescheduled(&known, component, &zones);
        let asks_anew = due && (is_on_again || is_moved);
        if asks_anew && diff.changed.contains(&part) {
            let was_at_it = reset_partstat(component, organizer);
            if was_at_it && component.is("VTODO") && !is_cancelled(component) {
                reset_progress(&known, component);
            }
        } else {
            keep_answers(&known, component, written);
        }
        note_overruled_answers(&known, component);
    }
}

/// Whose answer the organizer has written over, or asks for anew.
fn note_overruled_answers(known: &Component, component: &mut Component) {
    let answered = attendees_by_address(known);
    let lines = component.properties.iter_mut();
    for line in lines.filter(|line| line.param(REPLY_DTSTAMP).is_some()) {
        let said = answered.get(&person(line)).map(|it| PartStat::of(it));
        if said.is_some_and(|it| it != PartStat::of(line)) {
            note_overruled(line);
        }
    }
}

/// Gives a component a later version than the known one, by which nobody is asked anew who was asked before.
pub(in crate::itip) fn count_up(known: &Component, component: &mut Component, version: Revision) {
    let was = Revision::of(known);
    version.write(component);
    if version.sequence > was.sequence {
        let mut before = attendees_by_address(known);
        // Nobody asks itself.
        if let Some(organizer) = known.get("ORGANIZER") {
            before.remove(&person(organizer));
        }
        let lines = component.properties.iter_mut();
        for line in lines.filter(|line| line.is("ATTENDEE")) {
            if let Some(old) = before.get(&person(line)) {
                note_asked(line, asked(old, was), version);
            }
        }
    }
}

/// Answers that a program has lost, as it had read the object before they came; or that a command says nothing of, as it has
/// the object from whoever wrote it before anybody had answered.
fn keep_answers(known: &Component, component: &mut Component, written: Written) {
    let is_answered = |line: &Property| {
        line.param(REPLY_DTSTAMP).is_some() && PartStat::of(line) != PartStat::NeedsAction
    };
    let answered = known.all("ATTENDEE").filter(|line| is_answered(line));
    let answered: HashMap<String, &Property> = answered.map(|line| (person(line), line)).collect();
    let lines = component.properties.iter_mut();
    for line in lines.filter(|line| line.is("ATTENDEE")) {
        if written.says_no_answer(line)
            && let Some(old) = answered.get(&person(line))
        {
            line.set_param("PARTSTAT", PartStat::of(old).as_str());
            line.remove_param("RSVP");
        }
    }
}

/// How far somebody was with a to-do was about other times too, unless the edit tells it anew.
fn reset_progress(known: &Component, component: &mut Component) {
    for name in PROGRESS {
        if known.value(name) == component.value(name) {
            component.remove(name);
        }
    }
}

/// RFC 6638 §3.2.8: what was answered was about other times. Tells whether somebody was at work on it.
fn reset_partstat(component: &mut Component, organizer: &[CalendarAddress]) -> bool {
    let mut was_at_it = false;
    for line in component
        .properties
        .iter_mut()
        .filter(|line| line.is("ATTENDEE"))
    {
        let own = organizer.iter().any(|address| is_attendee(line, address));
        if !own && is_served(line) && PartStat::of(line) != PartStat::Delegated {
            was_at_it |= matches!(
                PartStat::of(line),
                PartStat::Completed | PartStat::InProcess
            );
            line.set_param("PARTSTAT", PartStat::NeedsAction.as_str());
            line.remove_param(REPLY_PERCENT);
            line.remove_param(ASKED_SEQUENCE);
        }
    }
    was_at_it
}
