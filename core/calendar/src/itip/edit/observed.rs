//! Edits that a calendar program has made already: what they mean for others, and what becomes of the object.
//!
//! A command is refused as a whole if a part of it cannot be; what a program has stored is there. So an attendee's program may
//! have changed what is the organizer's: of that nobody is told. Programs raise SEQUENCE at each save or forget it, write no
//! ORGANIZER, and put back what they had read before an answer came; what is remembered of the object sets that right.

use super::diff::called_off_and_left_out;
use super::missing_organizer::{involves_others, with_organizer};
use super::own_answers::{decline, with_own_answers, with_taken_in};
use super::taken_back::{keep_answered, take_back_cancels};
use super::{
    Edit, Told, Versions, Written, attendee, consistency, organizer, permissions, spend_force,
};
use crate::itip::address::is_served;
use crate::itip::object::{Object, same};
use crate::itip::outgoing::Outgoing;
use crate::itip::participants::Owner;
use crate::itip::recall::{forget, recall, take_revision, unremembered};
use crate::itip::request::is_cancelled;
use crate::itip::revision::{Revision, forget_revision};
use crate::message::MessageError;
use crate::tree::{Calendar, Property};
use convoke_types::CalendarAddress;
use jiff::Timestamp;

/// What an edit that was observed leads to.
#[derive(Clone, Debug)]
pub struct Observed {
    /// What is to be remembered of the object from now on, with its protocol state: to the organizer as it was told, to an
    /// attendee as its organizer has told it, with the attendee's own answers. Of a meeting that is gone, that it is called
    /// off or declined: whoever stores it again is told apart by that from whoever never removed it. `None` of what was never
    /// there.
    pub remembered: Option<Calendar>,
    /// What is to be written in the place of what is stored; `None` if that may stay as it is.
    pub rewritten: Option<Calendar>,
    /// To be sent on behalf of the owner.
    pub outgoing: Vec<Outgoing>,
    /// The first thing that an attendee's program has changed of what is the organizer's, for the log. It is told to nobody, and
    /// goes with the organizer's next update.
    pub foreign: Option<MessageError>,
}

