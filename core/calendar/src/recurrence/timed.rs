//! One component: when it starts, and how long each of its instances takes.

use super::{RecurrenceError, start};
use crate::{
    time::{Length, When, instant},
    tree::Component,
    zone::Zones,
};
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

/// A component with the times it states.
#[derive(Clone, Debug)]
pub(super) struct Timed<'a> {
    pub(super) component: &'a Component,
    pub(super) start: When,
    pub(super) zone: TimeZone,
    length: Lasting,
}

/// How long each instance takes.
#[derive(Clone, Copy, Debug)]
enum Lasting {
    /// The same exact time (RFC 5545 §3.8.5.3: DTEND).
    Exact(SignedDuration),
    /// The same time on the wall clock (DURATION, and whole days).
    Nominal(Length),
}

impl<'a> Timed<'a> {
    pub(super) fn of(component: &'a Component, zones: &Zones) -> Result<Self, RecurrenceError> {
        let start = start(component)?;
        let zone = start.zone(zones)?;
        let length = Lasting::of(component, &start, zones)?;
        Ok(Self {
            component,
            start,
            zone,
            length,
        })
    }

    /// From when to when it would be if it began at `wall`.
    pub(super) fn at(&self, wall: civil::DateTime) -> (Timestamp, Timestamp) {
        let start = instant(wall, &self.zone);
        let end = match self.length {
            Lasting::Exact(length) => start.saturating_add(length).unwrap_or(Timestamp::MAX),
            Lasting::Nominal(length) => length.end(wall, &self.zone),
        };
        (start, end.max(start))
    }

    /// No instance is longer.
    pub(super) fn at_most(&self) -> SignedDuration {
        match self.length {
            Lasting::Exact(length) => length.max(SignedDuration::ZERO),
            Lasting::Nominal(length) => length.at_most().max(SignedDuration::ZERO),
        }
    }
}

impl Lasting {
    fn of(component: &Component, start: &When, zones: &Zones) -> Result<Self, RecurrenceError> {
        let end = component.stated("DTEND");
        if let Some(end) = end.or_else(|| component.stated("DUE")) {
            let end = When::of(end)?.on_clock_of(end, &start.clock);
            if start.is_date() && end.is_date() {
                let days = end.wall.duration_since(start.wall).as_hours() / 24;
                // RFC 5545 §3.8.2.2: the end is later; where programs write the last day instead, it is one day.
                return Ok(Self::days(if days == 0 { 1 } else { days }));
            }
            let length = end.instant(zones)?.duration_since(start.instant(zones)?);
            return Ok(Self::Exact(length));
        }
        if let Some(length) = component.stated("DURATION")
            && !Length::is_empty(length)
        {
            return Ok(Self::Nominal(Length::of(length)?));
        }
        // RFC 5545 §3.6.1: a date lasts its day, a time no time.
        Ok(if start.is_date() {
            Self::days(1)
        } else {
            Self::Exact(SignedDuration::ZERO)
        })
    }

    fn days(days: i64) -> Self {
        Self::Nominal(Length {
            days: i32::try_from(days).unwrap_or(i32::MAX),
            exact: SignedDuration::ZERO,
        })
    }
}
