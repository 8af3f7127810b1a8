//! VFREEBUSY messages (RFC 5546 §3.3).

use super::{own_zone, stated};
use crate::{
    message::Message,
    recurrence::RecurrenceError,
    stamp::utc,
    tree::{Calendar, Component, Property},
    zone::Zones,
};
use convoke_types::{BusySpan, BusyType, CalendarAddress, TimeRange, Uid, merge};
use jiff::{Timestamp, tz::TimeZone};

const PRODUCT: &str = "-//Convoke//Convoke//EN";

/// The answer of one attendee (RFC 5546 §3.3.3): METHOD:REPLY with the range that was asked for, one FREEBUSY property a
/// type of busy time. Free time is what is left out.
pub fn answer(
    request: &Message,
    attendee: &CalendarAddress,
    busy: &[BusySpan],
    now: Timestamp,
) -> Calendar {
    let asked = request.calendar().main_components().next();
    let mut component = Component::new("VFREEBUSY");
    // As it came, for whoever compares it letter by letter.
    let uid = asked.and_then(|asked| asked.value("UID"));
    let uid = uid.map_or_else(|| escaped(request.uid()), str::to_owned);
    component.push(Property::new("UID", uid));
    component.push(Property::new("DTSTAMP", basic(now)));
    if let Some(range) = request.range() {
        component.push(Property::new("DTSTART", basic(range.start())));
        component.push(Property::new("DTEND", basic(range.end())));
    }
    if let Some(organizer) = asked.and_then(|asked| asked.get("ORGANIZER")) {
        component.push(organizer.clone());
    }
    let lines = || asked.into_iter().flat_map(|asked| asked.all("ATTENDEE"));
    let is_theirs =
        |line: &&Property| CalendarAddress::new(&line.value).is_ok_and(|it| it.same_user(attendee));
    let attendee = Property::new("ATTENDEE", attendee.as_str());
    component.push(lines().find(is_theirs).cloned().unwrap_or(attendee));
    for kind in [
        BusyType::Busy,
        BusyType::BusyTentative,
        BusyType::BusyUnavailable,
    ] {
        let theirs: Vec<_> = busy.iter().filter(|span| span.kind == kind).collect();
        let periods = periods(&theirs);
        if !periods.is_empty() {
            component.push(Property::new("FREEBUSY", periods).with("FBTYPE", kind.as_str()));
        }
    }
    calendar("REPLY", component)
}

/// A question about the busy time of `attendees` in `range` (RFC 5546 §3.3.2).
pub fn request(
    organizer: &CalendarAddress,
    attendees: &[CalendarAddress],
    range: TimeRange,
    uid: &Uid,
    now: Timestamp,
) -> Calendar {
    let mut component = Component::new("VFREEBUSY");
    component.push(Property::new("UID", escaped(uid)));
    component.push(Property::new("DTSTAMP", basic(now)));
    component.push(Property::new("DTSTART", basic(range.start())));
    component.push(Property::new("DTEND", basic(range.end())));
    component.push(Property::new("ORGANIZER", organizer.as_str()));
    for attendee in attendees {
        component.push(Property::new("ATTENDEE", attendee.as_str()));
    }
    calendar("REQUEST", component)
}

/// The busy time that an answer states; sorted, merged within a type.
pub fn read_answer(answer: &Calendar) -> Result<Vec<BusySpan>, RecurrenceError> {
    let zones = Zones::of(answer, own_zone(None));
    let mut spans = Vec::new();
    for component in answer
        .root()
        .components
        .iter()
        .filter(|it| it.is("VFREEBUSY"))
    {
        spans.extend(stated(component, &zones)?);
    }
    Ok(merge(spans, TimeRange::ALL))
}

/// The time that an answer tells of (RFC 5545 §3.6.4); `None` if it does not say that in UTC, as it has to.
pub fn answered_range(answer: &Calendar) -> Option<TimeRange> {
    let components = &answer.root().components;
    let component = components.iter().find(|it| it.is("VFREEBUSY"))?;
    let instant = |name| utc(component.value(name)?);
    TimeRange::new(instant("DTSTART")?, instant("DTEND")?).ok()
}

fn calendar(method: &str, component: Component) -> Calendar {
    let mut calendar = Calendar::new();
    let root = calendar.root_mut();
    root.push(Property::new("VERSION", "2.0"));
    root.push(Property::new("PRODID", PRODUCT));
    root.push(Property::new("METHOD", method));
    root.components.push(component);
    calendar
}

fn escaped(uid: &Uid) -> String {
    Property::text("UID", uid.as_str()).value
}

/// `20270104T090000Z/20270104T100000Z,…`
fn periods(spans: &[&BusySpan]) -> String {
    let mut text = String::with_capacity(spans.len() * "20270104T090000Z/20270104T100000Z,".len());
    for span in spans {
        if !text.is_empty() {
            text.push(',');
        }
        push_basic(&mut text, span.range.start());
        text.push('/');
        push_basic(&mut text, span.range.end());
    }
    text
}

fn basic(instant: Timestamp) -> String {
    let mut text = String::new();
    push_basic(&mut text, instant);
    text
}

/// By hand, as an answer is mostly made of these, and both a format and `write!` cost several times as much.
fn push_basic(text: &mut String, instant: Timestamp) {
    let time = TimeZone::UTC.to_datetime(instant);
    let year = time.year().max(0).unsigned_abs();
    push_two(text, year / 100);
    push_two(text, year % 100);
    push_two(text, time.month().unsigned_abs());
    push_two(text, time.day().unsigned_abs());
    text.push('T');
    push_two(text, time.hour().unsigned_abs());
    push_two(text, time.minute().unsigned_abs());
    push_two(text, time.second().unsigned_abs());
    text.push('Z');
}

/// A number from 0 to 99.
fn push_two(text: &mut String, number: impl Into<u32>) {
    const DIGITS: [char; 10] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];
    let number = number.into() as usize;
    text.push(DIGITS[number / 10 % 10]);
    text.push(DIGITS[number % 10]);
}
