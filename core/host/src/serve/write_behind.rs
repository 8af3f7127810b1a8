//! Writes to the state what nobody waits for, and reads what was answered before the host was started.

use super::{background::Stopped, current::Current};
use crate::{instance::Instance, replay::Lasting};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// For so long writes are gathered: the more at once, the fewer pages of the state are written for each.
const GATHER: Duration = Duration::from_millis(100);
/// How long after the state could not be asked or written it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Writes from now on, each time to the state of the instance that answers then, and at the end what is left.
pub(super) async fn run(current: Arc<Current>, mut stopped: Stopped) {
    tokio::select! {
        () = load(&current) => {}
        () = stopped.wait() => {}
    }
    let mut fails = false;
    loop {
        // Not the instance: it is closed when nobody holds it any more.
        let shared = current.load().shared.clone();
        tokio::select! {
            () = stopped.wait() => break,
            () = shared.writes.some() => {}
        }
        let wait = if fails { AGAIN } else { GATHER };
        tokio::select! {
            () = stopped.wait() => break,
            () = sleep(wait) => {}
        }
        fails = !write(&current.load(), fails).await;
    }
    write(&current.load(), fails).await;
}

/// Reads the answers of the time before, as soon as the state can be asked.
async fn load(current: &Current) {
    loop {
        let instance = current.load();
        let lasting = Lasting {
            state: &instance.plugins.state,
            writes: &instance.shared.writes,
            alone: instance.config.state_file().is_some(),
        };
        let loaded = instance.shared.replays.load(lasting, Timestamp::now());
        // What goes wrong is in the log: by the handle of the plugin. Meanwhile each message is looked up.
        if loaded.await.is_ok() {
            return;
        }
        drop(instance);
        sleep(AGAIN).await;
    }
}

/// Whether all was written; a failure is told once.
async fn write(instance: &Instance, failed_before: bool) -> bool {
    match instance.shared.writes.write(&instance.plugins.state).await {
        Ok(()) => true,
        Err(error) => {
            if !failed_before {
                tracing::warn!(
                    event = "write-behind-failed",
                    "what spares work after a restart cannot be written now: {error}"
                );
            }
            false
        }
    }
}
