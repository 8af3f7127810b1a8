//! Composing an attendee's REPLY (RFC 5546 §3.2.3, §3.4.3).

use super::delegation::name_delegates;
use super::object::Object;
use super::outgoing::{Outgoing, compose};
use super::participants::{Owner, PartStat, address_of};
use super::request::is_cancelled;
use super::revision::basic;
use crate::message::{MessageError, Method};
use crate::tree::{Calendar, Component, Property};
use crate::zone::Zones;
use convoke_types::CalendarAddress;
use jiff::Timestamp;
use std::rc::Rc;

/// There is nothing to answer, or not like that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// It is neither event nor to-do.
    #[error("the object is neither an event nor a to-do, so there is nothing to answer")]
    NotSchedulable,
    /// Nobody invited.
    #[error("the object has no ORGANIZER: it is nobody's invitation")]
    NoOrganizer,
    /// The owner is the organizer.
    #[error("the organizer does not answer its own invitation; change the object instead")]
    OwnInvitation,
    /// The owner is not on the list.
    #[error("none of the owner's addresses is among the ATTENDEEs")]
    NotInvited,
    /// All of it is cancelled.
    #[error("the organizer has cancelled it")]
    Cancelled,
    /// The word is no answer to this kind of object.
    #[error("{0} is not an answer here; accept, decline or be tentative")]
    NotAnAnswer(PartStat),
    /// Answers to single instances would make the object larger than an object may become.
    #[error("the series is too large to answer so many of its instances one by one")]
    TooLarge,
    /// The stored object is so odd that no message can be made of it.
    #[error("no message can be made of the stored object: {0}")]
    Odd(MessageError),
}

/// The owner's answer to an invitation: to the whole and to every instance that it is invited to.
///
/// One REPLY for each of the owner's addresses on the list, as to the organizer each is a guest of its own (RFC 5546
/// §3.2.3: a REPLY is one attendee's). The own copy changes when they are handed to [`update_own_copy`](fn@super::update_own_copy).
pub fn compose_reply(
    existing: &Calendar,
    owner: &Owner,
    answer: PartStat,
    now: Timestamp,
) -> Result<Vec<Outgoing>, ReplyError> {
    let zones = Rc::new(Zones::of(existing, owner.timezone.clone()));
    let object = Object::of(existing, &zones).ok_or(ReplyError::NotSchedulable)?;
    let leading = object.leading().ok_or(ReplyError::NotSchedulable)?;
    if !is_answer(answer, leading) {
        return Err(ReplyError::NotAnAnswer(answer));
    }
    if owner.organizes(leading) {
        return Err(ReplyError::OwnInvitation);
    }
    let invited: Vec<(&Component, &Property)> = object
        .components()
        .flat_map(|component| {
            let lines = owner.lines(component).into_iter();
            lines.map(move |line| (component, line))
        })
        .collect();
    if invited.is_empty() {
        return Err(ReplyError::NotInvited);
    }
    let open = invited.iter();
    let open = open.filter(|(component, _)| !is_cancelled(component));
    let answers: Vec<Component> = open
        .map(|(component, line)| {
            let mut line = (*line).clone();
            line.set_param("PARTSTAT", answer.as_str());
            answer_to(component, line, now)
        })
        .collect();
    if answers.is_empty() {
        return Err(ReplyError::Cancelled);
    }
    send(&zones, leading, answers, owner)
}

/// The answers as messages to the organizer: a REPLY from each address that answers.
pub(super) fn send(
    zones: &Zones,
    leading: &Component,
    answers: Vec<Component>,
    owner: &Owner,
) -> Result<Vec<Outgoing>, ReplyError> {
    let organizer = leading
        .get("ORGANIZER")
        .and_then(address_of)
        .ok_or(ReplyError::NoOrganizer)?;
    let mut from: Vec<(CalendarAddress, Vec<Component>)> = Vec::new();
    for mut answer in answers {
        let line = answer.get_mut("ATTENDEE").ok_or(ReplyError::NotInvited)?;
        let address = owner.reply_address(line).ok_or(ReplyError::NotInvited)?;
        if !address.is_written_as(&line.value) {
            // Who answers must be the Originator (spec §5).
            address.as_str().clone_into(&mut line.value);
        }
        match from.iter_mut().find(|(known, _)| known.same_user(&address)) {
            // Two lines of one mailbox: the organizer marks both by one answer.
            Some((_, answers)) if answers.iter().any(|known| is_about(known, &answer)) => {}
            Some((_, answers)) => answers.push(answer),
            None => from.push((address, vec![answer])),
        }
    }
    let messages = from.into_iter().map(|(originator, components)| {
        let message = compose(Method::Reply, components, zones).map_err(ReplyError::Odd)?;
        Ok(Outgoing {
            message,
            originator,
            recipients: vec![organizer.clone()],
        })
    });
    messages.collect()
}

/// Whether two answers are about one instance.
fn is_about(one: &Component, other: &Component) -> bool {
    let [one, other] = [one, other].map(|it| it.get("RECURRENCE-ID"));
    one.map(|id| (&id.value, &id.params)) == other.map(|id| (&id.value, &id.params))
}

fn is_answer(answer: PartStat, component: &Component) -> bool {
    match answer {
        PartStat::Accepted | PartStat::Declined | PartStat::Tentative => true,
        PartStat::Completed | PartStat::InProcess => component.is("VTODO"),
        // A delegation names the delegate, which needs more than a word.
        PartStat::NeedsAction | PartStat::Delegated => false,
    }
}

/// What a REPLY says about one component: who answers how, about which version of what.
pub(super) fn answer_to(component: &Component, mut line: Property, now: Timestamp) -> Component {
    const IDENTIFYING: [&str; 6] = [
        "UID",
        "RECURRENCE-ID",
        "SEQUENCE",
        "ORGANIZER",
        "DTSTART",
        "SUMMARY",
    ];
    let answer = PartStat::of(&line);
    line.remove_param("RSVP");
    let mut said = Component::new(component.name.clone());
    said.push(Property::new("DTSTAMP", basic(now)));
    for name in IDENTIFYING {
        said.properties.extend(component.get(name).cloned());
    }
    said.push(line.clone());
    name_delegates(&mut said, component, &line);
    if component.is("VTODO") {
        let percent = component.value("PERCENT-COMPLETE");
        match (answer, percent) {
            (PartStat::Completed, _) => {
                said.push(Property::new("PERCENT-COMPLETE", "100"));
                let done = component.get("COMPLETED").cloned();
                said.push(done.unwrap_or_else(|| Property::new("COMPLETED", basic(now))));
            }
            (PartStat::InProcess, Some(percent)) => {
                said.push(Property::new("PERCENT-COMPLETE", percent));
            }
            _ => {}
        }
    }
    said
}
