//! The kinds of components that are calendar objects.

use super::Component;

/// Components of iCalendar that are objects of their own.
pub(crate) const OBJECTS: [&str; 6] = [
    "VEVENT",
    "VTODO",
    "VJOURNAL",
    "VFREEBUSY",
    "VAVAILABILITY",
    "VPOLL",
];

/// Whether a component may be an object of its own, or a part of one.
pub(crate) fn is_object(component: &Component) -> bool {
    is_known(component) || (!component.is("VTIMEZONE") && component.get("UID").is_some())
}

/// Whether iCalendar knows it as an object.
pub(crate) fn is_known(component: &Component) -> bool {
    OBJECTS.iter().any(|name| component.is(name))
}
