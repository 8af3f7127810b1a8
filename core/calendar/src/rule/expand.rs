//! Expanding a [`Rule`] into wall-clock times, in order.

use super::days::Days;
use super::{Frequency, Rule};
use crate::wall::{self, DAY};
use crate::work::{TooMuchWork, Work};

/// Every time after this year ends a rule.
const LAST_YEAR: i64 = 9999;

/// The times of one rule, from some time on: an iterator that may fail.
///
/// A rule is a row of periods (years, months, weeks, days, hours, minutes, seconds), INTERVAL apart. Each is a set of
/// bases (days, or the period itself when shorter) times a fixed set of offsets, so that even
/// `BYHOUR=…;BYMINUTE=…;BYSECOND=…` needs no list of its product.
#[derive(Debug)]
pub(crate) struct Occurrences<'r> {
    rule: &'r Rule,
    days: Days,
    /// DTSTART; nothing comes before.
    start: i64,
    /// Nothing comes after: UNTIL.
    until: i64,
    /// Where to begin.
    from: i64,
    left: Option<u32>,
    /// The number of the next period, counted in INTERVALs from that of DTSTART.
    period: i64,
    offsets: Vec<i64>,
    bases: Vec<i64>,
    /// Positions in the set of this period, the next last.
    picked: Vec<usize>,
    /// The next position, where BYSETPOS does not pick.
    position: usize,
    /// The last day looked at, and whether it is let through: hours and shorter ask again and again.
    day: Option<(i64, bool)>,
    over: bool,
}

impl<'r> Occurrences<'r> {
    /// The times of `rule` from `from` on, where DTSTART is `start` and UNTIL falls at `until`, all on one wall.
    ///
    /// With COUNT it begins at `start`, as only counting tells where it ends.
    pub(crate) fn new(rule: &'r Rule, start: i64, until: Option<i64>, from: i64) -> Self {
        let from = if rule.count.is_some() {
            start
        } else {
            from.max(start)
        };
        let mut occurrences = Self {
            rule,
            days: Days::of(rule, start.div_euclid(DAY)),
            start,
            until: until.unwrap_or(i64::MAX),
            from,
            left: rule.count,
            period: 0,
            offsets: offsets(rule, start),
            bases: Vec::new(),
            picked: Vec::new(),
            position: 0,
            day: None,
            over: false,
        };
        occurrences.period = occurrences.period_of(from).max(0);
        occurrences
    }

    /// What it takes to make one, in steps: lists are copied and multiplied, which does not depend on what is asked.
    pub(crate) fn cost(rule: &Rule) -> usize {
        let lists = [
            &rule.by_week_no,
            &rule.by_year_day,
            &rule.by_month_day,
            &rule.by_set_pos,
        ];
        let listed = lists.iter().map(|list| list.len()).sum::<usize>() + rule.by_day.len();
        let within = [&rule.by_hour, &rule.by_minute, &rule.by_second];
        let product: usize = within.iter().map(|list| list.len().max(1)).product();
        2 + listed / 16 + product / 8
    }

    /// Makes one less come, as DTSTART that does not match its rule counts for one (RFC 5545 §3.8.5.3).
    pub(crate) fn counting_start(mut self) -> Self {
        self.left = self.left.map(|left| left.saturating_sub(1));
        self
    }

    /// The next time, unless it is after `last`.
    pub(crate) fn next(&mut self, last: i64, work: &mut Work) -> Result<Option<i64>, TooMuchWork> {
        loop {
            if self.over || self.left == Some(0) {
                self.over = true;
                return Ok(None);
            }
            if let Some(time) = self.peek() {
                if time > self.until {
                    self.over = true;
                    return Ok(None);
                }
                if time > last {
                    return Ok(None);
                }
                self.step();
                work.spend(1)?;
                if time >= self.from {
                    self.left = self.left.map(|left| left - 1);
                    return Ok(Some(time));
                }
            } else {
                let begins = self.begin_of_period();
                if begins > self.until || wall::date(begins.div_euclid(DAY)).0 > LAST_YEAR {
                    self.over = true;
                } else if begins > last {
                    return Ok(None);
                } else {
                    self.fill(work)?;
                }
            }
        }
    }

