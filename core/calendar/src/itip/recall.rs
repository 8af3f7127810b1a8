//! Protocol state, remembered beside an object and not in it.
//!
//! A calendar program raises SEQUENCE at each save, rewrites DTSTAMP, and drops what it does not know. So none of that says
//! which version of a meeting its owner has received, or told others: whoever keeps the object remembers it as it was when it
//! was last received or told, and [`recall`] puts the state of that version onto the object as its owner has it now.
//!
//! | state | where it stands in what is remembered |
//! | --- | --- |
//! | the organizer's revision | SEQUENCE and DTSTAMP of each component |
//! | that an attendee's copy was found, and nobody has seen of which revision it is | a parameter of DTSTAMP |
//! | who organizes it | ORGANIZER |
//! | which answer of an attendee is the latest; what it says of progress; that nobody has invited it; that an attendee has taken its own back, or answered nobody knows which version | parameters of its ATTENDEE line |
//! | whose COMMENT it is | a parameter of that line |
//! | which instances an attendee has left out itself | a parameter of EXDATE |
//!
//! The parameters begin with `X-CONVOKE-`. They are for what is remembered only: [`forget`] takes them out of what is
//! written to a calendar that people see.

use super::exceptions::{exceptions, left_out, own_exceptions};
use super::object::{Object, retain_dates};
use super::participants::{Owner, PartStat, attendees_by_address, person};
use super::personal::{Role, is_only_own, note_asked, note_perhaps_told};
use super::revision::{Revision, forget_revision, forget_told};
use super::zone_alignment::beside;
use crate::instance::InstanceKey;
use crate::tree::{Calendar, Component, Param, Property};
use crate::zone::Zones;
use jiff::tz::TimeZone;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// How the names of the parameters begin in which protocol state is noted.
const NOTE: &str = "X-CONVOKE-";

/// The owner's stored object with the protocol state of `remembered`, the same object as it was last received or told.
///
/// Each component gets the revision (SEQUENCE, DTSTAMP) of the same one in `remembered`, and what is noted there of the
/// answers of its attendees; an instance that `remembered` does not have gets those of its series, and a component of
/// which it knows nothing keeps its own. Where there are still ATTENDEEs, the ORGANIZER is that of `remembered`, too.
/// Everything else is as it is stored. It costs time in proportion to the bytes of both.
///
/// ```
/// use convoke_calendar::{itip::recall, tree::{Calendar, Limits}};
///
/// let received = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\nSEQUENCE:1\nSUMMARY:Review\n\
///     END:VEVENT\nEND:VCALENDAR\n";
/// let saved = received.replace("SEQUENCE:1", "SEQUENCE:4").replace("Review", "Review (bring the figures)");
/// let read = |text: &str| Calendar::parse(text.as_bytes(), &Limits::default());
///
/// let recalled = recall(&read(&saved)?, &read(received)?);
/// assert_eq!(recalled, read(&saved.replace("SEQUENCE:4", "SEQUENCE:1"))?);
/// # Ok::<(), convoke_calendar::tree::ParseError>(())
/// ```
#[must_use]
pub fn recall(stored: &Calendar, remembered: &Calendar) -> Calendar {
    let mut recalled = stored.clone();
    let remembered = beside(stored, remembered);
    let zones = Zones::of_all([stored, &*remembered], TimeZone::UTC);
    let Some(known) = Object::of(&remembered, &Rc::new(zones)) else {
        return recalled;
    };
    let notes = Notes::of(&known);
    let kind = known.kind();
    let left_out = known
        .master
        .as_ref()
        .map(own_exceptions)
        .unwrap_or_default();
    let left_out: HashSet<InstanceKey> = left_out.iter().map(|date| known.key(date)).collect();
    let components = recalled.root_mut().components.iter_mut();
    for component in components.filter(|it| it.is(kind.as_str())) {
        drop_answers(component);
        let Some(version) = version_for(&known, component) else {
            continue;
        };
        take_revision(component, version);
        take_organizer(component, version);
        notes.put_on(component, version);
        if !left_out.is_empty() && component.get("RECURRENCE-ID").is_none() {
            mark_left_out(component, &left_out, &known);
        }
    }
    recalled
}

