//! What the process of a plugin does: it confines itself, and runs the plugin if that is a program (`program`). If it is a
//! library, it loads it, opens it, and answers until its host is gone.
//!
//! The thread it begins with reads the connection, and nothing else: calls are polled by a runtime beside it, so that an
//! index which the plugin waits for arrives however many calls block their threads. Another thread tells the host which
//! calls do (`pulse`).

mod declared;
mod program;
mod pulse;

use super::{
    confine, log,
    preparation::{Preparation, Prepared},
    protocol::{self, Event, Hello, Opening, ToChild, ToHost},
};
use crate::secret;
use convoke_sdk::{
    CalendarUser, Call, Error, Health, Metric, MetricKind, Network, ObjectIndex, Purpose, Result,
    Secret,
    remote::{Answered, Kind, Library, LogEvent, NotOpened, RemotePlugin, Sealed, Services},
};
use declared::Declared;
use pulse::Calls;
use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Write},
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};
use tracing::level_filters::LevelFilter;

/// How long calls and the plugin's own tasks may take to end; the host waits a little longer.
const FAREWELL: Duration = Duration::from_secs(4);
/// The most threads for calls. A call that blocks its thread leaves the others to other calls.
const MOST_THREADS: u64 = 16;
/// A thread for each so many bytes of memory.
const MEMORY_OF_A_THREAD: u64 = 16 << 20;

/// Is the process of a plugin until its host is gone. To be called before the process has a second thread.
pub fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The host reads it, if it is there.
            let _ = writeln!(
                io::stderr(),
                "the process of a plugin cannot go on: {error}; the host starts it, it is nothing to run by hand"
            );
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    outlive_orders()?;
    let (socket, memory) = ends()?;
    let Some(preparation) = Preparation::read(&socket)? else {
        return Ok(());
    };
    match &preparation.run {
        Some(run) => program::take_over(&preparation, run, &socket, memory),
        None => serve_library(&preparation, socket, memory),
    }
}

fn serve_library(preparation: &Preparation, socket: UnixStream, memory: OwnedFd) -> io::Result<()> {
    let threads = threads(preparation.confinement.memory);
    let library = match prepare(preparation, memory, threads, &socket)? {
        Ok(Some(library)) => library,
        Ok(None) => return Ok(()),
        Err(refused) => return say(&socket, &refusal(refused)),
    };
    say(&socket, &ToHost::Hello(Hello::of(&library.manifest)))?;
    let mut read = BufReader::new(socket.try_clone()?);
    let Some(frame) = protocol::next_blocking(&mut read)? else {
        return Ok(());
    };
    let opening = match protocol::parse(&frame)? {
        ToChild::Open(opening) => opening.into_owned(),
        ToChild::Close {} => return Ok(()),
        _ => return Err(io::Error::other("the host did not say what to be")),
    };
    let host = Arc::new(HostSide::new(&opening, socket));
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .worker_threads(threads)
        .thread_stack_size(confine::STACK)
        .thread_name("convoke-calls")
        .build()?;
    let services: Arc<dyn Services> = host.clone();
    // The index that opening may ask for is answered by the loop below, so opening is not waited for here.
    let plugin = Arc::new(Mutex::new(None));
    let opened = Arc::clone(&plugin);
    let teller = Arc::clone(&host);
    runtime.spawn(async move {
        let message = match open(&opening, &library, services).await {
            Ok(plugin) => {
                let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
                *opened = Some(Arc::new(plugin));
                ToHost::Opened { refused: None }
            }
            Err(refused) => refusal(refused),
        };
        // If the host is gone, the loop ends too.
        let _ = teller.say(&message);
    });
    let calls = Calls::new(threads);
    answer(read, &host, &runtime, &plugin, &calls)?;
    calls.abort();
    let opened = (plugin.lock())
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(opened) = opened {
        close(&runtime, &opened);
    }
    runtime.shutdown_timeout(FAREWELL);
    Ok(())
}

/// The last call, which is waited for, not for ever.
fn close(runtime: &Runtime, plugin: &RemotePlugin) {
    let call = Call::within(FAREWELL).made_for(Purpose::Background);
    let closing = async {
        let closing = plugin.answer("close", "{}", &call);
        tokio::time::timeout(FAREWELL, closing).await
    };
    if let Ok(Err(error)) = runtime.block_on(closing) {
        // The host reads it.
        let _ = writeln!(io::stderr(), "it did not close: {error}");
    }
}

/// Whoever ends the host may tell all of its processes at once, as systemd does, and a terminal at Ctrl-C. The host then
/// finishes what has begun, for which it needs us; we end when it does. So such signals wait for ever.
fn outlive_orders() -> io::Result<()> {
    use nix::sys::signal::{SigSet, Signal};
    let orders = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];
    // Threads that are started later have the mask of this one.
    Ok(SigSet::from_iter(orders).thread_block()?)
}

