//! Scheduling messages: a calendar with a METHOD that keeps the rules of RFC 5546 §3.
//!
//! [`Message::read`] is the only way to one, so that what works on messages never asks again whether there is a UID
//! or whether all components are of one kind.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `method` | [`Method`], [`Kind`] |
//! | `table` | which property each method needs, allows, forbids |
//! | `dates` | whether times and rules can be followed |
//! | `addressing` | who must be Originator and Recipient (spec §5) |
//! | `size_limits` | the size of a message, as capabilities limit it |
//! | `error`, `source_line` | [`MessageError`], and the line that it is about |
//!
//! Not done: values are checked as far as scheduling needs them (dates, rules, sequence, addresses); a wrong `PRIORITY` is
//! stored as it came. VJOURNAL, VPOLL and PUBLISH are recognised and refused.

mod addressing;
mod dates;
mod error;
mod method;
mod size_limits;
mod source_line;
mod table;
#[cfg(test)]
mod tests;

pub use addressing::Provenance;
pub(crate) use addressing::mailbox_of;
pub use error::MessageError;
pub use method::{Kind, Method};
pub use size_limits::Attachments;

pub(crate) use error::{Problem, excerpt};
pub(crate) use table::single;

use crate::instance::InstanceKey;
use crate::stamp::utc;
use crate::tree::{Calendar, Component, Property};
use crate::zone::Zones;
use convoke_types::{CalendarAddress, TimeRange, Uid};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use std::collections::HashSet;

/// The greatest SEQUENCE (RFC 5545 §3.8.7.4: an integer, which §3.3.8 lets be no greater).
pub const MAX_SEQUENCE: u64 = i32::MAX as u64;

/// How far the clock of another server may be ahead of ours: as far as that of a signer (RFC 6376 §5.2, see
/// `convoke_ischedule::dkim`).
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The most components (one and its overridden instances) in a message.
pub const MAX_COMPONENTS: usize = 10_000;

/// The most components in a message that are about all later instances (RANGE=THISANDFUTURE): each may touch every
/// instance, and what is meant is said with one or two.
const MAX_RANGES: usize = 20;

/// A valid scheduling message.
///
/// ```
/// use convoke_calendar::{message::Message, tree::{Calendar, Limits}};
///
/// let octets = b"BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:CANCEL\nBEGIN:VEVENT\nUID:1\n\
///     ORGANIZER:mailto:anna@example.com\nDTSTAMP:today\nEND:VEVENT\nEND:VCALENDAR\n";
/// let error = Message::read(Calendar::parse(octets, &Limits::default())?).unwrap_err();
/// assert_eq!(
///     error.in_source(octets).to_string(),
///     "line 7: VEVENT: DTSTAMP is `today`, expected a UTC time such as 20270104T100000Z",
/// );
/// # Ok::<(), convoke_calendar::tree::ParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Message {
    calendar: Calendar,
    method: Method,
    kind: Kind,
    uid: Uid,
    organizer: Option<Party>,
    attendees: Vec<CalendarAddress>,
    sequence: u64,
    dtstamp: Timestamp,
    range: Option<TimeRange>,
}

/// A calendar user in a message, and who acts for it.
#[derive(Clone, Debug)]
struct Party {
    address: CalendarAddress,
    sent_by: Option<CalendarAddress>,
}

impl Message {
    /// Holds a calendar against the rules of RFC 5546 §3.
    ///
    /// An instance without ORGANIZER gets that of the other components, as in the example of RFC 5546 §4.4.8.
    pub fn read(mut calendar: Calendar) -> Result<Self, MessageError> {
        let method = method_of(&calendar)?;
        let kind = kind_of(&calendar, method)?;
        share_organizer(&mut calendar, kind);
        let components: Vec<&Component> = of_kind(&calendar, kind).collect();
        for component in &components {
            table::check(component, method, kind)?;
        }
        let zones = Zones::of(&calendar, TimeZone::UTC);
        check_instances(&components, kind, &zones)?;
        let uid = shared_uid(&components, kind)?;
        let organizer = shared_organizer(&components, kind)?;
        let attendees = attendees_of(&components, kind)?;
        let (sequence, dtstamp) = revision(&components, method, kind)?;
        let range = range_of(&components, kind)?;
        for component in &components {
            dates::check(component, kind, &zones)?;
        }
        drop(zones);
        Ok(Self {
            calendar,
            method,
            kind,
            uid,
            organizer,
            attendees,
            sequence,
            dtstamp,
            range,
        })
    }

