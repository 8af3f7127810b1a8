//! Calendar users in an object: whose copy it is, who attends, and how they answered.

use crate::tree::{Component, Property};
use convoke_types::CalendarAddress;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::fmt;

/// The calendar user on whose copy we work.
#[derive(Clone, Debug)]
pub struct Owner<'a> {
    /// Its address and aliases.
    pub addresses: &'a [CalendarAddress],
    /// For all-day and floating times.
    pub timezone: TimeZone,
}

impl Owner<'_> {
    /// Whether `address` means this user.
    pub fn answers_to(&self, address: &CalendarAddress) -> bool {
        self.addresses.iter().any(|own| own.same_user(address))
    }

    /// Whether an ATTENDEE or ORGANIZER line is this user's.
    pub(crate) fn is(&self, line: &Property) -> bool {
        address_of(line).is_some_and(|address| self.answers_to(&address))
    }

    /// Whether this user is the ORGANIZER of a component.
    pub(crate) fn organizes(&self, component: &Component) -> bool {
        component.get("ORGANIZER").is_some_and(|line| self.is(line))
    }

    /// This user's ATTENDEE line.
    pub(crate) fn attendee<'c>(&self, component: &'c Component) -> Option<&'c Property> {
        component
            .properties
            .iter()
            .find(|line| line.is("ATTENDEE") && self.is(line))
    }
}

/// PARTSTAT: how an attendee answered (RFC 5545 §3.2.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartStat {
    /// Not yet; also what any unknown word means.
    NeedsAction,
    /// Comes.
    Accepted,
    /// Does not come.
    Declined,
    /// May come.
    Tentative,
    /// Somebody else comes instead.
    Delegated,
    /// Has done the to-do.
    Completed,
    /// Is working on the to-do.
    InProcess,
}

impl PartStat {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeedsAction => "NEEDS-ACTION",
            Self::Accepted => "ACCEPTED",
            Self::Declined => "DECLINED",
            Self::Tentative => "TENTATIVE",
            Self::Delegated => "DELEGATED",
            Self::Completed => "COMPLETED",
            Self::InProcess => "IN-PROCESS",
        }
    }

    /// Reads the word, in any case. RFC 5545 §3.2.12: an unknown one is NEEDS-ACTION.
    pub fn parse(word: &str) -> Self {
        const ALL: [PartStat; 6] = [
            PartStat::Accepted,
            PartStat::Declined,
            PartStat::Tentative,
            PartStat::Delegated,
            PartStat::Completed,
            PartStat::InProcess,
        ];
        let known = ALL
            .into_iter()
            .find(|it| it.as_str().eq_ignore_ascii_case(word.trim()));
        known.unwrap_or(Self::NeedsAction)
    }

    /// What an ATTENDEE line says.
    pub(crate) fn of(line: &Property) -> Self {
        line.param("PARTSTAT")
            .map_or(Self::NeedsAction, Self::parse)
    }
}

impl fmt::Display for PartStat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose line it is.
pub(super) fn address_of(line: &Property) -> Option<CalendarAddress> {
    CalendarAddress::new(&line.value).ok()
}

/// The ATTENDEE line of a calendar user.
pub(super) fn attendee<'c>(
    component: &'c Component,
    address: &CalendarAddress,
) -> Option<&'c Property> {
    component
        .properties
        .iter()
        .find(|line| is_attendee(line, address))
}

/// The ATTENDEE line of a calendar user, to change it.
pub(super) fn attendee_mut<'c>(
    component: &'c mut Component,
    address: &CalendarAddress,
) -> Option<&'c mut Property> {
    component
        .properties
        .iter_mut()
        .find(|line| is_attendee(line, address))
}

/// Whether a line is the ATTENDEE line of a calendar user.
pub(super) fn is_attendee(line: &Property, address: &CalendarAddress) -> bool {
    line.is("ATTENDEE") && address_of(line).is_some_and(|it| it.same_user(address))
}

/// What two lines of the same calendar user have in common.
pub(super) fn person(line: &Property) -> String {
    let address = address_of(line);
    let name = address
        .as_ref()
        .map_or(line.value.as_str(), CalendarAddress::as_str);
    name.to_ascii_lowercase()
}

/// The ATTENDEE lines of a component by person, for lists that are long.
pub(super) fn by_person(component: &Component) -> HashMap<String, &Property> {
    component
        .all("ATTENDEE")
        .map(|line| (person(line), line))
        .collect()
}
