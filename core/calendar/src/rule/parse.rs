//! Parsing recurrence rules.

use super::error::Problem;
use super::{Frequency, Rule, RuleError, WeekdayOf};
use crate::time::When;
use std::ops::RangeInclusive;

/// More values than any BY part can tell apart.
const MOST_VALUES: usize = 1000;

pub(super) fn rule(text: &str) -> Result<Rule, RuleError> {
    let mut parts = Parts::default();
    for part in text.split(';').map(str::trim).filter(|it| !it.is_empty()) {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| Problem::NotAPart(excerpt(part)))?;
        parts.note(&name.trim().to_ascii_uppercase(), value.trim())?;
    }
    parts.into_rule()
}

/// A part that is written without its value, where a strict reader takes none.
pub(super) fn empty_part(text: &str) -> Option<&'static str> {
    let mut parts = text.split(';').filter_map(|part| part.split_once('='));
    parts.find_map(|(name, value)| {
        let names = ["UNTIL", "COUNT", "INTERVAL", "WKST"];
        let mut names = names
            .into_iter()
            .filter(|it| name.trim().eq_ignore_ascii_case(it));
        names.next().filter(|_| value.trim().is_empty())
    })
}

#[derive(Default)]
struct Parts {
    frequency: Option<Frequency>,
    interval: Option<u32>,
    count: Option<u32>,
    until: Option<When>,
    week_start: Option<i64>,
    by_month: Option<Vec<i64>>,
    by_week_no: Option<Vec<i64>>,
    by_year_day: Option<Vec<i64>>,
    by_month_day: Option<Vec<i64>>,
    by_day: Option<Vec<WeekdayOf>>,
    by_hour: Option<Vec<i64>>,
    by_minute: Option<Vec<i64>>,
    by_second: Option<Vec<i64>>,
    by_set_pos: Option<Vec<i64>>,
}

impl Parts {
    fn note(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        // RFC 5545 wants a value; some programs write the parts they do not use.
        if value.is_empty() && name != "FREQ" {
            return Ok(());
        }
        match name {
            "FREQ" => once(&mut self.frequency, "FREQ", frequency(value)?),
            "INTERVAL" => {
                let interval = number(value, "INTERVAL", "a number of 1 or more")?;
                once(&mut self.interval, "INTERVAL", interval)
            }
            "COUNT" => {
                let count = number(value, "COUNT", "a number of 1 or more")?;
                once(&mut self.count, "COUNT", count)
            }
            "UNTIL" => {
                let expected = "a date such as 20270104 or a time such as 20270104T100000Z";
                let until = When::parse(value, None);
                let until = until.ok_or_else(|| wrong("UNTIL", value, expected))?;
                once(&mut self.until, "UNTIL", until)
            }
            "WKST" => {
                let day = weekday(value).ok_or_else(|| wrong("WKST", value, WEEKDAY))?;
                once(&mut self.week_start, "WKST", day)
            }
            "BYMONTH" => {
                let list = list(value, "BYMONTH", 1..=12, "months from 1 to 12")?;
                once(&mut self.by_month, "BYMONTH", list)
            }
            "BYWEEKNO" => {
                let list = signed(value, "BYWEEKNO", 53, "weeks from 1 to 53 or -53 to -1")?;
                once(&mut self.by_week_no, "BYWEEKNO", list)
            }
            "BYYEARDAY" => {
                let list = signed(value, "BYYEARDAY", 366, "days from 1 to 366 or -366 to -1")?;
                once(&mut self.by_year_day, "BYYEARDAY", list)
            }
            "BYMONTHDAY" => {
                let list = signed(value, "BYMONTHDAY", 31, "days from 1 to 31 or -31 to -1")?;
                once(&mut self.by_month_day, "BYMONTHDAY", list)
            }
            "BYDAY" => once(&mut self.by_day, "BYDAY", weekdays(value)?),
            "BYHOUR" => {
                let list = list(value, "BYHOUR", 0..=23, "hours from 0 to 23")?;
                once(&mut self.by_hour, "BYHOUR", list)
            }
            "BYMINUTE" => {
                let list = list(value, "BYMINUTE", 0..=59, "minutes from 0 to 59")?;
                once(&mut self.by_minute, "BYMINUTE", list)
            }
            "BYSECOND" => {
                let mut list = list(value, "BYSECOND", 0..=60, "seconds from 0 to 60")?;
                // RFC 5545 §3.3.12: a leap second, read as the last one that there is.
                for second in &mut list {
                    *second = (*second).min(59);
                }
                list.dedup();
                once(&mut self.by_second, "BYSECOND", list)
            }
            "BYSETPOS" => {
                let list = signed(
                    value,
                    "BYSETPOS",
                    366,
                    "positions from 1 to 366 or -366 to -1",
                )?;
                once(&mut self.by_set_pos, "BYSETPOS", list)
            }
            // RFC 7529 §4.1: both of these change nothing.
            "RSCALE" if value.eq_ignore_ascii_case("GREGORIAN") => Ok(()),
            "SKIP" if value.eq_ignore_ascii_case("OMIT") => Ok(()),
            "RSCALE" => Err(not_done("RSCALE", value)),
            "SKIP" => Err(not_done("SKIP", value)),
            _ => Err(Problem::UnknownPart(excerpt(name))),
        }
    }

