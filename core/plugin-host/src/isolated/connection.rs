//! The host's end of the connection to one running process.

use super::{
    protocol::{self, Asked, Event, Level, Pulse, ToChild, ToHost},
    slots::Slots,
};
use convoke_sdk::{
    Error, Result,
    remote::{Answered, LogEvent, NotOpened, ProcessCall, Services},
};
use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
    sync::{Notify, Semaphore, mpsc, oneshot},
    time::Instant,
};
use tracing::level_filters::LevelFilter;

/// Calls on their way at once; more wait.
const CALLS: usize = 512;
/// Calls of one origin on their way at once.
const CALLS_OF_AN_ORIGIN: usize = 64;
/// Frames that wait for the process to take them.
const OUTBOX: usize = 64;
/// Indexes that are made for one process at once.
const INDEXES: usize = 4;
/// How long a process may take to give up a call whose deadline has passed. One that takes longer blocks a thread.
const GRACE: Duration = Duration::from_secs(1);
/// Deadlines missed with no answer between them after which a process is replaced.
const MISSES: u32 = 10;
/// Events of one process that are logged in a second.
const EVENTS: u32 = 500;

/// The longest event that is logged, in bytes.
const MAX_EVENT: usize = 64 * 1024;

/// What [`ToHost::Opened`] says.
pub(super) type Opened = (Result<(), NotOpened>, Vec<String>);
/// What a process answered, be it an error; or why it answered nothing.
pub(super) type Reply = Result<Result<Answered>, CallError>;

/// A connection to a process; closed when it ends.
pub(super) struct Connection {
    outbox: mpsc::Sender<Vec<u8>>,
    waiting: Mutex<Waiting>,
    slots: Slots,
    misses: AtomicU32,
    opened: AtomicBool,
    asked: AtomicBool,
    /// Whether we do not listen now, as the process asked for more than we can do at once.
    deaf: AtomicBool,
    pulse: Mutex<Pulse>,
    trouble: Mutex<Option<Trouble>>,
    troubled: Notify,
    settled: Notify,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    calls: HashMap<u64, Waiter>,
    pings: HashMap<u64, oneshot::Sender<()>>,
    closed: bool,
    /// Calls block all threads; another process takes new ones.
    blocked: bool,
}

struct Waiter {
    reply: oneshot::Sender<Reply>,
    /// When the process must have given it up.
    latest: Instant,
    /// Nobody waits any more, but the process has not yet given it up.
    abandoned: bool,
}

