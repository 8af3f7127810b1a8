//! REPLY: what an attendee's answer does to the organizer's copy (RFC 5546 §3.2.3, §3.4.3).
//!
//! An answer without RECURRENCE-ID is about the series. Instances that are written out have answers of their own: an
//! attendee who means them too names them, or shows by the rule in its answer that it knows of no exception there, and
//! then the open ones are answered. Those of which only the organizer knows that they are written out go with the series.

use super::answer_line::put_answer;
use super::delegation::{self, delegate, delegated_in_vain, delegates_to, reopen};
use super::doubtful::may_answer_older;
use super::edit::count_up;
use super::instance::{Range, recurs};
use super::object::Object;
use super::participants::{Owner, PartStat, address_of, attendee, attendees_mut, is_attendee};
use super::personal::{
    REPLY_DTSTAMP, REPLY_SEQUENCE, UNINVITED, UNTOLD, asked, did_not_know, is_perhaps_told,
    is_uninvited,
};
use super::reply_record::{comment, progress, record, version_answered};
use super::request::is_cancelled;
use super::revision::{Revision, forget_told, has_unknown_told, sequence};
use super::series::Search;
use crate::instance::InstanceKey;
use crate::tree::{Component, Property};
use crate::{message::Message, stamp::utc};
use convoke_types::{CalendarAddress, RequestStatus};
use std::collections::HashSet;

/// What somebody who answers is to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The organizer has it on the list, or somebody who is on it has named it as its delegate.
    Invited,
    /// It is on the list because it said so itself.
    Uninvited,
}

impl Standing {
    /// What `replier` is; `None` if the object knows nothing of it.
    pub(super) fn of(object: &Object, replier: &CalendarAddress) -> Option<Self> {
        let lines = || object.components().flat_map(|it| it.all("ATTENDEE"));
        let mut own = lines().filter(|line| is_attendee(line, replier)).peekable();
        let is_known = own.peek().is_some();
        // Invited to the series or to one instance of it is invited. RFC 5546 §4.2.5: the delegator's answer has named
        // its delegate.
        if own.any(|line| !is_uninvited(line)) || lines().any(|line| delegates_to(line, replier)) {
            return Some(Self::Invited);
        }
        is_known.then_some(Self::Uninvited)
    }
}

/// The organizer's copy with an answer recorded.
#[derive(Debug)]
pub(super) struct Answered<'c> {
    pub object: Object<'c>,
    /// Who gets the latest version: who delegated to one that declined is asked again (RFC 5546 §4.2.5), who was delegated
    /// to is invited (§3.2.2.3), and whose answer crossed a version that does not know of it sees that it has come.
    pub tell: Vec<CalendarAddress>,
}

impl Answered<'_> {
    fn tell(&mut self, others: impl IntoIterator<Item = CalendarAddress>) {
        for who in others {
            if !self.tell.iter().any(|told| told.same_user(&who)) {
                self.tell.push(who);
            }
        }
    }
}

/// Records the answer of `replier`: as much of it as is about something that there is, unless that is nothing.
pub(super) fn apply_reply<'c>(
    stored: &Object<'c>,
    message: &Message,
    replier: &CalendarAddress,
    standing: Standing,
    owner: &Owner,
) -> Result<Answered<'c>, RequestStatus> {
    delegation::check(stored, message, replier, owner)?;
    let mut recording = Recording {
        stored,
        message,
        replier,
        standing,
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
    standing: Standing,
    search: Search<'s, 'c>,
    /// The instances that the message answers for by themselves.
    named: HashSet<InstanceKey>,
    answered: Answered<'c>,
}

