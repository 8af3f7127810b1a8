//! Writes to the state what nobody waits for, and reads what was answered before the host was started.

use super::current::Current;
use crate::{instance::Instance, replay::Lasting};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle, time::sleep};

/// For so long writes are gathered.
const GATHER: Duration = Duration::from_millis(10);
/// How long after the state could not be asked or written it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// The task that writes.
pub(super) struct WriteBehindTask {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl WriteBehindTask {
    /// Writes from now on, each time to the state of the instance that answers then.
    pub(super) fn start(current: &Arc<Current>) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self {
            stop,
            task: tokio::spawn(run(current.clone(), stopped)),
        }
    }

    /// Writes what is left.
    pub(super) async fn finish(self) {
        // An error: the task has ended already.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

async fn run(current: Arc<Current>, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = load(&current) => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    let mut fails = false;
    loop {
        // Not the instance: it is closed when nobody holds it any more.
        let shared = current.load().shared.clone();
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            () = shared.writes.some() => {}
        }
        let wait = if fails { AGAIN } else { GATHER };
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
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
