//! The index entry that a store keeps of an object, so that it answers free-busy without parsing iCalendar.
//!
//! The time that an object takes is expanded to a horizon. A series that goes on outside of it is marked open, and the
//! host expands the object itself when a question reaches there ([`ObjectIndex::is_open_in`]). A VAVAILABILITY is open
//! everywhere and has no spans: it only makes sense together with the others.

use crate::{
    freebusy::{Table, coarser},
    itip::{Owner, weight},
    recurrence::RecurrenceError,
    tree::{Calendar, Limits},
    work::Work,
};
use convoke_types::{ObjectIndex, TimeRange};
use jiff::Timestamp;

/// An object cannot be indexed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// There is nothing in it but time zones.
    #[error("the calendar holds no event, to-do or other component")]
    Empty,
    /// Its UID is missing or cannot be one.
    #[error("{component} has no usable UID")]
    Uid {
        /// The component.
        component: String,
    },
    /// Its times are wrong.
    #[error(transparent)]
    Recurrence(#[from] RecurrenceError),
}

/// The most spans kept of one object; with more the object itself is the shorter answer.
const MAX_SPANS: usize = 10_000;

/// An object of more bytes, about, is not worked out anew for each question.
const LONG: usize = 64 << 10;

/// Steps that the index of one object may take: enough for what comes every hour over three years. What is rarer asked
/// for than it takes to work out is worked out when it is asked for.
const WORK: usize = 200_000;

