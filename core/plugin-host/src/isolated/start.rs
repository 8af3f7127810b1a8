//! Starts the process of a plugin.
//!
//! It is this very program, whatever has become of its file, run with the hidden command [`COMMAND`]. It is given three
//! things: its end of a socket as standard input, the plugin's file as sealed memory as standard output, and a pipe into
//! the log as standard error; and no environment but what makes it frugal. It is told what to become, and confines itself
//! ([`Preparation`]); what it says then is the plugin's: a greeting, and whether it opened.

use super::{
    COMMAND, alive,
    connection::{Beginning, CallError, Connection, Fault},
    log::Log,
    preparation::Preparation,
    protocol::{Event, Hello, Level, Opening, ToChild},
};
use convoke_sdk::{
    Attributes, Error,
    remote::{NotOpened, Sealed, Services},
};
use convoke_types::excerpt;
use std::{
    borrow::Cow,
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::UnixStream,
    process::{Child, ChildStderr, Command},
    runtime::Handle,
    sync::oneshot,
    task::JoinHandle,
};

/// How long a process may take to close its plugin and end when it is told to.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long a process may take to end once it has closed its connection, and its last words to arrive.
const LAST_BREATH: Duration = Duration::from_secs(1);
/// How long a thread for calls may take to answer the first ping.
const FIRST_PONG: Duration = Duration::from_secs(10);
/// The longest line of standard error that is logged, in bytes.
const MAX_LINE: u64 = 4096;
/// How many letters of the last line are told with the reason why a process ended.
const MOST_TOLD: usize = 300;

/// All that starting a process takes, whatever its plugin is to be.
pub(super) struct Starter {
    pub(super) program: PathBuf,
    /// The plugin's file.
    pub(super) sealed: Sealed,
    pub(super) preparation: Preparation,
    pub(super) services: Arc<dyn Services>,
    /// Of each call.
    pub(super) deadline: Duration,
}

/// All that starting and opening takes, as often as it is needed.
pub(super) struct Launcher {
    pub(super) starter: Starter,
    pub(super) opening: Opening,
}

/// A process that has said what it is.
pub(super) struct Greeted {
    pub(super) hello: Hello,
    running: Running,
    /// Where it says whether it opened.
    opened: oneshot::Receiver<Result<(), NotOpened>>,
}

/// A process whose plugin has opened.
pub(super) struct Running {
    pub(super) connection: Arc<Connection>,
    /// What the kernel does not take away, in words.
    pub(super) lacks: Vec<String>,
    process: Child,
    /// Ends with the line.
    listener: JoinHandle<io::Result<()>>,
    /// Ends with standard error; its last line.
    follower: Option<JoinHandle<Option<String>>>,
}

/// How a process ends.
pub(super) enum End {
    /// It has ended, in words.
    Ended(String),
    /// Calls are stuck in it: it is to be replaced, and ended when the others are answered.
    Stuck,
}

/// Why there is no process.
pub(super) enum Failed {
    /// The plugin does not open.
    NotOpened(NotOpened),
    /// It cannot be started, or ended before it opened.
    Broken(String),
}

impl Launcher {
    /// Starts a process and opens the plugin in it. Dropped before it is ready, it leaves no process.
    pub(super) async fn start(&self) -> Result<Running, Failed> {
        let Greeted {
            hello,
            mut running,
            opened,
        } = self.starter.greet().await?;
        hello.describe().map_err(Failed::Broken)?;
        let open = ToChild::Open(Cow::Borrowed(&self.opening));
        let sent = running.connection.send(&open).await;
        sent.map_err(|error| Failed::Broken(error.to_string()))?;
        let opened = tokio::select! {
            opened = opened => opened,
            _ = running.connection.fault() => return Err(running.broken().await),
        };
        match opened {
            Ok(Ok(())) => running.prove_itself().await,
            Ok(Err(refused)) => Err(Failed::NotOpened(refused)),
            Err(_) => Err(running.broken().await),
        }
    }
}

