//! When a component is, by meaning: whether a later version of it is at other times.
//!
//! The same instant in another zone, DTEND in the place of DURATION, or the parts of a rule in another order do not
//! move anything, so they ask nobody to answer anew (RFC 5546 §2.1.4: compare what changed, not how it is written).

use super::instance::{bare_date, recurs};
use crate::instance::{InstanceKey, is_time, zone};
use crate::rule::Rule;
use crate::time::{Length, When, instant, values};
use crate::tree::{Component, Property};
use crate::zone::Zones;
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use std::collections::BTreeSet;

/// The times that a component states.
///
/// EXDATE is not among them: to drop one instance leaves the answers for the others as they are.
#[derive(Debug, PartialEq)]
pub(super) struct Schedule {
    start: Option<InstanceKey>,
    end: Option<InstanceKey>,
    /// The clock on which a series goes on.
    clock: Option<Vec<i32>>,
    rules: BTreeSet<String>,
    added: BTreeSet<InstanceKey>,
}

impl Schedule {
    pub(super) fn of(component: &Component, zones: &Zones) -> Self {
        let start = component.get("DTSTART");
        let rules = component.all("RRULE").map(|line| meaning(&line.value));
        let added = component
            .all("RDATE")
            .flat_map(|line| dates(line, zones).collect::<Vec<_>>());
        Self {
            start: start.map(|line| InstanceKey::of_property(line, zones)),
            end: end(component, zones),
            clock: start
                .filter(|_| recurs(component))
                .and_then(|line| clock(line, zones)),
            rules: rules.collect(),
            added: added.collect(),
        }
    }

    /// Whether it stands for a series.
    pub(super) fn recurs(&self) -> bool {
        !(self.rules.is_empty() && self.added.is_empty())
    }

    /// Whether a start or an end is not stated any more.
    pub(super) const fn is_lost_in(&self, later: &Self) -> bool {
        (self.start.is_some() && later.start.is_none())
            || (self.end.is_some() && later.end.is_none())
    }

    /// Whether something that both versions state is at another time; what only one of them states did not move.
    pub(super) fn is_moved_in(&self, later: &Self) -> bool {
        fn differ<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
            matches!((one, other), (Some(one), Some(other)) if one != other)
        }
        fn some<T>(set: &BTreeSet<T>) -> Option<&BTreeSet<T>> {
            (!set.is_empty()).then_some(set)
        }
        differ(self.start.as_ref(), later.start.as_ref())
            || differ(self.end.as_ref(), later.end.as_ref())
            || differ(some(&self.rules), some(&later.rules))
            || differ(some(&self.added), some(&later.added))
    }
}

/// The instances that EXDATE leaves out.
pub(super) fn left_out(component: &Component, zones: &Zones) -> BTreeSet<InstanceKey> {
    let lines = component.all("EXDATE");
    lines
        .flat_map(|line| dates(line, zones).collect::<Vec<_>>())
        .collect()
}

fn dates<'p>(line: &'p Property, zones: &'p Zones) -> impl Iterator<Item = InstanceKey> {
    values(line).map(|value| {
        let start = value.split('/').next().unwrap_or_default();
        InstanceKey::of_property(&bare_date(line, start), zones)
    })
}

/// A rule without the accidents of how it is written.
fn meaning(rule: &str) -> String {
    Rule::parse(rule).map_or_else(|_| rule.to_owned(), |rule| format!("{rule:?}"))
}

/// DTEND or DUE, or what DURATION or the lack of all three means (RFC 5545 §3.6.1).
fn end(component: &Component, zones: &Zones) -> Option<InstanceKey> {
    if let Some(line) = component.get("DTEND").or_else(|| component.get("DUE")) {
        return Some(InstanceKey::of_property(line, zones));
    }
    let start = component.get("DTSTART")?;
    let wall = When::of(start).ok()?.wall;
    let length = match component.get("DURATION").map(Length::of) {
        Some(length) => length.ok()?,
        None if component.is("VTODO") => return None,
        None => Length {
            days: i32::from(!is_time(start)),
            exact: SignedDuration::ZERO,
        },
    };
    let days = jiff::Span::new().days(length.days);
    Some(match InstanceKey::of_property(start, zones) {
        InstanceKey::Date(date) => {
            let whole = civil::DateTime::from(date).saturating_add(days);
            InstanceKey::Date(whole.saturating_add(length.exact).date())
        }
        InstanceKey::Instant(_) => InstanceKey::Instant(length.end(wall, &zone(start, zones)?)),
        InstanceKey::Wall(wall, id) => {
            let end = wall.saturating_add(days).saturating_add(length.exact);
            InstanceKey::Wall(end, id)
        }
        odd @ InstanceKey::Odd(_) => odd,
    })
}

/// The offsets of a zone through the year that a series begins: two zones that agree there go the same way.
fn clock(start: &Property, zones: &Zones) -> Option<Vec<i32>> {
    let zone: TimeZone = zone(start, zones)?;
    let begin: Timestamp = instant(When::of(start).ok()?.wall, &zone);
    let months = (0..=12).filter_map(|month| {
        begin
            .checked_add(SignedDuration::from_hours(30 * 24 * month))
            .ok()
    });
    Some(months.map(|at| zone.to_offset(at).seconds()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Calendar, Limits};

    fn schedule(lines: &str) -> Schedule {
        let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n");
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        let event = calendar.main_components().next().unwrap();
        Schedule::of(event, &Zones::of(&calendar, TimeZone::UTC))
    }

    #[test]
    fn the_same_time_may_be_written_in_many_ways() {
        let berlin = "DTSTART;TZID=Europe/Berlin:20270104T100000";
        for (one, other, same) in [
            (berlin, "DTSTART:20270104T090000Z", true),
            (berlin, "DTSTART:20270104T100000Z", false),
            (
                "DTSTART:20270104T100000Z\nDTEND:20270104T110000Z",
                "DTSTART:20270104T100000Z\nDURATION:PT60M",
                true,
            ),
            (
                "DTSTART;VALUE=DATE:20270104",
                "DTSTART;VALUE=DATE:20270104\nDTEND;VALUE=DATE:20270105",
                true,
            ),
            (
                "DTSTART:20270104T100000",
                "DTSTART;TZID=Nowhere:20270104T100000",
                false,
            ),
            (
                "DTSTART:20270104T100000Z\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU",
                "DTSTART:20270104T100000Z\nRRULE:INTERVAL=1;BYDAY=MO,TU;FREQ=WEEKLY",
                true,
            ),
            (
                "DTSTART;TZID=Europe/Berlin:20270104T100000\nRRULE:FREQ=DAILY",
                "DTSTART;TZID=Europe/Paris:20270104T100000\nRRULE:FREQ=DAILY",
                true,
            ),
            (
                "DTSTART;TZID=Europe/Berlin:20270104T100000\nRRULE:FREQ=DAILY",
                "DTSTART;TZID=Africa/Lagos:20270104T100000\nRRULE:FREQ=DAILY",
                false,
            ),
            (
                "DTSTART:20270104T100000Z\nRDATE:20270105T100000Z,20270106T100000Z",
                "DTSTART:20270104T100000Z\nRDATE:20270106T100000Z\nRDATE:20270105T100000Z",
                true,
            ),
        ] {
            assert_eq!(schedule(one) == schedule(other), same, "{one} and {other}");
        }
    }
}
