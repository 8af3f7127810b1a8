//! HTTPS to other servers.
//!
//! Everything the host asks of the outside goes through one [`Client`]: capabilities, scheduling messages, keys. It
//! verifies every certificate (`trust`), looks at every address before it connects ([`Guard`]), follows few
//! redirects, reads bounded answers, and gives up in time.
//!
//! Not here: what is sent (`sender`), and how receivers are found (the discovery plugins).

mod client;
mod connector;
mod error;
mod freshness;
mod guard;
mod trust;

pub use client::{Client, Request, Response, Settings};
pub use connector::{Handshake, Reach};
pub use error::ClientError;
pub use freshness::freshness;
pub use guard::Guard;
pub use trust::Identity;
