//! Free-busy drawn with letters: one row a recipient, hours across, a block a day.
//!
//! ```text
//! Mon 4 Jan 2027, Europe/Berlin
//!                     08  09  10  11  12  13
//! anna@harbour.example  ····████▒▒▒▒····░░░░
//! ```

use crate::escape::escape_controls;
use convoke_types::{BusySpan, BusyType};
use jiff::{
    Timestamp, ToSpan, ZonedDateTime,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use std::fmt::Write as _;

/// More days than this are not drawn.
pub(crate) const MOST_DAYS: usize = 62;

/// What to draw.
pub(crate) struct Timeline {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) zone: TimeZone,
    /// Letters in a line.
    pub(crate) width: usize,
    pub(crate) colour: bool,
}

/// One recipient: its free-busy, or why it is not known.
pub(crate) struct Row {
    pub(crate) label: String,
    pub(crate) busy: Result<Vec<BusySpan>, String>,
}

/// What one letter stands for.
#[derive(Clone, Copy)]
enum Cell {
    Taken(BusyType),
    Free,
    /// Outside the range, or in an hour that the clock leaves out.
    Blank,
}

impl Cell {
    /// How it looks, and in which colour.
    const fn letter(self) -> (char, &'static str) {
        match self {
            Self::Taken(BusyType::BusyTentative) => ('▒', "\x1b[33m"),
            Self::Taken(BusyType::BusyUnavailable) => ('░', "\x1b[90m"),
            Self::Taken(_) => ('█', "\x1b[31m"),
            Self::Free => ('·', "\x1b[32m"),
            Self::Blank => (' ', ""),
        }
    }
}

impl Timeline {
    /// The drawing, with a legend under it.
    pub(crate) fn draw(&self, rows: &[Row]) -> String {
        let days = self.days();
        let hours = self.hours(&days);
        let label_width = self.label_width(rows);
        let per_hour = self.per_hour(label_width, hours.1 - hours.0);
        let mut text = String::new();
        for day in &days {
            self.title(&mut text, *day);
            scale(&mut text, label_width, hours, per_hour);
            for row in rows {
                self.row(&mut text, row, *day, label_width, hours, per_hour);
            }
            text.push('\n');
        }
        self.legend(&mut text);
        text
    }

    /// The days that the range touches, in the zone.
    pub(super) fn days(&self) -> Vec<Date> {
        let first = self.from.to_zoned_datetime(self.zone.clone()).date();
        let last_instant = self.to.checked_sub(1.nanosecond()).unwrap_or(self.to);
        let last = last_instant.to_zoned_datetime(self.zone.clone()).date();
        let mut days = vec![first];
        while let Some(next) = days.last().and_then(|day| day.tomorrow().ok())
            && next <= last
            && days.len() <= MOST_DAYS
        {
            days.push(next);
        }
        days
    }

    /// The hours drawn: those of the range if it lies in one day, else all of them.
    fn hours(&self, days: &[Date]) -> (usize, usize) {
        if days.len() > 1 {
            return (0, 24);
        }
        let hour = |time: &ZonedDateTime| usize::try_from(time.hour()).unwrap_or(0);
        let from = self.from.to_zoned_datetime(self.zone.clone());
        let to = self.to.to_zoned_datetime(self.zone.clone());
        let is_midnight = to.date() > from.date();
        let started = to.minute() > 0 || to.second() > 0;
        let end = if is_midnight {
            24
        } else {
            hour(&to) + usize::from(started)
        };
        (hour(&from), end.max(hour(&from) + 1))
    }

    fn label_width(&self, rows: &[Row]) -> usize {
        let longest = rows.iter().map(|row| row.label.chars().count()).max();
        longest.unwrap_or(0).min((self.width / 3).max(12))
    }

    /// How many letters an hour gets.
    fn per_hour(&self, label_width: usize, hours: usize) -> usize {
        let room = self.width.saturating_sub(label_width + 2) / hours;
        [4, 2]
            .into_iter()
            .find(|letters| *letters <= room)
            .unwrap_or(1)
    }

