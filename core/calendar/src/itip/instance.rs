//! One instance of a series: its RECURRENCE-ID, and the component that the series implies for it.

use crate::instance::{is_time, is_utc, zone};
use crate::stamp::basic_date_time;
use crate::time::instant;
use crate::tree::{Component, Property};
use crate::zone::Zones;
use jiff::{Timestamp, civil};

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
pub(super) fn derive(master: &Component, id: &Property, zones: &Zones) -> Component {
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
    let id = in_form_of(id, master.get("DTSTART"), zones);
    if let Some(start) = master.get("DTSTART") {
        move_ends(&mut instance, start, &id, zones);
        let mut start = id.clone();
        "DTSTART".clone_into(&mut start.name);
        instance.set(start);
    }
    instance.push(id);
    instance
}

/// The instance `id` as an override of this and all future ones implies it: moved as far as that one was
/// (RFC 5545 §3.2.13).
pub(super) fn derive_after(
    future: &Component,
    start: Option<&Property>,
    id: &Property,
    zones: &Zones,
) -> Option<Component> {
    let (first, named) = (future.get("DTSTART")?, future.get("RECURRENCE-ID")?);
    let wall = |date: &Property| basic_date_time(&in_form_of(date, Some(first), zones).value);
    let moved = basic_date_time(&first.value)?.duration_since(wall(named)?);
    let mut begin = first.clone();
    begin.value = written(wall(id)?.checked_add(moved).ok()?, first);
    let mut instance = future.clone();
    move_ends(&mut instance, first, &begin, zones);
    instance.set(begin);
    instance.set(in_form_of(id, start, zones));
    Some(instance)
}

/// RECURRENCE-ID as RFC 5545 §3.8.4.4 has it: of the type of DTSTART, and in its zone.
///
/// Some programs name an instance of a timed series by its day alone, or one of a series of whole days by a time.
pub(super) fn in_form_of(id: &Property, start: Option<&Property>, zones: &Zones) -> Property {
    let mut id = id.clone();
    "RECURRENCE-ID".clone_into(&mut id.name);
    id.remove_param("RANGE");
    let Some((start, first)) = start.and_then(|it| Some((it, basic_date_time(&it.value)?))) else {
        return id;
    };
    let Some(wall) = basic_date_time(&id.value) else {
        return id;
    };
    let wall = match (is_time(&id), is_time(start)) {
        (false, true) => wall.date().to_datetime(first.time()),
        (true, false) => wall.date().to_datetime(civil::Time::midnight()),
        (false, false) => return id,
        (true, true) => match (zone(&id, zones), zone(start, zones)) {
            (Some(here), Some(there)) if !is_on_one_wall(&id, start) => {
                instant(wall, &here).to_zoned_datetime(there).datetime()
            }
            _ => return id,
        },
    };
    let mut moved = Property::new("RECURRENCE-ID", written(wall, start));
    moved.params.clone_from(&start.params);
    moved
}

/// The RECURRENCE-ID of the instance that would begin at `at`, in the form of the DTSTART of its series.
pub(super) fn named_at(at: Timestamp, start: &Property, zones: &Zones) -> Property {
    let there = zone(start, zones).filter(|_| is_time(start));
    let wall = at.to_zoned_datetime(there.unwrap_or_else(|| zones.own()));
    let mut id = Property::new("RECURRENCE-ID", written(wall.datetime(), start));
    id.params.clone_from(&start.params);
    id
}

/// Whether two times are read off the same clock.
fn is_on_one_wall(one: &Property, other: &Property) -> bool {
    is_utc(one) == is_utc(other) && (is_utc(one) || one.param("TZID") == other.param("TZID"))
}

/// Moves DTEND and DUE as far as the instance lies from the start of the series: by the clock on the wall, or where
/// they are on another clock than the start, by exact time.
pub(super) fn move_ends(instance: &mut Component, start: &Property, id: &Property, zones: &Zones) {
    for name in ["DTEND", "DUE"] {
        let Some(end) = instance.get_mut(name) else {
            continue;
        };
        let moved = if is_on_one_wall(start, end) {
            on_the_wall(start, id, end)
        } else {
            by_exact_time(start, id, end, zones)
        };
        if let Some(moved) = moved {
            end.value = written(moved, end);
        }
    }
}

fn on_the_wall(start: &Property, id: &Property, end: &Property) -> Option<civil::DateTime> {
    let [from, to, end] = [start, id, end].map(|date| basic_date_time(&date.value));
    end?.checked_add(to?.duration_since(from?)).ok()
}

fn by_exact_time(
    start: &Property,
    id: &Property,
    end: &Property,
    zones: &Zones,
) -> Option<civil::DateTime> {
    let at = |date: &Property| Some(instant(basic_date_time(&date.value)?, &zone(date, zones)?));
    let length = at(end)?.duration_since(at(start)?);
    let moved = at(id)?.checked_add(length).ok()?;
    Some(moved.to_zoned_datetime(zone(end, zones)?).datetime())
}

/// A wall-clock time in the form that a property is written in.
fn written(wall: civil::DateTime, like: &Property) -> String {
    if !is_time(like) {
        wall.strftime("%Y%m%d").to_string()
    } else if is_utc(like) {
        wall.strftime("%Y%m%dT%H%M%SZ").to_string()
    } else {
        wall.strftime("%Y%m%dT%H%M%S").to_string()
    }
}

/// One of the dates of a property, with no other parameter than its zone: there may be many dates in a line, and many
/// parameters on it.
pub(super) fn bare_date(line: &Property, date: &str) -> Property {
    let bare = Property::new(&line.name, date);
    match line.param("TZID") {
        Some(zone) => bare.with("TZID", zone),
        None => bare,
    }
}
