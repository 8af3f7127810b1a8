//! Yearly rules of time zones: a change on the last Sunday of March, or on the first Friday from the 23rd on.

use super::vtimezone::Change;
use crate::wall;

/// Fewer changes than this are no rule.
const FEWEST: usize = 3;
const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// Changes that may follow one rule, year after year, in the order of their first; each is in one run.
pub(super) fn runs(changes: &[Change]) -> Vec<Vec<usize>> {
    let mut runs: Vec<(Vec<usize>, Fit)> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for (at, change) in changes.iter().enumerate() {
        let year = date(change).0;
        open.retain(|run| runs[*run].1.year + 1 >= year);
        let mut longer = open.iter().filter_map(|run| {
            let (members, fit) = &runs[*run];
            let last = members.last().map(|last| &changes[*last]);
            let is_like = last.is_some_and(|last| last.is_like(change));
            let fit = fit.with(change).filter(|_| is_like);
            Some((*run, fit?))
        });
        if let Some((run, fit)) = longer.next() {
            runs[run].0.push(at);
            runs[run].1 = fit;
        } else {
            open.push(runs.len());
            runs.push((vec![at], Fit::of(change)));
        }
    }
    runs.into_iter().map(|(run, _)| run).collect()
}

fn date(change: &Change) -> (i64, i64, i64) {
    wall::date(day(change))
}

const fn day(change: &Change) -> i64 {
    change.wall().div_euclid(wall::DAY)
}

/// On which days of a month changes fall.
#[derive(Clone, Copy)]
struct Fit {
    month: i64,
    year: i64,
    /// Counted from its first day, which is 1.
    least: i64,
    most: i64,
    /// Counted from its last day, which is 0.
    least_from_end: i64,
    most_from_end: i64,
}

impl Fit {
    fn of(change: &Change) -> Self {
        let (year, month, day) = date(change);
        let from_end = day - wall::days_in_month(year, month);
        Self {
            month,
            year,
            least: day,
            most: day,
            least_from_end: from_end,
            most_from_end: from_end,
        }
    }

    /// With the change of the next year, if one rule may give them all.
    fn with(self, change: &Change) -> Option<Self> {
        let year = date(change).0;
        let of_month = day(change) - wall::days(year, self.month, 1) + 1;
        let from_end = of_month - wall::days_in_month(year, self.month);
        let fit = Self {
            month: self.month,
            year,
            least: self.least.min(of_month),
            most: self.most.max(of_month),
            least_from_end: self.least_from_end.min(from_end),
            most_from_end: self.most_from_end.max(from_end),
        };
        let is_week = fit.most - fit.least < 7 || fit.most_from_end - fit.least_from_end < 7;
        (year == self.year + 1 && is_week).then_some(fit)
    }

    fn days(&self) -> Option<Days> {
        if self.least_from_end > -7 && self.most_from_end <= 0 {
            return Some(Days::Last);
        }
        if self.most - self.least >= 7 {
            return None;
        }
        let week = (self.most + 6) / 7;
        if (1..5).contains(&week) && self.least > 7 * (week - 1) {
            return Some(Days::Week(week));
        }
        // Where the days before or after are those of a February, or of another year, there is no such rule.
        let first = self.most - 6;
        let last = wall::days_in_month(1970, self.month);
        let is_before = first < 1 && (self.month == 1 || self.month == 3);
        let is_after = first + 6 > last && (self.month == 12 || self.month == 2);
        (!is_before && !is_after).then_some(Days::From(first))
    }
}

/// Seven days of which one is of the right weekday.
#[derive(Clone, Copy, Debug)]
enum Days {
    /// The last of the month.
    Last,
    /// The first, second, third or fourth seven of the month.
    Week(i64),
    /// From one on; it may lie before the month, or some of them after it.
    From(i64),
}

/// A rule that gives a change every year.
pub(super) struct Pattern {
    month: i64,
    days: Days,
    weekday: i64,
    time: i64,
}

/// What of a pattern one RRULE tells: a month.
pub(super) struct Part<'c> {
    pub rule: String,
    pub first: &'c Change,
    pub last: &'c Change,
    first_since_1970: i64,
}

impl Pattern {
    /// The rule of a run; `None` if it is none.
    pub(super) fn of(run: &[&Change]) -> Option<Self> {
        let (first, rest) = run.split_first()?;
        let mut fit = Fit::of(first);
        for change in rest {
            fit = fit.with(change)?;
        }
        (run.len() >= FEWEST).then_some(())?;
        Some(Self {
            month: fit.month,
            days: fit.days()?,
            weekday: wall::weekday(day(first)),
            time: first.wall().rem_euclid(wall::DAY),
        })
    }

    /// The parts of it that the run has.
    pub(super) fn parts<'c>(&self, run: &[&'c Change]) -> Vec<Part<'c>> {
        let parts = (self.month - 1..=self.month + 1).filter_map(|month| {
            let rule = self.rule(month)?;
            let mut here = run.iter().filter(|change| date(change).1 == month);
            let first = here.next()?;
            Some(Part {
                rule,
                first,
                last: here.next_back().unwrap_or(first),
                first_since_1970: self.first_since_1970(month)?,
            })
        });
        parts.collect()
    }

    /// The rule for those of its days that are in a month.
    fn rule(&self, month: i64) -> Option<String> {
        let weekday = usize::try_from(self.weekday).ok()?;
        let weekday = WEEKDAYS.get(weekday)?;
        let first = match self.days {
            Days::Last if month == self.month => {
                return Some(format!("BYMONTH={month};BYDAY=-1{weekday}"));
            }
            Days::Week(week) if month == self.month => {
                return Some(format!("BYMONTH={month};BYDAY={week}{weekday}"));
            }
            Days::From(first) => first,
            _ => return None,
        };
        let here = wall::days(1970, month, 1) - wall::days(1970, self.month, 1);
        let days = (first..first + 7).map(|day| day - here);
        let days = days.filter(|day| (1..=wall::days_in_month(1970, month)).contains(day));
        let days: Vec<String> = days.map(|day| day.to_string()).collect();
        let rule = format!(
            "BYMONTH={month};BYMONTHDAY={};BYDAY={weekday}",
            days.join(",")
        );
        (!days.is_empty()).then_some(rule)
    }

    /// The first time since 1970 that it gives a day of a month.
    fn first_since_1970(&self, month: i64) -> Option<i64> {
        let days = (1970..2010).map(|year| {
            let begin = wall::days(year, self.month, 1);
            let first = match self.days {
                Days::Last => begin + wall::days_in_month(year, self.month) - 7,
                Days::Week(week) => begin + 7 * (week - 1),
                Days::From(first) => begin + first - 1,
            };
            first + (self.weekday - wall::weekday(first)).rem_euclid(7)
        });
        let mut days = days.filter(|day| wall::date(*day).1 == month);
        Some(days.next()? * wall::DAY + self.time)
    }
}

impl Part<'_> {
    /// The wall-clock time of its first change, had it been there since 1970.
    pub(super) const fn first_since_1970(&self) -> i64 {
        self.first_since_1970
    }
}
