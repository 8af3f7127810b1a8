//! What a person reads of a meeting: title, time, place, people, in words.

use crate::language::{Phrases, fill};
use crate::mailbox::one_line;
use convoke_calendar::itip::{Owner, PartStat, summary};
use convoke_calendar::time::{Clock, When};
use convoke_calendar::tree::{Calendar, Component, Property};
use convoke_calendar::zone::Zones;
use convoke_types::CalendarAddress;
use jiff::{civil, tz::TimeZone};

/// The most guests that are shown.
const MAX_GUESTS: usize = 50;
/// The most further instances that are shown.
const MAX_INSTANCES: usize = 10;
/// The longest description that is shown, in characters.
const MAX_DESCRIPTION: usize = 4000;

/// One line of a mail: a label and a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub label: &'static str,
    pub value: String,
    /// What it was before, where that is known and another.
    pub was: Option<String>,
}

/// A meeting in words of one language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meeting {
    /// Never empty.
    pub title: String,
    pub when: Option<String>,
    pub repeats: Option<String>,
    pub place: Option<String>,
    pub organizer: Option<String>,
    pub guests: Option<String>,
    pub description: Option<String>,
    pub comment: Option<String>,
    pub instances: Option<String>,
}

/// How things are said: in which language, and in whose zone where a time names none.
#[derive(Clone, Copy)]
pub(crate) struct Voice<'a> {
    pub phrases: &'a Phrases,
    pub timezone: &'a TimeZone,
}

impl Meeting {
    /// The meeting of a message or an object; `None` if it holds none.
    pub(crate) fn of(calendar: &Calendar, voice: Voice) -> Option<Self> {
        let component = main(calendar)?;
        let zones = Zones::of(calendar, voice.timezone.clone());
        let owner = Owner {
            addresses: &[],
            name: None,
            timezone: voice.timezone.clone(),
        };
        let found = summary(calendar, &owner)?;
        let title = one_line(&found.title);
        let text = |name| component.get(name).map(Property::to_text);
        let place = text("LOCATION").map(|it| one_line(&it));
        Some(Self {
            title: if title.is_empty() {
                voice.phrases.no_title.to_owned()
            } else {
                title
            },
            when: found
                .start
                .as_ref()
                .map(|start| span(start, found.end.as_ref(), &zones, voice)),
            repeats: component
                .get("RRULE")
                .map(|rule| repeats(&rule.value, voice.phrases))
                .or_else(|| {
                    let dates = component.get("RDATE");
                    dates.map(|_| voice.phrases.repeats.other.to_owned())
                }),
            place: place.filter(|it| !it.is_empty()),
            organizer: component.get("ORGANIZER").map(person),
            guests: guests(component, voice.phrases),
            description: text("DESCRIPTION").and_then(|it| paragraphs(&it)),
            comment: text("COMMENT").and_then(|it| paragraphs(&it)),
            instances: instances(calendar, component, &zones, voice),
        })
    }

    /// What a mail shows, and what of it was another before.
    pub(crate) fn rows(&self, before: Option<&Self>, voice: Voice) -> Vec<Row> {
        let labels = &voice.phrases.labels;
        let mut rows = Vec::with_capacity(9);
        let mut row = |label, now: Option<&String>, was: Option<&String>, none: &str| {
            let changed = before.is_some() && now != was;
            let Some(value) = now.map(String::as_str).or(changed.then_some(none)) else {
                return;
            };
            rows.push(Row {
                label,
                value: value.to_owned(),
                was: changed.then(|| was.map_or(none, String::as_str).to_owned()),
            });
        };
        let was = |of: fn(&Self) -> Option<&String>| before.and_then(of);
        let is_retitled = before.is_some_and(|before| before.title != self.title);
        if is_retitled {
            row(
                labels.title,
                Some(&self.title),
                was(|it| Some(&it.title)),
                "",
            );
        }
        row(
            labels.when,
            self.when.as_ref(),
            was(|it| it.when.as_ref()),
            "–",
        );
        row(
            labels.repeats,
            self.repeats.as_ref(),
            was(|it| it.repeats.as_ref()),
            "–",
        );
        row(
            labels.place,
            self.place.as_ref(),
            was(|it| it.place.as_ref()),
            voice.phrases.no_place,
        );
        let unchanged = [
            (labels.instance, &self.instances),
            (labels.organizer, &self.organizer),
            (labels.guests, &self.guests),
            (labels.comment, &self.comment),
            (labels.description, &self.description),
        ];
        for (label, value) in unchanged {
            row(label, value.as_ref(), value.as_ref(), "");
        }
        rows
    }
}

