//! When changes are told, and for how long delivery is tried (`[scheduling]`).

use std::time::Duration;

/// When changes are told, and for how long delivery is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long an object must be quiet before its changes are told; 10 s.
    pub settle: Duration,
    /// If more meetings than this changed at one look, or were removed within a minute, they wait to be released; 50.
    pub hold: usize,
    /// How long delivery is tried; 3 days.
    pub expire: Duration,
}

impl Default for Timing {
    /// What holds where the administrator says nothing.
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(10),
            hold: 50,
            expire: Duration::from_secs(3 * 24 * 3600),
        }
    }
}
