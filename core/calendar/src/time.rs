//! Dates and times as iCalendar writes them: a date, wall-clock time without a zone, UTC, or wall-clock time in a zone
//! that is named (RFC 5545 §3.3.4, §3.3.5); durations (§3.3.6) and periods (§3.3.9).

use crate::{stamp::basic_date_time, tree::Property};
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

/// When something is, before it is known in which zone the wall clock hangs.
///
/// ```
/// use convoke_calendar::{time::{Clock, When}, tree::Property};
///
/// let start = When::of(&Property::new("DTSTART", "20270104T100000").with("TZID", "Europe/Berlin"))?;
/// assert_eq!(start.clock, Clock::Zone("Europe/Berlin".to_owned()));
/// assert_eq!(start.wall.to_string(), "2027-01-04T10:00:00");
/// # Ok::<(), convoke_calendar::time::BadValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// The wall-clock time; midnight for a date.
    pub wall: civil::DateTime,
    /// Which clock.
    pub clock: Clock,
}

/// The clock that a time is read off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clock {
    /// A whole day, wherever one is.
    Date,
    /// Wherever one is.
    Floating,
    /// UTC.
    Utc,
    /// The zone of this TZID.
    Zone(String),
}

/// A property's value is not what its type demands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{property}: `{value}` is not {expected}")]
pub struct BadValue {
    /// The property's name.
    pub property: String,
    /// What it said.
    pub value: String,
    /// What it should have said.
    pub expected: &'static str,
}

impl BadValue {
    pub(crate) fn new(property: &Property, value: &str, expected: &'static str) -> Self {
        Self {
            property: property.name.to_ascii_uppercase(),
            value: value.chars().take(80).collect(),
            expected,
        }
    }
}

impl When {
    /// The date or time that a property holds.
    pub fn of(property: &Property) -> Result<Self, BadValue> {
        Self::read(property, &property.value)
    }

    /// One of the dates or times that a property holds.
    pub(crate) fn read(property: &Property, value: &str) -> Result<Self, BadValue> {
        Self::parse(value, property.param("TZID")).ok_or_else(|| {
            BadValue::new(
                property,
                value,
                "a date or date-time such as 20270104T100000Z",
            )
        })
    }

    /// Reads a date or time. Its form decides, not VALUE: calendars in the wild forget `VALUE=DATE`.
    pub(crate) fn parse(value: &str, zone: Option<&str>) -> Option<Self> {
        let wall = basic_date_time(value)?;
        let clock = if !value.contains(['T', 't']) {
            Clock::Date
        } else if value.trim().ends_with(['Z', 'z']) {
            Clock::Utc
        } else if let Some(id) = zone {
            Clock::Zone(id.to_owned())
        } else {
            Clock::Floating
        };
        Some(Self { wall, clock })
    }

    /// The same on `clock`, if the property's parameters lost a `=` and with it, perhaps, the zone.
    #[must_use]
    pub(crate) fn on_clock_of(self, property: &Property, clock: &Clock) -> Self {
        let is_lost = self.clock == Clock::Floating && property.is_garbled();
        match clock {
            Clock::Zone(_) | Clock::Utc if is_lost => Self {
                clock: clock.clone(),
                ..self
            },
            _ => self,
        }
    }

    /// The property of a name that says it (RFC 5545 §3.3.4, §3.3.5).
    pub(crate) fn property(&self, name: &str) -> Property {
        let form = match self.clock {
            Clock::Date => "%Y%m%d",
            Clock::Utc => "%Y%m%dT%H%M%SZ",
            Clock::Floating | Clock::Zone(_) => "%Y%m%dT%H%M%S",
        };
        let property = Property::new(name, self.wall.strftime(form).to_string());
        match &self.clock {
            Clock::Date => property.with("VALUE", "DATE"),
            Clock::Zone(id) => property.with("TZID", id),
            Clock::Utc | Clock::Floating => property,
        }
    }

    /// Whether it is a whole day.
    pub fn is_date(&self) -> bool {
        self.clock == Clock::Date
    }
}

/// The instant of a wall-clock time: in a gap by the offset before it, in a fold the first one (RFC 5545 §3.3.5).
pub(crate) fn instant(wall: civil::DateTime, zone: &TimeZone) -> Timestamp {
    let saturated = if wall.year() < 1000 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    zone.to_ambiguous_timestamp(wall)
        .compatible()
        .unwrap_or(saturated)
}

/// How long something is: whole days on the wall clock, then exact time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Length {
    /// Days on the wall clock.
    pub days: i32,
    /// Exact time.
    pub exact: SignedDuration,
}

impl Length {
    /// The longest taken, in days: more than any calendar needs.
    const MAX_DAYS: i64 = 366 * 200;