/// The component that is spoken of: the whole, else the first instance.
pub(crate) fn main(calendar: &Calendar) -> Option<&Component> {
    let mut whole = calendar.main_components();
    whole
        .find(|it| it.get("RECURRENCE-ID").is_none())
        .or_else(|| calendar.main_components().next())
}

/// What people call an attendee or organizer.
pub(crate) fn person(line: &Property) -> String {
    let name = line.param("CN").map(one_line);
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| {
        let address = CalendarAddress::new(&line.value);
        one_line(address.as_ref().map_or(&line.value, |it| it.human()))
    })
}

fn guests(component: &Component, phrases: &Phrases) -> Option<String> {
    let count = component.all("ATTENDEE").count();
    if count == 0 {
        return None;
    }
    let shown = component.all("ATTENDEE").take(MAX_GUESTS).map(|line| {
        let mark = match PartStat::parse(line.param("PARTSTAT").unwrap_or_default()) {
            PartStat::Accepted => " ✓",
            PartStat::Declined => " ✗",
            PartStat::Tentative => " ?",
            _ => "",
        };
        person(line) + mark
    });
    let mut names: Vec<String> = shown.collect();
    if count > MAX_GUESTS {
        let more = (count - MAX_GUESTS).to_string();
        names.push(fill(phrases.and_more, &[("n", &more)]));
    }
    Some(names.join(", "))
}

/// When the other instances of a message are.
fn instances(calendar: &Calendar, main: &Component, zones: &Zones, voice: Voice) -> Option<String> {
    let others = || {
        calendar
            .main_components()
            .filter(|it| !std::ptr::eq(*it, main))
    };
    let count = others().count();
    let shown = others().take(MAX_INSTANCES).filter_map(|component| {
        let start = When::of(component.get("DTSTART")?).ok()?;
        let end = component.get("DTEND").and_then(|end| When::of(end).ok());
        Some(span(&start, end.as_ref(), zones, voice))
    });
    let mut shown: Vec<String> = shown.collect();
    if count > MAX_INSTANCES {
        let more = (count - MAX_INSTANCES).to_string();
        shown.push(fill(voice.phrases.and_more, &[("n", &more)]));
    }
    (!shown.is_empty()).then(|| shown.join("\n"))
}

/// A text of several lines without controls, not longer than is shown.
pub(crate) fn paragraphs(text: &str) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut length = 0;
    for line in text.trim().lines() {
        let line: String = line
            .chars()
            .map(|c| if c == '\t' { ' ' } else { c })
            .filter(|c| !c.is_control())
            .collect();
        length += line.chars().count() + 1;
        if length > MAX_DESCRIPTION {
            let room = line
                .chars()
                .count()
                .saturating_sub(length - MAX_DESCRIPTION);
            let start: String = line.chars().take(room).collect();
            lines.push(start + "…");
            break;
        }
        lines.push(line);
    }
    let text = lines.join("\n");
    (!text.trim().is_empty()).then_some(text)
}

