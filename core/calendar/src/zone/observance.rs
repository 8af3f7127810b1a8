//! A VTIMEZONE (RFC 5545 §3.6.5) as a zone: its observances become transitions, written as `TZif` (RFC 8536) for jiff.

use crate::{
    rule::{Occurrences, Rule},
    stamp::basic_date_time,
    time::Clock,
    tree::{Component, Property},
    wall,
    work::{TooMuchWork, Work},
};
use jiff::{Timestamp, tz::TimeZone};

/// Rules are followed between these years; afterwards the last offset holds.
const FIRST_YEAR: i64 = 1900;
const LAST_YEAR: i64 = 2150;

struct Transition {
    /// Seconds since the epoch.
    at: i64,
    /// Offset from UTC afterwards, in seconds.
    offset: i32,
}

/// The zone that a VTIMEZONE describes; `None` if it describes none.
pub(super) fn zone(
    component: &Component,
    work: &mut Work,
) -> Result<Option<TimeZone>, TooMuchWork> {
    let mut transitions = Vec::new();
    let mut before: Option<(i64, i32)> = None;
    for observance in &component.components {
        if !observance.is("DAYLIGHT") && !observance.is("STANDARD") {
            continue;
        }
        let offset_of = |name| observance.get(name).and_then(offset);
        let (Some(from), Some(to)) = (offset_of("TZOFFSETFROM"), offset_of("TZOFFSETTO")) else {
            return Ok(None);
        };
        for onset in onsets(observance, from, work)? {
            let at = onset - i64::from(from);
            if before.is_none_or(|(first, _)| at < first) {
                before = Some((at, from));
            }
            transitions.push(Transition { at, offset: to });
        }
    }
    let Some((_, first_offset)) = before else {
        return Ok(None);
    };
    transitions.sort_by_key(|transition| transition.at);
    transitions.dedup_by_key(|transition| transition.at);
    let bytes = tzif(first_offset, &transitions).ok_or(TooMuchWork)?;
    Ok(TimeZone::tzif("VTIMEZONE", &bytes).ok())
}

/// Whether it tells of summer and winter time, but only for a while: all its changes are told one by one.
pub(super) fn has_ended(component: &Component) -> bool {
    let has = |name: &str| component.components.iter().any(|it| it.is(name));
    let mut rules = component.components.iter().flat_map(|it| it.all("RRULE"));
    let goes_on = |rule: &Property| !Rule::parse(&rule.value).is_ok_and(|rule| rule.is_finite());
    has("DAYLIGHT") && has("STANDARD") && !rules.any(goes_on)
}

/// Whether a zone has the changes that a VTIMEZONE tells of one by one.
pub(super) fn is_of(component: &Component, zone: &TimeZone) -> bool {
    component.components.iter().all(|observance| {
        let offset_of = |name| observance.get(name).and_then(offset);
        let (Some(from), Some(to)) = (offset_of("TZOFFSETFROM"), offset_of("TZOFFSETTO")) else {
            return false;
        };
        let dates = observance.all("RDATE");
        let dates = dates.flat_map(|line| line.value.split(','));
        let mut onsets = observance.value("DTSTART").into_iter().chain(dates);
        onsets.all(|onset| {
            let onset = basic_date_time(onset).map(wall::seconds);
            let at = onset.and_then(|at| Timestamp::from_second(at - i64::from(from)).ok());
            at.is_some_and(|at| zone.to_offset(at).seconds() == to)
        })
    })
}

/// When an observance begins, on the wall clock as it was before.
fn onsets(observance: &Component, from: i32, work: &mut Work) -> Result<Vec<i64>, TooMuchWork> {
    let start = observance.value("DTSTART").and_then(basic_date_time);
    let Some(start) = start.map(wall::seconds) else {
        return Ok(Vec::new());
    };
    let [first, last] = [FIRST_YEAR, LAST_YEAR].map(|year| wall::days(year, 1, 1) * wall::DAY);
    let mut onsets = vec![start];
    for rule in observance.all("RRULE") {
        // A rule that is none leaves the one change that DTSTART tells of.
        let Ok(rule) = Rule::parse(&rule.value) else {
            continue;
        };
        // RFC 5545 §3.6.5: UNTIL is in UTC here.
        let until = rule.until().map(|until| {
            let shift = if until.clock == Clock::Utc { from } else { 0 };
            wall::seconds(until.wall) + i64::from(shift)
        });
        let mut occurrences = Occurrences::new(&rule, start, until, first);
        while let Some(onset) = occurrences.next(last, work)? {
            work.spend(8)?;
            onsets.push(onset);
        }
    }
    for date in observance.all("RDATE") {
        let dates = date.value.split(',').filter_map(basic_date_time);
        onsets.extend(dates.map(wall::seconds));
    }
    Ok(onsets)
}

/// `+0130`, `-080000` (RFC 5545 §3.3.14), in seconds.
fn offset(property: &Property) -> Option<i32> {
    let text = property.value.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let fine = matches!(digits.len(), 4 | 6) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i32 = digits.parse().ok().filter(|_| fine)?;
    let (hours, minutes, seconds) = if digits.len() == 4 {
        (number / 100, number % 100, 0)
    } else {
        (number / 10_000, number / 100 % 100, number % 100)
    };
    (hours < 24 && minutes < 60 && seconds < 60)
        .then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

/// `TZif` version 2 with an empty version 1 block (RFC 8536 §3).
fn tzif(first_offset: i32, transitions: &[Transition]) -> Option<Vec<u8>> {
    let mut types: Vec<i32> = vec![first_offset];
    let mut indexes = Vec::with_capacity(transitions.len());
    for transition in transitions {
        let known = types.iter().position(|known| *known == transition.offset);
        let index = known.unwrap_or_else(|| {
            types.push(transition.offset);
            types.len() - 1
        });
        indexes.push(u8::try_from(index).ok()?);
    }
    let mut bytes = header(0, 1);
    bytes.extend([0; 6]); // one type: UTC
    bytes.push(0); // one designation: empty
    bytes.extend(header(
        u32::try_from(transitions.len()).ok()?,
        u32::try_from(types.len()).ok()?,
    ));
    for transition in transitions {
        bytes.extend(transition.at.to_be_bytes());
    }
    bytes.extend(indexes);
    for offset in types {
        bytes.extend(offset.to_be_bytes());
        bytes.extend([0, 0]); // whether it is summer time is of no interest here
    }
    bytes.push(0);
    bytes.extend(b"\n\n"); // no rule for the time after the last transition
    Some(bytes)
}

fn header(times: u32, types: u32) -> Vec<u8> {
    let mut bytes = b"TZif2".to_vec();
    bytes.extend([0; 15]);
    for count in [0, 0, 0, times, types, 1] {
        bytes.extend(count.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests;
