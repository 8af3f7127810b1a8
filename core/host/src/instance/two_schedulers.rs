//! `schedule = "auto"` of a store, where what lies behind the store tells people by itself: two that do would tell everybody
//! twice.

use super::ServeError;
use convoke_plugin_host::{Plugins, Schedule, StoreHandle};
use convoke_types::{CalendarUser, Page};

/// Users that are looked at: what schedules for one of them does so for all, mostly.
const USERS: u32 = 50;

/// Refuses it. A store that cannot be asked now is not refused: who is scheduled for there is not told by this host
/// either, once it answers.
pub(super) async fn refuse(plugins: &Plugins) -> Result<(), ServeError> {
    for store in plugins.stores.iter() {
        if store.schedule() == Schedule::Auto
            && let Some(sentence) = other_scheduler(store).await
        {
            return Err(ServeError::TwoSchedulers {
                store: store.name().to_owned(),
                sentence,
            });
        }
    }
    Ok(())
}

/// What schedules for the users of a store by itself, and how it is switched off.
pub(crate) async fn other_scheduler(store: &StoreHandle) -> Option<String> {
    let users = store.users(&Page::first(USERS)).await.ok()?;
    let mut said = users.items.iter();
    said.find_map(|user| user.attributes.get(CalendarUser::SCHEDULES_ITSELF))
        .map(str::to_owned)
}
