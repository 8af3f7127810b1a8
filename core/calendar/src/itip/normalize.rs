//! Normalising a component of a stored object for a message: what was read leniently is written as the standard has it, so
//! that a stricter receiver reads the same.
//!
//! | in the object | in the message |
//! | --- | --- |
//! | an empty date, duration or rule, an empty part of a rule, an EXDATE that is no date | left out |
//! | a property twice that may stand once | its first line; for what names the object or says when it begins, none: see below |
//! | DTEND or DUE with DURATION | without DURATION |
//! | COUNT with UNTIL | the one that ends it |
//! | UNTIL, EXDATE, RDATE, RECURRENCE-ID of another type than DTSTART | of that type |
//! | a date without `VALUE=DATE` | with it |
//! | TZID on a UTC time or a whole day | without TZID |
//! | CREATED, LAST-MODIFIED, COMPLETED of another type or in a zone; GEO with a comma | of their type |
//! | PRIORITY, STATUS, TRANSP, GEO, URL, PERCENT-COMPLETE that nobody can read, REFRESH-INTERVAL | left out |
//! | CLASS that is no word | PRIVATE, as it is read |
//! | a SEQUENCE beyond its bounds; one that is no number | the greatest there is; left out |
//!
//! What is left, above all two different UID, DTSTART, ORGANIZER or RRULE, is no message: [`Message::read`], which sees
//! everything that we make, says so and names the line.
//!
//! [`Message::read`]: crate::message::Message::read

use super::instance::in_form_of;
use super::revision::{basic, mend_sequence};
use super::value_types::{mend_clocks, mend_types};
use crate::instance::is_time;
use crate::message::{Kind, Method, single};
use crate::recurrence::Series;
use crate::time::{Clock, When, instant, values};
use crate::tree::{Component, Property};
use crate::zone::Zones;
use crate::{rule::Rule, work::Work};
use convoke_types::TimeRange;
use jiff::tz::TimeZone;
use std::collections::HashSet;

/// How many steps it may take to find out how a rule ends.
const STEPS: usize = 100_000;

/// Writes the components of an object as RFC 5545 has them.
pub(super) fn mend<'c>(
    components: impl Iterator<Item = &'c mut Component>,
    method: Method,
    zones: &Zones,
) {
    let mut components: Vec<&mut Component> = components.collect();
    let is_whole = |it: &&&mut Component| it.get("RECURRENCE-ID").is_none();
    let whole = components.iter().find(is_whole);
    let series = whole.and_then(|it| it.get("DTSTART")).cloned();
    for component in &mut components {
        component_of(component, series.as_ref(), method, zones);
    }
}

fn component_of(
    component: &mut Component,
    series: Option<&Property>,
    method: Method,
    zones: &Zones,
) {
    const TIMES: [&str; 7] = [
        "DTEND", "DUE", "DURATION", "RRULE", "EXRULE", "RDATE", "EXDATE",
    ];
    component
        .properties
        .retain(|line| !line.value.trim().is_empty() || !TIMES.iter().any(|name| line.is(name)));
    once(component, method);
    mend_types(component, zones);
    mend_clocks(component, &DATES);
    excluded(component);
    mend_sequence(component);
    if component.get("DTEND").is_some() || component.get("DUE").is_some() {
        component.remove("DURATION");
    }
    let start = component.get("DTSTART").cloned();
    if let Some(start) = &start {
        alike(component, &["RDATE", "EXDATE"], start, zones);
        rules(component, start, zones);
    }
    if let Some(series) = series {
        alike(component, &["RECURRENCE-ID"], series, zones);
    }
    for line in &mut component.properties {
        if DATES.iter().any(|name| line.is(name)) {
            state_date(line);
        }
    }
}

const DATES: [&str; 6] = [
    "DTSTART",
    "DTEND",
    "DUE",
    "RECURRENCE-ID",
    "RDATE",
    "EXDATE",
];

/// Of a property that may stand once the first line, which is the one that we read.
fn once(component: &mut Component, method: Method) {
    // To take one of two of these would be to guess which meeting is meant.
    const ESSENTIAL: [&str; 5] = ["UID", "RECURRENCE-ID", "DTSTART", "ORGANIZER", "RRULE"];
    let mut seen = HashSet::new();
    let lines = component.properties.iter();
    let mut lines = lines.filter(|line| !line.is("ATTENDEE"));
    let is_fine = lines.all(|line| seen.insert(line.name.to_ascii_uppercase()));
    let Some(kind) = Kind::parse(&component.name).filter(|_| !is_fine) else {
        return;
    };
    for name in single(method, kind) {
        let Some(first) = component.get(name).cloned() else {
            continue;
        };
        let is_essential = ESSENTIAL.contains(&name);
        let mut seen = false;
        component.properties.retain(|line| {
            if !line.is(name) {
                return true;
            }
            let says_the_same = line.value == first.value && line.params == first.params;
            !std::mem::replace(&mut seen, true) || (is_essential && !says_the_same)
        });
    }
}

