//! Proposals: COUNTER and what its organizer answers (RFC 5546 §3.2.7, §3.2.8, §3.4.7, §3.4.8).
//!
//! A proposal changes nothing by itself. It is kept for the organizer, who takes it up ([`accept_counter`]: an edit like any other,
//! of which everybody hears), or declines it.

use super::compose_reply::{ReplyError, no_such_instance};
use super::instance::move_ends;
use super::object::{Object, same_component};
use super::outgoing::{Outgoing, compose, for_message};
use super::participants::{Owner, address_of, attendee};
use super::reply::{comment, named_instance};
use super::request::is_cancelled;
use super::revision::basic;
use super::series::Search;
use super::zone_alignment::{SideBySide, anchored};
use crate::message::{Message, Method};
use crate::time::{Clock, When};
use crate::tree::{Calendar, Component, Property};
use crate::zone::Zones;
use convoke_types::CalendarAddress;
use jiff::Timestamp;
use std::rc::Rc;

/// Another time that an attendee proposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// When it is to begin; without a clock of its own, on that on which it begins now.
    pub start: When,
    /// When it is to end; `None`: it takes as long as now.
    pub end: Option<When>,
    /// Of which instance of a series (see [`Reply::to_instance`](super::Reply::to_instance)); `None`: of all of it.
    pub instance: Option<When>,
    /// What the attendee says to it.
    pub comment: Option<String>,
}

/// An attendee's proposal to its organizer: a COUNTER with all of the component, and the new time.
///
/// It says nothing of whether the attendee comes at the time that holds until the organizer agrees: that is for a REPLY.
///
/// # Errors
///
/// The owner is not invited, or there is no such instance, or it is cancelled, or nothing valid is proposed (an end before its
/// start).
pub fn compose_counter(
    existing: &Calendar,
    owner: &Owner,
    proposal: &Proposal,
    now: Timestamp,
) -> Result<Outgoing, ReplyError> {
    let zones = Rc::new(Zones::of(existing, owner.timezone.clone()));
    let object = Object::of(existing, &zones).ok_or(ReplyError::NotSchedulable)?;
    let leading = object.leading().ok_or(ReplyError::NotSchedulable)?;
    if owner.organizes(leading) {
        return Err(ReplyError::OwnInvitation);
    }
    let organizer = leading.get("ORGANIZER").and_then(address_of);
    let organizer = organizer.ok_or(ReplyError::NoOrganizer)?;
    let part = match &proposal.instance {
        Some(when) => named_instance(&object, when).ok_or_else(|| no_such_instance(when))?,
        None => leading.clone(),
    };
    if is_cancelled(&part) {
        return Err(ReplyError::Cancelled);
    }
    let own = owner
        .attendee(&part)
        .ok_or(ReplyError::NotInvited)?
        .value
        .clone();
    let mut part = for_message(&part, now);
    let mut originator = None;
    for line in &mut part.properties {
        if line.is("ATTENDEE") && line.value == own {
            originator = owner.reply_address(line);
            if let Some(address) = originator.as_ref().filter(|it| !it.is_written_as(&own)) {
                address.as_str().clone_into(&mut line.value);
            }
        }
    }
    let originator = originator.ok_or(ReplyError::NotInvited)?;
    propose(&mut part, proposal, &zones);
    // What the organizer has said it knows.
    part.remove("COMMENT");
    part.properties.extend(comment(proposal.comment.as_deref()));
    let message = compose(Method::Counter, vec![part], &zones).map_err(ReplyError::Odd)?;
    Ok(Outgoing {
        message,
        originator,
        recipients: vec![organizer],
    })
}

/// Moves a component to the time that is proposed.
fn propose(component: &mut Component, proposal: &Proposal, zones: &Zones) {
    let was = component.get("DTSTART").cloned();
    let clock = was.as_ref().and_then(|line| When::of(line).ok());
    let clock = clock.filter(|it| !it.is_date()).map(|it| it.clock);
    let placed = |when: &When| {
        let mut when = when.clone();
        if let (Clock::Floating, Some(clock)) = (&when.clock, &clock) {
            when.clock = clock.clone();
        }
        when
    };
    let start = placed(&proposal.start);
    let line = start.property("DTSTART");
    match (&proposal.end, &was) {
        (Some(end), _) => {
            let name = if component.is("VTODO") {
                "DUE"
            } else {
                "DTEND"
            };
            component.remove("DURATION");
            component.set(placed(end).property(name));
        }
        (None, Some(was)) if clock.as_ref() == Some(&start.clock) || start.is_date() => {
            move_ends(component, was, &line, zones);
        }
        (None, Some(was)) => move_ends_to(component, was, &start, zones),
        (None, None) => {}
    }
    component.set(line);
}

/// The end of what goes on as long as before, but begins on another clock: on that, too.
fn move_ends_to(component: &mut Component, was: &Property, start: &When, zones: &Zones) {
    let at = |line: &Property| When::of(line).ok()?.instant(zones).ok();
    for name in ["DTEND", "DUE"] {
        let Some(end) = component.get_mut(name) else {
            continue;
        };
        let moved = || {
            let length = at(end)?.duration_since(at(was)?);
            let moved = start.instant(zones).ok()?.checked_add(length).ok()?;
            let wall = moved.to_zoned_datetime(start.zone(zones).ok()?).datetime();
            let clock = start.clock.clone();
            Some(When { wall, clock }.property(name))
        };
        if let Some(moved) = moved() {
            *end = moved;
        }
    }
}

