//! The owner changed an object: who must hear of it (RFC 6638 §3.2).
//!
//! | module | what it holds |
//! | --- | --- |
//! | `organizer` | REQUEST, ADD and CANCEL to the guests |
//! | `news` | what changed for others, and the versions after the edit |
//! | `guests`, `letters` | who is invited to what; who is told the same |
//! | `attendee`, `allowed` | REPLY to the organizer; what an attendee may change |
//! | `delivery` | whom the messages of the last edit did not reach |

mod allowed;
mod attendee;
mod delivery;
mod guests;
mod letters;
mod news;
mod organizer;

pub use delivery::note_delivery;

use super::address::is_served;
use super::object::{Object, same};
use super::outgoing::Outgoing;
use super::people::{Owner, address_of, person};
use super::receive::Change;
use super::side_by_side::beside;
use crate::message::{Kind, MessageError, Method, Problem, excerpt};
use crate::tree::{Calendar, Property};
use crate::zone::Zones;
use convoke_types::CalendarAddress;
use jiff::Timestamp;
use std::borrow::Cow;
use std::rc::Rc;

/// What an edit leads to.
#[derive(Clone, Debug)]
pub struct Edited {
    /// What is to be stored: the object after the edit, with its version counted up and answers asked for anew
    /// where that is due.
    pub store: Change,
    /// To be sent on behalf of the owner.
    pub outgoing: Vec<Outgoing>,
}

/// Given an object before and after an edit by its owner, the messages to exactly those concerned.
///
/// An object that invites nobody sends nothing. An organizer who makes its own meeting a private thing again, without
/// ORGANIZER, calls it off. What was written leniently goes out as RFC 5545 has it.
///
/// # Errors
///
/// Others are to be told, but no valid message can be made of the object (it holds several UIDs, or guests and no
/// ORGANIZER, or a time that nobody can read); or an attendee has changed what is its organizer's. Nothing is to be stored then, as nobody would hear of it.
///
/// ```
/// use convoke_calendar::{itip::{Owner, edit}, message::Method, tree::{Calendar, Limits}};
/// use convoke_types::CalendarAddress;
/// use jiff::tz::TimeZone;
///
/// let before = "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\n\
///     DTSTART:20270104T100000Z\nSUMMARY:Review\nORGANIZER:mailto:anna@example.com\n\
///     ATTENDEE:mailto:bo@example.org\nEND:VEVENT\nEND:VCALENDAR\n";
/// let after = before.replace("T100000Z\nSUMMARY", "T120000Z\nSUMMARY");
/// let read = |text: &str| Calendar::parse(text.as_bytes(), &Limits::default());
/// let (before, after) = (read(before)?, read(&after)?);
///
/// let anna = [CalendarAddress::new("anna@example.com")?];
/// let owner = Owner { addresses: &anna, timezone: TimeZone::UTC };
/// let edited = edit(Some(&before), Some(&after), &owner, "2026-12-02T08:00:00Z".parse()?)?;
/// let [letter] = edited.outgoing.as_slice() else { panic!("Bo hears of it") };
/// assert_eq!(letter.message.method(), Method::Request);
/// assert_eq!(letter.message.sequence(), 1); // another time: it counts up
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn edit(
    before: Option<&Calendar>,
    after: Option<&Calendar>,
    owner: &Owner,
    now: Timestamp,
) -> Result<Edited, MessageError> {
    let was = match (after, before) {
        (Some(after), Some(before)) => Some(beside(after, before)),
        (_, before) => before.map(Cow::Borrowed),
    };
    let was = was.as_deref();
    let calendars = after.into_iter().chain(was);
    let zones = Zones::of_all(calendars, owner.timezone.clone());
    let zones = Rc::new(zones.with_given(Vec::new()));
    let [old, new] = [was, after].map(|it| it.and_then(|it| Object::of(it, &zones)));
    let [was_organizer, organizer] = [&old, &new].map(|it| it.as_ref().and_then(organizer));
    let just_stored = Edited {
        store: stored(before, after.cloned()),
        outgoing: Vec::new(),
    };
    if let (Some(after), Some(new)) = (after, &new) {
        check_one_piece(after, new)?;
        check_guests(new, owner, was_organizer.is_some())?;
    }
    if let (Some(old), Some(new)) = (&old, &new) {
        allowed::check(old, new, owner)?;
    }
    let is_withdrawn = new.is_some() && organizer.is_none();
    let edit = Edit {
        old,
        new: new.filter(|_| !is_withdrawn),
        zones,
        owner,
        now,
    };
    match organizer.or(was_organizer) {
        Some(address) if owner.answers_to(&address) => {
            let edited = organizer::edited(edit, before, &address)?;
            if is_withdrawn {
                return Ok(Edited {
                    outgoing: edited.outgoing,
                    ..just_stored
                });
            }
            Ok(edited)
        }
        Some(_) if !is_withdrawn => attendee::edited(edit, before),
        _ => Ok(just_stored),
    }
}

