//! An attendee's answers that differ from part to part, each with a word about why: what a room says to an invitation.

use super::compose_reply::{ReplyError, answer_to, send};
use super::instance::{in_form_of, named_at};
use super::object::{MAX_WEIGHT, Object, weight};
use super::outgoing::Outgoing;
use super::participants::{Owner, PartStat};
use super::reply::comment;
use super::request::is_cancelled;
use crate::instance::InstanceKey;
use crate::time::When;
use crate::tree::{Calendar, Component};
use crate::zone::Zones;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

/// What an attendee answers, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The word.
    pub partstat: PartStat,
    /// Why, for the organizer to read (COMMENT).
    pub comment: Option<String>,
}

impl Answer {
    /// An answer without a word about why.
    pub const fn new(partstat: PartStat) -> Self {
        Self {
            partstat,
            comment: None,
        }
    }

    /// The same, and why.
    #[must_use]
    pub fn because(self, comment: impl Into<String>) -> Self {
        Self {
            comment: Some(comment.into()),
            ..self
        }
    }
}

/// What an attendee answers, part by part. What is not named here stays as it was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// To the whole, which instances without a component of their own follow.
    pub whole: Option<Answer>,
    /// To single instances, by the time at which each would begin if nothing had moved it
    /// ([`Occurrence::id`](super::Occurrence::id)).
    pub instances: BTreeMap<Timestamp, Answer>,
    /// To every component that is answered by neither.
    pub rest: Option<Answer>,
}

impl Answers {
    /// The same to every part.
    pub const fn to_all(answer: Answer) -> Self {
        Self {
            whole: None,
            instances: BTreeMap::new(),
            rest: Some(answer),
        }
    }
}

/// The object with the owner's answers on it; an instance that is answered by itself gets a component of its own.
///
/// # Errors
///
/// [`ReplyError::NotSchedulable`], [`ReplyError::TooLarge`].
pub fn note_answers(
    existing: &Calendar,
    owner: &Owner,
    answers: &Answers,
) -> Result<Calendar, ReplyError> {
    let zones = Rc::new(Zones::of(existing, owner.timezone.clone()));
    let object = Object::of(existing, &zones).ok_or(ReplyError::NotSchedulable)?;
    let parts = answered(&object, owner, answers)?;
    Ok(noted(object, parts))
}

/// The answers as messages to the organizer: one REPLY from each of the owner's addresses that is invited, with a component
/// for each part (RFC 5546 §3.2.3). None, if nothing of it takes place.
///
/// # Errors
///
/// [`ReplyError`], but for what is said about single words.
pub fn compose_answers(
    existing: &Calendar,
    owner: &Owner,
    answers: &Answers,
    now: Timestamp,
) -> Result<Vec<Outgoing>, ReplyError> {
    let zones = Rc::new(Zones::of(existing, owner.timezone.clone()));
    let object = Object::of(existing, &zones).ok_or(ReplyError::NotSchedulable)?;
    let parts = answered(&object, owner, answers)?;
    composed(&object, &parts, owner, now)
}

/// What the owner has accepted tentatively, decided: the object with that answer in its place, and the messages that say so.
/// `None` if nothing of it that takes place is tentative.
///
/// # Errors
///
/// As [`compose_answers`].
pub fn decide_tentative(
    existing: &Calendar,
    owner: &Owner,
    answer: &Answer,
    now: Timestamp,
) -> Result<Option<(Calendar, Vec<Outgoing>)>, ReplyError> {
    let zones = Rc::new(Zones::of(existing, owner.timezone.clone()));
    let object = Object::of(existing, &zones).ok_or(ReplyError::NotSchedulable)?;
    let is_open = |it: &Component| owner.partstat(it) == Some(PartStat::Tentative);
    let open = object.parts().filter(|(_, it)| is_open(it));
    let parts = open.map(|(key, component)| (key, component.clone(), answer));
    let parts = written(parts.collect(), owner);
    if parts.is_empty() {
        return Ok(None);
    }
    let outgoing = composed(&object, &parts, owner, now)?;
    Ok(Some((noted(object.clone(), parts), outgoing)))
}

fn noted(mut object: Object, parts: Vec<Part>) -> Calendar {
    for (key, component, _) in parts {
        match key {
            Some(key) => {
                object.instances.insert(key, component);
            }
            None => object.master = Some(component),
        }
    }
    object.into_calendar()
}

fn composed(
    object: &Object,
    parts: &[Part],
    owner: &Owner,
    now: Timestamp,
) -> Result<Vec<Outgoing>, ReplyError> {
    let leading = object.leading().ok_or(ReplyError::NotSchedulable)?;
    if owner.organizes(leading) {
        return Err(ReplyError::OwnInvitation);
    }
    let mut said = Vec::new();
    for (_, component, answer) in parts {
        for line in owner.lines(component) {
            let mut reply = answer_to(component, line.clone(), now);
            reply.properties.extend(comment(answer.comment.as_deref()));
            said.push(reply);
        }
    }
    send(&object.zones, leading, said, owner)
}

type Part<'a> = (Option<InstanceKey>, Component, &'a Answer);

/// The parts that are answered, the whole first.
fn answered<'a>(
    object: &Object,
    owner: &Owner,
    answers: &'a Answers,
) -> Result<Vec<Part<'a>>, ReplyError> {
    let mut parts: Vec<Part> = Vec::new();
    if let (Some(answer), Some(whole)) = (&answers.whole, &object.master) {
        parts.push((None, whole.clone(), answer));
    }
    let start = object.master.as_ref().and_then(|it| it.get("DTSTART"));
    let apart = object.instances.iter().filter_map(|(key, component)| {
        let id = in_form_of(component.get("RECURRENCE-ID")?, start, &object.zones);
        let at = When::of(&id).ok()?.instant(&object.zones).ok()?;
        Some((at, (key, component)))
    });
    let apart: HashMap<Timestamp, _> = apart.collect();
    let series = object.master.as_ref().map_or(0, weight);
    let mut room = MAX_WEIGHT;
    for (&at, answer) in &answers.instances {
        if let Some(&(key, component)) = apart.get(&at) {
            parts.push((Some(key.clone()), component.clone(), answer));
        } else if let Some(start) = start {
            let id = named_at(at, start, &object.zones);
            let implied = object.implied(&id);
            room = room.checked_sub(series).ok_or(ReplyError::TooLarge)?;
            parts.extend(implied.map(|it| (Some(object.key(&id)), it, answer)));
        }
    }
    if let Some(answer) = &answers.rest {
        let known: HashSet<Option<InstanceKey>> = parts.iter().map(|it| it.0.clone()).collect();
        let others = object.parts().filter(|(key, _)| !known.contains(key));
        parts.extend(others.map(|(key, component)| (key, component.clone(), answer)));
    }
    Ok(written(parts, owner))
}

/// Those of the parts that take place and that the owner is invited to, with the answer on its lines.
fn written<'a>(mut parts: Vec<Part<'a>>, owner: &Owner) -> Vec<Part<'a>> {
    parts.retain(|(_, it, _)| !is_cancelled(it) && owner.attendee(it).is_some());
    for (_, component, answer) in &mut parts {
        write_answer(component, owner, answer.partstat);
    }
    parts
}

fn write_answer(component: &mut Component, owner: &Owner, partstat: PartStat) {
    for line in &mut component.properties {
        if line.is("ATTENDEE") && owner.is(line) {
            line.set_param("PARTSTAT", partstat.as_str());
            if partstat != PartStat::NeedsAction {
                line.remove_param("RSVP"); // it has been answered
            }
        }
    }
}
