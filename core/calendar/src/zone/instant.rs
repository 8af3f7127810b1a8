//! Converting wall-clock times to instants in a time zone.

use super::{ZoneError, Zones};
use crate::time::{Clock, Period, PeriodEnd, When, instant};
use jiff::{Timestamp, tz::TimeZone};

impl When {
    /// The zone its wall clock hangs in.
    pub fn zone(&self, zones: &Zones) -> Result<TimeZone, ZoneError> {
        match &self.clock {
            Clock::Utc => Ok(TimeZone::UTC),
            Clock::Zone(id) => zones.get(id),
            Clock::Date | Clock::Floating => Ok(zones.own()),
        }
    }

    /// The instant, if the clock hangs in a zone that is described or known by name.
    pub(crate) fn known_instant(&self, zones: &Zones) -> Option<Timestamp> {
        let zone = match &self.clock {
            Clock::Utc => TimeZone::UTC,
            Clock::Zone(id) => zones.known(id).ok()??,
            Clock::Date | Clock::Floating => return None,
        };
        Some(instant(self.wall, &zone))
    }

    /// The instant.
    pub fn instant(&self, zones: &Zones) -> Result<Timestamp, ZoneError> {
        Ok(instant(self.wall, &self.zone(zones)?))
    }
}

impl Period {
    /// Start and end; the end may lie before the start.
    pub fn instants(&self, zones: &Zones) -> Result<(Timestamp, Timestamp), ZoneError> {
        let zone = self.start.zone(zones)?;
        let end = match &self.end {
            PeriodEnd::At(end) => end.instant(zones)?,
            PeriodEnd::After(length) => length.end(self.start.wall, &zone),
        };
        Ok((instant(self.start.wall, &zone), end))
    }
}
