//! Delegation as an organizer's copy shows it (RFC 5546 §3.2.2.3, §4.2.5 to §4.2.7).

use super::own::strip_local;
use super::people::{PartStat, address_of, attendee, attendees_mut};
use crate::tree::{Component, Property};
use convoke_types::CalendarAddress;

/// Whether a line hands on to `delegate`.
pub(super) fn delegates_to(line: &Property, delegate: &CalendarAddress) -> bool {
    let mut named = line
        .params
        .iter()
        .filter(|param| param.name.eq_ignore_ascii_case("DELEGATED-TO"));
    named.any(|param| {
        let mut addresses = param
            .values
            .iter()
            .filter_map(|it| CalendarAddress::new(it).ok());
        addresses.any(|address| address.same_user(delegate))
    })
}

/// RFC 5546 §4.2.5: a delegate comes on the list, with the delegator's role.
pub(super) fn delegate(target: &mut Component, answer: &Component, said: &Property) {
    if PartStat::of(said) != PartStat::Delegated {
        return;
    }
    let role = address_of(said).and_then(|delegator| {
        attendee(target, &delegator)?
            .param("ROLE")
            .map(str::to_owned)
    });
    let named = said
        .params
        .iter()
        .filter(|param| param.name.eq_ignore_ascii_case("DELEGATED-TO"));
    for delegate in named.flat_map(|param| &param.values) {
        let Ok(address) = CalendarAddress::new(delegate) else {
            continue;
        };
        if attendee(target, &address).is_some() {
            continue;
        }
        let told = attendee(answer, &address).cloned();
        let mut line = told.unwrap_or_else(|| Property::new("ATTENDEE", address.as_str()));
        // Only the delegate itself says how it answers.
        line.set_param("PARTSTAT", PartStat::NeedsAction.as_str());
        line.set_param("DELEGATED-FROM", said.value.clone());
        if let (None, Some(role)) = (line.param("ROLE"), &role) {
            line.set_param("ROLE", role.clone());
        }
        let mut holder = Component::new("ATTENDEE");
        holder.push(line);
        strip_local(&mut holder);
        target.properties.append(&mut holder.properties);
    }
}

/// Who delegated to an attendee that now declines, if the object knows of it.
pub(super) fn declined_for(said: &Property, target: &Component) -> Option<CalendarAddress> {
    if PartStat::of(said) != PartStat::Declined {
        return None;
    }
    let delegate = address_of(said)?;
    let mut delegators = target
        .all("ATTENDEE")
        .filter(|line| PartStat::of(line) == PartStat::Delegated && delegates_to(line, &delegate));
    delegators.next().and_then(address_of)
}

/// RFC 5546 §4.2.7: the delegator is asked again.
pub(super) fn reopen(target: &mut Component, delegator: &CalendarAddress) {
    for line in attendees_mut(target, delegator) {
        line.set_param("PARTSTAT", PartStat::NeedsAction.as_str());
        line.set_param("RSVP", "TRUE");
        line.remove_param("DELEGATED-TO");
    }
}
