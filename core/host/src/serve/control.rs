//! The control socket: how `convoke reload` reaches the running host.
//!
//! A Unix socket in the state folder, which only the host's user can open. One line comes in, one line of JSON goes out:
//! [`Answer`]. Nothing else can be asked.

use serde::{Deserialize, Serialize};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream as Blocking},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

const SOCKET: &str = "control";
const RELOAD: &str = "reload\n";
/// How long somebody may take to say what is wanted.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a reload may take: plugins may have a minute each to open, side by side.
const RELOADING: Duration = Duration::from_secs(5 * 60);
/// Orders that wait for the one before them.
const WAITING: usize = 16;

/// What came of an order.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Whether the new configuration holds now.
    pub reloaded: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An order to reload; the answer goes to who gave it.
pub(super) type Order = oneshot::Sender<Answer>;

/// The socket, in the state folder of the configuration that holds.
pub(super) struct Control {
    orders: mpsc::Sender<Order>,
    open: Option<Open>,
}

struct Open {
    state: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.task.abort();
        // If it stays, the command line finds nobody there and says so.
        let _ = std::fs::remove_file(self.state.join(SOCKET));
    }
}

impl Control {
    /// No socket yet; what is ordered comes out of the second.
    pub(super) fn new() -> (Self, mpsc::Receiver<Order>) {
        let (orders, ordered) = mpsc::channel(WAITING);
        (Self { orders, open: None }, ordered)
    }

    /// Listens in this state folder, and in no other.
    pub(super) fn follow(&mut self, state: &Path) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|open| open.state == state) {
            return Ok(());
        }
        let path = state.join(SOCKET);
        if Blocking::connect(&path).is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "another host runs with this state folder",
            ));
        }
        // What a host that was killed left behind.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        self.open = Some(Open {
            state: state.to_owned(),
            task: tokio::spawn(listen(socket, self.orders.clone())),
        });
        Ok(())
    }
}

async fn listen(socket: UnixListener, orders: mpsc::Sender<Order>) {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                let orders = orders.clone();
                // Nobody is told if whoever asked goes away.
                tokio::spawn(async move { drop(hear(stream, orders).await) });
            }
            // No descriptors, for example: they may come back.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn hear(mut stream: UnixStream, orders: mpsc::Sender<Order>) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    let mut read = tokio::io::BufReader::new(read.take(64));
    let heard = tokio::time::timeout(PATIENCE, read.read_line(&mut line));
    heard.await??;
    let gone = |_| io::Error::other("the host ends");
    let answer = if line == RELOAD {
        let (order, answered) = oneshot::channel();
        orders
            .send(order)
            .await
            .map_err(|_| io::Error::other("the host ends"))?;
        answered.await.map_err(gone)?
    } else {
        Answer {
            reloaded: false,
            error: Some("only `reload` is understood here".to_owned()),
        }
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    write.write_all(&line).await
}

/// Has the host that runs with this state folder read its configuration again, and waits until it has.
///
/// An error: there is no such host, or it went away.
pub fn reload(state: &Path) -> io::Result<Answer> {
    let mut stream = Blocking::connect(state.join(SOCKET))?;
    stream.set_read_timeout(Some(RELOADING))?;
    stream.write_all(RELOAD.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(1 << 20)).read_line(&mut line)?;
    if line.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the host ended",
        ));
    }
    Ok(serde_json::from_str(&line)?)
}
