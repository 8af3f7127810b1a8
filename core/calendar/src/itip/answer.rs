//! REPLY: what an attendee's answer does to the organizer's copy (RFC 5546 §3.2.3, §3.4.3).

use super::delegation::{declined_for, delegate, delegates_to, reopen};
use super::instance::{InstanceKey, Range};
use super::object::Object;
use super::own::{COMMENT_FROM, REPLY_DTSTAMP, REPLY_PERCENT, REPLY_SEQUENCE};
use super::people::{PartStat, address_of, attendee, attendee_mut, is_attendee};
use super::request::is_cancelled;
use super::revision::{Revision, basic, sequence};
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
        spread(object, key.as_ref(), answer, line, &self.named);
        match key {
            Some(key) => {
                object.instances.insert(key, target);
            }
            None => object.master = Some(target),
        }
        Ok(())
    }
}

/// An answer to the whole, or to an instance and all after it, is also one to the instances written out that it is not
/// silent about by its age: it stands where nothing was answered for the instance itself, or not since.
fn spread(
    object: &mut Object,
    from: Option<&InstanceKey>,
    answer: &Component,
    said: &Property,
    named: &HashSet<InstanceKey>,
) {
    let answer_to_whole = from.is_none();
    let (Some(replier), Some(spoken)) = (address_of(said), answer.value("DTSTAMP").and_then(utc))
    else {
        return;
    };
    let partstat = PartStat::of(said);
    let is_answer = matches!(
        partstat,
        PartStat::Accepted | PartStat::Declined | PartStat::Tentative
    );
    if !is_answer || (!answer_to_whole && Range::of(answer) == Range::This) {
        return;
    }
    for (key, instance) in &mut object.instances {
        let later = from.is_none_or(|from| key > from);
        if !later || named.contains(key) || is_cancelled(instance) {
            continue;
        }
        let version = Revision::of(instance);
        let known = version.stamp.is_none_or(|stamp| stamp <= spoken)
            && sequence(answer).is_none_or(|about| about >= version.sequence);
        let Some(line) = attendee_mut(instance, &replier).filter(|_| known) else {
            continue;
        };
        let recorded = line.param(REPLY_DTSTAMP).and_then(utc);
        let open = PartStat::of(line) == PartStat::NeedsAction;
        if open || (!answer_to_whole && recorded.is_none_or(|at| at <= spoken)) {
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

/// The version that an answer is about: none that is still to come, whatever it says. Else it would keep later answers
/// of the same attendee from counting.
fn version_answered(answer: &Component, about: &Component) -> Revision {
    let said = Revision::against(answer, about);
    Revision {
        sequence: said.sequence.min(Revision::of(about).sequence),
        ..said
    }
}

/// The attendee's line as it stands after the answer.
fn record(target: &mut Component, answer: &Component, said: &Property) {
    let revision = version_answered(answer, target);
    let Some(address) = address_of(said) else {
        return;
    };
    let Some(line) = attendee_mut(target, &address) else {
        return;
    };
    line.set_param("PARTSTAT", PartStat::of(said).as_str());
    if PartStat::of(said) != PartStat::NeedsAction {
        line.remove_param("RSVP"); // it has been answered
    }
    // RFC 5546 §3.2.2.3: a delegator may go on hearing of it. Else the ROLE is the organizer's.
    if PartStat::of(said) == PartStat::Delegated
        && let Some(role) = said
            .param("ROLE")
            .filter(|it| it.eq_ignore_ascii_case("NON-PARTICIPANT"))
    {
        line.set_param("ROLE", role);
    }
    // The attendee says who it is and who acts for it.
    for name in ["DELEGATED-TO", "DELEGATED-FROM", "SENT-BY", "MEMBER"] {
        line.remove_param(name);
        let told = said
            .params
            .iter()
            .find(|param| param.name.eq_ignore_ascii_case(name));
        line.params.extend(told.cloned());
    }
    for name in ["CN", "CUTYPE"] {
        if let (None, Some(value)) = (line.param(name), said.param(name)) {
            line.set_param(name, value);
        }
    }
    line.set_param(REPLY_SEQUENCE, revision.sequence.to_string());
    if let Some(stamp) = revision.stamp {
        line.set_param(REPLY_DTSTAMP, basic(stamp));
    }
    line.set_param("SCHEDULE-STATUS", delivery_status(answer));
}

/// RFC 6638 §4.2: the codes of the reply's REQUEST-STATUS, or 2.0.
fn delivery_status(answer: &Component) -> String {
    let codes: Vec<String> = answer
        .all("REQUEST-STATUS")
        .filter_map(|line| line.value.parse::<RequestStatus>().ok())
        .map(|status| status.code())
        .collect();
    if codes.is_empty() {
        RequestStatus::SUCCESS.code()
    } else {
        codes.join(",")
    }
}

/// How far a to-do is. Where one attendee does it, that is how far it is; where several share it, each one's part is
/// noted on its line, and the organizer tells the whole (RFC 5546 §4.5.6).
fn progress(target: &mut Component, answer: &Component, replier: &CalendarAddress) {
    const TOLD: [&str; 3] = ["PERCENT-COMPLETE", "COMPLETED", "STATUS"];
    if !target.is("VTODO") {
        return;
    }
    let organizer = target.get("ORGANIZER").and_then(address_of);
    let others = target.all("ATTENDEE").any(|line| {
        let is = |address: &CalendarAddress| is_attendee(line, address);
        !is(replier) && !organizer.as_ref().is_some_and(is)
    });
    if others {
        if let (Some(percent), Some(line)) = (
            answer.value("PERCENT-COMPLETE"),
            attendee_mut(target, replier),
        ) {
            line.set_param(REPLY_PERCENT, percent);
        }
        return;
    }
    for name in TOLD {
        // An attendee does not cancel.
        let told = answer
            .get(name)
            .filter(|it| !it.value.eq_ignore_ascii_case("CANCELLED"));
        if let Some(told) = told {
            target.set(told.clone());
        }
    }
    let said = attendee(target, replier).map(PartStat::of);
    let status = match said {
        Some(PartStat::Completed) => "COMPLETED",
        Some(PartStat::InProcess) => "IN-PROCESS",
        _ => return,
    };
    if answer.get("STATUS").is_none() {
        target.set(Property::new("STATUS", status));
    }
}

/// What the attendee has to say, in the place of what it said before.
fn comment(target: &mut Component, answer: &Component, replier: &CalendarAddress) {
    let is_theirs =
        |line: &Property| line.is("COMMENT") && line.param(COMMENT_FROM) == Some(replier.as_str());
    target.properties.retain(|line| !is_theirs(line));
    for said in answer.all("COMMENT") {
        let mut said = said.clone();
        said.set_param(COMMENT_FROM, replier.as_str());
        target.push(said);
    }
}
