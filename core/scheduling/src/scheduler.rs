//! Scheduling, held together: the world around it, its limits, and what is owed.

use crate::{
    environment::{Clock, Environment, Stores},
    limits::Limits,
    owed::Owed,
    turns::Turns,
};
use convoke_calendar::itip::Outgoing;
use convoke_types::Domain;

/// Scheduling for the calendar users of one host.
pub struct Scheduler<E> {
    pub(crate) environment: E,
    pub(crate) limits: Limits,
    owed: Owed,
    /// Whose turn it is to book a room.
    pub(crate) turns: Turns,
}

impl<E: Environment> Scheduler<E> {
    /// Scheduling in this environment, within these limits. What is owed goes to `owed`, which may outlive it.
    pub fn new(environment: E, limits: Limits, owed: Owed) -> Self {
        Self {
            environment,
            limits,
            owed,
            turns: Turns::default(),
        }
    }

    /// The world around it.
    pub const fn environment(&self) -> &E {
        &self.environment
    }

    /// Takes note of a message that one of our people owes.
    pub(crate) fn owe(&self, outgoing: Outgoing) {
        let stores = self.environment.stores();
        let is_ours = |domain: &Domain| stores.is_our_domain(domain);
        self.owed
            .add(outgoing, is_ours, self.environment.clock().now());
    }
}
