//! The host's end of the connection to one running process.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `calls` | the calls that are on their way, and who waits for them |
//! | `hear` | what the process says, and what the host makes of it |

mod calls;
mod hear;

use super::{
    protocol::{self, Asked, Hello, Pulse, ToChild},
    slots::Slots,
};
use crate::health::KnownHealth;
use calls::Calls;
use convoke_sdk::{
    Error, Result,
    remote::{Answered, NotOpened, ProcessCall, Services},
};
use hear::Listener;
use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};
use tokio::{
    io::AsyncWriteExt,
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};

/// Calls on their way at once; more wait.
const CALLS: usize = 512;
/// Calls of one origin on their way at once.
const CALLS_OF_AN_ORIGIN: usize = 64;
/// Frames that wait for the process to take them.
const OUTBOX: usize = 64;
/// Deadlines missed with no answer between them after which a process is replaced.
const MISSES: u32 = 10;

/// What a process says once each, and who waits for it.
pub(super) struct Beginning {
    /// What it is.
    pub(super) greeted: oneshot::Sender<Hello>,
    /// Whether it opened.
    pub(super) opened: oneshot::Sender<Result<(), NotOpened>>,
}

/// What a process answered, be it an error; or why it answered nothing.
pub(super) type Reply = Result<Result<Answered>, CallError>;

/// A connection to a process; closed when it ends.
pub(super) struct Connection {
    outbox: mpsc::Sender<Vec<u8>>,
    calls: Calls,
    slots: Slots,
    misses: AtomicU32,
    opened: AtomicBool,
    asked: AtomicBool,
    /// Whether we do not listen now, as the process asked for more than we can do at once.
    deaf: AtomicBool,
    pulse: Mutex<Pulse>,
    fault: Mutex<Option<Fault>>,
    reported: Notify,
    /// How the plugin in this process is, by its own word.
    health: KnownHealth,
}

/// What is wrong with a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Calls are not given up. It is to be replaced, and ended when the others are answered.
    Stuck,
    /// It is to be ended; why.
    Lost(String),
}

/// Why a call has no answer.
pub(super) enum CallError {
    /// The process ended under it.
    Ended(Cause),
    /// It kept the thread that it was given for too long.
    Blocked,
    /// Its deadline passed.
    Late,
    /// It cannot be sent.
    Unsendable(Error),
    /// There is no process to send it to.
    Nobody(Error),
}

/// What a process ended by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// By any of the calls that were on their way.
    Unknown,
    /// By other calls than this.
    AnotherCall,
    /// By other calls than this, with which it had not even begun.
    NotBegun,
}

impl Connection {
    /// A connection to a process of the entry of that name, which sends over `write`.
    pub(super) fn new(write: OwnedWriteHalf, plugin: &str) -> Arc<Self> {
        let (outbox, frames) = mpsc::channel(OUTBOX);
        tokio::spawn(send(frames, write));
        Arc::new(Self {
            outbox,
            calls: Calls::default(),
            slots: Slots::new(CALLS, CALLS_OF_AN_ORIGIN),
            misses: AtomicU32::new(0),
            opened: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            pulse: Mutex::default(),
            fault: Mutex::default(),
            reported: Notify::new(),
            health: KnownHealth::of(plugin),
        })
    }

