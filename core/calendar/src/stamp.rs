//! The basic ISO 8601 forms that iCalendar writes dates in (RFC 5545 §3.3.4, §3.3.5).

use jiff::{Timestamp, civil, tz::TimeZone};

/// `20270104`, `20270104T100000` or `20270104T100000Z` as wall-clock time; a date is its midnight.
pub(crate) fn basic_date_time(value: &str) -> Option<civil::DateTime> {
    let value = value.trim();
    let value = value.strip_suffix(['Z', 'z']).unwrap_or(value);
    let (date, time) = match value.split_once(['T', 't']) {
        Some((date, time)) => (date, time),
        None => (value, "000000"),
    };
    let [year_high, year_low, month, day] = pairs(date)?;
    let [hour, minute, second] = pairs(time)?;
    let year = i16::from(year_high) * 100 + i16::from(year_low);
    // RFC 5545 §3.3.12: second 60 is a leap second, read as the last one that there is.
    civil::DateTime::new(year, month, day, hour, minute, second.min(59), 0).ok()
}

/// A UTC time. The RFC's own examples leave the `Z` out (RFC 5546 §4.7.1), so it may be missing.
pub(crate) fn utc(value: &str) -> Option<Timestamp> {
    let wall = basic_date_time(value)?;
    Some(TimeZone::UTC.to_zoned_datetime(wall).ok()?.timestamp())
}

/// Exactly `N` numbers of two digits.
fn pairs<const N: usize>(digits: &str) -> Option<[i8; N]> {
    let bytes = digits.as_bytes();
    if bytes.len() != 2 * N || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut numbers = [0; N];
    for (number, pair) in numbers.iter_mut().zip(bytes.chunks_exact(2)) {
        *number = i8::try_from((pair[0] - b'0') * 10 + (pair[1] - b'0')).ok()?;
    }
    Some(numbers)
}
