//! The chain of discovery strategies.

use super::{Handle, PluginInfo};
use convoke_sdk::{CalendarAddress, Discovered, Domain, Error, Result, remote::RemoteDiscovery};
use std::time::Duration;

/// The deadline of a look-up, if its entry says nothing.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// The discovery strategies, in file order.
pub struct DiscoveryChain(Vec<Handle<RemoteDiscovery>>);

impl DiscoveryChain {
    pub(super) fn new(strategies: Vec<Handle<RemoteDiscovery>>) -> Self {
        Self(strategies)
    }

    /// Asks one strategy after the other until one knows.
    ///
    /// [`Discovered::NotMine`]: none of them knows the address. An error: one could not answer and no other did, so
    /// it is worth trying later, and never a permanent refusal.
    pub async fn discover(&self, address: &CalendarAddress) -> Result<Discovered> {
        let mut failed: Option<Error> = None;
        // What breaks at one address of a domain breaks at the next.
        let subject = address.domain().map_or("", Domain::as_str);
        for strategy in &self.0 {
            let call = strategy.remote.discover(address);
            match strategy.call(subject, call).await {
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

    pub(super) fn list(&self) -> Vec<PluginInfo> {
        self.0.iter().map(Handle::info).collect()
    }
}
