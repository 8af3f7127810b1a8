//! Who lives in the demo's two domains, and what their week looks like.

use convoke_sdk::NewUser;
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
    tz::TimeZone,
};

use std::fmt::Write as _;

/// Somebody with a calendar.
pub(super) struct Person {
    pub(super) address: &'static str,
    name: &'static str,
    timezone: &'static str,
    events: &'static [Event],
}

/// Something in a calendar: on a day of the story, at a local time.
struct Event {
    name: &'static str,
    /// Days after the day of the story.
    day: i64,
    /// `09:30-09:45`, or nothing for all of the day.
    time: &'static str,
    /// Further lines of the VEVENT.
    lines: &'static [&'static str],
}

const fn event(
    name: &'static str,
    day: i64,
    time: &'static str,
    lines: &'static [&'static str],
) -> Event {
    Event {
        name,
        day,
        time,
        lines,
    }
}

const TENTATIVE: &[&str] = &["STATUS:TENTATIVE"];
const FREE: &[&str] = &["TRANSP:TRANSPARENT"];
const WORKDAYS: &[&str] = &["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"];
const WEEKLY: &[&str] = &["RRULE:FREQ=WEEKLY;COUNT=8"];
/// A time zone that no database knows, see [`BARN`].
const IN_THE_BARN: &[&str] = &["X-CONVOKE-DEMO-ZONE:Meadow/Barn"];

pub(super) const ANNA: Person = Person {
    address: "anna@harbour.example",
    name: "Anna Berg",
    timezone: "Europe/Lisbon",
    events: &[
        event("Harbour stand-up", -7, "08:30-08:45", WORKDAYS),
        event("Crane inspection", 0, "13:30-15:00", &[]),
        event("Tide tables, first draft", 0, "16:00-17:00", TENTATIVE),
        event("Dry dock review", 1, "10:00-11:30", WEEKLY),
        event("Ferry to the island", 3, "", &[]),
        event("Harbour festival", 4, "", FREE),
    ],
};

pub(super) const DAN: Person = Person {
    address: "dan@harbour.example",
    name: "Dan Okafor",
    timezone: "Europe/Lisbon",
    events: &[
        event("Harbour stand-up", -7, "08:30-08:45", WORKDAYS),
        event("Pilot training", 0, "12:00-14:00", &[]),
    ],
};

pub(super) const BO: Person = Person {
    address: "bo@meadow.example",
    name: "Bo Lindqvist",
    timezone: "Europe/Helsinki",
    events: &[
        event("Meadow stand-up", -7, "09:30-09:45", WORKDAYS),
        event("Dentist, if they call back", 0, "14:30-15:30", TENTATIVE),
        event("Hay barn", 0, "16:00-17:00", IN_THE_BARN),
        event("Name day", 0, "", FREE),
        event("Seed catalogue", 1, "09:00-11:00", WEEKLY),
        event("County fair", 3, "", &[]),
    ],
};

pub(super) const CLEO: Person = Person {
    address: "cleo@meadow.example",
    name: "Cleo Marsh",
    timezone: "Europe/Helsinki",
    events: &[
        event("Meadow stand-up", -7, "09:30-09:45", WORKDAYS),
        event("Beekeepers", 0, "15:00-16:00", &[]),
    ],
};

/// An hour ahead of Helsinki's winter time, all year: summer time never came to the barn.
const BARN: &str = "BEGIN:VTIMEZONE\r\nTZID:Meadow/Barn\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n\
                    TZOFFSETFROM:+0300\r\nTZOFFSETTO:+0300\r\nTZNAME:BARN\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";

impl Person {
    /// As stores take it.
    pub(super) fn new_user(&self) -> NewUser {
        let address = self.address.parse().expect("a literal address");
        let mut user = NewUser::new(address);
        user.name = Some(self.name.to_owned());
        user.timezone = Some(self.timezone.to_owned());
        user
    }

    pub(super) fn first_name(&self) -> &'static str {
        self.name.split(' ').next().unwrap_or(self.name)
    }

    /// Its week as an iCalendar file.
    pub(super) fn calendar(&self, day: Date, now: Timestamp) -> String {
        let mut text =
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Convoke//Demo//EN\r\n".to_owned();
        if self.events.iter().any(Event::is_in_the_barn) {
            text.push_str(BARN);
        }
        for (number, event) in self.events.iter().enumerate() {
            let lines = event.lines_on(day, self.timezone);
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "BEGIN:VEVENT\r\nUID:{number}-of-{}\r\nDTSTAMP:{}\r\nSUMMARY:{}\r\n{lines}END:VEVENT\r\n",
                self.address,
                basic(now),
                event.name.replace(',', "\\,"),
            );
        }
        text + "END:VCALENDAR\r\n"
    }
}

impl Event {
    fn is_in_the_barn(&self) -> bool {
        self.lines == IN_THE_BARN
    }

    fn lines_on(&self, day: Date, timezone: &str) -> String {
        let date = day.saturating_add(self.day.days()).strftime("%Y%m%d");
        let zone = if self.is_in_the_barn() {
            "Meadow/Barn"
        } else {
            timezone
        };
        let mut lines = match self.time.split_once('-') {
            None => format!("DTSTART;VALUE=DATE:{date}\r\n"),
            Some((start, end)) => {
                let [start, end] = [start, end].map(|time| time.replace(':', ""));
                format!(
                    "DTSTART;TZID={zone}:{date}T{start}00\r\nDTEND;TZID={zone}:{date}T{end}00\r\n"
                )
            }
        };
        for line in self
            .lines
            .iter()
            .filter(|line| !line.starts_with("X-CONVOKE"))
        {
            lines.push_str(line);
            lines.push_str("\r\n");
        }
        lines
    }
}

/// The day of the story: the first working day after today.
pub(super) fn story_day(now: Timestamp) -> Date {
    let mut day = now
        .to_zoned_datetime(TimeZone::UTC)
        .date()
        .saturating_add(1.day());
    while matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
        day = day.saturating_add(1.day());
    }
    day
}

/// As iCalendar writes UTC times.
pub(super) fn basic(instant: Timestamp) -> String {
    instant.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_is_never_told_on_a_weekend() {
        for (now, day) in [
            ("2026-11-23T04:00:00Z", "2026-11-24"), // Monday
            ("2026-11-27T04:00:00Z", "2026-11-30"), // Friday
            ("2026-11-28T04:00:00Z", "2026-11-30"),
            ("2026-11-29T04:00:00Z", "2026-11-30"),
        ] {
            assert_eq!(story_day(now.parse().unwrap()).to_string(), day);
        }
    }

    #[test]
    fn every_week_is_icalendar() {
        use convoke_calendar::tree::{Calendar, Limits};
        let now: Timestamp = "2026-11-23T04:00:00Z".parse().unwrap();
        for person in [ANNA, BO, CLEO, DAN] {
            let text = person.calendar(story_day(now), now);
            let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
            assert_eq!(calendar.split_by_uid().len(), person.events.len());
        }
    }
}
