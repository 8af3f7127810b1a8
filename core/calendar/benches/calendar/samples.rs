//! Calendars to measure with: made by rules, so that every run and every reader of the figures has the same ones.

use convoke_calendar::tree::{Calendar, Limits, Property};
use std::fmt::Write;

const BERLIN: &str = "\
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19810329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
";

const RULES: [&str; 5] = [
    "FREQ=WEEKLY;BYDAY=MO,WE",
    "FREQ=DAILY",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU",
    "FREQ=MONTHLY;BYMONTHDAY=15",
];

/// An export as calendar programs write it: a zone, and events with four attendees, a folded description and an alarm.
pub(crate) fn export(events: usize) -> Vec<u8> {
    calendar("", (0..events).map(|number| event(number, "")))
}

/// Events that repeat for ever, in a zone that the calendar defines.
pub(crate) fn recurring(events: usize) -> Calendar {
    let rule = |number: usize| format!("RRULE:{}\n", RULES[number % RULES.len()]);
    parsed(&calendar(
        "",
        (0..events).map(|number| event(number, &rule(number))),
    ))
}

/// An invitation to one event, as its organizer sends it.
pub(crate) fn invitation(sequence: u32) -> Calendar {
    let event = event(0, &format!("SEQUENCE:{sequence}\n"));
    parsed(&calendar("METHOD:REQUEST\n", [event]))
}

/// What its first attendee answers.
pub(crate) fn acceptance(sequence: u32) -> Calendar {
    let mut reply = invitation(sequence);
    reply.root_mut().set(Property::new("METHOD", "REPLY"));
    let events = reply.root_mut().components.iter_mut();
    for event in events.filter(|component| component.is("VEVENT")) {
        let mut attendee = event.get("ATTENDEE").expect("somebody is invited").clone();
        attendee.set_param("PARTSTAT", "ACCEPTED");
        event.set(attendee);
        event.components.clear();
    }
    reply
}

pub(crate) fn parsed(bytes: &[u8]) -> Calendar {
    let limits = Limits {
        bytes: usize::MAX,
        ..Limits::default()
    };
    Calendar::parse(bytes, &limits).expect("the sample is a calendar")
}

fn calendar(head: &str, events: impl IntoIterator<Item = String>) -> Vec<u8> {
    let mut text = format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Sample//EN\n{head}{BERLIN}");
    text.extend(events);
    text.push_str("END:VCALENDAR\n");
    text.replace('\n', "\r\n").into_bytes()
}

fn event(number: usize, more: &str) -> String {
    let (day, hour) = (1 + number % 28, 7 + number % 11);
    let mut text = format!(
        "BEGIN:VEVENT
UID:{number:08}-6f1e-4b1c-9d0e-0123456789ab@example.org
DTSTAMP:20261201T090000Z
CREATED:20261130T120000Z
LAST-MODIFIED:20261201T090000Z
DTSTART;TZID=Europe/Berlin:202701{day:02}T{hour:02}0000
DTEND;TZID=Europe/Berlin:202701{day:02}T{hour:02}4500
SUMMARY:Review no. {number}
LOCATION:Room {}\\, second floor
{more}DESCRIPTION:We go through what was finished since last time\\, what is late an
 d who needs help. Please bring the figures of your team\\; minutes are at htt
 ps://example.org/minutes/{number}
ORGANIZER;CN=\"Person 9, Head\":mailto:person9@example.org
",
        number % 30
    );
    for person in 0..4 {
        let _ = write!(
            text,
            "ATTENDEE;CN=\"Person {person}\";CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT
 =NEEDS-ACTION;RSVP=TRUE:mailto:person{person}@example.org
"
        );
    }
    text + "TRANSP:OPAQUE
STATUS:CONFIRMED
CATEGORIES:WORK,REVIEW
X-EXAMPLE-COLOUR:#3366cc
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:Review
TRIGGER:-PT10M
END:VALARM
END:VEVENT
"
}