    /// Whether the process has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.calls.are_closed()
    }

    /// Whether it takes calls: it has not ended, and has a thread left for them.
    pub(super) fn is_open(&self) -> bool {
        // A process that ends takes no more frames before it says no more.
        self.calls.are_taken() && !self.outbox.is_closed()
    }

    /// Why the plugin is not well, by its own word.
    pub(super) fn degraded(&self) -> Option<String> {
        self.health.degraded()
    }

    /// Whether it was ever asked anything.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Whether its plugin has opened.
    pub(super) fn has_opened(&self) -> bool {
        self.opened.load(Ordering::Relaxed)
    }

    /// Whether calls are on their way, be it that nobody waits for them.
    pub(super) fn is_busy(&self) -> bool {
        !self.calls.are_none()
    }

    /// Whether we do not listen to it now.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }

    /// Returns when something is wrong with the process.
    pub(super) async fn fault(&self) -> Fault {
        loop {
            let reported = self.reported.notified();
            if let Some(fault) = self.known_fault() {
                return fault;
            }
            reported.await;
        }
    }

    fn known_fault(&self) -> Option<Fault> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.clone()
    }

    /// Says what is wrong; the worst stays.
    pub(super) fn report(&self, what: Fault) {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*fault, Some(Fault::Lost(_))) {
            *fault = Some(what);
        }
        self.reported.notify_one();
    }

    /// Looks for calls that the process has not given up in time.
    pub(super) fn look_for_stuck_calls(&self) {
        if self.calls.are_stuck() || self.misses.load(Ordering::Relaxed) >= MISSES {
            self.report(Fault::Stuck);
        }
    }

    /// Returns when nobody waits for an answer any more.
    pub(super) async fn quiet(&self) {
        self.calls.quiet().await;
    }

    /// Asks the process whether it lives: `true` once a thread for calls has answered, `false` if it has ended.
    pub(super) fn ping(&self) -> (u64, impl Future<Output = bool> + use<>) {
        let (id, answered) = self.calls.ping();
        if let Ok(frame) = protocol::frame(&ToChild::Ping { id }) {
            let outbox = self.outbox.clone();
            // A process that takes no messages does not live.
            tokio::spawn(async move { outbox.send(frame).await });
        }
        (id, async { answered.await.is_ok() })
    }

    /// What its calls did when it answered ping `id`; `None` if it did not.
    pub(super) fn pulse(&self, id: u64) -> Option<Pulse> {
        let pulse = self.known_pulse();
        (pulse.id >= id).then(|| pulse.clone())
    }

    fn known_pulse(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls block all threads: lets the others go, to be made again elsewhere.
    pub(super) fn release_all_but(&self, pulse: &Pulse) {
        self.calls.release_all_but(pulse);
    }

    /// Tells whoever still waits that the call kept its thread for too long.
    pub(super) fn condemn(&self) {
        self.calls.condemn();
    }

    /// Sends a message that no call waits for.
    pub(super) async fn send(&self, message: &ToChild<'_>) -> Result<()> {
        let frame = protocol::frame(message)?;
        // Fails only if the process has ended, which others are told.
        let _ = self.outbox.send(frame).await;
        Ok(())
    }

    /// Makes a call.
    pub(super) async fn call(self: &Arc<Self>, call: &ProcessCall<'_>, deadline: Instant) -> Reply {
        let sent = tokio::time::timeout_at(deadline, async {
            let slot = self.slots.take().await;
            let (id, answer) = self.calls.place(deadline)?;
            self.asked.store(true, Ordering::Relaxed);
            let place = Place {
                connection: self,
                id,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let message = ToChild::Call(Asked::new(id, call, left));
            let frame = protocol::frame(&message).map_err(CallError::Unsendable)?;
            let sent = self.outbox.send(frame).await;
            sent.map_err(|_| CallError::Ended(Cause::NotBegun))?;
            Ok((slot, place, answer))
        });
        let (_slot, place, mut answer) = match sent.await {
            Ok(sent) => sent?,
            Err(_) => return Err(CallError::Late),
        };
        match tokio::time::timeout_at(deadline, &mut answer).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(CallError::Ended(Cause::Unknown)),
            Err(_) => {
                self.misses.fetch_add(1, Ordering::Relaxed);
                Err(if self.known_pulse().blocking.contains(&place.id) {
                    CallError::Blocked
                } else {
                    CallError::Late
                })
            }
        }
    }

    /// Listens until the process ends, answers what it asks, and closes the connection. An error: what it says is no message.
    pub(super) async fn listen(
        self: Arc<Self>,
        read: OwnedReadHalf,
        services: Arc<dyn Services>,
        beginning: Beginning,
    ) -> io::Result<()> {
        let listener = Listener::new(Arc::clone(&self), services, beginning);
        let heard = listener.hear(read).await;
        self.calls.close();
        heard
    }
}

/// A call's place among those that wait. When the caller goes away before the answer has come, the process is told to
/// give the call up; what comes then shows that it did.
struct Place<'a> {
    connection: &'a Connection,
    id: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.connection.calls.abandon(self.id)
            && let Ok(frame) = protocol::frame(&ToChild::Cancel { id: self.id })
        {
            // If the process takes no messages, it is ended for that.
            let _ = self.connection.outbox.try_send(frame);
        }
    }
}

async fn send(mut frames: mpsc::Receiver<Vec<u8>>, mut write: OwnedWriteHalf) {
    while let Some(frame) = frames.recv().await {
        if write.write_all(&frame).await.is_err() {
            break;
        }
    }
    // Dropping the half tells the process that there is no more.
}
