//! REQUEST: the organizer invites, updates or reschedules (RFC 5546 §3.2.2, §3.4.2).

use super::instance::derive;
use super::object::{MAX_WEIGHT, Object, same_component, weight};
use super::participants::{Owner, PartStat, attendees_by_address, person};
use super::personal::{
    Role, blend, is_only_own, is_rescheduled, is_taken_back, keep_personal, keep_progress,
    strip_local,
};
use super::revision::Revision;
use super::series::Search;
use crate::instance::InstanceKey;
use crate::message::Message;
use crate::tree::{Component, Property};
use crate::zone::Zones;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The object that an invitation makes where there is none.
pub(super) fn begin<'c>(message: &Message, zones: &Rc<Zones<'c>>) -> Option<Object<'c>> {
    let mut object = Object::from_message(message, zones)?;
    for component in object.components_mut() {
        strip_local(component);
    }
    Some(object)
}

/// The stored object with the newer parts of a REQUEST in it; `None` if it would be larger than an object may become.
pub(super) fn merge<'c>(stored: &Object<'c>, message: &Message, role: Role) -> Option<Object<'c>> {
    let Some(incoming) = Object::from_message(message, &stored.zones) else {
        return Some(stored.clone());
    };
    // The series that will be stored tells how instances are named.
    let (stored, incoming) = if newer_master(stored, &incoming).is_some() {
        (&stored.clone().named_as_in(&incoming), incoming)
    } else {
        (stored, incoming.named_as_in(stored))
    };
    let mut merged = stored.clone();
    if let Some(master) = newer_master(stored, &incoming) {
        merged.master = Some(blend(master, stored.master.as_ref(), role, &stored.zones));
        merged.instances = instances_under(&merged, stored, &incoming, role)?;
    }
    let whole_is_new = newer_master(stored, &incoming).is_some();
    let left_out = stored.left_out_by_attendee();
    let mut told = BTreeSet::new();
    for (key, instance) in &incoming.instances {
        let known = stored.instances.get(key);
        let is_newer = match known {
            // The whole and its instances in one message belong together.
            None if whole_is_new => true,
            _ if !whole_is_new && was_before_the_end(stored, instance) => false,
            None if is_stale_with(stored, &incoming, instance) => false,
            known => is_newer(instance, known, stored.master.as_ref()),
        };
        if !is_newer {
            continue;
        }
        if !is_cancelled(instance) {
            told.insert(key.clone());
        }
        let implied = match known {
            Some(_) => None,
            None => implied(stored, instance).map(|it| match (role, left_out.contains(key)) {
                (Role::Attendee(owner), true) => declined(it, owner),
                _ => it,
            }),
        };
        let before = known.or(implied.as_ref());
        let instance = blend(instance, before, role, &stored.zones);
        merged.instances.insert(key.clone(), instance);
    }
    // An instance that was left out before takes place after all; what comes with its whole is as the whole says.
    if whole_is_new {
        merged.take_in(&told);
    } else {
        merged.readmit(&told);
    }
    Some(merged)
}

/// An instance as its owner has answered it by leaving it out.
fn declined(mut instance: Component, owner: &Owner) -> Component {
    for line in &mut instance.properties {
        if line.is("ATTENDEE") && owner.is(line) {
            line.set_param("PARTSTAT", PartStat::Declined.as_str());
        }
    }
    instance
}

/// Whether an instance was told before the whole was called off: that is about all of it, also where an organizer counts each instance
/// by itself, so that its SEQUENCE is beyond that of the CANCEL.
fn was_before_the_end(stored: &Object, instance: &Component) -> bool {
    let off = stored.master.as_ref().filter(|it| is_cancelled(it));
    off.is_some_and(|whole| Revision::of(instance).stamp < Revision::of(whole).stamp)
}

/// Whether an instance comes with a whole that is older than what is stored: then it may have been dropped since. Where an organizer
/// counts each instance by itself, its DTSTAMP tells that it is of before.
fn is_stale_with(stored: &Object, incoming: &Object, instance: &Component) -> bool {
    stored.master.as_ref().is_some_and(|series| {
        let (told, known) = (Revision::of(instance), Revision::of(series));
        incoming.master.is_some() && (told <= known || told.stamp <= known.stamp)
    })
}

