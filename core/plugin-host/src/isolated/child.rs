//! What the process of a plugin does: it confines itself, opens the plugin, and answers until its host is gone.
//!
//! The thread it begins with reads the line, and nothing else: calls are polled by a runtime beside it, so that an
//! index which the plugin waits for arrives however many calls block their threads. Another thread tells the host which
//! calls do (`pulse`).

mod pulse;

use super::{
    confine, line,
    protocol::{self, Call, Event, Opening, ToChild, ToHost},
};
use convoke_sdk::{
    CalendarUser, Error, ObjectIndex, Result,
    remote::{
        Kind, Library, LogEvent, NotOpened, RemoteDiscovery, RemotePolicy, RemoteStore, Sealed,
        Services,
    },
};
use pulse::Calls;
use serde::Serialize;
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
use tracing::Level;

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
    let mut read = BufReader::new(socket.try_clone()?);
    let Some(frame) = protocol::next_blocking(&mut read)? else {
        return Ok(());
    };
    let ToChild::Open(opening) = protocol::parse(&frame)? else {
        return Err(io::Error::other("the host did not say what to be"));
    };
    let host = Arc::new(HostSide::new(&opening, socket));
    let threads = threads(opening.confinement.memory);
    let prepared = prepare(&opening, memory, threads);
    let (library, lacks) = match prepared {
        Ok(prepared) => prepared,
        Err(refused) => return host.say(&refusal(refused)),
    };
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
        let message = match Plugin::open(&opening, &library, services).await {
            Ok(plugin) => {
                let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
                *opened = Some(Arc::new(plugin));
                ToHost::Opened {
                    opened: Ok(()),
                    lacks,
                }
            }
            Err(refused) => refusal(refused),
        };
        // If the host is gone, the loop ends too.
        let _ = teller.say(&message);
    });
    let calls = Calls::new(threads);
    answer(read, &host, &runtime, &plugin, &calls)?;
    calls.abort();
    drop(plugin);
    runtime.shutdown_timeout(FAREWELL);
    Ok(())
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
        opened: Err(refused),
        lacks: Vec::new(),
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

/// Confines the process, then loads the library: in this order, as loading runs code.
fn prepare(
    opening: &Opening,
    memory: OwnedFd,
    threads: usize,
) -> Result<(Library, Vec<String>), NotOpened> {
    let refused = |error: String| NotOpened {
        error: Error::invalid(error),
        config_key: None,
    };
    let library = Sealed::received(opening.file.clone(), memory);
    let library = library.map_err(|refusal| refused(refusal.to_string()))?;
    let lacks = confine::confine(&opening.confinement, threads)?;
    let library = library.load();
    let library = library.map_err(|refusal| refused(refusal.to_string()))?;
    Ok((library, lacks))
}

/// How many threads poll calls: far more than there are processors, as some may be blocked.
fn threads(memory: u64) -> usize {
    let threads = (memory / MEMORY_OF_A_THREAD).clamp(2, MOST_THREADS);
    usize::try_from(threads).unwrap_or(2)
}

enum Plugin {
    Discovery(RemoteDiscovery),
    Policy(RemotePolicy),
    Store(RemoteStore),
}

impl Plugin {
    async fn open(
        opening: &Opening,
        library: &Library,
        services: Arc<dyn Services>,
    ) -> Result<Self, NotOpened> {
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == opening.kind);
        let config = opening.config.as_str();
        Ok(match kind.unwrap_or(Kind::Store) {
            Kind::Discovery => {
                Self::Discovery(RemoteDiscovery::open(library, config, services).await?)
            }
            Kind::Policy => Self::Policy(RemotePolicy::open(library, config, services).await?),
            Kind::Store => Self::Store(RemoteStore::open(library, config, services).await?),
        })
    }

    /// Makes a call; the answer is its `Result` in postcard.
    async fn answer(&self, call: &Call<'_>) -> Vec<u8> {
        match (self, call) {
            (Self::Discovery(plugin), Call::Discover(address)) => {
                packed(&plugin.discover(address).await)
            }
            (Self::Policy(plugin), Call::Authorize(request)) => {
                packed(&plugin.authorize(request).await)
            }
            (Self::Store(store), call) => ask(store, call).await,
            _ => packed(&wrong_kind()),
        }
    }
}

