//! The chain of discovery strategies.

use super::{Handle, PluginInfo};
use convoke_sdk::{CalendarAddress, Discovered, Error, Result, remote::RemoteDiscovery};
use std::{sync::Arc, time::Duration};

/// The deadline of a look-up, if its entry says nothing.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// The discovery strategies, in file order.
#[derive(Clone)]
pub struct DiscoveryChain(Arc<[Handle<RemoteDiscovery>]>);

impl DiscoveryChain {
    pub(super) fn new(strategies: Vec<Handle<RemoteDiscovery>>) -> Self {
        Self(strategies.into())
    }

    /// Asks one strategy after the other until one knows.
    ///
    /// [`Discovered::NotMine`]: none of them knows the address. An error: one could not answer and no other did, so
    /// it is worth trying later, and never a permanent refusal.
    pub async fn discover(&self, address: &CalendarAddress) -> Result<Discovered> {
        let mut failed: Option<Error> = None;
        for strategy in self.0.iter() {
            match strategy.discover(address).await {
                Ok(Discovered::NotMine) => {}
                Ok(known) => return Ok(known),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            None => Ok(Discovered::NotMine),
            Some(error) => Err(Error::unavailable(error.message().to_owned())),
        }
    }

    /// Closes all of them.
    pub(super) async fn close(&self) {
        futures::future::join_all(self.0.iter().map(Handle::<RemoteDiscovery>::close)).await;
    }

    pub(super) fn list(&self) -> Vec<PluginInfo> {
        self.0.iter().map(|strategy| strategy.info()).collect()
    }
}
