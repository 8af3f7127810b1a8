//! The recipients of a message.

use super::delegation::delegates;
use super::participants::{Owner, delivery_address, person};
use crate::message::{Kind, Message};
use crate::tree::{Calendar, Property};
use convoke_types::CalendarAddress;
use std::collections::HashSet;

/// Whom METHOD addresses (spec §5): the ATTENDEEs but the originator, or the ORGANIZER.
///
/// Attendees that the organizer's client or nobody schedules with (SCHEDULE-AGENT, RFC 6638 §7.1) are left out. A
/// busy-time request goes to every ATTENDEE: its list must equal the recipients. A delegation goes to the delegate.
pub fn addressees(message: &Message, originator: &CalendarAddress) -> Vec<CalendarAddress> {
    if !message.method().is_from_organizer() {
        return message.organizer().cloned().into_iter().collect();
    }
    if message.kind() == Kind::FreeBusy {
        return message.attendees().to_vec();
    }
    let lines = message
        .components()
        .flat_map(|component| component.all("ATTENDEE"));
    let excused: HashSet<String> = lines.filter(|line| !is_served(line)).map(person).collect();
    let delegates = delegates(message, originator).unwrap_or_default();
    let mut seen = HashSet::new();
    let lines = message
        .components()
        .flat_map(|component| component.all("ATTENDEE"));
    lines
        .filter(|line| !excused.contains(&person(line)))
        .filter_map(delivery_address)
        .filter(|address| !address.same_user(originator))
        .filter(|address| delegates.is_empty() || delegates.iter().any(|it| it.same_user(address)))
        .filter(|address| seen.insert(address.as_str().to_ascii_lowercase()))
        .collect()
}

/// Whether an object names others whom its owner's client tells, or nobody (SCHEDULE-AGENT, RFC 6638 §7.1).
pub fn is_left_to_client(object: &Calendar, owner: &Owner) -> bool {
    let lines = object.main_components().flat_map(|it| &it.properties);
    let mut others =
        lines.filter(|line| (line.is("ATTENDEE") || line.is("ORGANIZER")) && !owner.is(line));
    others.any(|line| !is_served(line))
}

/// Whether the server schedules with an attendee or organizer (RFC 6638 §7.1).
pub(super) fn is_served(line: &Property) -> bool {
    line.param("SCHEDULE-AGENT")
        .is_none_or(|agent| agent.eq_ignore_ascii_case("SERVER"))
}
