//! Delegation (RFC 5546 §3.2.2.3, §4.2.5 to §4.2.7).
//!
//! It goes by the delegator's REPLY: the organizer's copy takes the delegate onto the list ([`delegate`]) and invites it.
//! A delegate among the delegator's own people is told by the delegator's host at once ([`forward_to_delegate`]), as an organizer
//! elsewhere may not know how to invite it.

use super::object::Object;
use super::outgoing::{Outgoing, compose};
use super::participants::{
    Owner, PartStat, address_of, addresses, attendee, attendees_mut, delegated_to,
    delegates_in_vain, is_attendee, person,
};
use super::personal::{note_overruled, strip_personal};
use super::request::is_cancelled;
use crate::message::{Kind, Message, Method};
use crate::tree::{Calendar, Component, Property};
use crate::zone::Zones;
use convoke_types::{CalendarAddress, RequestStatus};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// The most delegates that one attendee may have on a list. A reply could else fill the list, and have the organizer's
/// host write to people whom nobody invited.
pub const MAX_DELEGATES: usize = 3;

/// Whom an attendee delegates to in a message of its own: its REPLY, or the REQUEST that it hands on.
///
/// Empty if it delegates nothing. An attendee delegates to no more than [`MAX_DELEGATES`], and neither to itself nor to
/// the organizer; the status says so.
pub fn delegates(
    message: &Message,
    originator: &CalendarAddress,
) -> Result<Vec<CalendarAddress>, RequestStatus> {
    let is_delegation = match message.method() {
        Method::Reply => true,
        Method::Request => {
            let organizer = message.organizer();
            !organizer.is_some_and(|it| it.same_user(originator))
        }
        _ => false,
    };
    if !is_delegation || message.kind() == Kind::FreeBusy {
        return Ok(Vec::new());
    }
    let named = named(message, originator)?;
    match message.organizer() {
        Some(organizer) if named.iter().any(|it| it.same_user(organizer)) => Err(to_organizer()),
        _ => Ok(named),
    }
}

/// The delegates that an attendee names.
fn named(
    message: &Message,
    delegator: &CalendarAddress,
) -> Result<Vec<CalendarAddress>, RequestStatus> {
    let lines = message
        .components()
        .filter_map(|component| attendee(component, delegator));
    let mut named: Vec<CalendarAddress> = Vec::new();
    for delegate in lines.flat_map(delegated_to) {
        if delegate.same_user(delegator) {
            return Err(refused("nobody delegates to itself"));
        }
        if named.iter().any(|known| known.same_user(&delegate)) {
            continue;
        }
        if named.len() == MAX_DELEGATES {
            return Err(too_many());
        }
        named.push(delegate);
    }
    Ok(named)
}

/// Holds an attendee's delegation against the organizer's copy: whether its delegates may come on the list.
pub(super) fn check(
    stored: &Object,
    message: &Message,
    delegator: &CalendarAddress,
    owner: &Owner,
) -> Result<(), RequestStatus> {
    let named = named(message, delegator)?;
    if named.is_empty() {
        return Ok(());
    }
    if named.iter().any(|delegate| owner.answers_to(delegate)) {
        return Err(to_organizer());
    }
    let key = |address: &CalendarAddress| address.as_str().to_ascii_lowercase();
    let named: HashSet<String> = named.iter().map(key).collect();
    let chain = Chain::of(stored);
    let mut delegates = named.clone();
    delegates.extend(chain.delegates_of(&key(delegator)));
    if delegates.len() > MAX_DELEGATES {
        return Err(too_many());
    }
    if !chain.before(key(delegator)).is_disjoint(&named) {
        return Err(refused(
            "it would go back to one from whom it was delegated, so that nobody would come",
        ));
    }
    Ok(())
}

fn refused(text: &str) -> RequestStatus {
    RequestStatus::NO_AUTHORITY.with_text(text)
}

fn to_organizer() -> RequestStatus {
    refused("nobody delegates to the organizer")
}

fn too_many() -> RequestStatus {
    refused("an attendee delegates to 3 others at most")
}

/// Who has delegated to whom, over all parts of an object.
struct Chain {
    delegators: HashMap<String, Vec<String>>,
    delegates: HashMap<String, Vec<String>>,
}

impl Chain {
    fn of(object: &Object) -> Self {
        let mut chain = Self {
            delegators: HashMap::new(),
            delegates: HashMap::new(),
        };
        let lines = object.components().flat_map(|it| it.all("ATTENDEE"));
        for line in lines {
            let own = person(line);
            for delegate in delegated_to(line) {
                let delegate = delegate.as_str().to_ascii_lowercase();
                chain
                    .delegators
                    .entry(delegate)
                    .or_default()
                    .push(own.clone());
            }
            for delegator in addresses(line, "DELEGATED-FROM") {
                let delegator = delegator.as_str().to_ascii_lowercase();
                let delegates = chain.delegates.entry(delegator.clone()).or_default();
                delegates.push(own.clone());
                chain
                    .delegators
                    .entry(own.clone())
                    .or_default()
                    .push(delegator);
            }
        }
        chain
    }

    fn delegates_of(&self, delegator: &str) -> impl Iterator<Item = String> {
        self.delegates.get(delegator).into_iter().flatten().cloned()
    }

    /// Everybody from whom somebody's delegation comes, however far back.
    fn before(&self, somebody: String) -> HashSet<String> {
        let mut known = HashSet::new();
        let mut open = vec![somebody];
        while let Some(person) = open.pop() {
            for delegator in self.delegators.get(&person).into_iter().flatten() {
                if known.insert(delegator.clone()) {
                    open.push(delegator.clone());
                }
            }
        }
        known
    }
}