    fn total(&self) -> usize {
        self.bases.len() * self.offsets.len()
    }

    fn at(&self, position: usize) -> i64 {
        self.bases[position / self.offsets.len()] + self.offsets[position % self.offsets.len()]
    }

    fn peek(&self) -> Option<i64> {
        if self.rule.by_set_pos.is_empty() {
            (self.position < self.total()).then(|| self.at(self.position))
        } else {
            self.picked.last().map(|&position| self.at(position))
        }
    }

    fn step(&mut self) {
        if self.rule.by_set_pos.is_empty() {
            self.position += 1;
        } else {
            self.picked.pop();
        }
    }

    /// Seconds, minutes, hours: the length of a period shorter than a day.
    const fn unit(&self) -> Option<i64> {
        match self.rule.frequency {
            Frequency::Hourly => Some(3600),
            Frequency::Minutely => Some(60),
            Frequency::Secondly => Some(1),
            _ => None,
        }
    }

    /// Where periods are counted from, in their own unit.
    fn origin(&self) -> i64 {
        self.unit_of(self.start)
    }

    /// The number of the year, month, week… that a time is in.
    fn unit_of(&self, time: i64) -> i64 {
        let day = time.div_euclid(DAY);
        match self.rule.frequency {
            Frequency::Yearly => wall::date(day).0,
            Frequency::Monthly => {
                let (year, month, _) = wall::date(day);
                year * 12 + month - 1
            }
            Frequency::Weekly => self.days.start_of_week(day).div_euclid(7),
            Frequency::Daily => day,
            _ => time.div_euclid(self.unit().unwrap_or(1)),
        }
    }

    fn period_of(&self, time: i64) -> i64 {
        (self.unit_of(time) - self.origin()).div_euclid(i64::from(self.rule.interval))
    }

    fn current_unit(&self) -> i64 {
        self.origin() + self.period * i64::from(self.rule.interval)
    }

    /// The first second of the next period.
    fn begin_of_period(&self) -> i64 {
        let unit = self.current_unit();
        match self.rule.frequency {
            Frequency::Yearly => wall::days(unit, 1, 1) * DAY,
            Frequency::Monthly => wall::days(unit.div_euclid(12), unit.rem_euclid(12) + 1, 1) * DAY,
            Frequency::Weekly => self.first_day_of_week(unit) * DAY,
            Frequency::Daily => unit * DAY,
            _ => unit * self.unit().unwrap_or(1),
        }
    }

    fn first_day_of_week(&self, week: i64) -> i64 {
        // Weeks are numbered by the day that they start on, divided by 7; which remainder depends on WKST.
        week * 7
            + self
                .days
                .start_of_week(self.start.div_euclid(DAY))
                .rem_euclid(7)
    }

    /// Finds the set of the next period and goes on to the one after it.
    fn fill(&mut self, work: &mut Work) -> Result<(), TooMuchWork> {
        self.bases.clear();
        self.picked.clear();
        self.position = 0;
        let unit = self.current_unit();
        let mut steps = 1;
        match self.rule.frequency {
            Frequency::Yearly => {
                for month in 1..=12 {
                    steps += self.days.of_month(unit, month, &mut self.bases);
                }
            }
            Frequency::Monthly => {
                let (year, month) = (unit.div_euclid(12), unit.rem_euclid(12) + 1);
                steps += self.days.of_month(year, month, &mut self.bases);
            }
            Frequency::Weekly => {
                let first = self.first_day_of_week(unit);
                let days = &self.days;
                self.bases
                    .extend((first..first + 7).filter(|&day| days.let_day(day)));
                steps += 7;
            }
            Frequency::Daily => {
                if self.days.let_day(unit) {
                    self.bases.push(unit);
                }
            }
            _ => return self.fill_short(unit, work),
        }
        self.bases.iter_mut().for_each(|day| *day *= DAY);
        self.period += 1;
        self.pick();
        work.spend(steps * self.days.cost() + self.rule.by_set_pos.len())
    }

