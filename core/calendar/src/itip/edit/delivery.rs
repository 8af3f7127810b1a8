//! Delivery of the messages of an edit, recorded in the owner's copy (SCHEDULE-STATUS, RFC 6638 §7.3).
//!
//! It is never an edit itself, whoever writes it or takes it off. Of an edit that is commanded an attendee hears, even if it
//! changes nothing, whom the last one did not reach; an edit that is observed leaves that to whoever delivers.

use crate::itip::address::is_served;
use crate::itip::object::Object;
use crate::itip::participants::delivery_address;
use crate::message::Method;
use crate::tree::{Calendar, Property};
use convoke_types::{CalendarAddress, RequestStatus};
use std::collections::HashMap;

/// Notes in the owner's copy what became of a message of `method` for each recipient: on the ATTENDEE lines of whom the
/// organizer has told something, on the ORGANIZER of whom an attendee has answered (RFC 6638 §7.3). A later status replaces
/// an earlier one. Whom a program tells by itself (RFC 6638 §7.1) is left to that.
///
/// Whom something is called off for, and who is on the list still (an instance is called off, or the whole is kept as cancelled), is
/// shown as told of that, or not. Who was taken off the list has no line on which it could be noted.
#[must_use]
pub fn note_delivery(
    copy: &Calendar,
    method: Method,
    statuses: &[(CalendarAddress, RequestStatus)],
) -> Calendar {
    let mut copy = copy.clone();
    let name = match method {
        Method::Request | Method::Add | Method::Cancel => "ATTENDEE",
        Method::Reply => "ORGANIZER",
        _ => return copy,
    };
    let key = |address: &CalendarAddress| address.as_str().to_ascii_lowercase();
    let said = statuses
        .iter()
        .map(|(who, status)| (key(who), (who, status.code())));
    let said: HashMap<String, (&CalendarAddress, String)> = said.collect();
    let lines = copy.root_mut().components.iter_mut();
    let lines = lines.flat_map(|component| &mut component.properties);
    for line in lines {
        if line.is(name) && is_served(line) {
            let address = delivery_address(line);
            let said = address.as_ref().and_then(|it| said.get(&key(it)));
            if let (Some((who, status)), Some(address)) = (said, address)
                && who.same_user(&address)
            {
                line.set_param(STATUS, status);
            }
        } else if method == Method::Reply && line.is("ATTENDEE") {
            // An attendee has sent nothing to those who are invited like itself.
            line.remove_param(STATUS);
        }
    }
    copy
}

const STATUS: &str = "SCHEDULE-STATUS";

/// Whether the last message to whom a line names did not arrive.
pub(super) fn is_owed(line: &Property) -> bool {
    let status = line.param(STATUS).unwrap_or_default().trim();
    status.starts_with(['3', '4', '5'])
}

/// Forgets of whom the lines of a name say that the last message did not arrive: they are told now.
pub(super) fn drop_owed(object: &mut Object, name: &str) {
    for component in object.components_mut() {
        let lines = component.properties.iter_mut();
        for line in lines.filter(|line| line.is(name) && is_owed(line)) {
            line.remove_param(STATUS);
        }
    }
}
