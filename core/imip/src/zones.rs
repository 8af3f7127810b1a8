//! VTIMEZONEs as every calendar program reads them: rules since 1970 and no lists of dates, which Outlook does not take.

use convoke_calendar::message::Message;
use convoke_calendar::tree::{Calendar, Component, Property};
use convoke_calendar::zone::{Zones, by_name, vtimezone};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How long a series without an end is looked at.
const TEN_YEARS: SignedDuration = SignedDuration::from_hours(24 * 3653);

/// Writes the zones that are lists of dates as rules. Where everybody knows the zone by its name, and it is the same at the
/// times of the message, by the rules of that.
pub(crate) fn write_zones_as_rules(calendar: &mut Calendar, message: &Message) {
    if !calendar.zones().any(is_list) {
        return;
    }
    let first = message.earliest().unwrap_or(message.dtstamp());
    let last = message.latest().unwrap_or(first).max(first);
    let after = last.saturating_add(TEN_YEARS).unwrap_or(Timestamp::MAX);
    let source = calendar.clone();
    let zones = Zones::of(&source, TimeZone::UTC);
    for component in &mut calendar.root_mut().components {
        if !component.is("VTIMEZONE") || !is_list(component) {
            continue;
        }
        let Some(id) = component.get("TZID").map(Property::to_text) else {
            continue;
        };
        let Ok(described) = zones.get(&id) else {
            continue;
        };
        let agrees = |zone: &TimeZone| {
            [first, last]
                .iter()
                .all(|at| zone.to_offset(*at) == described.to_offset(*at))
        };
        let zone = by_name(&id).filter(agrees).unwrap_or(described);
        *component = vtimezone(&id, &zone, first, after);
    }
}

fn is_list(zone: &Component) -> bool {
    zone.components
        .iter()
        .any(|observance| observance.get("RDATE").is_some())
}
