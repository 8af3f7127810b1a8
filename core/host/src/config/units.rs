//! Sizes, durations and instants as people write them.

use convoke_types::Rate;
use jiff::{Timestamp, civil::Date, fmt::strtime, tz::TimeZone};
use serde::{Deserialize, Deserializer, de::Error};
use std::time::Duration;

/// Bytes: a whole number, or text such as `64 KiB`, `1 MiB`, `10 MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) usize);

/// A stretch of time: text such as `500ms`, `10s`, `5 min`, `2h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

/// A stretch of time that may be none: `0s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause(pub(super) Duration);

/// How often at most: text such as `600/min`, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AtMost(pub(super) Option<Rate>);

/// An instant: `1900-01-01`, RFC 3339, or `19000101T000000Z`; with or without quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateTime(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::Integer(bytes) => usize::try_from(bytes).ok().map(Self),
            toml::Value::String(text) => size(&text).map(Self),
            _ => None,
        }
        .ok_or_else(|| D::Error::custom("expected a size such as \"1 MiB\", \"64 KiB\" or 65536"))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Pause(duration) = Pause::deserialize(deserializer)?;
        if duration.is_zero() {
            return Err(D::Error::custom("expected a duration longer than nothing"));
        }
        Ok(Self(duration))
    }
}

impl<'de> Deserialize<'de> for Pause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => duration(&text).map(Self),
            _ => None,
        }
        .ok_or_else(|| {
            D::Error::custom("expected a duration such as \"10s\", \"500ms\" or \"5 min\"")
        })
    }
}

impl<'de> Deserialize<'de> for AtMost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) if text == "off" => Some(Self(None)),
            toml::Value::String(text) => text.parse().ok().map(|rate| Self(Some(rate))),
            _ => None,
        }
        .ok_or_else(|| {
            D::Error::custom("expected a rate such as \"600/min\" or \"10/s\", or \"off\"")
        })
    }
}

impl<'de> Deserialize<'de> for DateTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::Datetime(value) => instant(&value.to_string()).map(Self),
            toml::Value::String(text) => instant(&text).map(Self),
            _ => None,
        }
        .ok_or_else(|| D::Error::custom("expected a time such as \"2100-01-01T00:00:00Z\""))
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, text[digits..].trim()))
}

fn size(text: &str) -> Option<usize> {
    let (number, unit) = number_and_unit(text)?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    usize::try_from(number.checked_mul(factor)?).ok()
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" | "sec" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(milliseconds)?))
}

fn instant(text: &str) -> Option<Timestamp> {
    let midnight = |date: Date| {
        date.to_zoned_datetime(TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    };
    let basic = || {
        strtime::parse("%Y%m%dT%H%M%SZ", text)
            .ok()?
            .to_datetime()
            .ok()
    };
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| Some(basic()?.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp()))
        .or_else(|| midnight(text.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("1 MiB", 1 << 20),
            ("64KiB", 65536),
            ("10 MB", 10_000_000),
            ("7", 7),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5 MiB", "1 XB", "-1", "99999999999 GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
        for (text, ms) in [
            ("10s", 10_000),
            ("0s", 0),
            ("500ms", 500),
            ("5 min", 300_000),
            ("2h", 7_200_000),
            ("400 days", 34_560_000_000),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "10", "s", "1y"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn instants_are_read_in_three_forms() {
        let expected = "2100-01-01T00:00:00Z".parse().ok();
        for text in ["2100-01-01T00:00:00Z", "21000101T000000Z", "2100-01-01"] {
            assert_eq!(instant(text), expected, "{text}");
        }
        assert_eq!(instant("soon"), None);
    }
}
