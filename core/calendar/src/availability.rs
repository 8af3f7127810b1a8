//! Availability (RFC 7953): outside the hours that somebody is available, they are busy.
//!
//! Several VAVAILABILITY components lie over each other by PRIORITY. Each paints its own time with its BUSYTYPE and then
//! wipes out its AVAILABLE instances; a component of higher priority is painted over those of lower priority (§4).

use crate::{
    freebusy::own_zone,
    itip::Owner,
    recurrence::{RecurrenceError, Series},
    time::{Length, When},
    tree::{Calendar, Component, Limits},
    work::Work,
    zone::Zones,
};
use convoke_types::{BusySpan, BusyType, TimeRange, merge};
use jiff::Timestamp;

/// When the availability that `calendars` state together makes their owner busy in `range`.
///
/// Among components of one PRIORITY, busy time of several is of the strongest type (BUSY, then BUSY-UNAVAILABLE, then
/// BUSY-TENTATIVE), and what one of them calls available is.
pub fn unavailable(
    calendars: &[Calendar],
    owner: Option<&Owner>,
    range: TimeRange,
    limits: &Limits,
) -> Result<Vec<BusySpan>, RecurrenceError> {
    unavailable_within(calendars, owner, range, &mut Work::of(limits.work))
}

/// The same, out of a budget that serves other questions too.
pub fn unavailable_within(
    calendars: &[Calendar],
    owner: Option<&Owner>,
    range: TimeRange,
    work: &mut Work,
) -> Result<Vec<BusySpan>, RecurrenceError> {
    let mut layers = Vec::new();
    for calendar in calendars {
        let zones = Zones::of(calendar, own_zone(owner));
        let components = calendar.root().components.iter();
        for component in components.filter(|it| it.is("VAVAILABILITY")) {
            layers.extend(Layer::of(component, &zones, range, work)?);
        }
    }
    // RFC 7953 §4: of one priority, the type that wins is painted last.
    layers.sort_by_key(|layer| (layer.priority, layer.strength()));
    let mut canvas = Vec::new();
    for of_one_priority in layers.chunk_by(|one, other| one.priority == other.priority) {
        for layer in of_one_priority {
            canvas = without(canvas, &[layer.range]);
            let (range, kind) = (layer.range, layer.busy);
            canvas.push(BusySpan::new(range, kind));
            canvas.sort_unstable_by_key(|span| span.range);
        }
        let available = of_one_priority.iter().flat_map(|layer| &layer.available);
        canvas = without(canvas, &joined(available.copied()));
    }
    Ok(merge(canvas, range))
}

struct Layer {
    /// The higher, the more it counts.
    priority: u8,
    range: TimeRange,
    busy: BusyType,
    available: Vec<TimeRange>,
}

impl Layer {
    /// The part of a VAVAILABILITY that lies in `range`; `None` if none does.
    fn of(
        component: &Component,
        zones: &Zones,
        range: TimeRange,
        work: &mut Work,
    ) -> Result<Option<Self>, RecurrenceError> {
        let Some(range) = extent(component, zones)?.and_then(|extent| extent.clip(&range)) else {
            return Ok(None);
        };
        let mut available = Vec::new();
        let hours = component.components.iter().filter(|it| it.is("AVAILABLE"));
        for series in Series::all(hours, zones)? {
            series.walk(range, work, &mut |instance| {
                let time = TimeRange::new(instance.start, instance.end).ok();
                available.extend(time.and_then(|time| time.clip(&range)));
            })?;
        }
        Ok(Some(Self {
            priority: priority(component),
            range,
            busy: busy_type(component),
            available,
        }))
    }

    const fn strength(&self) -> u8 {
        match self.busy {
            BusyType::BusyTentative => 0,
            BusyType::BusyUnavailable => 1,
            // And what is not known.
            _ => 2,
        }
    }
}

/// RFC 7953 §4: 1 is the highest, 9 the lowest but for 0, which is the same as none.
fn priority(component: &Component) -> u8 {
    let written = component
        .value("PRIORITY")
        .and_then(|text| text.trim().parse().ok());
    match written {
        Some(written @ 1..=9) => 10 - written,
        _ => 0,
    }
}

/// From DTSTART, or ever, to DTEND, or for ever (RFC 7953 §3.1); `None` if it ends before it begins.
fn extent(component: &Component, zones: &Zones) -> Result<Option<TimeRange>, RecurrenceError> {
    let start = component.get("DTSTART").map(When::of).transpose()?;
    let from = match &start {
        Some(start) => start.instant(zones)?,
        None => Timestamp::MIN,
    };
    let to = match (component.get("DTEND"), component.get("DURATION"), &start) {
        (Some(end), ..) => When::of(end)?.instant(zones)?,
        (None, Some(length), Some(start)) => {
            Length::of(length)?.end(start.wall, &start.zone(zones)?)
        }
        _ => Timestamp::MAX,
    };
    Ok(TimeRange::new(from, to).ok())
}

/// RFC 7953 §3.2: BUSY-UNAVAILABLE is the default.
fn busy_type(component: &Component) -> BusyType {
    let stated = component
        .value("BUSYTYPE")
        .unwrap_or("BUSY-UNAVAILABLE")
        .trim()
        .to_ascii_uppercase();
    match stated.as_str() {
        "BUSY" => BusyType::Busy,
        "BUSY-TENTATIVE" => BusyType::BusyTentative,
        _ => BusyType::BusyUnavailable,
    }
}

/// Sorted, and joined where they touch.
fn joined(ranges: impl Iterator<Item = TimeRange>) -> Vec<TimeRange> {
    let kind = BusyType::Busy;
    let spans = merge(
        ranges.map(|range| BusySpan::new(range, kind)),
        TimeRange::ALL,
    );
    spans.iter().map(|span| span.range).collect()
}

/// What is left of spans that do not overlap, without holes; all sorted.
fn without(spans: Vec<BusySpan>, holes: &[TimeRange]) -> Vec<BusySpan> {
    let mut left = Vec::with_capacity(spans.len());
    let mut holes = holes.iter().peekable();
    for span in spans {
        let mut start = span.range.start();
        while let Some(hole) = holes.peek() {
            if hole.start() >= span.range.end() {
                break;
            }
            left.extend(
                TimeRange::new(start, hole.start()).map(|range| BusySpan::new(range, span.kind)),
            );
            start = start.max(hole.end());
            if hole.end() > span.range.end() {
                break; // it may reach into the next span
            }
            holes.next();
        }
        left.extend(
            TimeRange::new(start, span.range.end()).map(|range| BusySpan::new(range, span.kind)),
        );
    }
    left
}

#[cfg(test)]
mod tests;