/// The owner's stored object where nothing is remembered of it: it was there before anybody looked, or what was remembered
/// is lost.
///
/// An attendee's copy says as little of its organizer's revision then as ever, so that none is known. The organizer's next
/// message counts, unless both SEQUENCE and DTSTAMP of the file speak against it; then [`receive`](fn@super::receive) asks
/// for the latest version. A reply carries the SEQUENCE that was found.
///
/// An organizer's program may have counted on, too, without that anybody was told: whichever version an attendee answers, the
/// answer counts, unless both SEQUENCE and DTSTAMP of the file speak against it; then the attendee is told the latest version. An
/// instance that says no more than its series may be written out for the answer of one, and nobody else knows of
/// it: what others answer to the series goes for it as well, and they are told so.
#[must_use]
pub fn unremembered(stored: &Calendar, owner: &Owner) -> Calendar {
    let mut found = note_as_series(stored, owner);
    for component in &mut found.root_mut().components {
        if component.get("ORGANIZER").is_some() && !owner.organizes(component) {
            forget_revision(component);
            continue;
        }
        let version = Revision::of(component);
        forget_told(component);
        let lines = component.properties.iter_mut();
        for line in lines.filter(|it| it.is("ATTENDEE")) {
            note_asked(line, 0, version);
        }
    }
    found
}

/// An organizer's object in which the lines are noted of those who may not know an instance by itself.
fn note_as_series(stored: &Calendar, owner: &Owner) -> Calendar {
    let mut noted = stored.clone();
    let zones = Rc::new(Zones::of(stored, owner.timezone.clone()));
    let object = Object::of(stored, &zones).filter(|it| !it.instances.is_empty());
    let Some(object) = object else { return noted };
    let Some(series) = object.master.as_ref().filter(|it| owner.organizes(it)) else {
        return noted;
    };
    let kind = object.kind();
    let answered = attendees_by_address(series);
    let components = noted.root_mut().components.iter_mut();
    for instance in components.filter(|it| it.is(kind.as_str())) {
        let id = instance.get("RECURRENCE-ID");
        let implied = id.and_then(|id| object.implied(id));
        if !implied.is_some_and(|it| is_only_own(instance, &it, Role::Organizer)) {
            continue;
        }
        let lines = instance.properties.iter_mut();
        for line in lines.filter(|it| it.is("ATTENDEE")) {
            // Who has answered otherwise has answered the instance.
            let answer = answered.get(&person(line)).map(|it| PartStat::of(it));
            if answer == Some(PartStat::of(line)) {
                note_perhaps_told(line);
            }
        }
    }
    noted
}

/// Marks the exceptions that are the attendee's own, each by itself.
pub(super) fn mark_left_out(series: &mut Component, own: &HashSet<InstanceKey>, known: &Object) {
    let mut marked = exceptions(series);
    marked.retain(|date| own.contains(&known.key(date)));
    retain_dates(series, "EXDATE", |date| !own.contains(&known.key(date)));
    let marked = marked.into_iter().map(left_out);
    series.properties.extend(marked);
}

/// The object without the parameters that note protocol state: as it is written to its owner's calendar.
///
/// They are taken out wherever they stand, also where an earlier release has written them.
#[must_use]
pub fn forget(mut calendar: Calendar) -> Calendar {
    drop_notes(calendar.root_mut());
    calendar
}

/// Puts what an older version of an object notes of its attendees onto a newer one, which may have lost it.
pub(super) fn recall_notes(new: &mut Object, old: &Object) {
    let notes = Notes::of(old);
    for component in new.components_mut() {
        drop_answers(component);
        if let Some(version) = version_for(old, component) {
            notes.put_on(component, version);
        }
    }
}

/// The component of an object that says in which version another one is: the same part, or the one that implies it.
fn version_for<'o>(known: &'o Object, component: &Component) -> Option<&'o Component> {
    let Some(id) = component.get("RECURRENCE-ID") else {
        return known.master.as_ref();
    };
    let instance = known.instances.get(&known.key(id));
    instance.or_else(|| known.implied_from(id))
}