impl Recording<'_, '_> {
    fn take(&mut self, answer: &Component) -> Result<(), RequestStatus> {
        let replier = self.replier;
        // Whatever the message calls who answers: it is the Originator, whose line the organizer's list names.
        let mut line = attendee(answer, replier).ok_or_else(not_answering)?.clone();
        replier.as_str().clone_into(&mut line.value);
        let line = &line;
        let target = target(&self.answered.object, answer, &mut self.search)?;
        if self.standing == Standing::Uninvited && PartStat::of(line) == PartStat::Delegated {
            return Err(RequestStatus::NO_AUTHORITY.with_text("who was not invited sends nobody"));
        }
        let mut target = target.listing(replier, self.standing)?;
        if self.standing == Standing::Invited {
            learn_sequence(&mut target.component, answer);
        }
        if may_answer_older(answer, &target.component) {
            self.answered.tell([replier.clone()]);
            return Ok(());
        }
        let Some((key, mut target)) = target.newer_than_recorded(answer, replier) else {
            return Ok(());
        };
        let mut crossed = has_crossed(answer, &target, replier);
        let mut tell = take_down(&mut target, answer, line, |it| record(it, answer, line));
        progress(&mut target, answer, replier);
        comment(&mut target, answer, replier);
        let object = &mut self.answered.object;
        let named = &self.named;
        if let Some(key) = key {
            if Range::of(answer) == Range::ThisAndFuture {
                tell.extend(apply_to_instances(object, answer, line, |later, _, _| {
                    *later > key && !named.contains(later)
                }));
            }
            object.instances.insert(key, target);
        } else {
            let said_at = answer.value("DTSTAMP").and_then(utc);
            // Those that the attendee does not know of by themselves.
            let is_follower = |key: &InstanceKey, it: &Component| {
                let line = attendee(it, replier).filter(|_| !named.contains(key));
                line.is_some_and(|line| {
                    let asked = asked(line, Revision::of(it));
                    let is_late = sequence(answer).is_some_and(|it| it < asked);
                    !is_late && did_not_know(line, said_at)
                })
            };
            for (key, instance) in &mut object.instances {
                if is_follower(key, instance) && !is_cancelled(instance) {
                    // Who may know it by itself sees how the answer counts.
                    crossed |= attendee(instance, replier).is_some_and(is_perhaps_told);
                    crossed |= has_crossed(answer, instance, replier);
                    tell.extend(follow(instance, answer, line, replier));
                }
            }
            object.master = Some(target);
            if recurs(answer) {
                let told = Object::from_message(self.message, &self.stored.zones);
                let mut told = told.as_ref().map(Search::of);
                tell.extend(apply_to_instances(
                    object,
                    answer,
                    line,
                    |key, instance, line| {
                        let is_open = PartStat::of(line) == PartStat::NeedsAction;
                        let id = instance.get("RECURRENCE-ID");
                        let id = id.filter(|_| is_open && !named.contains(key));
                        id.zip(told.as_mut()).is_some_and(|(id, told)| told.has(id))
                    },
                ));
            }
        }
        tell.extend(crossed.then(|| replier.clone()));
        self.answered.tell(tell);
        Ok(())
    }
}

/// Writes an answer into what it is about, and who comes or not by it. Returns who has to hear of that: the delegates that it brings
/// onto the list, and who is asked again because a delegate has declined.
fn take_down(
    target: &mut Component,
    answer: &Component,
    line: &Property,
    write: impl FnOnce(&mut Component),
) -> Vec<CalendarAddress> {
    // The delegate gets the role that the delegator has until now.
    let mut tell = delegate(target, answer, line);
    write(target);
    let delegator = delegated_in_vain(line, target);
    if let Some(delegator) = &delegator {
        reopen(target, delegator);
    }
    tell.extend(delegator);
    tell
}

/// What an answer to the series does to an instance of which its attendee knows nothing by itself.
fn follow(
    instance: &mut Component,
    answer: &Component,
    line: &Property,
    replier: &CalendarAddress,
) -> Vec<CalendarAddress> {
    let untold = attendee(instance, replier).and_then(|line| line.param(UNTOLD));
    let untold = untold.unwrap_or_default().to_owned();
    let tell = take_down(instance, answer, line, |it| record(it, answer, line));
    for line in attendees_mut(instance, replier) {
        line.set_param(UNTOLD, &untold);
    }
    tell
}

/// An answer that covers more than it names also goes to the lines of instances written out, as far as they are
/// `meant` and not newer than it.
fn apply_to_instances(
    object: &mut Object,
    answer: &Component,
    said: &Property,
    mut meant: impl FnMut(&InstanceKey, &Component, &Property) -> bool,
) -> Vec<CalendarAddress> {
    let mut tell = Vec::new();
    let (Some(replier), Some(spoken)) = (address_of(said), answer.value("DTSTAMP").and_then(utc))
    else {
        return tell;
    };
    let is_answer = PartStat::of(said).says_who_comes();
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
        tell.extend(take_down(instance, answer, said, |it| {
            for line in attendees_mut(it, &replier) {
                put_answer(line, said);
            }
        }));
    }
    tell
}

fn not_answering() -> RequestStatus {
    RequestStatus::NO_AUTHORITY.with_text("the reply has no ATTENDEE line of its Originator")
}

