//! The properties of an object that belong to the calendar user whose copy it is. [`redact`](super::redact) decides which of
//! them never leave the host.

use super::answer_line::keep_delegations;
use super::participants::{
    Owner, PartStat, address_of, attendees_by_address, delegates_in_vain, person,
};
use super::redact::{MANAGED_ID, is_extension, is_shared, redact, restore};
use super::request::is_cancelled;
use super::revision::{Revision, basic, has_unknown_revision, sequence};
use super::schedule::{Schedule, left_out};
use crate::instance::InstanceKey;
use crate::message::Method;
use crate::stamp::utc;
use crate::tree::{Component, Property};
use crate::zone::Zones;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Ordering;
use std::collections::HashSet;

/// In which role the owner of a copy takes in a component.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role<'a> {
    /// The organizer's message arrives at one who is invited.
    Attendee(&'a Owner<'a>),
    /// The organizer keeps what it just sent.
    Organizer,
}

/// Properties that everybody sets for themselves: does it block my time, how do I file and paint it.
const PERSONAL: [&str; 3] = ["TRANSP", "CATEGORIES", "COLOR"];

/// The same in `X-` properties of calendar programs: travel time, snoozed alarms, how it shows, notes to oneself.
const PERSONAL_X: [&str; 9] = [
    "X-APPLE-TRAVEL-DURATION",
    "X-APPLE-TRAVEL-RETURN-DURATION",
    "X-APPLE-TRAVEL-START",
    "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR",
    "X-MOZ-LASTACK",
    "X-MOZ-SNOOZE-TIME",
    "X-MICROSOFT-CDO-BUSYSTATUS",
    "X-MICROSOFT-CDO-INTENDEDSTATUS",
    "X-CALENDARSERVER-PRIVATE-COMMENT",
];

/// How far I am with a to-do (RFC 6638 §3.2.2.1).
pub(super) const PROGRESS: [&str; 3] = ["STATUS", "PERCENT-COMPLETE", "COMPLETED"];

/// Parameters about transport that belong to one server's copy (RFC 6638 §7); none goes into a message.
const SCHEDULING: [&str; 3] = ["SCHEDULE-AGENT", "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND"];

/// The SEQUENCE of an attendee's last reply, kept on its line (RFC 5546 §2.1.5: organizers persist it).
pub(super) const REPLY_SEQUENCE: &str = "X-CONVOKE-REPLY-SEQUENCE";
/// The DTSTAMP of an attendee's last reply.
pub(super) const REPLY_DTSTAMP: &str = "X-CONVOKE-REPLY-DTSTAMP";
/// How far an attendee says it is with a to-do that several share.
pub(super) const REPLY_PERCENT: &str = "X-CONVOKE-PERCENT-COMPLETE";
/// Whose COMMENT it is.
pub const COMMENT_FROM: &str = "X-CONVOKE-FROM";

/// That an attendee came on the list by its own answer, and the organizer has not said anything of it yet: until it edits
/// the meeting, nothing of it is sent there.
pub(super) const UNINVITED: &str = "X-CONVOKE-UNINVITED";

/// From which SEQUENCE on answers of an attendee count, where the meeting has counted on since without asking anew.
pub(super) const ASKED_SEQUENCE: &str = "X-CONVOKE-ASKED-SEQUENCE";

/// That an attendee has taken its answer back, and the organizer has not shown yet that it knows: until then what it says of
/// the answer is what it was.
pub(super) const TAKEN_BACK: &str = "X-CONVOKE-TAKEN-BACK";

/// The same, where the organizer has shown an answer since: if it shows none afterwards, it knows. Before that, it may not even have
/// heard that there was one.
const SHOWN: &str = "SHOWN";

/// That an attendee has answered a version of which nobody knows which it is (see [`UNKNOWN_REVISION`]): its organizer may take
/// that for an answer to another one.
pub(super) const UNSURE: &str = "X-CONVOKE-UNSURE";

/// In an instance that the organizer's copy has written out: that the attendee has not been told of it by itself, so that to
/// them it is as its series, and so are their answers. With a time (a DTSTAMP), those until then; with [`PERHAPS`], nobody knows.
pub(super) const UNTOLD: &str = "X-CONVOKE-UNTOLD";

/// What was remembered is lost: the attendee may have been told of the instance by itself.
const PERHAPS: &str = "PERHAPS";

/// On an EXDATE of an attendee's remembered object: that the attendee has left the instances out, and not the organizer.
pub(super) const LEFT_OUT: &str = "X-CONVOKE-LEFT-OUT";

