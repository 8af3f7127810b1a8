//! A message has arrived for a calendar user.

use super::address::delegates_of;
use super::answer::{self, Uninvited};
use super::object::{Object, same};
use super::outgoing::Outgoing;
use super::own::Role;
use super::people::{Owner, address_of, attendee};
use super::side_by_side::{SideBySide, anchored, drop_unused};
use super::{
    add::{self, Added},
    cancel, refresh, request,
};
use crate::message::{Kind, Message, Method};
use crate::tree::Calendar;
use crate::zone::Zones;
use convoke_types::{CalendarAddress, RequestStatus};
use jiff::Timestamp;
use std::rc::Rc;

/// For whom a message has arrived, from whom, and when.
#[derive(Clone, Debug)]
pub struct Receiving<'a> {
    /// The calendar user whose copy may change.
    pub owner: &'a Owner<'a>,
    /// Who sent it, as the transport has proven.
    pub originator: &'a CalendarAddress,
    /// Now.
    pub now: Timestamp,
    /// Whether an answer of somebody who was not invited puts them on the list.
    pub accept_uninvited: bool,
}

/// What a message did.
#[derive(Clone, Debug)]
pub struct Received {
    /// For the sender.
    pub status: RequestStatus,
    /// For the store.
    pub change: Change,
    /// To be sent on behalf of the owner.
    pub outgoing: Vec<Outgoing>,
    /// Whether the message is to be kept for the person to decide on.
    pub keep: bool,
}

/// What happens to the stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// It becomes this.
    Store(Calendar),
    /// It goes.
    Remove,
}

impl Received {
    fn acknowledged() -> Self {
        Self {
            status: RequestStatus::SUCCESS,
            change: Change::None,
            outgoing: Vec::new(),
            keep: false,
        }
    }

    fn refused(status: RequestStatus) -> Self {
        Self {
            status,
            ..Self::acknowledged()
        }
    }

    /// The object as it is now; nothing changes if it means the same as before.
    fn stored(before: Option<&Calendar>, object: Object) -> Self {
        Self {
            change: change(before, object),
            ..Self::acknowledged()
        }
    }
}

/// The change from one version of an object to the next.
pub(super) fn change(before: Option<&Calendar>, object: Object) -> Change {
    let mut after = object.into_calendar();
    match before {
        Some(before) if same(before, &after) => return Change::None,
        Some(before) => drop_unused(&mut after, before),
        None => {}
    }
    Change::Store(after)
}

/// Applies a message to the copy of one calendar user.
///
/// `existing` is the stored object of the message's UID. Busy time is not asked here (see `freebusy`).
pub fn receive(message: &Message, existing: Option<&Calendar>, at: &Receiving) -> Received {
    if message.kind() == Kind::FreeBusy {
        let text = "busy time is not kept in a calendar";
        return Received::refused(RequestStatus::UNSUPPORTED.with_text(text));
    }
    if let Err(error) = message.check_originator(at.originator) {
        return Received::refused(error.status());
    }
    let both = SideBySide::of(message, existing, &at.owner.timezone);
    let (message, existing) = (both.message(), both.existing());
    let zones = both.zones(at.owner.timezone.clone());
    let stored = match existing.map(|it| Object::of(it, &zones)) {
        Some(None) => {
            return Received::refused(foreign("the UID is that of another kind of object"));
        }
        Some(Some(object)) if !object.is_kind(message.kind()) => {
            return Received::refused(foreign("the UID is that of another kind of object"));
        }
        Some(stored) => stored,
        None => None,
    };
    let outgrows = |it: &Object| it.outgrows_with(message.components());
    if stored.as_ref().is_some_and(outgrows) {
        return too_large();
    }
    let anchored = stored.as_ref().map(|stored| anchored(message, stored));
    let message = anchored.as_deref().unwrap_or(message);
    match (message.method(), stored) {
        (Method::Request, None) => invitation(message, at, &zones),
        // Spec §9: CANCEL of something unknown is 2.0.
        (Method::Cancel | Method::DeclineCounter, None) => Received::acknowledged(),
        (Method::Add, None) => missing_whole(message, at),
        (Method::Reply | Method::Refresh | Method::Counter, None) => {
            let text = "the organizer has no such object";
            Received::refused(RequestStatus::INVALID_CALENDAR_SERVICE.with_text(text))
        }
        (method, Some(stored)) if method.is_from_organizer() => {
            from_organizer(message, existing, &stored, at)
        }
        (_, Some(stored)) => from_attendee(message, existing, &stored, at),
        (Method::Publish, None) => Received::refused(RequestStatus::UNSUPPORTED),
    }
}

/// Small messages about many instances of a huge series would otherwise cost memory and time without bound.
fn too_large() -> Received {
    let text = "the series is too large for so many instances";
    Received::refused(RequestStatus::TOO_LARGE.with_text(text))
}

fn foreign(text: &str) -> RequestStatus {
    RequestStatus::NO_AUTHORITY.with_text(text)
}

