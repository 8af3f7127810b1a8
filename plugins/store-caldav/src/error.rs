//! Why a request has no answer.

use convoke_sdk::prelude::*;

/// Why there is no answer.
pub(crate) enum RequestError {
    /// The next attempt may succeed.
    Transient(String),
    /// Every attempt would fail as this one did.
    Permanent(Error),
}