/// On DTSTAMP of an attendee's remembered object: which revision of the organizer's it is was never seen, or is forgotten. On
/// SEQUENCE of an organizer's: whether anybody was told of it is.
pub(super) const UNKNOWN_REVISION: &str = "X-CONVOKE-UNKNOWN-REVISION";

const RECORDS: [&str; 3] = [REPLY_SEQUENCE, REPLY_DTSTAMP, REPLY_PERCENT];

/// Whether an attendee came uninvited and the organizer has not edited the meeting since.
pub(super) fn is_uninvited(line: &Property) -> bool {
    line.param(UNINVITED).is_some()
}

/// Whether an attendee has taken its answer back, and the organizer may not know yet.
pub(super) fn is_taken_back(line: &Property) -> bool {
    is_open(line) && line.param(TAKEN_BACK).is_some()
}

fn is_open(line: &Property) -> bool {
    PartStat::of(line) == PartStat::NeedsAction
}

/// Notes on a line of an attendee's own whether its answer is taken back, beside what it said before.
pub(super) fn note_taken_back(line: &mut Property, before: Option<&Property>) {
    if !is_open(line) {
        line.remove_param(TAKEN_BACK);
    } else if before.is_some_and(|it| !is_open(it)) {
        line.set_param(TAKEN_BACK, "TRUE");
    } else if let Some(known) = before.and_then(|it| it.param(TAKEN_BACK)) {
        line.set_param(TAKEN_BACK, known);
    }
}

/// Whether the organizer has shown an answer since it was taken back.
fn is_shown(line: &Property) -> bool {
    line.param(TAKEN_BACK) == Some(SHOWN)
}

/// Notes that the organizer's copy says otherwise since than an attendee has answered: the same answer may come again, as mails and
/// messages do of which nobody knows whether they arrived, and counts no more.
pub(super) fn note_overruled(line: &mut Property) {
    let answered = line.param(REPLY_DTSTAMP).and_then(utc);
    let after = answered.and_then(|it| it.checked_add(SignedDuration::from_secs(1)).ok());
    if let Some(after) = after {
        line.set_param(REPLY_DTSTAMP, basic(after));
    }
}

/// Notes on a line of an attendee's own that is answered to which version nobody knows.
pub(super) fn note_unsure(line: &mut Property) {
    if !is_open(line) {
        line.set_param(UNSURE, "TRUE");
    }
}

/// Whether a line of an attendee's own is answered to which version nobody knows.
pub(super) fn is_unsure(line: &Property) -> bool {
    line.param(UNSURE).is_some()
}

/// Takes out of a component what is of one copy only: parameters about transport, what we noted on it, and what a calendar
/// server calls an attachment that it keeps.
pub(super) fn strip_local(component: &mut Component) {
    component
        .properties
        .retain(|line| !line.is("COMMENT") || line.param(COMMENT_FROM).is_none());
    for line in &mut component.properties {
        if line.is("ATTENDEE") || line.is("ORGANIZER") {
            let notes = [&UNINVITED, &ASKED_SEQUENCE, &TAKEN_BACK, &UNSURE, &UNTOLD];
            for name in SCHEDULING.iter().chain(&RECORDS).chain(notes) {
                line.remove_param(name);
            }
        } else if line.is("ATTACH") {
            line.remove_param(MANAGED_ID);
        }
    }
}

/// Takes out of a component how its owner files and does it: for a message to somebody who is to make up its own mind.
pub(super) fn strip_personal(component: &mut Component) {
    let is_progress = |line: &Property| {
        let named = PROGRESS.iter().any(|name| line.is(name));
        named && !line.value.eq_ignore_ascii_case("CANCELLED")
    };
    let is_todo = component.is("VTODO");
    component.properties.retain(|line| {
        let personal = PERSONAL.iter().any(|name| line.is(name));
        !(personal || (is_todo && is_progress(line)))
    });
}

/// A component of a message as the owner keeps it: the organizer's wins, the owner's own stays as it was in `before`.
pub(super) fn blend(
    incoming: &Component,
    before: Option<&Component>,
    role: Role,
    zones: &Zones,
) -> Component {
    let mut component = incoming.clone();
    component.remove("REQUEST-STATUS");
    strip_local(&mut component);
    if let Some(before) = before {
        keep_personal(before, &mut component, role);
        if !is_other_work(before, incoming, zones) {
            keep_progress(before, &mut component, role);
        }
        keep_transport(before, &mut component);
        match role {
            Role::Attendee(owner) => {
                keep_answer(owner, before, incoming, &mut component, zones);
                keep_left_out(owner, before, incoming, &mut component, zones);
            }
            Role::Organizer => {
                restore(before, &mut component);
                keep_answers(before, incoming, &mut component, zones);
            }
        }
    }
    component
}

