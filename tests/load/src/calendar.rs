//! A calendar of so many events, and where in time they lie.
//!
//! The month that free-busy is asked of always holds the same events, so that answers are equally long however large the
//! calendar is. All others lie in the year before it and the 21 months after it.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

/// Days of the month that is asked of.
const MONTH: u64 = 30;
/// At most so many events lie in it: two a day.
const IN_MONTH: u64 = 2 * MONTH;
/// Days before the month, and days after it, over which the other events are spread.
const BEFORE: u64 = 330;
const AFTER: u64 = 640;
/// Different days are this many events apart, so that neighbours in the file are not neighbours in time.
const STRIDE: u64 = 389;

/// Print a calendar
#[derive(Args)]
pub(crate) struct Print {
    /// How many events
    #[arg(long)]
    events: u64,
}

impl Print {
    pub(crate) fn run(&self) -> Result<(), crate::Trouble> {
        io::stdout().write_all(whole(self.events).as_bytes())?;
        Ok(())
    }
}

/// A VCALENDAR with these components.
pub(crate) fn of(components: &str) -> String {
    format!("{HEAD}{components}{END}")
}

/// One VCALENDAR with all events.
pub(crate) fn whole(events: u64) -> String {
    let mut text = String::from(HEAD);
    for number in 0..events {
        text.push_str(&event(number));
    }
    text + END
}

/// A VCALENDAR with the event of that number, and the event's UID.
pub(crate) fn one(number: u64) -> (String, String) {
    (uid(number), format!("{HEAD}{}{END}", event(number)))
}

const HEAD: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Convoke//load//EN\r\n";
const END: &str = "END:VCALENDAR\r\n";

fn uid(number: u64) -> String {
    format!("seed-{number}@load.example")
}

fn event(number: u64) -> String {
    let start = if number < IN_MONTH {
        let hour = if number.is_multiple_of(2) { 9 } else { 14 };
        after_month_begin(hours(number / 2 * 24 + hour))
    } else {
        elsewhere(number - IN_MONTH)
    };
    let end = start + SignedDuration::from_mins(30);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "BEGIN:VEVENT\r\nUID:{}\r\nDTSTAMP:{}\r\nDTSTART:{}\r\nDTEND:{}\r\n\
         SUMMARY:Meeting {number}\r\nLOCATION:Room {}\r\n\
         DESCRIPTION:What was decided last time\\, what is to be decided now.\r\n\
         STATUS:CONFIRMED\r\nSEQUENCE:0\r\nEND:VEVENT\r\n",
        uid(number),
        basic(Timestamp::now()),
        basic(start),
        basic(end),
        number % 40,
    );
    text
}

/// A time outside the month that is asked of; different numbers, different times, until two years are full.
pub(crate) fn elsewhere(number: u64) -> Timestamp {
    let day = number * STRIDE % (BEFORE + AFTER);
    let minute = number / (BEFORE + AFTER) % 1440;
    let since = hours(day * 24) + SignedDuration::from_mins(minute.cast_signed());
    if day < BEFORE {
        after_month_begin(since - hours(BEFORE * 24))
    } else {
        after_month_begin(since - hours(BEFORE * 24) + hours((MONTH + 1) * 24))
    }
}

/// First and last instant of the month that is asked of: thirty days from next week on.
pub(crate) fn month() -> (Timestamp, Timestamp) {
    let begin = after_month_begin(SignedDuration::ZERO);
    (begin, begin + hours(MONTH * 24))
}

fn after_month_begin(span: SignedDuration) -> Timestamp {
    const DAY: i64 = 24 * 3600;
    let today = Timestamp::now().as_second() / DAY;
    let begin = Timestamp::from_second((today + 7) * DAY);
    begin.expect("next week is a time") + span
}

fn hours(hours: u64) -> SignedDuration {
    SignedDuration::from_hours(hours.cast_signed())
}

/// `20270104T090000Z`.
pub(crate) fn basic(instant: Timestamp) -> jiff::fmt::strtime::Display<'static> {
    instant.strftime("%Y%m%dT%H%M%SZ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_month_holds_the_same_events_however_large_the_calendar_is() {
        let (begin, end) = month();
        let in_month = |number: &u64| {
            let text = event(*number);
            let [begin, end] = [begin, end].map(|it| basic(it).to_string());
            let start = text.split("DTSTART:").nth(1).unwrap();
            (begin.as_str()..end.as_str()).contains(&&start[..16])
        };
        assert_eq!((0..IN_MONTH).filter(in_month).count(), 60);
        assert_eq!((IN_MONTH..20_000).filter(in_month).count(), 0);
    }

    #[test]
    fn no_two_events_begin_together() {
        let starts: BTreeSet<_> = (0..100_000).map(elsewhere).collect();
        assert_eq!(starts.len(), 100_000);
    }
}
