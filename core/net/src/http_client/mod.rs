//! HTTPS to other servers.
//!
//! Everything the host asks of the outside goes through one [`Client`]: capabilities, scheduling messages, keys. It
//! verifies every certificate (`convoke-tls`), looks at every address before it connects ([`AddressFilter`]), follows few
//! redirects, reads bounded answers, and gives up in time.
//!
//! Not here: what is sent (`sender`), and how receivers are found (the discovery plugins).

mod address_filter;
mod client;
mod connector;
mod error;
mod freshness;
#[cfg(test)]
mod tests;

pub use address_filter::AddressFilter;
pub use client::{Client, Request, Response, Settings};
pub use connector::{ConnectPolicy, Handshake};
pub use convoke_tls::Identity;
pub use error::ClientError;
pub use freshness::freshness;
