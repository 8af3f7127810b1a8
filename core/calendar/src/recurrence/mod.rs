//! The instances of a calendar object (RFC 5545 §3.8.5): rule, extra dates, exceptions, overrides.
//!
//! A rule is expanded on the wall clock and mapped to instants with the zone afterwards, so that a meeting at ten stays
//! at ten when the clocks change. `rule` does the first half with the `rrule` crate; this module the rest.
//!
//! Always true: work is bounded. At most [`MAX_INSTANCES`] instances are made for one question, and a rule without
//! COUNT is not followed from its beginning but from just before the range that is asked for.
//!
//! Not done: RSCALE (RFC 7529) is refused, EXRULE (obsolete) is ignored.

mod rule;
mod series;

pub use rule::{Rule, RuleError};

use crate::{
    time::{BadValue, When},
    tree::{Calendar, Component},
    zone::Zones,
};
use convoke_types::TimeRange;
use jiff::{Timestamp, tz::TimeZone};
use series::Series;
pub(crate) use series::is_endless;

/// The most instances made for one question.
pub const MAX_INSTANCES: usize = 100_000;

/// One occurrence of an object.
#[derive(Clone, Copy, Debug)]
pub struct Instance<'a> {
    /// What describes it: the main component, or the one that overrides it.
    pub component: &'a Component,
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
    /// There are more than are looked at.
    #[error("there are more than {0} recurrence instances")]
    TooMany(usize),
    /// A component has no DTSTART.
    #[error("{0} has no DTSTART, so it has no instances")]
    NoStart(String),
}

/// The instances of the components named `kind` that overlap `range`, in no order; dates and floating times are in `own`.
///
/// An instance without length overlaps if it lies in the range.
pub fn instances<'a>(
    calendar: &'a Calendar,
    kind: &str,
    own: &TimeZone,
    range: TimeRange,
) -> Result<Vec<Instance<'a>>, RecurrenceError> {
    let zones = Zones::of(calendar, own.clone());
    let components: Vec<&Component> = calendar
        .root()
        .components
        .iter()
        .filter(|it| it.is(kind))
        .collect();
    Series::of(&components, &zones)?.instances(range, MAX_INSTANCES)
}

/// How many instances a finite object has; an endless rule counts as one. `TooMany` beyond `most`.
pub fn finite_instances(calendar: &Calendar, most: usize) -> Result<usize, RecurrenceError> {
    let mut count = 0;
    for component in calendar.main_components() {
        count += rule::finite(component, most)?;
        if count > most {
            return Err(RecurrenceError::TooMany(most));
        }
    }
    Ok(count)
}

/// DTSTART of a component.
pub(crate) fn start(component: &Component) -> Result<When, RecurrenceError> {
    let property = component
        .get("DTSTART")
        .ok_or_else(|| RecurrenceError::NoStart(component.name.clone()))?;
    Ok(When::of(property)?)
}

#[cfg(test)]
mod tests;
