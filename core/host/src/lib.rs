//! The Convoke host.

pub mod outgoing;
pub mod plugin;
