//! The time zones that components use, and the range of times for which they use them.

use crate::{
    rule::Rule,
    stamp::{basic_date_time, utc},
    tree::Component,
};
use jiff::{Span as Length, Timestamp, ToSpan, civil, tz::TimeZone};
use std::collections::BTreeMap;

/// The times in one zone, from the first to the last on the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    first: civil::DateTime,
    last: civil::DateTime,
    /// They go on, by a rule whose end is not told as a date.
    endless: bool,
}

/// How long after its last date what goes on for ever is looked at, and at least until when.
const AHEAD: i16 = 20;
const AT_LEAST_UNTIL: civil::DateTime =
    civil::date(2047, 1, 1).to_datetime(civil::Time::midnight());

impl Span {
    /// The same and another.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            endless: self.endless || other.endless,
        }
    }

    /// A little before the first of the times.
    pub(super) fn begin(&self) -> Timestamp {
        around(self.first, -2.days())
    }

    /// A little after the last of them, or as far as one looks ahead.
    pub(super) fn end(&self) -> Timestamp {
        let last = around(self.last, 2.days());
        if !self.endless {
            return last;
        }
        let ahead = around(self.last, i64::from(AHEAD).years());
        ahead.max(around(AT_LEAST_UNTIL, Length::new()))
    }
}

fn around(wall: civil::DateTime, shift: Length) -> Timestamp {
    let wall = wall.saturating_add(shift);
    TimeZone::UTC
        .to_timestamp(wall)
        .unwrap_or(if wall.year() < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
}

/// The TZIDs that components name, with the times in them; `None` where no value is a time.
pub(crate) fn used<'c>(
    components: impl IntoIterator<Item = &'c Component>,
) -> BTreeMap<&'c str, Option<Span>> {
    let mut used = BTreeMap::new();
    for component in components {
        if !component.is("VTIMEZONE") {
            note(component, &mut used);
        }
    }
    used
}

fn note<'c>(component: &'c Component, used: &mut BTreeMap<&'c str, Option<Span>>) {
    let mut end = None;
    for line in &component.properties {
        let Some(id) = line.param("TZID") else {
            continue;
        };
        let times = line.value.split([',', '/']).filter_map(basic_date_time);
        let known = used.entry(id).or_default();
        for time in times {
            let end = end.get_or_insert_with(|| End::of(component));
            let span = Span {
                first: time,
                last: end.until.map_or(time, |until| until.max(time)),
                endless: end.endless,
            };
            *known = Some(known.map_or(span, |known| known.and(span)));
        }
    }
    for inner in &component.components {
        note(inner, used);
    }
}

/// When a component's recurrences end.
struct End {
    /// Also what is known to be later than its dates: when it was written.
    until: Option<civil::DateTime>,
    endless: bool,
}

impl End {
    fn of(component: &Component) -> Self {
        let mut end = Self {
            until: None,
            endless: false,
        };
        for rule in component.all("RRULE") {
            let until = Rule::parse(&rule.value).ok();
            let until = until.and_then(|rule| rule.until().map(|it| it.wall));
            end.endless |= until.is_none();
            end.until = end.until.max(until);
        }
        let written = component.value("DTSTAMP").and_then(utc);
        let written = written.filter(|_| end.endless);
        end.until = end
            .until
            .max(written.map(|at| TimeZone::UTC.to_datetime(at)));
        end
    }
}
