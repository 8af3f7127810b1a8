//! Writes the decision log a few times a second.

use super::{background::Stopped, current::Current};
use crate::instance::Instance;
use convoke_scheduling::Environment;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// How long decisions are gathered.
const GATHER: Duration = Duration::from_millis(300);
/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// Writes the decision log, and at the end what is left of it.
pub(super) async fn run(current: Arc<Current>, mut stopped: Stopped) {
    let mut fails = false;
    loop {
        // Not the instance: it is closed when nobody holds it any more.
        let shared = current.load().shared.clone();
        tokio::select! {
            () = stopped.wait() => break,
            () = shared.decisions.some() => {}
        }
        let wait = if fails { AGAIN } else { GATHER };
        tokio::select! {
            () = stopped.wait() => break,
            () = sleep(wait) => {}
        }
        fails = !write(&current.load(), fails).await;
    }
    write(&current.load(), false).await;
}

/// Whether it was written; a failure is told once.
async fn write(instance: &Instance, failed_before: bool) -> bool {
    let state = instance.scheduler.environment().state();
    let keep = instance.config.server.decisions;
    match instance.shared.decisions.write(state, keep).await {
        Ok(()) => true,
        Err(error) => {
            if !failed_before {
                tracing::warn!(
                    event = "decisions-unwritable",
                    "the decision log cannot be written now: {error}"
                );
            }
            false
        }
    }
}