/// Given an object as it is remembered and as a calendar program has stored it, the messages to exactly those concerned.
///
/// `remembered` is what [`Observed::remembered`] was the last time, or what was received since. What is to be sent does not
/// depend on how many edits lie between the two, and nothing is left to be sent when it is asked again with what it returned.
/// No time passes in here: whether the meeting is over is for the caller to ask.
///
/// - Where others are invited and no ORGANIZER is named, the owner is; where one was named before, that one still is.
/// - SEQUENCE counts up from what was told where RFC 5546 §2.1.4 wants it, whatever the program did with it. The stored object
///   never says less than what was told, and may say more.
/// - Other times ask the attendees anew. An answer that has come and that the program has written over is put back.
/// - An attendee tells how it answers, whom it delegates to and what it comments, and nothing else.
/// - SCHEDULE-AGENT and SCHEDULE-FORCE-SEND hold as RFC 6638 §7 has them; SCHEDULE-STATUS is no edit.
///
/// # Errors
///
/// Others are to be told, but no valid message can be made of the object: it holds several UIDs, organizers or kinds, or a time
/// that nobody can read; or it becomes another organizer's. Nobody is told then.
///
/// ```
/// use convoke_calendar::{itip::{Owner, observe}, message::Method, tree::{Calendar, Limits}};
/// use convoke_types::CalendarAddress;
/// use jiff::tz::TimeZone;
///
/// // khal has stored a meeting without ORGANIZER.
/// let stored = "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20261201T100000Z\n\
///     DTSTART:20270104T100000Z\nSUMMARY:Review\nATTENDEE:mailto:bo@example.org\nEND:VEVENT\nEND:VCALENDAR\n";
/// let stored = Calendar::parse(stored.as_bytes(), &Limits::default())?;
///
/// let anna = [CalendarAddress::new("anna@example.com")?];
/// let owner = Owner { addresses: &anna, name: Some("Anna"), timezone: TimeZone::UTC };
/// let now = "2026-12-02T08:00:00Z".parse()?;
/// let observed = observe(None, Some(&stored), &owner, now)?;
/// assert_eq!(observed.outgoing[0].message.method(), Method::Request);
/// let rewritten = observed.rewritten.expect("Anna is its organizer now");
/// let organizer = rewritten.main_components().next().and_then(|event| event.get("ORGANIZER"));
/// assert_eq!(organizer.and_then(|line| line.param("CN")), Some("Anna"));
///
/// let again = observe(observed.remembered.as_ref(), Some(&rewritten), &owner, now)?;
/// assert!(again.outgoing.is_empty() && again.rewritten.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn observe(
    remembered: Option<&Calendar>,
    stored: Option<&Calendar>,
    owner: &Owner,
    now: Timestamp,
) -> Result<Observed, MessageError> {
    let mut both = remembered.into_iter().chain(stored);
    if !both.any(|it| involves_others(it, owner)) {
        return Ok(unconcerned(remembered, stored, owner));
    }
    let [was, is] = with_organizer(remembered, stored, owner);
    let versions = Versions::of(was.as_deref(), is.as_deref())?;
    let mut edit = versions.edit(owner, Written::ByProgram, now);
    if let (Some(after), None) = (&is, &edit.new) {
        consistency::check_uninvited(after, owner)?;
        return Ok(unconcerned(remembered, stored, owner));
    }
    let as_stored = stored.and_then(|it| Object::of(it, &edit.zones));
    let [was_organizer, is_organizer] = edit.organizers();
    if was_organizer.is_none() {
        edit.old = None; // it was nobody's meeting
    }
    let seen = match was_organizer.or(is_organizer) {
        Some(address) if owner.answers_to(&address) => by_organizer(edit, is.as_deref(), &address)?,
        Some(_) => by_attendee(edit, is.as_deref())?,
        None => None,
    };
    let Some(seen) = seen else {
        return Ok(unconcerned(remembered, stored, owner));
    };
    let [file, as_stored] =
        [seen.file, as_stored].map(|it| it.map(|it| forget(it.into_calendar())));
    let is_right = file.as_ref().zip(as_stored.as_ref());
    let is_right = is_right.is_none_or(|(file, stored)| same(file, stored));
    Ok(Observed {
        remembered: seen.remembered.map(Object::into_calendar),
        rewritten: file.filter(|_| !is_right),
        outgoing: seen.outgoing,
        foreign: seen.foreign,
    })
}

/// It is nobody else's business for now. Who was on it once has a version, which is not to be told again for another: the
/// file says so as well, for what is remembered may be lost.
fn unconcerned(
    remembered: Option<&Calendar>,
    stored: Option<&Calendar>,
    owner: &Owner,
) -> Observed {
    let known = stored.map(|stored| match remembered {
        Some(remembered) => recall(stored, remembered),
        None => unremembered(stored, owner),
    });
    let counted = stored.zip(known.as_ref());
    let rewritten = counted.and_then(|(stored, known)| counted_as(stored, known, owner));
    Observed {
        remembered: known,
        rewritten,
        outgoing: Vec::new(),
        foreign: None,
    }
}

/// The owner's own object with no less SEQUENCE than was told; `None` if that is so already.
fn counted_as(stored: &Calendar, known: &Calendar, owner: &Owner) -> Option<Calendar> {
    let mut counted = stored.clone();
    let parts = counted.root_mut().components.iter_mut();
    let mut is_less = false;
    for (component, known) in parts.zip(&known.root().components) {
        let told = Revision::of(known);
        let is_own = known.get("ORGANIZER").is_none() || owner.organizes(known);
        if is_own && told.sequence > Revision::stated(component).sequence {
            component.set(Property::new("SEQUENCE", told.sequence.to_string()));
            is_less = true;
        }
    }
    is_less.then(|| forget(counted))
}

/// What an edit leads to, before it is put together again.
struct Seen<'a> {
    remembered: Option<Object<'a>>,
    /// The object as it stands in the owner's calendar then.
    file: Option<Object<'a>>,
    outgoing: Vec<Outgoing>,
    foreign: Option<MessageError>,
}

