//! The sockets by which mail servers hand mail over, and what is said on them.
//!
//! A connection is bounded: 5 minutes from one octet to the next, 10 for a message, lines and messages as `convoke-lmtp` bounds
//! them, memory as the bodies of the receiver have it. When the host ends, a message that has begun is taken; who is between
//! messages is told to come again (421).

use super::{current::Current, inherited::Inherited};
use crate::{
    config::{Config, MailListener},
    incoming_mail::{self, IncomingMail, Mail, Outcome},
    instance::{Instance, ServeError},
    state_folder::ListenerNote,
};
use convoke_imip::ReturnPath;
use convoke_lmtp::{Limits, Reply, Session, Step, Transaction};
use convoke_net::http_server::{Holding, Short};
use convoke_types::CalendarAddress;
use futures::FutureExt;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixStream as Blocking,
    },
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixListener},
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::Instant,
};

/// From one octet to the next (RFC 5321 §4.5.3.2.7).
const IDLE: Duration = Duration::from_secs(300);
/// For a whole message.
const MESSAGE: Duration = Duration::from_secs(600);
/// For replies to be taken.
const WRITING: Duration = Duration::from_secs(60);
/// How long messages that have begun may go on after the listener was told to end.
const LAST_WORDS: Duration = Duration::from_secs(20);
/// Connections of a listener at once. Mail servers use some twenty.
pub(super) const CONNECTIONS: usize = 200;
/// Octets read at once.
const CHUNK: usize = 16 << 10;

/// The listeners that are served.
#[derive(Default)]
pub(super) struct MailListeners(Vec<Open>);

/// Those that a configuration wants besides the ones that are there; bound, so that nothing fails any more.
pub(super) struct Prepared(Vec<(MailListener, Socket)>);

struct Open {
    listener: MailListener,
    address: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl MailListeners {
    /// Binds what `config` wants and is not there.
    pub(super) async fn prepare(
        &self,
        config: &Config,
        inherited: &Inherited,
    ) -> Result<Prepared, ServeError> {
        let mut prepared = Vec::new();
        let mut kept: Vec<&MailListener> = self.0.iter().map(|open| &open.listener).collect();
        for listener in &config.mail_listeners {
            if let Some(place) = kept.iter().position(|open| *open == listener) {
                kept.swap_remove(place);
                continue;
            }
            let socket = Socket::bind(listener, inherited).await;
            let socket = socket.map_err(|error| ServeError::BindMail {
                address: shown(listener),
                error,
            })?;
            prepared.push((listener.clone(), socket));
        }
        Ok(Prepared(prepared))
    }

    /// Serves what was prepared, and ends what `config` does not want any more.
    pub(super) fn follow(&mut self, config: &Config, prepared: Prepared, current: &Arc<Current>) {
        let mut wanted = config.mail_listeners.clone();
        for open in std::mem::take(&mut self.0) {
            match wanted.iter().position(|it| *it == open.listener) {
                Some(place) => {
                    wanted.swap_remove(place);
                    self.0.push(open);
                }
                None => drop(tokio::spawn(open.stop())),
            }
        }
        for (listener, socket) in prepared.0 {
            let address = socket.address();
            tracing::info!(event = "listening", role = "lmtp", address = %address.map_or_else(|| shown(&listener), |it| it.to_string()), "listening");
            let stop = watch::Sender::new(false);
            self.0.push(Open {
                task: tokio::spawn(accept(socket, current.clone(), stop.clone())),
                listener,
                address,
                stop,
            });
        }
    }

    /// Where they listen, for the command line. Sockets in the file system are not among them.
    pub(super) fn notes(&self) -> impl Iterator<Item = ListenerNote> {
        let addresses = self.0.iter().filter_map(|open| open.address);
        addresses.map(|address| ListenerNote {
            role: "lmtp".to_owned(),
            address,
            tls: false,
        })
    }

    /// Takes no more connections, and returns when messages that had begun are taken.
    pub(super) async fn stop(self) {
        futures::future::join_all(self.0.into_iter().map(Open::stop)).await;
    }
}

impl Open {
    async fn stop(self) {
        self.stop.send_replace(true);
        // An error: it panicked, and there is nothing to wait for.
        let _ = self.task.await;
    }
}

fn shown(listener: &MailListener) -> String {
    match listener {
        MailListener::Tcp(address) => address.to_string(),
        MailListener::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// A socket that is bound.
enum Socket {
    Tcp(TcpListener),
    Unix(
        UnixListener,
        #[allow(dead_code, reason = "it is held, not read")] Option<SocketFile>,
    ),
}

/// Removes the file of a socket when it is dropped.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // If it stays, the next host finds nobody there and removes it.
        let _ = std::fs::remove_file(&self.0);
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Socket {
    async fn bind(listener: &MailListener, inherited: &Inherited) -> io::Result<Self> {
        match listener {
            MailListener::Tcp(address) => match inherited.tcp(*address)? {
                Some(socket) => {
                    socket.set_nonblocking(true)?;
                    TcpListener::from_std(socket).map(Self::Tcp)
                }
                None => TcpListener::bind(address).await.map(Self::Tcp),
            },
            MailListener::Unix(path) => {
                if let Some(socket) = inherited.unix(path)? {
                    socket.set_nonblocking(true)?;
                    // Its file is the service manager's.
                    return Ok(Self::Unix(UnixListener::from_std(socket)?, None));
                }
                remove_stale(path)?;
                let socket = UnixListener::bind(path)?;
                // The mail server is in the host's group.
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
                Ok(Self::Unix(socket, Some(SocketFile(path.clone()))))
            }
        }
    }

    fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(socket) => {
                let (stream, _) = socket.accept().await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Self::Unix(socket, _) => Box::new(socket.accept().await?.0),
        })
    }
}

/// Removes the socket that a host that was killed left behind. One that answers is somebody's, and a file is no socket.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !found.file_type().is_socket() || Blocking::connect(path).is_ok() {
        let text = "something is there already, and it is no socket that was left behind";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
    }
    std::fs::remove_file(path)
}