impl Starter {
    /// Starts a process, and has it say what it is.
    pub(super) async fn greet(&self) -> Result<Greeted, Failed> {
        let cannot =
            |error: io::Error| Failed::Broken(format!("no process can be started for it: {error}"));
        let (mut process, mut socket) = self.launch().await.map_err(cannot)?;
        let follower = (process.stderr.take())
            .map(|stderr| tokio::spawn(follow(stderr, Arc::clone(&self.services))));
        let confined = self.preparation.order(&mut socket).await;
        let (read, write) = socket.into_split();
        let connection = Connection::new(write, &self.preparation.name);
        let (greeted, greeting) = oneshot::channel();
        let (opened, mut opening) = oneshot::channel();
        let beginning = Beginning { greeted, opened };
        let services = Arc::clone(&self.services);
        let listener = Arc::clone(&connection).listen(read, services, beginning);
        let mut running = Running {
            connection,
            lacks: Vec::new(),
            process,
            listener: tokio::spawn(listener),
            follower,
        };
        running.lacks = match confined {
            Ok(Ok(lacks)) => lacks,
            Ok(Err(refused)) => return Err(Failed::NotOpened(refused)),
            Err(_) => return Err(running.broken().await),
        };
        if let Some(pid) = running.process.id() {
            // From now on: the plugin's code runs.
            let connection = Arc::clone(&running.connection);
            tokio::spawn(alive::watch(connection, pid, self.deadline));
        }
        let refused = tokio::select! {
            biased;
            opened = &mut opening => opened.ok().and_then(Result::err),
            hello = greeting => match hello {
                Ok(hello) => return Ok(Greeted { hello, running, opened: opening }),
                Err(_) => None,
            },
            _ = running.connection.fault() => None,
        };
        match refused {
            Some(refused) => Err(Failed::NotOpened(refused)),
            None => Err(running.broken().await),
        }
    }

    async fn launch(&self) -> io::Result<(Child, UnixStream)> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(&self.program);
        command
            .arg0("convoke")
            .args([COMMAND, &self.preparation.name])
            .env_clear()
            // Each further arena of the C library would take from the plugin's memory.
            .env("MALLOC_ARENA_MAX", "2")
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(self.sealed.share()?))
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Ok((launched(command).await?, UnixStream::from_std(ours)?))
    }
}

impl Greeted {
    /// Ends the process, which is not to be anything.
    pub(super) async fn dismiss(self) {
        self.running.close().await;
    }
}

impl Running {
    /// Asks the process a harmless question, so that nobody's call is the first.
    async fn prove_itself(mut self) -> Result<Self, Failed> {
        let (_, pong) = self.connection.ping();
        match tokio::time::timeout(FIRST_PONG, pong).await {
            Ok(true) => Ok(self),
            Ok(false) => Err(self.broken().await),
            Err(_) => {
                self.kill().await;
                let text = "its process opened, but does not answer a ping";
                Err(Failed::Broken(text.to_owned()))
            }
        }
    }

    /// Waits until the process has ended, or is to be.
    pub(super) async fn ended(&mut self) -> End {
        let fault = tokio::select! {
            heard = &mut self.listener => return End::Ended(self.manner(heard.ok()).await),
            fault = self.connection.fault() => fault,
        };
        match fault {
            Fault::Stuck => End::Stuck,
            Fault::Lost(why) => {
                self.kill().await;
                End::Ended(why)
            }
        }
    }

    /// As [`ended`](Self::ended), of one that nobody calls yet; with the last that it said, which often tells why.
    async fn broken(&mut self) -> Failed {
        let reason = match self.ended().await {
            End::Ended(reason) => reason,
            End::Stuck => {
                self.kill().await;
                NOT_IN_TIME.to_owned()
            }
        };
        let said = match self.follower.take() {
            // Somebody else may hold the other end.
            Some(follower) => tokio::time::timeout(LAST_BREATH, follower).await,
            None => Ok(Ok(None)),
        };
        Failed::Broken(match said {
            Ok(Ok(Some(line))) => format!("{reason}; it said last: {}", excerpt(&line, MOST_TOLD)),
            _ => reason,
        })
    }

    /// Sees that a process that has closed its connection ends; answers how.
    async fn manner(&mut self, heard: Option<io::Result<()>>) -> String {
        if let Some(Err(nonsense)) = heard
            && nonsense.kind() == io::ErrorKind::InvalidData
        {
            self.kill().await;
            return format!("its process said what is no message ({nonsense}) and was ended");
        }
        match tokio::time::timeout(LAST_BREATH, self.process.wait()).await {
            Ok(Ok(status)) => format!("its process {}", manner(status)),
            Ok(Err(error)) => format!("its process cannot be waited for: {error}"),
            Err(_) => {
                self.kill().await;
                "its process closed its connection and was ended".to_owned()
            }
        }
    }

