//! Scheduling as this host does it: what `convoke-scheduling` asks of the world, answered by plugins, the sender, the
//! processors and the system's clock.
//!
//! | module | what it does |
//! | --- | --- |
//! | `stores` | calendar users and their objects, by the store plugins |
//! | `transport` | to others: to receivers, and by mail |
//! | `telling` | whether what people change is told |
//! | `policies` | who may do what, by the policy plugins; counts what they allow only so often |

mod policies;
mod stores;
mod telling;
mod transport;

pub use stores::OurHome;
pub(crate) use telling::{Telling, telling};
pub use transport::OurTransport;

use crate::{config::Config, shared::SharedState, state::OurState, worker_pool::WorkerPool};
use convoke_plugin_host::{IndexService, Plugins};
use convoke_scheduling::{Clock, Environment, Limits, Scheduler, index_stored};
use jiff::Timestamp;
use policies::OurPolicies;
use std::sync::Arc;
use stores::OurStores;

/// Scheduling for the calendar users of a configuration.
pub fn scheduler(
    config: &Arc<Config>,
    plugins: &Arc<Plugins>,
    transport: OurTransport,
    shared: &Arc<SharedState>,
) -> Scheduler<World> {
    let world = World {
        stores: OurStores::new(config.clone(), plugins.clone()),
        policies: OurPolicies::new(plugins.clone(), shared.clone()),
        state: OurState::of(plugins),
        transport,
        shared: shared.clone(),
    };
    let limits = config.limits.messages.clone();
    Scheduler::new(world, limits, config.scheduling, shared.scheduling.clone())
}

/// What answers a plugin that asks for an index ([`Host::index`](convoke_sdk::Host::index)).
pub fn index_service(limits: Limits) -> IndexService {
    Arc::new(move |user, data: &[u8]| index_stored(user, data, &limits, Timestamp::now()))
}

/// The world around scheduling.
pub struct World {
    stores: OurStores,
    policies: OurPolicies,
    state: OurState,
    transport: OurTransport,
    shared: Arc<SharedState>,
}

impl Environment for World {
    type Stores = OurStores;
    type Policies = OurPolicies;
    type Transport = OurTransport;
    type Clock = SystemClock;
    type Processor = WorkerPool;
    type Journal = SharedState;
    type State = OurState;

    fn stores(&self) -> &OurStores {
        &self.stores
    }

    fn policies(&self) -> &OurPolicies {
        &self.policies
    }

    fn transport(&self) -> &OurTransport {
        &self.transport
    }

    fn clock(&self) -> &SystemClock {
        &SystemClock
    }

    fn processor(&self) -> &WorkerPool {
        &self.shared.workers
    }

    fn journal(&self) -> &SharedState {
        &self.shared
    }

    fn state(&self) -> &OurState {
        &self.state
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