/// Copies what is personal from one version of a component to the next.
pub(super) fn keep_personal(before: &Component, component: &mut Component, role: Role) {
    for name in PERSONAL.iter().chain(&PERSONAL_X) {
        keep(name, before, component, role);
    }
    // What programs keep for themselves, in properties and in components of their own. There may be as many as the message
    // is long: each is looked up, not looked for.
    let known: HashSet<String> = component
        .properties
        .iter()
        .filter(|line| is_extension(&line.name))
        .map(|line| line.name.to_ascii_uppercase())
        .collect();
    let unknown = before.properties.iter().filter(|line| {
        is_extension(&line.name)
            && !is_shared(&line.name)
            && !known.contains(&line.name.to_ascii_uppercase())
    });
    let unknown: Vec<Property> = unknown.cloned().collect();
    component.properties.extend(unknown);
    let known: HashSet<String> = component
        .components
        .iter()
        .map(|inner| inner.name.to_ascii_uppercase())
        .collect();
    let inner = before.components.iter().filter(|inner| {
        is_extension(&inner.name) && !known.contains(&inner.name.to_ascii_uppercase())
    });
    let inner: Vec<Component> = inner.cloned().collect();
    component.components.extend(inner);
    let has_alarms = component.components.iter().any(|inner| inner.is("VALARM"));
    if matches!(role, Role::Attendee(_)) || !has_alarms {
        component.components.retain(|inner| !inner.is("VALARM"));
        let alarms = before.components.iter().filter(|inner| inner.is("VALARM"));
        component.components.extend(alarms.cloned());
    }
}

/// How far its owner is with a to-do; it holds as long as it is the same to-do, at the same time.
pub(super) fn keep_progress(before: &Component, component: &mut Component, role: Role) {
    // Cancelled it is by the organizer, not by the owner.
    if before.is("VTODO") && !is_cancelled(before) && !is_cancelled(component) {
        for name in PROGRESS {
            keep(name, before, component, role);
        }
    }
}

fn keep(name: &str, before: &Component, component: &mut Component, role: Role) {
    // The organizer's own message holds the organizer's own wishes; an attendee's stay over it.
    let replace = match role {
        Role::Attendee(_) => before.get(name).is_some(),
        Role::Organizer => component.get(name).is_none(),
    };
    if replace {
        component.remove(name);
        component.properties.extend(before.all(name).cloned());
    }
}

/// SCHEDULE-AGENT and SCHEDULE-STATUS are the copy's own (RFC 6638 §7).
fn keep_transport(before: &Component, component: &mut Component) {
    let known = attendees_by_address(before);
    for line in &mut component.properties {
        let old = if line.is("ATTENDEE") {
            known.get(&person(line)).copied()
        } else if line.is("ORGANIZER") {
            before
                .get("ORGANIZER")
                .filter(|old| person(old) == person(line))
        } else {
            None
        };
        let Some(old) = old else { continue };
        for name in ["SCHEDULE-AGENT", "SCHEDULE-STATUS"] {
            if let Some(value) = old.param(name) {
                line.set_param(name, value);
            }
        }
    }
}

/// The instances that the owner has left out stay so, while the series is at the same times, was not off meanwhile, and is not
/// asked about anew: what lies between the two versions, which the owner may not have seen, has taken all answers back.
fn keep_left_out(
    owner: &Owner,
    before: &Component,
    incoming: &Component,
    component: &mut Component,
    zones: &Zones,
) {
    let own = before
        .all("EXDATE")
        .filter(|line| line.param(LEFT_OUT).is_some());
    let own: Vec<Property> = own.cloned().collect();
    let is_on_again = is_cancelled(before) && !is_cancelled(component);
    let mut lines = owner.attendees(incoming);
    let is_asked_anew = is_counted_up(before, incoming) && lines.any(asks);
    if !own.is_empty()
        && !is_on_again
        && !is_asked_anew
        && !is_rescheduled(before, component, zones)
    {
        let known = left_out(component, zones);
        let is_new = |line: &Property| !known.contains(&InstanceKey::of_property(line, zones));
        component.properties.extend(own.into_iter().filter(is_new));
    }
}

