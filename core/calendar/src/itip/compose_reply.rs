//! Composing an attendee's REPLY (RFC 5546 §3.2.3, §3.4.3).

use super::delegation::{delegates, name_delegates};
use super::object::Object;
use super::outgoing::{Outgoing, compose};
use super::participants::{Owner, PartStat, address_of};
use super::reply::{Reply, comment, named_instance};
use super::request::is_cancelled;
use super::revision::{basic, has_unknown_revision};
use crate::message::{MessageError, Method};
use crate::time::When;
use crate::tree::{Calendar, Component, Param, Property};
use crate::zone::Zones;
use convoke_types::{CalendarAddress, RequestStatus};
use jiff::Timestamp;
use std::borrow::Cow;
use std::rc::Rc;

/// There is nothing to answer or to propose, or not like that.
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
    /// The series has no such instance.
    #[error(
        "there is no instance `{0}`: expected when one of them would begin if nothing had moved it"
    )]
    NoSuchInstance(String),
    /// The delegate cannot be one.
    #[error("it cannot be delegated so: {}", .0.text())]
    Delegation(RequestStatus),
    /// A proposal is answered that is none.
    #[error("a {0} proposes nothing, expected a COUNTER")]
    NotAProposal(Method),
    /// The owner is not the one to decide about a proposal.
    #[error("the owner does not organize it, so there is nothing to decide")]
    NotOrganizer,
    /// A proposal proposes what is so already.
    #[error("it proposes no other time or place than there is")]
    NothingProposed,
    /// The stored object is so odd that no message can be made of it.
    #[error("no message can be made of the stored object: {0}")]
    Odd(MessageError),
}

/// The owner's answer to an invitation: a [`PartStat`] to all of it, or an [`Reply`] that says more.
///
/// One REPLY for each of the owner's addresses on the list, as to the organizer each is a guest of its own (RFC 5546
/// §3.2.3: a REPLY is one attendee's). The own copy changes when they are handed to [`update_own_copy`](fn@super::update_own_copy).
/// They carry the SEQUENCE of `existing`: see [`recall`](fn@super::recall) for one that a calendar program may have raised.
pub fn compose_reply(
    existing: &Calendar,
    owner: &Owner,
    answer: impl Into<Reply>,
    now: Timestamp,
) -> Result<Vec<Outgoing>, ReplyError> {
    reply(existing, owner, &answer.into(), now)
}

fn reply(
    existing: &Calendar,
    owner: &Owner,
    answer: &Reply,
    now: Timestamp,
) -> Result<Vec<Outgoing>, ReplyError> {
    let zones = Rc::new(Zones::of(existing, owner.timezone.clone()));
    let object = Object::of(existing, &zones).ok_or(ReplyError::NotSchedulable)?;
    let leading = object.leading().ok_or(ReplyError::NotSchedulable)?;
    if !is_answer(answer, leading) {
        return Err(ReplyError::NotAnAnswer(answer.partstat));
    }
    if owner.organizes(leading) {
        return Err(ReplyError::OwnInvitation);
    }
    let parts = answered_parts(&object, answer)?;
    let invited = parts.iter().flat_map(|component| {
        let lines = owner.lines(component).into_iter();
        lines.map(move |line| (component, line))
    });
    let mut invited = invited.peekable();
    if invited.peek().is_none() {
        return Err(ReplyError::NotInvited);
    }
    let open = invited.filter(|(component, _)| !is_cancelled(component));
    let answers: Vec<Component> = open
        .map(|(component, line)| {
            let mut said = answer_to(component, answered(line, answer), now);
            said.properties.extend(comment(answer.comment.as_deref()));
            said
        })
        .collect();
    if answers.is_empty() {
        return Err(ReplyError::Cancelled);
    }
    let replies = send(&zones, leading, answers, owner)?;
    for reply in &replies {
        delegates(&reply.message, &reply.originator).map_err(ReplyError::Delegation)?;
    }
    Ok(replies)
}

/// The components that an answer is about.
fn answered_parts<'o>(
    object: &'o Object,
    answer: &Reply,
) -> Result<Vec<Cow<'o, Component>>, ReplyError> {
    if answer.instances.is_empty() {
        return Ok(object.components().map(Cow::Borrowed).collect());
    }
    let named = answer.instances.iter().map(|when| {
        let instance = named_instance(object, when).map(Cow::Owned);
        instance.ok_or_else(|| no_such_instance(when))
    });
    named.collect()
}

pub(super) fn no_such_instance(when: &When) -> ReplyError {
    ReplyError::NoSuchInstance(when.property("RECURRENCE-ID").value)
}

const DELEGATES: &str = "DELEGATED-TO";

/// The owner's line with an answer on it.
fn answered(line: &Property, answer: &Reply) -> Property {
    let mut line = line.clone();
    line.set_param("PARTSTAT", answer.partstat.as_str());
    // Who answers again comes itself.
    line.remove_param(DELEGATES);
    if !answer.delegates.is_empty() {
        let delegates = answer.delegates.iter();
        line.params.push(Param {
            name: DELEGATES.to_owned(),
            values: delegates.map(|it| it.as_str().to_owned()).collect(),
        });
    }
    line
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

fn is_answer(answer: &Reply, component: &Component) -> bool {
    match answer.partstat {
        PartStat::Accepted | PartStat::Declined | PartStat::Tentative => true,
        PartStat::Completed | PartStat::InProcess => component.is("VTODO"),
        // It names the delegate.
        PartStat::Delegated => !answer.delegates.is_empty(),
        PartStat::NeedsAction => false,
    }
}

/// What a REPLY says about one component: who answers how, about which version of what. Who comes itself names nobody as sent, whom
/// its program has left on the line.
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
    if answer != PartStat::Delegated {
        line.remove_param(DELEGATES);
    }
    let mut said = Component::new(component.name.clone());
    said.push(Property::new("DTSTAMP", basic(now)));
    for name in IDENTIFYING {
        said.properties.extend(component.get(name).cloned());
    }
    // Without it an answer is one to whatever version there is when it arrives.
    if component.get("SEQUENCE").is_none() && !has_unknown_revision(component) {
        said.push(Property::new("SEQUENCE", "0"));
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