/// Whether a message brings a newer version of the whole.
pub(super) fn renews_series(stored: &Object, message: &Message) -> bool {
    let is_whole = |it: &&Component| it.get("RECURRENCE-ID").is_none();
    let whole = message.components().find(is_whole);
    whole.is_some_and(|whole| is_newer(whole, stored.master.as_ref(), None))
}

fn newer_master<'a>(stored: &Object, incoming: &'a Object) -> Option<&'a Component> {
    incoming
        .master
        .as_ref()
        .filter(|master| is_newer(master, stored.master.as_ref(), None))
}

/// Whether a component of a message is to be taken: not older than what is stored (RFC 5546 §2.1.5).
///
/// Equal is taken too: it changes nothing if it is a duplicate, and peers that send twice in a second mean the later.
/// But a cancelled component comes back only with a newer version.
fn is_newer(incoming: &Component, known: Option<&Component>, series: Option<&Component>) -> bool {
    let revision = Revision::of(incoming);
    match (known, series) {
        (Some(known), _) => {
            let stored = Revision::of(known);
            revision > stored || (revision == stored && !is_cancelled(known))
        }
        // An instance not seen before is of the version of its series; but where an organizer counts each instance
        // by itself, its DTSTAMP tells that it is later.
        (None, Some(series)) => {
            let stored = Revision::of(series);
            if is_cancelled(series) {
                return revision > stored;
            }
            revision.sequence >= stored.sequence || revision.stamp > stored.stamp
        }
        (None, None) => true,
    }
}

pub(super) fn is_cancelled(component: &Component) -> bool {
    component
        .value("STATUS")
        .is_some_and(|status| status.eq_ignore_ascii_case("CANCELLED"))
}

/// Which stored instances stand beside a new version of the whole that does not name them.
///
/// RFC 5546 §4.4.7: what was told about instances is lost unless the update tells it again. What is kept: instances
/// newer than the update (messages may overtake each other), those that were called off while the series goes on at
/// the same times, and what the owner changed for itself in one of them (an answer, an alarm).
fn instances_under(
    merged: &Object,
    stored: &Object,
    incoming: &Object,
    role: Role,
) -> Option<BTreeMap<InstanceKey, Component>> {
    let mut kept = BTreeMap::new();
    let (Some(new), Some(update)) = (&merged.master, &incoming.master) else {
        return Some(kept);
    };
    let zones = &stored.zones;
    let rescheduled = stored
        .master
        .as_ref()
        .is_none_or(|old| is_rescheduled(old, update, zones));
    // What was called off with the whole takes place with it.
    let was_off = stored.master.as_ref().is_some_and(is_cancelled);
    let is_on_again = was_off && !is_cancelled(update);
    let mut search = Search::of(merged);
    let mut thin = None;
    let mut room = MAX_WEIGHT;
    for (key, instance) in &stored.instances {
        let is_newer = Revision::of(instance) > Revision::of(update);
        if is_newer || incoming.instances.contains_key(key) {
            kept.insert(key.clone(), instance.clone());
            continue;
        }
        let id = instance.get("RECURRENCE-ID").filter(|_| !rescheduled);
        let Some(id) = id.filter(|id| search.has(id)) else {
            continue;
        };
        if is_cancelled(instance) {
            if !is_on_again {
                kept.insert(key.clone(), instance.clone());
            }
            continue;
        }
        let is_kept = is_own(stored, instance, role) || {
            let thin = thin.get_or_insert_with(|| [new, update].map(|it| without_others(it, role)));
            is_personal(thin, id, instance, role, zones)
        };
        if is_kept {
            // The organizer is not bound: what it writes is its own.
            if matches!(role, Role::Attendee(_)) {
                room = room.checked_sub(weight(update))?;
            }
            let instance = on_the_update(new, update, id, instance, role, zones);
            // What says nothing by itself is answered with the series.
            let is_attendees = matches!(role, Role::Attendee(_));
            if !is_attendees || is_apart(&instance, &derive(new, id, zones)) {
                kept.insert(key.clone(), instance);
            }
        }
    }
    Some(kept)
}

