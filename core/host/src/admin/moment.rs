//! Times in what a host is asked: an instant, a time on the clock of what it is about, or a whole day.

use convoke_calendar::time::{Clock, When};
use jiff::{Timestamp, civil, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// `2027-01-04T10:00:00Z`, `2027-01-04T10:00:00` or `2027-01-04`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Moment {
    /// The same for everybody.
    Instant(Timestamp),
    /// On the clock of what it is about.
    Local(civil::DateTime),
    /// All of it.
    Day(civil::Date),
}

/// A text is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is written 2027-01-04T10:00:00Z, 2027-01-04T10:00:00 or 2027-01-04")]
pub(crate) struct NoMoment;

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        if !text.contains(['T', 't', ' ']) {
            return text.parse().map(Self::Day).map_err(|_| NoMoment);
        }
        if let Ok(instant) = text.parse() {
            return Ok(Self::Instant(instant));
        }
        text.parse().map(Self::Local).map_err(|_| NoMoment)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instant(instant) => instant.fmt(f),
            Self::Local(wall) => wall.fmt(f),
            Self::Day(day) => day.fmt(f),
        }
    }
}

impl TryFrom<String> for Moment {
    type Error = NoMoment;

    fn try_from(text: String) -> Result<Self, NoMoment> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

impl From<Moment> for When {
    fn from(moment: Moment) -> Self {
        let (wall, clock) = match moment {
            Moment::Instant(instant) => {
                let wall = instant.to_zoned_datetime(TimeZone::UTC).datetime();
                (wall, Clock::Utc)
            }
            Moment::Local(wall) => (wall, Clock::Floating),
            Moment::Day(day) => (day.to_datetime(civil::Time::midnight()), Clock::Date),
        };
        Self { wall, clock }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_says_on_whose_clock_it_is() {
        for (text, clock) in [
            ("2027-01-04T10:00:00Z", Some(Clock::Utc)),
            ("2027-01-04T10:00:00", Some(Clock::Floating)),
            ("2027-01-04", Some(Clock::Date)),
            ("now", None),
            ("", None),
            ("2027-13-04", None),
            ("2027-01-04T25:00:00", None),
        ] {
            let moment = text.parse::<Moment>().ok();
            let found = moment.map(|it| When::from(it).clock);
            assert_eq!(found, clock, "{text}");
            if let Some(moment) = moment {
                assert_eq!(moment.to_string(), text);
            }
        }
    }
}
