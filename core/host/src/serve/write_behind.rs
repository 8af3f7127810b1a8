//! Writes to the state what nobody waits for, and reads what was answered before the host was started.

use super::{background::Stopped, current::Current};
use crate::replay::Lasting;
use convoke_types::Error;
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// For so long writes are gathered: the more at once, the fewer pages of the state are written for each.
const GATHER: Duration = Duration::from_millis(100);
/// Between two writes, where more waits than is written at once: others write to the state meanwhile.
const PAUSE: Duration = Duration::from_millis(5);
/// How long after the state could not be asked or written it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Writes from now on, each time to the state of the instance that answers then, and at the end what is left.
pub(super) async fn run(current: Arc<Current>, mut stopped: Stopped) {
    tokio::select! {
        () = load(&current) => {}
        () = stopped.wait() => {}
    }
    let mut wait = GATHER;
    loop {
        // Not the instance: it is closed when nobody holds it any more.
        let shared = current.load().shared.clone();
        tokio::select! {
            () = stopped.wait() => break,
            () = shared.writes.some() => {}
            () = shared.replays.some() => {}
        }
        tokio::select! {
            () = stopped.wait() => break,
            () = sleep(wait) => {}
        }
        shared.replays.write(&shared.writes, Timestamp::now());
        let instance = current.load();
        let written = shared.writes.write_some(&instance.plugins.state).await;
        wait = match told(written, wait == AGAIN) {
            Ok(true) => PAUSE,
            Ok(false) => GATHER,
            Err(_) => AGAIN,
        };
    }
    let instance = current.load();
    let shared = &instance.shared;
    shared.replays.write(&shared.writes, Timestamp::now());
    let written = shared.writes.write_all(&instance.plugins.state);
    // It is told, and nobody is left to try again.
    let _ = told(written.await, wait == AGAIN);
}

/// Reads the answers of the time before, as soon as the state can be asked.
async fn load(current: &Current) {
    loop {
        let instance = current.load();
        let lasting = Lasting {
            state: &instance.plugins.state,
            writes: &instance.shared.writes,
            sharing: instance.sharing,
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

/// A failure is told once.
fn told<T>(written: Result<T, Error>, failed_before: bool) -> Result<T, Error> {
    if let Err(error) = &written
        && !failed_before
    {
        tracing::warn!(
            event = "write-behind-failed",
            "what spares work after a restart cannot be written now: {error}"
        );
    }
    written
}