async fn ask(store: &RemoteStore, call: &Call<'_>) -> Vec<u8> {
    match call {
        Call::Find(address) => packed(&store.find(address).await),
        Call::Get(user, uid) => packed(&store.get(user, uid).await),
        Call::Put(user, object, when) => packed(&store.put(user, object, when).await),
        Call::Remove(user, uid, when) => packed(&store.remove(user, uid, when).await),
        Call::Busy(user, range) => packed(&store.busy(user, *range).await),
        Call::AddUser(user) => packed(&store.add_user(user).await),
        Call::RemoveUser(user) => packed(&store.remove_user(user).await),
        Call::Users(page) => packed(&store.users(page).await),
        Call::List(user, page) => packed(&store.list(user, page).await),
        Call::Changes(user, since) => packed(&store.changes(user, since.as_deref()).await),
        Call::Keep(user, message) => packed(&store.keep(user, message).await),
        Call::Deliver(user, message) => packed(&store.deliver(user, message).await),
        Call::Discover(_) | Call::Authorize(_) => packed(&wrong_kind()),
    }
}

fn wrong_kind() -> Result<()> {
    Err(Error::internal("the host asked a plugin of another kind"))
}

fn packed<T: Serialize>(answer: &Result<T>) -> Vec<u8> {
    let unpackable = |error: Error| {
        let failed: Result<()> = Err(error);
        protocol::bytes(&failed).unwrap_or_default()
    };
    protocol::bytes(answer).unwrap_or_else(unpackable)
}

/// The plugin, once it has opened.
type Opened = Mutex<Option<Arc<Plugin>>>;

/// Reads the line until it ends.
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
            ToChild::Call { id, call } => {
                let plugin = plugin.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(plugin) = plugin.clone() else {
                    return Err(io::Error::other("the host calls before it has opened"));
                };
                let call = call.into_owned();
                let (answering, host) = (Arc::clone(calls), Arc::clone(host));
                calls.begin(id, |polls| {
                    runtime.spawn(async move {
                        let mut given_up = GivenUp {
                            id,
                            host: Some(&host),
                        };
                        let answer = polls.follow(plugin.answer(&call)).await;
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
            ToChild::Index { id, index } => host.indexed(id, index),
            ToChild::Close => return Ok(()),
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

/// The host as the plugin sees it, at the other end of the line.
struct HostSide {
    name: String,
    folder: PathBuf,
    level: u8,
    socket: Mutex<UnixStream>,
    next: AtomicU64,
    indexes: Mutex<HashMap<u64, mpsc::SyncSender<Result<ObjectIndex>>>>,
}

impl HostSide {
    fn new(opening: &Opening, socket: UnixStream) -> Self {
        Self {
            name: opening.name.clone(),
            folder: opening.folder.clone(),
            level: opening.level,
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

    fn answer(&self, id: u64, answer: Vec<u8>) {
        let frame = protocol::frame(&ToHost::Answer { id, answer }).unwrap_or_else(|error| {
            let answer = packed::<()>(&Err(Error::internal(format!("its answer: {error}"))));
            protocol::frame(&ToHost::Answer { id, answer }).unwrap_or_default()
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

    fn wants(&self, level: Level) -> bool {
        line::number(level) <= self.level
    }

    fn log(&self, event: &LogEvent<'_>) {
        let field = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        // If the host is gone, so is its log.
        let _ = self.say(&ToHost::Log(Event {
            level: line::number(event.level),
            target: event.target.to_owned(),
            message: event.message.to_owned(),
            fields: event.fields.iter().map(field).collect(),
        }));
    }
}
