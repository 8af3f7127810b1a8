//! Whether a meeting is over, so that nobody needs to hear of it any more, and when it will be.

use super::participants::Owner;
use crate::message::{Kind, Message, Method};
use crate::recurrence::{Instance, Series};
use crate::tree::Calendar;
use crate::work::Work;
use crate::zone::Zones;
use convoke_types::TimeRange;
use jiff::{
    Timestamp,
    tz::{TimeZone, offset},
};

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

/// When all is over that a message of an organizer is about, and `now` if it is already. `None` if it goes on for ever, or if
/// that cannot be told, as for [`is_over`].
///
/// A REPLY names when its meeting begins, and a CANCEL of a whole series when that begins: neither says how long it goes on. Whole
/// days and floating times end where a day ends last, as a recipient may be anywhere.
///
/// ```
/// use convoke_calendar::{itip::ends, message::Message, tree::{Calendar, Limits}};
///
/// let octets = b"BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20270101T100000Z\n\
///     DTSTART:20270104T100000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=2\nORGANIZER:mailto:a@example.com\n\
///     ATTENDEE:mailto:b@example.com\nEND:VEVENT\nEND:VCALENDAR\n";
/// let message = Message::read(Calendar::parse(octets, &Limits::default())?)?;
/// let now = "2027-01-05T10:00:00Z".parse()?;
/// assert_eq!(ends(&message, now), Some("2027-01-11T11:00:00Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn ends(message: &Message, now: Timestamp) -> Option<Timestamp> {
    let is_of_instances = || {
        let mut components = message.components();
        components.all(|it| it.stated("RECURRENCE-ID").is_some())
    };
    let says_all = match message.method() {
        Method::Request | Method::Add | Method::Publish => true,
        Method::Cancel => is_of_instances(),
        _ => false,
    };
    if !says_all {
        return None;
    }
    let last_zone = TimeZone::fixed(offset(-12));
    let mut end = now;
    going_on(message.calendar(), last_zone, now, &mut |instance| {
        end = end.max(instance.end);
    })?;
    Some(end)
}

/// `None` if that cannot be told.
fn has_ended(object: &Calendar, owner: &Owner, now: Timestamp) -> Option<bool> {
    let mut goes_on = false;
    going_on(object, owner.timezone.clone(), now, &mut |_| goes_on = true)?;
    Some(!goes_on)
}

/// Hands the instances that have not ended to `take`. `None` if they have no end, or cannot be told.
fn going_on(
    object: &Calendar,
    zone: TimeZone,
    now: Timestamp,
    take: &mut dyn FnMut(Instance),
) -> Option<()> {
    let is_event = |name: &str| Kind::parse(name) == Some(Kind::Event);
    if !object.main_components().all(|it| is_event(&it.name)) {
        return None;
    }
    let zones = Zones::of(object, zone);
    let to_come = TimeRange::new(now, Timestamp::MAX).ok()?;
    let mut work = Work::of(STEPS);
    for series in Series::all(object.main_components(), &zones).ok()? {
        if series.is_endless() || series.is_rest_of_unknown() {
            return None;
        }
        series.walk(to_come, &mut work, take).ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Limits;

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

    #[test]
    fn a_message_says_when_all_of_it_ends() {
        let now = "2027-01-20T10:00:00Z".parse().unwrap();
        for (method, lines, expected) in [
            (
                "REQUEST",
                "DTSTART:20270121T100000Z|DURATION:PT1H",
                Some("2027-01-21T11:00:00Z"),
            ),
            (
                "REQUEST",
                "DTSTART:20270104T100000Z|DTEND:20270104T110000Z|RRULE:FREQ=WEEKLY;UNTIL=20270201T100000Z",
                Some("2027-02-01T11:00:00Z"),
            ),
            (
                "REQUEST",
                "DTSTART:20270104T100000Z|DURATION:PT1H",
                Some("2027-01-20T10:00:00Z"),
            ),
            (
                "REQUEST",
                "DTSTART:20270104T100000Z|RRULE:FREQ=WEEKLY",
                None,
            ),
            (
                "REQUEST",
                "DTSTART:20270104T100000Z|RRULE:FREQ=SECONDLY;COUNT=999999999",
                None,
            ),
            // The last who sees the day end is west of everybody.
            (
                "REQUEST",
                "DTSTART;VALUE=DATE:20270120",
                Some("2027-01-21T12:00:00Z"),
            ),
            (
                "REQUEST",
                "RECURRENCE-ID;RANGE=THISANDFUTURE:20270125T100000Z|DTSTART:20270125T110000Z|DURATION:PT1H",
                None,
            ),
            (
                "CANCEL",
                "RECURRENCE-ID:20270125T100000Z|DTSTART:20270125T100000Z|DURATION:PT1H",
                Some("2027-01-25T11:00:00Z"),
            ),
            // These name the start of what may be a series.
            ("CANCEL", "DTSTART:20270104T100000Z|DURATION:PT1H", None),
            ("REPLY", "DTSTART:20270104T100000Z", None),
        ] {
            let common = "DTSTAMP:20270101T100000Z|ORGANIZER:mailto:a@example.com|ATTENDEE:mailto:b@example.com|SEQUENCE:1";
            let text = String::from_utf8(object(&[&format!("{common}|{lines}")]).write()).unwrap();
            let head = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:{method}");
            let text = text.replace("BEGIN:VCALENDAR", &head);
            let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
            let message = Message::read(calendar).unwrap();
            let expected: Option<Timestamp> = expected.map(|it| it.parse().unwrap());
            assert_eq!(ends(&message, now), expected, "{method} {lines}");
        }
    }
}
