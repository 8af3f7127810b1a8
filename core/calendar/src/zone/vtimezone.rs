//! A zone as a VTIMEZONE (RFC 5545 §3.6.5), for programs that know no zones by name.
//!
//! What changes every year by one rule is one observance with an RRULE, as Outlook and Gmail want it, the first two of
//! them since 1970; what follows no such rule (Ramadan, decrees) is one observance each, without RDATE. Told is what holds
//! between two times, and after that what holds for ever.

use super::{
    by_name,
    equivalence::following,
    yearly::{Pattern, runs},
};
use crate::{
    tree::{Component, Property},
    wall,
};
use jiff::{
    Timestamp,
    tz::{Dst, TimeZone},
};

/// A change of a zone's offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Seconds since the epoch.
    pub at: i64,
    /// Offset from UTC before and after, in seconds.
    pub from: i32,
    pub to: i32,
    pub is_daylight: bool,
    pub name: String,
}

impl Change {
    /// On the wall clock as it was before.
    pub(super) const fn wall(&self) -> i64 {
        self.at + self.from as i64
    }

    /// Whether it may be the same change in another year.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let clock = |it: &Self| {
            let wall = it.wall();
            let day = wall.div_euclid(wall::DAY);
            (wall.rem_euclid(wall::DAY), wall::weekday(day))
        };
        (self.from, self.to, self.is_daylight, &self.name)
            == (other.from, other.to, other.is_daylight, &other.name)
            && clock(self) == clock(other)
    }
}

/// Changes before the first that is told, to see which rules hold then.
const BEFORE: usize = 4;
/// Zones have rules for ever after this year; before, one by one.
const LAST_TOLD_YEAR: i64 = 2040;
/// So many years show what a rule is: weekdays come round in 28.
const YEARS: i64 = 30;
/// Changes without a rule are told for so long after the last time.
const AFTER: i64 = 400 * wall::DAY;

/// A VTIMEZONE named `id` that agrees with `zone` from `first` to `last`.
///
/// ```
/// use convoke_calendar::zone::{by_name, vtimezone};
///
/// let berlin = by_name("Europe/Berlin").ok_or("no such zone")?;
/// let (first, last) = ("2027-01-04T09:00:00Z".parse()?, "2027-12-31T09:00:00Z".parse()?);
/// let written = String::from_utf8(vtimezone("Europe/Berlin", &berlin, first, last).write())?;
/// assert!(written.contains("DTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn vtimezone(id: &str, zone: &TimeZone, first: Timestamp, last: Timestamp) -> Component {
    let mut component = Component::new("VTIMEZONE");
    component.push(Property::text("TZID", id));
    // Where it says no more than the TZID it is left out: some readers (dateutil) refuse properties that they do not know.
    let is_new = |name: &&str| by_name(id).is_none_or(|known| known.iana_name() != Some(name));
    if let Some(name) = zone.iana_name().filter(is_new) {
        component.push(Property::text("X-LIC-LOCATION", name));
    }
    let mut observances = observances(zone, first, last);
    observances.sort_by_key(|it| (it.start, it.change.at));
    let written = observances.iter().map(Observance::write);
    component.components.extend(written);
    component
}

/// One STANDARD or DAYLIGHT.
struct Observance {
    change: Change,
    /// On the wall clock.
    start: i64,
    rule: Option<String>,
}

fn observances(zone: &TimeZone, first: Timestamp, last: Timestamp) -> Vec<Observance> {
    let known = Known::of(zone, first, last);
    let first = first.as_second();
    // The change that made what holds at first.
    let Some(current) = known.changes.iter().rposition(|it| it.at <= first) else {
        let mut observances = vec![always(zone, first)];
        observances.extend(known.told(0, last));
        return observances;
    };
    known.told(current, last)
}

/// What holds since before anything is known, or for ever.
fn always(zone: &TimeZone, first: i64) -> Observance {
    let info = zone.to_offset_info(wall::timestamp(first));
    let offset = info.offset().seconds();
    let start = (first + i64::from(offset) - wall::DAY).min(0);
    let start = start.div_euclid(wall::DAY) * wall::DAY;
    let change = Change {
        at: start - i64::from(offset),
        from: offset,
        to: offset,
        is_daylight: false,
        name: info.abbreviation().to_owned(),
    };
    Observance {
        change,
        start,
        rule: None,
    }
}

/// The changes of a zone from a few before a time on, until rules hold for ever.
struct Known {
    changes: Vec<Change>,
    until: i64,
}

