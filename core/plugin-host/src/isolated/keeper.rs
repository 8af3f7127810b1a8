//! Keeps the process of a plugin: starts it again when it ends, and another one beside it when calls are stuck in it.

use super::{
    connection::Connection,
    start::{End, Failed, Launcher, NOT_IN_TIME, Running},
};
use std::{
    convert::Infallible,
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, oneshot, watch},
    time::Instant,
};

/// How long a plugin may take to open again.
const OPENING: Duration = Duration::from_secs(60);
/// The pause before the second start in a row that comes to nothing; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Processes that finish their calls at once, beside the one that gets new ones.
const FINISHING: usize = 2;
/// How much longer than a call a process with stuck calls may take to finish the others.
const GRACE: Duration = Duration::from_secs(1);
/// How long all processes may take to close, which each of them has for itself, too.
const CLOSING: Duration = Duration::from_secs(6);

/// How the process fares.
#[derive(Clone)]
pub(super) enum State {
    Running(Arc<Connection>),
    Down { until: Instant, reason: Arc<str> },
}

/// How many keepers there are in this process of ours.
static KEEPERS: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// Counts what keeps a process, or closes it, while it is there.
pub(crate) struct Counted;

impl Counted {
    pub(crate) fn new() -> Self {
        KEEPERS.send_modify(|keepers| *keepers += 1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        KEEPERS.send_modify(|keepers| *keepers -= 1);
    }
}

/// Waits, not for ever, until the processes of all plugins that were dropped have closed.
pub async fn all_closed() {
    let mut keepers = KEEPERS.subscribe();
    let none = keepers.wait_for(|keepers| *keepers == 0);
    // Who takes longer is ended with us.
    let _ = tokio::time::timeout(CLOSING, none).await;
}

/// Starts the process again whenever it ends, until `dropped` is; tells how it fares.
pub(super) fn keep(
    name: String,
    launcher: Arc<Launcher>,
    running: Running,
    deadline: Duration,
    mut dropped: oneshot::Receiver<Infallible>,
) -> watch::Receiver<State> {
    let (told, state) = watch::channel(State::Running(Arc::clone(&running.connection)));
    let counted = Counted::new();
    let mut keeper = Keeper {
        name,
        launcher,
        told,
        pauses: Pauses::default(),
        finishing: Arc::new(Semaphore::new(FINISHING)),
        longest: deadline + GRACE,
    };
    tokio::spawn(async move {
        let mut running = Some(running);
        loop {
            tokio::select! {
                () = keeper.turn(&mut running) => {}
                _ = &mut dropped => break,
            }
        }
        drop(keeper.told);
        if let Some(process) = running {
            process.close().await;
        }
        drop(counted);
    });
    state
}

struct Keeper {
    name: String,
    launcher: Arc<Launcher>,
    told: watch::Sender<State>,
    pauses: Pauses,
    finishing: Arc<Semaphore>,
    /// The longest that a process may take to finish its calls.
    longest: Duration,
}

impl Keeper {
    /// Waits until the process ends or is to be replaced, and sees to it. Given up at any await, it leaves what runs in
    /// `running`.
    async fn turn(&mut self, running: &mut Option<Running>) {
        let reason = if let Some(process) = running.as_mut() {
            match process.ended().await {
                End::Ended(reason) => {
                    self.pauses.ended(process.connection.was_asked());
                    *running = None;
                    reason
                }
                End::Stuck => match self.replace(running).await {
                    Ok(()) => return,
                    Err(reason) => reason,
                },
            }
        } else {
            match self.start().await {
                Ok(process) => {
                    *running = Some(process);
                    return;
                }
                Err(reason) => {
                    self.pauses.does_not_start();
                    reason
                }
            }
        };
        let pause = self.pauses.next();
        let name = &self.name;
        tracing::error!(
            event = "plugin-process-ended",
            plugin = %name,
            "{reason}; it is started again in {pause:?}"
        );
        let until = Instant::now() + pause;
        let reason = reason.into();
        // Fails only if nobody looks any more.
        let _ = self.told.send(State::Down { until, reason });
        if !pause.is_zero() {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Starts a process, and tells everybody of it.
    async fn start(&self) -> Result<Running, String> {
        let process = match tokio::time::timeout(OPENING, self.launcher.start()).await {
            Ok(Ok(process)) => process,
            Ok(Err(Failed::NotOpened(refused))) => {
                return Err(format!("it does not open again: {}", refused.error));
            }
            Ok(Err(Failed::Broken(reason))) => return Err(reason),
            Err(_) => return Err("it does not open in time".to_owned()),
        };
        tracing::info!(event = "plugin-process-started", plugin = %self.name, "its process runs again");
        // Fails only if nobody looks any more.
        let _ = self
            .told
            .send(State::Running(Arc::clone(&process.connection)));
        Ok(process)
    }

    /// Puts another process in the place of one in which calls are stuck, and lets that one finish. If it cannot, it
    /// ends it, and says why.
    async fn replace(&mut self, running: &mut Option<Running>) -> Result<(), String> {
        let finishing = Arc::clone(&self.finishing).try_acquire_owned();
        if let Ok(permit) = finishing
            && let Ok(process) = self.start().await
        {
            if let Some(stuck) = running.replace(process) {
                let (name, longest) = (self.name.clone(), self.longest);
                tokio::spawn(async move {
                    let why = stuck.finish(longest).await;
                    tracing::error!(event = "plugin-process-ended", plugin = %name, "{why}");
                    drop(permit);
                });
            }
            return Ok(());
        }
        if let Some(mut stuck) = running.take() {
            stuck.connection.condemn();
            stuck.kill().await;
        }
        Err(NOT_IN_TIME.to_owned())
    }
}

/// How long to wait before the next start.
#[derive(Default)]
struct Pauses {
    /// Starts in a row that came to nothing.
    vain: u32,
}

impl Pauses {
    /// A process ended. If somebody asked it something, that may have been the cause, and others are not to wait.
    fn ended(&mut self, was_asked: bool) {
        self.vain = if was_asked {
            0
        } else {
            self.vain.saturating_add(1)
        };
    }

    /// It was started, and did not open.
    fn does_not_start(&mut self) {
        self.vain = self.vain.saturating_add(1);
    }

    fn next(&self) -> Duration {
        match self.vain {
            0 | 1 => Duration::ZERO,
            vain => (FIRST_PAUSE * 2_u32.saturating_pow((vain - 2).min(20))).min(LONGEST_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_for_starts_that_come_to_nothing_only() {
        let mut pauses = Pauses::default();
        for _ in 0..100 {
            pauses.ended(true);
            assert_eq!(pauses.next(), Duration::ZERO);
        }
        for milliseconds in [0, 100, 200, 400, 800, 1600] {
            pauses.does_not_start();
            assert_eq!(pauses.next(), Duration::from_millis(milliseconds));
        }
        for _ in 0..10 {
            pauses.ended(false);
        }
        assert_eq!(pauses.next(), LONGEST_PAUSE);
        pauses.ended(true);
        assert_eq!(pauses.next(), Duration::ZERO);
    }
}
