//! Delivery of the messages of an edit, recorded in the owner's copy (SCHEDULE-STATUS, RFC 6638 §7.3): an attendee who was not
//! reached gets the next edit, even if it changes nothing.

use crate::itip::participants::delivery_address;
use crate::message::Method;
use crate::tree::{Calendar, Property};
use convoke_types::{CalendarAddress, RequestStatus};

/// Notes in the owner's copy for whom a message of `method` came to what. Only failures are noted.
///
/// What called something off leaves nobody on the list for whom it could be noted.
#[must_use]
pub fn note_delivery(
    copy: &Calendar,
    method: Method,
    statuses: &[(CalendarAddress, RequestStatus)],
) -> Calendar {
    let mut copy = copy.clone();
    let name = match method {
        Method::Request | Method::Add => "ATTENDEE",
        Method::Reply => "ORGANIZER",
        _ => return copy,
    };
    let lines = copy.root_mut().components.iter_mut();
    let lines = lines.flat_map(|component| &mut component.properties);
    for line in lines.filter(|line| line.is(name)) {
        let Some(address) = delivery_address(line) else {
            continue;
        };
        let mut said = statuses.iter().filter(|(who, _)| who.same_user(&address));
        if let Some((_, status)) = said.find(|(_, status)| status.is_failure()) {
            line.set_param("SCHEDULE-STATUS", status.code());
        }
    }
    copy
}

/// Whether the last message to whom a line names did not arrive.
pub(super) fn is_owed(line: &Property) -> bool {
    let status = line.param("SCHEDULE-STATUS").unwrap_or_default().trim();
    status.starts_with(['3', '4', '5'])
}
