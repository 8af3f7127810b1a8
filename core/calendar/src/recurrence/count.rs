//! Counting the instances of a finite object, for `max-instances` (spec §4).

use super::{RecurrenceError, Series};
use crate::{tree::Calendar, work::Work, zone::Zones};
use jiff::tz::TimeZone;

/// Steps that may be taken to count; the instances of a rule that takes more lie far apart.
const COUNTING: usize = 500_000;

/// How many instances an object has by COUNT, UNTIL, RDATE and overrides; an endless rule adds none (spec §9).
/// [`RecurrenceError::TooMany`] beyond `most`.
///
/// EXDATE takes nothing away, as the limit is about work. A rule that ends, but gives an instance so seldom that to
/// count them is work by itself, counts as far as it was followed: such a rule has few.
pub fn finite_instances(calendar: &Calendar, most: usize) -> Result<usize, RecurrenceError> {
    let zones = Zones::of(calendar, TimeZone::UTC);
    let mut work = Work::of(COUNTING);
    let components = calendar.main_components();
    // What has no start at all, as a CANCEL may, has no instances either.
    let components = components.filter(|it| super::start(it).is_ok());
    let mut count = 0;
    for series in Series::all(components, &zones)? {
        count += series.finite(most.saturating_sub(count), &mut work);
        if count > most {
            return Err(RecurrenceError::TooMany(most));
        }
    }
    Ok(count)
}

impl Series<'_> {
    fn finite(&self, most: usize, work: &mut Work) -> usize {
        let Some(main) = &self.main else {
            return self.overrides.len();
        };
        let moved_outside = |id| !main.dates.contains_key(id) && main.rules.is_empty();
        let mut count = main.dates.len();
        count += self.overrides.keys().filter(|id| moved_outside(id)).count();
        for ruled in main.rules.iter().filter(|ruled| ruled.rule.is_finite()) {
            let begin = crate::wall::seconds(main.timed.start.wall);
            let Ok(mut occurrences) = main.occurrences(ruled, begin, work) else {
                break;
            };
            while count <= most
                && let Ok(Some(time)) = occurrences.next(i64::MAX, work)
            {
                count += usize::from(time != begin);
            }
        }
        count
    }
}