/// An object that is not here yet.
fn invitation(message: &Message, at: &Receiving, zones: &Rc<Zones>) -> Received {
    // What organizers send to themselves is their own copy already, see `sent`.
    if message
        .organizer()
        .is_some_and(|organizer| at.owner.answers_to(organizer))
    {
        return Received::acknowledged();
    }
    if !is_handed_on_rightly(message, at) {
        return Received::refused(foreign("an attendee invites its delegate only"));
    }
    match request::begin(message, zones) {
        Some(object) => Received::stored(None, object),
        None => Received::refused(RequestStatus::UNSUPPORTED),
    }
}

/// RFC 5546 §3.2.2.3: a delegator's REQUEST goes to the delegate that it names.
fn is_handed_on_rightly(message: &Message, at: &Receiving) -> bool {
    message.organizer_speaks_as(at.originator)
        || delegates_of(message, at.originator)
            .iter()
            .any(|it| at.owner.answers_to(it))
}

/// RFC 5546 §3.2.4: an ADD to something unknown is answered with a REFRESH.
fn missing_whole(message: &Message, at: &Receiving) -> Received {
    let mut received = Received::acknowledged();
    if let Some(asker) = at.owner.addresses.first() {
        let listed = message
            .attendees()
            .iter()
            .find(|it| at.owner.answers_to(it));
        received
            .outgoing
            .extend(refresh::ask(message, listed.unwrap_or(asker), at.now));
    }
    received
}

fn from_organizer(
    message: &Message,
    existing: Option<&Calendar>,
    stored: &Object,
    at: &Receiving,
) -> Received {
    let organizer = stored
        .leading()
        .and_then(|it| it.get("ORGANIZER"))
        .and_then(address_of);
    let same_organizer = match (&organizer, message.organizer()) {
        (Some(stored), Some(claimed)) => stored.same_user(claimed),
        _ => false,
    };
    // RFC 5546 §6.1.1, §6.1.3: nobody else takes the object over, be it by naming itself or by knowing the UID.
    if !same_organizer {
        return Received::refused(foreign(
            "the Originator is not the organizer of this object",
        ));
    }
    if !message.organizer_speaks_as(at.originator) {
        // A delegator hands on what the delegate has already.
        return if is_handed_on_rightly(message, at) {
            Received::acknowledged()
        } else {
            Received::refused(foreign("the Originator is not the organizer"))
        };
    }
    if organizer.is_some_and(|organizer| at.owner.answers_to(&organizer)) {
        return Received::acknowledged();
    }
    let role = Role::Attendee(at.owner);
    match message.method() {
        Method::Request => match request::merge(stored, message, role) {
            Some(object) => Received::stored(existing, object),
            None => too_large(),
        },
        Method::Cancel => Received::stored(existing, cancel::apply(stored, message, role)),
        Method::Add => match add::apply(stored, message, role) {
            Added::Taken(object) => Received::stored(existing, *object),
            Added::Stale => Received::acknowledged(),
            Added::Missed => missing_whole(message, at),
        },
        // RFC 5546 §3.2.8: told to the person who proposed.
        _ => Received {
            keep: true,
            ..Received::acknowledged()
        },
    }
}

fn from_attendee(
    message: &Message,
    existing: Option<&Calendar>,
    stored: &Object,
    at: &Receiving,
) -> Received {
    if !stored
        .leading()
        .is_some_and(|leading| at.owner.organizes(leading))
    {
        let text = "the recipient is not the organizer of this object";
        return Received::refused(RequestStatus::INVALID_CALENDAR_USER.with_text(text));
    }
    let Some(sender) = message.attendee_speaking_as(at.originator) else {
        return Received::refused(foreign("the Originator is not an ATTENDEE of the message"));
    };
    let invited = stored
        .components()
        .any(|component| attendee(component, &sender).is_some());
    match message.method() {
        Method::Reply => answer(message, existing, stored, &sender, at),
        // RFC 5546 §6.1.6: only who is invited is told.
        _ if !invited => Received::refused(foreign("the Originator is not invited")),
        Method::Refresh => {
            let latest = refresh::latest(stored, &sender, at.now);
            Received {
                outgoing: latest.into_iter().collect(),
                ..Received::acknowledged()
            }
        }
        // RFC 5546 §3.2.7: the organizer decides.
        _ => Received {
            keep: true,
            ..Received::acknowledged()
        },
    }
}

fn answer(
    message: &Message,
    existing: Option<&Calendar>,
    stored: &Object,
    replier: &CalendarAddress,
    at: &Receiving,
) -> Received {
    let uninvited = if at.accept_uninvited {
        Uninvited::Accepted
    } else {
        Uninvited::Refused
    };
    match answer::apply(stored, message, replier, uninvited) {
        Ok(answered) => {
            let outgoing = answered.tell.iter();
            let outgoing = outgoing
                .filter_map(|who| refresh::latest(&answered.object, who, at.now))
                .collect();
            Received {
                outgoing,
                ..Received::stored(existing, answered.object)
            }
        }
        Err(status) => Received::refused(status),
    }
}
