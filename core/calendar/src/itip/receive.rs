//! Processing a message that has arrived for a calendar user.

use super::apply_reply::{Standing, apply_reply};
use super::delegation::delegates;
use super::doubtful::may_be_older;
use super::object::{Object, same};
use super::outgoing::Outgoing;
use super::participants::{Owner, address_of};
use super::personal::Role;
use super::senders_own::without_senders_own;
use super::unheard::unheard_answers;
use super::zone_alignment::{SideBySide, anchored, drop_unused};
use super::{
    add::{self, Added},
    cancel, refresh, request,
};
use crate::message::{Kind, Message, Method, Provenance};
use crate::tree::{Calendar, Component};
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
    /// How it came, and what the proof covers.
    pub from: Provenance<'a>,
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
    /// What the sender is not told, for the administrator's log.
    pub anomaly: Option<Anomaly>,
}

/// What is odd about a message, beyond what its status tells the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Anomaly {
    /// Its UID is that of something else that the recipient has.
    UidTaken {
        /// Who organizes that; nobody, if the recipient made it for itself.
        organizer: Option<CalendarAddress>,
    },
    /// It is about something that the recipient does not have.
    Unknown,
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
            anomaly: None,
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
    let sender = match message.check_originator(at.originator, at.from) {
        Ok(sender) => sender,
        Err(error) => return Received::refused(error.status()),
    };
    let existing = match existing {
        Some(other) if is_from_another(message, other) => {
            if is_in_the_way(other, at.owner) {
                return uid_taken(message, other);
            }
            None
        }
        existing => existing,
    };
    let message = &*without_senders_own(message);
    let both = SideBySide::of(message, existing, &at.owner.timezone);
    let (message, existing) = (both.message(), both.existing());
    let zones = both.zones(at.owner.timezone.clone());
    let stored = existing
        .and_then(|it| Object::of(it, &zones))
        .filter(|object| object.is_kind(message.kind()))
        .map(|object| object.with_possible_versions(at.now));
    match stored {
        stored if !message.method().is_from_organizer() => {
            from_attendee(message, existing, stored.as_ref(), &sender, at)
        }
        Some(stored) => from_organizer(message, existing, &stored, at),
        None => from_new_organizer(message, at, &zones),
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

/// The ORGANIZER that an object names.
fn organizer(component: &Component) -> Option<CalendarAddress> {
    component.get("ORGANIZER").and_then(address_of)
}

/// Whether a message comes from another organizer than that of what is stored, or is about another kind of object.
fn is_from_another(message: &Message, existing: &Calendar) -> bool {
    let kind = message.kind().as_str();
    let parts = || existing.main_components().filter(|it| it.is(kind));
    let whole = parts().find(|it| it.get("RECURRENCE-ID").is_none());
    let organizer = whole.or_else(|| parts().next()).and_then(organizer);
    let organizers = organizer.zip(message.organizer());
    let is_theirs = organizers.is_some_and(|(it, claimed)| it.same_user(claimed));
    message.method().is_from_organizer() && !is_theirs
}

/// Whether what is stored keeps its UID from another organizer: unless all of it was called off by somebody else, so that
/// nobody holds a UID by having guessed it first.
fn is_in_the_way(existing: &Calendar, owner: &Owner) -> bool {
    let is_off = |it: &Component| {
        let is_invitation = organizer(it).is_some_and(|address| !owner.answers_to(&address));
        is_invitation && request::is_cancelled(it)
    };
    !existing.main_components().all(is_off)
}

/// The UID is that of something that is not the message's organizer's (or of another kind).
///
/// RFC 5546 §6.1.1, §6.1.3: nobody takes an object over, be it by naming itself or by knowing the UID. Spec §9: what calls
/// off something that the recipient does not have from that organizer is done already, and does not tell whether there is
/// such a UID.
fn uid_taken(message: &Message, existing: &Calendar) -> Received {
    let organizer = existing.main_components().find_map(organizer);
    let outcome = match message.method() {
        Method::Cancel | Method::DeclineCounter => Received::acknowledged(),
        _ => Received::refused(foreign("the UID is that of another object")),
    };
    Received {
        anomaly: Some(Anomaly::UidTaken { organizer }),
        ..outcome
    }
}

/// There is nothing of the message's organizer.
fn from_new_organizer(message: &Message, at: &Receiving, zones: &Rc<Zones>) -> Received {
    match message.method() {
        Method::Request => invitation(message, at, zones),
        Method::Add => latest_is_asked_for(message, at),
        // Spec §9: CANCEL of something unknown is 2.0.
        Method::Cancel | Method::DeclineCounter => Received {
            anomaly: Some(Anomaly::Unknown),
            ..Received::acknowledged()
        },
        _ => Received::refused(RequestStatus::UNSUPPORTED),
    }
}

/// An object that is not here yet, or in the place of what another has called off.
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
    let from_organizer = message.organizer_spoken_for(at.originator, at.from);
    from_organizer.is_some()
        || delegates(message, at.originator)
            .is_ok_and(|named| named.iter().any(|it| at.owner.answers_to(it)))
}