/// The owner's own answers, at each of its addresses: they stand until the organizer asks anew.
fn keep_answer(
    owner: &Owner,
    before: &Component,
    incoming: &Component,
    component: &mut Component,
    zones: &Zones,
) {
    let known = owner.all_lines(before);
    for line in &mut component.properties {
        if known.is_empty() || !(line.is("ATTENDEE") && owner.is(line)) {
            continue;
        }
        let name = person(line);
        let Some(old) = known.iter().find(|old| person(old) == name) else {
            continue; // invited at one more address
        };
        if asks_anew(old, line, before, incoming, zones) {
            continue;
        }
        let shows_answer = !is_open(line);
        for name in ["PARTSTAT", "DELEGATED-TO", TAKEN_BACK] {
            line.remove_param(name);
            let answer = old.params.iter();
            let answer = answer.filter(|param| param.name.eq_ignore_ascii_case(name));
            line.params.extend(answer.cloned());
        }
        if shows_answer && is_taken_back(line) {
            line.set_param(TAKEN_BACK, SHOWN);
        }
    }
}

/// Whether what the organizer says about the owner's answer counts more than the answer that the owner has given.
fn asks_anew(
    old: &Property,
    line: &Property,
    before: &Component,
    incoming: &Component,
    zones: &Zones,
) -> bool {
    if is_open(old) && !is_taken_back(old) {
        return true; // nothing was answered here; the organizer may know of an answer by other means
    }
    // Who shows no answer, and has shown none that was taken back, may not have heard of either.
    if is_open(old) && is_open(line) && is_shown(old) {
        return true;
    }
    // Who has sent somebody is asked nothing by another time. Who has taken that back meanwhile has answered since.
    let has_sent = PartStat::of(line) == PartStat::Delegated;
    let is_moved = || !has_sent && is_moved(before, incoming, zones);
    match Revision::of(incoming).cmp(&Revision::of(before)) {
        Ordering::Less => return false,
        Ordering::Equal => return is_moved(),
        Ordering::Greater => {}
    }
    // RFC 5546 §3.2.2.1: rescheduled, or called off and taking place again.
    is_moved()
        || (!has_sent && is_cancelled(before) && !is_cancelled(incoming))
        // RFC 5546 §2.1.4: a greater SEQUENCE tells that answers may not hold any more. Another answer than the owner's is
        // one that the organizer had before.
        || (is_counted_up(before, incoming) && asks(line))
        // RFC 5546 §4.2.7: the delegate declined.
        || (PartStat::of(line) != PartStat::Delegated && delegates_in_vain(old, incoming))
}

/// Whether a version has a greater SEQUENCE. What the owner's program says of a version that is not known counts for nothing.
fn is_counted_up(before: &Component, incoming: &Component) -> bool {
    Revision::of(incoming).sequence > Revision::stated(before).sequence
        && (!has_unknown_revision(before) || sequence(before).is_some())
}

/// Whether an organizer's line says that it has no answer.
fn asks(line: &Property) -> bool {
    line.param("PARTSTAT").is_some() && is_open(line)
}

/// Whether a version that is not older is at other times: what was answered was about the old ones.
fn is_moved(before: &Component, incoming: &Component, zones: &Zones) -> bool {
    let [known, told] = [before, incoming].map(Revision::of);
    let [was, is] = [before, incoming].map(|it| Schedule::of(it, zones));
    // Peers that neither count nor look at the clock (twice in a second) reschedule all the same. What only went away did
    // not move (RFC 5546 §4.5.3).
    told >= known && ((told.sequence > known.sequence && was != is) || was.is_moved_in(&is))
}

/// Whether a version of a to-do that is not older is at other times, so that what was done was for the old ones.
///
/// What only comes (a DUE where there was none) gives more time for the same work: the example of RFC 5546 §4.5.6. What
/// goes with a new SEQUENCE does not.
fn is_other_work(before: &Component, incoming: &Component, zones: &Zones) -> bool {
    if !before.is("VTODO") {
        return false;
    }
    let [known, told] = [before, incoming].map(Revision::of);
    let [was, is] = [before, incoming].map(|it| Schedule::of(it, zones));
    let is_less = was.recurs() != is.recurs() || was.is_lost_in(&is);
    let counted_up = told.sequence > known.sequence;
    told >= known && ((counted_up && is_less) || was.is_moved_in(&is))
}

/// Whether a later version of a component is at other times.
pub(super) fn is_rescheduled(before: &Component, after: &Component, zones: &Zones) -> bool {
    Schedule::of(before, zones) != Schedule::of(after, zones)
}