    fn into_rule(self) -> Result<Rule, RuleError> {
        let rule = Rule {
            frequency: self.frequency.ok_or(Problem::NoFrequency)?,
            interval: self.interval.unwrap_or(1),
            count: self.count,
            until: self.until,
            week_start: self.week_start.unwrap_or(0),
            by_month: self.by_month.unwrap_or_default(),
            by_week_no: self.by_week_no.unwrap_or_default(),
            by_year_day: self.by_year_day.unwrap_or_default(),
            by_month_day: self.by_month_day.unwrap_or_default(),
            by_day: self.by_day.unwrap_or_default(),
            by_hour: self.by_hour.unwrap_or_default(),
            by_minute: self.by_minute.unwrap_or_default(),
            by_second: self.by_second.unwrap_or_default(),
            by_set_pos: self.by_set_pos.unwrap_or_default(),
        };
        let lists = [
            &rule.by_month,
            &rule.by_week_no,
            &rule.by_year_day,
            &rule.by_month_day,
            &rule.by_hour,
            &rule.by_minute,
            &rule.by_second,
        ];
        let has_set = !rule.by_day.is_empty() || lists.iter().any(|list| !list.is_empty());
        if !rule.by_set_pos.is_empty() && !has_set {
            return Err(Problem::NoSetForPosition.into());
        }
        Ok(rule)
    }
}

fn once<T>(slot: &mut Option<T>, part: &'static str, value: T) -> Result<(), Problem> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Problem::Twice(part)),
    }
}

fn frequency(value: &str) -> Result<Frequency, Problem> {
    const NAMES: [(&str, Frequency); 7] = [
        ("YEARLY", Frequency::Yearly),
        ("MONTHLY", Frequency::Monthly),
        ("WEEKLY", Frequency::Weekly),
        ("DAILY", Frequency::Daily),
        ("HOURLY", Frequency::Hourly),
        ("MINUTELY", Frequency::Minutely),
        ("SECONDLY", Frequency::Secondly),
    ];
    let known = NAMES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(value));
    let expected = "YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY or SECONDLY";
    known
        .map(|(_, frequency)| *frequency)
        .ok_or_else(|| wrong("FREQ", value, expected))
}

fn number(value: &str, part: &'static str, expected: &'static str) -> Result<u32, Problem> {
    let number = value.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| wrong(part, value, expected))
}

/// A sorted list without doubles.
fn list(
    value: &str,
    part: &'static str,
    range: RangeInclusive<i64>,
    expected: &'static str,
) -> Result<Vec<i64>, Problem> {
    let mut numbers = Vec::new();
    for text in value.split(',').take(MOST_VALUES) {
        let number = text.trim().parse().ok().filter(|it| range.contains(it));
        numbers.push(number.ok_or_else(|| wrong(part, value, expected))?);
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn signed(
    value: &str,
    part: &'static str,
    most: i64,
    expected: &'static str,
) -> Result<Vec<i64>, Problem> {
    let numbers = list(value, part, -most..=most, expected)?;
    if numbers.contains(&0) {
        return Err(wrong(part, value, expected));
    }
    Ok(numbers)
}

const WEEKDAY: &str = "a weekday: MO, TU, WE, TH, FR, SA or SU";

fn weekday(text: &str) -> Option<i64> {
    const NAMES: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    let index = NAMES
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text));
    index.and_then(|index| i64::try_from(index).ok())
}

fn weekdays(value: &str) -> Result<Vec<WeekdayOf>, Problem> {
    let read = |text: &str| {
        let (nth, name) = text.split_at_checked(text.len().checked_sub(2)?)?;
        let nth = match nth {
            "" => 0,
            nth => nth
                .parse()
                .ok()
                .filter(|nth| (-53..=53).contains(nth) && *nth != 0)?,
        };
        let weekday = weekday(name)?;
        Some(WeekdayOf { nth, weekday })
    };
    let expected = "weekdays such as MO, 1MO or -1MO";
    let mut days = Vec::new();
    for text in value.split(',').take(MOST_VALUES) {
        let day = read(text.trim()).ok_or_else(|| wrong("BYDAY", value, expected))?;
        if !days.contains(&day) {
            days.push(day);
        }
    }
    Ok(days)
}

fn wrong(part: &'static str, value: &str, expected: &'static str) -> Problem {
    let value = excerpt(value);
    Problem::Value {
        part,
        value,
        expected,
    }
}

fn not_done(part: &'static str, value: &str) -> Problem {
    let value = excerpt(value);
    Problem::NotDone { part, value }
}

fn excerpt(text: &str) -> String {
    convoke_types::excerpt(text, 40)
}
