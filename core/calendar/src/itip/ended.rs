//! Whether a meeting is over, so that nobody needs to hear of it any more.

use super::participants::Owner;
use crate::message::Kind;
use crate::recurrence::Series;
use crate::tree::Calendar;
use crate::work::Work;
use crate::zone::Zones;
use convoke_types::TimeRange;
use jiff::Timestamp;

/// How many steps may be taken for one object; what takes more is taken to go on.
const STEPS: usize = 100_000;

/// Whether every instance of an object has ended, in each of the versions given: as it was before an edit, and as it is now.
///
/// A to-do is not over because it is late. What goes on for ever is not over, nor what takes more than about a millisecond to
/// find out, nor what has a time that nobody can read. Whole days and floating times are read in the owner's zone.
///
/// ```
/// use convoke_calendar::{itip::{Owner, is_over}, tree::{Calendar, Limits}};
/// use jiff::tz::TimeZone;
///
/// let octets = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20270104T100000Z\nDURATION:PT1H\n\
///     RRULE:FREQ=WEEKLY;COUNT=2\nEND:VEVENT\nEND:VCALENDAR\n";
/// let calendar = Calendar::parse(octets, &Limits::default())?;
/// let owner = Owner { addresses: &[], name: None, timezone: TimeZone::UTC };
/// assert!(!is_over([&calendar], &owner, "2027-01-11T10:59:59Z".parse()?));
/// assert!(is_over([&calendar], &owner, "2027-01-11T11:00:00Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn is_over<'a>(
    versions: impl IntoIterator<Item = &'a Calendar>,
    owner: &Owner,
    now: Timestamp,
) -> bool {
    let mut versions = versions.into_iter();
    versions.all(|object| has_ended(object, owner, now).unwrap_or(false))
}

/// `None` if that cannot be told.
fn has_ended(object: &Calendar, owner: &Owner, now: Timestamp) -> Option<bool> {
    let is_event = |name: &str| Kind::parse(name) == Some(Kind::Event);
    if !object.main_components().all(|it| is_event(&it.name)) {
        return None;
    }
    let zones = Zones::of(object, owner.timezone.clone());
    let to_come = TimeRange::new(now, Timestamp::MAX).ok()?;
    let mut work = Work::of(STEPS);
    let mut goes_on = false;
    for series in Series::all(object.main_components(), &zones).ok()? {
        if goes_on || series.is_endless() {
            return Some(false);
        }
        let walked = series.walk(to_come, &mut work, &mut |_| goes_on = true);
        walked.ok()?;
    }
    Some(!goes_on)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Limits;
    use jiff::tz::TimeZone;

    fn object(components: &[&str]) -> Calendar {
        let component = |lines: &&str| {
            let lines = lines.replace('|', "\n");
            format!("BEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT\n")
        };
        let components: String = components.iter().map(component).collect();
        let text = format!("BEGIN:VCALENDAR\n{components}END:VCALENDAR\n");
        Calendar::parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    fn over(components: &[&str], zone: &str) -> bool {
        let owner = Owner {
            addresses: &[],
            name: None,
            timezone: TimeZone::get(zone).unwrap(),
        };
        let now = "2027-01-04T10:00:00Z".parse().unwrap();
        is_over([&object(components)], &owner, now)
    }

    #[test]
    fn a_meeting_is_over_when_its_last_instance_has_ended() {
        for (components, expected) in [
            (&["DTSTART:20270104T090000Z|DURATION:PT1H"][..], true),
            (&["DTSTART:20270104T090000Z|DURATION:PT61M"], false),
            (&["DTSTART:20270104T110000Z"], false),
            (&["DTSTART:20270104T100000Z"], false),
            (&["DTSTART:20270104T095959Z"], true),
            (&["DTSTART:20260104T090000Z|RRULE:FREQ=DAILY"], false),
            (
                &["DTSTART:20260104T090000Z|DURATION:PT1H|RRULE:FREQ=DAILY;UNTIL=20270104T090000Z"],
                true,
            ),
            (
                &["DTSTART:20260104T090000Z|DURATION:PT1H|RRULE:FREQ=DAILY;UNTIL=20270105T090000Z"],
                false,
            ),
            (
                &[
                    "DTSTART:20260104T090000Z|DURATION:PT1H|RRULE:FREQ=DAILY;UNTIL=20270105T090000Z|EXDATE:20270105T090000Z",
                ],
                true,
            ),
            (
                &["DTSTART:20260104T090000Z|DURATION:PT1H|RDATE:20280104T090000Z"],
                false,
            ),
            // An instance that was moved ahead, and one that was moved back.
            (
                &[
                    "DTSTART:20260104T090000Z|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=2",
                    "RECURRENCE-ID:20260105T090000Z|DTSTART:20280105T090000Z",
                ],
                false,
            ),
            (
                &[
                    "DTSTART:20260104T090000Z|DURATION:PT1H|RDATE:20280104T090000Z",
                    "RECURRENCE-ID:20280104T090000Z|DTSTART:20260106T090000Z|DURATION:PT1H",
                ],
                true,
            ),
            (
                &["RECURRENCE-ID:20260105T090000Z|DTSTART:20260105T090000Z"],
                true,
            ),
            // Not to be told.
            (&["DTSTART:yesterday"], false),
            (&["SUMMARY:x"], false),
            (&["DTSTART:20200104T090000Z|RRULE:FREQ=ODDLY"], false),
            (
                &["DTSTART:20200104T090000Z|RRULE:FREQ=SECONDLY;COUNT=999999999"],
                false,
            ),
        ] {
            assert_eq!(over(components, "UTC"), expected, "{components:?}");
        }
    }

    #[test]
    fn days_end_in_the_zone_of_the_owner() {
        for (lines, zone, expected) in [
            ("DTSTART;VALUE=DATE:20270103", "UTC", true),
            ("DTSTART;VALUE=DATE:20270103", "America/Los_Angeles", true),
            ("DTSTART;VALUE=DATE:20270103", "Pacific/Pago_Pago", false),
            ("DTSTART;VALUE=DATE:20270104", "Pacific/Kiritimati", true),
            ("DTSTART:20270104T110000", "Europe/Berlin", false),
            ("DTSTART:20270104T105959", "Europe/Berlin", true),
        ] {
            assert_eq!(over(&[lines], zone), expected, "{lines} in {zone}");
        }
    }

    #[test]
    fn all_versions_must_be_over() {
        let owner = Owner {
            addresses: &[],
            name: None,
            timezone: TimeZone::UTC,
        };
        let now = "2027-01-04T10:00:00Z".parse().unwrap();
        let [past, future] = ["20270103T090000Z", "20270105T090000Z"]
            .map(|start| object(&[&format!("DTSTART:{start}")]));
        assert!(is_over([&past, &past], &owner, now));
        assert!(!is_over([&past, &future], &owner, now));
        assert!(!is_over([&future, &past], &owner, now));
        let todo = String::from_utf8(past.write())
            .unwrap()
            .replace("VEVENT", "VTODO");
        let todo = Calendar::parse(todo.as_bytes(), &Limits::default()).unwrap();
        assert!(!is_over([&todo], &owner, now));
    }
}
