//! Times as people write them on a command line.

use crate::admin::moment::Moment;
use jiff::{Span, Timestamp, civil, tz::TimeZone};
use std::str::FromStr;

/// A time whose meaning depends on now, or on the time zone of who asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// `2027-01-04T10:00:00Z`: the same for everybody.
    At(Timestamp),
    /// `2027-01-04T10:00`.
    Local(civil::DateTime),
    /// `2027-01-04`; as an instant, the midnight that it begins with.
    Day(civil::Date),
    /// `now+7d`.
    FromNow(Span),
}

/// A text is not a time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WrongTime {
    /// Nothing that is known.
    #[error("write 2027-01-04T10:00:00Z, 2027-01-04, now, now+7d or now-90m (m, h, d, w, mo, y)")]
    Form,
    /// Beyond the years -9999 to 9999.
    #[error("that is further away than calendars reach")]
    Range,
}

impl When {
    /// The instant, for somebody in `zone`.
    pub(super) fn resolve(self, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, WrongTime> {
        match self {
            Self::At(instant) => Ok(instant),
            Self::Local(time) => zone.to_timestamp(time).map_err(|_| WrongTime::Range),
            Self::Day(day) => {
                let midnight = day.to_datetime(civil::Time::midnight());
                zone.to_timestamp(midnight).map_err(|_| WrongTime::Range)
            }
            // Days are days of the calendar: `now+1d` is the same time tomorrow, also when the clock changes.
            Self::FromNow(span) => now
                .to_zoned_datetime(zone.clone())
                .checked_add(span)
                .map(|time| time.timestamp())
                .map_err(|_| WrongTime::Range),
        }
    }

    /// The same for a host that knows what it is about, and on which clock that is.
    pub(super) fn moment(self, now: Timestamp) -> Result<Moment, WrongTime> {
        Ok(match self {
            Self::At(instant) => Moment::Instant(instant),
            Self::Local(time) => Moment::Local(time),
            Self::Day(day) => Moment::Day(day),
            Self::FromNow(_) => Moment::Instant(self.resolve(now, &TimeZone::system())?),
        })
    }
}

impl FromStr for When {
    type Err = WrongTime;

    fn from_str(text: &str) -> Result<Self, WrongTime> {
        if let Some(distance) = text.strip_prefix("now") {
            return from_now(distance);
        }
        match text.parse::<Moment>() {
            Ok(Moment::Instant(instant)) => Ok(Self::At(instant)),
            Ok(Moment::Local(time)) => Ok(Self::Local(time)),
            Ok(Moment::Day(day)) => Ok(Self::Day(day)),
            Err(_) => Err(WrongTime::Form),
        }
    }
}

/// `+7d`, `-90m`, `+1h30m`, or nothing.
fn from_now(distance: &str) -> Result<When, WrongTime> {
    if distance.is_empty() {
        return Ok(When::FromNow(Span::new()));
    }
    let span = distance.strip_prefix(['+', '-']).ok_or(WrongTime::Form)?;
    if !span.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(WrongTime::Form);
    }
    let span: Span = span.parse().map_err(|error: jiff::Error| {
        if error.is_range() {
            WrongTime::Range
        } else {
            WrongTime::Form
        }
    })?;
    let backwards = distance.starts_with('-');
    Ok(When::FromNow(if backwards { -span } else { span }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Result<String, WrongTime> {
        let now = "2027-03-27T12:00:00Z".parse().unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let instant = text.parse::<When>()?.resolve(now, &zone)?;
        Ok(instant.to_string())
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, instant) in [
            ("2027-01-04T10:00:00Z", "2027-01-04T10:00:00Z"),
            ("2027-01-04T10:00:00+01:00", "2027-01-04T09:00:00Z"),
            ("2027-01-04T10:00", "2027-01-04T09:00:00Z"),
            ("2027-01-04", "2027-01-03T23:00:00Z"),
            ("now", "2027-03-27T12:00:00Z"),
            ("now+90m", "2027-03-27T13:30:00Z"),
            ("now-1h", "2027-03-27T11:00:00Z"),
            ("now+2w", "2027-04-10T11:00:00Z"),
            // the clock goes forward in the night: the same wall time tomorrow is 23 hours away
            ("now+1d", "2027-03-28T11:00:00Z"),
            ("now+24h", "2027-03-28T12:00:00Z"),
            ("now+1h30m", "2027-03-27T13:30:00Z"),
            ("now+3 days", "2027-03-30T11:00:00Z"),
            ("now-1y", "2026-03-27T12:00:00Z"),
        ] {
            assert_eq!(resolved(text).as_deref(), Ok(instant), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "tomorrow",
            "now+",
            "now+d",
            "now+7",
            "now7d",
            "now+-7d",
            "now+7dd",
            "2027-13-01",
            "now+7é",
        ] {
            assert_eq!(resolved(text), Err(WrongTime::Form), "{text}");
        }
        assert_eq!(resolved("now+999999999999w"), Err(WrongTime::Range));
        // A number that no integer holds is no number of anything.
        assert_eq!(resolved("now+99999999999999999999d"), Err(WrongTime::Form));
    }
}
