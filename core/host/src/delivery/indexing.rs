//! The index that goes with every stored object, so that stores need no iCalendar.

use super::timezone_of;
use convoke_calendar::{
    index,
    itip::Owner,
    tree::{Calendar, Limits, Outline},
    zone::unknown_names,
};
use convoke_plugin_host::IndexService;
use convoke_sdk::{CalendarUser, Error, Room};
use convoke_types::{ObjectIndex, TimeRange};
use jiff::{SignedDuration, Timestamp};
use std::{sync::Arc, time::Duration};

/// Busy time is indexed from a year back; what lies before is expanded when it is asked for.
const BACK: SignedDuration = SignedDuration::from_hours(24 * 366);

/// How objects are read and indexed.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// What an object may ask of us.
    pub limits: Limits,
    /// How far ahead busy time is indexed (`[server] horizon`).
    pub ahead: Duration,
    /// How much is kept for a user to decide on (`[limits] inbox`).
    pub room: Room,
}

/// Of what is kept for a user, one sender may take one in so many.
const SENDERS: u64 = 8;

/// So many bytes, of which no sender takes all; but the longest message there may be fits.
pub fn room(inbox: usize, content_length: usize) -> Room {
    let total = inbox as u64;
    Room {
        total,
        of_sender: (total / SENDERS).max(content_length as u64).min(total),
    }
}

impl Bounds {
    /// The time that is indexed of what repeats for ever.
    pub(super) fn horizon(&self, now: Timestamp) -> Result<TimeRange, Error> {
        let begin = now.saturating_sub(BACK).unwrap_or(Timestamp::MIN);
        let end = now.saturating_add(self.ahead).unwrap_or(Timestamp::MAX);
        Ok(TimeRange::new(begin, end)?)
    }
}

/// The index of an object of `owner`.
pub(super) fn index(
    calendar: &Calendar,
    owner: Option<&Owner>,
    bounds: &Bounds,
) -> Result<ObjectIndex, Error> {
    let horizon = bounds.horizon(Timestamp::now())?;
    index::index(calendar, owner, horizon, &bounds.limits)
        .map_err(|error| Error::invalid(error.to_string()))
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

/// What answers a plugin that asks for an index ([`Host::index`](convoke_sdk::Host::index)).
pub fn index_service(bounds: Bounds) -> IndexService {
    Arc::new(move |user: Option<&CalendarUser>, data: &[u8]| {
        let calendar = Calendar::parse_stored(data, &bounds.limits)
            .map_err(|error| Error::invalid(error.to_string()))?;
        log_unknown_zones(&calendar, user);
        let Some(user) = user else {
            return index(&calendar, None, &bounds);
        };
        let addresses: Vec<_> = std::iter::once(&user.address)
            .chain(&user.aliases)
            .cloned()
            .collect();
        let owner = Owner {
            addresses: &addresses,
            timezone: timezone_of(user),
        };
        tell_oddities(user, &calendar, data);
        index(&calendar, Some(&owner), &bounds)
    })
}

/// Oddities of one object that are told, at most.
const MOST_TOLD: usize = 10;

/// Says in the log what in an object that somebody wrote is not as RFC 5545 has it, and is kept as it is.
fn tell_oddities(user: &CalendarUser, calendar: &Calendar, data: &[u8]) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let any = Limits {
        bytes: usize::MAX,
        line_length: usize::MAX,
        ..Limits::default()
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
