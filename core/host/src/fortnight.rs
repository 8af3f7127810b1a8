//! The two weeks that are shown of somebody's busy time.

use convoke_types::TimeRange;
use jiff::{Span, civil::Date, tz::TimeZone};

/// Days that are shown.
pub(crate) const DAYS: i64 = 14;

/// From the midnight that a day begins with, on the clock of whom it is about.
pub(crate) fn range(zone: &TimeZone, today: Date) -> Option<TimeRange> {
    let end = today.checked_add(Span::new().days(DAYS)).ok()?;
    let midnight = |day: Date| zone.to_timestamp(day.at(0, 0, 0, 0)).ok();
    TimeRange::new(midnight(today)?, midnight(end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_from_midnight_to_midnight_on_the_users_clock() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        // The clock is set forward in it.
        let range = range(&zone, "2027-03-20".parse().unwrap()).unwrap();
        assert_eq!(range.start().to_string(), "2027-03-19T23:00:00Z");
        assert_eq!(range.end().to_string(), "2027-04-02T22:00:00Z");
    }
}