    /// A stored object as a message about it: without what the method forbids, such as the alarms of a person who answers, and of
    /// several components the first where the method takes one.
    ///
    /// # Errors
    ///
    /// It cannot be such a message: it has no DTSTAMP, say.
    pub fn of_object(mut calendar: Calendar, method: Method) -> Result<Self, MessageError> {
        let root = calendar.root_mut();
        root.set(Property::new("METHOD", method.as_str()));
        let main = |it: &Component| Kind::parse(&it.name);
        if let Some(kind) = root.components.iter().find_map(main) {
            let mut is_first = true;
            root.components.retain(|it| {
                main(it) != Some(kind)
                    || std::mem::take(&mut is_first)
                    || table::takes_several(method, kind)
            });
            let mains = root.components.iter_mut();
            for component in mains.filter(|it| main(it) == Some(kind)) {
                table::remove_forbidden(component, method, kind);
            }
        }
        Self::read(calendar)
    }

    /// Whether it may have been written by now: no DTSTAMP is further ahead than [`CLOCK_SKEW`]. Else it would count as
    /// newer than whatever its organizer says until then.
    pub fn check_written_by(&self, now: Timestamp) -> Result<(), MessageError> {
        let latest = now.saturating_add(CLOCK_SKEW).unwrap_or(now);
        if self.dtstamp <= latest {
            return Ok(());
        }
        let mut stamps = self.components().filter_map(|it| it.value("DTSTAMP"));
        let ahead = stamps.find(|it| utc(it).is_some_and(|stamp| stamp > latest));
        let expected = "a time that has come, by the clock here";
        Err(wrong_date(self.kind, "DTSTAMP", ahead.unwrap_or_default(), expected).into())
    }

    /// What it asks for.
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The kind of its components.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The UID that all its components share.
    pub const fn uid(&self) -> &Uid {
        &self.uid
    }

    /// The ORGANIZER; missing in a few messages about to-dos only.
    pub fn organizer(&self) -> Option<&CalendarAddress> {
        self.organizer.as_ref().map(|party| &party.address)
    }

    /// Every ATTENDEE of any of its components, once, in the order of their first appearance.
    pub fn attendees(&self) -> &[CalendarAddress] {
        &self.attendees
    }

    /// The highest SEQUENCE of its components; 0 where none is given (RFC 5545 §3.8.7.4).
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The latest DTSTAMP of its components.
    pub const fn dtstamp(&self) -> Timestamp {
        self.dtstamp
    }

    /// What a VFREEBUSY asks about or tells of; `None` for other kinds.
    pub const fn range(&self) -> Option<TimeRange> {
        self.range
    }

    /// The instances that it is about, as a text: the same for the same ones, however they are written; empty for the
    /// whole.
    pub fn instance_names(&self) -> String {
        let zones = Zones::of(&self.calendar, TimeZone::UTC);
        let keys = self
            .components()
            .map(|one| InstanceKey::of(one, &zones).map(|key| key.to_string()));
        let mut names: Vec<String> = keys.map(Option::unwrap_or_default).collect();
        names.sort_unstable();
        names.join(",")
    }

    /// The whole message, METHOD included.
    pub const fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The message as a calendar again.
    pub fn into_calendar(self) -> Calendar {
        self.calendar
    }

    /// The components that it is about.
    pub(crate) fn components(&self) -> impl Iterator<Item = &Component> {
        of_kind(&self.calendar, self.kind)
    }

    /// The VCALENDAR, to change what is not checked.
    pub(crate) fn root_mut(&mut self) -> &mut Component {
        self.calendar.root_mut()
    }

    /// The components that it is about, to change what is not checked.
    pub(crate) fn components_mut(&mut self) -> impl Iterator<Item = &mut Component> {
        let kind = self.kind.as_str();
        let components = self.calendar.root_mut().components.iter_mut();
        components.filter(move |component| component.is(kind))
    }
}

fn method_of(calendar: &Calendar) -> Result<Method, Problem> {
    let root = calendar.root();
    check_head(root)?;
    match root.value("VERSION").map(str::trim) {
        Some("2.0") => {}
        other => return Err(Problem::Version(other.map(excerpt))),
    }
    let word = root.value("METHOD").ok_or(Problem::NoMethod)?;
    Method::parse(word).ok_or_else(|| Problem::UnknownMethod(excerpt(word)))
}