impl Known {
    fn of(zone: &TimeZone, first: Timestamp, last: Timestamp) -> Self {
        let after_first = wall::timestamp(first.as_second().saturating_add(1));
        let before = zone.preceding(after_first).take(3 * BEFORE);
        let mut times: Vec<i64> = before.map(|it| it.timestamp().as_second()).collect();
        times.reverse();
        let year = |at: Timestamp| i64::from(TimeZone::UTC.to_datetime(at).year());
        let until = year(last).max(year(first)).max(LAST_TOLD_YEAR) + YEARS;
        let until = wall::days(until, 1, 1) * wall::DAY;
        let following = following(zone, first).map(|it| it.timestamp().as_second());
        times.extend(following.take_while(|at| *at < until));
        times.dedup();
        let changes = times.into_iter().filter_map(|at| change(zone, at));
        Self {
            changes: changes.collect(),
            until,
        }
    }

    /// The observances of what holds since the change `current`.
    fn told(&self, current: usize, last: Timestamp) -> Vec<Observance> {
        let Some(since) = self.changes.get(current).map(|it| it.at) else {
            return Vec::new();
        };
        let horizon = last.as_second().saturating_add(AFTER);
        let runs = runs(&self.changes);
        // What is over by then is left out.
        let holds = |run: &&Vec<usize>| run.last().is_some_and(|last| *last >= current);
        let runs = runs.iter().filter(holds).map(|run| {
            let run: Vec<&Change> = run.iter().map(|at| &self.changes[*at]).collect();
            (Pattern::of(&run), run)
        });
        let runs: Vec<_> = runs.filter(|(_, run)| run[0].at <= horizon).collect();
        let mut holding = runs.iter().filter(|(pattern, run)| {
            pattern.is_some() && run[0].at <= since && run[run.len() - 1].at > since
        });
        let are_two = match (holding.next(), holding.next(), holding.next()) {
            (Some((_, one)), Some((_, other)), None) => {
                let has = |at: usize| {
                    let change = current.checked_sub(at).map(|at| &self.changes[at]);
                    change.is_some_and(|it| one.contains(&it) || other.contains(&it))
                };
                let (one, other) = (one[0], other[0]);
                (one.from, one.to) == (other.to, other.from) && has(0) && has(1)
            }
            _ => false,
        };
        let mut observances = Vec::new();
        for (pattern, run) in &runs {
            let Some(pattern) = pattern else {
                let told = run.iter().filter(|it| it.at >= since && it.at <= horizon);
                observances.extend(told.map(|change| Observance::single(change)));
                continue;
            };
            let is_old = run[0].at <= since;
            for part in pattern.parts(run) {
                let start = part.first.wall();
                let start = if are_two && is_old {
                    start.min(part.first_since_1970())
                } else {
                    start
                };
                let end = if run[run.len() - 1].at < self.until - 366 * wall::DAY {
                    // In UTC (RFC 5545 §3.6.5), and late enough for those who take it for the time on the wall.
                    let until = wall::date_time(part.last.at.max(part.last.wall()));
                    format!(";UNTIL={}", until.strftime("%Y%m%dT%H%M%SZ"))
                } else {
                    String::new()
                };
                observances.push(Observance {
                    start,
                    rule: Some(format!("FREQ=YEARLY;{}{end}", part.rule)),
                    change: part.first.clone(),
                });
            }
        }
        observances
    }
}

fn change(zone: &TimeZone, at: i64) -> Option<Change> {
    let before = zone.to_offset_info(wall::timestamp(at - 1));
    let after = zone.to_offset_info(wall::timestamp(at));
    let (from, to) = (before.offset().seconds(), after.offset().seconds());
    let [was_summer, is_summer] = [before.dst(), after.dst()].map(|it| it == Dst::Yes);
    if from == to && was_summer == is_summer {
        return None;
    }
    // Ireland's and Morocco's winter is what IANA calls daylight saving time; here it is whatever is ahead.
    let is_daylight = match (was_summer, is_summer) {
        (false, true) => to >= from,
        (true, false) => to > from,
        (both, _) => both,
    };
    Some(Change {
        at,
        from,
        to,
        is_daylight,
        name: after.abbreviation().to_owned(),
    })
}

impl Observance {
    fn single(change: &Change) -> Self {
        Self {
            start: change.wall(),
            change: change.clone(),
            rule: None,
        }
    }

    fn write(&self) -> Component {
        let kind = if self.change.is_daylight {
            "DAYLIGHT"
        } else {
            "STANDARD"
        };
        let mut component = Component::new(kind);
        component.push(Property::text("TZNAME", &self.change.name));
        component.push(Property::new("TZOFFSETFROM", offset(self.change.from)));
        component.push(Property::new("TZOFFSETTO", offset(self.change.to)));
        let start = wall::date_time(self.start).strftime("%Y%m%dT%H%M%S");
        component.push(Property::new("DTSTART", start.to_string()));
        if let Some(rule) = &self.rule {
            component.push(Property::new("RRULE", rule));
        }
        component
    }
}

/// RFC 5545 §3.3.14.
fn offset(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if rest == 0 {
        format!("{sign}{hours:02}{minutes:02}")
    } else {
        format!("{sign}{hours:02}{minutes:02}{rest:02}")
    }
}

#[cfg(test)]
mod tests;