/// `Monday, 4 January 2027, 10:00 – 11:00 (Europe/Berlin)`.
fn span(start: &When, end: Option<&When>, zones: &Zones, voice: Voice) -> String {
    let phrases = voice.phrases;
    if start.is_date() {
        let first = start.wall.date();
        // RFC 5545 §3.6.1: DTEND is the day after the last.
        let last = end.and_then(|end| end.wall.date().yesterday().ok());
        let days = match last.filter(|last| *last > first) {
            Some(last) => format!("{} – {}", phrases.day(first), phrases.day(last)),
            None => phrases.day(first),
        };
        return format!("{days} ({})", phrases.all_day);
    }
    let (begins, zone) = on_clock(start, zones, voice.timezone);
    let from = format!("{}, {}", phrases.day(begins.date()), clock(begins));
    let ends = end.map(|end| in_zone_of(end, start, zones, voice.timezone));
    let text = match ends.filter(|ends| *ends > begins) {
        Some(ends) if ends.date() == begins.date() => format!("{from} – {}", clock(ends)),
        Some(ends) => format!("{from} – {}, {}", phrases.day(ends.date()), clock(ends)),
        None => from,
    };
    match zone {
        Some(zone) => format!("{text} ({})", one_line(&zone)),
        None => text,
    }
}

/// A time on the wall clock that is shown, and what that clock is called.
fn on_clock(when: &When, zones: &Zones, own: &TimeZone) -> (civil::DateTime, Option<String>) {
    match &when.clock {
        Clock::Date | Clock::Floating => (when.wall, None),
        Clock::Zone(id) => {
            let known = zones.get(id).ok();
            let name = known.as_ref().and_then(TimeZone::iana_name);
            (when.wall, Some(name.unwrap_or(id).to_owned()))
        }
        Clock::Utc => {
            let instant = TimeZone::UTC.to_timestamp(when.wall);
            let wall = instant.map_or(when.wall, |instant| own.to_datetime(instant));
            let name = own.iana_name().unwrap_or("UTC");
            (wall, Some(name.to_owned()))
        }
    }
}

/// An end on the clock of its start.
fn in_zone_of(end: &When, start: &When, zones: &Zones, own: &TimeZone) -> civil::DateTime {
    if end.clock == start.clock {
        return on_clock(end, zones, own).0;
    }
    let zone = match &start.clock {
        Clock::Utc => Ok(own.clone()),
        _ => start.zone(zones),
    };
    match (end.instant(zones), zone) {
        (Ok(instant), Ok(zone)) => zone.to_datetime(instant),
        _ => end.wall,
    }
}

fn clock(wall: civil::DateTime) -> String {
    format!("{:02}:{:02}", wall.hour(), wall.minute())
}

/// How often a rule says, as far as a line can say it; the calendar part says it exactly.
fn repeats(rule: &str, phrases: &Phrases) -> String {
    let part = |name: &str| {
        rule.split(';').find_map(|part| {
            let (key, value) = part.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let words = &phrases.repeats;
    let unit = match part("FREQ").map(str::to_ascii_uppercase).as_deref() {
        Some("DAILY") => &words.daily,
        Some("WEEKLY") => &words.weekly,
        Some("MONTHLY") => &words.monthly,
        Some("YEARLY") => &words.yearly,
        _ => return words.other.to_owned(),
    };
    let number = |name| part(name).and_then(|value| value.parse::<u32>().ok());
    let often = match number("INTERVAL") {
        Some(interval) if interval > 1 => fill(unit[1], &[("n", &interval.to_string())]),
        _ => unit[0].to_owned(),
    };
    if let Some(count) = number("COUNT") {
        let times = fill(words.times, &[("n", &count.to_string())]);
        return format!("{often}, {times}");
    }
    let until = part("UNTIL").and_then(|value| When::of(&Property::new("UNTIL", value)).ok());
    match until {
        Some(until) => {
            let date = phrases.day(until.wall.date());
            format!("{often}, {}", fill(words.until, &[("date", &date)]))
        }
        None => often,
    }
}
