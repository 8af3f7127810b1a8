//! REPLY: what an attendee's answer does to the organizer's copy (RFC 5546 §3.2.3, §3.4.3).
//!
//! An answer without RECURRENCE-ID is about the series. Instances that are written out have answers of their own: an
//! attendee who means them too names them, or shows by the rule in its answer that it knows of no exception there, and
//! then the open ones are answered.

use super::delegation::{declined_for, delegate, delegates_to, reopen};
use super::instance::{InstanceKey, Range, recurs};
use super::noted::{comment, progress, record, version_answered};
use super::object::Object;
use super::own::{REPLY_DTSTAMP, REPLY_SEQUENCE};
use super::people::{PartStat, address_of, attendee, attendees_mut};
use super::request::is_cancelled;
use super::revision::{Revision, sequence};
use super::series::Search;
use crate::message::{Message, utc};
use crate::tree::{Component, Property};
use convoke_types::{CalendarAddress, RequestStatus};
use std::collections::HashSet;

/// What to do with an answer from somebody who was not invited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uninvited {
    /// Put them on the list (RFC 5546 §3.2.2.6 leaves it to the organizer).
    Accepted,
    Refused,
}

/// The organizer's copy with an answer recorded.
#[derive(Debug)]
pub(super) struct Answered<'c> {
    pub object: Object<'c>,
    /// Who gets the latest version: who delegated to one that declined is asked again (RFC 5546 §4.2.5), and who came
    /// uninvited and is welcome is told so (§3.2.2.6).
    pub tell: Vec<CalendarAddress>,
}

/// Records the answer of `replier`: as much of it as is about something that there is, unless that is nothing.
pub(super) fn apply<'c>(
    stored: &Object<'c>,
    message: &Message,
    replier: &CalendarAddress,
    uninvited: Uninvited,
) -> Result<Answered<'c>, RequestStatus> {
    let mut recording = Recording {
        stored,
        message,
        replier,
        uninvited,
        search: Search::of(stored),
        named: message
            .components()
            .filter_map(|it| stored.part(it))
            .collect(),
        answered: Answered {
            object: stored.clone(),
            tell: Vec::new(),
        },
    };
    let (mut heard, mut refusal) = (false, None);
    for answer in message.components() {
        match recording.take(answer) {
            Ok(()) => heard = true,
            Err(status) => refusal = refusal.or(Some(status)),
        }
    }
    match refusal {
        Some(status) if !heard => Err(status),
        _ => Ok(recording.answered),
    }
}

struct Recording<'s, 'c> {
    stored: &'s Object<'c>,
    message: &'s Message,
    replier: &'s CalendarAddress,
    uninvited: Uninvited,
    search: Search<'s, 'c>,
    /// The instances that the message answers for by themselves.
    named: HashSet<InstanceKey>,
    answered: Answered<'c>,
}

impl Recording<'_, '_> {
    fn take(&mut self, answer: &Component) -> Result<(), RequestStatus> {
        let replier = self.replier;
        let line = attendee(answer, replier).ok_or_else(not_answering)?;
        let target = target(&self.answered.object, answer, &mut self.search)?;
        let (target, newcomer) = target_for(target, replier, self.uninvited, self.stored)?;
        let Some((key, mut target)) = target.newer_than_recorded(answer, replier) else {
            return Ok(());
        };
        // The delegate gets the role that the delegator has until now.
        delegate(&mut target, answer, line);
        record(&mut target, answer, line);
        if let Some(delegator) = declined_for(line, &target) {
            reopen(&mut target, &delegator);
            self.answered.tell.push(delegator);
        }
        if newcomer && self.answered.tell.is_empty() {
            self.answered.tell.push(replier.clone());
        }
        progress(&mut target, answer, replier);
        comment(&mut target, answer, replier);
        let object = &mut self.answered.object;
        let named = &self.named;
        let Some(key) = key else {
            object.master = Some(target);
            if recurs(answer) {
                let told = Object::from_message(self.message, &self.stored.zones);
                let mut told = told.as_ref().map(Search::of);
                spread(object, answer, line, |key, instance, line| {
                    let is_open = PartStat::of(line) == PartStat::NeedsAction;
                    let id = instance.get("RECURRENCE-ID");
                    let id = id.filter(|_| is_open && !named.contains(key));
                    id.zip(told.as_mut()).is_some_and(|(id, told)| told.has(id))
                });
            }
            return Ok(());
        };
        if Range::of(answer) == Range::ThisAndFuture {
            spread(object, answer, line, |later, _, _| {
                *later > key && !named.contains(later)
            });
        }
        object.instances.insert(key, target);
        Ok(())
    }
}

