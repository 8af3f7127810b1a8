//! Starts the process of a plugin.
//!
//! It is this very program, whatever has become of its file, run with the hidden command [`COMMAND`]. It is given three
//! things: its end of a socket as standard input, the library as sealed memory as standard output, and a pipe into the
//! log as standard error; and no environment but what makes it frugal.

use super::{
    COMMAND,
    line::{Line, Log, NoAnswer, Opened},
    protocol::{Event, Opening, ToChild},
};
use convoke_sdk::{
    Error,
    remote::{NotOpened, Sealed, Services},
};
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
    net::{UnixStream, unix::OwnedReadHalf},
    process::{Child, ChildStderr, Command},
    runtime::Handle,
    sync::oneshot,
    task::JoinHandle,
};

/// How long a process may take to end when it is told to.
const FAREWELL: Duration = Duration::from_secs(5);
/// The longest line of standard error that is logged, in bytes.
const MAX_LINE: u64 = 4096;

/// All that starting takes, as often as it is needed.
pub(super) struct Recipe {
    pub(super) program: PathBuf,
    pub(super) library: Sealed,
    pub(super) opening: Opening,
    pub(super) services: Arc<dyn Services>,
}

/// A process whose plugin has opened.
pub(super) struct Running {
    pub(super) line: Arc<Line>,
    /// What the kernel does not take away, in words.
    pub(super) lacks: Vec<String>,
    process: Child,
    listener: JoinHandle<()>,
}

/// Why there is no process.
pub(super) enum Failed {
    /// The plugin does not open.
    NotOpened(NotOpened),
    /// It cannot be started, or ended before it opened.
    Broken(String),
}

impl Recipe {
    /// Starts a process and opens the plugin in it. Dropped before it is ready, it leaves no process.
    pub(super) async fn start(&self) -> Result<Running, Failed> {
        let cannot =
            |error: io::Error| Failed::Broken(format!("no process can be started for it: {error}"));
        let (mut process, socket) = self.launch().await.map_err(cannot)?;
        let (read, write) = socket.into_split();
        let line = Line::new(write);
        let (opened, opening) = oneshot::channel();
        if let Some(stderr) = process.stderr.take() {
            tokio::spawn(follow(stderr, Arc::clone(&self.services)));
        }
        let listener = tokio::spawn(listen(&line, read, &self.services, opened));
        let mut running = Running {
            line,
            lacks: Vec::new(),
            process,
            listener,
        };
        let open = ToChild::Open(Cow::Borrowed(&self.opening));
        let sent = running.line.send(&open).await;
        sent.map_err(|error| Failed::Broken(error.to_string()))?;
        match opening.await {
            Ok((Ok(()), lacks)) => {
                running.lacks = lacks;
                Ok(running)
            }
            Ok((Err(refused), _)) => Err(Failed::NotOpened(refused)),
            Err(_) => Err(Failed::Broken(running.ended().await)),
        }
    }

    async fn launch(&self) -> io::Result<(Child, UnixStream)> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(&self.program);
        command
            .arg0("convoke")
            .args([COMMAND, &self.opening.name])
            .env_clear()
            // Each further arena of the C library would take from the plugin's memory.
            .env("MALLOC_ARENA_MAX", "2")
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(self.library.share()?))
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Ok((launched(command).await?, UnixStream::from_std(ours)?))
    }
}

fn listen(
    line: &Arc<Line>,
    read: OwnedReadHalf,
    services: &Arc<dyn Services>,
    opened: oneshot::Sender<Opened>,
) -> impl Future<Output = ()> + use<> {
    Arc::clone(line).listen(read, Arc::clone(services), opened)
}

impl Running {
    /// Waits until the process has ended, and says how; or ends it if it hangs.
    pub(super) async fn ended(&mut self) -> String {
        tokio::select! {
            // Fails only if it panicked, and then nobody listens either.
            _ = &mut self.listener => {}
            () = self.line.hangs() => {
                self.kill().await;
                // It closes the line, so that who waits for an answer is told; then nothing is left to listen to.
                if tokio::time::timeout(FAREWELL, &mut self.listener).await.is_err() {
                    self.listener.abort();
                }
                return "its process did not keep its deadlines and was ended".to_owned();
            }
        }
        match tokio::time::timeout(FAREWELL, self.process.wait()).await {
            Ok(Ok(status)) => format!("its process {}", manner(status)),
            Ok(Err(error)) => format!("its process cannot be waited for: {error}"),
            Err(_) => {
                self.kill().await;
                "its process closed its line and was ended".to_owned()
            }
        }
    }

    /// Tells the process to close the plugin and end, and waits until it has.
    pub(super) async fn close(self) {
        let Self {
            line,
            mut process,
            listener,
            ..
        } = self;
        // With the last sender gone the process reads the end of the line. The listener holds one too.
        listener.abort();
        drop((line, listener));
        if tokio::time::timeout(FAREWELL, process.wait())
            .await
            .is_err()
        {
            // Fails only if it has ended meanwhile.
            let _ = process.kill().await;
        }
    }

    async fn kill(&mut self) {
        // Fails only if it has ended.
        let _ = self.process.kill().await;
    }
}

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

/// What a process writes to standard error, its own last words among it, goes to the log line by line.
async fn follow(stderr: ChildStderr, services: Arc<dyn Services>) {
    let mut log = Log::new(services);
    let mut stderr = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        let mut start = (&mut stderr).take(MAX_LINE);
        if !matches!(start.read_until(b'\n', &mut line).await, Ok(1..)) {
            return;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() {
            log.take(&Event {
                level: 2,
                target: "stderr".to_owned(),
                message: text.to_owned(),
                fields: Vec::new(),
            });
        }
    }
}

impl From<NoAnswer> for Error {
    fn from(none: NoAnswer) -> Self {
        match none {
            NoAnswer::Ended => Self::unavailable("its process ended before it answered"),
            NoAnswer::Late => Self::unavailable("no answer in time"),
            NoAnswer::Unsendable(error) | NoAnswer::Nobody(error) => error,
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
