//! How often something may happen.

use serde::{Deserialize, Serialize};
use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

/// So many times in so long, in a burst or spread: `10/min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    count: NonZeroU32,
    unit: Unit,
}

/// The unit of time of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
}

/// A text is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a rate; write a number and s, min, h or d, such as `10/min`")]
pub struct InvalidRate(String);

impl Rate {
    /// How many times; also how many may come at once.
    pub const fn count(&self) -> NonZeroU32 {
        self.count
    }

    /// Within how long.
    pub const fn per(&self) -> Duration {
        Duration::from_secs(match self.unit {
            Unit::Second => 1,
            Unit::Minute => 60,
            Unit::Hour => 3600,
            Unit::Day => 86_400,
        })
    }

    /// So many a minute.
    pub const fn per_minute(count: NonZeroU32) -> Self {
        Self {
            count,
            unit: Unit::Minute,
        }
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let read = || {
            let (count, unit) = text.split_once('/')?;
            let unit = match unit.trim() {
                "s" | "sec" | "second" => Unit::Second,
                "m" | "min" | "minute" => Unit::Minute,
                "h" | "hour" => Unit::Hour,
                "d" | "day" => Unit::Day,
                _ => return None,
            };
            let count = count.trim().parse().ok()?;
            Some(Self { count, unit })
        };
        read().ok_or_else(|| InvalidRate(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Second => "s",
            Unit::Minute => "min",
            Unit::Hour => "h",
            Unit::Day => "d",
        };
        write!(f, "{}/{unit}", self.count)
    }
}

impl TryFrom<String> for Rate {
    type Error = InvalidRate;

    fn try_from(text: String) -> Result<Self, InvalidRate> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, seconds, written) in [
            ("10/min", 60, "10/min"),
            ("5 / s", 1, "5/s"),
            ("1/hour", 3600, "1/h"),
            ("100000/day", 86_400, "100000/d"),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.per(), Duration::from_secs(seconds), "{text}");
            assert_eq!(rate.to_string(), written);
            assert_eq!(written.parse(), Ok(rate));
        }
        for text in [
            "",
            "10",
            "/min",
            "0/min",
            "-1/min",
            "1/week",
            "99999999999/s",
            "1.5/s",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
