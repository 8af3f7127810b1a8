//! How hard the server is driven.

use std::time::Duration;

/// How much, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Each has one request at a time.
    pub(crate) connections: usize,
    /// Requests a second; none: as fast as answers come.
    pub(crate) rate: Option<f64>,
    /// How long to send before anything is measured.
    pub(crate) warm_up: Duration,
    /// How long to measure.
    pub(crate) length: Duration,
}
