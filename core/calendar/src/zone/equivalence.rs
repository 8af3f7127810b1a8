//! Whether two time zones are equivalent.

use super::span::Span;
use crate::tree::Component;
use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneTransition},
};

/// More changes than this are compared to no end.
const MOST_CHANGES: usize = 10_000;

/// Whether times of a span are the same in both zones.
pub(super) fn in_span(one: &TimeZone, other: &TimeZone, span: Option<Span>) -> bool {
    let Some(span) = span else {
        return one == other;
    };
    if one == other {
        return true;
    }
    let (begin, end) = (span.begin(), span.end());
    if one.to_offset(begin) != other.to_offset(begin) {
        return false;
    }
    let (mut one, mut other) = (changes(one, begin, end), changes(other, begin, end));
    for _ in 0..MOST_CHANGES {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (one, other) if one == other => {}
            _ => return false,
        }
    }
    false
}

/// The changes after a time. jiff gives the last one again and again where a zone has no rule for what comes after it.
pub(super) fn following(
    zone: &TimeZone,
    mut last: Timestamp,
) -> impl Iterator<Item = TimeZoneTransition<'_>> {
    zone.following(last).take_while(move |change| {
        let is_later = change.timestamp() > last;
        last = change.timestamp();
        is_later
    })
}

/// When the offset changes, and to what.
fn changes(zone: &TimeZone, begin: Timestamp, end: Timestamp) -> impl Iterator<Item = (i64, i32)> {
    let mut offset = zone.to_offset(begin).seconds();
    following(zone, begin)
        .map(|change| (change.timestamp().as_second(), change.offset().seconds()))
        .take_while(move |(at, _)| *at <= end.as_second())
        .filter(move |(_, to)| std::mem::replace(&mut offset, *to) != *to)
}

/// Whether two VTIMEZONEs describe the same rules in the same words, whatever they call them.
pub(super) fn same_rules(one: &Component, other: &Component) -> bool {
    rules(one) == rules(other)
}

fn rules(component: &Component) -> Vec<(String, Vec<String>)> {
    const TOLD: [&str; 5] = ["DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE"];
    let lines = |observance: &Component| {
        let mut lines: Vec<String> = TOLD
            .iter()
            .flat_map(|name| observance.all(name))
            .map(|line| format!("{}:{}", line.name, line.value.trim()).to_ascii_uppercase())
            .collect();
        lines.sort_unstable();
        lines
    };
    let mut rules: Vec<_> = component
        .components
        .iter()
        .map(|it| (it.name.to_ascii_uppercase(), lines(it)))
        .collect();
    rules.sort_unstable();
    rules
}
