//! Busy time (spec §8): what an object takes, and the VFREEBUSY messages that ask and answer (RFC 5546 §3.3).
//!
//! A confirmed event that is not transparent makes its owner BUSY, a tentative one (by its STATUS or by the owner's own
//! PARTSTAT) BUSY-TENTATIVE; what is transparent, cancelled, or declined by the owner takes no time. An invitation that
//! the owner has not answered counts as the event itself says: the time is spoken for until the owner decides.

mod message;

pub use message::{answer, read_answer, request};

use crate::{
    itip::Owner,
    recurrence::{self, Instance, RecurrenceError},
    time::period,
    tree::{Calendar, Component, Limits, Property},
    zone::Zones,
};
use convoke_types::{BusySpan, BusyType, TimeRange, merge};
use jiff::tz::TimeZone;

/// When a calendar object makes its owner busy in `range`: clipped, sorted, merged within a type.
///
/// Without an owner nobody's answer counts, and dates and floating times are in UTC. VAVAILABILITY is not looked at
/// here, as several of them only make sense together: see [`unavailable`](crate::availability::unavailable).
pub fn busy(
    calendar: &Calendar,
    owner: Option<&Owner>,
    range: TimeRange,
    _limits: &Limits,
) -> Result<Vec<BusySpan>, RecurrenceError> {
    let own = own_zone(owner);
    let mut spans = Vec::new();
    for instance in recurrence::instances(calendar, "VEVENT", &own, range)? {
        spans.extend(span(&instance, owner));
    }
    let zones = Zones::of(calendar, own);
    for component in calendar
        .root()
        .components
        .iter()
        .filter(|it| it.is("VFREEBUSY"))
    {
        spans.extend(stated(component, &zones)?);
    }
    Ok(merge(spans, range))
}

/// The zone of dates and floating times.
pub(crate) fn own_zone(owner: Option<&Owner>) -> TimeZone {
    owner.map_or(TimeZone::UTC, |owner| owner.timezone.clone())
}

/// The time that an instance takes, if any.
pub(crate) fn span(instance: &Instance, owner: Option<&Owner>) -> Option<BusySpan> {
    let kind = kind(instance.component, owner)?;
    let range = TimeRange::new(instance.start, instance.end).ok()?;
    Some(BusySpan { range, kind })
}

fn kind(event: &Component, owner: Option<&Owner>) -> Option<BusyType> {
    let says = |name: &str, value: &str| {
        event
            .value(name)
            .is_some_and(|it| it.trim().eq_ignore_ascii_case(value))
    };
    // RFC 5545 §3.8.2.7
    if says("TRANSP", "TRANSPARENT") || says("STATUS", "CANCELLED") {
        return None;
    }
    let attendee = owner.and_then(|owner| owner.attendee(event));
    let answered = |value: &str| {
        attendee
            .and_then(|line| line.param("PARTSTAT"))
            .is_some_and(|it| it.eq_ignore_ascii_case(value))
    };
    // Who handed the invitation on does not attend (RFC 5546 §3.2.2.3).
    if answered("DECLINED") || answered("DELEGATED") {
        return None;
    }
    let tentative = says("STATUS", "TENTATIVE") || answered("TENTATIVE");
    Some(if tentative {
        BusyType::BusyTentative
    } else {
        BusyType::Busy
    })
}

/// The periods that a VFREEBUSY states.
fn stated(component: &Component, zones: &Zones) -> Result<Vec<BusySpan>, RecurrenceError> {
    let mut spans = Vec::new();
    for property in component.all("FREEBUSY") {
        let Some(kind) = stated_kind(property) else {
            continue;
        };
        for value in property.value.split(',') {
            let (start, end) = period(property, value, zones)?;
            if let Ok(range) = TimeRange::new(start, end) {
                spans.push(BusySpan { range, kind });
            }
        }
    }
    Ok(spans)
}

/// RFC 5545 §3.2.9: BUSY is the default, and what an unknown type is treated as.
fn stated_kind(property: &Property) -> Option<BusyType> {
    let kind = property
        .param("FBTYPE")
        .unwrap_or("BUSY")
        .to_ascii_uppercase();
    match kind.as_str() {
        "FREE" => None,
        "BUSY-TENTATIVE" => Some(BusyType::BusyTentative),
        "BUSY-UNAVAILABLE" => Some(BusyType::BusyUnavailable),
        _ => Some(BusyType::Busy),
    }
}

#[cfg(test)]
mod tests;
