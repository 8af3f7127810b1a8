//! Outgoing messages.

use super::normalize::mend;
use super::object::Object;
use super::participants::attendee;
use super::personal::is_uninvited;
use super::redact::{redact, redact_calendar};
use super::revision::basic;
use crate::message::{Message, MessageError, Method};
use crate::tree::{Calendar, Component, Property, conform};
use crate::zone::{Zones, complete, self_contained};
use convoke_types::CalendarAddress;
use jiff::{Timestamp, tz::TimeZone};

/// A message to be sent, and to whom.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The message.
    pub message: Message,
    /// Who sends it.
    pub originator: CalendarAddress,
    /// Who gets it.
    pub recipients: Vec<CalendarAddress>,
}

/// A submitted message as it may leave the server: without what is of the sender's own copy, see `redact`.
///
/// It has a VTIMEZONE for each zone that it names (RFC 5546 §3.2.2), made where the sender's copy names it only. A zone
/// that nobody knows is `own` in the organizer's calendar, and so it is described as that: else each guest would read the
/// time in a zone of their own. What an attendee sends names it as the organizer does.
///
/// Ask [`addressees`](fn@super::addressees) before, as it heeds SCHEDULE-AGENT.
#[must_use]
pub fn for_sending(message: &Message, own: Option<&TimeZone>) -> Message {
    let zones = Zones::of(message.calendar(), TimeZone::UTC);
    let mut message = message.clone();
    let method = message.method();
    for component in message.components_mut() {
        redact(component, method);
    }
    let unknown = own.filter(|_| method.is_from_organizer());
    complete(&mut message.root_mut().components, &zones, unknown);
    redact_calendar(message.root_mut());
    message
}

/// What a message made here says it comes from.
const PRODUCT: &str = "-//Convoke//Convoke//EN";

/// A message about components, with the time zones that they name. Whatever we send is made here: it holds nothing
/// private, and it is valid as the messages of others must be.
pub(super) fn compose(
    method: Method,
    mut components: Vec<Component>,
    zones: &Zones,
) -> Result<Message, MessageError> {
    for component in &mut components {
        conform(component);
        redact(component, method);
    }
    mend(components.iter_mut(), method, zones);
    let mut calendar = Calendar::new();
    let root = calendar.root_mut();
    root.push(Property::new("VERSION", "2.0"));
    root.push(Property::new("PRODID", PRODUCT));
    root.push(Property::new("METHOD", method.as_str()));
    let own = zones.own();
    let unknown = Some(&own).filter(|_| method.is_from_organizer());
    root.components = self_contained(&mut components, zones, unknown);
    root.components.iter_mut().for_each(conform);
    root.components.extend(components);
    Message::read(calendar)
}

/// The latest version of an object for one attendee: what the organizer has invited it to, nothing else.
pub(super) fn latest_for(
    object: &Object,
    attendee_address: &CalendarAddress,
    now: Timestamp,
) -> Vec<Component> {
    let is_invited =
        |it: &Component| attendee(it, attendee_address).is_some_and(|line| !is_uninvited(line));
    let invited = object.components().filter(|it| is_invited(it));
    let mut told: Vec<Component> = invited
        .map(|component| for_message(component, now))
        .collect();
    if object.master.as_ref().is_some_and(is_invited)
        && let Some(series) = told.first_mut()
    {
        let apart = object.instances.values();
        leave_out(series, apart.filter(|it| !is_invited(it)));
    }
    told
}

/// Leaves instances out of a series in a message to somebody who is invited to that, but not to them.
pub(super) fn leave_out<'c>(
    series: &mut Component,
    instances: impl Iterator<Item = &'c Component>,
) {
    for instance in instances {
        let Some(mut date) = instance.get("RECURRENCE-ID").cloned() else {
            continue;
        };
        "EXDATE".clone_into(&mut date.name);
        date.remove_param("RANGE");
        if !series.all("EXDATE").any(|known| *known == date) {
            series.push(date);
        }
    }
}

/// A stored component as it goes into a message.
pub(super) fn for_message(component: &Component, now: Timestamp) -> Component {
    let mut component = component.clone();
    component.remove("REQUEST-STATUS");
    component.set(Property::new("DTSTAMP", basic(now)));
    component
}