/// An answer that covers more than it names also goes to the lines of instances written out, as far as they are
/// `meant` and not newer than it.
fn spread(
    object: &mut Object,
    answer: &Component,
    said: &Property,
    mut meant: impl FnMut(&InstanceKey, &Component, &Property) -> bool,
) {
    let (Some(replier), Some(spoken)) = (address_of(said), answer.value("DTSTAMP").and_then(utc))
    else {
        return;
    };
    let partstat = PartStat::of(said);
    let is_answer = matches!(
        partstat,
        PartStat::Accepted | PartStat::Declined | PartStat::Tentative
    );
    let open = object.instances.iter_mut();
    for (key, instance) in open.filter(|(_, instance)| is_answer && !is_cancelled(instance)) {
        let version = Revision::of(instance);
        let known = version.stamp.is_none_or(|stamp| stamp <= spoken)
            && sequence(answer).is_none_or(|about| about >= version.sequence);
        let line = attendee(instance, &replier).filter(|_| known);
        let recorded = line.and_then(|line| utc(line.param(REPLY_DTSTAMP)?));
        let is_meant = line.is_some_and(|line| meant(key, instance, line));
        if !is_meant || recorded.is_some_and(|at| at > spoken) {
            continue;
        }
        for line in attendees_mut(instance, &replier) {
            line.set_param("PARTSTAT", partstat.as_str());
            line.remove_param("RSVP");
        }
    }
}

fn not_answering() -> RequestStatus {
    RequestStatus::NO_AUTHORITY.with_text("the reply has no ATTENDEE line of its Originator")
}

/// The component that an answer is about, and where it goes.
struct Target {
    key: Option<InstanceKey>,
    component: Component,
}

fn target(
    object: &Object,
    answer: &Component,
    search: &mut Search,
) -> Result<Target, RequestStatus> {
    let Some(id) = answer.get("RECURRENCE-ID") else {
        let component = object.master.clone();
        let component = component.ok_or_else(|| unknown("the organizer holds single instances"))?;
        return Ok(Target {
            key: None,
            component,
        });
    };
    let key = object.key(id);
    let known = object.instances.get(&key).cloned();
    let implied = || {
        let mut implied = object.implied(id).filter(|_| search.has(id))?;
        if Range::of(answer) == Range::ThisAndFuture
            && let Some(id) = implied.get_mut("RECURRENCE-ID")
        {
            id.set_param("RANGE", "THISANDFUTURE");
        }
        Some(implied)
    };
    let component = known.or_else(implied);
    let component = component.ok_or_else(|| unknown("there is no such instance"))?;
    Ok(Target {
        key: Some(key),
        component,
    })
}

fn unknown(text: &str) -> RequestStatus {
    RequestStatus::INVALID_CALENDAR_SERVICE.with_text(text)
}

/// The target with the replier on its list, if it may be there, and whether it is new there.
fn target_for(
    mut target: Target,
    replier: &CalendarAddress,
    uninvited: Uninvited,
    stored: &Object,
) -> Result<(Target, bool), RequestStatus> {
    if attendee(&target.component, replier).is_some() {
        return Ok((target, false));
    }
    // Invited to the series or to one instance of it is invited.
    let elsewhere = stored
        .components()
        .any(|component| attendee(component, replier).is_some());
    // RFC 5546 §4.2.5: the delegator's answer has named its delegate.
    let named = target
        .component
        .all("ATTENDEE")
        .any(|line| delegates_to(line, replier));
    if !elsewhere && !named && uninvited == Uninvited::Refused {
        return Err(RequestStatus::NO_AUTHORITY.with_text("the attendee was not invited"));
    }
    target
        .component
        .push(Property::new("ATTENDEE", replier.as_str()));
    Ok((target, !elsewhere && !named))
}

impl Target {
    /// The target, unless a later answer of the same attendee is recorded, or the answer is to an older version
    /// (RFC 5546 §2.1.5).
    fn newer_than_recorded(
        self,
        answer: &Component,
        replier: &CalendarAddress,
    ) -> Option<(Option<InstanceKey>, Component)> {
        let about = Revision::of(&self.component);
        if sequence(answer).is_some_and(|sequence| sequence < about.sequence) {
            return None;
        }
        let line = attendee(&self.component, replier)?;
        let recorded = Revision {
            sequence: line
                .param(REPLY_SEQUENCE)
                .and_then(|it| it.parse().ok())
                .unwrap_or(0),
            stamp: line.param(REPLY_DTSTAMP).and_then(utc),
        };
        let fresh = version_answered(answer, &self.component) >= recorded;
        fresh.then_some((self.key, self.component))
    }
}
