//! Whether what people change in their calendars is told.

use convoke_plugin_host::{Plugins, Schedule, StoreHandle};
use convoke_scheduling::SCHEDULE;
use convoke_types::{CalendarUser, Scheduling};
use std::sync::Arc;

/// Whether the changes of somebody are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// By this host.
    On,
    /// Not by this host.
    Off,
    /// Another store has the calendar that counts.
    Elsewhere,
}

/// Whether the changes of a user of a store are told at all.
pub(crate) fn telling(plugins: &Plugins, store: &Arc<StoreHandle>, user: &CalendarUser) -> Telling {
    // Who is in several stores is where messages go.
    let serving = plugins.stores.for_address(&user.address);
    if serving.is_some_and(|serving| !Arc::ptr_eq(serving, store)) {
        return Telling::Elsewhere;
    }
    let is_off = user.attributes.get(SCHEDULE) == Some("off")
        || (user.attributes.get(CalendarUser::SCHEDULES_ITSELF)).is_some()
        || user.scheduling != Scheduling::Enabled
        || store.schedule() == Schedule::Off;
    if is_off { Telling::Off } else { Telling::On }
}
