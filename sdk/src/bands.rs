//! Busy time in a database: one index scan whose cost follows the answer, not the calendar.
//!
//! A span overlaps `from..to` if `start < to` and `end > from`. An index on `start` alone would read all the past, as a
//! span from years ago might be long. So spans stand in bands by their length, each band four times as long as the one
//! before: in a band whose spans last at most [`longest`], only those that start after `from - longest` can overlap. A query is
//! one seek in each of the [`BANDS`], and reads little more than it answers with.
//!
//! Instants are whole microseconds since 1970, rounded outwards: [`floor`] where busy time begins, [`ceiling`] where it ends.

use jiff::Timestamp;
use std::ops::Range;

/// Spans of band 0 last up to 2³² µs, 71 minutes: most meetings.
const FIRST: u32 = 32;

/// The bands. Spans of the last one last up to 2⁶⁰ µs, 36,000 years, more than two [`Timestamp`]s can be apart.
pub const BANDS: Range<u16> = 0..15;

/// How many microseconds a span of a band lasts at most.
pub const fn longest(band: u16) -> i64 {
    1 << (FIRST + 2 * band as u32)
}

/// The first band whose longest span lasts so many microseconds or more.
pub fn band(length: i64) -> u16 {
    let fits = |band: &u16| length <= longest(*band);
    BANDS.clone().find(fits).unwrap_or(BANDS.end - 1)
}

/// The last whole microsecond at or before an instant.
pub fn floor(instant: Timestamp) -> i64 {
    whole(instant.as_nanosecond().div_euclid(1000))
}

/// The first whole microsecond at or after an instant.
pub fn ceiling(instant: Timestamp) -> i64 {
    whole(-(-instant.as_nanosecond()).div_euclid(1000))
}

fn whole(microseconds: i128) -> i64 {
    i64::try_from(microseconds).expect("a timestamp lies within 10,000 years of 1970")
}

/// The instant of a number of microseconds; the first or last there is for one beyond them.
pub fn instant(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(if microseconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_a_band_that_is_long_enough() {
        for exponent in 0..=60 {
            for length in [(1 << exponent) - 1, 1 << exponent, (1 << exponent) + 1] {
                let band = band(length);
                assert!(length <= longest(band) || band == 14, "{length}");
                assert!(band == 0 || length > longest(band - 1), "{length}");
            }
        }
        assert!(ceiling(Timestamp::MAX) - floor(Timestamp::MIN) <= longest(14));
    }

    #[test]
    fn instants_are_rounded_outwards_at_both_ends_of_time() {
        for nanosecond in [-1500, -1000, -1, 0, 1, 999, 1000, 1001] {
            let instant = Timestamp::from_nanosecond(nanosecond).unwrap();
            assert!(i128::from(floor(instant)) * 1000 <= nanosecond);
            assert!(i128::from(ceiling(instant)) * 1000 >= nanosecond);
        }
        assert_eq!(instant(ceiling(Timestamp::MAX)), Timestamp::MAX);
        assert_eq!(instant(floor(Timestamp::MIN)), Timestamp::MIN);
    }
}