fn organizer(object: &Object) -> Option<CalendarAddress> {
    let line = object.leading()?.get("ORGANIZER")?;
    address_of(line)
}

/// RFC 4791 §4.1, RFC 6638 §3.2.4.2: one UID and one ORGANIZER.
fn check_one_piece(calendar: &Calendar, object: &Object) -> Result<(), MessageError> {
    let kinds = calendar.main_components();
    let mut parts = kinds.filter_map(|it| Some((Kind::parse(&it.name)?, it.uid())));
    let (_, uid) = parts.next().unwrap_or((object.kind(), None));
    if let Some((kind, _)) = parts.find(|(_, other)| *other != uid) {
        return Err(Problem::Differs(kind, "UID").into());
    }
    let mut organizers = object
        .components()
        .map(|it| it.get("ORGANIZER").map(person));
    let organizer = organizers.next();
    if organizers.any(|other| organizer.as_ref() != Some(&other)) {
        return Err(Problem::Differs(object.kind(), "ORGANIZER").into());
    }
    Ok(())
}

/// Guests whom nobody can invite would hear nothing: they need an organizer, and one at least an address.
fn check_guests(object: &Object, owner: &Owner, was_invited: bool) -> Result<(), MessageError> {
    let lines = object.components().flat_map(|it| it.all("ATTENDEE"));
    let guests = lines.filter(|line| is_served(line) && !owner.is(line));
    let guests: Vec<&Property> = guests.collect();
    let (Some(leading), Some(first)) = (object.leading(), guests.first()) else {
        return Ok(());
    };
    let kind = object.kind();
    let no_address = |property: &'static str, line: &Property| {
        let expected = "a calendar user address such as mailto:anna@example.org";
        let value = excerpt(&line.value);
        MessageError::from(Problem::Value {
            component: kind,
            property,
            value,
            expected,
        })
    };
    match leading.get("ORGANIZER") {
        None if !was_invited => Err(Problem::Missing(Method::Request, kind, "ORGANIZER").into()),
        Some(line) if address_of(line).is_none() => Err(no_address("ORGANIZER", line)),
        Some(line) if owner.is(line) && guests.iter().all(|it| address_of(it).is_none()) => {
            Err(no_address("ATTENDEE", first))
        }
        _ => Ok(()),
    }
}

/// An edit taken apart.
struct Edit<'a> {
    old: Option<Object<'a>>,
    new: Option<Object<'a>>,
    /// In which the times of both are read.
    zones: Rc<Zones<'a>>,
    owner: &'a Owner<'a>,
    now: Timestamp,
}

/// The change to the store.
fn stored(before: Option<&Calendar>, after: Option<Calendar>) -> Change {
    match (before, after) {
        (Some(before), Some(after)) if same(before, &after) => Change::None,
        (_, Some(after)) => Change::Store(after),
        (Some(_), None) => Change::Remove,
        (None, None) => Change::None,
    }
}