fn refusal(refused: NotOpened) -> ToHost {
    ToHost::Opened {
        refused: Some(refused),
    }
}

/// The two things that the host hands over; nothing else is left open but standard error.
fn ends() -> io::Result<(UnixStream, OwnedFd)> {
    use rustix::{
        process::{Signal, set_parent_process_death_signal},
        stdio,
    };
    // With the thread that started us, which lives as long as the host does.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let socket = stdio::stdin().try_clone_to_owned()?;
    let memory = stdio::stdout().try_clone_to_owned()?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    stdio::dup2_stdin(&null)?;
    stdio::dup2_stdout(&null)?;
    let ours = [socket.as_raw_fd(), memory.as_raw_fd(), null.as_raw_fd()];
    // What the host itself inherited, and the system does not close.
    let open: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2 && !ours.contains(descriptor))
        .collect();
    for descriptor in open {
        // Fails for the descriptor that the folder was read through, which is closed already.
        let _ = nix::unistd::close(descriptor);
    }
    Ok((UnixStream::from(socket), memory))
}

/// Confines the process, tells the host, and then loads the library: in this order, as loading runs code. Nothing: it
/// could not be confined, as the host knows.
fn prepare(
    preparation: &Preparation,
    memory: OwnedFd,
    threads: usize,
    socket: &UnixStream,
) -> io::Result<Result<Option<Library>, NotOpened>> {
    let library = Sealed::received(preparation.file.clone(), memory);
    let confined = match &library {
        Ok(_) => confine::confine(&preparation.confinement, threads, None),
        Err(refusal) => Err(unfit(refusal.to_string())),
    };
    let is_confined = confined.is_ok();
    Prepared::tell(confined, socket)?;
    Ok(match library {
        Ok(library) if is_confined => match library.load() {
            Ok(library) => Ok(Some(library)),
            Err(refusal) => Err(unfit(refusal.to_string())),
        },
        _ => Ok(None),
    })
}

fn unfit(error: String) -> NotOpened {
    NotOpened {
        error: Error::invalid(error),
        config_key: None,
    }
}

fn say(mut socket: &UnixStream, message: &ToHost) -> io::Result<()> {
    let frame = protocol::frame(message).map_err(io::Error::other)?;
    socket.write_all(&frame)
}

/// How many threads poll calls: far more than there are processors, as some may be blocked.
fn threads(memory: u64) -> usize {
    let threads = (memory / MEMORY_OF_A_THREAD).clamp(2, MOST_THREADS);
    usize::try_from(threads).unwrap_or(2)
}

async fn open(
    opening: &Opening,
    library: &Library,
    services: Arc<dyn Services>,
) -> Result<RemotePlugin, NotOpened> {
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == opening.kind);
    let kind = kind.ok_or_else(|| NotOpened {
        error: Error::invalid(format!("`{}` is no kind of plugin", opening.kind)),
        config_key: None,
    })?;
    RemotePlugin::open(kind, library, &opening.config_toml, services).await
}

/// The plugin, once it has opened.
type Opened = Mutex<Option<Arc<RemotePlugin>>>;

/// Reads the connection until it ends.
fn answer(
    mut read: BufReader<UnixStream>,
    host: &Arc<HostSide>,
    runtime: &Runtime,
    plugin: &Opened,
    calls: &Arc<Calls>,
) -> io::Result<()> {
    let pulses = pulse::teller(Arc::clone(host), Arc::clone(calls))?;
    while let Some(frame) = protocol::next_blocking(&mut read)? {
        match protocol::parse(&frame)? {
            ToChild::Call(asked) => {
                let plugin = plugin.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(plugin) = plugin.clone() else {
                    return Err(io::Error::other("the host calls before it has opened"));
                };
                let (id, call) = (asked.id, asked.call());
                let method = asked.method.into_owned();
                let arguments = asked.arguments.get().to_owned();
                let (answering, host) = (Arc::clone(calls), Arc::clone(host));
                calls.begin(id, |polls| {
                    runtime.spawn(async move {
                        let mut given_up = GivenUp {
                            id,
                            host: Some(&host),
                        };
                        let answer = plugin.answer(&method, &arguments, &call);
                        let answer = polls.follow(answer).await;
                        // Before it is told: who is told may tell us to close.
                        drop(plugin);
                        answering.end(id);
                        given_up.host = None;
                        host.answer(id, answer);
                    })
                });
            }
            ToChild::Cancel { id } => calls.cancel(id),
            ToChild::Ping { id } => {
                // If it is still telling an earlier one, the host does not listen.
                let _ = pulses.try_send(id);
                let host = Arc::clone(host);
                runtime.spawn(async move {
                    // If the host is gone, nobody waits.
                    let _ = host.say(&ToHost::Pong { id });
                });
            }
            ToChild::Index { id, index, error } => {
                let none = || Error::internal("the host sent neither an index nor an error");
                host.indexed(id, index.ok_or_else(|| error.unwrap_or_else(none)));
            }
            ToChild::Close {} => return Ok(()),
            ToChild::Open(_) => return Err(io::Error::other("the host opens it twice")),
        }
    }
    Ok(())
}

