//! The index that goes with every stored object, so that stores need no iCalendar.

use crate::{limits::Limits, person::Person};
use convoke_calendar::{
    index,
    itip::Owner,
    stream::Outline,
    tree::{self, Calendar},
    zone::unknown_names,
};
use convoke_types::{CalendarUser, Error, ObjectIndex};
use jiff::Timestamp;

/// The index of an object of `owner`.
pub(crate) fn of(
    calendar: &Calendar,
    owner: Option<&Owner<'_>>,
    limits: &Limits,
    now: Timestamp,
) -> Result<ObjectIndex, Error> {
    index::index(calendar, owner, limits.indexed(now)?, &limits.of_objects())
        .map_err(|error| Error::invalid(error.to_string()))
}

/// The index of an object that somebody else has written, as a store asks for it; what is odd about it is logged.
pub fn index_stored(
    user: Option<&CalendarUser>,
    data: &[u8],
    limits: &Limits,
    now: Timestamp,
) -> Result<ObjectIndex, Error> {
    let calendar = Calendar::parse_stored(data, &limits.of_objects())
        .map_err(|error| Error::invalid(error.to_string()))?;
    log_unknown_zones(&calendar, user);
    let Some(user) = user else {
        return of(&calendar, None, limits, now);
    };
    log_oddities(user, &calendar, data);
    of(&calendar, Some(&Person::of(user).owner()), limits, now)
}

/// A time in a zone that nobody knows is read in the zone of whose calendar it is.
fn log_unknown_zones(calendar: &Calendar, user: Option<&CalendarUser>) {
    for tzid in unknown_names(calendar) {
        let uid = calendar.main_components().find_map(|it| it.value("UID"));
        let user = user.map(|user| user.address.as_str());
        tracing::info!(
            event = "unknown-time-zone",
            user,
            uid,
            tzid,
            "an object names a time zone that it does not describe and nobody knows; the user's own is taken"
        );
    }
}

/// Oddities of one object that are told, at most.
const MOST_TOLD: usize = 10;

/// Says in the log what in an object that somebody wrote is not as RFC 5545 has it, and is kept as it is.
fn log_oddities(user: &CalendarUser, calendar: &Calendar, data: &[u8]) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let any = tree::Limits {
        bytes: usize::MAX,
        line_length: usize::MAX,
        ..tree::Limits::default()
    };
    let Ok(outline) = Outline::of(data, &any) else {
        return;
    };
    let faults = outline
        .pieces
        .iter()
        .filter_map(|piece| piece.fault.as_ref());
    for oddity in faults.chain(&outline.remarks).take(MOST_TOLD) {
        let uid = calendar.uid();
        let uid = uid.as_ref().map_or("-", |uid| uid.as_str());
        tracing::info!(
            event = "object-odd",
            user = %user.address,
            uid,
            "kept as it is: {oddity}"
        );
    }
}
