//! A calendar user as calendar objects know it: its addresses, its name and its time zone.

use convoke_calendar::itip::Owner;
use convoke_types::{CalendarAddress, CalendarUser};
use jiff::tz::TimeZone;

/// The attribute of a calendar user that says whether others are told what changes in its calendar: `on`, as if it were not
/// there, or `off`.
pub const SCHEDULE: &str = "schedule";

/// A calendar user as calendar objects know it.
#[derive(Clone, Debug)]
pub struct Person {
    addresses: Vec<CalendarAddress>,
    name: Option<String>,
    timezone: TimeZone,
}

impl Person {
    /// With the main address first, and UTC where no time zone is known.
    pub fn of(user: &CalendarUser) -> Self {
        let addresses = std::iter::once(&user.address).chain(&user.aliases);
        Self {
            addresses: addresses.cloned().collect(),
            name: user.name.clone(),
            timezone: timezone_of(user),
        }
    }

    /// The same, who speaks as `address` where a message names nobody.
    #[must_use]
    pub(crate) fn addressed_as(mut self, address: &CalendarAddress) -> Self {
        self.addresses.sort_by_key(|own| !own.same_user(address));
        self
    }

    /// What the iTIP engine asks for.
    pub fn owner(&self) -> Owner<'_> {
        Owner {
            addresses: &self.addresses,
            name: self.name.as_deref(),
            timezone: self.timezone.clone(),
        }
    }
}

fn timezone_of(user: &CalendarUser) -> TimeZone {
    let Some(name) = &user.timezone else {
        return TimeZone::UTC;
    };
    TimeZone::get(name).unwrap_or_else(|_| {
        tracing::warn!(event = "unknown-time-zone", user = %user.address, "the time zone `{name}` is not known; UTC is used");
        TimeZone::UTC
    })
}
