//! Calendar users in an object: whose copy it is, who attends, and how they answered.
//!
//! A list may name one person several times: by the main address and by an alias, or twice by one address. Every question
//! about "her line" is answered here:
//!
//! | question | answer |
//! | --- | --- |
//! | is she invited? | as long as one of her lines is on the list |
//! | how has she answered? | as the line that takes most of her time says ([`Owner::partstat`]) |
//! | which line does an answer mark? | that of the address which answers, each time it stands there ([`attendees_mut`]) |
//! | for which lines does she answer? | for each of her addresses on the list, by a REPLY from that address ([`Owner::lines`]) |

use super::request::is_cancelled;
use crate::message::mailbox_of;
use crate::tree::{Calendar, Component, Property};
use convoke_types::CalendarAddress;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::fmt;

/// The calendar user on whose copy we work.
#[derive(Clone, Debug)]
pub struct Owner<'a> {
    /// Its main address, then its aliases.
    pub addresses: &'a [CalendarAddress],
    /// What people call it: the CN where it is named to others for the first time.
    pub name: Option<&'a str>,
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
        self.address_on(line).is_some()
    }

    /// Which of this user's addresses an ATTENDEE or ORGANIZER line names.
    pub(super) fn address_on(&self, line: &Property) -> Option<CalendarAddress> {
        let mut own = self.addresses.iter();
        if own.any(|address| address.is_written_as(&line.value)) {
            return address_of(line);
        }
        mailbox_of(line).filter(|address| self.answers_to(address))
    }

    /// As whom this user speaks by an ATTENDEE line of its own: where that names it by what is no mailbox, for which nobody
    /// can prove to speak, as the mailbox beside.
    pub(super) fn reply_address(&self, line: &Property) -> Option<CalendarAddress> {
        let address = self.address_on(line)?;
        let mailbox = mailbox_of(line).filter(|mailbox| self.answers_to(mailbox));
        Some(mailbox.unwrap_or(address))
    }

    /// Whether this user is invited to an object, and has declined all of it that takes place.
    pub fn has_declined(&self, object: &Calendar) -> bool {
        let declines = |it: &Component| {
            let is_invited = !self.organizes(it) && self.partstat(it).is_some();
            is_invited.then(|| self.partstat(it) == Some(PartStat::Declined))
        };
        let takes_place = object.main_components().filter(|it| !is_cancelled(it));
        let mut answers = takes_place.map(declines).peekable();
        answers.peek().is_some() && answers.all(|it| it == Some(true))
    }

    /// Whether this user is the ORGANIZER of a component.
    pub(crate) fn organizes(&self, component: &Component) -> bool {
        component.get("ORGANIZER").is_some_and(|line| self.is(line))
    }

    /// Whom this user has invited to an object, or answered by it.
    pub fn acquaintances(&self, object: &Calendar) -> Vec<CalendarAddress> {
        let lines = |component: &Component, name: &str| -> Vec<CalendarAddress> {
            component.all(name).filter_map(address_of).collect()
        };
        let has_answered = |component: &Component| {
            let partstat = self.partstat(component);
            partstat.is_some_and(|it| it != PartStat::NeedsAction)
        };
        let components = object.main_components();
        let addresses = components.flat_map(|component| {
            if self.organizes(component) {
                lines(component, "ATTENDEE")
            } else if has_answered(component) {
                lines(component, "ORGANIZER")
            } else {
                Vec::new()
            }
        });
        addresses.filter(|it| !self.answers_to(it)).collect()
    }

    /// This user's ATTENDEE lines, as they stand.
    pub(crate) fn attendees<'c>(
        &self,
        component: &'c Component,
    ) -> impl Iterator<Item = &'c Property> {
        component
            .properties
            .iter()
            .filter(|line| line.is("ATTENDEE") && self.is(line))
    }

    /// The ATTENDEE line that speaks for this user: the one that takes most of its time, of equal ones the first.
    pub(crate) fn attendee<'c>(&self, component: &'c Component) -> Option<&'c Property> {
        self.attendees(component).reduce(prefer_busier)
    }

    /// How this user has answered; `None` if it is not on the list.
    ///
    /// Who declines by one address and accepts by another comes.
    pub(crate) fn partstat(&self, component: &Component) -> Option<PartStat> {
        self.attendee(component).map(PartStat::of)
    }

    /// One line for each of this user's addresses on the list: the one that speaks for that address.
    pub(super) fn all_lines<'c>(&self, component: &'c Component) -> Vec<&'c Property> {
        let mut lines: Vec<(String, &Property)> = Vec::new();
        for line in self.attendees(component) {
            let name = person(line);
            match lines.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = prefer_busier(known, line),
                None => lines.push((name, line)),
            }
        }
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// The same for an answer from each: who has handed the invitation on at one address answers by the others.
    pub(super) fn lines<'c>(&self, component: &'c Component) -> Vec<&'c Property> {
        let mut lines = self.all_lines(component);
        let is_open = |line: &&Property| PartStat::of(line) != PartStat::Delegated;
        if lines.iter().any(is_open) {
            lines.retain(is_open);
        }
        lines
    }
}

