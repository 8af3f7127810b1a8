//! Writes the decision log a few times a second.

use super::current::Current;
use crate::instance::Instance;
use convoke_scheduling::Environment;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle, time::sleep};

/// How long decisions are gathered.
const GATHER: Duration = Duration::from_millis(300);
/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// The task that writes the decision log.
pub(super) struct DecisionsTask {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl DecisionsTask {
    pub(super) fn start(current: &Arc<Current>) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let current = current.clone();
        let task = tokio::spawn(async move {
            let mut fails = false;
            loop {
                // Not the instance: it is closed when nobody holds it any more.
                let shared = current.load().shared.clone();
                tokio::select! {
                    _ = stopped.wait_for(|stop| *stop) => break,
                    () = shared.decisions.some() => {}
                }
                let wait = if fails { AGAIN } else { GATHER };
                tokio::select! {
                    _ = stopped.wait_for(|stop| *stop) => break,
                    () = sleep(wait) => {}
                }
                fails = !write(&current.load(), fails).await;
            }
            write(&current.load(), false).await;
        });
        Self { stop, task }
    }

    /// Writes what is left.
    pub(super) async fn finish(self) {
        // An error: the task has ended already.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
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
