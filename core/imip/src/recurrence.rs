//! How often a series takes place, in words as far as a line can say it; the calendar part says it exactly.

use crate::clock::{Voice, on_clock};
use crate::language::{Phrases, fill};
use convoke_calendar::time::{Clock, When};
use convoke_calendar::tree::{Component, Property};
use convoke_calendar::zone::Zones;

/// What RRULE and RDATE say; `None` of what does not recur.
pub(crate) fn repeats(component: &Component, zones: &Zones, voice: Voice) -> Option<String> {
    let other = || voice.phrases.repeats.other.to_owned();
    let Some(rule) = component.get("RRULE") else {
        return component.get("RDATE").map(|_| other());
    };
    let rule = Parts(&rule.value);
    let Some(often) = often(&rule, voice.phrases) else {
        return Some(other());
    };
    let words = &voice.phrases.repeats;
    let end = match (rule.number("COUNT"), rule.get("UNTIL")) {
        (Some(count), _) => Some(fill(words.times, &[("n", &count.to_string())])),
        (None, Some(until)) => last_day(until, component, zones, voice)
            .map(|date| fill(words.until, &[("date", &date)])),
        (None, None) => None,
    };
    Some(match end {
        Some(end) => format!("{often}, {end}"),
        None => often,
    })
}

/// The parts of a rule.
struct Parts<'a>(&'a str);

impl<'a> Parts<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let mut parts = self.0.split(';').filter_map(|part| part.split_once('='));
        let (_, value) = parts.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }

    fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.get(name).is_some())
    }
}

/// `every 2 weeks (Monday, Friday)`; `None` of what is not that simple.
fn often(rule: &Parts, phrases: &Phrases) -> Option<String> {
    let words = &phrases.repeats;
    let frequency = rule.get("FREQ")?.to_ascii_uppercase();
    let unit = match frequency.as_str() {
        "DAILY" => &words.daily,
        "WEEKLY" => &words.weekly,
        "MONTHLY" => &words.monthly,
        "YEARLY" => &words.yearly,
        _ => return None,
    };
    let is_odd = ["BYHOUR", "BYMINUTE", "BYSECOND", "BYWEEKNO", "BYYEARDAY"];
    if rule.has_any(&is_odd) || (frequency == "DAILY" && rule.has_any(&["BYMONTH", "BYMONTHDAY"])) {
        return None;
    }
    let often = match rule.number("INTERVAL") {
        Some(interval) if interval > 1 => fill(unit[1], &[("n", &interval.to_string())]),
        _ => unit[0].to_owned(),
    };
    // Of a month, the day that is meant shows in the date of the first.
    match rule
        .get("BYDAY")
        .filter(|_| matches!(frequency.as_str(), "DAILY" | "WEEKLY"))
    {
        Some(days) => Some(format!("{often} ({})", weekdays(days, phrases)?)),
        None => Some(often),
    }
}

fn weekdays(days: &str, phrases: &Phrases) -> Option<String> {
    const NAMES: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    let mut given: Vec<usize> = Vec::new();
    for day in days.split(',').take(NAMES.len() + 1) {
        let place = NAMES
            .iter()
            .position(|name| name.eq_ignore_ascii_case(day.trim()))?;
        given.push(place);
    }
    given.sort_unstable();
    given.dedup();
    let names: Vec<&str> = given.into_iter().map(|day| phrases.weekdays[day]).collect();
    Some(names.join(", "))
}

/// UNTIL is in UTC where the start has a zone (RFC 5545 §3.3.10); the day is that of the start's clock.
fn last_day(until: &str, component: &Component, zones: &Zones, voice: Voice) -> Option<String> {
    let until = When::of(&Property::new("UNTIL", until)).ok()?;
    let start = component
        .get("DTSTART")
        .and_then(|start| When::of(start).ok());
    let zone = start
        .filter(|start| matches!(start.clock, Clock::Zone(_)) && until.clock == Clock::Utc)
        .and_then(|start| start.zone(zones).ok());
    let date = match (zone, until.instant(zones)) {
        (Some(zone), Ok(instant)) => zone.to_datetime(instant).date(),
        _ if until.is_date() => until.wall.date(),
        _ => on_clock(&until, zones, voice.timezone).0.date(),
    };
    Some(voice.phrases.day(date))
}
