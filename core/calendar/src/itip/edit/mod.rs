//! Implicit scheduling (RFC 6638 §3.2): the messages that an edit of the owner causes.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `observed` | what becomes of an edit that a calendar program has made already |
//! | `missing_organizer` | the ORGANIZER of a meeting for which a program has written none |
//! | `organizer` | REQUEST, ADD and CANCEL to the attendees |
//! | `diff` | what changed for others, and SEQUENCE and DTSTAMP after the edit |
//! | `lost_parts` | what attendees lose, and the SEQUENCE of what goes on |
//! | `attendees`, `message_batch` | who is invited to which part; one message for all who are told the same |
//! | `taken_back` | instances that were called off and take place after all |
//! | `attendee` | REPLY to the organizer |
//! | `own_answers` | an attendee's object with nothing changed but what is its own to say |
//! | `permissions`, `attendee_permissions` | what an attendee may change |
//! | `consistency` | whether valid messages can be made of the object |
//! | `delivery` | which recipients the messages of the last edit did not reach |

mod attendee;
mod attendee_permissions;
mod attendees;
mod consistency;
mod delivery;
mod diff;
mod lost_parts;
mod message_batch;
mod missing_organizer;
mod observed;
mod organizer;
mod own_answers;
mod permissions;
mod taken_back;

pub use delivery::note_delivery;
pub(super) use diff::count_up;
pub use observed::{Observed, observe};

use super::object::{Object, same};
use super::outgoing::Outgoing;
use super::participants::{Owner, PartStat, address_of};
use super::recall::recall_notes;
use super::receive::Change;
use super::zone_alignment::beside;
use crate::message::{MessageError, Method};
use crate::tree::{Calendar, Property};
use crate::zone::Zones;
use convoke_types::{CalendarAddress, RequestStatus};
use jiff::Timestamp;
use std::borrow::Cow;
use std::rc::Rc;
use taken_back::take_back_cancels;

/// What an edit leads to.
#[derive(Clone, Debug)]
pub struct Edited {
    /// What is to be stored: the object after the edit, with its version counted up and answers asked for anew
    /// where that is due.
    pub store: Change,
    /// To be sent on behalf of the owner.
    pub outgoing: Vec<Outgoing>,
}

/// Given an object before and after an edit by its owner, the messages to exactly those concerned. Of what a calendar
/// program has stored already, see [`observe`].
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
/// let owner = Owner { addresses: &anna, name: None, timezone: TimeZone::UTC };
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
    let versions = Versions::of(before, after)?;
    let edit = versions.edit(owner, Written::ByCommand, now);
    match (after, &edit.new) {
        (Some(after), Some(new)) => consistency::check(after, new, edit.old.as_ref(), owner)?,
        (Some(after), None) => {
            consistency::check_uninvited(after, owner)?;
            return Ok(Edited {
                store: stored(before, Some(after.clone())),
                outgoing: Vec::new(),
            });
        }
        (None, _) => {}
    }
    if let (Some(old), Some(new)) = (&edit.old, &edit.new) {
        permissions::check(old, new, owner)?;
    }
    let [was_organizer, organizer] = edit.organizers();
    let is_withdrawn = edit.new.is_some() && organizer.is_none();
    let told = match organizer.or(was_organizer) {
        Some(address) if owner.answers_to(&address) => {
            let mut new = edit.new.filter(|_| !is_withdrawn);
            take_back_cancels(edit.old.as_ref(), new.as_mut());
            organizer::edited(Edit { new, ..edit }, &address)?
        }
        Some(_) if !is_withdrawn => attendee::edited(edit)?,
        _ => Told {
            object: edit.new,
            outgoing: Vec::new(),
        },
    };
    let after = match told.object {
        Some(object) if !is_withdrawn => Some(object.into_calendar()),
        _ => after.cloned(),
    };
    Ok(Edited {
        store: stored(before, after),
        outgoing: told.outgoing,
    })
}

