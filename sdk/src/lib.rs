//! Write plugins for Convoke: how receivers are found, who may do what, where calendars live, and where the host keeps
//! what it must not forget.
//!
//! A plugin is a library that implements one or more of four traits, [`Discovery`], [`Policy`], [`Store`] and [`State`],
//! and names them in [`plugin!`]. It may be built with any compiler from Rust 1.88 on, and loads in every host that
//! speaks the same major version of the plugin ABI.
//!
//! # The first plugin
//!
//! `Cargo.toml`:
//!
//! ```toml
//! [package]
//! name = "acme-fixed"
//! version = "1.0.0"
//! edition = "2024"
//!
//! [lib]
//! crate-type = ["cdylib", "rlib"]
//!
//! [dependencies]
//! convoke-sdk = "0.1"
//! ```
//!
//! `src/lib.rs`:
//!
//! ```
//! use convoke_sdk::prelude::*;
//!
//! convoke_sdk::config! {
//!     /// Receivers written down by the administrator.
//!     struct Fixed {
//!         /// The receiver of each domain.
//!         domains: BTreeMap<Domain, ReceiverUrl>,
//!     }
//! }
//!
//! impl Discovery for Fixed {
//!     type Config = Self;
//!
//!     async fn open(config: Self, _host: Host) -> Result<Self> {
//!         Ok(config)
//!     }
//!
//!     async fn discover(&self, address: &CalendarAddress, _: &Call) -> Result<Discovered> {
//!         Ok(match self.domains.get(address.domain()?) {
//!             Some(url) => Discovered::receiver(url.clone()),
//!             None => Discovered::NotMine, // the next strategy is asked
//!         })
//!     }
//! }
//!
//! convoke_sdk::plugin! { name: "fixed", discovery: Fixed }
//! # fn main() {}
//! ```
//!
//! `cargo build --release` makes `target/release/libacme_fixed.so`; copy it into a plugin folder of the host as
//! `fixed.so`, and use it in `convoke.toml`:
//!
//! ```toml
//! [[discovery]]
//! plugin = "fixed"
//! config.domains."example.com" = "https://cal.example.com/.well-known/ischedule"
//! ```
//!
//! # What surrounds a plugin
//!
//! - **Configuration.** `type Config` is a struct made by [`config!`], or any type that serde can read; the entry's
//!   `config` table becomes it. An error names the key and what was expected. `type Config = ()` takes no keys.
//! - **Concurrency.** One value is opened for each entry of the configuration, and called from many threads at once.
//!   A call may be dropped before it ends: its deadline passed, or the peer went away. [`Call`] says until when it is
//!   waited for. The last call is `close`, which is waited for.
//! - **tokio.** Every call runs inside a runtime of the plugin's own: timers, sockets and `spawn` work. A call must
//!   not block its thread, which is the host's; `tokio::task::spawn_blocking` is there for what does.
//! - **Panics** become [`ErrorKind::Internal`] with their text and place, and cost that call only. The plugin must be
//!   built with `panic = "unwind"`, which is cargo's default.
//! - **Logging.** `tracing` events appear in the host's log under the entry's name. Spans do not cross.
//! - **Host services.** [`Host`], given to `open`: paths, a folder for what the plugin must remember, secrets from
//!   files, metrics, health, the certificates and name servers to use, and the index of an iCalendar object.
//!
//! # What lies where
//!
//! | | |
//! | --- | --- |
//! | [`Discovery`], [`Discovered`], [`Receiver`] | finding the server of an address |
//! | [`Policy`], [`AccessRequest`], [`Decision`] | who may do what |
//! | [`Store`] and its values | where calendars live |
//! | [`State`] and its values | where the host keeps what it must not forget |
//! | [`Call`], [`Attributes`] | what goes with every call; further facts by name |
//! | [`config!`], [`ConfigSchema`], [`Key`], [`Presence`] | what the administrator may write |
//! | [`Error`], [`ErrorKind`] | what a plugin says when it cannot |
//! | [`Host`] | what the host offers: [`Metric`], [`Health`], [`Secret`], [`Network`]; [`TestHost`] for tests |
//! | [`mirror`] | for stores: what is known of objects that others may change |
//! | [`parts`] | for stores: several objects in one file |
//! | [`bands`] | for stores in databases: busy time by one indexed scan |
//! | [`excerpt`] | a text from outside, made fit for a message |
//! | `dns`, with the feature `dns` | asks name servers as the host does |
//! | `tls`, with the feature `tls` | believes the servers that the host believes |
//! | [`prelude`] | all of it in one `use` |
//!
//! The tutorial is in `README.md` beside this crate, what the binary interface promises in `ABI.md`.
//!
//! Nothing of the binary interface shows: `convoke-abi` holds it, and [`plugin!`] writes it down.

