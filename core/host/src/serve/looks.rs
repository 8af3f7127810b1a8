//! Tries from time to time what nobody may ask for just now: whether stores answer, and whether peers find our key.

use super::{background::Stopped, current::Current};
use crate::health;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// How long after the start: by then our own listeners answer.
const FIRST: Duration = Duration::from_secs(5);
/// How often where all was well, and where it was not.
const EVERY: Duration = Duration::from_secs(5 * 60);
const AGAIN: Duration = Duration::from_secs(30);

/// Tries until the host ends.
pub(super) async fn run(current: Arc<Current>, mut stopped: Stopped) {
    let mut wait = FIRST;
    loop {
        // Not the instance: it is closed when nobody holds it any more.
        let shared = current.load().shared.clone();
        tokio::select! {
            () = stopped.wait() => return,
            () = sleep(wait) => {}
            () = shared.looks.wanted() => {}
        }
        let instance = current.load();
        let found = tokio::select! {
            () = stopped.wait() => return,
            found = health::look(&instance) => found,
        };
        wait = if found.is_empty() { EVERY } else { AGAIN };
        shared.looks.found(found);
    }
}
