//! How many connections one address may have at once.

use super::ConnectionsPerAddress;
use crate::network::network;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Those that were turned away are told of at most this often.
const TOLD: Duration = Duration::from_secs(10);

/// Connections of each address: an IPv4 address, or the /64 that one subscriber of IPv6 has to itself.
#[derive(Debug, Default)]
pub(super) struct Addresses(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    connections: HashMap<IpAddr, usize>,
    told: Option<Instant>,
    turned_away: u64,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    addresses: Arc<Addresses>,
    network: IpAddr,
}

impl Addresses {
    /// Counts one more connection from `address`, if there are not too many.
    pub(super) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        limit: ConnectionsPerAddress,
    ) -> Option<Counted> {
        let network = network(address);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = state.connections.entry(network).or_default();
        if *count >= limit.most && (limit.loopback || !network.is_loopback()) {
            state.tell(network);
            return None;
        }
        *count += 1;
        Some(Counted {
            addresses: self.clone(),
            network,
        })
    }
}

impl State {
    fn tell(&mut self, network: IpAddr) {
        self.turned_away += 1;
        if self.told.is_some_and(|told| told.elapsed() < TOLD) {
            return;
        }
        tracing::warn!(
            event = "too-many-connections",
            address = %network,
            closed = self.turned_away,
            "connections beyond `limits.connections_per_address` are closed"
        );
        self.told = Some(Instant::now());
        self.turned_away = 0;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut state = self
            .addresses
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = state.connections.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                state.connections.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_so_many() {
        let addresses = Arc::new(Addresses::default());
        let limit = |loopback| ConnectionsPerAddress { most: 2, loopback };
        let enter =
            |address: &str, loopback| addresses.enter(address.parse().unwrap(), limit(loopback));
        let first = [enter("192.0.2.1", false), enter("::ffff:192.0.2.1", false)];
        assert!(first.iter().all(Option::is_some));
        assert!(enter("192.0.2.1", false).is_none());
        assert!(enter("192.0.2.2", false).is_some());
        let prefix = [enter("2001:db8::1", false), enter("2001:db8::2", false)];
        assert!(prefix.iter().all(Option::is_some));
        assert!(enter("2001:db8::3", false).is_none());
        drop(first);
        assert!(enter("192.0.2.1", false).is_some());
        let _local = [(); 3].map(|()| enter("127.0.0.1", false).unwrap());
        assert!(enter("127.0.0.1", true).is_none());
    }
}
