//! Does a plugin keep what its trait promises?
//!
//! A kit asks an opened plugin law by law and reports each by name, so that an author learns which promise is broken
//! and how. The same kits run in `cargo test` and in `convoke plugin test`.
//!
//! ```no_run
//! # use convoke_sdk::prelude::*;
//! # async fn test<MyStore: Store<Config = ()>>() {
//! use convoke_sdk::conformance;
//!
//! let folder = std::env::temp_dir().join("my-store");
//! let open = || MyStore::open((), conformance::host(&folder));
//! conformance::store(open).await.assert_kept();
//! # }
//! ```
//!
//! | module | what it asks |
//! | --- | --- |
//! | `store` | stores: 22 laws, each with calendar users of its own |
//! | [`crash`] | stores: is what was acknowledged there after `kill -9`? |
//! | `objects` | the calendar objects that the laws put, and a `host` that can index them |
//!
//! Not here yet: kits for discovery strategies and policies.

pub mod crash;
mod objects;
mod store;

pub use objects::host;
pub use store::store;

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
    /// The plugin does not offer what the law is about.
    NotOffered(String),
}

impl Report {
    /// Whether no law was broken.
    pub fn is_kept(&self) -> bool {
        self.broken().next().is_none()
    }

    /// The laws that were broken, each with what came instead.
    pub fn broken(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.laws.iter().filter_map(|law| match &law.outcome {
            Outcome::Broken(how) => Some((law.name, &**how)),
            Outcome::Kept | Outcome::NotOffered(_) => None,
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
                Outcome::NotOffered(why) => writeln!(f, "not offered  {name}: {why}")?,
                Outcome::Broken(how) => writeln!(f, "BROKEN       {name}: {how}")?,
            }
        }
        Ok(())
    }
}
