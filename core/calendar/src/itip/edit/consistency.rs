//! Consistency of an object after an edit: it must be one meeting that its attendees can be told of. Anything else is
//! refused, as no valid message could be made of it.

use crate::itip::address::is_served;
use crate::itip::object::Object;
use crate::itip::participants::{Owner, address_of, person};
use crate::message::{Kind, MessageError, Method, Problem, check_instances, excerpt};
use crate::tree::{Calendar, Component, Property};
use std::collections::HashSet;

const ADDRESS: &str = "a calendar user address such as mailto:anna@example.org";

/// RFC 4791 §4.1: an object is of one kind and has one UID. What is stored under a UID stays of its kind: attendees of an
/// event know nothing of a to-do.
pub(super) fn check_kind(before: Option<&Calendar>, after: &Calendar) -> Result<(), MessageError> {
    let mut kinds = kinds(after);
    let kind = kinds.next().ok_or(Problem::NoComponent)?;
    if let Some(other) = kinds.find(|other| *other != kind) {
        return Err(Problem::Mixed(kind, other).into());
    }
    let mut stored = before.into_iter().flat_map(self::kinds);
    let was = stored.next();
    if let Some(was) = was.filter(|was| *was != kind && !stored.any(|it| it == kind)) {
        return Err(Problem::OtherKind { was, is: kind }.into());
    }
    let mut uids = of_known_kinds(after).map(Component::uid);
    let uid = uids.next();
    if uids.any(|other| Some(other) != uid) {
        return Err(Problem::Differs(kind, "UID").into());
    }
    Ok(())
}

fn of_known_kinds(calendar: &Calendar) -> impl Iterator<Item = &Component> {
    let components = calendar.main_components();
    components.filter(|it| Kind::parse(&it.name).is_some())
}

fn kinds(calendar: &Calendar) -> impl Iterator<Item = Kind> {
    let components = calendar.main_components();
    components.filter_map(|it| Kind::parse(&it.name))
}

/// Nobody is invited to what is neither event nor to-do.
pub(super) fn check_uninvited(calendar: &Calendar, owner: &Owner) -> Result<(), MessageError> {
    for component in of_known_kinds(calendar) {
        let mut attendees = component.all("ATTENDEE");
        let attendee = attendees.find(|line| is_served(line) && !owner.is(line));
        if let Some((attendee, kind)) = attendee.zip(Kind::parse(&component.name)) {
            let expected = "nobody: attendees are invited to a VEVENT or VTODO";
            return Err(wrong(kind, "ATTENDEE", &attendee.value, expected));
        }
    }
    Ok(())
}

/// One component for the whole and one for each changed instance, all of one ORGANIZER (RFC 6638 §3.2.4.2), and attendees
/// whom somebody can invite.
pub(super) fn check(
    after: &Calendar,
    object: &Object,
    old: Option<&Object>,
    owner: &Owner,
) -> Result<(), MessageError> {
    let kind = object.kind();
    // As it was written: of two components for one thing the object has kept one.
    let written: Vec<&Component> = of_known_kinds(after).collect();
    check_instances(&written, kind, &object.zones)?;
    for component in &written {
        let organizers: HashSet<String> = component.all("ORGANIZER").map(person).collect();
        if organizers.len() > 1 {
            return Err(Problem::Repeated(Method::Request, kind, "ORGANIZER").into());
        }
    }
    let organizers = written.iter();
    let mut organizers = organizers.map(|it| it.get("ORGANIZER").map(person));
    let organizer = organizers.next();
    if organizers.any(|other| organizer.as_ref() != Some(&other)) {
        return Err(Problem::Differs(kind, "ORGANIZER").into());
    }
    let was_organizer = old.and_then(organizer_line);
    let is_invited = |object: &Object| {
        object
            .components()
            .any(|it| owner.attendees(it).count() > 0)
    };
    let Some(line) = organizer_line(object) else {
        let attendee = attendees(object).find(|line| !owner.is(line));
        // Who takes the ORGANIZER out of a meeting of its own calls it off.
        return match attendee {
            Some(_) if was_organizer.is_none() => {
                Err(Problem::Missing(Method::Request, kind, "ORGANIZER").into())
            }
            _ => Ok(()),
        };
    };
    if owner.is(line) {
        let mut attendees = attendees(object).filter(|line| !owner.is(line)).peekable();
        let first = attendees.peek().copied();
        return match first.filter(|_| attendees.all(|it| address_of(it).is_none())) {
            Some(attendee) => Err(wrong(kind, "ATTENDEE", &attendee.value, ADDRESS)),
            None => Ok(()),
        };
    }
    if was_organizer.is_some_and(|was| owner.is(was)) {
        let expected = "its organizer as before: no message hands a meeting to another one";
        return Err(wrong(kind, "ORGANIZER", &line.value, expected));
    }
    // RFC 6638 §7.1: the client looks after it, or nobody.
    if !is_served(line) {
        return Ok(());
    }
    // RFC 5546 §3.2.1: what is published to everybody has no list.
    if attendees(object).next().is_none() {
        return Ok(());
    }
    if address_of(line).is_none() {
        return Err(wrong(kind, "ORGANIZER", &line.value, ADDRESS));
    }
    if was_organizer.is_none() && !is_invited(object) {
        let expected = "an address of the calendar user whose object it is, who is not among the ATTENDEEs either";
        return Err(wrong(kind, "ORGANIZER", &line.value, expected));
    }
    Ok(())
}

fn organizer_line<'o>(object: &'o Object) -> Option<&'o Property> {
    object.leading()?.get("ORGANIZER")
}

/// Everybody on the list whom the server is to schedule with.
fn attendees<'o>(object: &'o Object) -> impl Iterator<Item = &'o Property> {
    let lines = object.components().flat_map(|it| it.all("ATTENDEE"));
    // An empty property is as if it were not there.
    lines.filter(|line| is_served(line) && !line.value.trim().is_empty())
}

fn wrong(
    component: Kind,
    property: &'static str,
    value: &str,
    expected: &'static str,
) -> MessageError {
    let value = excerpt(value);
    let problem = Problem::Value {
        component,
        property,
        value,
        expected,
    };
    problem.into()
}
