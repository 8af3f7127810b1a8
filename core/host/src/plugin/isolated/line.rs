//! The host's end of the line to one running process.

use super::protocol::{self, Call, Event, ToChild, ToHost};
use convoke_sdk::{
    Error, Result,
    remote::{LogEvent, NotOpened, Services},
};
use std::{
    collections::HashMap,
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
use tracing::Level;

/// Calls on their way at once; more wait.
const CALLS: usize = 256;
/// Frames that wait for the process to take them.
const OUTBOX: usize = 64;
/// Indexes that are made for one process at once.
const INDEXES: usize = 4;
/// How long a process may take to give up a call whose deadline has passed. One that takes longer blocks its threads.
const GRACE: Duration = Duration::from_secs(1);
/// Deadlines missed with no answer between them after which a process is ended.
const MISSES: u32 = 10;
/// Events of one process that are logged in a second.
const EVENTS: u32 = 500;

/// The longest event that is logged, in bytes.
const MAX_EVENT: usize = 64 * 1024;

/// What [`ToHost::Opened`] says.
pub(super) type Opened = (Result<(), NotOpened>, Vec<String>);

/// A line to a process; closed when it ends.
pub(super) struct Line {
    outbox: mpsc::Sender<Vec<u8>>,
    waiting: Mutex<Waiting>,
    slots: Semaphore,
    misses: AtomicU32,
    answered: AtomicBool,
    hangs: Notify,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    calls: HashMap<u64, oneshot::Sender<Vec<u8>>>,
    closed: bool,
}

/// Why a call has no answer.
pub(super) enum NoAnswer {
    /// The process ended under it.
    Ended,
    /// Its deadline passed.
    Late,
    /// It cannot be sent.
    Unsendable(Error),
    /// There is no process to send it to.
    Nobody(Error),
}

impl Line {
    /// A line that sends over `write`.
    pub(super) fn new(write: OwnedWriteHalf) -> Arc<Self> {
        let (outbox, frames) = mpsc::channel(OUTBOX);
        tokio::spawn(send(frames, write));
        Arc::new(Self {
            outbox,
            waiting: Mutex::default(),
            slots: Semaphore::new(CALLS),
            misses: AtomicU32::new(0),
            answered: AtomicBool::new(false),
            hangs: Notify::new(),
        })
    }

    /// Whether the process has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.waiting().closed
    }

    /// Whether it ever answered.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Returns when the process does not keep its deadlines and is to be ended.
    pub(super) async fn hangs(&self) {
        self.hangs.notified().await;
    }

    /// Sends a message that no call waits for.
    pub(super) async fn send(&self, message: &ToChild<'_>) -> Result<()> {
        let frame = protocol::frame(message)?;
        // Fails only if the process has ended, which others are told.
        let _ = self.outbox.send(frame).await;
        Ok(())
    }

    /// Makes a call; the answer is a `Result` in postcard.
    pub(super) async fn call(
        self: &Arc<Self>,
        call: &Call<'_>,
        deadline: Instant,
    ) -> Result<Vec<u8>, NoAnswer> {
        let sent = tokio::time::timeout_at(deadline, async {
            let slot = self.slots.acquire().await.map_err(|_| NoAnswer::Ended)?;
            let (place, answer) = self.place()?;
            let message = ToChild::Call {
                id: place.id,
                call: std::borrow::Cow::Borrowed(call),
            };
            let frame = protocol::frame(&message).map_err(NoAnswer::Unsendable)?;
            let sent = self.outbox.send(frame).await;
            sent.map_err(|_| NoAnswer::Ended)?;
            Ok((slot, place, answer))
        });
        let (_slot, place, mut answer) = match sent.await {
            Ok(sent) => sent?,
            Err(_) => return Err(NoAnswer::Late),
        };
        let answered = tokio::time::timeout_at(deadline, &mut answer).await;
        let Ok(answered) = answered else {
            self.missed(place, answer);
            return Err(NoAnswer::Late);
        };
        answered.map_err(|_| NoAnswer::Ended)
    }

    /// A number for a call, and where its answer will come.
    fn place(&self) -> Result<(Place<'_>, oneshot::Receiver<Vec<u8>>), NoAnswer> {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(NoAnswer::Ended);
        }
        waiting.next += 1;
        let id = waiting.next;
        waiting.calls.insert(id, answer);
        Ok((Place { line: self, id }, answered))
    }

    /// A deadline has passed: the process must give the call up, which it can if it does not block its threads.
    fn missed(self: &Arc<Self>, place: Place<'_>, gone: oneshot::Receiver<Vec<u8>>) {
        let id = place.id;
        // The place is kept: what comes for it shows that the process still lives.
        std::mem::forget(place);
        let told = self.cancel(id);
        let misses = self.misses.fetch_add(1, Ordering::Relaxed) + 1;
        if !told || misses >= MISSES {
            self.hangs.notify_one();
            return;
        }
        let line = Arc::clone(self);
        tokio::spawn(async move {
            if tokio::time::timeout(GRACE, gone).await.is_err() {
                line.hangs.notify_one();
            }
        });
    }

    /// Tells the process that nobody waits for a call; `false` if it takes no messages.
    fn cancel(&self, id: u64) -> bool {
        let frame = protocol::frame(&ToChild::Cancel { id });
        frame.is_ok_and(|frame| self.outbox.try_send(frame).is_ok())
    }

    fn settle(&self, id: u64, answer: Option<Vec<u8>>) {
        let place = self.waiting().calls.remove(&id);
        if let (Some(place), Some(answer)) = (place, answer) {
            // Fails if nobody waits any more.
            let _ = place.send(answer);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens until the process ends, answers what it asks, and closes the line.
    pub(super) async fn listen(
        self: Arc<Self>,
        read: OwnedReadHalf,
        services: Arc<dyn Services>,
        opened: oneshot::Sender<Opened>,
    ) {
        // What is no message is as good as an end.
        let _ = self.hear(read, services, opened).await;
        let calls = {
            let mut waiting = self.waiting();
            waiting.closed = true;
            std::mem::take(&mut waiting.calls)
        };
        // Whoever waits for one of these learns that there is no answer.
        drop(calls);
    }

    async fn hear(
        self: &Arc<Self>,
        read: OwnedReadHalf,
        services: Arc<dyn Services>,
        opened: oneshot::Sender<Opened>,
    ) -> std::io::Result<()> {
        let mut read = tokio::io::BufReader::new(read);
        let mut opened = Some(opened);
        let indexes = Arc::new(Semaphore::new(INDEXES));
        let mut log = Log::new(Arc::clone(&services));
        while let Some(frame) = protocol::next(&mut read).await? {
            match protocol::parse(&frame)? {
                ToHost::Answer { id, answer } => {
                    self.misses.store(0, Ordering::Relaxed);
                    self.answered.store(true, Ordering::Relaxed);
                    self.settle(id, Some(answer));
                }
                ToHost::Gone { id } => self.settle(id, None),
                ToHost::Log(event) => log.take(&event),
                ToHost::Opened {
                    opened: result,
                    lacks,
                } => {
                    if let Some(opened) = opened.take() {
                        // Fails if the host gave up opening it.
                        let _ = opened.send((result, lacks));
                    }
                }
                ToHost::Index { id, user, data } => {
                    let permit = Arc::clone(&indexes).acquire_owned().await;
                    let (line, services) = (Arc::clone(self), Arc::clone(&services));
                    tokio::spawn(async move {
                        let _permit = permit;
                        let made = tokio::task::spawn_blocking(move || {
                            services.index(user.as_ref(), &data)
                        });
                        let failed = |_| Err(Error::internal("the host failed to read the object"));
                        let index = made.await.unwrap_or_else(failed);
                        // An index is smaller than a frame, being bounded by the object's instances.
                        let _ = line.send(&ToChild::Index { id, index }).await;
                    });
                }
            }
        }
        Ok(())
    }
}

/// A call's place among those that wait; given up when the caller goes away.
struct Place<'a> {
    line: &'a Line,
    id: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let waits = self.line.waiting().calls.remove(&self.id).is_some();
        if waits {
            self.line.cancel(self.id);
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
                    Level::WARN,
                    &format!("{left_out} events were left out"),
                    &[],
                );
            }
        }
        self.taken += 1;
        // The SDK cuts what is long; a process that does not use it is not to fill the log either.
        if self.taken <= EVENTS && event.message.len() <= MAX_EVENT && event.fields.len() <= 64 {
            let level = level(event.level);
            self.services.log(&LogEvent {
                level,
                target: &event.target,
                message: &event.message,
                fields: (event.fields.iter())
                    .map(|(name, value)| (&**name, &**value))
                    .collect(),
            });
        }
    }

    fn say(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        self.services.log(&LogEvent {
            level,
            target: "convoke",
            message,
            fields: fields.to_vec(),
        });
    }
}

const LEVELS: [Level; 5] = [
    Level::ERROR,
    Level::WARN,
    Level::INFO,
    Level::DEBUG,
    Level::TRACE,
];

/// The level of a number: 1 is an error, 5 and more a trace.
fn level(number: u8) -> Level {
    let place = usize::from(number).clamp(1, LEVELS.len()) - 1;
    LEVELS[place]
}

/// The number of a level.
pub(super) fn number(of: Level) -> u8 {
    LEVELS
        .iter()
        .zip(1..)
        .find_map(|(level, number)| (*level == of).then_some(number))
        .unwrap_or(5)
}

/// The number of the chattiest level that these services want; 0 for none.
pub(super) fn wanted(services: &dyn Services) -> u8 {
    let wanted = LEVELS.iter().filter(|level| services.wants(**level));
    wanted.map(|level| number(*level)).max().unwrap_or(0)
}
