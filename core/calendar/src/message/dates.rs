//! Whether the times and rules of a message can be followed (spec §5: 3.5 and 3.6 otherwise).
//!
//! Taken although RFC 5545 is stricter, as much of what is deployed writes it and what is meant is clear: a date
//! without `VALUE=DATE`, an end that equals its start, UNTIL of another type than DTSTART, an instance of a timed
//! series that is named by its day.

use super::{Kind, error::Problem, excerpt};
use crate::rule::Rule;
use crate::time::{Length, Period, When, values};
use crate::tree::{Component, Property};
use crate::zone::Zones;

const DATE_OR_TIME: &str = "a date such as 20270104 or a time such as 20270104T100000Z";
const DATE: &str = "a date such as 20270104, as VALUE=DATE says";
const TIME: &str = "a time such as 20270104T100000Z, as VALUE says";
const PERIOD: &str = "a period such as 20270104T100000Z/PT1H, as VALUE=PERIOD says";

/// Holds the times and rules of one component against RFC 5545 §3.6.1, §3.6.2 and §3.8.
pub(super) fn check(component: &Component, kind: Kind, zones: &Zones) -> Result<(), Problem> {
    for name in ["DTSTART", "DTEND", "DUE", "RECURRENCE-ID"] {
        for property in component.all(name) {
            check_zone(property, kind, name)?;
            date(property, &property.value, kind, name)?;
        }
    }
    for name in ["RDATE", "EXDATE"] {
        for property in component.all(name) {
            check_zone(property, kind, name)?;
            for value in values(property) {
                listed(property, value, kind, name)?;
            }
        }
    }
    for property in component.all("RRULE") {
        Rule::of_message(&property.value).map_err(|error| Problem::Rule(kind, error))?;
    }
    check_start(component, kind)?;
    check_length(component, kind)?;
    check_end(component, kind, zones)
}

/// The longest TZID that is read: it is looked up for each date of its line.
const MAX_ZONE_NAME: usize = 1 << 10;

/// A date or time, of the type that VALUE says if it says one.
fn date(property: &Property, value: &str, kind: Kind, name: &'static str) -> Result<When, Problem> {
    let wrong = |expected| wrong(kind, name, value, expected);
    let when = When::read(property, value).map_err(|_| wrong(DATE_OR_TIME))?;
    match property.param("VALUE") {
        None => Ok(when),
        Some(says) if says.eq_ignore_ascii_case("DATE") && when.is_date() => Ok(when),
        Some(says) if says.eq_ignore_ascii_case("DATE-TIME") && !when.is_date() => Ok(when),
        Some(says) if says.eq_ignore_ascii_case("DATE") => Err(wrong(DATE)),
        Some(says) if says.eq_ignore_ascii_case("DATE-TIME") => Err(wrong(TIME)),
        Some(_) => Err(wrong(DATE_OR_TIME)),
    }
}

fn check_zone(property: &Property, kind: Kind, name: &'static str) -> Result<(), Problem> {
    match property.param("TZID") {
        Some(zone) if zone.len() > MAX_ZONE_NAME => Err(wrong(
            kind,
            name,
            zone,
            "in a zone whose TZID has 1024 bytes at most",
        )),
        _ => Ok(()),
    }
}

/// One of the values of RDATE or EXDATE (RFC 5545 §3.8.5.1, §3.8.5.2).
fn listed(property: &Property, value: &str, kind: Kind, name: &'static str) -> Result<(), Problem> {
    let says_period = property
        .param("VALUE")
        .is_some_and(|says| says.eq_ignore_ascii_case("PERIOD"));
    if name == "RDATE" && (says_period || value.contains('/')) {
        let read = Period::read(property, value);
        return read
            .map(|_| ())
            .map_err(|_| wrong(kind, name, value, PERIOD));
    }
    date(property, value, kind, name).map(|_| ())
}

/// RFC 5545 §3.8.2.4: what recurs has a start; §3.6.2: and so has a to-do with a length.
fn check_start(component: &Component, kind: Kind) -> Result<(), Problem> {
    let has = |name| component.get(name).is_some();
    let needs = ["RRULE", "DURATION"].into_iter().find(|name| has(name));
    match needs {
        // Where a CANCEL or REPLY tells of a rule only, the stored object has the start; a to-do may begin with DUE.
        Some(needs) if kind == Kind::Todo && !has("DTSTART") && !has("DUE") => {
            Err(Problem::Needs(kind, needs, "DTSTART"))
        }
        _ => Ok(()),
    }
}

/// RFC 5545 §3.8.2.5: nothing lasts less than no time.
fn check_length(component: &Component, kind: Kind) -> Result<(), Problem> {
    let Some(property) = component.get("DURATION") else {
        return Ok(());
    };
    let expected = "a duration such as PT1H30M, P2D or P1W";
    let length = Length::of(property)
        .ok()
        .filter(|length| length.days >= 0 && !length.exact.is_negative());
    length
        .map(|_| ())
        .ok_or_else(|| wrong(kind, "DURATION", &property.value, expected))
}

/// RFC 5545 §3.8.2.2, §3.8.2.3: the end is of the type of the start, and not before it.
fn check_end(component: &Component, kind: Kind, zones: &Zones) -> Result<(), Problem> {
    let Some(start) = component.get("DTSTART") else {
        return Ok(());
    };
    let start = date(start, &start.value, kind, "DTSTART")?;
    for name in ["DTEND", "DUE"] {
        let Some(property) = component.get(name) else {
            continue;
        };
        let end = date(property, &property.value, kind, name)?;
        let wrong = |expected| wrong(kind, name, &property.value, expected);
        if start.is_date() && !end.is_date() {
            return Err(wrong("a date, as DTSTART is one"));
        }
        if !start.is_date() && end.is_date() {
            return Err(wrong("a time, as DTSTART is one"));
        }
        if is_before(&end, &start, zones) {
            return Err(wrong("nothing before DTSTART"));
        }
    }
    Ok(())
}

/// Whether one is before the other. Clocks that nobody can compare (one floats, or is in a zone that is not known)
/// tell nothing.
fn is_before(one: &When, other: &When, zones: &Zones) -> bool {
    if one.clock == other.clock {
        return one.wall < other.wall;
    }
    let [one, other] = [one, other].map(|it| it.known_instant(zones));
    matches!((one, other), (Some(one), Some(other)) if one < other)
}

fn wrong(component: Kind, property: &'static str, value: &str, expected: &'static str) -> Problem {
    Problem::Date {
        component,
        property,
        value: excerpt(value),
        expected,
    }
}