/// The organizer's answer that a proposal is not taken up: a DECLINECOUNTER to `proposer`, who has sent it.
///
/// # Errors
///
/// The message is no COUNTER, or names no ORGANIZER.
pub fn compose_decline_counter(
    counter: &Message,
    proposer: &CalendarAddress,
    text: Option<&str>,
    now: Timestamp,
) -> Result<Outgoing, ReplyError> {
    // RFC 5546 §3.2.8: what it is about is echoed.
    const ECHOED: [&str; 5] = ["UID", "RECURRENCE-ID", "SEQUENCE", "DTSTART", "SUMMARY"];
    let about = proposed(counter)?;
    let organizer = counter.organizer().ok_or(ReplyError::NoOrganizer)?;
    let mut declined = Component::new(counter.kind().as_str());
    declined.push(Property::new("DTSTAMP", basic(now)));
    for name in ECHOED {
        declined.properties.extend(about.get(name).cloned());
    }
    declined.push(Property::new("ORGANIZER", organizer.as_str()));
    let line = attendee(about, proposer).cloned();
    declined.push(line.unwrap_or_else(|| Property::new("ATTENDEE", proposer.as_str())));
    declined.properties.extend(comment(text));
    let zones = Zones::of(counter.calendar(), jiff::tz::TimeZone::UTC);
    let message = compose(Method::DeclineCounter, vec![declined], &zones);
    Ok(Outgoing {
        message: message.map_err(ReplyError::Odd)?,
        originator: organizer.clone(),
        recipients: vec![proposer.clone()],
    })
}

/// The organizer's object as a proposal would have it: when the whole or the instance is, by which rule, and where. What else
/// may stand in a COUNTER stays the organizer's to write.
///
/// To hand it to [`edit`](fn@super::edit) tells everybody.
///
/// # Errors
///
/// The message is no COUNTER, or not about this object; the owner does not organize it; there is no such instance (any more); or
/// it proposes what is so already.
pub fn accept_counter(
    existing: &Calendar,
    counter: &Message,
    owner: &Owner,
) -> Result<Calendar, ReplyError> {
    proposed(counter)?;
    let both = SideBySide::of(counter, Some(existing), &owner.timezone);
    let zones = both.zones(owner.timezone.clone());
    let object = both.existing().and_then(|it| Object::of(it, &zones));
    let object = object.filter(|it| it.is_kind(counter.kind()) && is_of(it, counter));
    let mut object = object.ok_or(ReplyError::NotSchedulable)?;
    if !object.leading().is_some_and(|it| owner.organizes(it)) {
        return Err(ReplyError::NotOrganizer);
    }
    let message = anchored(both.message(), &object);
    let proposed = proposed(&message)?;
    let Some(id) = proposed.get("RECURRENCE-ID") else {
        let whole = object.master.take().ok_or_else(|| no_whole(proposed))?;
        object.master = Some(as_proposed(&whole, proposed)?);
        drop_strays(&mut object);
        return Ok(object.into_calendar());
    };
    let key = object.key(id);
    let known = object.instances.get(&key).cloned();
    let implied = || object.implied(id).filter(|_| Search::of(&object).has(id));
    let part = known.or_else(implied);
    let part = part.ok_or_else(|| ReplyError::NoSuchInstance(id.value.clone()))?;
    let part = as_proposed(&part, proposed)?;
    object.instances.insert(key, part);
    Ok(object.into_calendar())
}

fn proposed(counter: &Message) -> Result<&Component, ReplyError> {
    match counter.method() {
        Method::Counter => counter
            .components()
            .next()
            .ok_or(ReplyError::NotSchedulable),
        other => Err(ReplyError::NotAProposal(other)),
    }
}

fn is_of(object: &Object, counter: &Message) -> bool {
    let uid = object.leading().and_then(Component::uid);
    uid.as_ref() == Some(counter.uid())
}

/// A proposal for the whole of what is known by single instances only.
fn no_whole(proposed: &Component) -> ReplyError {
    ReplyError::NoSuchInstance(proposed.value("DTSTART").unwrap_or_default().to_owned())
}

/// A component at the time and place that are proposed for it.
fn as_proposed(known: &Component, proposed: &Component) -> Result<Component, ReplyError> {
    const TIMES: [&str; 4] = ["DTSTART", "DTEND", "DUE", "DURATION"];
    const RULES: [&str; 2] = ["RRULE", "RDATE"];
    let mut component = known.clone();
    let mut take = |names: &[&str]| {
        for name in names {
            component.remove(name);
            component.properties.extend(proposed.all(name).cloned());
        }
    };
    take(&TIMES);
    let is_whole = proposed.get("RECURRENCE-ID").is_none();
    if is_whole && RULES.iter().any(|name| proposed.get(name).is_some()) {
        take(&RULES);
    }
    if let Some(place) = proposed.stated("LOCATION") {
        component.set(place.clone());
    }
    if same_component(known, &component) {
        return Err(ReplyError::NothingProposed);
    }
    Ok(component)
}

/// What was said of single instances of a series that is at other times now is about none of its instances.
fn drop_strays(object: &mut Object) {
    let mut search = Search::of(object);
    let ids = object.instances.iter();
    let strays = ids.filter(|(_, it)| !it.get("RECURRENCE-ID").is_some_and(|id| search.has(id)));
    let strays: Vec<_> = strays.map(|(key, _)| key.clone()).collect();
    for key in strays {
        object.instances.remove(&key);
    }
}