    /// As [`fill`](Self::fill) for hours, minutes and seconds; steps over whole days, hours and minutes that are not
    /// let through.
    fn fill_short(&mut self, unit: i64, work: &mut Work) -> Result<(), TooMuchWork> {
        work.spend(1)?;
        let length = self.unit().unwrap_or(1);
        let time = unit * length;
        let day = time.div_euclid(DAY);
        let is_let = match self.day {
            Some((known, is_let)) if known == day => is_let,
            _ => {
                work.spend(self.days.cost())?;
                self.days.let_day(day)
            }
        };
        self.day = Some((day, is_let));
        let of_day = time.rem_euclid(DAY);
        let allows = |list: &[i64], value: i64| list.is_empty() || list.contains(&value);
        let skip_to = if !is_let {
            Some((day + 1) * DAY)
        } else if !allows(&self.rule.by_hour, of_day / 3600) {
            Some(time - time.rem_euclid(3600) + 3600)
        } else if length < 3600 && !allows(&self.rule.by_minute, of_day / 60 % 60) {
            Some(time - time.rem_euclid(60) + 60)
        } else if length < 60 && !allows(&self.rule.by_second, of_day % 60) {
            Some(time + 1)
        } else {
            None
        };
        if let Some(time) = skip_to {
            let distance = time.div_euclid(length) - self.origin();
            let interval = i64::from(self.rule.interval);
            let next = distance.div_euclid(interval) + i64::from(distance.rem_euclid(interval) > 0);
            self.period = next.max(self.period + 1);
        } else {
            self.bases.push(time);
            self.period += 1;
            work.spend(self.rule.by_set_pos.len())?;
            self.pick();
        }
        Ok(())
    }

    /// BYSETPOS: which of the set count; without it, where in the set to begin.
    fn pick(&mut self) {
        let total = self.total();
        if self.rule.by_set_pos.is_empty() {
            self.position = first(total, |position| self.at(position) >= self.from);
            return;
        }
        for &position in &self.rule.by_set_pos {
            let distance = usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
            let position = if position > 0 {
                Some(distance - 1)
            } else {
                total.checked_sub(distance)
            };
            self.picked
                .extend(position.filter(|&position| position < total));
        }
        self.picked.sort_unstable_by(|one, other| other.cmp(one));
        self.picked.dedup();
    }
}

/// The seconds into a base at which times fall; what the rule leaves open comes from DTSTART.
fn offsets(rule: &Rule, start: i64) -> Vec<i64> {
    let of_day = start.rem_euclid(DAY);
    let or_start = |list: &Vec<i64>, value: i64| {
        if list.is_empty() {
            vec![value]
        } else {
            list.clone()
        }
    };
    let hours = match rule.frequency {
        Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => vec![0],
        _ => or_start(&rule.by_hour, of_day / 3600),
    };
    let minutes = match rule.frequency {
        Frequency::Minutely | Frequency::Secondly => vec![0],
        _ => or_start(&rule.by_minute, of_day / 60 % 60),
    };
    let seconds = match rule.frequency {
        Frequency::Secondly => vec![0],
        _ => or_start(&rule.by_second, of_day % 60),
    };
    let mut offsets = Vec::with_capacity(hours.len() * minutes.len() * seconds.len());
    for hour in &hours {
        for minute in &minutes {
            offsets.extend(
                seconds
                    .iter()
                    .map(|second| hour * 3600 + minute * 60 + second),
            );
        }
    }
    offsets
}

/// The first of `0..total` for which a condition holds that stays true once it is.
fn first(total: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, total);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}
