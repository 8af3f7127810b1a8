//! Names and records, asked of the name servers that somebody named, else of the system's.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `resolver` | [`Resolver`]: asks name servers, keeps what they say |
//! | `settings` | [`Settings`]: whom it asks, and what it asks of DNSSEC |
//! | `service` | what is read of the records of a service: the order of its servers, its path, where to look |
//!
//! A look-up tells apart what a caller must tell apart: records, the certainty that there are none, and a failure, after
//! which nothing is known. hickory-resolver does the work: it tries several servers, falls to TCP, and keeps answers as long
//! as their TTL says.
//!
//! Always true: what is kept, followed and read of an answer is bounded; nothing is believed for more than a day, and a "no"
//! for no more than a minute.

mod resolver;
mod service;
mod settings;

pub use resolver::{Found, LookupError, Resolver, Signed, Text};
pub use service::{Server, domains_to_ask, in_order, path};
pub use settings::{Dnssec, OpenError, Settings};