/// RFC 5545 §3.6, §3.7: what the whole object is, is said once; and all of it is in the Gregorian calendar.
fn check_head(root: &Component) -> Result<(), Problem> {
    for name in ["METHOD", "VERSION", "PRODID", "CALSCALE"] {
        if root.all(name).nth(1).is_some() {
            return Err(Problem::Twice(name));
        }
    }
    match root.value("CALSCALE") {
        Some(scale) if !scale.trim().eq_ignore_ascii_case("GREGORIAN") => {
            Err(Problem::Scale(excerpt(scale)))
        }
        _ => Ok(()),
    }
}

/// The one kind of component in the message; others of iCalendar may not stand beside it (RFC 5546 §3.2).
fn kind_of(calendar: &Calendar, method: Method) -> Result<Kind, Problem> {
    let mut found = None;
    let mut count = 0;
    for component in &calendar.root().components {
        let Some(kind) = Kind::parse(&component.name) else {
            continue; // VTIMEZONE, X- and IANA components
        };
        match found {
            Some(first) if first != kind => return Err(Problem::Mixed(first, kind)),
            _ => found = Some(kind),
        }
        count += 1;
    }
    let kind = found.ok_or(Problem::NoComponent)?;
    if !table::is_taken(method, kind) {
        return Err(Problem::NotTaken(method, kind));
    }
    if count > MAX_COMPONENTS {
        return Err(Problem::TooManyComponents {
            found: count,
            most: MAX_COMPONENTS,
        });
    }
    if count > 1 && !table::takes_several(method, kind) {
        return Err(Problem::MoreThanOne(method, kind));
    }
    Ok(kind)
}

fn of_kind(calendar: &Calendar, kind: Kind) -> impl Iterator<Item = &Component> {
    let components = calendar.root().components.iter();
    components.filter(move |component| component.is(kind.as_str()))
}

/// The longest ORGANIZER that instances without one get whole.
const MAX_SHARED: usize = 2 << 10;

fn share_organizer(calendar: &mut Calendar, kind: Kind) {
    let Some(organizer) = of_kind(calendar, kind)
        .find_map(|one| one.get("ORGANIZER"))
        .cloned()
    else {
        return;
    };
    // A line of any length, times instances of any number: beyond what programs write, who it is must do.
    let organizer = if organizer.weight() <= MAX_SHARED {
        organizer
    } else {
        Property::new("ORGANIZER", organizer.value)
    };
    for component in &mut calendar.root_mut().components {
        let is_instance = component.is(kind.as_str()) && component.get("RECURRENCE-ID").is_some();
        if is_instance && component.get("ORGANIZER").is_none() {
            component.push(organizer.clone());
        }
    }
}

/// One component at most for the whole, and one for each instance (RFC 5546 §2.1.5: UID and RECURRENCE-ID name it).
pub(crate) fn check_instances(
    components: &[&Component],
    kind: Kind,
    zones: &Zones,
) -> Result<(), Problem> {
    let for_good = |one: &&&Component| {
        one.get("RECURRENCE-ID")
            .is_some_and(|id| id.param("RANGE").is_some())
    };
    let ranges = components.iter().filter(for_good).count();
    if ranges > MAX_RANGES {
        return Err(Problem::TooManyRanges {
            found: ranges,
            most: MAX_RANGES,
        });
    }
    let mut seen = HashSet::new();
    for component in components {
        if !seen.insert(InstanceKey::of(component, zones)) {
            return Err(match component.value("RECURRENCE-ID") {
                Some(value) => Problem::TwoOfOneInstance(kind, excerpt(value)),
                None => Problem::TwoMasters(kind),
            });
        }
    }
    Ok(())
}

fn shared_uid(components: &[&Component], kind: Kind) -> Result<Uid, Problem> {
    let (first, others) = components.split_first().ok_or(Problem::NoComponent)?;
    let uid = first.uid();
    if others.iter().any(|other| other.uid() != uid) {
        return Err(Problem::Differs(kind, "UID"));
    }
    uid.ok_or_else(|| Problem::Value {
        component: kind,
        property: "UID",
        value: excerpt(first.value("UID").unwrap_or_default()),
        expected: "1 to 2048 bytes without control characters",
    })
}