/// Whether all that an instance says differently than its series is the owner's own.
fn is_own(stored: &Object, instance: &Component, role: Role) -> bool {
    let id = instance.get("RECURRENCE-ID");
    let guests = |it: &Component| it.all("ATTENDEE").count();
    // A long list tells most of them apart without writing the instance out.
    let may_be = id
        .and_then(|id| stored.implied_from(id))
        .is_some_and(|from| guests(from) == guests(instance));
    may_be && implied(stored, instance).is_some_and(|it| is_only_own(instance, &it, role))
}

/// Whether the owner of a copy keeps something of its own about an instance beside what the update tells. `thin` are the
/// new series and the update without the others on the list, who are the same in both.
fn is_personal(
    thin: &[Component; 2],
    id: &Property,
    instance: &Component,
    role: Role,
    zones: &Zones,
) -> bool {
    let [new, update] = thin;
    matches!(role, Role::Attendee(_))
        && is_apart(
            &on_the_update(new, update, id, instance, role, zones),
            &derive(new, id, zones),
        )
}

/// What the owner keeps about an instance, on what a new version of the series says of it.
fn on_the_update(
    new: &Component,
    update: &Component,
    id: &Property,
    instance: &Component,
    role: Role,
    zones: &Zones,
) -> Component {
    let series = derive(new, id, zones);
    match role {
        Role::Attendee(owner) => {
            let told = derive(update, id, zones);
            rebased_for(owner, &told, &series, instance, zones)
        }
        Role::Organizer => rebased(&series, instance),
    }
}

fn without_others(component: &Component, role: Role) -> Component {
    let Role::Attendee(owner) = role else {
        return component.clone();
    };
    let mut thin = component.clone();
    thin.properties
        .retain(|line| !line.is("ATTENDEE") || owner.is(line));
    thin
}

/// Whether an instance is not what its series, as the owner keeps it, implies.
fn is_apart(instance: &Component, implied: &Component) -> bool {
    let [instance, implied] = [instance, implied].map(|it| {
        let mut bare = it.clone();
        strip_local(&mut bare);
        bare
    });
    !same_component(&instance, &implied)
}

/// The instance as the stored series implies it.
fn implied(stored: &Object, instance: &Component) -> Option<Component> {
    stored.implied(instance.get("RECURRENCE-ID")?)
}

/// An attendee's own changes to an instance: on what the update told about it, beside what the `series` implies now.
fn rebased_for(
    owner: &Owner,
    told: &Component,
    series: &Component,
    own: &Component,
    zones: &Zones,
) -> Component {
    let mut instance = blend(told, Some(own), Role::Attendee(owner), zones);
    let answers = [own, told, series].map(|it| owner.all_lines(it));
    let partstat = |of: usize, name: &str| {
        let mut lines = answers[of].iter();
        let line = lines.find(|line| person(line) == name);
        line.map(|line| PartStat::of(line))
    };
    for line in &mut instance.properties {
        if !(line.is("ATTENDEE") && owner.is(line)) {
            continue;
        }
        let name = person(line);
        let mut lines = answers[0].iter();
        if lines.any(|line| person(line) == name && is_taken_back(line)) {
            continue;
        }
        let answer = match (partstat(0, &name), partstat(1, &name)) {
            // It was not answered by itself.
            (Some(PartStat::NeedsAction), _) => partstat(2, &name),
            // What the organizer knows of the answer to the series says nothing about this instance; a question does.
            (own, Some(told)) if told != PartStat::NeedsAction => own,
            _ => None,
        };
        if let Some(answer) = answer {
            line.set_param("PARTSTAT", answer.as_str());
        }
    }
    instance
}

/// What the organizer keeps about an instance (answers, alarms), on what a new version of the series implies.
fn rebased(plain: &Component, own: &Component) -> Component {
    let mut instance = plain.clone();
    keep_personal(own, &mut instance, Role::Organizer);
    keep_progress(own, &mut instance, Role::Organizer);
    let known = attendees_by_address(own);
    let lines = instance.properties.iter_mut();
    for line in lines.filter(|line| line.is("ATTENDEE")) {
        if let Some(old) = known.get(&person(line)) {
            (*old).clone_into(line);
        }
    }
    instance
}