    /// Waits for the answers that are still waited for, as long as they may take, and ends the process.
    pub(super) async fn finish(mut self, longest: Duration) -> &'static str {
        tokio::select! {
            // Whatever it was: it ends now.
            _ = tokio::time::timeout(longest, self.connection.quiet()) => {}
            _ = &mut self.listener => {}
        }
        self.kill().await;
        NOT_IN_TIME
    }

    /// Tells the process to close the plugin and end, and waits until it has, and what it said meanwhile has arrived.
    pub(super) async fn close(mut self) {
        let closed = tokio::time::timeout(FAREWELL, async {
            // Fails only if the process has ended.
            let _ = self.connection.send(&ToChild::Close {}).await;
            self.process.wait().await
        });
        if closed.await.is_err() {
            tracing::warn!(
                event = "plugin-not-closed",
                "the process of a plugin did not close in {FAREWELL:?} and was ended"
            );
            self.kill().await;
        }
        let last_words = async {
            let _ = (&mut self.listener).await;
            if let Some(follower) = self.follower.take() {
                let _ = follower.await;
            }
        };
        // Somebody else may hold the other ends.
        let _ = tokio::time::timeout(LAST_BREATH, last_words).await;
    }

    pub(super) async fn kill(&mut self) {
        // Fails only if it has ended.
        let _ = self.process.kill().await;
    }
}

/// What is said of a process that was ended, as calls were stuck in it.
pub(super) const NOT_IN_TIME: &str = "its process did not keep its deadlines and was ended";

/// How a process ended, in words.
fn manner(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return match status.code() {
            Some(code) => format!("ended with exit status {code}"),
            None => "ended".to_owned(),
        };
    };
    let name = match signal {
        libc::SIGABRT => " (SIGABRT: it aborted, as it does when it finds no memory)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGFPE => " (SIGFPE)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGKILL => " (SIGKILL)",
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGSYS => " (SIGSYS)",
        libc::SIGTERM => " (SIGTERM)",
        _ => "",
    };
    format!("was ended by signal {signal}{name}")
}

/// Starts a process from a thread that never ends: a process dies with the *thread* that started it (see `child`), and
/// threads of a runtime come and go.
async fn launched(command: Command) -> io::Result<Child> {
    type Job = (Command, Handle, oneshot::Sender<io::Result<Child>>);
    static LAUNCHER: OnceLock<std::sync::mpsc::Sender<Job>> = OnceLock::new();
    let launcher = LAUNCHER.get_or_init(|| {
        let (jobs, work) = std::sync::mpsc::channel::<Job>();
        let named = thread::Builder::new().name("convoke-launcher".to_owned());
        // Without a thread the sender finds nobody, which is told below.
        let _ = named.spawn(move || {
            for (mut command, runtime, done) in work {
                let _runtime = runtime.enter();
                // Fails if nobody waits any more; the process is then ended, being dropped.
                let _ = done.send(command.spawn());
            }
        });
        jobs
    });
    let (done, child) = oneshot::channel();
    let nobody = || io::Error::other("the thread that starts processes is not there");
    launcher
        .send((command, Handle::current(), done))
        .map_err(|_| nobody())?;
    child.await.map_err(|_| nobody())?
}

/// What a process writes to standard error, its own last words among it, goes to the log line by line; the last line.
async fn follow(stderr: ChildStderr, services: Arc<dyn Services>) -> Option<String> {
    let mut log = Log::new(services);
    let mut stderr = BufReader::new(stderr);
    let mut last = None;
    loop {
        let mut line = Vec::new();
        let mut start = (&mut stderr).take(MAX_LINE);
        if !matches!(start.read_until(b'\n', &mut line).await, Ok(1..)) {
            return last;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() {
            log.take(&Event {
                level: Level::Warn,
                target: "stderr".to_owned(),
                message: text.to_owned(),
                fields: Attributes::new(),
            });
            last = Some(text.to_owned());
        }
    }
}

impl From<CallError> for Error {
    fn from(none: CallError) -> Self {
        match none {
            CallError::Ended(_) => Self::unavailable("its process ended before it answered"),
            CallError::Blocked => Self::unavailable("it blocks the thread that it was given"),
            CallError::Late => Self::unavailable("no answer in time"),
            CallError::Unsendable(error) | CallError::Nobody(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_process_ended_is_said_in_words() {
        for (status, words) in [
            (ExitStatus::from_raw(11), "was ended by signal 11 (SIGSEGV)"),
            (ExitStatus::from_raw(3 << 8), "ended with exit status 3"),
        ] {
            assert_eq!(manner(status), words);
        }
    }
}
