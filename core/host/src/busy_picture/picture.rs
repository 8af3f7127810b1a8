//! Two weeks of busy time as a picture (SVG): a row a day, whose words can be read on a phone, too.

use crate::fortnight::DAYS;
use convoke_types::{BusySpan, BusyType, TimeRange};
use jiff::{
    Span, Timestamp,
    civil::{Date, Weekday},
    tz::TimeZone,
};
use maud::{Markup, html};

/// Left of the hours stand the days.
const LEFT: i64 = 170;
/// Minutes of a day, and how many of them are a unit of the width.
const DAY: i64 = 1440;
const UNIT: i64 = 2;
const WIDTH: i64 = LEFT + DAY / UNIT + 10;
/// Above the days stand the hours.
const TOP: i64 = 44;
const ROW: i64 = 42;
const BAR: i64 = 34;

/// A part of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Minutes of the day, by the clock.
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) kind: BusyType,
}

impl Part {
    /// `10:00–11:30 tentative`.
    pub(super) fn words(&self) -> String {
        let clock = |minutes: i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        format!("{}–{} {}", clock(self.from), clock(self.to), self.word())
    }

    /// For people, and for the style.
    const fn word(&self) -> &'static str {
        match self.kind {
            BusyType::BusyTentative => "tentative",
            BusyType::BusyUnavailable => "unavailable",
            _ => "busy",
        }
    }
}

/// Each day, with what of it is not free.
pub(super) fn days(busy: &[BusySpan], today: Date, zone: &TimeZone) -> Vec<(Date, Vec<Part>)> {
    let days = (0..DAYS).filter_map(|it| today.checked_add(Span::new().days(it)).ok());
    days.map(|day| (day, parts(busy, day, zone))).collect()
}

fn parts(busy: &[BusySpan], day: Date, zone: &TimeZone) -> Vec<Part> {
    let midnight = |day: Date| zone.to_timestamp(day.at(0, 0, 0, 0)).ok();
    let next = day.tomorrow().ok().and_then(midnight);
    let range = midnight(day).zip(next);
    let Some(Ok(range)) = range.map(|(from, to)| TimeRange::new(from, to)) else {
        return Vec::new();
    };
    let clock = |at: Timestamp| {
        let local = zone.to_datetime(at);
        if local.date() > day {
            return DAY;
        }
        i64::from(local.hour()) * 60 + i64::from(local.minute())
    };
    let parts = busy.iter().filter_map(|span| {
        let part = span.range.clip(&range)?;
        let (from, to) = (clock(part.start()), clock(part.end()));
        // Where the clock is set back within it, it ends before it begins.
        let (from, to) = (from.min(to), to.max(from));
        let kind = span.kind;
        (from < to).then_some(Part { from, to, kind })
    });
    parts.collect()
}

pub(super) fn draw(days: &[(Date, Vec<Part>)], title: &str) -> Markup {
    let rows = i64::try_from(days.len()).unwrap_or(DAYS);
    let height = TOP + rows * ROW;
    html! {
        svg class="busy-time" viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-labelledby="busy-title" {
            title id="busy-title" { (title) " in the next two weeks; the same as a list below" }
            @for hour in [0, 6, 12, 18, 24] {
                @let x = LEFT + hour * 60 / UNIT;
                line class="hour" x1=(x) y1=(TOP - 6) x2=(x) y2=(height) {}
                text class="hour" x=(x) y=(TOP - 14) text-anchor=(anchor(hour)) { (format!("{hour:02}")) }
            }
            @for (row, (day, parts)) in (0..).zip(days) {
                @let y = TOP + row * ROW;
                text class="day" x="0" y=(y + 27) { (day.strftime("%a %-d %b").to_string()) }
                rect class=(class_of(*day)) x=(LEFT) y=(y) width=(DAY / UNIT) height=(BAR) {}
                @for part in parts {
                    rect class=(part.word()) x=(LEFT + part.from / UNIT) y=(y) width=(((part.to - part.from) / UNIT).max(1)) height=(BAR) {
                        title { (part.words()) }
                    }
                }
            }
        }
    }
}

const fn anchor(hour: i64) -> &'static str {
    match hour {
        0 => "start",
        24 => "end",
        _ => "middle",
    }
}

fn class_of(day: Date) -> &'static str {
    match day.weekday() {
        Weekday::Saturday | Weekday::Sunday => "free weekend",
        _ => "free",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_cut_at_midnight_of_the_users_clock() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let span = |start: &str, end: &str, kind| {
            let range = TimeRange::new(start.parse().unwrap(), end.parse().unwrap());
            BusySpan::new(range.unwrap(), kind)
        };
        let busy = [
            span(
                "2027-01-04T09:00:00Z",
                "2027-01-04T10:30:00Z",
                BusyType::Busy,
            ),
            span(
                "2027-01-04T22:00:00Z",
                "2027-01-05T08:00:00Z",
                BusyType::BusyTentative,
            ),
            // Between two and three the clock is set forward there.
            span(
                "2027-03-28T00:30:00Z",
                "2027-03-28T01:30:00Z",
                BusyType::BusyUnavailable,
            ),
        ];
        let words = |day: &str| {
            let parts = parts(&busy, day.parse().unwrap(), &zone);
            parts.iter().map(Part::words).collect::<Vec<_>>()
        };
        assert_eq!(
            words("2027-01-04"),
            ["10:00–11:30 busy", "23:00–24:00 tentative"]
        );
        assert_eq!(words("2027-01-05"), ["00:00–09:00 tentative"]);
        assert_eq!(words("2027-03-28"), ["01:30–03:30 unavailable"]);
        assert!(words("2027-01-06").is_empty());
    }
}
