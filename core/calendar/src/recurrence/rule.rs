//! One RRULE on the wall clock (RFC 5545 §3.3.10).

use super::{RecurrenceError, start};
use crate::{
    message::basic_date_time,
    tree::{Component, Property},
};
use chrono::{DateTime, Datelike, NaiveDate, TimeZone as _, Timelike};
use jiff::civil;
use rrule::{Frequency, RRule, RRuleSet, Tz, Unvalidated};

/// A RRULE is wrong, or not done here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It is not a rule.
    #[error("RRULE: `{rule}` is not a recurrence rule: {reason}")]
    Invalid {
        /// The rule.
        rule: String,
        /// What is wrong.
        reason: String,
    },
    /// Its calendar is not the Gregorian.
    #[error("RRULE: `{0}` counts in another calendar (RSCALE), which is not supported")]
    Unsupported(String),
}

/// A rule with COUNT is followed from its beginning, but no further than this.
const MAX_STEPS: usize = 1_000_000;

/// What a rule gives.
pub struct Starts {
    /// In order.
    pub walls: Vec<civil::DateTime>,
    /// Whether there may be more than were asked for.
    pub cut: bool,
}

/// A rule, ready to be followed.
pub struct Rule {
    rule: RRule<Unvalidated>,
    text: String,
}

