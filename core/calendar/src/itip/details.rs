//! An invitation without what it is about: the calendar of a room shows when it is taken and by whom, and may be seen by
//! many.

use super::participants::Owner;
use crate::tree::{Calendar, Component, Property};

/// What stays: when it is, in which version, who organizes it, and that it takes place.
const SHOWN: [&str; 15] = [
    "UID",
    "DTSTAMP",
    "SEQUENCE",
    "RECURRENCE-ID",
    "DTSTART",
    "DTEND",
    "DUE",
    "DURATION",
    "RRULE",
    "RDATE",
    "EXDATE",
    "EXRULE",
    "STATUS",
    "ORGANIZER",
    "TRANSP",
];

/// The object without its title, its text, its place, its other guests, and whatever else is not needed to know when its
/// owner is taken, and by whom. `title` stands for the title.
#[must_use]
pub fn hide_details(calendar: &Calendar, owner: &Owner, title: &str) -> Calendar {
    let mut hidden = calendar.clone();
    let root = hidden.root_mut();
    let of_the_format = |line: &Property| {
        let mut known = ["VERSION", "PRODID", "CALSCALE"].iter();
        known.any(|name| line.is(name))
    };
    root.properties.retain(of_the_format);
    let is_carried = |it: &Component| {
        ["VEVENT", "VTODO", "VTIMEZONE"]
            .iter()
            .any(|name| it.is(name))
    };
    root.components.retain(is_carried);
    for component in &mut root.components {
        if !component.is("VTIMEZONE") {
            hide(component, owner, title);
        }
    }
    hidden
}

fn hide(component: &mut Component, owner: &Owner, title: &str) {
    component.components.clear();
    component.properties.retain(|line| {
        SHOWN.iter().any(|name| line.is(name)) || (line.is("ATTENDEE") && owner.is(line))
    });
    component.push(Property::text("SUMMARY", title));
}