fn shared_organizer(components: &[&Component], kind: Kind) -> Result<Option<Party>, Problem> {
    let mut shared: Option<Party> = None;
    for property in components.iter().filter_map(|one| one.get("ORGANIZER")) {
        let address = address(&property.value, kind, "ORGANIZER")?;
        match &shared {
            Some(party) if !party.address.same_user(&address) => {
                return Err(Problem::Differs(kind, "ORGANIZER"));
            }
            Some(_) => {}
            None => {
                let sent_by = property.param("SENT-BY");
                let sent_by = sent_by.and_then(|text| CalendarAddress::new(text).ok());
                shared = Some(Party { address, sent_by });
            }
        }
    }
    Ok(shared)
}

/// An ATTENDEE that is no address (a display name, a path of some server) is kept as it is and never scheduled with;
/// but one at least must be an address.
fn attendees_of(components: &[&Component], kind: Kind) -> Result<Vec<CalendarAddress>, Problem> {
    let mut seen = HashSet::new();
    let mut attendees = Vec::new();
    let mut unreadable = None;
    for property in components.iter().flat_map(|one| one.all("ATTENDEE")) {
        match address(&property.value, kind, "ATTENDEE") {
            Ok(address) if seen.insert(address.as_str().to_ascii_lowercase()) => {
                attendees.push(address);
            }
            Ok(_) => {}
            Err(problem) => unreadable = Some(problem),
        }
    }
    match unreadable {
        Some(problem) if attendees.is_empty() => Err(problem),
        _ => Ok(attendees),
    }
}

fn address(
    value: &str,
    component: Kind,
    property: &'static str,
) -> Result<CalendarAddress, Problem> {
    CalendarAddress::new(value).map_err(|_| Problem::Value {
        component,
        property,
        value: excerpt(value),
        expected: "a calendar user address such as mailto:anna@example.org",
    })
}

fn revision(
    components: &[&Component],
    method: Method,
    kind: Kind,
) -> Result<(u64, Timestamp), Problem> {
    let mut newest = (0, Timestamp::MIN);
    for component in components {
        if let Some(value) = component.value("SEQUENCE") {
            // RFC 5546 §3.2.4: an ADD's is greater than 0.
            let least = u64::from(method == Method::Add);
            let sequence = sequence_of(value).filter(|&number| number >= least);
            let sequence = sequence.ok_or_else(|| Problem::Value {
                component: kind,
                property: "SEQUENCE",
                value: excerpt(value),
                expected: "a number that the organizer has counted up, at most 2147483647",
            })?;
            newest.0 = newest.0.max(sequence);
        }
        let stamp = component.value("DTSTAMP").unwrap_or_default();
        let stamp = utc(stamp).ok_or_else(|| wrong_date(kind, "DTSTAMP", stamp, UTC))?;
        newest.1 = newest.1.max(stamp);
    }
    Ok(newest)
}

/// Digits and nothing else, within bounds: what programs read in different ways would be a version for some only.
fn sequence_of(value: &str) -> Option<u64> {
    let number: u64 = value.parse().ok()?;
    let is_plain = value.bytes().all(|it| it.is_ascii_digit());
    (is_plain && number <= MAX_SEQUENCE).then_some(number)
}

const UTC: &str = "a UTC time such as 20270104T100000Z";

fn wrong_date(
    component: Kind,
    property: &'static str,
    value: &str,
    expected: &'static str,
) -> Problem {
    Problem::Date {
        component,
        property,
        value: excerpt(value),
        expected,
    }
}

fn range_of(components: &[&Component], kind: Kind) -> Result<Option<TimeRange>, Problem> {
    let (Kind::FreeBusy, [component]) = (kind, components) else {
        return Ok(None);
    };
    // RFC 5546 §3.3.2: both in UTC
    let instant = |property: &'static str| {
        let value = component.value(property).unwrap_or_default();
        let is_utc = value.trim_end().ends_with(['Z', 'z']);
        utc(value)
            .filter(|_| is_utc)
            .ok_or_else(|| wrong_date(kind, property, value, UTC))
    };
    let (start, end) = (instant("DTSTART")?, instant("DTEND")?);
    let range = TimeRange::new(start, end).map_err(|_| {
        let value = component.value("DTEND").unwrap_or_default();
        wrong_date(kind, "DTEND", value, "a time after DTSTART")
    })?;
    Ok(Some(range))
}
