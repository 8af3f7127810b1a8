//! The organizer's edits: REQUEST and CANCEL to whom they concern (RFC 6638 §3.2.1).

use super::{Edit, Edited, stored};
use crate::itip::address::is_served;
use crate::itip::instance::InstanceKey;
use crate::itip::object::Object;
use crate::itip::outgoing::{Outgoing, compose, for_message};
use crate::itip::own::{Role, is_only_own, is_rescheduled};
use crate::itip::people::{PartStat, address_of, attendee, is_attendee};
use crate::itip::request::is_cancelled;
use crate::itip::revision::{Revision, basic};
use crate::itip::schedule::left_out;
use crate::message::Method;
use crate::tree::{Calendar, Component, Property};
use crate::zone::Zones;
use convoke_types::CalendarAddress;
use std::collections::{BTreeSet, HashSet};

/// The whole (`None`) or one of its overridden instances.
type Part = Option<InstanceKey>;

pub(super) fn edited(edit: Edit, before: Option<&Calendar>, organizer: &CalendarAddress) -> Edited {
    let Edit {
        old,
        mut new,
        zones,
        owner,
        now,
    } = edit;
    let (Some(zones), true) = (zones, old.is_some() || new.is_some()) else {
        return Edited {
            store: stored(before, None),
            outgoing: Vec::new(),
        };
    };
    let mut letters = Letters {
        zones,
        organizer,
        letters: Vec::new(),
    };
    let news = News::between(old.as_ref(), new.as_ref());
    if let Some(new) = &mut new {
        count_up(old.as_ref(), new, &news, owner.addresses, now);
    }
    for guest in guests(old.as_ref(), new.as_ref(), owner.addresses) {
        if let (Some(old), Some(new)) = (&old, &mut new) {
            outlive_series(old, new, &guest, now);
        }
        uninvite(&mut letters, old.as_ref(), new.as_ref(), &guest, now);
        invite(&mut letters, new.as_ref(), &news, &guest, old.as_ref(), now);
    }
    let outgoing = letters.outgoing();
    let after = new.map(|mut object| {
        for component in object.components_mut() {
            for line in &mut component.properties {
                // RFC 6638 §7.2: done is done.
                line.remove_param("SCHEDULE-FORCE-SEND");
            }
        }
        object.into_calendar()
    });
    Edited {
        store: stored(before, after),
        outgoing,
    }
}

/// Which parts of the object changed in what concerns others.
struct News {
    changed: BTreeSet<Part>,
    rescheduled: BTreeSet<Part>,
}