/// Gives a component the revision of another version of it, as that is written.
pub(super) fn take_revision(component: &mut Component, version: &Component) {
    for name in ["SEQUENCE", "DTSTAMP"] {
        match version.get(name) {
            Some(line) if component.get(name) == Some(line) => {}
            Some(line) => component.set(line.clone()),
            None => _ = component.remove(name),
        }
    }
}

/// Without it, an update of the organizer would be that of a stranger.
fn take_organizer(component: &mut Component, version: &Component) {
    let organizer = version.get("ORGANIZER");
    let named = component.get("ORGANIZER").map(person);
    if let Some(line) = organizer.filter(|line| named != Some(person(line)))
        && component.get("ATTENDEE").is_some()
    {
        component.set(line.clone());
    }
}

fn drop_notes(component: &mut Component) {
    for line in &mut component.properties {
        line.params.retain(|param| !is_note(param));
    }
    component.components.iter_mut().for_each(drop_notes);
}

/// What an object itself notes of answers is not held against what is remembered. Whose a COMMENT is stays on it: to take it
/// for the organizer's own would tell it to everybody.
fn drop_answers(component: &mut Component) {
    let lines = component.properties.iter_mut();
    for line in lines.filter(|line| line.is("ATTENDEE")) {
        line.params.retain(|param| !is_note(param));
    }
}

fn is_note(param: &Param) -> bool {
    let start = param.name.get(..NOTE.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(NOTE))
}

fn notes_of(line: &Property) -> Vec<&Param> {
    line.params.iter().filter(|param| is_note(param)).collect()
}

/// What is noted on the lines of an object, by component: many instances may ask for what is noted on their series.
struct Notes<'o>(HashMap<*const Component, OfComponent<'o>>);

#[derive(Default)]
struct OfComponent<'o> {
    /// By attendee.
    attendees: HashMap<String, Vec<&'o Param>>,
    /// By what it says; several attendees may say the same.
    comments: HashMap<String, Vec<Vec<&'o Param>>>,
}

impl<'o> Notes<'o> {
    fn of(object: &'o Object) -> Self {
        let components = object.components();
        let noted =
            components.filter_map(|it| Some((std::ptr::from_ref(it), OfComponent::of(it)?)));
        Self(noted.collect())
    }

    fn put_on(&self, component: &mut Component, version: &Component) {
        if let Some(notes) = self.0.get(&std::ptr::from_ref(version)) {
            notes.put_on(component);
        }
    }
}

impl<'o> OfComponent<'o> {
    /// `None` if nothing is noted.
    fn of(component: &'o Component) -> Option<Self> {
        let mut notes = Self::default();
        for line in &component.properties {
            let params = notes_of(line);
            if params.is_empty() {
                continue;
            }
            if line.is("ATTENDEE") {
                notes.attendees.entry(person(line)).or_insert(params);
            } else if line.is("COMMENT") {
                notes.comments.entry(said(line)).or_default().push(params);
            }
        }
        let is_empty = notes.attendees.is_empty() && notes.comments.is_empty();
        (!is_empty).then_some(notes)
    }

    fn put_on(&self, component: &mut Component) {
        let mut told: HashMap<String, usize> = HashMap::new();
        for line in &mut component.properties {
            let noted = if line.is("ATTENDEE") {
                self.attendees.get(&person(line))
            } else if line.is("COMMENT") {
                let said = said(line);
                let times = told.entry(said.clone()).or_default();
                *times += 1;
                let noted = self.comments.get(&said);
                let noted = noted.and_then(|noted| noted.get(*times - 1));
                noted.filter(|_| notes_of(line).is_empty())
            } else {
                None
            };
            let noted = noted.into_iter().flatten().copied();
            line.params.extend(noted.cloned());
        }
    }
}

/// What a COMMENT says, however a program writes it.
fn said(line: &Property) -> String {
    line.to_text().replace('\r', "").trim().to_owned()
}
