//! The owner changed an object: who must hear of it (RFC 6638 §3.2).
//!
//! | module | what it holds |
//! | --- | --- |
//! | `organizer` | REQUEST, ADD and CANCEL to the guests |
//! | `news` | what changed for others, and the versions after the edit |
//! | `guests`, `letters` | who is invited to what; who is told the same |
//! | `attendee` | REPLY to the organizer |
//!
//! Not done: an attendee who changes what is the organizer's is not stopped here (RFC 6638 §3.2.4.4 lets a server
//! refuse the edit).

mod attendee;
mod guests;
mod letters;
mod news;
mod organizer;

use super::object::{Object, same};
use super::outgoing::Outgoing;
use super::people::{Owner, address_of};
use super::receive::Change;
use crate::tree::Calendar;
use crate::zone::Zones;
use jiff::Timestamp;
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
/// An object that invites nobody, or of which no valid message can be made, sends nothing.
pub fn edit(
    before: Option<&Calendar>,
    after: Option<&Calendar>,
    owner: &Owner,
    now: Timestamp,
) -> Edited {
    let calendars = after.into_iter().chain(before);
    let zones = Rc::new(Zones::of_all(calendars, owner.timezone.clone()));
    let [old, new] = [before, after].map(|it| it.and_then(|it| Object::of(it, &zones)));
    let leading = new.as_ref().or(old.as_ref()).and_then(Object::leading);
    let organizer = leading
        .and_then(|it| it.get("ORGANIZER"))
        .and_then(address_of);
    let edit = Edit {
        old,
        new,
        zones: after.or(before),
        owner,
        now,
    };
    match organizer {
        Some(address) if owner.answers_to(&address) => organizer::edited(edit, before, &address),
        Some(_) => attendee::edited(edit, before),
        None => Edited {
            store: stored(before, after.cloned()),
            outgoing: Vec::new(),
        },
    }
}

/// An edit taken apart.
struct Edit<'a> {
    old: Option<Object<'a>>,
    new: Option<Object<'a>>,
    /// Where the time zones are.
    zones: Option<&'a Calendar>,
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
