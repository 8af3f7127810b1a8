//! One instance of a series: its name, and its component as the series implies it.

use crate::message::basic_date_time;
use crate::tree::{Component, Property};
use jiff::{Timestamp, civil, tz::TimeZone};

/// Names one instance of an object: its RECURRENCE-ID by meaning, so that the same instant in UTC and in a zone is
/// one instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum InstanceKey {
    Date(civil::Date),
    Instant(Timestamp),
    /// In a zone that is not known by its name, or floating.
    Wall(civil::DateTime, String),
    /// Not a date at all; stored objects may hold anything.
    Odd(String),
}

impl InstanceKey {
    /// The instance that a component overrides; `None` for the whole.
    pub(crate) fn of(component: &Component) -> Option<Self> {
        component.get("RECURRENCE-ID").map(Self::of_property)
    }

    /// The instance that a date property names.
    pub(super) fn of_property(property: &Property) -> Self {
        let Some(wall) = basic_date_time(&property.value) else {
            return Self::Odd(property.value.clone());
        };
        if !property.value.contains(['T', 't']) {
            return Self::Date(wall.date());
        }
        match zone(property).and_then(|zone| zone.to_zoned(wall).ok()) {
            Some(instant) => Self::Instant(instant.timestamp()),
            None => Self::Wall(wall, property.param("TZID").unwrap_or_default().to_owned()),
        }
    }
}

/// How much of the series a RECURRENCE-ID covers (RFC 5545 §3.2.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    This,
    ThisAndFuture,
}

impl Range {
    pub(super) fn of(component: &Component) -> Self {
        let range = component
            .get("RECURRENCE-ID")
            .and_then(|id| id.param("RANGE"));
        match range {
            Some(range) if range.eq_ignore_ascii_case("THISANDFUTURE") => Self::ThisAndFuture,
            _ => Self::This,
        }
    }
}

/// Whether the component stands for a series.
pub(super) fn recurs(master: &Component) -> bool {
    master.get("RRULE").is_some() || master.get("RDATE").is_some()
}

/// The instance `id` as its series implies it: an override that changes nothing yet.
pub(super) fn derive(master: &Component, id: &Property) -> Component {
    const OF_THE_SERIES: [&str; 4] = ["RRULE", "RDATE", "EXDATE", "EXRULE"];
    // How far a to-do is done is told for each instance.
    const PROGRESS: [&str; 3] = ["STATUS", "PERCENT-COMPLETE", "COMPLETED"];
    let mut instance = master.clone();
    for name in OF_THE_SERIES {
        instance.remove(name);
    }
    if master.is("VTODO") {
        for name in PROGRESS {
            instance.remove(name);
        }
    }
    let id = in_form_of(id, master.get("DTSTART"));
    if let Some(start) = master.get("DTSTART") {
        move_ends(&mut instance, start, &id);
        let mut start = id.clone();
        "DTSTART".clone_into(&mut start.name);
        instance.set(start);
    }
    instance.push(id);
    instance
}

/// RECURRENCE-ID in the zone of DTSTART, as RFC 5545 §3.8.4.4 has it.
pub(super) fn in_form_of(id: &Property, start: Option<&Property>) -> Property {
    let mut id = id.clone();
    "RECURRENCE-ID".clone_into(&mut id.name);
    id.remove_param("RANGE");
    let (Some(start), InstanceKey::Instant(instant)) = (start, InstanceKey::of_property(&id))
    else {
        return id;
    };
    let Some(zone) = zone(start).filter(|_| start.param("TZID") != id.param("TZID")) else {
        return id;
    };
    let wall = instant.to_zoned(zone).datetime();
    let mut moved = Property::new("RECURRENCE-ID", written(wall, start));
    moved.params.clone_from(&start.params);
    moved
}

/// Moves DTEND and DUE as far as the instance lies from the start of the series, by the clock on the wall.
fn move_ends(instance: &mut Component, start: &Property, id: &Property) {
    let (Some(from), Some(to)) = (basic_date_time(&start.value), basic_date_time(&id.value)) else {
        return;
    };
    for name in ["DTEND", "DUE"] {
        let Some(end) = instance.get_mut(name) else {
            continue;
        };
        let moved = basic_date_time(&end.value)
            .and_then(|wall| wall.checked_add(to.duration_since(from)).ok());
        if let Some(moved) = moved {
            end.value = written(moved, end);
        }
    }
}

/// A wall-clock time in the form that a property is written in.
fn written(wall: civil::DateTime, like: &Property) -> String {
    if !like.value.contains(['T', 't']) {
        wall.strftime("%Y%m%d").to_string()
    } else if like.value.ends_with(['Z', 'z']) {
        wall.strftime("%Y%m%dT%H%M%SZ").to_string()
    } else {
        wall.strftime("%Y%m%dT%H%M%S").to_string()
    }
}

fn zone(property: &Property) -> Option<TimeZone> {
    match property.param("TZID") {
        _ if property.value.ends_with(['Z', 'z']) => Some(TimeZone::UTC),
        Some(name) => TimeZone::get(name).ok(),
        None => None,
    }
}
