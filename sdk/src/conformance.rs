//! Does a plugin keep what its trait promises?
//!
//! A kit asks an opened plugin law by law and reports each by name, so that an author learns which promise is broken
//! and how. The same kits run in `cargo test` and in `convoke plugin test`. In `cargo test` it is one line, the
//! [`conformance!`](crate::conformance!) macro:
//!
//! ```
//! # use convoke_sdk::prelude::*;
//! # struct Nobody;
//! # impl Discovery for Nobody {
//! #     type Config = ();
//! #     async fn open(_: (), _: Host) -> Result<Self> { Ok(Self) }
//! #     async fn discover(&self, _: &CalendarAddress, _: &Call) -> Result<Discovered> { Ok(Discovered::NotMine) }
//! # }
//! convoke_sdk::conformance! { discovery: Nobody, config: "", unknown: ["anna@example.com"] }
//! # fn main() { it_keeps_what_a_discovery_strategy_promises() }
//! ```
//!
//! The functions here are for tests that open plugins in a way of their own.
//!
//! | module | what it asks |
//! | --- | --- |
//! | `discovery` | discovery strategies: 10 laws |
//! | `policy` | policies: 9 laws |
//! | `store` | stores: 30 laws, each with calendar users of its own |
//! | `state` | places for state: 13 laws, each with keys of its own |
//! | [`crash`] | stores: is what was acknowledged there after `kill -9`? |
//! | `runner` | asking for one law: panics, patience, what came of it |
//! | `generator` | random addresses and requests, the same in each run |
//! | `objects` | the calendar objects that the laws put, and a `host` that can index them |
//! | `macros` | the macro, and what it calls |

pub mod crash;
mod discovery;
mod generator;
mod macros;
mod objects;
mod policy;
mod runner;
mod state;
mod store;

pub use discovery::{Samples, discovery};
#[doc(hidden)]
pub use macros::{assert_discovery, assert_policy, assert_state, assert_store};
pub use objects::host;
pub use policy::{DecisionKind, Expected, policy};
pub use state::{StateFacts, state};
pub use store::{Keeps, StoreFacts, store};

use std::fmt;

/// What a kit found, law by law.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Report {
    /// The laws in the order in which they were asked.
    pub laws: Vec<Law>,
}

/// One promise, and whether it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Law {
    /// The promise in words.
    pub name: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of asking for one law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Kept,
    /// It does not: what was expected, and what came.
    Broken(String),
    /// The plugin does not offer what the law is about, or the test does not say what it takes to ask.
    NotAsked(String),
}

impl Report {
    fn push(&mut self, name: &'static str, outcome: Outcome) {
        self.laws.push(Law { name, outcome });
    }

    /// Whether no law was broken.
    pub fn is_kept(&self) -> bool {
        self.broken().next().is_none()
    }

    /// The laws that were broken, each with what came instead.
    pub fn broken(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.laws.iter().filter_map(|law| match &law.outcome {
            Outcome::Broken(how) => Some((law.name, &**how)),
            Outcome::Kept | Outcome::NotAsked(_) => None,
        })
    }

    /// For tests.
    ///
    /// # Panics
    ///
    /// If a law was broken, with the whole report.
    pub fn assert_kept(&self) {
        assert!(self.is_kept(), "\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Law { name, outcome } in &self.laws {
            match outcome {
                Outcome::Kept => writeln!(f, "kept         {name}")?,
                Outcome::NotAsked(why) => writeln!(f, "not asked    {name}: {why}")?,
                Outcome::Broken(how) => writeln!(f, "BROKEN       {name}: {how}")?,
            }
        }
        Ok(())
    }
}
