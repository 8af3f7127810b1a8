//! Arithmetic on wall-clock time as seconds since 1970 on that wall: what recurrence rules and zones count in.
//!
//! Days are numbered from 1970-01-01, a Thursday; the calendar is the proleptic Gregorian one.

use jiff::{Timestamp, civil, tz::Offset};

pub(crate) const DAY: i64 = 86_400;

/// Seconds since 1970-01-01T00:00:00 on the wall.
pub(crate) fn seconds(wall: civil::DateTime) -> i64 {
    let days = days(
        i64::from(wall.year()),
        i64::from(wall.month()),
        i64::from(wall.day()),
    );
    let time = i64::from(wall.hour()) * 3600 + i64::from(wall.minute()) * 60;
    days * DAY + time + i64::from(wall.second())
}

/// The wall-clock time of so many seconds; held to the years that jiff can name.
pub(crate) fn date_time(seconds: i64) -> civil::DateTime {
    Offset::UTC.to_datetime(timestamp(seconds))
}

/// The instant of so many seconds since 1970 in UTC; held to those that jiff can name.
pub(crate) fn timestamp(seconds: i64) -> Timestamp {
    let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(seconds.clamp(first, last)).unwrap_or(Timestamp::MAX)
}

/// The number of a day.
pub(crate) const fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years start in March, so that the leap day comes last; 400 of them have 146,097 days.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day.
pub(crate) const fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// The weekday of a day: Monday is 0.
pub(crate) const fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

pub(crate) const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) const fn days_in_year(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

pub(crate) const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => {
            if is_leap(year) {
                29
            } else {
                28
            }
        }
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_numbered_as_jiff_does() {
        let mut date_ = civil::date(1, 1, 1);
        let mut number = days(1, 1, 1);
        while date_ < civil::date(9999, 12, 1) {
            let parts = (
                i64::from(date_.year()),
                i64::from(date_.month()),
                i64::from(date_.day()),
            );
            assert_eq!(days(parts.0, parts.1, parts.2), number);
            assert_eq!(date(number), parts);
            assert_eq!(
                weekday(number),
                i64::from(date_.weekday().to_monday_zero_offset())
            );
            assert_eq!(
                days_in_month(parts.0, parts.1),
                i64::from(date_.days_in_month())
            );
            let wall = date_.at(23, 59, 58, 0);
            assert_eq!(date_time(seconds(wall)), wall);
            number += 17;
            date_ = date_.checked_add(jiff::Span::new().days(17)).unwrap();
        }
    }
}