async fn accept(socket: Socket, current: Arc<Current>, stop: watch::Sender<bool>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let mut stopped = stop.subscribe();
    loop {
        let permit = tokio::select! {
            permit = connections.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        match accepted {
            Ok(stream) => {
                let (current, stop) = (current.clone(), stop.subscribe());
                tokio::spawn(async move {
                    let _permit = permit;
                    let _connected = current.load().shared.metrics.mail_connected();
                    // An error: the mail server went away, and tries again what was not answered.
                    let _ = converse(stream, &current, stop).await;
                });
            }
            Err(error) => {
                // Out of descriptors, mostly: a pause lets connections end.
                tracing::warn!(
                    event = "accept-failed",
                    role = "lmtp",
                    "a connection could not be accepted: {error}"
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop((socket, stopped));
    // Each connection holds a receiver.
    if tokio::time::timeout(LAST_WORDS, stop.closed())
        .await
        .is_err()
    {
        tracing::warn!(
            event = "connections-cut-off",
            role = "lmtp",
            "some messages did not end in time and are cut off"
        );
    }
}

/// Talks to a mail server until one of the two ends it.
async fn converse(
    mut stream: Box<dyn Stream>,
    current: &Current,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let (mut session, mut holding) = begin(&current.load());
    let mut chunk = vec![0; CHUNK];
    let mut message_until = None;
    loop {
        // Another configuration may hold by now.
        let instance = current.load();
        match session.step() {
            Step::Octets => {
                write(&mut stream, &mut session).await?;
                if session.is_idle() {
                    message_until = None;
                    if *stop.borrow() {
                        session.end(&restarted());
                        continue;
                    }
                }
                let until = if session.is_idle() {
                    Instant::now() + IDLE
                } else {
                    *message_until.get_or_insert_with(|| Instant::now() + MESSAGE)
                };
                let until = until.min(Instant::now() + IDLE);
                let is_idle = session.is_idle();
                let read = tokio::select! {
                    read = tokio::time::timeout_at(until, read(&mut stream, &mut chunk, &mut holding)) => read,
                    _ = stop.wait_for(|stopped| *stopped), if is_idle => continue,
                };
                let Ok(read) = read else {
                    session.end(&Reply::new(421, "4.4.2", "this took too long"));
                    continue;
                };
                let Read { octets, memory } = read?;
                if octets == Some(0) {
                    return Ok(());
                }
                let octets = &chunk[..octets.unwrap_or(0)];
                let grown = match memory {
                    Ok(()) => holding.resize(session.held_with(octets.len())).await,
                    short => short,
                };
                if grown.is_err() {
                    refuse_for_memory(&mut session);
                }
                session.push(octets);
            }
            Step::Recipient(recipient) => {
                let reply = recipient_reply(&instance, &recipient).await;
                session.answer_recipient(&reply);
            }
            Step::Message(message) => {
                let replies = AssertUnwindSafe(receive(&instance, &message)).catch_unwind();
                let replies = replies.await.unwrap_or_else(|_| {
                    tracing::error!(
                        event = "handler-panicked",
                        role = "lmtp",
                        "the reading of a mail panicked; please report the text above"
                    );
                    Vec::new()
                });
                session.answer_message(&replies);
                // The next message has time of its own, also where it was sent behind this one at once.
                message_until = None;
                if *stop.borrow() {
                    session.end(&restarted());
                }
                // What it held is free again. An error: it was free already.
                let _ = holding.resize(0).await;
            }
            Step::End => {
                write(&mut stream, &mut session).await?;
                return stream.shutdown().await;
            }
        }
    }
}

fn begin(instance: &Instance) -> (Session, Holding) {
    let limits = Limits {
        message: instance.config.limits.mail_length,
        recipients: instance.config.limits.recipients,
    };
    let host = instance.config.server.domains.first();
    let host = host.map_or("localhost", |domain| domain.as_str());
    let bodies = &instance.admission.bodies;
    (
        Session::new(host, limits),
        bodies.hold(Ipv4Addr::LOCALHOST.into()),
    )
}

fn restarted() -> Reply {
    Reply::new(421, "4.3.2", "this server is being restarted")
}

fn refuse_for_memory(session: &mut Session) {
    tracing::info!(
        event = "no-memory",
        role = "lmtp",
        "there was no memory left for a mail"
    );
    session.refuse_message(Reply::new(
        452,
        "4.3.1",
        "there is no memory left; try again later",
    ));
}

/// What came of reading.
struct Read {
    /// How many octets; `None` if none were waited for any longer.
    octets: Option<usize>,
    /// An error: others need the memory of the message that is coming.
    memory: Result<(), Short>,
}

async fn read(
    stream: &mut Box<dyn Stream>,
    chunk: &mut [u8],
    holding: &mut Holding,
) -> io::Result<Read> {
    holding.await_peer();
    let eviction = holding.eviction();
    let octets = tokio::select! {
        octets = stream.read(chunk) => Some(octets?),
        () = eviction.evicted() => None,
    };
    // It may have been evicted just when octets came.
    let memory = holding.settle();
    holding.progress(octets.unwrap_or(0));
    Ok(Read { octets, memory })
}

async fn write(stream: &mut Box<dyn Stream>, session: &mut Session) -> io::Result<()> {
    let replies = session.take_replies();
    if replies.is_empty() {
        return Ok(());
    }
    let writing = async {
        stream.write_all(&replies).await?;
        stream.flush().await
    };
    tokio::time::timeout(WRITING, writing).await?
}

async fn recipient_reply(instance: &Instance, recipient: &CalendarAddress) -> Reply {
    let Some(settings) = IncomingMail::of(&instance.config) else {
        return Reply::new(451, "4.3.0", "mail is not configured here any more");
    };
    match incoming_mail::find(instance, &settings, recipient).await {
        Ok(_) => Reply::recipient_ok(),
        Err(not_ours) => {
            let outcome = not_ours.outcome();
            instance.shared.metrics.mail_came_in(outcome.name());
            not_ours.reply()
        }
    }
}

async fn receive(instance: &Instance, message: &Transaction) -> Vec<Reply> {
    let mail = Mail {
        octets: &message.octets,
        return_path: if message.sender.is_empty() {
            ReturnPath::Null
        } else {
            ReturnPath::Address(message.sender.clone())
        },
    };
    let outcomes = incoming_mail::receive(instance, &mail, &message.recipients).await;
    outcomes.iter().map(Outcome::reply).collect()
}