/// An EXDATE that cannot be read excludes nothing.
fn excluded(component: &mut Component) {
    for line in &mut component.properties {
        if line.is("EXDATE") {
            let readable = values(line).filter(|value| When::read(line, value).is_ok());
            line.value = readable.collect::<Vec<_>>().join(",");
        }
    }
    let properties = &mut component.properties;
    properties.retain(|line| !line.is("EXDATE") || !line.value.is_empty());
}

/// Names of instances of the type of the DTSTART of their series (RFC 5545 §3.8.4.4, §3.8.5.1, §3.8.5.2).
fn alike(component: &mut Component, names: &[&str], start: &Property, zones: &Zones) {
    let mut properties = Vec::with_capacity(component.properties.len());
    for line in std::mem::take(&mut component.properties) {
        let names_instances = names.iter().any(|name| line.is(name));
        let is_other = |value: &str| {
            let value = Property::new("", value);
            is_time(&value) != is_time(start) && !value.value.contains('/')
        };
        if !names_instances || !values(&line).any(is_other) {
            properties.push(line);
            continue;
        }
        for value in values(&line) {
            let mut one = line.clone();
            value.clone_into(&mut one.value);
            if is_other(value) {
                let moved = in_form_of(&one, Some(start), zones);
                let range = one.param("RANGE").map(str::to_owned);
                moved.value.clone_into(&mut one.value);
                one.params.clone_from(&moved.params);
                if let Some(range) = range {
                    one.set_param("RANGE", range);
                }
            }
            properties.push(one);
        }
    }
    component.properties = properties;
}

/// RFC 5545 §3.3.4: the default of all of these is a time.
fn state_date(line: &mut Property) {
    let is_date = |value: &str| value.len() == 8 && value.bytes().all(|it| it.is_ascii_digit());
    if line.param("VALUE").is_none() && values(line).all(is_date) {
        line.remove_param("TZID");
        line.set_param("VALUE", "DATE");
    }
}

fn rules(component: &mut Component, start: &Property, zones: &Zones) {
    let alone = component.all("RRULE").count() == 1;
    for line in &mut component.properties {
        if !line.is("RRULE") {
            continue;
        }
        let parts = line.value.split(';').map(str::trim);
        let parts = parts.filter(|part| !part.is_empty() && !part.ends_with('='));
        line.value = parts.collect::<Vec<_>>().join(";");
        let Ok(rule) = Rule::parse(&line.value) else {
            continue;
        };
        if rule.check().is_err()
            && alone
            && let Some(idle) = idle_end(&line.value, start, zones)
        {
            line.value = without(&line.value, idle);
        }
        if let Some(until) = until(&line.value, start, zones) {
            line.value = format!("{};UNTIL={until}", without(&line.value, "UNTIL"));
        }
    }
}

fn without(rule: &str, name: &str) -> String {
    let parts = rule.split(';').filter(|part| {
        let named = part.split('=').next().unwrap_or_default();
        !named.trim().eq_ignore_ascii_case(name)
    });
    parts.collect::<Vec<_>>().join(";")
}

/// RFC 5545 §3.3.10: COUNT and UNTIL exclude each other. Both are read as "whichever comes first": this is the other.
fn idle_end(rule: &str, start: &Property, zones: &Zones) -> Option<&'static str> {
    let both = instances(rule, start, zones)?;
    let counted = instances(&without(rule, "UNTIL"), start, zones);
    Some(if counted == Some(both) {
        "UNTIL"
    } else {
        "COUNT"
    })
}

fn instances(rule: &str, start: &Property, zones: &Zones) -> Option<usize> {
    let mut probe = Component::new("VEVENT");
    probe.push(start.clone());
    if is_time(start) {
        probe.push(Property::new("DURATION", "PT1S"));
    }
    probe.push(Property::new("RRULE", rule));
    let series = Series::all(std::iter::once(&probe), zones).ok()?.pop()?;
    let mut found = 0;
    let walked = series.walk(TimeRange::ALL, &mut Work::of(STEPS), &mut |_| found += 1);
    walked.ok().map(|()| found)
}

/// UNTIL of the type of DTSTART, in UTC if that has a zone (RFC 5545 §3.3.10), if it is of another one; as it is read.
fn until(rule: &str, start: &Property, zones: &Zones) -> Option<String> {
    let until = Rule::parse(rule).ok()?.until()?.clone();
    let start = When::of(start).ok()?;
    if start.is_date() {
        return (!until.is_date()).then(|| until.wall.strftime("%Y%m%d").to_string());
    }
    let wall = if until.is_date() {
        until.wall.date().at(23, 59, 59, 0)
    } else {
        until.wall
    };
    match (&start.clock, &until.clock) {
        (Clock::Floating, Clock::Floating) => None,
        (Clock::Floating, _) => Some(wall.strftime("%Y%m%dT%H%M%S").to_string()),
        (_, Clock::Utc) => None,
        _ => {
            let zone: TimeZone = start.zone(zones).ok()?;
            Some(basic(instant(wall, &zone)))
        }
    }
}
