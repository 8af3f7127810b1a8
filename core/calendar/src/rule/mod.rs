//! Recurrence rules (RFC 5545 §3.3.10) on wall-clock time.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `parse` | text → [`Rule`] |
//! | `expand` | [`Rule`] → times on the wall, in order |
//! | `days` | which days the BY parts let through |
//! | `error` | [`RuleError`] |
//!
//! The expansion is our own, not that of the `rrule` crate: it can start at any time without walking there from
//! DTSTART, every step is counted against a budget, and nothing limits INTERVAL to 16 bits. The crate is the oracle
//! in our tests.
//!
//! A part without a value is as if it were not there; an empty UNTIL or COUNT leaves the rule endless.
//!
//! A rule with both COUNT and UNTIL, which RFC 5545 forbids, ends with whichever comes first, as in all libraries that we
//! know; [`Rule::check`] tells of it. What a rule leaves open is as in DTSTART, also the weekday of a BYWEEKNO without BYDAY, as libical, lib-recur and
//! ical4j do; python-dateutil and the `rrule` crate take all seven days. Not
//! done: RSCALE and SKIP of RFC 7529, which are refused ([`RuleError::is_unsupported`]).

mod days;
mod error;
mod expand;
mod parse;
#[cfg(test)]
mod tests;

pub use error::RuleError;

pub(crate) use expand::Occurrences;

use error::Problem;

use crate::time::When;

/// A recurrence rule.
///
/// ```
/// use convoke_calendar::rule::Rule;
///
/// assert!(Rule::parse("FREQ=MONTHLY;BYDAY=-1FR;COUNT=3")?.is_finite());
/// let error = Rule::parse("FREQ=MONTHLY;BYDAY=XX").unwrap_err();
/// assert!(error.to_string().starts_with("RRULE: BYDAY is `XX`"));
/// # Ok::<(), convoke_calendar::rule::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    frequency: Frequency,
    interval: u32,
    count: Option<u32>,
    until: Option<When>,
    /// Monday is 0.
    week_start: i64,
    by_month: Vec<i64>,
    by_week_no: Vec<i64>,
    by_year_day: Vec<i64>,
    by_month_day: Vec<i64>,
    by_day: Vec<WeekdayOf>,
    by_hour: Vec<i64>,
    by_minute: Vec<i64>,
    by_second: Vec<i64>,
    by_set_pos: Vec<i64>,
}

/// FREQ, the rarest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Frequency {
    Yearly,
    Monthly,
    Weekly,
    Daily,
    Hourly,
    Minutely,
    Secondly,
}

/// `MO`, `1MO`, `-1MO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WeekdayOf {
    /// The how manieth of its month or year, from the end if negative; 0 for every one.
    nth: i64,
    /// Monday is 0.
    weekday: i64,
}

impl Rule {
    /// Reads the value of an RRULE.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        parse::rule(text)
    }

    /// Whether it is as RFC 5545 §3.3.10 has it, besides being understood: COUNT and UNTIL exclude each other.
    pub fn check(&self) -> Result<(), RuleError> {
        match (self.count, &self.until) {
            (Some(_), Some(_)) => Err(Problem::CountAndUntil.into()),
            _ => Ok(()),
        }
    }

    /// Reads the value of an RRULE in a message: [`Rule::check`] holds, and no part is empty but the BY parts that some
    /// programs write without need.
    pub(crate) fn of_message(text: &str) -> Result<Self, RuleError> {
        if let Some(part) = Self::empty_part(text) {
            return Err(Problem::EmptyPart(part).into());
        }
        let rule = Self::parse(text)?;
        rule.check()?;
        Ok(rule)
    }

    /// A part of an RRULE that is written without its value, and so says nothing.
    pub(crate) fn empty_part(text: &str) -> Option<&'static str> {
        parse::empty_part(text)
    }

    /// Whether it ends by itself: by COUNT or UNTIL.
    pub const fn is_finite(&self) -> bool {
        self.count.is_some() || self.until.is_some()
    }

    /// Whether it may give several instances a day.
    pub fn is_within_a_day(&self) -> bool {
        let lists = [&self.by_hour, &self.by_minute, &self.by_second];
        self.frequency >= Frequency::Hourly || lists.iter().any(|list| list.len() > 1)
    }

    /// The rule for a series of whole days, where the parts within a day must be ignored (RFC 5545 §3.3.10).
    pub(crate) fn of_whole_days(self) -> Self {
        Self {
            by_hour: Vec::new(),
            by_minute: Vec::new(),
            by_second: Vec::new(),
            ..self
        }
    }

    /// COUNT.
    pub(crate) const fn count(&self) -> Option<u32> {
        self.count
    }

    /// UNTIL as it is written.
    pub(crate) const fn until(&self) -> Option<&When> {
        self.until.as_ref()
    }
}
