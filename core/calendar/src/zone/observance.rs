//! A VTIMEZONE (RFC 5545 §3.6.5) as a zone: its observances become transitions, written as `TZif` (RFC 8536) for jiff.

use crate::{
    message::basic_date_time,
    recurrence::Rule,
    tree::{Component, Property},
};
use jiff::{civil, tz::TimeZone};

/// Rules are followed to this year; afterwards the last offset holds.
const LAST_YEAR: i16 = 2100;
/// Transitions of one zone; the rest is left out.
const MAX_TRANSITIONS: usize = 20_000;

struct Transition {
    /// Seconds since the epoch.
    at: i64,
    /// Offset from UTC afterwards, in seconds.
    offset: i32,
    daylight: bool,
}

/// The zone that a VTIMEZONE describes; `None` if it describes none.
pub(super) fn zone(component: &Component) -> Option<TimeZone> {
    let mut transitions = Vec::new();
    let mut before: Option<(i64, i32)> = None;
    for observance in &component.components {
        let daylight = observance.is("DAYLIGHT");
        if !daylight && !observance.is("STANDARD") {
            continue;
        }
        let from = offset(observance.get("TZOFFSETFROM")?)?;
        let to = offset(observance.get("TZOFFSETTO")?)?;
        for onset in onsets(observance, from, MAX_TRANSITIONS - transitions.len())? {
            let at = seconds(onset)? - i64::from(from);
            if before.is_none_or(|(first, _)| at < first) {
                before = Some((at, from));
            }
            transitions.push(Transition {
                at,
                offset: to,
                daylight,
            });
        }
    }
    transitions.sort_by_key(|transition| transition.at);
    transitions.dedup_by_key(|transition| transition.at);
    let (_, first_offset) = before?;
    TimeZone::tzif("VTIMEZONE", &tzif(first_offset, &transitions)?).ok()
}

fn seconds(wall: civil::DateTime) -> Option<i64> {
    Some(TimeZone::UTC.to_timestamp(wall).ok()?.as_second())
}

/// When an observance begins, on the wall clock as it was before.
fn onsets(observance: &Component, from: i32, most: usize) -> Option<Vec<civil::DateTime>> {
    let start = basic_date_time(observance.value("DTSTART")?)?;
    let mut onsets = vec![start];
    let end = civil::date(LAST_YEAR, 12, 31).at(23, 59, 59, 0);
    for rule in observance.all("RRULE") {
        // UNTIL is in UTC here (RFC 5545 §3.6.5).
        let local = |until: civil::DateTime| until.saturating_add(jiff::Span::new().seconds(from));
        if let Ok(rule) = Rule::read(rule, start, local) {
            onsets.extend(rule.starts(start, start, end, most).walls);
        }
    }
    for date in observance.all("RDATE") {
        onsets.extend(date.value.split(',').filter_map(basic_date_time).take(most));
    }
    onsets.truncate(most);
    Some(onsets)
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
    let mut types: Vec<(i32, bool)> = vec![(first_offset, false)];
    let mut indexes = Vec::with_capacity(transitions.len());
    for transition in transitions {
        let wanted = (transition.offset, transition.daylight);
        let known = types.iter().position(|known| *known == wanted);
        let index = known.unwrap_or_else(|| {
            types.push(wanted);
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
    for (offset, daylight) in types {
        bytes.extend(offset.to_be_bytes());
        bytes.extend([u8::from(daylight), 0]);
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
mod tests {
    use super::*;
    use crate::tree::{Calendar, Limits};

    fn read(text: &str) -> TimeZone {
        let text = format!("BEGIN:VCALENDAR\n{text}END:VCALENDAR\n");
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        zone(calendar.zones().next().unwrap()).unwrap()
    }

    const NEW_YORK: &str = "BEGIN:VTIMEZONE\nTZID:x\n\
        BEGIN:DAYLIGHT\nDTSTART:20070311T020000\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\nEND:DAYLIGHT\n\
        BEGIN:STANDARD\nDTSTART:20071104T020000\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\nTZOFFSETFROM:-0400\nTZOFFSETTO:-0500\nEND:STANDARD\n\
        END:VTIMEZONE\n";

    #[test]
    fn a_zone_that_a_calendar_carries_agrees_with_the_one_that_everybody_knows() {
        let (carried, known) = (read(NEW_YORK), TimeZone::get("America/New_York").unwrap());
        for hour in 0..24 * 365 * 3 {
            let wall = civil::date(2025, 12, 1).at(0, 30, 0, 0) + jiff::Span::new().hours(hour);
            let [a, b] = [&carried, &known].map(|zone| crate::time::instant(wall, zone));
            assert_eq!(a, b, "{wall}");
        }
    }

    #[test]
    fn an_odd_offset_holds() {
        let zone = read(
            "BEGIN:VTIMEZONE\nTZID:odd\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0130\nTZOFFSETTO:+0130\nEND:STANDARD\nEND:VTIMEZONE\n",
        );
        let wall = civil::date(2027, 1, 4).at(10, 0, 0, 0);
        assert_eq!(
            crate::time::instant(wall, &zone).to_string(),
            "2027-01-04T08:30:00Z"
        );
    }

    #[test]
    fn a_huge_zone_ends_quickly() {
        let observance = "BEGIN:STANDARD\nDTSTART:19000101T000000\nRRULE:FREQ=HOURLY\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0000\nEND:STANDARD\n";
        read(&format!(
            "BEGIN:VTIMEZONE\nTZID:x\n{}END:VTIMEZONE\n",
            observance.repeat(5000)
        ));
    }
}
