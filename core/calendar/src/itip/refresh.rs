//! REFRESH: an attendee asks for the latest version (RFC 5546 §3.2.6, §3.4.6); and asking for it.

use super::object::Object;
use super::outgoing::{Outgoing, compose, latest_for};
use super::participants::attendee;
use super::request::is_cancelled;
use super::revision::basic;
use crate::message::{Message, Method};
use crate::tree::{Component, Property};
use crate::zone::Zones;
use convoke_types::CalendarAddress;
use jiff::{Timestamp, tz::TimeZone};

/// The latest version for one attendee; `None` if it is not invited.
pub(super) fn latest(object: &Object, asker: &CalendarAddress, now: Timestamp) -> Option<Outgoing> {
    let mut components = latest_for(object, asker, now);
    // RFC 5546 §3.4.6: a cancelled one is answered with a CANCEL.
    let method = match object.leading() {
        Some(leading) if is_cancelled(leading) => Method::Cancel,
        _ => Method::Request,
    };
    if method == Method::Cancel {
        components.truncate(1);
    }
    let organizer = CalendarAddress::new(object.leading()?.value("ORGANIZER")?).ok()?;
    let message = compose(method, components, &object.zones).ok()?;
    Some(Outgoing {
        message,
        originator: organizer,
        recipients: vec![asker.clone()],
    })
}

/// The question for the latest version, from the one whose copy lacks something that `message` builds on.
pub(super) fn ask(message: &Message, asker: &CalendarAddress, now: Timestamp) -> Option<Outgoing> {
    let organizer = message.organizer()?.clone();
    let about = message.components().next()?;
    let line = attendee(about, asker).filter(|line| asker.is_written_as(&line.value));
    let line = line.map_or_else(|| asker.as_str().to_owned(), |line| line.value.clone());
    let mut question = Component::new(message.kind().as_str());
    question.push(Property::new("UID", about.value("UID")?));
    question.push(Property::new("DTSTAMP", basic(now)));
    question.push(Property::new("ORGANIZER", organizer.as_str()));
    question.push(Property::new("ATTENDEE", line));
    let zones = Zones::of(message.calendar(), TimeZone::UTC);
    let message = compose(Method::Refresh, vec![question], &zones).ok()?;
    Some(Outgoing {
        message,
        originator: asker.clone(),
        recipients: vec![organizer],
    })
}