impl News {
    fn between(old: Option<&Object>, new: Option<&Object>) -> Self {
        let mut news = Self {
            changed: BTreeSet::new(),
            rescheduled: BTreeSet::new(),
        };
        let Some(zones) = old.or(new).map(|object| &object.zones) else {
            return news;
        };
        for (part, component) in new.into_iter().flat_map(Object::parts) {
            let known = old.and_then(|old| old.version_of(component));
            let Some(known) = known else {
                news.changed.insert(part);
                continue;
            };
            if !is_only_own(component, &known, Role::Organizer) {
                news.changed.insert(part.clone());
            }
            if is_other_time(&known, component, zones) {
                news.rescheduled.insert(part);
            }
        }
        // An exception taken back changes the series as people see it.
        for (key, instance) in old.into_iter().flat_map(|old| &old.instances) {
            let gone = new.is_some_and(|new| !new.instances.contains_key(key));
            let series = new.and_then(|new| new.implied(instance.get("RECURRENCE-ID")?));
            if gone && series.is_some_and(|it| !is_only_own(instance, &it, Role::Organizer)) {
                news.changed.insert(None);
            }
        }
        news
    }
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
fn count_up(
    old: Option<&Object>,
    new: &mut Object,
    news: &News,
    organizer: &[CalendarAddress],
    now: jiff::Timestamp,
) {
    let zones = new.zones.clone();
    let keys: Vec<Part> = new.parts().map(|(part, _)| part).collect();
    for (part, component) in keys.into_iter().zip(new.components_mut()) {
        let Some(known) = old.and_then(|old| old.version_of(component)) else {
            continue;
        };
        if !news.changed.contains(&part) {
            continue;
        }
        let (was, is) = (Revision::of(&known), Revision::of(component));
        let due = news.rescheduled.contains(&part);
        let sequence = if due {
            is.sequence.max(was.sequence + 1)
        } else {
            is.sequence.max(was.sequence)
        };
        Revision {
            sequence,
            stamp: Some(now),
        }
        .write(component);
        if due && is_rescheduled(&known, component, &zones) {
            ask_anew(component, organizer);
        }
    }
}

/// Who leaves a series but stays in some of its instances gets a CANCEL and then those: they must be newer than it.
fn outlive_series(old: &Object, new: &mut Object, guest: &CalendarAddress, now: jiff::Timestamp) {
    let (had, has) = (parts(Some(old), guest), parts(Some(new), guest));
    let Some(series) = old.master.as_ref().filter(|_| had.contains(&None)) else {
        return;
    };
    if has.contains(&None) {
        return;
    }
    let cancelled = Revision::of(series).sequence + 1;
    for key in has.into_iter().flatten() {
        if let Some(instance) = new.instances.get_mut(&key) {
            let sequence = Revision::of(instance).sequence.max(cancelled + 1);
            Revision {
                sequence,
                stamp: Some(now),
            }
            .write(instance);
        }
    }
}

/// RFC 6638 §3.2.8: what was answered was about other times.
fn ask_anew(component: &mut Component, organizer: &[CalendarAddress]) {
    for line in component
        .properties
        .iter_mut()
        .filter(|line| line.is("ATTENDEE"))
    {
        let own = organizer.iter().any(|address| is_attendee(line, address));
        if !own && is_served(line) && PartStat::of(line) != PartStat::Delegated {
            line.set_param("PARTSTAT", PartStat::NeedsAction.as_str());
        }
    }
}

/// Everybody who was or is invited.
fn guests(
    old: Option<&Object>,
    new: Option<&Object>,
    organizer: &[CalendarAddress],
) -> Vec<CalendarAddress> {
    let mut seen: HashSet<String> = organizer.iter().map(in_one_case).collect();
    let mut guests: Vec<CalendarAddress> = Vec::new();
    let objects = new.into_iter().chain(old);
    let lines = objects
        .flat_map(Object::components)
        .flat_map(|component| component.all("ATTENDEE"));
    for guest in lines.filter_map(address_of) {
        if seen.insert(in_one_case(&guest)) {
            guests.push(guest);
        }
    }
    guests
}

fn in_one_case(address: &CalendarAddress) -> String {
    address.as_str().to_ascii_lowercase()
}

/// The parts that a guest is invited to and the server schedules.
fn parts(object: Option<&Object>, guest: &CalendarAddress) -> BTreeSet<Part> {
    let parts = object.into_iter().flat_map(Object::parts);
    parts
        .filter(|(_, component)| attendee(component, guest).is_some_and(is_served))
        .filter(|(_, component)| !is_cancelled(component))
        .map(|(part, _)| part)
        .collect()
}

/// REQUEST to one who has something new: everything it is invited to (RFC 6638 §3.2.1.2).
fn invite(
    letters: &mut Letters,
    new: Option<&Object>,
    news: &News,
    guest: &CalendarAddress,
    old: Option<&Object>,
    now: jiff::Timestamp,
) {
    let (had, has) = (parts(old, guest), parts(new, guest));
    let invited = |part: &Part| has.contains(part);
    let forced = new
        .into_iter()
        .flat_map(Object::components)
        .any(|component| {
            let line = attendee(component, guest);
            line.and_then(|line| line.param("SCHEDULE-FORCE-SEND"))
                .is_some_and(|method| method.eq_ignore_ascii_case("REQUEST"))
        });
    let is_new = has
        .iter()
        .any(|part| !had.contains(part) && !had.contains(&None));
    if has.is_empty() || !(forced || is_new || news.changed.iter().any(invited)) {
        return;
    }
    let parts = new.into_iter().flat_map(Object::parts);
    let told = parts
        .filter(|(part, _)| has.contains(part))
        .map(|(_, component)| for_message(component, now))
        .collect();
    letters.add(Method::Request, told, guest);
}

/// CANCEL to one who has lost something (RFC 6638 §3.2.1.2, §3.2.1.3).
fn uninvite(
    letters: &mut Letters,
    old: Option<&Object>,
    new: Option<&Object>,
    guest: &CalendarAddress,
    now: jiff::Timestamp,
) {
    let Some(old) = old else { return };
    let (had, has) = (parts(Some(old), guest), parts(new, guest));
    let whole_is_off = new.is_none_or(|new| new.leading().is_some_and(is_cancelled));
    let mut notices = Vec::new();
    if had.contains(&None) && !has.contains(&None) {
        notices.extend(
            old.master
                .as_ref()
                .map(|it| notice(it, new, guest, whole_is_off, now)),
        );
    } else {
        for part in had.union(&instances_without(new, guest)) {
            let Some(key) = part else { continue };
            let still_there = new.is_some_and(|new| new.instances.contains_key(key));
            // What is told with the series needs no notice of its own.
            if has.contains(part) || (has.contains(&None) && !still_there) {
                continue;
            }
            if !had.contains(part) && !had.contains(&None) {
                continue;
            }
            let known = old.instances.get(key);
            let implied = new.and_then(|new| old.version_of(new.instances.get(key)?));
            let newly = known
                .or(implied.as_ref())
                .filter(|it| !is_cancelled(it) && attendee(it, guest).is_some_and(is_served));
            let off = new
                .and_then(|new| new.instances.get(key))
                .is_none_or(is_cancelled);
            notices.extend(newly.map(|it| notice(it, new, guest, off, now)));
        }
    }
    if !notices.is_empty() {
        letters.add(Method::Cancel, notices, guest);
    }
}

/// Instances that a guest of the series is not invited to, or that are called off.
fn instances_without(new: Option<&Object>, guest: &CalendarAddress) -> BTreeSet<Part> {
    let instances = new.into_iter().flat_map(|new| &new.instances);
    instances
        .filter(|(_, it)| is_cancelled(it) || !attendee(it, guest).is_some_and(is_served))
        .map(|(key, _)| Some(key.clone()))
        .collect()
}

/// That a component is called off, or that it goes on without the guest (RFC 5546 §3.2.5).
fn notice(
    old: &Component,
    new: Option<&Object>,
    guest: &CalendarAddress,
    called_off: bool,
    now: jiff::Timestamp,
) -> Component {
    const TOLD: [&str; 5] = ["UID", "RECURRENCE-ID", "DTSTART", "SUMMARY", "ORGANIZER"];
    let mut notice = Component::new(old.name.clone());
    for name in TOLD {
        notice.properties.extend(old.get(name).cloned());
    }
    // RFC 5546 §2.1.4: a CANCEL counts the SEQUENCE up.
    let newest = new.and_then(|new| new.version_of(old));
    let sequence = newest.map_or(0, |it| Revision::of(&it).sequence);
    let sequence = sequence.max(Revision::of(old).sequence + 1);
    notice.push(Property::new("SEQUENCE", sequence.to_string()));
    notice.push(Property::new("DTSTAMP", basic(now)));
    notice.properties.extend(attendee(old, guest).cloned());
    if called_off {
        notice.push(Property::new("STATUS", "CANCELLED"));
    }
    for_message(&notice, now)
}

/// Messages being gathered: who gets the same gets it in one.
struct Letters<'a> {
    zones: &'a Calendar,
    organizer: &'a CalendarAddress,
    letters: Vec<(Method, Vec<Component>, Vec<CalendarAddress>)>,
}

impl Letters<'_> {
    fn add(&mut self, method: Method, components: Vec<Component>, guest: &CalendarAddress) {
        let mut letters = self.letters.iter_mut();
        let same = letters.find(|(its, told, _)| *its == method && *told == components);
        match same {
            Some((_, _, guests)) => guests.push(guest.clone()),
            None => self.letters.push((method, components, vec![guest.clone()])),
        }
    }

    fn outgoing(self) -> Vec<Outgoing> {
        let Self {
            zones,
            organizer,
            letters,
        } = self;
        letters
            .into_iter()
            .filter_map(|(method, components, recipients)| {
                let message = compose(method, components, zones).ok()?;
                Some(Outgoing {
                    message,
                    originator: organizer.clone(),
                    recipients,
                })
            })
            .collect()
    }
}
