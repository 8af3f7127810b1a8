//! Scheduling as this host does it: what `convoke-scheduling` asks of the world, answered by plugins, the sender, the
//! processors and the system's clock.
//!
//! | module | what it does |
//! | --- | --- |
//! | `stores` | calendar users and their objects, by the store plugins |
//! | `policies` | who may do what, by the policy plugins; counts what they allow only so often |

mod policies;
mod stores;

pub use stores::OurHome;

use crate::{config::Config, sender::Sender, shared::SharedState};
use convoke_plugin_host::{IndexService, Plugins};
use convoke_scheduling::{
    Clock, Environment, Event, Journal, Limits, Overloaded, Peer, Processor, Scheduler,
    index_stored,
};
use jiff::Timestamp;
use policies::OurPolicies;
use std::sync::Arc;
use stores::OurStores;

/// Scheduling for the calendar users of a configuration.
pub fn scheduler(
    config: &Arc<Config>,
    plugins: &Arc<Plugins>,
    sender: Sender,
    shared: &Arc<SharedState>,
) -> Scheduler<World> {
    let world = World {
        stores: OurStores::new(config.clone(), plugins.clone()),
        policies: OurPolicies::new(plugins.clone(), shared.clone()),
        sender,
        shared: shared.clone(),
    };
    Scheduler::new(world, config.limits.messages.clone(), shared.owed.clone())
}

/// What answers a plugin that asks for an index ([`Host::index`](convoke_sdk::Host::index)).
pub fn index_service(limits: Limits) -> IndexService {
    Arc::new(move |user, data: &[u8]| index_stored(user, data, &limits, Timestamp::now()))
}

/// The world around scheduling.
pub struct World {
    stores: OurStores,
    policies: OurPolicies,
    sender: Sender,
    shared: Arc<SharedState>,
}

impl Environment for World {
    type Stores = OurStores;
    type Policies = OurPolicies;
    type Transport = Sender;

    fn stores(&self) -> &OurStores {
        &self.stores
    }

    fn policies(&self) -> &OurPolicies {
        &self.policies
    }

    fn transport(&self) -> &Sender {
        &self.sender
    }
}

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

impl Processor for World {
    fn run<T: Send>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send,
    ) -> impl Future<Output = T> + Send {
        self.shared.labour.run(bytes, work)
    }

    fn run_for<T: Send>(
        &self,
        peer: &Peer,
        bytes: usize,
        work: impl FnOnce() -> T + Send,
    ) -> impl Future<Output = Result<T, Overloaded>> + Send {
        self.shared.labour.run_for(peer, bytes, work)
    }
}

impl Journal for World {
    fn record(&self, event: &Event<'_>) {
        self.shared.metrics.scheduled(event);
    }
}