/// What attendees have answered, in the organizer's copy: it stands unless the organizer says otherwise.
fn keep_answers(
    before: &Component,
    incoming: &Component,
    component: &mut Component,
    zones: &Zones,
) {
    let asks_anew =
        Revision::of(incoming) > Revision::of(before) && is_rescheduled(before, incoming, zones);
    if !asks_anew {
        keep_delegations(before, component, is_open);
    }
    let known = attendees_by_address(before);
    let (was, is) = (Revision::of(before), Revision::of(incoming));
    for line in component
        .properties
        .iter_mut()
        .filter(|line| line.is("ATTENDEE"))
    {
        let Some(old) = known.get(&person(line)) else {
            continue;
        };
        if !asks_anew {
            note_asked(line, asked(old, was), is);
        }
        // Even then an answer to the old version must be told from one to the new. How far somebody was with a to-do is
        // no such thing.
        let records = RECORDS.iter();
        for name in records.filter(|name| !asks_anew || **name != REPLY_PERCENT) {
            if let Some(value) = old.param(name) {
                line.set_param(name, value);
            }
        }
        let silent = !asks_anew && PartStat::of(line) == PartStat::NeedsAction;
        if let Some(value) = old.param("PARTSTAT").filter(|_| silent) {
            line.set_param("PARTSTAT", value);
        }
        if PartStat::of(line) != PartStat::of(old) {
            note_overruled(line);
        }
    }
    let comments = before
        .all("COMMENT")
        .filter(|line| line.param(COMMENT_FROM).is_some());
    component.properties.extend(comments.cloned());
}

/// Whether an answer to the series, given at that time, was one to an instance too, of which its attendee did not know.
pub(super) fn did_not_know(line: &Property, answered: Option<Timestamp>) -> bool {
    let until = |told: &str| utc(told).is_none_or(|told| answered.is_some_and(|at| at <= told));
    line.param(UNTOLD).is_some_and(until)
}

/// Notes that nobody knows whether an attendee was told of an instance by itself.
pub(super) fn note_perhaps_told(line: &mut Property) {
    line.set_param(UNTOLD, PERHAPS);
}

/// Whether nobody knows whether an attendee was told of an instance by itself.
pub(super) fn is_perhaps_told(line: &Property) -> bool {
    line.param(UNTOLD) == Some(PERHAPS)
}

/// Whether an attendee was told of an instance by itself, or may have been.
pub(super) fn is_told(line: &Property) -> bool {
    let told = |until: &str| until == PERHAPS || utc(until).is_some();
    line.param(UNTOLD).is_none_or(told)
}

/// From which SEQUENCE on answers by a line of a component of that version count.
pub(super) fn asked(line: &Property, version: Revision) -> u64 {
    let noted = line.param(ASKED_SEQUENCE).and_then(|it| it.parse().ok());
    noted.map_or(version.sequence, |asked: u64| asked.min(version.sequence))
}

/// Notes that who was asked at an earlier SEQUENCE is not asked anew by a later version.
pub(super) fn note_asked(line: &mut Property, asked: u64, version: Revision) {
    if asked < version.sequence {
        line.set_param(ASKED_SEQUENCE, asked.to_string());
    } else {
        line.remove_param(ASKED_SEQUENCE);
    }
}

/// Whether an instance differs from what its series implies only in what is the owner's own (and in answers): then
/// it does not say that the organizer changed that instance.
pub(super) fn is_only_own(instance: &Component, implied: &Component, role: Role) -> bool {
    super::object::same_component(&bare(instance, role), &bare(implied, role))
}

fn bare(component: &Component, role: Role) -> Component {
    const BOOKKEEPING: [&str; 5] = [
        "SEQUENCE",
        "DTSTAMP",
        "CREATED",
        "LAST-MODIFIED",
        "REQUEST-STATUS",
    ];
    let mut bare = component.clone();
    redact(&mut bare, Method::Request);
    let is_todo = component.is("VTODO");
    bare.properties.retain(|line| {
        let named = |names: &[&str]| names.iter().any(|name| line.is(name));
        !(named(&PERSONAL)
            || named(&BOOKKEEPING)
            || (is_todo && named(&PROGRESS))
            || (is_extension(&line.name) && named(&PERSONAL_X))
            || matches!(role, Role::Attendee(owner) if line.is("ATTENDEE") && owner.is(line)))
    });
    for line in &mut bare.properties {
        if line.is("ATTENDEE") {
            for name in ["PARTSTAT", "RSVP", "DELEGATED-TO"] {
                line.remove_param(name);
            }
        }
        if let Some(address) =
            address_of(line).filter(|_| line.is("ATTENDEE") || line.is("ORGANIZER"))
        {
            line.value = address.as_str().to_ascii_lowercase();
        }
    }
    bare
}
