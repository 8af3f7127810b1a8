//! An object as one line of a list.

use super::instance::recurs;
use super::participants::{Owner, PartStat};
use super::request::is_cancelled;
use crate::recurrence::start;
use crate::time::{Clock, Length, When, instant};
use crate::tree::{Calendar, Component, Property};
use crate::zone::Zones;
use jiff::tz::TimeZone;

/// What a list says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// SUMMARY, as text: whatever was written there, line breaks too. Empty if there is none.
    pub title: String,
    /// When it begins; of a series, its first instance. `None` where it says nothing that can be read.
    pub start: Option<When>,
    /// When that ends, on the clock that it is written on; `None` where nothing is said of that.
    pub end: Option<When>,
    /// How the owner has answered; `None` if it is not on the list.
    pub partstat: Option<PartStat>,
    /// Whether it stands for a series.
    pub recurs: bool,
    /// Whether it is called off.
    pub cancelled: bool,
}

/// What a list says of an object, or of a message about one: of the whole, or of the first of its instances if it holds no
/// more than those. `None` if it holds no object.
///
/// ```
/// use convoke_calendar::{itip::{Owner, PartStat, summary}, tree::{Calendar, Limits}};
/// use convoke_types::CalendarAddress;
/// use jiff::tz::TimeZone;
///
/// let octets = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20270104T100000\nDURATION:PT90M\n\
///     RRULE:FREQ=WEEKLY\nSUMMARY:Tea\\, or coffee\nORGANIZER:mailto:anna@example.com\n\
///     ATTENDEE;PARTSTAT=TENTATIVE:mailto:bo@example.org\nEND:VEVENT\nEND:VCALENDAR\n";
/// let calendar = Calendar::parse(octets, &Limits::default())?;
/// let bo = [CalendarAddress::new("bo@example.org")?];
/// let owner = Owner { addresses: &bo, name: None, timezone: TimeZone::UTC };
/// let summary = summary(&calendar, &owner).expect("it holds an event");
/// assert_eq!(summary.title, "Tea, or coffee");
/// assert_eq!(summary.end.map(|end| end.wall.to_string()).as_deref(), Some("2027-01-04T11:30:00"));
/// assert_eq!((summary.partstat, summary.recurs), (Some(PartStat::Tentative), true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn summary(object: &Calendar, owner: &Owner) -> Option<Summary> {
    let mut whole = object.main_components();
    let whole = whole.find(|it| it.get("RECURRENCE-ID").is_none());
    let component = whole.or_else(|| object.main_components().next())?;
    let start = start(component).ok();
    let zones = Zones::of(object, owner.timezone.clone());
    Some(Summary {
        title: component
            .get("SUMMARY")
            .map(Property::to_text)
            .unwrap_or_default(),
        end: end(component, start.as_ref(), &zones),
        start,
        partstat: owner.partstat(component),
        recurs: recurs(component),
        cancelled: is_cancelled(component),
    })
}

fn end(component: &Component, start: Option<&When>, zones: &Zones) -> Option<When> {
    if let Some(end) = ["DTEND", "DUE"]
        .iter()
        .find_map(|name| component.stated(name))
    {
        return When::of(end).ok();
    }
    let length = Length::of(component.stated("DURATION")?).ok()?;
    let start = start?;
    let wall = if start.is_date() {
        start
            .wall
            .saturating_add(jiff::Span::new().days(length.days))
    } else {
        let zone = match start.clock {
            Clock::Zone(_) => start.zone(zones).ok()?,
            _ => TimeZone::UTC,
        };
        let end = length
            .end(start.wall, &zone)
            .max(instant(start.wall, &zone));
        end.to_zoned_datetime(zone).datetime()
    };
    Some(When {
        wall,
        clock: start.clock.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Limits;

    fn listed(components: &[&str]) -> Option<Summary> {
        let component = |lines: &&str| {
            let lines = lines.replace('|', "\n");
            format!("BEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT\n")
        };
        let components: String = components.iter().map(component).collect();
        let text = format!("BEGIN:VCALENDAR\n{components}END:VCALENDAR\n");
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).unwrap();
        let addresses = ["mailto:b@example.com".parse().unwrap()];
        let owner = Owner {
            addresses: &addresses,
            name: None,
            timezone: TimeZone::UTC,
        };
        summary(&calendar, &owner)
    }

    #[test]
    fn an_end_is_on_the_clock_of_its_start() {
        for (lines, expected) in [
            (
                "DTSTART:20270104T100000Z|DTEND;TZID=Europe/Berlin:20270104T120000",
                Some("2027-01-04T12:00:00"),
            ),
            (
                "DTSTART:20270104T100000Z|DURATION:PT1H",
                Some("2027-01-04T11:00:00"),
            ),
            // The clocks go forward in between.
            (
                "DTSTART;TZID=Europe/Berlin:20270328T010000|DURATION:PT2H",
                Some("2027-03-28T04:00:00"),
            ),
            (
                "DTSTART:20270104T100000|DURATION:P1DT1H",
                Some("2027-01-05T11:00:00"),
            ),
            (
                "DTSTART;VALUE=DATE:20270104|DURATION:P2D",
                Some("2027-01-06T00:00:00"),
            ),
            (
                "DTSTART:20270104T100000Z|DURATION:-PT1H",
                Some("2027-01-04T10:00:00"),
            ),
            ("DTSTART:20270104T100000Z", None),
            ("DTSTART:20270104T100000Z|DURATION:long", None),
            ("DURATION:PT1H", None),
        ] {
            let end = listed(&[lines]).unwrap().end;
            let end = end.map(|end| end.wall.to_string());
            assert_eq!(end.as_deref(), expected, "{lines}");
        }
    }

    #[test]
    fn the_whole_speaks_for_its_instances() {
        let instance = "RECURRENCE-ID:20270111T100000Z|DTSTART:20270112T100000Z|SUMMARY:Moved";
        let series = "DTSTART:20270104T100000Z|RRULE:FREQ=WEEKLY|SUMMARY:Plan|STATUS:CANCELLED";
        let whole = listed(&[instance, series]).unwrap();
        assert_eq!(
            (whole.title.as_str(), whole.recurs, whole.cancelled),
            ("Plan", true, true)
        );
        let alone = listed(&[instance]).unwrap();
        assert_eq!(
            (alone.title.as_str(), alone.recurs, alone.cancelled),
            ("Moved", false, false)
        );
        let answered = "ATTENDEE:mailto:b@example.com|DTSTART:soon";
        let answered = listed(&[answered]).unwrap();
        assert_eq!(
            (answered.partstat, answered.start),
            (Some(PartStat::NeedsAction), None)
        );
        assert_eq!(alone.partstat, None);
        assert!(listed(&[]).is_none());
    }
}