/// RFC 5546 §3.2.4: an ADD to something unknown is answered with a REFRESH. So is what may be older than what is stored.
fn latest_is_asked_for(message: &Message, at: &Receiving) -> Received {
    let mut received = Received::acknowledged();
    let mut lines = message.components().flat_map(|it| it.all("ATTENDEE"));
    let listed = lines.find_map(|line| at.owner.reply_address(line));
    if let Some(asker) = listed.or_else(|| at.owner.addresses.first().cloned()) {
        received
            .outgoing
            .extend(refresh::ask(message, &asker, at.now));
    }
    received
}

/// A message about an object of its organizer.
fn from_organizer(
    message: &Message,
    existing: Option<&Calendar>,
    stored: &Object,
    at: &Receiving,
) -> Received {
    if message
        .organizer_spoken_for(at.originator, at.from)
        .is_none()
    {
        // A delegator hands on what the delegate has already.
        return if is_handed_on_rightly(message, at) {
            Received::acknowledged()
        } else {
            Received::refused(foreign("the Originator is not the organizer"))
        };
    }
    let organizer = message.organizer();
    if organizer.is_some_and(|organizer| at.owner.answers_to(organizer)) {
        return Received::acknowledged();
    }
    if stored.outgrows_with(message.components()) {
        return too_large();
    }
    let message = &*anchored(message, stored);
    if message.method() != Method::DeclineCounter && may_be_older(stored, message) {
        return latest_is_asked_for(message, at);
    }
    let role = Role::Attendee(at.owner);
    match message.method() {
        Method::Request => match request::merge(stored, message, role) {
            Some(object) => Received {
                outgoing: unheard_answers(stored, message, &object, at.owner, at.now),
                ..Received::stored(existing, object)
            },
            None => too_large(),
        },
        Method::Cancel => Received::stored(existing, cancel::apply(stored, message, role)),
        Method::Add => match add::apply(stored, message, role) {
            Added::Taken(object) => Received::stored(existing, *object),
            Added::Stale => Received::acknowledged(),
            Added::Missed => latest_is_asked_for(message, at),
        },
        // RFC 5546 §3.2.8: told to the person who proposed.
        _ => Received {
            keep: true,
            ..Received::acknowledged()
        },
    }
}

/// An attendee's message to its organizer. Whoever is not invited gets one answer, whether or not there is such a UID
/// here and whoever organizes it (RFC 5546 §6.1.6).
fn from_attendee(
    message: &Message,
    existing: Option<&Calendar>,
    stored: Option<&Object>,
    sender: &CalendarAddress,
    at: &Receiving,
) -> Received {
    let organized = stored.filter(|object| {
        let leading = object.leading();
        leading.is_some_and(|leading| at.owner.organizes(leading))
    });
    let known = organized.and_then(|object| Some((object, standing(message, object, sender, at)?)));
    let Some((stored, standing)) = known else {
        return Received::refused(foreign(
            "the recipient organizes nothing of this UID to which the Originator is invited",
        ));
    };
    if stored.outgrows_with(message.components()) {
        return too_large();
    }
    let message = &*anchored(message, stored);
    match message.method() {
        Method::Reply => receive_reply(message, existing, stored, sender, standing, at),
        Method::Refresh => {
            let latest = refresh::latest(stored, sender, at.now);
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

/// What the sender is to the object, if that is enough for its message: who is not invited may answer where it is
/// welcome, and do nothing else.
fn standing(
    message: &Message,
    object: &Object,
    sender: &CalendarAddress,
    at: &Receiving,
) -> Option<Standing> {
    let known = Standing::of(object, sender);
    if known == Some(Standing::Invited) || message.method() != Method::Reply {
        return known.filter(|it| *it == Standing::Invited);
    }
    // An agent answers for who is invited. Without ORGANIZER the invitation alone tells what is meant.
    let is_welcome =
        at.accept_uninvited && sender.same_user(at.originator) && message.organizer().is_some();
    known.or(is_welcome.then_some(Standing::Uninvited))
}

fn receive_reply(
    message: &Message,
    existing: Option<&Calendar>,
    stored: &Object,
    replier: &CalendarAddress,
    standing: Standing,
    at: &Receiving,
) -> Received {
    match apply_reply(stored, message, replier, standing, at.owner) {
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
