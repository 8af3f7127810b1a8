//! The state folder, which one host uses alone.

use crate::{
    instance::ServeError,
    state_folder::{Lock, Use, lock},
};
use std::{path::Path, time::Duration};
use tokio::time::Instant;

/// How long commands that have begun are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether they have ended.
const EVERY: Duration = Duration::from_millis(20);

/// Takes a state folder into use. Another host is not waited for; commands are, for a while.
pub(super) async fn take(state: &Path) -> Result<Lock, ServeError> {
    let failed = |error| ServeError::State {
        folder: state.to_owned(),
        error,
    };
    let in_use = |what| ServeError::StateInUse {
        folder: state.to_owned(),
        what,
    };
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(taken) = lock(state, Use::Host).map_err(failed)? {
            return Ok(taken);
        }
        // Beside commands there is room for one more, beside a host there is not.
        if lock(state, Use::Command).map_err(failed)?.is_none() {
            return Err(in_use("serves with this state folder"));
        }
        if Instant::now() >= until {
            return Err(in_use("command works on this state folder"));
        }
        tokio::time::sleep(EVERY).await;
    }
}
