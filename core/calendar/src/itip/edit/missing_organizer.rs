//! The ORGANIZER of a meeting for which a calendar program has written none: khal writes ATTENDEEs and no ORGANIZER.

use crate::itip::address::is_served;
use crate::itip::participants::Owner;
use crate::message::Kind;
use crate::tree::{Calendar, Component, Property};
use std::borrow::Cow;

/// An object as it is remembered and as it is stored now, both with the ORGANIZER that one of them names; where none does
/// and others are invited, that is the owner.
pub(super) fn with_organizer<'a>(
    remembered: Option<&'a Calendar>,
    stored: Option<&'a Calendar>,
    owner: &Owner,
) -> [Option<Cow<'a, Calendar>>; 2] {
    let both = [remembered, stored];
    let named = both.iter().flatten().find_map(|it| named(it));
    let organizer = named.cloned().or_else(|| line_of(owner));
    both.map(|object| {
        let object = object?;
        Some(match &organizer {
            Some(line) => filled(object, line, owner),
            None => Cow::Borrowed(object),
        })
    })
}

/// Whether anybody but the owner organizes or attends an object.
pub(super) fn involves_others(object: &Calendar, owner: &Owner) -> bool {
    let lines = object.main_components().flat_map(|it| &it.properties);
    let mut people = lines.filter(|line| line.is("ATTENDEE") || line.is("ORGANIZER"));
    people.any(|line| !line.value.trim().is_empty() && !owner.is(line))
}

fn named(object: &Calendar) -> Option<&Property> {
    object
        .main_components()
        .find_map(|it| it.stated("ORGANIZER"))
}

/// How the owner is named as an organizer.
fn line_of(owner: &Owner) -> Option<Property> {
    let line = Property::new("ORGANIZER", owner.addresses.first()?.as_str());
    let name = owner.name.map(str::trim).filter(|name| !name.is_empty());
    Some(match name {
        Some(name) => line.with("CN", name),
        None => line,
    })
}

/// The object with an ORGANIZER in each component, if it is a meeting with somebody else.
fn filled<'a>(object: &'a Calendar, organizer: &Property, owner: &Owner) -> Cow<'a, Calendar> {
    let lacks_it = |it: &Component| can_be_meeting(it) && it.stated("ORGANIZER").is_none();
    // An organizer does not meet with itself; whoever is invited is so by the organizer.
    let is_other = |line: &Property| !owner.is(organizer) || !owner.is(line);
    let attends = |line: &Property| {
        line.is("ATTENDEE") && is_served(line) && !line.value.trim().is_empty() && is_other(line)
    };
    let mut components = object.main_components().filter(|it| can_be_meeting(it));
    let is_meeting = components.any(|it| it.properties.iter().any(attends));
    if !is_meeting || !object.main_components().any(lacks_it) {
        return Cow::Borrowed(object);
    }
    let mut object = object.clone();
    let components = object.root_mut().components.iter_mut();
    for component in components.filter(|it| lacks_it(it)) {
        component.set(organizer.clone());
    }
    Cow::Owned(object)
}

fn can_be_meeting(component: &Component) -> bool {
    matches!(Kind::parse(&component.name), Some(Kind::Event | Kind::Todo))
}
