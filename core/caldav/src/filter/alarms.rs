//! When alarms go off (RFC 4791 §9.9, RFC 5545 §3.6.6).

use super::{Objects, WORK};
use convoke_calendar::{
    recurrence::{RecurrenceError, instances},
    time::{Clock, Length, When},
    tree::{Component, Limits},
};
use convoke_types::TimeRange;
use jiff::{SignedDuration, Span, Timestamp, tz::TimeZone};

/// Zones move the clock by no more.
const DAY_AND_MORE: SignedDuration = SignedDuration::from_hours(26);

/// Whether an alarm of a component goes off in a range. Where that takes too much work to tell, it does.
pub(super) fn goes_off(
    alarm: &Component,
    of: &Component,
    range: TimeRange,
    objects: &Objects<'_>,
) -> bool {
    let Some(trigger) = alarm.get("TRIGGER") else {
        return false;
    };
    let repeats = Repeats::of(alarm);
    if let Some(at) = objects.instant(trigger) {
        return repeats.fall_in(at, range);
    }
    let Ok(offset) = Length::of(trigger) else {
        return false;
    };
    let related = trigger.param("RELATED");
    let is_to_end = related.is_some_and(|it| it.eq_ignore_ascii_case("END"));
    let limits = Limits {
        work: WORK,
        ..Limits::default()
    };
    let searched = repeats.searched(offset, range);
    let own = objects.zones.own();
    match instances(objects.calendar, &of.name, &own, searched, &limits) {
        Ok(found) => {
            let zone = zone(of, objects);
            let mut found = found.iter().filter(|it| std::ptr::eq(it.component, of));
            found.any(|it| {
                let anchor = if is_to_end { it.end } else { it.start };
                repeats.fall_in(after(anchor, offset, &zone), range)
            })
        }
        Err(RecurrenceError::NoStart(_)) => false,
        Err(_) => true,
    }
}

/// How often an alarm goes off again.
struct Repeats {
    times: i64,
    /// In seconds.
    every: i64,
}

impl Repeats {
    fn of(alarm: &Component) -> Self {
        let times = alarm.value("REPEAT").and_then(|it| it.trim().parse().ok());
        let every = alarm.get("DURATION").and_then(|it| Length::of(it).ok());
        let every = every.map_or(0, |it| exactly(it).as_secs());
        let is_repeated = every > 0;
        let times = times.filter(|times: &i64| *times > 0 && is_repeated);
        Self {
            times: times.unwrap_or(0),
            every,
        }
    }

    /// Whether an alarm that goes off at a time, and then again, does so in a range.
    fn fall_in(&self, at: Timestamp, range: TimeRange) -> bool {
        let (first, start) = (at.as_second(), range.start().as_second());
        let missing = start.saturating_sub(first).max(0);
        if missing == 0 {
            return at < range.end();
        }
        if self.times == 0 {
            return false;
        }
        let next = missing.div_euclid(self.every) + i64::from(missing % self.every != 0);
        let at = first.saturating_add(next.saturating_mul(self.every));
        next <= self.times && at < range.end().as_second()
    }

    /// Where what an alarm belongs to may be, if it goes off in a range.
    fn searched(&self, offset: Length, range: TimeRange) -> TimeRange {
        let offset = exactly(offset);
        let last = SignedDuration::from_secs(self.times.saturating_mul(self.every));
        let before = offset.saturating_add(last).saturating_add(DAY_AND_MORE);
        let start = range.start().saturating_sub(before);
        let end = range
            .end()
            .saturating_sub(offset.saturating_sub(DAY_AND_MORE));
        let (start, end) = (
            start.unwrap_or(Timestamp::MIN),
            end.unwrap_or(Timestamp::MAX),
        );
        TimeRange::new(start, end).unwrap_or(TimeRange::ALL)
    }
}

/// A length with days of twenty-four hours.
fn exactly(length: Length) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(length.days)).saturating_add(length.exact)
}

/// Days are those of the wall clock.
fn after(anchor: Timestamp, offset: Length, zone: &TimeZone) -> Timestamp {
    let days = Span::new().days(offset.days);
    let wall = zone.to_datetime(anchor).saturating_add(days);
    let at = zone.to_ambiguous_timestamp(wall).compatible();
    let at = at.and_then(|it| it.saturating_add(offset.exact));
    at.unwrap_or(anchor)
}

/// The zone of a component's times.
fn zone(component: &Component, objects: &Objects<'_>) -> TimeZone {
    let start = component.get("DTSTART").or_else(|| component.get("DUE"));
    match start.and_then(|it| When::of(it).ok()).map(|it| it.clock) {
        Some(Clock::Utc) => TimeZone::UTC,
        Some(Clock::Zone(id)) => {
            let zone = objects.zones.get(&id);
            zone.unwrap_or_else(|_| objects.zones.own())
        }
        Some(Clock::Date | Clock::Floating) | None => objects.zones.own(),
    }
}
