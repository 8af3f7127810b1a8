//! Calls under which a process ended, any of which may have been the cause, are made again apart from all others.
//!
//! Each is alone with a process of its own while it runs, so that the one that ends it takes nobody along and is known.
//! Those processes are started when they are needed, and closed when they have had nothing to do for a while.

use super::{
    connection::{CallError, Cause, Fault, Reply},
    keeper::Counted,
    slots::Slots,
    start::{Launcher, Running},
};
use convoke_sdk::remote::{ProcessCall, Repeat};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

/// Processes at once.
const PROCESSES: usize = 4;
/// Processes at once for calls of one origin.
const PROCESSES_OF_AN_ORIGIN: usize = 2;
/// For how long a call has a process for itself if others wait for one. It has shown by then that it is slow, rather than
/// that it ends processes.
const ALONE: Duration = Duration::from_millis(500);
/// How often is looked whether others wait.
const LOOK: Duration = Duration::from_millis(50);
/// How long a process without a call is kept.
const IDLE: Duration = Duration::from_secs(5);

/// The processes for suspects.
pub(super) struct Quarantine {
    launcher: Arc<Launcher>,
    lanes: Slots,
    /// Calls that wait for a process.
    waiting: AtomicUsize,
    idle: Arc<Mutex<Vec<Idle>>>,
    /// Where processes are closed.
    runtime: Handle,
}

struct Idle {
    process: Running,
    since: Instant,
}

/// Counts a call while it waits.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What came of a call that was made again.
pub(super) enum Retried {
    /// The answer, or why there is none.
    Done(Reply),
    /// Nothing: it ends no process, or there is none for it. It may be made beside others.
    Harmless,
}

impl Quarantine {
    pub(super) fn new(launcher: Arc<Launcher>) -> Self {
        Self {
            launcher,
            lanes: Slots::new(PROCESSES, PROCESSES_OF_AN_ORIGIN),
            waiting: AtomicUsize::new(0),
            idle: Arc::default(),
            runtime: Handle::current(),
        }
    }

    /// Makes a call that may end the process.
    pub(super) async fn call(&self, call: &ProcessCall<'_>, deadline: Instant) -> Retried {
        let late = Retried::Done(Err(CallError::Late));
        let waits = Waits::new(&self.waiting);
        let Ok(_lane) = timeout_at(deadline, self.lanes.take()).await else {
            return late;
        };
        drop(waits);
        if let Some(process) = self.kept() {
            match self.alone_with(process, call, deadline).await {
                // It may have ended before the call reached it, which only a fresh one tells apart.
                Retried::Done(Err(CallError::Ended(cause)))
                    if cause == Cause::NotBegun || call.repeat == Repeat::Harmless => {}
                tried => return tried,
            }
        }
        match timeout_at(deadline, self.launcher.start()).await {
            Ok(Ok(process)) => self.alone_with(process, call, deadline).await,
            // Perhaps it can be opened once only.
            Ok(Err(_)) => Retried::Harmless,
            Err(_) => late,
        }
    }

    async fn alone_with(
        &self,
        process: Running,
        call: &ProcessCall<'_>,
        deadline: Instant,
    ) -> Retried {
        let answer = tokio::select! {
            answer = process.connection.call(call, deadline) => answer,
            fault = process.connection.fault() => Err(match fault {
                Fault::Stuck => CallError::Blocked,
                // Dropped, the process is ended.
                Fault::Lost(_) => CallError::Ended(Cause::Unknown),
            }),
            // Dropped, the process is ended.
            () = self.is_wanted() => return Retried::Harmless,
        };
        if answer.is_ok() {
            self.keep(process);
        }
        Retried::Done(answer)
    }

    /// Returns when a call has had its process for long enough and others wait for one.
    async fn is_wanted(&self) {
        tokio::time::sleep(ALONE).await;
        while self.waiting.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn kept(&self) -> Option<Running> {
        let mut idle = lock(&self.idle);
        while let Some(Idle { process, .. }) = idle.pop() {
            if !process.connection.is_closed() {
                return Some(process);
            }
        }
        None
    }

    /// Keeps a process for the next call, for a while.
    fn keep(&self, process: Running) {
        let since = Instant::now();
        lock(&self.idle).push(Idle { process, since });
        let idle = Arc::downgrade(&self.idle);
        tokio::spawn(async move {
            tokio::time::sleep(IDLE).await;
            let Some(idle) = idle.upgrade() else { return };
            let old: Vec<_> = lock(&idle)
                .extract_if(.., |it| it.since.elapsed() >= IDLE)
                .collect();
            for Idle { process, .. } in old {
                process.close().await;
            }
        });
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        for Idle { process, .. } in lock(&self.idle).drain(..) {
            let counted = Counted::new();
            self.runtime.spawn(async move {
                process.close().await;
                drop(counted);
            });
        }
    }
}

fn lock(idle: &Mutex<Vec<Idle>>) -> MutexGuard<'_, Vec<Idle>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
