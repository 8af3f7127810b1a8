//! Implicit scheduling (RFC 6638 §3.2): the messages that an edit of the owner causes.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `organizer` | REQUEST, ADD and CANCEL to the attendees |
//! | `diff` | what changed for others, and SEQUENCE and DTSTAMP after the edit |
//! | `attendees`, `message_batch` | who is invited to which part; one message for all who are told the same |
//! | `attendee` | REPLY to the organizer |
//! | `permissions`, `attendee_permissions` | what an attendee may change |
//! | `consistency` | whether valid messages can be made of the object |
//! | `delivery` | which recipients the messages of the last edit did not reach |

mod attendee;
mod attendee_permissions;
mod attendees;
mod consistency;
mod delivery;
mod diff;
mod message_batch;
mod organizer;
mod permissions;

pub use delivery::note_delivery;

use super::object::{Object, same};
use super::outgoing::Outgoing;
use super::participants::{Owner, address_of};
use super::recall::recall_notes;
use super::receive::Change;
use super::zone_alignment::beside;
use crate::message::MessageError;
use crate::tree::Calendar;
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
/// Others are to be told, but no valid message can be made of the object (it holds several UIDs, or attendees and no
/// ORGANIZER, or a time that nobody can read); an attendee has changed what is its organizer's; or the object becomes of
/// another kind, or another organizer's. Nothing is to be stored then, as nobody would hear of it.
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
/// let [request] = edited.outgoing.as_slice() else { panic!("Bo hears of it") };
/// assert_eq!(request.message.method(), Method::Request);
/// assert_eq!(request.message.sequence(), 1); // another time: it counts up
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn edit(
    before: Option<&Calendar>,
    after: Option<&Calendar>,
    owner: &Owner,
    now: Timestamp,
) -> Result<Edited, MessageError> {
    if let Some(after) = after {
        consistency::check_kind(before, after)?;
    }
    let was = match (after, before) {
        (Some(after), Some(before)) => Some(beside(after, before)),
        (_, before) => before.map(Cow::Borrowed),
    };
    let was = was.as_deref();
    let calendars = after.into_iter().chain(was);
    let zones = Zones::of_all(calendars, owner.timezone.clone());
    let zones = Rc::new(zones.with_given(Vec::new()));
    let [old, mut new] = [was, after].map(|it| it.and_then(|it| Object::of(it, &zones)));
    if let (Some(old), Some(new)) = (&old, &mut new) {
        recall_notes(new, old);
    }
    let [was_organizer, organizer] = [&old, &new].map(|it| it.as_ref().and_then(organizer));
    let just_stored = Edited {
        store: stored(before, after.cloned()),
        outgoing: Vec::new(),
    };
    match (after, &new) {
        (Some(after), Some(new)) => consistency::check(after, new, old.as_ref(), owner)?,
        (Some(after), None) => {
            consistency::check_uninvited(after, owner)?;
            return Ok(just_stored);
        }
        (None, _) => {}
    }
    if let (Some(old), Some(new)) = (&old, &new) {
        permissions::check(old, new, owner)?;
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