fn organizer(object: &Object) -> Option<CalendarAddress> {
    let line = object.leading()?.get("ORGANIZER")?;
    address_of(line)
}

/// How an edit came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// The owner hands in what is to become of an object.
    ByCommand,
    /// A calendar program has stored it already, with whatever it made of SEQUENCE and of lines that it does not know.
    ByProgram,
}

impl Written {
    /// Whether a line of an organizer's object says nothing of how its attendee has answered: a program has read it before the answer
    /// came, or a command has it from whoever wrote it before anybody had answered.
    fn says_no_answer(self, line: &Property) -> bool {
        match self {
            Self::ByProgram => PartStat::of(line) == PartStat::NeedsAction,
            Self::ByCommand => line.param("PARTSTAT").is_none(),
        }
    }
}

/// Two versions of an object, in which each TZID means one zone.
struct Versions<'a> {
    before: Option<Cow<'a, Calendar>>,
    after: Option<&'a Calendar>,
}

impl<'a> Versions<'a> {
    fn of(before: Option<&'a Calendar>, after: Option<&'a Calendar>) -> Result<Self, MessageError> {
        if let Some(after) = after {
            consistency::check_kind(before, after)?;
        }
        let before = match (after, before) {
            (Some(after), Some(before)) => Some(beside(after, before)),
            (_, before) => before.map(Cow::Borrowed),
        };
        Ok(Self { before, after })
    }

    fn edit<'s>(&'s self, owner: &'s Owner<'s>, written: Written, now: Timestamp) -> Edit<'s> {
        let before = self.before.as_deref();
        let calendars = self.after.into_iter().chain(before);
        let zones = Zones::of_all(calendars, owner.timezone.clone());
        let zones = Rc::new(zones.with_given(Vec::new()));
        let [old, mut new] =
            [before, self.after].map(|it| it.and_then(|it| Object::of(it, &zones)));
        if let (Some(old), Some(new)) = (&old, &mut new) {
            recall_notes(new, old);
        }
        Edit {
            old,
            new,
            zones,
            owner,
            written,
            now,
        }
    }
}

/// An edit taken apart.
struct Edit<'a> {
    old: Option<Object<'a>>,
    new: Option<Object<'a>>,
    /// In which the times of both are read.
    zones: Rc<Zones<'a>>,
    owner: &'a Owner<'a>,
    written: Written,
    now: Timestamp,
}

impl Edit<'_> {
    /// Who organizes it, before and after.
    fn organizers(&self) -> [Option<CalendarAddress>; 2] {
        [&self.old, &self.new].map(|it| it.as_ref().and_then(organizer))
    }
}

/// The object after an edit as others know it then, and how they hear of it.
struct Told<'a> {
    object: Option<Object<'a>>,
    outgoing: Vec<Outgoing>,
}

/// Takes SCHEDULE-FORCE-SEND off the lines of an object: done is done (RFC 6638 §7.2). What asks for another method than
/// there is, is said to have been ignored.
fn spend_force(object: &mut Object) {
    for component in object.components_mut() {
        for line in &mut component.properties {
            let known = |it: &str| {
                ["REQUEST", "REPLY"]
                    .iter()
                    .any(|known| it.eq_ignore_ascii_case(known))
            };
            if line.param(FORCE_SEND).is_some_and(|it| !known(it)) {
                let status = RequestStatus::SUCCESS_PROPERTY_IGNORED;
                line.set_param("SCHEDULE-STATUS", status.code());
            }
            line.remove_param(FORCE_SEND);
        }
    }
}

const FORCE_SEND: &str = "SCHEDULE-FORCE-SEND";

/// Whether the owner wants whom a line names told whatever changed (RFC 6638 §7.2).
fn is_forced(line: &Property, method: Method) -> bool {
    let force = line.param(FORCE_SEND);
    force.is_some_and(|it| it.eq_ignore_ascii_case(method.as_str()))
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
