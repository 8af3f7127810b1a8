//! Stretches of time as people write them.

use jiff::SignedDuration;
use std::{fmt, str::FromStr};

/// A stretch of time in whole minutes, at least one and at most a hundred years: `30min`, `4h`, `1h30min`, `90d`, `2w`.
///
/// ```
/// use convoke_scheduling::Span;
///
/// let span: Span = "1h30min".parse()?;
/// assert_eq!((span.minutes(), span.to_string().as_str()), (90, "90min"));
/// # Ok::<(), convoke_scheduling::InvalidSpan>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(u32);

/// A text is no stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a number with min, h, d or w, such as 30min, 4h or 90d, of a hundred years at most"
)]
pub struct InvalidSpan;

const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;
const WEEK: u32 = 7 * DAY;
const MOST: u32 = 100 * 366 * DAY;

impl Span {
    /// A day.
    pub const DAY: Self = Self(DAY);

    /// How many minutes it takes.
    pub const fn minutes(self) -> u32 {
        self.0
    }

    /// As exact time.
    pub const fn duration(self) -> SignedDuration {
        SignedDuration::from_mins(self.0 as i64)
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let mut rest = text.trim();
        let mut minutes = 0_u32;
        while !rest.is_empty() {
            let digits = rest.find(|it: char| !it.is_ascii_digit());
            let (number, after) = rest.split_at(digits.ok_or(InvalidSpan)?);
            let after = after.trim_start();
            let letters = after.find(|it: char| !it.is_ascii_alphabetic());
            let (unit, after) = after.split_at(letters.unwrap_or(after.len()));
            let unit = match unit.to_ascii_lowercase().as_str() {
                "m" | "min" => 1,
                "h" => HOUR,
                "d" | "day" | "days" => DAY,
                "w" | "week" | "weeks" => WEEK,
                _ => return Err(InvalidSpan),
            };
            let number: u32 = number.parse().map_err(|_| InvalidSpan)?;
            let part = number.checked_mul(unit).ok_or(InvalidSpan)?;
            minutes = minutes.checked_add(part).ok_or(InvalidSpan)?;
            rest = after.trim_start();
        }
        (1..=MOST)
            .contains(&minutes)
            .then_some(Self(minutes))
            .ok_or(InvalidSpan)
    }
}

impl fmt::Display for Span {
    /// In the greatest unit that it is a whole number of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, letter) in [(DAY, "d"), (HOUR, "h")] {
            if self.0.is_multiple_of(unit) {
                return write!(f, "{}{letter}", self.0 / unit);
            }
        }
        write!(f, "{}min", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_of_time_are_read_as_people_write_them() {
        for (text, minutes, written) in [
            ("30min", 30, "30min"),
            ("30m", 30, "30min"),
            ("4h", 240, "4h"),
            ("1h30min", 90, "90min"),
            ("1h 30m", 90, "90min"),
            ("90d", 90 * DAY, "90d"),
            ("2W", 14 * DAY, "14d"),
            ("36h", 36 * 60, "36h"),
            ("365 days", 365 * DAY, "365d"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(
                (span.minutes(), span.to_string().as_str()),
                (minutes, written)
            );
            assert_eq!(written.parse(), Ok(span));
        }
        let most = format!("{MOST}min");
        assert_eq!(most.parse(), Ok(Span(MOST)));
        let beyond = format!("{}min", MOST + 1);
        for text in [
            "",
            " ",
            "0h",
            "4",
            "h",
            "4x",
            "-4h",
            "4.5h",
            "1h,2h",
            "90dd",
            "4294967296min",
            "99999999999999999999w",
            &beyond,
        ] {
            assert_eq!(text.parse::<Span>(), Err(InvalidSpan), "{text}");
        }
    }
}