    fn title(&self, text: &mut String, day: Date) {
        let zone = self.zone.iana_name().map(str::to_owned);
        let zone = zone.unwrap_or_else(|| {
            let offset = self.zone.to_offset(self.from);
            format!("UTC{offset}")
        });
        let title = format!("{}, {zone}", day.strftime("%A, %-d %B %Y"));
        let (on, off) = if self.colour {
            ("\x1b[1m", "\x1b[0m")
        } else {
            ("", "")
        };
        // Writing to a String cannot fail; so in the rest of this file.
        let _ = writeln!(text, "{on}{title}{off}");
    }

    fn row(
        &self,
        text: &mut String,
        row: &Row,
        day: Date,
        label_width: usize,
        (first, last): (usize, usize),
        per_hour: usize,
    ) {
        let _ = write!(
            text,
            "{:label_width$}  ",
            shortened(&row.label, label_width)
        );
        match &row.busy {
            Err(reason) => text.push_str(&escape_controls(reason)),
            Ok(spans) => {
                let midnight = day.to_datetime(jiff::civil::Time::midnight());
                let cells = (first * per_hour..last * per_hour)
                    .map(|cell| self.cell(spans, midnight, cell, per_hour));
                self.cells(text, cells);
            }
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }

    fn cell(&self, spans: &[BusySpan], midnight: DateTime, cell: usize, per_hour: usize) -> Cell {
        let edge = |cell: usize| {
            let minutes = i64::try_from(cell * 60 / per_hour).ok()?;
            let time = midnight.checked_add(minutes.minutes()).ok()?;
            let ambiguous = self.zone.to_ambiguous_timestamp(time);
            let in_gap = matches!(ambiguous.offset(), jiff::tz::AmbiguousOffset::Gap { .. });
            Some((ambiguous.compatible().ok()?, in_gap))
        };
        let (Some((start, in_gap)), Some((end, _))) = (edge(cell), edge(cell + 1)) else {
            return Cell::Blank;
        };
        let (start, end) = (start.max(self.from), end.min(self.to));
        if in_gap || start >= end {
            return Cell::Blank;
        }
        let overlapping = |span: &&BusySpan| span.range.start() < end && start < span.range.end();
        // What weighs most is what is drawn; BusyType is ordered so.
        let heaviest = spans.iter().filter(overlapping).map(|span| span.kind).min();
        heaviest.map_or(Cell::Free, Cell::Taken)
    }

    fn cells(&self, text: &mut String, cells: impl Iterator<Item = Cell>) {
        let mut painted = "";
        for cell in cells {
            let (letter, colour) = cell.letter();
            if self.colour && colour != painted {
                let _ = write!(text, "\x1b[0m{colour}");
                painted = colour;
            }
            text.push(letter);
        }
        if !painted.is_empty() {
            text.push_str("\x1b[0m");
        }
    }

    fn legend(&self, text: &mut String) {
        let entries = [
            (Cell::Taken(BusyType::Busy), "busy"),
            (Cell::Taken(BusyType::BusyTentative), "tentative"),
            (Cell::Taken(BusyType::BusyUnavailable), "unavailable"),
            (Cell::Free, "free"),
        ];
        for (at, (cell, word)) in entries.into_iter().enumerate() {
            if at > 0 {
                text.push_str("   ");
            }
            self.cells(text, std::iter::once(cell));
            let _ = write!(text, " {word}");
        }
        text.push('\n');
    }
}

/// The hours, at their places.
fn scale(text: &mut String, label_width: usize, (first, last): (usize, usize), per_hour: usize) {
    let step = 4 / per_hour; // so that two digits and some room fit
    let mut line = " ".repeat(label_width + 2);
    for hour in (first..last).filter(|hour| (hour - first).is_multiple_of(step)) {
        let width = (last - hour).min(step) * per_hour;
        let _ = write!(line, "{:<width$}", format!("{hour:02}"));
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn shortened(label: &str, width: usize) -> String {
    let label = escape_controls(label);
    if label.chars().count() <= width {
        return label.into_owned();
    }
    let kept: String = label.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_types::TimeRange;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn span(from: &str, to: &str, kind: BusyType) -> BusySpan {
        let range = TimeRange::new(at(from), at(to)).unwrap();
        BusySpan::new(range, kind)
    }

    fn timeline(from: &str, to: &str, zone: &str) -> Timeline {
        Timeline {
            from: at(from),
            to: at(to),
            zone: TimeZone::get(zone).unwrap(),
            width: 60,
            colour: false,
        }
    }

    fn row(label: &str, busy: &[BusySpan]) -> Row {
        Row {
            label: label.to_owned(),
            busy: Ok(busy.to_vec()),
        }
    }

    #[test]
    fn a_morning_is_drawn_in_quarter_hours() {
        let rows = [
            row(
                "anna@harbour.example",
                &[
                    span(
                        "2027-01-04T08:00:00Z",
                        "2027-01-04T09:00:00Z",
                        BusyType::Busy,
                    ),
                    span(
                        "2027-01-04T08:45:00Z",
                        "2027-01-04T09:30:00Z",
                        BusyType::BusyTentative,
                    ),
                    span(
                        "2027-01-04T11:00:00Z",
                        "2027-01-04T19:00:00Z",
                        BusyType::BusyUnavailable,
                    ),
                ],
            ),
            row("bo@meadow.example", &[]),
            Row {
                label: "nobody@meadow.example".to_owned(),
                busy: Err("3.7 Invalid calendar user".to_owned()),
            },
        ];
        let drawn = timeline(
            "2027-01-04T08:00:00Z",
            "2027-01-04T12:00:00Z",
            "Europe/Berlin",
        )
        .draw(&rows);
        let expected = "\
Monday, 4 January 2027, Europe/Berlin
                      09  10  11  12
anna@harbour.example  ████▒▒······░░░░
bo@meadow.example     ················
nobody@meadow.examp…  3.7 Invalid calendar user

█ busy   ▒ tentative   ░ unavailable   · free
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn several_days_are_several_blocks_and_what_was_not_asked_is_blank() {
        let busy = span(
            "2027-01-04T22:00:00Z",
            "2027-01-05T02:00:00Z",
            BusyType::Busy,
        );
        let drawn = timeline("2027-01-04T12:00:00Z", "2027-01-05T06:00:00Z", "UTC")
            .draw(&[row("bo@meadow.example", &[busy])]);
        let expected = "\
Monday, 4 January 2027, UTC
                   00  04  08  12  16  20
bo@meadow.example              ··········██

Tuesday, 5 January 2027, UTC
                   00  04  08  12  16  20
bo@meadow.example  ██····
";
        assert!(drawn.starts_with(expected), "{drawn}");
    }

    #[test]
    fn an_hour_that_the_clock_leaves_out_is_blank() {
        let drawn = timeline(
            "2027-03-28T00:00:00Z",
            "2027-03-28T03:00:00Z",
            "Europe/Berlin",
        )
        .draw(&[row("bo", &[])]);
        let line = drawn.lines().nth(2).unwrap();
        assert_eq!(line, "bo  ····    ········");
    }

    #[test]
    fn types_are_told_apart_by_colour_too() {
        let busy = span(
            "2027-01-04T08:00:00Z",
            "2027-01-04T09:00:00Z",
            BusyType::Busy,
        );
        let mut timeline = timeline("2027-01-04T08:00:00Z", "2027-01-04T10:00:00Z", "UTC");
        timeline.colour = true;
        let drawn = timeline.draw(&[row("bo", &[busy])]);
        assert!(
            drawn.contains("bo  \x1b[0m\x1b[31m████\x1b[0m\x1b[32m····\x1b[0m\n"),
            "{drawn:?}"
        );
    }
}
