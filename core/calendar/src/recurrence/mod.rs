//! The instances of calendar objects (RFC 5545 §3.8.5): rule, extra dates, exceptions, overrides.
//!
//! A rule is expanded on the wall clock and mapped to instants with the zone afterwards, so that a meeting at ten stays
//! at ten when the clocks change. [`rule`](crate::rule) does the first half, this module the rest.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `series` | one object: the main component and what overrides it |
//! | `timed` | one component: when it starts, how long it takes |
//! | `walk` | the instances of a series within a range |
//! | `count` | how many instances a finite object has |
//!
//! Always true: work is bounded by [`Limits::work`], and a rule without COUNT is not followed from its beginning but
//! from just before the range that is asked for. DTSTART is the first instance whether the rule would give it or not,
//! and COUNT counts it. What overrides an instance counts even where the rule has no such instance, but not where EXDATE
//! names it. Of two versions of a component the one with the greater SEQUENCE counts.
//!
//! A property without a value is as if it were not there, and a wrong date in RDATE or EXDATE names no instance. A time
//! whose parameters lost a `=`, perhaps that of TZID, is read off the clock of the rest.
//!
//! EXRULE, which RFC 5545 dropped, takes away what it gives, as old calendars mean it.
//!
//! Not done: RSCALE (RFC 7529) is refused.

mod count;
mod series;
#[cfg(test)]
mod tests;
mod timed;
mod walk;

pub use count::finite_instances;

pub(crate) use series::Series;

use crate::{
    rule::{Rule, RuleError},
    time::{BadValue, When},
    tree::{Calendar, Component, Limits},
    work::{TooMuchWork, Work},
    zone::{ZoneError, Zones},
};
use convoke_types::TimeRange;
use jiff::{Timestamp, tz::TimeZone};

/// One occurrence of an object.
#[derive(Clone, Copy, Debug)]
pub struct Instance<'a> {
    /// What describes it: the main component, or the one that overrides it.
    pub component: &'a Component,
    /// Which one of its series it is: when it would begin if nothing had moved it.
    pub id: Timestamp,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends; the same as `start` if it takes no time.
    pub end: Timestamp,
}

/// An object's instances cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecurrenceError {
    /// A date or duration is wrong.
    #[error(transparent)]
    Value(#[from] BadValue),
    /// The rule is wrong, or not done here.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A VTIMEZONE is beyond all measure.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// There are more instances than were asked for.
    #[error("there are more than {0} recurrence instances")]
    TooMany(usize),
    /// To find the instances takes more steps than are allowed.
    #[error("the recurrence takes more work than is allowed; make it rarer, or give it an end")]
    TooMuchWork,
    /// A component has no DTSTART.
    #[error("{0} has no DTSTART, so it has no instances")]
    NoStart(String),
}

impl From<TooMuchWork> for RecurrenceError {
    fn from(_: TooMuchWork) -> Self {
        Self::TooMuchWork
    }
}

impl RecurrenceError {
    /// It is correct, but not done here: a calendar other than the Gregorian.
    pub const fn is_unsupported(&self) -> bool {
        matches!(self, Self::Rule(rule) if rule.is_unsupported())
    }
}

/// The instances of the components named `kind` that overlap `range`, in no order; dates and floating times are in `own`.
///
/// An instance without length overlaps if it lies in the range. More than [`Limits::work`] allows are an error.
///
/// ```
/// use convoke_calendar::{recurrence::instances, tree::{Calendar, Limits}};
/// use convoke_types::TimeRange;
/// use jiff::tz::TimeZone;
///
/// let octets = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20270104T100000\n\
///     RRULE:FREQ=WEEKLY\nEXDATE;TZID=Europe/Berlin:20270111T100000\nEND:VEVENT\nEND:VCALENDAR\n";
/// let calendar = Calendar::parse(octets, &Limits::default())?;
/// let january = TimeRange::new("2027-01-01T00:00:00Z".parse()?, "2027-02-01T00:00:00Z".parse()?)?;
/// let found = instances(&calendar, "VEVENT", &TimeZone::UTC, january, &Limits::default())?;
/// assert_eq!(found.len(), 3);
/// assert_eq!(found[0].start.to_string(), "2027-01-04T09:00:00Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn instances<'a>(
    calendar: &'a Calendar,
    kind: &str,
    own: &TimeZone,
    range: TimeRange,
    limits: &Limits,
) -> Result<Vec<Instance<'a>>, RecurrenceError> {
    let zones = Zones::of(calendar, own.clone());
    let components = calendar.root().components.iter().filter(|it| it.is(kind));
    let mut work = Work::of(limits.work);
    let mut found = Vec::new();
    for series in Series::all(components, &zones)? {
        series.walk(range, &mut work, &mut |instance| found.push(instance))?;
    }
    Ok(found)
}

/// Whether a rule of an object gives several instances a day, so that to expand it takes long.
pub fn repeats_within_a_day(calendar: &Calendar) -> bool {
    let components = calendar.main_components();
    let mut rules = components.flat_map(|component| component.all("RRULE"));
    rules.any(|line| Rule::parse(&line.value).is_ok_and(|rule| rule.is_within_a_day()))
}

/// DTSTART of a component; a to-do may have DUE alone.
pub(crate) fn start(component: &Component) -> Result<When, RecurrenceError> {
    let property = component
        .stated("DTSTART")
        .or_else(|| component.stated("DUE").filter(|_| component.is("VTODO")))
        .ok_or_else(|| RecurrenceError::NoStart(component.name.to_ascii_uppercase()))?;
    let start = When::of(property)?;
    let end = component.stated("DTEND").filter(|_| property.is_garbled());
    match end.map(When::of) {
        Some(Ok(end)) => Ok(start.on_clock_of(property, &end.clock)),
        _ => Ok(start),
    }
}