impl Rule {
    /// Reads a rule whose series begins at `start` on the wall clock; `local` turns an UNTIL in UTC into wall-clock time.
    pub fn read(
        property: &Property,
        start: civil::DateTime,
        local: impl Fn(civil::DateTime) -> civil::DateTime,
    ) -> Result<Self, RuleError> {
        let text: String = property.value.chars().take(200).collect();
        let invalid = |reason: String| RuleError::Invalid {
            rule: text.clone(),
            reason,
        };
        let mut parts = Vec::new();
        let mut until = None;
        for part in property.value.trim().trim_end_matches(';').split(';') {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| invalid(format!("`{part}` is not a part")))?;
            match name.trim().to_ascii_uppercase().as_str() {
                "RSCALE" | "SKIP"
                    if !value.trim().eq_ignore_ascii_case("GREGORIAN")
                        && !value.trim().eq_ignore_ascii_case("OMIT") =>
                {
                    return Err(RuleError::Unsupported(text));
                }
                "RSCALE" | "SKIP" => {}
                "UNTIL" => {
                    until = Some(
                        read_until(value, &local)
                            .ok_or_else(|| invalid(format!("UNTIL `{value}` is no time")))?,
                    );
                }
                _ => parts.push(part.trim().to_ascii_uppercase()),
            }
        }
        let mut rule: RRule<Unvalidated> = parts
            .join(";")
            .parse()
            .map_err(|error: rrule::RRuleError| invalid(error.to_string()))?;
        if let Some(until) = until {
            rule = rule.until(to_chrono(until));
        }
        // What the crate refuses only with a start is refused here already, so that following it cannot fail.
        rule.clone()
            .until(to_chrono(
                civil::DateTime::MAX.min(civil::date(9990, 1, 1).at(0, 0, 0, 0)),
            ))
            .validate(to_chrono(start))
            .map_err(|error| invalid(error.to_string()))?;
        Ok(Self { rule, text })
    }

    /// Whether it ends by itself.
    pub fn is_finite(&self) -> bool {
        self.rule.get_count().is_some() || self.rule.get_until().is_some()
    }

    /// The starts from `from` to `to`, both included, of a series that begins at `start`; at most `most` of them.
    ///
    /// What a rule without COUNT gives long before `from` is skipped without being made.
    pub fn starts(
        &self,
        start: civil::DateTime,
        from: civil::DateTime,
        to: civil::DateTime,
        most: usize,
    ) -> Starts {
        let mut starts = Starts {
            walls: Vec::new(),
            cut: false,
        };
        let begin = if self.rule.get_count().is_some() {
            start
        } else {
            self.forward(start, from)
        };
        let begin = to_chrono(begin);
        if self.rule.get_until().is_some_and(|until| *until < begin) {
            return starts;
        }
        let Ok(rule) = self.rule.clone().validate(begin) else {
            return starts;
        };
        let set = RRuleSet::new(begin).rrule(rule).limit();
        for (made, at) in set.into_iter().map(from_chrono).enumerate() {
            if at > to {
                break;
            }
            if starts.walls.len() == most || made >= MAX_STEPS {
                starts.cut = true;
                break;
            }
            if at >= from {
                starts.walls.push(at);
            }
        }
        starts
    }

    /// A later start that gives the same series from `from` on: whole intervals are skipped, and some are left as a margin.
    fn forward(&self, start: civil::DateTime, from: civil::DateTime) -> civil::DateTime {
        let interval = i64::from(self.rule.get_interval().max(1));
        let seconds = from.duration_since(start).as_secs();
        let (unit, margin) = match self.rule.get_freq() {
            Frequency::Secondly => (interval, 2 * 86400),
            Frequency::Minutely => (60 * interval, 2 * 86400),
            Frequency::Hourly => (3600 * interval, 2 * 86400),
            Frequency::Daily => (86400 * interval, 7 * 86400),
            Frequency::Weekly => (7 * 86400 * interval, 28 * 86400),
            Frequency::Monthly | Frequency::Yearly => return self.forward_years(start, from),
        };
        let steps = (seconds - margin - unit) / unit;
        if steps <= 0 {
            return start;
        }
        start.saturating_add(jiff::Span::new().seconds(steps * unit))
    }

    /// Years are skipped by a number that keeps the months in step, and 29 February where it is the start.
    fn forward_years(&self, start: civil::DateTime, from: civil::DateTime) -> civil::DateTime {
        let interval = i32::from(self.rule.get_interval().max(1));
        let unit = if start.month() == 2 && start.day() == 29 {
            interval * 28
        } else {
            interval
        };
        let steps = (i32::from(from.year()) - i32::from(start.year()) - 2) / unit;
        let mut steps = steps.max(0);
        while steps > 0 {
            let year = i32::from(start.year()) + steps * unit;
            let later = i16::try_from(year)
                .ok()
                .and_then(|year| start.with().year(year).build().ok());
            match later {
                Some(later) => return later,
                None => steps -= 1,
            }
        }
        start
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

fn read_until(
    value: &str,
    local: impl Fn(civil::DateTime) -> civil::DateTime,
) -> Option<civil::DateTime> {
    let value = value.trim();
    let wall = basic_date_time(value)?;
    if !value.contains(['T', 't']) {
        // A date includes its whole day.
        return Some(wall.date().at(23, 59, 59, 0));
    }
    Some(if value.ends_with(['Z', 'z']) {
        local(wall)
    } else {
        wall
    })
}

fn to_chrono(wall: civil::DateTime) -> DateTime<Tz> {
    let number = |number: i8| u32::from(number.unsigned_abs());
    let date = NaiveDate::from_ymd_opt(
        i32::from(wall.year()),
        number(wall.month()),
        number(wall.day()),
    );
    let time = date.and_then(|date| {
        date.and_hms_opt(
            number(wall.hour()),
            number(wall.minute()),
            number(wall.second()),
        )
    });
    Tz::UTC.from_utc_datetime(&time.expect("a civil time of one library is one of the other"))
}

fn from_chrono(at: DateTime<Tz>) -> civil::DateTime {
    let number = |number: u32| i8::try_from(number).unwrap_or(0);
    let year = i16::try_from(at.year()).unwrap_or(9999);
    civil::DateTime::new(
        year,
        number(at.month()),
        number(at.day()),
        number(at.hour()),
        number(at.minute()),
        number(at.second()),
        0,
    )
    .unwrap_or(civil::DateTime::MAX)
}

/// How many instances a component has by itself; 1 if it does not repeat or never ends.
pub(super) fn finite(component: &Component, most: usize) -> Result<usize, RecurrenceError> {
    let dates: usize = component
        .all("RDATE")
        .map(|date| date.value.split(',').count())
        .sum();
    let mut count = 1 + dates;
    for property in component.all("RRULE") {
        let start = start(component)?;
        // The zone moves UNTIL by hours at most, which does not matter for a bound.
        let rule = Rule::read(property, start.wall, |until| until)?;
        if rule.is_finite() {
            let starts = rule.starts(start.wall, start.wall, civil::DateTime::MAX, most + 1);
            count += starts.walls.iter().filter(|at| **at != start.wall).count();
        }
    }
    if count > most.max(1) {
        Err(RecurrenceError::TooMany(most))
    } else {
        Ok(count)
    }
}
