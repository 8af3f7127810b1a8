//! The plugin's side of the boundary: what [`plugin!`](crate::plugin) puts around the types it names.
//!
//! | module | what it does |
//! | --- | --- |
//! | `open` | opens a plugin and answers its calls |
//! | `guard` | what stands around every poll: panics are caught, the runtime is entered, the instance is known |
//! | `config` | reads the configuration and says what is wrong with it |
//! | `host` | the host's services as a [`Host`](crate::Host) |
//! | `spare` | arguments that were used, for the next call |
//! | `log` | `tracing` events go to the host's log |
//!
//! What must hold: nothing unwinds out of here, and no author's code runs outside a guard.

mod config;
mod guard;
mod host;
mod log;
mod open;
mod spare;

#[cfg(any(test, feature = "conformance"))]
pub(crate) use config::read as read_config;
pub use open::{open_discovery, open_policy, open_state, open_store};

/// Which compiler built the SDK, as `rustc --version` says it.
pub const RUSTC: &str = env!("CONVOKE_RUSTC");
/// The SDK's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What stands in a manifest for a kind: `word` if it cannot be opened twice.
pub const fn exclusive(word: &'static str, sharing: crate::Sharing) -> &'static str {
    match sharing {
        crate::Sharing::Exclusive => word,
        crate::Sharing::Shared | crate::Sharing::OneVersion => "",
    }
}

/// What stands in a manifest for a kind: `word` if two versions of it must not meet.
pub const fn one_version(word: &'static str, sharing: crate::Sharing) -> &'static str {
    match sharing {
        crate::Sharing::OneVersion => word,
        crate::Sharing::Shared | crate::Sharing::Exclusive => "",
    }
}