/// Describes one object of `owner`; what repeats is expanded within `horizon`.
///
/// What ends is told whole, wherever it lies, if that is at most 10,000 spans. What takes much work (an event of every
/// minute) is not told at all but open everywhere, so that it costs only whoever asks for its time.
///
/// ```
/// use convoke_calendar::{index::index, tree::{Calendar, Limits}};
/// use convoke_types::TimeRange;
///
/// let octets = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nDURATION:PT1H\n\
///     RRULE:FREQ=DAILY\nEND:VEVENT\nEND:VCALENDAR\n";
/// let calendar = Calendar::parse(octets, &Limits::default())?;
/// let year = TimeRange::new("2027-01-01T00:00:00Z".parse()?, "2028-01-01T00:00:00Z".parse()?)?;
/// let index = index(&calendar, None, year, &Limits::default())?;
/// assert_eq!((index.spans.len(), index.open_after), (362, Some(year.end())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn index(
    calendar: &Calendar,
    owner: Option<&Owner>,
    horizon: TimeRange,
    limits: &Limits,
) -> Result<ObjectIndex, IndexError> {
    let main = calendar.main_components().next().ok_or(IndexError::Empty)?;
    let component = main.name.to_ascii_uppercase();
    let uid = main.uid().ok_or_else(|| IndexError::Uid {
        component: component.clone(),
    })?;
    let mut index = ObjectIndex::new(component, uid);
    if index.component == "VAVAILABILITY" {
        return Ok(open_everywhere(index));
    }
    let table = Table::of(calendar, owner)?;
    let work = || Work::of(limits.work.min(WORK));
    if !table.is_endless() {
        match table.spans(TimeRange::ALL, &mut work()) {
            Ok(spans) if spans.len() <= MAX_SPANS => {
                index.spans = spans;
                return Ok(index);
            }
            Ok(_) | Err(RecurrenceError::TooMany(_) | RecurrenceError::TooMuchWork) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let spans = match table.spans(horizon, &mut work()) {
        Ok(spans) if spans.len() <= MAX_SPANS => spans,
        Ok(_) | Err(RecurrenceError::TooMany(_) | RecurrenceError::TooMuchWork) => {
            // Every question reads again what is open, so what is long is told coarsely instead, and never as free.
            if !is_long(calendar) {
                return Ok(open_everywhere(index));
            }
            coarser(table.spans_at_least(horizon, &mut work()), MAX_SPANS)
        }
        Err(error) => return Err(error.into()),
    };
    let begins = table.begins().unwrap_or(horizon.start());
    index.spans = spans;
    index.open_before = (begins < horizon.start()).then_some(horizon.start());
    index.open_after = Some(horizon.end());
    Ok(index)
}

/// Whether to read an object again takes long by itself.
fn is_long(calendar: &Calendar) -> bool {
    let components = calendar.root().components.iter();
    components.map(weight).sum::<usize>() > LONG
}

/// The store always hands the object back.
fn open_everywhere(mut index: ObjectIndex) -> ObjectIndex {
    index.open_after = Some(Timestamp::MIN);
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::freebusy;
    use convoke_types::merge;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const BASE: i64 = 1_798_761_600; // 2027-01-01

    proptest! {
        #[test]
        fn answering_from_the_index_is_answering_from_the_object(
            day in 0i64..900, hour in 0i64..24, hours in 1i64..60, rule in 0usize..6, count in 1u32..40,
            from in 0i64..1200, days in 1i64..60, status in 0usize..4,
        ) {
            let rule = [
                String::new(),
                "RRULE:FREQ=DAILY\n".to_owned(),
                format!("RRULE:FREQ=WEEKLY;BYDAY=MO,TH;COUNT={count}\n"),
                "RRULE:FREQ=MONTHLY;BYDAY=-1FR\n".to_owned(),
                format!("RRULE:FREQ=YEARLY;COUNT={count}\n"),
                "RDATE:20280301T100000Z,20260301T100000Z\n".to_owned(),
            ][rule].clone();
            let status = ["CONFIRMED", "TENTATIVE", "CANCELLED", "CONFIRMED"][status];
            let start = at(BASE + day * 86400 + hour * 3600).strftime("%Y%m%dT%H%M%SZ").to_string();
            let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:{start}\nDURATION:PT{hours}H\nSTATUS:{status}\n{rule}END:VEVENT\nEND:VCALENDAR\n");
            let limits = Limits::default();
            let calendar = Calendar::parse(text.as_bytes(), &limits).unwrap();
            let horizon = TimeRange::new(at(BASE + 200 * 86400), at(BASE + 700 * 86400)).unwrap();
            let range = TimeRange::new(at(BASE + from * 86400), at(BASE + (from + days) * 86400)).unwrap();

            let index = index(&calendar, None, horizon, &limits).unwrap();
            let whole = freebusy::busy(&calendar, None, range, &limits).unwrap();
            let mut spans = index.spans.clone();
            if index.is_open_in(range) {
                spans.extend(whole.iter().copied());
            }
            prop_assert_eq!(merge(spans, range), whole);
        }
    }

    #[test]
    fn expensive_objects_are_left_open_or_counted_as_busy() {
        let event = |more: &str| {
            let text = format!(
                "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY;INTERVAL=2\n\
                 {more}END:VEVENT\nEND:VCALENDAR\n"
            );
            Calendar::parse(text.as_bytes(), &Limits::default()).unwrap()
        };
        let horizon = TimeRange::new(at(BASE), at(BASE + 700 * 86400)).unwrap();
        let index = |more: &str| index(&event(more), None, horizon, &Limits::default()).unwrap();
        assert!(index("").spans.is_empty() && index("").is_open_in(horizon));
        let long = index(&format!("DESCRIPTION:{}\n", "x".repeat(100_000)));
        assert!(!long.is_open_in(horizon) && long.spans.len() <= MAX_SPANS);
        let last = long.spans.last().unwrap().range.end();
        assert_eq!(last, horizon.end());
        assert_eq!(
            long.spans[0].range.start(),
            "2027-01-04T10:00:00Z".parse().unwrap()
        );
    }

    /// It is carried, and neither the object nor a part of it.
    #[test]
    fn a_private_component_beside_an_object_does_not_count() {
        for private in [
            "BEGIN:X-NOTE\nSUMMARY:a\nEND:X-NOTE\n",
            "BEGIN:X-NOTE\nUID:2\nDTSTART:never\nEND:X-NOTE\n",
            "BEGIN:VLATER\nUID:2\nEND:VLATER\n",
        ] {
            let text = format!(
                "BEGIN:VCALENDAR\n{private}BEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nDURATION:PT1H\n\
                 END:VEVENT\nEND:VCALENDAR\n"
            );
            let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
            let index = index(&calendar, None, TimeRange::ALL, &Limits::default()).unwrap();
            let found = (
                index.component.as_str(),
                index.uid.as_str(),
                index.spans.len(),
            );
            assert_eq!(found, ("VEVENT", "1", 1), "{text}");
        }
    }

    #[test]
    fn availability_is_always_handed_back() {
        let text =
            "BEGIN:VCALENDAR\nBEGIN:VAVAILABILITY\nUID:1\nEND:VAVAILABILITY\nEND:VCALENDAR\n";
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        let index = index(&calendar, None, TimeRange::ALL, &Limits::default()).unwrap();
        assert!(index.is_open_in(TimeRange::new(at(0), at(1)).unwrap()));
    }
}