/// Of two lines of one person the one that takes more of its time.
fn prefer_busier<'c>(one: &'c Property, other: &'c Property) -> &'c Property {
    if PartStat::of(other).weight() > PartStat::of(one).weight() {
        other
    } else {
        one
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

    /// Whether it is an answer that says who comes: the attendee, nobody, or somebody else.
    pub(super) const fn says_who_comes(self) -> bool {
        matches!(
            self,
            Self::Accepted | Self::Declined | Self::Tentative | Self::Delegated
        )
    }

    /// How much of its attendee's time it takes, against other answers of the same one.
    const fn weight(self) -> u8 {
        match self {
            Self::Accepted | Self::Completed | Self::InProcess => 4,
            Self::Tentative => 3,
            Self::NeedsAction => 2,
            Self::Delegated => 1,
            Self::Declined => 0,
        }
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

/// The ATTENDEE line of an address; the one that speaks, if it stands there several times.
pub(super) fn attendee<'c>(
    component: &'c Component,
    address: &CalendarAddress,
) -> Option<&'c Property> {
    let lines = component.properties.iter();
    lines
        .filter(|line| is_attendee(line, address))
        .reduce(prefer_busier)
}

/// The ATTENDEE lines of an address, to change all of them.
pub(super) fn attendees_mut<'c>(
    component: &'c mut Component,
    address: &CalendarAddress,
) -> impl Iterator<Item = &'c mut Property> {
    let lines = component.properties.iter_mut();
    lines.filter(move |line| is_attendee(line, address))
}

/// Whether a line is the ATTENDEE line of a calendar user.
pub(super) fn is_attendee(line: &Property, address: &CalendarAddress) -> bool {
    line.is("ATTENDEE")
        && (address.is_written_as(&line.value)
            || mailbox_of(line).is_some_and(|it| it.same_user(address)))
}

/// Where whom an ATTENDEE line names is reached.
pub(super) fn delivery_address(line: &Property) -> Option<CalendarAddress> {
    mailbox_of(line).or_else(|| address_of(line))
}

/// What two lines of the same calendar user have in common.
pub(super) fn person(line: &Property) -> String {
    let address = address_of(line);
    let name = address
        .as_ref()
        .map_or(line.value.as_str(), CalendarAddress::as_str);
    name.to_ascii_lowercase()
}

/// The ATTENDEE lines of a component by person, for lists that are long; the one that speaks, where there are several.
pub(super) fn attendees_by_address(component: &Component) -> HashMap<String, &Property> {
    let mut known: HashMap<String, &Property> = HashMap::new();
    for line in component.all("ATTENDEE") {
        let speaks = known.entry(person(line)).or_insert(line);
        *speaks = prefer_busier(speaks, line);
    }
    known
}

/// Whom a line delegates to; nobody unless its PARTSTAT says so.
pub(super) fn delegated_to(line: &Property) -> impl Iterator<Item = CalendarAddress> {
    let delegates = PartStat::of(line) == PartStat::Delegated;
    addresses(line, "DELEGATED-TO").filter(move |_| delegates)
}

/// Whether somebody to whom a line delegates has declined (RFC 5546 §4.2.7: the delegator is asked again). Who says nothing of a
/// delegate that declined does not know of the delegation yet.
pub(super) fn delegates_in_vain(line: &Property, component: &Component) -> bool {
    delegated_to(line).any(|delegate| {
        let told = attendee(component, &delegate);
        told.is_some_and(|it| PartStat::of(it) == PartStat::Declined)
    })
}

/// The addresses that a parameter lists.
pub(super) fn addresses(
    line: &Property,
    name: &'static str,
) -> impl Iterator<Item = CalendarAddress> {
    let named = line
        .params
        .iter()
        .filter(move |param| param.name.eq_ignore_ascii_case(name));
    named
        .flat_map(|param| &param.values)
        .filter_map(|address| CalendarAddress::new(address).ok())
}
