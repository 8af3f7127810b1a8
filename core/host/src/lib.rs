//! The Convoke host.

pub mod config;
pub mod outgoing;
pub mod plugin;
pub mod sender;

/// What the host calls itself to other servers.
pub const USER_AGENT: &str = concat!("Convoke/", env!("CARGO_PKG_VERSION"));
