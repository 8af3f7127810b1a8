//! Which days the BY parts of a rule let through (the table of RFC 5545 §3.3.10).

use super::{Frequency, Rule, WeekdayOf};
use crate::wall;

/// The BY parts about days, with what they leave open taken from DTSTART.
#[derive(Clone, Debug)]
pub(super) struct Days {
    months: [bool; 13],
    week_no: Vec<i64>,
    year_day: Vec<i64>,
    month_day: Vec<i64>,
    weekdays: Vec<WeekdayOf>,
    /// `1MO` counts within the month, else within the year.
    nth_of_month: bool,
    week_start: i64,
}

impl Days {
    pub(super) fn of(rule: &Rule, start_day: i64) -> Self {
        let (_, month, day) = wall::date(start_day);
        let mut months = [rule.by_month.is_empty(); 13];
        for &month in &rule.by_month {
            months[usize::try_from(month).unwrap_or(0)] = true;
        }
        let mut days = Self {
            months,
            week_no: rule.by_week_no.clone(),
            year_day: rule.by_year_day.clone(),
            month_day: rule.by_month_day.clone(),
            weekdays: rule.by_day.clone(),
            nth_of_month: rule.frequency != Frequency::Yearly || !rule.by_month.is_empty(),
            week_start: rule.week_start,
        };
        // RFC 5545 §3.3.10: BYDAY has no number but with MONTHLY and YEARLY, nor with BYWEEKNO.
        if rule.frequency > Frequency::Monthly || !days.week_no.is_empty() {
            days.weekdays.iter_mut().for_each(|day| day.nth = 0);
        }
        let says_which =
            !(days.year_day.is_empty() && days.month_day.is_empty() && days.weekdays.is_empty());
        if !says_which {
            days.take_from_start(rule, start_day, month, day);
        }
        days
    }

    fn take_from_start(&mut self, rule: &Rule, start_day: i64, month: i64, day: i64) {
        match rule.frequency {
            // RFC 5545 §3.3.10: what the rule leaves open is as in DTSTART; of a week, that is the weekday.
            Frequency::Yearly if !self.week_no.is_empty() => {
                let weekday = wall::weekday(start_day);
                self.weekdays = vec![WeekdayOf { nth: 0, weekday }];
            }
            Frequency::Yearly => {
                if rule.by_month.is_empty() {
                    self.months = [false; 13];
                    self.months[usize::try_from(month).unwrap_or(0)] = true;
                }
                self.month_day = vec![day];
            }
            Frequency::Monthly => self.month_day = vec![day],
            Frequency::Weekly => {
                let weekday = wall::weekday(start_day);
                self.weekdays = vec![WeekdayOf { nth: 0, weekday }];
            }
            _ => {}
        }
    }

    /// What it takes to look at one day, in steps: the lists may be as long as a stranger likes.
    pub(super) const fn cost(&self) -> usize {
        let listed =
            self.week_no.len() + self.year_day.len() + self.month_day.len() + self.weekdays.len();
        1 + listed / 16
    }

    /// Appends the days of a month that are let through; gives how many were looked at.
    pub(super) fn of_month(&self, year: i64, month: i64, found: &mut Vec<i64>) -> usize {
        if !self.months[usize::try_from(month).unwrap_or(0)] {
            return 1;
        }
        let length = wall::days_in_month(year, month);
        let first = wall::days(year, month, 1);
        if let [day] = self.month_day[..] {
            // The commonest rules name one day.
            let day = if day > 0 { day } else { length + 1 + day };
            if (1..=length).contains(&day) && self.lets(year, month, day, first + day - 1) {
                found.push(first + day - 1);
            }
            return 1;
        }
        for day in 1..=length {
            if self.lets(year, month, day, first + day - 1) {
                found.push(first + day - 1);
            }
        }
        usize::try_from(length).unwrap_or(31)
    }

    /// Whether a day is let through.
    pub(super) fn let_day(&self, number: i64) -> bool {
        let (year, month, day) = wall::date(number);
        self.months[usize::try_from(month).unwrap_or(0)] && self.lets(year, month, day, number)
    }

    fn lets(&self, year: i64, month: i64, day: i64, number: i64) -> bool {
        self.lets_month_day(year, month, day)
            && self.lets_weekday(year, month, day, number)
            && self.lets_year_day(year, number)
            && self.lets_week(number)
    }

    fn lets_month_day(&self, year: i64, month: i64, day: i64) -> bool {
        self.month_day.is_empty()
            || self.month_day.contains(&day)
            || self
                .month_day
                .contains(&(day - wall::days_in_month(year, month) - 1))
    }

    fn lets_weekday(&self, year: i64, month: i64, day: i64, number: i64) -> bool {
        if self.weekdays.is_empty() {
            return true;
        }
        let weekday = wall::weekday(number);
        let mut named = self.weekdays.iter().filter(|it| it.weekday == weekday);
        named.any(|it| {
            if it.nth == 0 {
                return true;
            }
            let (at, length) = if self.nth_of_month {
                (day, wall::days_in_month(year, month))
            } else {
                (
                    number - wall::days(year, 1, 1) + 1,
                    wall::days_in_year(year),
                )
            };
            it.nth == (at - 1) / 7 + 1 || it.nth == -((length - at) / 7 + 1)
        })
    }

    fn lets_year_day(&self, year: i64, number: i64) -> bool {
        if self.year_day.is_empty() {
            return true;
        }
        let day = number - wall::days(year, 1, 1) + 1;
        let from_end = day - wall::days_in_year(year) - 1;
        self.year_day.contains(&day) || self.year_day.contains(&from_end)
    }

    fn lets_week(&self, number: i64) -> bool {
        if self.week_no.is_empty() {
            return true;
        }
        let start = self.start_of_week(number);
        // ISO 8601: a week is of the year that has four of its days.
        let (year, _, _) = wall::date(start + 3);
        let first = self.first_week(year);
        let week = (start - first) / 7 + 1;
        let from_end = (start - self.first_week(year + 1)) / 7;
        self.week_no.contains(&week) || self.week_no.contains(&from_end)
    }

    fn first_week(&self, year: i64) -> i64 {
        self.start_of_week(wall::days(year, 1, 4))
    }

    /// The first day of the week of a day.
    pub(super) fn start_of_week(&self, number: i64) -> i64 {
        number - (wall::weekday(number) - self.week_start).rem_euclid(7)
    }
}
