//! The Convoke host.

pub mod outgoing;