/// What is wrong with a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
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
    /// A line that sends over `write`.
    pub(super) fn new(write: OwnedWriteHalf) -> Arc<Self> {
        let (outbox, frames) = mpsc::channel(OUTBOX);
        tokio::spawn(send(frames, write));
        Arc::new(Self {
            outbox,
            waiting: Mutex::default(),
            slots: Slots::new(CALLS, CALLS_OF_AN_ORIGIN),
            misses: AtomicU32::new(0),
            opened: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            pulse: Mutex::default(),
            trouble: Mutex::default(),
            troubled: Notify::new(),
            settled: Notify::new(),
        })
    }

    /// Whether the process has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.waiting().closed
    }

    /// Whether it takes calls: it has not ended, and has a thread left for them.
    pub(super) fn is_open(&self) -> bool {
        let waiting = self.waiting();
        // A process that ends takes no more frames before it says no more.
        !waiting.closed && !waiting.blocked && !self.outbox.is_closed()
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
        !self.waiting().calls.is_empty()
    }

    /// Whether we do not listen to it now.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }

    /// Returns when something is wrong with the process.
    pub(super) async fn trouble(&self) -> Trouble {
        loop {
            let troubled = self.troubled.notified();
            if let Some(trouble) = self.known_trouble() {
                return trouble;
            }
            troubled.await;
        }
    }

    fn known_trouble(&self) -> Option<Trouble> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone()
    }

    /// Says what is wrong; the worst stays.
    pub(super) fn is_in_trouble(&self, what: Trouble) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*trouble, Some(Trouble::Lost(_))) {
            *trouble = Some(what);
        }
        self.troubled.notify_one();
    }

    /// Looks for calls that the process has not given up in time.
    pub(super) fn look_for_stuck_calls(&self) {
        let now = Instant::now();
        let stuck = self.waiting().calls.values().any(|it| it.latest <= now);
        if stuck || self.misses.load(Ordering::Relaxed) >= MISSES {
            self.is_in_trouble(Trouble::Stuck);
        }
    }

    /// Returns when nobody waits for an answer any more.
    pub(super) async fn quiet(&self) {
        loop {
            let settled = self.settled.notified();
            let busy = self.waiting().calls.values().any(|it| !it.abandoned);
            if !busy {
                return;
            }
            settled.await;
        }
    }

    /// Asks the process whether it lives: `true` once a thread for calls has answered, `false` if it has ended.
    pub(super) fn ping(&self) -> (u64, impl Future<Output = bool> + use<>) {
        let (pong, answered) = oneshot::channel();
        let id = {
            let mut waiting = self.waiting();
            waiting.next += 1;
            let id = waiting.next;
            if !waiting.closed {
                waiting.pings.insert(id, pong);
            }
            id
        };
        if let Ok(frame) = protocol::frame(&ToChild::Ping { id }) {
            let outbox = self.outbox.clone();
            // A process that takes no messages does not live.
            tokio::spawn(async move { outbox.send(frame).await });
        }
        (id, async { answered.await.is_ok() })
    }

    /// What its calls did when it answered ping `id`; `None` if it did not.
    pub(super) fn pulse(&self, id: u64) -> Option<Pulse> {
        let pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        (pulse.id >= id).then(|| pulse.clone())
    }

    /// Calls block all threads: lets the others go, to be made again elsewhere.
    pub(super) fn release_all_but(&self, pulse: &Pulse) {
        let mut waiting = self.waiting();
        waiting.blocked = true;
        let others: Vec<u64> = (waiting.calls.keys().copied())
            .filter(|id| !pulse.blocking.contains(id))
            .collect();
        for id in others {
            let cause = if pulse.not_begun.contains(&id) {
                Cause::NotBegun
            } else {
                Cause::AnotherCall
            };
            let waiter = waiting.calls.remove(&id);
            // Fails if nobody waits any more.
            let _ = waiter.map(|it| it.reply.send(Err(CallError::Ended(cause))));
        }
        drop(waiting);
        self.settled.notify_waiters();
    }

    /// Tells whoever still waits that the call kept its thread for too long.
    pub(super) fn condemn(&self) {
        let calls = std::mem::take(&mut self.waiting().calls);
        for waiter in calls.into_values() {
            // Fails if nobody waits any more.
            let _ = waiter.reply.send(Err(CallError::Blocked));
        }
        self.settled.notify_waiters();
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
            let (place, answer) = self.place(deadline)?;
            let left = deadline.saturating_duration_since(Instant::now());
            let message = ToChild::Call(Asked::new(place.id, call, left));
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
                let pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
                let blocks = pulse.blocking.contains(&place.id);
                Err(if blocks {
                    CallError::Blocked
                } else {
                    CallError::Late
                })
            }
        }
    }

    /// A number for a call, and where its answer will come.
    fn place(&self, deadline: Instant) -> Result<(Place<'_>, oneshot::Receiver<Reply>), CallError> {
        let (reply, answered) = oneshot::channel();
        let mut waiting = self.waiting();
        if waiting.closed || waiting.blocked {
            return Err(CallError::Ended(Cause::NotBegun));
        }
        waiting.next += 1;
        let id = waiting.next;
        let waiter = Waiter {
            reply,
            latest: deadline + GRACE,
            abandoned: false,
        };
        waiting.calls.insert(id, waiter);
        self.asked.store(true, Ordering::Relaxed);
        Ok((
            Place {
                connection: self,
                id,
            },
            answered,
        ))
    }

    fn settle(&self, id: u64, answer: Option<Result<Answered>>) {
        let waiter = self.waiting().calls.remove(&id);
        if let (Some(waiter), Some(answer)) = (waiter, answer) {
            // Fails if nobody waits any more.
            let _ = waiter.reply.send(Ok(answer));
        }
        self.settled.notify_waiters();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens until the process ends, answers what it asks, and closes the connection. An error: what it says is no message.
    pub(super) async fn listen(
        self: Arc<Self>,
        read: OwnedReadHalf,
        services: Arc<dyn Services>,
        opened: oneshot::Sender<Opened>,
    ) -> io::Result<()> {
        let heard = self.hear(read, services, opened).await;
        let waiting = {
            let mut waiting = self.waiting();
            let left = std::mem::take(&mut *waiting);
            waiting.closed = true;
            left
        };
        // Whoever waits for one of these learns that there is no answer.
        drop(waiting);
        self.settled.notify_waiters();
        heard
    }

    async fn hear(
        self: &Arc<Self>,
        read: OwnedReadHalf,
        services: Arc<dyn Services>,
        opened: oneshot::Sender<Opened>,
    ) -> io::Result<()> {
        let mut read = tokio::io::BufReader::new(read);
        let mut opened = Some(opened);
        let indexes = Arc::new(Semaphore::new(INDEXES));
        let mut log = Log::new(Arc::clone(&services));
        while let Some(frame) = protocol::next(&mut read).await? {
            match protocol::parse(&frame)? {
                ToHost::Answer { id, value, error } => {
                    self.misses.store(0, Ordering::Relaxed);
                    self.settle(id, Some(protocol::answered(value, error)));
                }
                ToHost::Gone { id } => self.settle(id, None),
                ToHost::Pong { id } => {
                    let ping = self.waiting().pings.remove(&id);
                    // Fails if nobody waits any more.
                    let _ = ping.map(|ping| ping.send(()));
                }
                ToHost::Pulse(pulse) => {
                    *self.pulse.lock().unwrap_or_else(PoisonError::into_inner) = pulse;
                }
                ToHost::Log(event) => log.take(&event),
                ToHost::Opened { refused, lacks } => {
                    let twice = || io::Error::new(io::ErrorKind::InvalidData, "it opens twice");
                    let opened = opened.take().ok_or_else(twice)?;
                    self.opened.store(true, Ordering::Relaxed);
                    // Fails if the host gave up opening it.
                    let _ = opened.send((refused.map_or(Ok(()), Err), lacks));
                }
                ToHost::Index { id, user, data } => {
                    self.deaf.store(true, Ordering::Relaxed);
                    let permit = Arc::clone(&indexes).acquire_owned().await;
                    self.deaf.store(false, Ordering::Relaxed);
                    let (connection, services) = (Arc::clone(self), Arc::clone(&services));
                    tokio::spawn(async move {
                        let _permit = permit;
                        let made = tokio::task::spawn_blocking(move || {
                            services.index(user.as_ref(), &data)
                        });
                        let failed = |_| Err(Error::internal("the host failed to read the object"));
                        let index = made.await.unwrap_or_else(failed);
                        // An index is smaller than a frame, being bounded by the object's instances.
                        let (index, error) = match index {
                            Ok(index) => (Some(index), None),
                            Err(error) => (None, Some(error)),
                        };
                        let _ = connection.send(&ToChild::Index { id, index, error }).await;
                    });
                }
            }
        }
        Ok(())
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
        let mut waiting = self.connection.waiting();
        let Some(waiter) = waiting.calls.get_mut(&self.id) else {
            return;
        };
        waiter.abandoned = true;
        drop(waiting);
        if let Ok(frame) = protocol::frame(&ToChild::Cancel { id: self.id }) {
            // If the process takes no messages, it is ended for that.
            let _ = self.connection.outbox.try_send(frame);
        }
        self.connection.settled.notify_waiters();
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

/// What a process says, as far as it is not too much.
pub(super) struct Log {
    services: Arc<dyn Services>,
    second: Instant,
    taken: u32,
}

impl Log {
    pub(super) fn new(services: Arc<dyn Services>) -> Self {
        Self {
            services,
            second: Instant::now(),
            taken: 0,
        }
    }

    pub(super) fn take(&mut self, event: &Event) {
        if self.second.elapsed() >= Duration::from_secs(1) {
            let left_out = self.taken.saturating_sub(EVENTS);
            (self.second, self.taken) = (Instant::now(), 0);
            if left_out > 0 {
                self.say(
                    tracing::Level::WARN,
                    &format!("{left_out} events were left out"),
                    &[],
                );
            }
        }
        self.taken += 1;
        // The SDK cuts what is long; a process that does not use it is not to fill the log either.
        let fields: Vec<(&str, &str)> = event.fields.iter().collect();
        if self.taken <= EVENTS && event.message.len() <= MAX_EVENT && fields.len() <= 64 {
            self.services.log(&LogEvent {
                level: level(event.level),
                target: &event.target,
                message: &event.message,
                fields,
            });
        }
    }

    fn say(&self, level: tracing::Level, message: &str, fields: &[(&str, &str)]) {
        self.services.log(&LogEvent {
            level,
            target: "convoke",
            message,
            fields: fields.to_vec(),
        });
    }
}

fn level(of: Level) -> tracing::Level {
    match of {
        Level::Off | Level::Error => tracing::Level::ERROR,
        Level::Warn => tracing::Level::WARN,
        Level::Info => tracing::Level::INFO,
        Level::Debug => tracing::Level::DEBUG,
        Level::Trace => tracing::Level::TRACE,
    }
}

/// The word for a level.
pub(super) fn word(of: tracing::Level) -> Level {
    match of {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}

/// The chattiest level that these services want.
pub(super) fn wanted(services: &dyn Services) -> Level {
    services.level().into_level().map_or(Level::Off, word)
}

/// The level of a word, for a process that asks.
pub(super) fn filter(of: Level) -> LevelFilter {
    match of {
        Level::Off => LevelFilter::OFF,
        on => LevelFilter::from_level(level(on)),
    }
}
