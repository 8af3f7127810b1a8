//! Times in words, on the clock that they are written on.

use crate::language::Phrases;
use crate::mailbox::one_line;
use convoke_calendar::time::{Clock, When};
use convoke_calendar::zone::Zones;
use jiff::{civil, tz::TimeZone};

/// How things are said: in which language, and in whose zone where a time names none.
#[derive(Clone, Copy)]
pub(crate) struct Voice<'a> {
    pub phrases: &'a Phrases,
    pub timezone: &'a TimeZone,
}

/// `Monday, 4 January 2027, 10:00 – 11:00 (Europe/Berlin)`.
pub(crate) fn span(start: &When, end: Option<&When>, zones: &Zones, voice: Voice) -> String {
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
pub(crate) fn on_clock(
    when: &When,
    zones: &Zones,
    own: &TimeZone,
) -> (civil::DateTime, Option<String>) {
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
