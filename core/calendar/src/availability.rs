//! Availability (RFC 7953): outside the hours that somebody is available, they are busy.
//!
//! Several VAVAILABILITY components lie over each other by PRIORITY. Each paints its own time with its BUSYTYPE and then
//! wipes out its AVAILABLE instances; a component of higher priority is painted over those of lower priority (§4).

use crate::{
    freebusy::own_zone,
    itip::Owner,
    recurrence::{self, RecurrenceError},
    time::{Length, When},
    tree::{Calendar, Component, Limits},
    zone::Zones,
};
use convoke_types::{BusySpan, BusyType, TimeRange, merge};
use jiff::{Timestamp, tz::TimeZone};

/// When the availability that `calendars` state together makes their owner busy in `range`.
pub fn unavailable(
    calendars: &[Calendar],
    owner: Option<&Owner>,
    range: TimeRange,
    _limits: &Limits,
) -> Result<Vec<BusySpan>, RecurrenceError> {
    let own = own_zone(owner);
    let mut layers = Vec::new();
    for calendar in calendars {
        for component in calendar
            .root()
            .components
            .iter()
            .filter(|it| it.is("VAVAILABILITY"))
        {
            if let Some(layer) = Layer::of(calendar, component, &own, range)? {
                layers.push(layer);
            }
        }
    }
    // RFC 7953 §3.2: 1 is the highest, 9 the lowest, 0 (or none) below that.
    layers.sort_by_key(|layer| {
        std::cmp::Reverse(if layer.priority == 0 {
            10
        } else {
            layer.priority
        })
    });
    let mut canvas = Vec::new();
    for layer in layers {
        paint(&mut canvas, layer.range, Some(layer.busy));
        for free in layer.available {
            paint(&mut canvas, free, None);
        }
    }
    Ok(merge(canvas, range))
}

struct Layer {
    priority: u8,
    range: TimeRange,
    busy: BusyType,
    available: Vec<TimeRange>,
}

impl Layer {
    /// The part of a VAVAILABILITY that lies in `range`; `None` if none does.
    fn of(
        calendar: &Calendar,
        component: &Component,
        own: &TimeZone,
        range: TimeRange,
    ) -> Result<Option<Self>, RecurrenceError> {
        let zones = Zones::of(calendar, own.clone());
        let Some(range) = extent(component, &zones)?.clip(&range) else {
            return Ok(None);
        };
        let mut hours = Calendar::new();
        hours
            .root_mut()
            .components
            .extend(calendar.zones().cloned());
        let mut available = Vec::new();
        for (_, group) in grouped(component) {
            let mut one = hours.clone();
            one.root_mut().components.extend(group);
            let instances = recurrence::instances(&one, "AVAILABLE", own, range)?;
            let ranges = instances
                .iter()
                .filter_map(|it| TimeRange::new(it.start, it.end).ok());
            available.extend(ranges.filter_map(|it| it.clip(&range)));
        }
        let priority = component
            .value("PRIORITY")
            .and_then(|text| text.trim().parse().ok());
        Ok(Some(Self {
            priority: priority.filter(|it| *it <= 9).unwrap_or(0),
            range,
            busy: busy_type(component),
            available,
        }))
    }
}

/// The AVAILABLE components by UID: those of one UID are a series with its overrides.
fn grouped(component: &Component) -> std::collections::BTreeMap<String, Vec<Component>> {
    let mut groups = std::collections::BTreeMap::<String, Vec<Component>>::new();
    for (place, available) in component
        .components
        .iter()
        .filter(|it| it.is("AVAILABLE"))
        .enumerate()
    {
        let uid = available
            .value("UID")
            .map_or_else(|| format!("\0{place}"), str::to_owned);
        groups.entry(uid).or_default().push(available.clone());
    }
    groups
}

/// From DTSTART, or ever, to DTEND, or for ever (RFC 7953 §3.1).
fn extent(component: &Component, zones: &Zones) -> Result<TimeRange, RecurrenceError> {
    let start = component.get("DTSTART").map(When::of).transpose()?;
    let from = start
        .as_ref()
        .map_or(Timestamp::MIN, |start| start.instant(zones));
    let to = match (component.get("DTEND"), component.get("DURATION"), &start) {
        (Some(end), ..) => When::of(end)?.instant(zones),
        (None, Some(length), Some(start)) => {
            Length::of(length)?.end(start.wall, &start.zone(zones))
        }
        _ => Timestamp::MAX,
    };
    // What ends before it begins covers nothing that can be asked for.
    Ok(TimeRange::new(from, to).unwrap_or(
        TimeRange::new(Timestamp::MIN, Timestamp::UNIX_EPOCH.min(from)).unwrap_or(TimeRange::ALL),
    ))
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

/// Gives `range` a new colour, or none.
fn paint(canvas: &mut Vec<BusySpan>, range: TimeRange, busy: Option<BusyType>) {
    let mut rest = Vec::with_capacity(canvas.len() + 1);
    for span in canvas.drain(..) {
        if !span.range.overlaps(&range) {
            rest.push(span);
            continue;
        }
        for (from, to) in [
            (span.range.start(), range.start()),
            (range.end(), span.range.end()),
        ] {
            if let Ok(left) = TimeRange::new(from, to) {
                rest.push(BusySpan {
                    range: left,
                    ..span
                });
            }
        }
    }
    rest.extend(busy.map(|kind| BusySpan { range, kind }));
    *canvas = rest;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_available_on_monday_morning_is_busy_the_rest_of_the_week() {
        let text = "BEGIN:VCALENDAR\nBEGIN:VAVAILABILITY\nUID:1\nDTSTAMP:20270101T000000Z\nBEGIN:AVAILABLE\nUID:2\nDTSTART:20261228T090000Z\nDTEND:20261228T120000Z\nRRULE:FREQ=WEEKLY\nEND:AVAILABLE\nEND:VAVAILABILITY\nEND:VCALENDAR\n";
        let holiday = "BEGIN:VCALENDAR\nBEGIN:VAVAILABILITY\nUID:3\nPRIORITY:1\nBUSYTYPE:BUSY\nDTSTART:20270104T100000Z\nDURATION:PT1H\nEND:VAVAILABILITY\nEND:VCALENDAR\n";
        let calendars = [holiday, text]
            .map(|text| Calendar::parse(text.as_bytes(), &Limits::default()).unwrap());
        let range = TimeRange::new(
            "2027-01-04T00:00:00Z".parse().unwrap(),
            "2027-01-05T00:00:00Z".parse().unwrap(),
        )
        .unwrap();
        let shown = |calendars: &[Calendar]| -> Vec<String> {
            let spans = unavailable(calendars, None, range, &Limits::default()).unwrap();
            spans
                .iter()
                .map(|it| format!("{} {} {}", it.kind, it.range.start(), it.range.end()))
                .collect()
        };
        assert_eq!(
            shown(&calendars[1..]),
            [
                "BUSY-UNAVAILABLE 2027-01-04T00:00:00Z 2027-01-04T09:00:00Z",
                "BUSY-UNAVAILABLE 2027-01-04T12:00:00Z 2027-01-05T00:00:00Z"
            ]
        );
        assert_eq!(
            shown(&calendars)[1],
            "BUSY 2027-01-04T10:00:00Z 2027-01-04T11:00:00Z"
        );
    }
}
