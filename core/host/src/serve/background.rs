//! Tasks that run as long as the host does.

use jiff::Timestamp;
use std::{future::Future, time::Duration};
use tokio::{sync::watch, task::JoinHandle};

/// The clock may be set: so often the times are looked at anew.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A task that runs until it is told to end.
pub(super) struct BackgroundTask {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Tells a task that it is to end.
pub(super) struct Stopped(watch::Receiver<bool>);

impl BackgroundTask {
    /// Starts a task, which ends soon after its [`Stopped`] says so.
    pub(super) fn start<F: Future<Output = ()> + Send + 'static>(
        run: impl FnOnce(Stopped) -> F,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self {
            stop,
            task: tokio::spawn(run(Stopped(stopped))),
        }
    }

    /// Tells the task to end, and waits until it has.
    pub(super) async fn finish(self) {
        // An error: the task has ended already.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

impl Stopped {
    /// Returns when the task is to end.
    pub(super) async fn wait(&mut self) {
        // An error: whoever would say so is gone.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// How long to sleep until this time; a while, if there is none.
pub(super) fn until(time: Option<Timestamp>) -> Duration {
    let wait = time.map(|at| Duration::try_from(at.duration_since(Timestamp::now())));
    wait.map_or(LONGEST_SLEEP, Result::unwrap_or_default)
        .min(LONGEST_SLEEP)
}
