//! When an object has something, worked out once, so that most time ranges are answered without the object.

use convoke_calendar::{
    recurrence::{Instance, RecurrenceError, instances},
    tree::{Calendar, Component, Limits},
};
use convoke_types::TimeRange;
use jiff::tz::TimeZone;

/// Steps that are taken to find every instance of an object; an endless one needs more.
const WORK_OF_ALL: usize = 4_000;
/// Steps that are taken to find the instances within the horizon.
const WORK: usize = 20_000;
/// Instances that are kept; an object with more is looked at itself.
const MAX_SPANS: usize = 400;

/// When the components of one object are.
///
/// ```
/// use convoke_caldav::extent::Extent;
/// use convoke_calendar::tree::{Calendar, Limits};
/// use convoke_types::TimeRange;
/// use jiff::tz::TimeZone;
///
/// let octets = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\n\
///     END:VEVENT\nEND:VCALENDAR\n";
/// let calendar = Calendar::parse(octets, &Limits::default())?;
/// let range = |start: &str, end: &str| TimeRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap();
/// let horizon = range("2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z");
/// let extent = Extent::of(&calendar, &TimeZone::UTC, horizon);
/// assert_eq!(extent.overlaps(range("2027-02-01T10:30:00Z", "2027-02-01T10:45:00Z")), Some(true));
/// assert_eq!(extent.overlaps(range("2027-02-01T11:30:00Z", "2027-02-01T11:45:00Z")), Some(false));
/// assert_eq!(extent.overlaps(range("2030-02-01T11:30:00Z", "2030-02-01T11:45:00Z")), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    component: String,
    spans: Spans,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Spans {
    /// In seconds: every instance.
    All(Box<[(i64, i64)]>),
    /// In seconds: every instance that overlaps this range.
    Within(TimeRange, Box<[(i64, i64)]>),
    /// They cannot be told, or are too many.
    Unknown,
}

impl Extent {
    /// When an object is; dates and floating times are in `own`. A series without an end is followed within `horizon`.
    pub fn of(calendar: &Calendar, own: &TimeZone, horizon: TimeRange) -> Self {
        let main = calendar.main_components().next();
        let is_one_kind = |main: &Component| calendar.main_components().all(|it| it.is(&main.name));
        let main = main.filter(|main| is_one_kind(main));
        let component = main.map_or_else(String::new, |it| it.name.to_ascii_uppercase());
        let spans = spans(calendar, &component, own, horizon);
        Self { component, spans }
    }

    /// Of an object of this component, or of none that is known, that was not looked at.
    pub fn unknown(component: &str) -> Self {
        Self {
            component: component.to_ascii_uppercase(),
            spans: Spans::Unknown,
        }
    }

    /// The object's kind of component, in upper case; empty if there is not just one.
    pub fn component(&self) -> &str {
        &self.component
    }

    /// Whether the object has an instance in a range; `None`: the object itself must be asked.
    pub fn overlaps(&self, range: TimeRange) -> Option<bool> {
        let (spans, is_whole) = match &self.spans {
            Spans::All(spans) => (spans, true),
            Spans::Within(known, spans) => {
                let is_within = known.start() <= range.start() && range.end() <= known.end();
                (spans, is_within)
            }
            Spans::Unknown => return None,
        };
        let overlaps = spans.iter().any(|span| overlaps(*span, range));
        (overlaps || is_whole).then_some(overlaps)
    }

    /// How much memory it takes, in bytes, about.
    pub fn size(&self) -> usize {
        let spans = match &self.spans {
            Spans::All(spans) | Spans::Within(_, spans) => size_of_val::<[(i64, i64)]>(spans),
            Spans::Unknown => 0,
        };
        size_of::<Self>() + self.component.len() + spans
    }
}

