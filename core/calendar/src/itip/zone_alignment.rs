//! Aligning the time zones of a message with those of the stored object that it is about: components keep the zones that they
//! came with.
//!
//! Both may describe a zone of one name, but with other rules. Then that of the message gets another name while it is
//! worked on, and keeps it if some stored component still needs the old one (RFC 5546 §2.1.5: what is older, or about
//! another instance, changes nothing). What the result does not use is not taken over.

use super::object::Object;
use super::request::renews_series;
use super::series::Search;
use crate::message::{Message, Method};
use crate::tree::{Calendar, Component};
use crate::zone::{Descriptions, Given, ZoneTable, Zones, key, name_of, named, pins, rename, used};
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// A message and what is stored, in which each TZID means one zone.
pub(super) struct SideBySide<'a> {
    message: Cow<'a, Message>,
    existing: Option<Cow<'a, Calendar>>,
    /// Where they do not describe the same zones.
    given: Option<Vec<Given>>,
}

impl<'a> SideBySide<'a> {
    pub(super) fn of(message: &'a Message, existing: Option<&'a Calendar>, own: &TimeZone) -> Self {
        let mut both = Self {
            message: Cow::Borrowed(message),
            existing: existing.map(Cow::Borrowed),
            given: None,
        };
        let Some(existing) = existing.filter(|it| !are_told_alike(it, message.calendar())) else {
            return both;
        };
        let placed = ZoneTable::of(existing, Some(own)).place(message.calendar());
        placed.apply(both.message.to_mut().root_mut());
        both.given = Some(placed.given);
        both.existing = Some(pinned(existing));
        both
    }

    pub(super) fn message(&self) -> &Message {
        &self.message
    }

    pub(super) fn existing(&self) -> Option<&Calendar> {
        self.existing.as_deref()
    }

    /// The zones of both.
    pub(super) fn zones(&self, own: TimeZone) -> Rc<Zones<'_>> {
        let calendars = self.existing().into_iter().chain([self.message.calendar()]);
        let zones = Zones::of_all(calendars, own);
        Rc::new(match &self.given {
            Some(given) => zones.with_given(given.clone()),
            None => zones,
        })
    }
}

/// The version of an object before an edit, so that it may be read beside that after it.
pub(super) fn beside<'a>(after: &Calendar, before: &'a Calendar) -> Cow<'a, Calendar> {
    let mut before = Cow::Borrowed(before);
    if !are_told_alike(after, &before) {
        let placed = ZoneTable::of(after, None).place(&before);
        placed.apply(before.to_mut().root_mut());
    }
    before
}

/// Whether the second describes no zone otherwise than the first.
fn are_told_alike(first: &Calendar, second: &Calendar) -> bool {
    let mut zones = second.zones();
    let Some(one) = zones.next() else {
        return true;
    };
    first.zones().count() == second.zones().count()
        && std::iter::once(one)
            .chain(zones)
            .zip(first.zones())
            .all(|(second, first)| first == second)
}

/// With more zones to come, a TZID that means the only one is to name it.
fn pinned(calendar: &Calendar) -> Cow<'_, Calendar> {
    let names = pins(calendar);
    let mut calendar = Cow::Borrowed(calendar);
    if !names.is_empty() {
        rename(calendar.to_mut().root_mut(), &names);
    }
    calendar
}

/// The message with instances named as those of the stored series.
///
/// A RECURRENCE-ID is what the wall clock said in the series (RFC 5545 §3.8.4.4), by whatever rules it went then. Only
/// where there is no such instance it is read by the rules of the message.
pub(super) fn anchored<'m>(message: &'m Message, stored: &Object) -> Cow<'m, Message> {
    let given = stored.zones.given();
    let has_new_series = message.method() == Method::Request && renews_series(stored, message);
    if given.is_empty() || has_new_series {
        return Cow::Borrowed(message);
    }
    let mut message = message.clone();
    let mut search = Search::of(stored);
    let given: HashMap<&str, &Given> = given.iter().map(|it| (&*it.is, it)).collect();
    for component in message.components_mut() {
        let Some(id) = component.get_mut("RECURRENCE-ID") else {
            continue;
        };
        let given = id.param("TZID").and_then(|zone| given.get(zone));
        let Some(there) = given.map(|it| id.clone().with("TZID", &*it.id)) else {
            continue;
        };
        if stored.instances.contains_key(&stored.key(&there)) || search.has(&there) {
            id.set_param("TZID", there.param("TZID").unwrap_or_default());
        }
    }
    Cow::Owned(message)
}

/// Takes over the zones that an object uses and does not describe yet. One that got another name gets its own back
/// where nothing else has it any more.
pub(super) fn adopt(calendar: &mut Calendar, zones: &Zones) {
    let names: Vec<String> = used(&calendar.root().components)
        .into_keys()
        .map(str::to_owned)
        .collect();
    let there = Descriptions::of(calendar.zones().map(|it| (name_of(it), ())));
    let mut new: Vec<&Component> = Vec::new();
    let mut seen = HashSet::new();
    for description in names.iter().filter_map(|id| zones.description(id)) {
        let is_there = there.get(&name_of(description)).is_some();
        if !is_there && seen.insert(std::ptr::from_ref(description)) {
            new.push(description);
        }
    }
    let new: Vec<Component> = new.into_iter().cloned().collect();
    let root = calendar.root_mut();
    let last = root.components.iter().rposition(|it| it.is("VTIMEZONE"));
    let place = last.map_or(0, |last| last + 1);
    root.components.splice(place..place, new);
    let keys: HashSet<String> = names.iter().map(|id| key(id)).collect();
    let back = zones
        .given()
        .iter()
        .filter(|given| keys.contains(&key(&given.is)) && !keys.contains(&key(&given.was)));
    let back: Vec<&Given> = back.collect();
    if !back.is_empty() {
        give_back(root, &back);
    }
}

/// All of them at once, as a message may bring thousands.
fn give_back(root: &mut Component, back: &[&Given]) {
    let was: HashSet<String> = back.iter().map(|it| key(&it.was)).collect();
    let is: HashMap<String, &str> = back.iter().map(|it| (key(&it.is), &*it.was)).collect();
    root.components
        .retain(|it| !it.is("VTIMEZONE") || !was.contains(&key(&name_of(it))));
    let zones = root.components.iter_mut();
    for zone in zones.filter(|it| it.is("VTIMEZONE")) {
        if let Some(was) = is.get(&key(&name_of(zone))) {
            *zone = named(zone, was);
        }
    }
    let names = back.iter().map(|it| (it.is.clone(), it.id.clone()));
    rename(root, &names.collect());
}

/// Drops the zones that lost their last user.
pub(super) fn drop_unused(after: &mut Calendar, before: &Calendar) {
    if before.zones().next().is_none() {
        return;
    }
    let needed = |calendar: &Calendar| -> HashSet<String> {
        let zones = Zones::of(calendar, TimeZone::UTC);
        let used = used(&calendar.root().components);
        let needed = used.keys().filter_map(|id| zones.description(id));
        needed.map(|zone| key(&name_of(zone))).collect()
    };
    let mut lost = needed(before);
    let still = needed(after);
    lost.retain(|key| !still.contains(key));
    if !lost.is_empty() {
        let root = after.root_mut();
        root.components
            .retain(|it| !it.is("VTIMEZONE") || !lost.contains(&key(&name_of(it))));
    }
}
