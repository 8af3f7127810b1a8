//! What the calls in this process do: which wait, which are polled, and which keep their thread for long.

use super::HostSide;
use crate::isolated::protocol::{Pulse, ToHost};
use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use tokio::task::{AbortHandle, JoinHandle};

/// A poll that lasts so long blocks its thread.
const LONG: Duration = Duration::from_millis(750);

/// No thread has begun with the call.
const NOT_BEGUN: u64 = 0;
/// It is not polled now.
const WAITS: u64 = 1;

/// The calls of this process.
pub(super) struct Calls {
    begun: Instant,
    threads: usize,
    running: Mutex<HashMap<u64, Running>>,
}

struct Running {
    task: AbortHandle,
    polls: Arc<AtomicU64>,
}

/// How the polls of one call go.
pub(super) struct Polls {
    begun: Instant,
    /// [`NOT_BEGUN`], [`WAITS`], or when the poll that goes on began: milliseconds, and two.
    now: Arc<AtomicU64>,
}

impl Polls {
    /// The answer of `call`, while others see how its polls go.
    pub(super) async fn follow<T>(self, call: impl Future<Output = T>) -> T {
        let mut call = pin!(call);
        poll_fn(|context| {
            self.now.store(since(self.begun), Ordering::Relaxed);
            let polled = call.as_mut().poll(context);
            self.now.store(WAITS, Ordering::Relaxed);
            polled
        })
        .await
    }
}

fn since(begun: Instant) -> u64 {
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX / 2);
    milliseconds + WAITS + 1
}

impl Calls {
    /// No calls yet, for a runtime of so many threads.
    pub(super) fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            threads,
            running: Mutex::default(),
        })
    }

    /// Takes note of a call, and spawns it.
    pub(super) fn begin(&self, id: u64, spawn: impl FnOnce(Polls) -> JoinHandle<()>) {
        let now = Arc::new(AtomicU64::new(NOT_BEGUN));
        let polls = Polls {
            begun: self.begun,
            now: Arc::clone(&now),
        };
        // Locked, so that a call that is answered at once is forgotten only after this.
        let mut running = self.running();
        let task = spawn(polls).abort_handle();
        running.insert(id, Running { task, polls: now });
    }

    /// The call was answered.
    pub(super) fn end(&self, id: u64) {
        self.running().remove(&id);
    }

    /// Nobody waits for it any more. It is known until its future is gone.
    pub(super) fn cancel(&self, id: u64) {
        let mut running = self.running();
        let blocks = |call: &Running| call.polls.load(Ordering::Relaxed) > WAITS;
        if let Some(call) = running.get(&id) {
            call.task.abort();
            if !blocks(call) {
                running.remove(&id);
            }
        }
    }

    /// Gives up all of them.
    pub(super) fn abort(&self) {
        for (_, call) in self.running().drain() {
            call.task.abort();
        }
    }

    fn pulse(&self, id: u64) -> Pulse {
        let mut running = self.running();
        running.retain(|_, call| !call.task.is_finished());
        let now = since(self.begun);
        let long = u64::try_from(LONG.as_millis()).unwrap_or(u64::MAX);
        let mut pulse = Pulse {
            id,
            threads: u32::try_from(self.threads).unwrap_or(u32::MAX),
            ..Pulse::default()
        };
        for (id, call) in running.iter() {
            match call.polls.load(Ordering::Relaxed) {
                NOT_BEGUN => pulse.not_begun.push(*id),
                WAITS => {}
                begun if now.saturating_sub(begun) >= long => pulse.blocking.push(*id),
                _ => {}
            }
        }
        pulse
    }

    fn running(&self) -> MutexGuard<'_, HashMap<u64, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the thread that tells the host what the calls do whenever a ping is sent here. The thread that reads the connection
/// must not wait for the host to listen.
pub(super) fn teller(host: Arc<HostSide>, calls: Arc<Calls>) -> io::Result<mpsc::SyncSender<u64>> {
    let (pings, asked) = mpsc::sync_channel(1);
    let teller = thread::Builder::new()
        .name("convoke-pulse".to_owned())
        .stack_size(128 * 1024);
    teller.spawn(move || {
        for id in asked {
            if host.say(&ToHost::Pulse(calls.pulse(id))).is_err() {
                return;
            }
        }
    })?;
    Ok(pings)
}