/// The component that an answer is about, and where it goes.
struct Target {
    key: Option<InstanceKey>,
    component: Component,
    /// Nothing is written out of this instance yet: what it says of answers is what the series says.
    is_implied: bool,
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
            is_implied: false,
        });
    };
    let key = object.key(id);
    let known = object.instances.get(&key).cloned();
    let implied = || {
        let mut implied = object.implied(id).filter(|_| search.has(id))?;
        for line in implied.properties.iter_mut().filter(|it| it.is("ATTENDEE")) {
            line.set_param(UNTOLD, "TRUE");
        }
        if Range::of(answer) == Range::ThisAndFuture
            && let Some(id) = implied.get_mut("RECURRENCE-ID")
        {
            id.set_param("RANGE", "THISANDFUTURE");
        }
        Some(implied)
    };
    let is_implied = known.is_none();
    let component = known.or_else(implied);
    let component = component.ok_or_else(|| unknown("there is no such instance"))?;
    Ok(Target {
        key: Some(key),
        component,
        is_implied,
    })
}

fn unknown(text: &str) -> RequestStatus {
    RequestStatus::INVALID_CALENDAR_SERVICE.with_text(text)
}

impl Target {
    /// The target with the replier on its list: as the delegate that somebody on it names, or as one who comes uninvited
    /// and is welcome. Who is invited to something else of the series is not by that invited to this.
    fn listing(
        mut self,
        replier: &CalendarAddress,
        standing: Standing,
    ) -> Result<Self, RequestStatus> {
        if attendee(&self.component, replier).is_some() {
            return Ok(self);
        }
        // Programs that write no list into an instance mean that of its series.
        let is_as_series = self.key.is_some() && self.component.get("ATTENDEE").is_none();
        let is_delegate = self
            .component
            .all("ATTENDEE")
            .any(|line| delegates_to(line, replier));
        let mut line = Property::new("ATTENDEE", replier.as_str());
        match standing {
            Standing::Uninvited => line.set_param(UNINVITED, "TRUE"),
            Standing::Invited if is_delegate || is_as_series => {}
            Standing::Invited => {
                let text = "the attendee is not invited to that part of the series";
                return Err(RequestStatus::NO_AUTHORITY.with_text(text));
            }
        }
        self.component.push(line);
        Ok(self)
    }

    /// The target, unless a later answer of the same attendee is recorded, or the answer is to an older version
    /// (RFC 5546 §2.1.5). A later answer to the series is none to an instance that was answered by itself.
    fn newer_than_recorded(
        self,
        answer: &Component,
        replier: &CalendarAddress,
    ) -> Option<(Option<InstanceKey>, Component)> {
        let line = attendee(&self.component, replier)?;
        let asked = asked(line, Revision::of(&self.component));
        if sequence(answer).is_some_and(|sequence| sequence < asked) {
            return None;
        }
        let is_fresh =
            self.is_implied || version_answered(answer, &self.component) >= recorded(line);
        is_fresh.then_some((self.key, self.component))
    }
}

/// Where nothing is remembered of what attendees were told, their answers say how far it was counted: what they are told next
/// has to exceed that.
fn learn_sequence(about: &mut Component, answer: &Component) {
    let known = about.clone();
    let was = Revision::of(&known);
    let is_credible = |it: &u64| (was.sequence + 1..=was.sequence + FURTHEST).contains(it);
    if has_unknown_told(about)
        && let Some(sequence) = sequence(answer).filter(is_credible)
    {
        count_up(&known, about, Revision { sequence, ..was });
        forget_told(about);
    }
}

/// How much further than what is known attendees are believed that a meeting was counted: who says more has not been told that.
const FURTHEST: u64 = 1_000;

/// The version of an attendee's last answer.
fn recorded(line: &Property) -> Revision {
    let sequence = line.param(REPLY_SEQUENCE).and_then(|it| it.parse().ok());
    Revision {
        sequence: sequence.unwrap_or(0),
        stamp: line.param(REPLY_DTSTAMP).and_then(utc),
    }
}

/// Whether an answer is about a version that its attendee has seen the next one of by now, and may have taken for a question.
fn has_crossed(answer: &Component, about: &Component, replier: &CalendarAddress) -> bool {
    let about_older = sequence(answer).is_some_and(|it| it < Revision::of(about).sequence)
        && !has_unknown_told(about);
    let line = attendee(about, replier).filter(|_| about_older);
    line.is_some_and(|line| version_answered(answer, about) > recorded(line))
}