/// Whether a line hands on to `delegate`.
pub(super) fn delegates_to(line: &Property, delegate: &CalendarAddress) -> bool {
    delegated_to(line).any(|address| address.same_user(delegate))
}

/// RFC 5546 §4.2.5: delegates come on the list, with the delegator's role. Who is on it already stays as it is. Returns
/// who is new.
pub(super) fn delegate(
    target: &mut Component,
    answer: &Component,
    said: &Property,
) -> Vec<CalendarAddress> {
    let mut new = Vec::new();
    let Some(delegator) = address_of(said) else {
        return new;
    };
    for delegate in delegated_to(said) {
        if attendee(target, &delegate).is_none() {
            let told = attendee(answer, &delegate);
            let known = attendee(target, &delegator);
            let line = line_of(&delegate, &delegator, told, known);
            target.push(line);
            new.push(delegate);
        }
    }
    new
}

/// A delegate's line. Of what the delegator says about it only who and what it is counts: the rest is the organizer's to
/// say, or the delegate's own.
pub(super) fn line_of(
    delegate: &CalendarAddress,
    delegator: &CalendarAddress,
    told: Option<&Property>,
    delegators_line: Option<&Property>,
) -> Property {
    let mut line = Property::new("ATTENDEE", delegate.as_str());
    for name in ["CN", "CUTYPE", "LANGUAGE"] {
        if let Some(value) = told.and_then(|told| told.param(name)) {
            line.set_param(name, value);
        }
    }
    if let Some(role) = delegators_line.and_then(|line| line.param("ROLE")) {
        line.set_param("ROLE", role);
    }
    line.set_param("PARTSTAT", PartStat::NeedsAction.as_str());
    line.set_param("RSVP", "TRUE");
    line.set_param("DELEGATED-FROM", delegator.as_str());
    line
}

/// The REQUEST that a delegator hands on to one of its delegates, made of the delegator's own copy: what the organizer last
/// said of what is delegated, and nothing that is the delegator's own. `None` if nothing there is delegated to it.
pub fn forward_to_delegate(
    existing: &Calendar,
    owner: &Owner,
    delegate: &CalendarAddress,
) -> Option<Outgoing> {
    let zones = Rc::new(Zones::of(existing, owner.timezone.clone()));
    let object = Object::of(existing, &zones)?;
    let leading = object.leading()?;
    if owner.organizes(leading) || owner.answers_to(delegate) {
        return None;
    }
    let delegated = |component: &&Component| {
        let own = owner.attendee(component);
        !is_cancelled(component) && own.is_some_and(|line| delegates_to(line, delegate))
    };
    let parts: Vec<&Component> = object.components().filter(delegated).collect();
    let delegator = owner.attendee(parts.first()?).and_then(address_of)?;
    let components = parts
        .into_iter()
        .map(|part| handed_on_part(part, &delegator, delegate));
    let message = compose(Method::Request, components.collect(), &zones).ok()?;
    Some(Outgoing {
        message,
        originator: delegator,
        recipients: vec![delegate.clone()],
    })
}

fn handed_on_part(
    part: &Component,
    delegator: &CalendarAddress,
    delegate: &CalendarAddress,
) -> Component {
    let mut part = part.clone();
    part.remove("REQUEST-STATUS");
    strip_personal(&mut part);
    if attendee(&part, delegate).is_none_or(|line| PartStat::of(line) == PartStat::NeedsAction) {
        let known = attendee(&part, delegate).cloned();
        let own = attendee(&part, delegator).cloned();
        let line = line_of(delegate, delegator, known.as_ref(), own.as_ref());
        part.properties.retain(|old| !is_attendee(old, delegate));
        part.push(line);
    }
    part
}

/// A REPLY's component with the lines of its delegates (RFC 5546 §3.2.2.3), as the delegator's copy has them.
pub(super) fn name_delegates(said: &mut Component, component: &Component, line: &Property) {
    let Some(delegator) = address_of(line) else {
        return;
    };
    for delegate in delegated_to(line).take(MAX_DELEGATES) {
        if attendee(said, &delegate).is_none() {
            let known = attendee(component, &delegate);
            said.push(line_of(&delegate, &delegator, known, Some(line)));
        }
    }
}

/// Who is to be asked again after an answer: who delegated to its attendee, if that declines; and the attendee itself, if it
/// delegates to one that has declined already. Which of the two comes first is a matter of their ways.
pub(super) fn delegated_in_vain(said: &Property, target: &Component) -> Option<CalendarAddress> {
    let attendee = address_of(said)?;
    if PartStat::of(said) == PartStat::Declined {
        let lines = target.all("ATTENDEE");
        let mut delegators = lines.filter(|line| delegates_to(line, &attendee));
        return delegators.next().and_then(address_of);
    }
    delegates_in_vain(said, target).then_some(attendee)
}

/// RFC 5546 §4.2.7: the delegator is asked again. Its answer that it delegates counts no more, also if it comes once more.
pub(super) fn reopen(target: &mut Component, delegator: &CalendarAddress) {
    for line in attendees_mut(target, delegator) {
        line.set_param("PARTSTAT", PartStat::NeedsAction.as_str());
        line.set_param("RSVP", "TRUE");
        line.remove_param("DELEGATED-TO");
        note_overruled(line);
    }
}
