//! The methods by which a backup reads what a host keeps beside calendars.

use super::{
    api::{StatePage, StoreInbox},
    stores::{OfStores, named},
};
use convoke_plugin_host::Plugins;
use convoke_sdk::Scan;
use convoke_types::{Error, ErrorKind, InboxEntry, Listing, StateEntry};

/// Entries of the state that are read at once.
const ENTRIES: u32 = 200;
/// The bytes that one answer holds, unless its first entry is longer.
const BYTES: usize = 8 << 20;

impl OfStores for StatePage {
    async fn run(self, plugins: &Plugins) -> Result<Vec<StateEntry>, Error> {
        let mut page = plugins.state.scan(&Scan::new(self.range, ENTRIES)).await?;
        let mut bytes = 0;
        let mut fits = |entry: &StateEntry| {
            bytes += entry.key.len() + entry.value.len();
            bytes <= BYTES
        };
        let fitting = page.iter().map_while(|it| fits(it).then_some(())).count();
        page.truncate(fitting.max(1));
        Ok(page)
    }
}

impl OfStores for StoreInbox {
    async fn run(self, plugins: &Plugins) -> Result<Listing<InboxEntry>, Error> {
        let store = named(plugins, &self.store)?;
        match store.inbox_list(&self.user, &self.page).await {
            // Its messages are in the state.
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                Ok(Listing::new(Vec::new(), None))
            }
            listing => listing,
        }
    }
}
