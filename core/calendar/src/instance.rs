//! The identity of an instance of an object (RECURRENCE-ID).

use crate::stamp::basic_date_time;
use crate::time::instant;
use crate::tree::{Component, Property};
use crate::zone::Zones;
use jiff::{Timestamp, civil, tz::TimeZone};
use std::fmt;

/// Names one instance of an object: its RECURRENCE-ID by meaning, so that the same instant in UTC and in a zone is
/// one instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum InstanceKey {
    Date(civil::Date),
    Instant(Timestamp),
    /// In a zone that nobody knows, or floating.
    Wall(civil::DateTime, String),
    /// Not a date at all; stored objects may hold anything.
    Odd(String),
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => write!(f, "{date}"),
            Self::Instant(at) => write!(f, "{at}"),
            Self::Wall(wall, zone) => write!(f, "{wall} {zone}"),
            Self::Odd(text) => f.write_str(text),
        }
    }
}

impl InstanceKey {
    /// The instance that a component overrides; `None` for the whole.
    pub(crate) fn of(component: &Component, zones: &Zones) -> Option<Self> {
        let id = component.get("RECURRENCE-ID")?;
        Some(Self::of_property(id, zones))
    }

    /// The instance that a date property names.
    pub(crate) fn of_property(property: &Property, zones: &Zones) -> Self {
        let Some(wall) = basic_date_time(&property.value) else {
            return Self::Odd(property.value.clone());
        };
        if !is_time(property) {
            return Self::Date(wall.date());
        }
        match zone(property, zones) {
            Some(zone) => Self::Instant(instant(wall, &zone)),
            None => Self::Wall(wall, property.param("TZID").unwrap_or_default().to_owned()),
        }
    }
}

/// Whether a date property names a time, not a whole day.
pub(crate) fn is_time(date: &Property) -> bool {
    date.value.contains(['T', 't'])
}

pub(crate) fn is_utc(date: &Property) -> bool {
    date.value.trim_end().ends_with(['Z', 'z'])
}

/// The zone that a time is in; `None` if it floats, or if nobody knows the zone.
pub(crate) fn zone(property: &Property, zones: &Zones) -> Option<TimeZone> {
    if is_utc(property) {
        return Some(TimeZone::UTC);
    }
    zones.known(property.param("TZID")?).ok().flatten()
}