/// `None` if its own program, or nobody, tells the attendees (RFC 6638 §7.1).
fn by_organizer<'a>(
    edit: Edit<'a>,
    after: Option<&Calendar>,
    address: &CalendarAddress,
) -> Result<Option<Seen<'a>>, MessageError> {
    let Edit {
        old,
        mut new,
        owner,
        now,
        ..
    } = edit;
    take_back_cancels(old.as_ref(), new.as_mut());
    keep_answered(old.as_ref(), new.as_mut());
    if let (Some(after), Some(new)) = (after, &new) {
        consistency::check(after, new, old.as_ref(), owner)?;
    }
    let goes_on = new.as_ref().is_some_and(|it| organizer_line(it).is_some());
    let line = if goes_on { &new } else { &old };
    if !line
        .as_ref()
        .and_then(organizer_line)
        .is_some_and(is_served)
    {
        return Ok(None);
    }
    let written = new.clone().filter(|_| goes_on);
    let known = old.clone();
    let edit = Edit {
        old,
        new: written.clone(),
        ..edit
    };
    let Told { object, outgoing } = organizer::edited(edit, address)?;
    let file = object.clone().zip(written);
    let file = file.map(|(object, written)| with_versions_of(object, &written));
    let remembered = match (object, known) {
        (Some(mut object), Some(known)) => {
            let off = called_off_and_left_out(&known, &object);
            let off: Vec<_> = off.map(|(key, it)| (key.clone(), it.clone())).collect();
            object.instances.extend(off);
            Some(object)
        }
        (object, known) => object.or_else(|| known.map(|old| called_off(old, now))),
    };
    Ok(Some(Seen {
        remembered,
        file,
        outgoing,
        foreign: None,
    }))
}

/// `None` if it is the meeting of others, to which the owner is not invited.
fn by_attendee<'a>(
    edit: Edit<'a>,
    after: Option<&Calendar>,
) -> Result<Option<Seen<'a>>, MessageError> {
    let Edit {
        old, new, owner, ..
    } = edit;
    let mut foreign = None;
    let said = match (&old, &new, after) {
        (Some(old), Some(new), _) => {
            let known = with_taken_in(old, new);
            foreign = permissions::check(&known, new, owner).err();
            Some(with_own_answers(&known, new, owner))
        }
        (None, Some(new), Some(after)) => {
            if !new.components().any(|it| owner.attendee(it).is_some()) {
                return Ok(None);
            }
            consistency::check(after, new, None, owner)?;
            // Its program has got it elsewhere, or what was remembered of it is lost.
            let mut found = new.clone();
            found.components_mut().for_each(forget_revision);
            Some(found)
        }
        _ => None,
    };
    let known = old.clone();
    let edit = Edit {
        old,
        new: said,
        ..edit
    };
    let Told { object, outgoing } = attendee::edited(edit)?;
    let file = new.map(|mut file| {
        spend_force(&mut file);
        file
    });
    Ok(Some(Seen {
        remembered: object.or_else(|| known.map(|old| declined(old, owner))),
        file,
        outgoing,
        foreign,
    }))
}

fn organizer_line<'o>(object: &'o Object) -> Option<&'o Property> {
    object.leading()?.get("ORGANIZER")
}

/// The object with SEQUENCE and DTSTAMP as its program has written them, unless that is less than what was told: what only
/// counts is not worth writing over what people see.
fn with_versions_of<'c>(mut object: Object<'c>, written: &Object) -> Object<'c> {
    let parts = object.components_mut().zip(written.components());
    for (component, written) in parts {
        if Revision::of(written).sequence >= Revision::of(component).sequence {
            take_revision(component, written);
        }
    }
    object
}

/// A meeting of the owner's that is gone.
fn called_off(mut object: Object, now: Timestamp) -> Object {
    for component in object.components_mut() {
        if !is_cancelled(component) {
            component.set(Property::new("STATUS", "CANCELLED"));
            let revision = Revision {
                sequence: Revision::of(component).sequence + 1,
                stamp: Some(now),
            };
            revision.write(component);
        }
    }
    object
}

/// An invitation that the owner has removed.
fn declined<'c>(mut object: Object<'c>, owner: &Owner) -> Object<'c> {
    let components = object.components_mut();
    components.for_each(|component| decline(component, owner));
    object
}
