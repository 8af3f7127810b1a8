//! The index that goes with every stored object, so that stores need no iCalendar.

use super::timezone_of;
use crate::plugin::IndexService;
use convoke_calendar::{
    index,
    itip::Owner,
    tree::{Calendar, Limits},
};
use convoke_sdk::{CalendarUser, Error};
use convoke_types::{ObjectIndex, TimeRange};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// Busy time is indexed from a year back to two years ahead; what lies outside is expanded when it is asked for.
const BACK: SignedDuration = SignedDuration::from_hours(24 * 366);
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 366 * 2);

/// The index of an object of `owner`.
pub(super) fn index(
    calendar: &Calendar,
    owner: Option<&Owner>,
    limits: &Limits,
) -> Result<ObjectIndex, Error> {
    let now = Timestamp::now();
    let horizon = TimeRange::new(
        now.saturating_sub(BACK).unwrap_or(Timestamp::MIN),
        now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX),
    )?;
    index::index(calendar, owner, horizon, limits)
        .map_err(|error| Error::invalid(error.to_string()))
}

/// What answers a plugin that asks for an index ([`Host::index`](convoke_sdk::Host::index)).
pub fn index_service(limits: Limits) -> IndexService {
    Arc::new(move |user: Option<&CalendarUser>, data: &[u8]| {
        let calendar =
            Calendar::parse(data, &limits).map_err(|error| Error::invalid(error.to_string()))?;
        let Some(user) = user else {
            return index(&calendar, None, &limits);
        };
        let addresses: Vec<_> = std::iter::once(&user.address)
            .chain(&user.aliases)
            .cloned()
            .collect();
        let owner = Owner {
            addresses: &addresses,
            timezone: timezone_of(user),
        };
        index(&calendar, Some(&owner), &limits)
    })
}
