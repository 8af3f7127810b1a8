//! Whether other hosts may use the state of this one.

use crate::config::Config;

/// Who uses a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// This host alone: it is a file in `server.state`, and no second host can use that folder. Such a host holds no leases and
    /// claims nothing, as there is nobody to agree with.
    Alone,
    /// Other hosts as well, now or at any moment: all agree by leases and claims in the state.
    Shared,
}

impl Sharing {
    /// Of the state that a configuration names.
    pub(crate) fn of(config: &Config) -> Self {
        match config.state_file() {
            Some(_) => Self::Alone,
            None => Self::Shared,
        }
    }
}