    /// The DURATION that a property holds (RFC 5545 §3.3.6).
    pub fn of(property: &Property) -> Result<Self, BadValue> {
        Self::read(&property.value).ok_or_else(|| {
            BadValue::new(
                property,
                &property.value,
                "a duration such as PT1H30M, P2D or P1W",
            )
        })
    }

    /// Whether a DURATION says no more than that it is one: `P`, `PT`.
    pub(crate) fn is_empty(property: &Property) -> bool {
        let value = property.value.trim().trim_start_matches(['+', '-']);
        ["", "P", "PT"]
            .iter()
            .any(|it| value.eq_ignore_ascii_case(it))
    }

    fn read(value: &str) -> Option<Self> {
        let value = value.trim().to_ascii_uppercase();
        let (negative, value) = match value.strip_prefix(['+', '-']) {
            Some(rest) => (value.starts_with('-'), rest),
            None => (false, value.as_str()),
        };
        let value = value.strip_prefix('P')?;
        let (date, time) = value.split_once('T').unwrap_or((value, ""));
        let (mut days, mut seconds) = (0i64, 0i64);
        for (number, unit) in parts(date)? {
            days = days.checked_add(number.checked_mul(match unit {
                'W' => 7,
                'D' => 1,
                _ => return None,
            })?)?;
        }
        for (number, unit) in parts(time)? {
            seconds = seconds.checked_add(number.checked_mul(match unit {
                'H' => 3600,
                'M' => 60,
                'S' => 1,
                _ => return None,
            })?)?;
        }
        if (date.is_empty() && time.is_empty())
            || days > Self::MAX_DAYS
            || seconds / 86400 > Self::MAX_DAYS
        {
            return None;
        }
        let sign = if negative { -1 } else { 1 };
        Some(Self {
            days: i32::try_from(sign * days).ok()?,
            exact: SignedDuration::from_secs(sign * seconds),
        })
    }

    /// The end of something this long that begins at `wall` in `zone`.
    pub(crate) fn end(self, wall: civil::DateTime, zone: &TimeZone) -> Timestamp {
        let days = jiff::Span::new().days(self.days);
        let wall = wall.saturating_add(days);
        instant(wall, zone)
            .saturating_add(self.exact)
            .unwrap_or(Timestamp::MAX)
    }

    /// It is no longer than this, whatever the zone does.
    pub(crate) fn at_most(self) -> SignedDuration {
        let days = SignedDuration::from_hours(24 * i64::from(self.days.max(0)) + 26);
        days.saturating_add(self.exact)
    }
}

/// `1W2D` as numbers with their units.
fn parts(text: &str) -> Option<Vec<(i64, char)>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let unit = rest[digits..].chars().next()?;
        parts.push((rest[..digits].parse().ok()?, unit));
        rest = &rest[digits + unit.len_utf8()..];
    }
    Some(parts)
}

/// A stretch of time as it is written (RFC 5545 §3.3.9): both ends, or start and length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// When it begins.
    pub start: When,
    /// When it ends.
    pub end: PeriodEnd,
}

/// The two ways to say when a period ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeriodEnd {
    /// At a time.
    At(When),
    /// After a while.
    After(Length),
}

impl Period {
    /// One of the periods that a property holds.
    pub(crate) fn read(property: &Property, value: &str) -> Result<Self, BadValue> {
        let wrong = || BadValue::new(property, value, "a period such as 20270104T100000Z/PT1H");
        let time = |text: &str| {
            When::parse(text, property.param("TZID"))
                .filter(|when| !when.is_date())
                .ok_or_else(wrong)
        };
        let (start, end) = value.split_once('/').ok_or_else(wrong)?;
        let end = match Length::read(end) {
            Some(length) => PeriodEnd::After(length),
            None => PeriodEnd::At(time(end)?),
        };
        let start = time(start)?;
        Ok(Self { start, end })
    }
}

/// The values of a property that holds a list, without those that a stray comma leaves empty.
pub(crate) fn values(property: &Property) -> impl Iterator<Item = &str> {
    let values = property.value.split(',').map(str::trim);
    values.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, days, seconds) in [
            ("PT1H", 0, 3600),
            ("P1D", 1, 0),
            ("P7W", 49, 0),
            ("P15DT5H0M20S", 15, 18020),
            ("-PT10M", 0, -600),
            ("+P1DT1S", 1, 1),
            ("pt5m", 0, 300),
        ] {
            let expected = Length {
                days,
                exact: SignedDuration::from_secs(seconds),
            };
            assert_eq!(Length::read(text), Some(expected), "{text}");
        }
        for wrong in [
            "",
            "P",
            "1H",
            "P1H",
            "PT1D",
            "PTH",
            "PT1",
            "P99999999D",
            "PT99999999999999999999S",
            "P-1D",
        ] {
            assert!(Length::read(wrong).is_none(), "{wrong}");
        }
    }
}