/// Says that a call was given up, when it is.
struct GivenUp<'a> {
    id: u64,
    host: Option<&'a HostSide>,
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        if let Some(host) = self.host {
            // If the host is gone, nobody waits.
            let _ = host.say(&ToHost::Gone { id: self.id });
        }
    }
}

/// The host as the plugin sees it, at the other end of the connection.
struct HostSide {
    name: String,
    folder: PathBuf,
    state_folder: PathBuf,
    network: Network,
    declared: Declared,
    level: LevelFilter,
    socket: Mutex<UnixStream>,
    next: AtomicU64,
    indexes: Mutex<HashMap<u64, mpsc::SyncSender<Result<ObjectIndex>>>>,
}

impl HostSide {
    fn new(opening: &Opening, socket: UnixStream) -> Self {
        Self {
            name: opening.name.clone(),
            folder: opening.folder.clone(),
            state_folder: opening.state_folder.clone(),
            network: opening.network.clone(),
            declared: Declared::default(),
            level: log::filter(opening.level),
            socket: Mutex::new(socket),
            next: AtomicU64::new(1),
            indexes: Mutex::default(),
        }
    }

    fn say(&self, message: &ToHost) -> io::Result<()> {
        let frame = protocol::frame(message).map_err(io::Error::other)?;
        self.send(&frame)
    }

    fn send(&self, frame: &[u8]) -> io::Result<()> {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.write_all(frame)
    }

    fn answer(&self, id: u64, answer: Result<Answered>) {
        let (value, error) = match answer {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(error)),
        };
        let frame = protocol::frame(&ToHost::Answer { id, value, error });
        let frame = frame.unwrap_or_else(|error| {
            let error = Some(Error::internal(format!("its answer: {error}")));
            let value = None;
            protocol::frame(&ToHost::Answer { id, value, error }).unwrap_or_default()
        });
        // If the host is gone, nobody waits.
        let _ = self.send(&frame);
    }

    fn indexed(&self, id: u64, index: Result<ObjectIndex>) {
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = indexes.remove(&id) {
            // Fails if nobody waits any more.
            let _ = asked.send(index);
        }
    }
}

impl Services for HostSide {
    fn instance(&self) -> &str {
        &self.name
    }

    fn directory(&self) -> &Path {
        &self.folder
    }

    fn index(&self, user: Option<&CalendarUser>, data: &[u8]) -> Result<ObjectIndex> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (asked, answered) = mpsc::sync_channel(1);
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        indexes.insert(id, asked);
        drop(indexes);
        let message = ToHost::Index {
            id,
            user: user.cloned(),
            data: data.to_vec(),
        };
        let gone = || Error::unavailable("the host does not answer");
        let sent =
            protocol::frame(&message).and_then(|frame| self.send(&frame).map_err(Into::into));
        if let Err(error) = sent {
            let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
            indexes.remove(&id);
            return Err(error);
        }
        answered.recv().unwrap_or_else(|_| Err(gone()))
    }

    fn state_folder(&self) -> Result<PathBuf> {
        Ok(self.state_folder.clone())
    }

    /// Read here, so that it is held to what this process may read.
    fn secret(&self, path: &Path) -> Result<Secret> {
        secret::read(&self.folder, path)
    }

    fn network(&self) -> Network {
        self.network.clone()
    }

    fn metric(&self, kind: MetricKind, metric: &Metric) -> u64 {
        self.declared.number(kind, metric, |series| {
            // If the host is gone, nobody counts.
            let _ = self.say(&ToHost::Metric {
                series,
                kind: kind.as_str().to_owned(),
                metric: metric.clone(),
            });
        })
    }

    fn record(&self, series: u64, value: f64) {
        // JSON has no others.
        if value.is_finite() {
            let _ = self.say(&ToHost::Record { series, value });
        }
    }

    fn health(&self, health: &Health) {
        let degraded = health.why().map(str::to_owned);
        // If the host is gone, nobody asks.
        let _ = self.say(&ToHost::Health { degraded });
    }

    fn level(&self) -> LevelFilter {
        self.level
    }

    fn log(&self, event: &LogEvent<'_>) {
        // If the host is gone, so is its log.
        let _ = self.say(&ToHost::Log(Event {
            level: log::word(event.level),
            target: event.target.to_owned(),
            message: event.message.to_owned(),
            fields: event.fields.iter().copied().collect(),
        }));
    }
}