fn spans(calendar: &Calendar, component: &str, own: &TimeZone, horizon: TimeRange) -> Spans {
    // What has no time of its own follows rules of its own.
    let has_time = |it: &Component| it.get("DTSTART").is_some() || it.get("DUE").is_some();
    if !calendar.main_components().all(has_time) {
        return Spans::Unknown;
    }
    let within = |range, work| {
        let limits = Limits {
            work,
            ..Limits::default()
        };
        instances(calendar, component, own, range, &limits)
    };
    match within(TimeRange::ALL, WORK_OF_ALL) {
        Ok(found) => kept(&found).map_or(Spans::Unknown, Spans::All),
        Err(RecurrenceError::TooMuchWork | RecurrenceError::TooMany(_)) => {
            let found = within(horizon, WORK).ok();
            let kept = found.and_then(|found| kept(&found));
            kept.map_or(Spans::Unknown, |spans| Spans::Within(horizon, spans))
        }
        Err(_) => Spans::Unknown,
    }
}

fn kept(found: &[Instance<'_>]) -> Option<Box<[(i64, i64)]>> {
    let spans = found.iter();
    let spans = spans.map(|it| (it.start.as_second(), it.end.as_second()));
    (found.len() <= MAX_SPANS).then(|| spans.collect())
}

/// An instance without length overlaps if it lies in the range. iCalendar knows whole seconds only.
fn overlaps((start, end): (i64, i64), range: TimeRange) -> bool {
    let (from, to) = (range.start().as_second(), range.end().as_second());
    start < to && (from < end || (start == end && from <= start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const BASE: i64 = 1_798_761_600; // 2027-01-01

    proptest! {
        /// What is told is what the object itself would say.
        #[test]
        fn what_is_told_is_true(
            day in 0i64..300, length in 0i64..40, rule in 0usize..6, from in -100i64..800, days in 1i64..90,
            zone in prop::sample::select(vec!["UTC", "America/New_York"]),
        ) {
            let rule = ["", "RRULE:FREQ=WEEKLY\n", "RRULE:FREQ=DAILY;COUNT=30\n", "RRULE:FREQ=MONTHLY;BYDAY=-1FR\n",
                "RDATE;VALUE=DATE:20270301\n", "RRULE:FREQ=SECONDLY;BYHOUR=3\n"][rule];
            let start = at(BASE + day * 86400).strftime("%Y%m%d");
            let end = match length { 0 => String::new(), days => format!("DURATION:P{days}D\n") };
            let text = format!(
                "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:{start}\n{end}{rule}END:VEVENT\nEND:VCALENDAR\n"
            );
            let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
            let own = TimeZone::get(zone).unwrap();
            let range = |from: i64, days: i64| TimeRange::new(at(BASE + from * 86400), at(BASE + (from + days) * 86400)).unwrap();
            let extent = Extent::of(&calendar, &own, range(-50, 600));
            let asked = range(from, days);
            let limits = Limits { work: 1_000_000, ..Limits::default() };
            let found = instances(&calendar, "VEVENT", &own, asked, &limits);
            if let (Some(told), Ok(found)) = (extent.overlaps(asked), found) {
                prop_assert_eq!(told, !found.is_empty());
            }
        }
    }

    #[test]
    fn what_has_no_time_or_too_many_is_unknown() {
        for lines in [
            "",
            "DTSTART:never\n",
            "DTSTART:20270101T000000Z\nRRULE:FREQ=SECONDLY\n",
            "DTSTART:20270101T000000Z\nRRULE:FREQ=HOURLY;COUNT=500\n",
        ] {
            let text =
                format!("BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:1\n{lines}END:VTODO\nEND:VCALENDAR\n");
            let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
            let horizon = TimeRange::new(at(BASE), at(BASE + 86400 * 365)).unwrap();
            let extent = Extent::of(&calendar, &TimeZone::UTC, horizon);
            assert_eq!(extent.component(), "VTODO");
            assert_eq!(extent.overlaps(TimeRange::ALL), None, "{lines}");
        }
    }
}