// What `config!` writes names this crate, here as elsewhere.
extern crate self as convoke_sdk;

pub mod bands;
mod call;
#[doc(hidden)]
pub mod config_schema;
#[doc(hidden)]
pub mod config_words;
#[cfg(feature = "conformance")]
pub mod conformance;
mod discovery;
mod host;
mod methods;
pub mod mirror;
pub mod parts;
mod plugin;
mod policy;
mod sharing;
mod state;
mod store;
mod wire;

#[doc(hidden)]
pub mod guest;
#[cfg(feature = "host")]
pub mod remote;

pub use call::{Call, Purpose};
pub use config_schema::{ConfigSchema, Key, Presence};
#[cfg(feature = "dns")]
pub use convoke_dns as dns;
#[cfg(feature = "tls")]
pub use convoke_tls as tls;
pub use convoke_types::{
    Anonymous, Attributes, Batch, Busy, BusySpan, BusyType, CalendarAddress, CalendarUser, Changed,
    Changes, Committed, Condition, Cursor, Detail, Domain, EmptyRange, Error, ErrorKind, Etag,
    InboxEntry, InboxMessage, InvalidAddress, InvalidDomain, InvalidId, InvalidRate, InvalidUrl,
    KeyRange, Listing, MailProof, MessageId, NewObject, NewUser, NoDomain, ObjectIndex,
    ObjectSummary, Page, Precondition, Proof, Rate, ReceiverUrl, Result, Room, Scan, Scheduling,
    StateEntry, StateWrite, StoredObject, TimeRange, Uid, Uninvited, UserId, UserKind, Watch,
    Watched, excerpt,
};
pub use discovery::{Discovered, Discovery, Dnssec, Receiver, Source};
pub use host::{
    Counter, Gauge, Health, Histogram, Host, Metric, MetricKind, Network, Secret, TestHost, Trust,
    TrustedCertificate,
};
pub use policy::{AccessRequest, Acquaintance, Action, Decision, Grant, Policy, RateLimit};
pub use sharing::Sharing;
pub use state::State;
pub use store::{Delivery, Store};

pub use {jiff, serde, tracing};

/// Everything a plugin needs, in one `use`.
pub mod prelude {
    pub use crate::{
        AccessRequest, Acquaintance, Action, Anonymous, Attributes, Batch, Busy, BusySpan,
        BusyType, CalendarAddress, CalendarUser, Call, Changed, Changes, Committed, Condition,
        Cursor, Decision, Delivery, Detail, Discovered, Discovery, Dnssec, Domain, Error,
        ErrorKind, Etag, Grant, Host, InboxEntry, InboxMessage, KeyRange, Listing, MailProof,
        MessageId, NewObject, NewUser, ObjectIndex, ObjectSummary, Page, Policy, Precondition,
        Proof, Purpose, Rate, RateLimit, Receiver, ReceiverUrl, Result, Room, Scan, Scheduling,
        Sharing, Source, State, StateEntry, StateWrite, Store, StoredObject, TimeRange, Uid,
        Uninvited, UserId, UserKind, Watch, Watched,
    };
    pub use jiff::Timestamp;
    pub use serde::Deserialize;
    pub use std::collections::BTreeMap;
}

#[doc(hidden)]
pub use convoke_abi as abi;
