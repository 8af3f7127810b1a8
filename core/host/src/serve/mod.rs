//! A running host: made from a configuration, made anew on SIGHUP or `convoke reload`, ended by SIGTERM.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `node` | [`Node`]: everything one configuration makes, which every request is answered by |
//! | `files` | what the host keeps in its state folder: the token, where it listens |
//! | `listeners` | the sockets |
//! | `control` | the socket that `convoke reload` comes in by |
//! | `watch` | certificates that change on disk |
//! | `background` | what goes out because something came in |
//! | `metrics` | what is counted |
//! | `admin` | health and metrics over HTTP |
//!
//! A new configuration is taken whole or not at all: its node is made and its sockets are bound before anything of the
//! running one is touched. Requests that have begun are answered by the node that they began with, its plugins included;
//! it is closed when the last of them has ended.

mod admin;
mod background;
mod control;
mod files;
mod listeners;
mod metrics;
mod node;
mod watch;

pub use background::Background;
pub use control::{Answer, reload};
pub(crate) use files::write_file;
pub use files::{ListenerNote, listener_notes, token};
pub use metrics::Metrics;
pub use node::{Lasting, Node, setup};
pub(crate) use node::{outside, signer};

use crate::{
    config::{Config, ConfigError, Role},
    receiver, submission,
};
use arc_swap::ArcSwap;
use control::Control;
use convoke_net::{
    http_client::ClientError,
    http_server::{Arrival, Body, Handler, Response},
    pem::TlsError,
};
use convoke_plugin_host::{PluginErrors, isolated};
use http::{HeaderMap, Request};
use listeners::Listeners;
use std::{
    future::Future,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use watch::Watched;

/// How long messages that nobody waits for are waited for at the end.
const LAST_MESSAGES: Duration = Duration::from_secs(5);

/// The host cannot be started with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Plugins.
    #[error(transparent)]
    Plugins(#[from] PluginErrors),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Users who may hand in messages.
    #[error(transparent)]
    Users(#[from] submission::auth::UsersError),
    /// The client for other servers.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The key that messages are signed with.
    #[error("{}: messages cannot be signed with this key: {reason}", file.display())]
    Signing {
        /// The key's file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The state folder.
    #[error("{}: the state folder cannot be used: {error}; see `server.state`", folder.display())]
    State {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A listener's address.
    #[error("cannot listen on {address} ({role}): {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the listener is for.
        role: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// Nobody could reach the host.
    #[error("{}: there is no [[listener]]; add one with role, address and, for `receiver`, tls", .0.display())]
    NoListener(PathBuf),
    /// Signals cannot be waited for.
    #[error("signals cannot be waited for: {0}")]
    Signals(io::Error),
}

/// Serves the configuration at `path` until SIGTERM or SIGINT; SIGHUP reads it again.
pub async fn run(path: &Path) -> Result<(), ServeError> {
    let begun = Instant::now();
    // First of all, so that no signal finds us unprepared.
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(ServeError::Signals)?;
    let (mut host, mut orders) = Host::start(path).await?;
    tracing::info!(took = ?begun.elapsed(), "ready");
    let mut look = tokio::time::interval(watch::EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let order = tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = look.tick() => {
                host.refresh_certificates();
                continue;
            }
            _ = hangup.recv() => None,
            order = orders.recv() => order,
        };
        // A plugin may take long to open; the end need not wait for it.
        let reloaded = tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            reloaded = host.reload(path) => reloaded,
        };
        tell(&reloaded, order);
    }
    tracing::info!("ending: requests that have begun are finished");
    host.stop().await;
    tracing::info!("ended");
    Ok(())
}

/// Says what came of a reload: in the log, and to whoever ordered it.
fn tell(reloaded: &Result<(), ServeError>, order: Option<control::Order>) {
    match reloaded {
        Ok(()) => tracing::info!("the configuration was read again"),
        Err(error) => {
            tracing::error!("the new configuration is not used, the old one stays: {error}");
        }
    }
    if let Some(order) = order {
        // Fails if nobody waits any more.
        let _ = order.send(Answer {
            reloaded: reloaded.is_ok(),
            error: reloaded.as_ref().err().map(ToString::to_string),
        });
    }
}

/// A host that listens.
pub struct Host {
    current: Arc<Current>,
    control: Control,
    listeners: Listeners,
    watched_client: Watched,
}

/// How long plugins in our own process may take to close when the host ends; those in a process of their own have as long.
const CLOSING: Duration = Duration::from_secs(5);

/// Drops what holds plugins, as closing them may take a while, on a thread of its own: neither those that answer requests
/// nor the end of the host wait for it longer than they want to.
fn closed(held: impl Send + 'static) -> impl Future<Output = ()> {
    let (done, closed) = tokio::sync::oneshot::channel::<()>();
    let closing = std::thread::Builder::new().name("convoke-closing".to_owned());
    // Without a thread it is dropped here and now.
    let _ = closing.spawn(move || {
        drop(held);
        drop(done);
    });
    async {
        // Always an error, as nothing is ever sent.
        let _ = closed.await;
    }
}

/// The node that answers now.
struct Current(ArcSwap<Node>);

impl Host {
    /// Reads the configuration, opens the plugins and listens. What is ordered by the control socket comes out of the
    /// second.
    async fn start(path: &Path) -> Result<(Self, mpsc::Receiver<control::Order>), ServeError> {
        let config = Config::read(path)?;
        let watched_client = Watched::client(&config.client);
        let node = Node::new(config, Arc::default()).await?;
        let current = Arc::new(Current(ArcSwap::from_pointee(node)));
        let (control, orders) = Control::new();
        let mut host = Self {
            current,
            control,
            listeners: Listeners::default(),
            watched_client,
        };
        let node = host.current.0.load_full();
        host.listen(&node).await?;
        Ok((host, orders))
    }

    /// Reads the configuration again; on an error everything stays as it is.
    pub async fn reload(&mut self, path: &Path) -> Result<(), ServeError> {
        let lasting = self.current.0.load().lasting.clone();
        let config = Config::read(path)?;
        let watched_client = Watched::client(&config.client);
        let node = Arc::new(Node::new(config, lasting).await?);
        self.listen(&node).await?;
        self.watched_client = watched_client;
        let old = self.current.0.swap(node);
        // Nobody waits for it.
        drop(closed(old));
        Ok(())
    }

    /// Takes certificates that have changed on disk. What cannot be used is told once, and the old ones stay.
    pub fn refresh_certificates(&mut self) {
        let node = self.current.0.load_full();
        self.listeners.refresh(&node.config.limits.connection);
        if self.watched_client.changed() {
            self.watched_client.tell(node.refresh_client());
        }
    }

    /// Finishes what has begun, closes the plugins, then ends.
    pub async fn stop(self) {
        self.listeners.stop().await;
        let lasting = self.current.0.load().lasting.clone();
        lasting.background.finish(LAST_MESSAGES).await;
        files::forget_listeners(&self.current.0.load().config.server.state);
        if tokio::time::timeout(CLOSING, closed(self.current))
            .await
            .is_err()
        {
            tracing::warn!(
                event = "plugins-not-closed",
                "plugins did not close in {CLOSING:?}; the host ends without them"
            );
        }
        isolated::all_closed().await;
    }

    /// Listens where the configuration of `node` says, and notes where for the command line.
    async fn listen(&mut self, node: &Node) -> Result<(), ServeError> {
        let handler = |role| -> Arc<dyn Handler> {
            Arc::new(ByRole {
                current: self.current.clone(),
                role,
            })
        };
        self.listeners.follow(&node.config, handler).await?;
        let state = &node.config.server.state;
        if let Err(error) = files::note_listeners(state, &self.listeners.notes()) {
            tracing::warn!(
                "where the host listens could not be noted for the command line: {error}"
            );
        }
        if let Err(error) = self.control.follow(state) {
            tracing::warn!("`convoke reload` cannot reach this host, SIGHUP does: {error}");
        }
        Ok(())
    }
}

/// Answers what comes in by the listeners of a role.
struct ByRole {
    current: Arc<Current>,
    role: Role,
}

impl Handler for ByRole {
    fn handle<'a>(
        &'a self,
        arrival: &'a Arrival,
        request: Request<Body>,
    ) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>> {
        Box::pin(async move {
            let begun = Instant::now();
            let node = self.current.0.load_full();
            let response = match self.role {
                Role::Receiver => receiver::handle(&node, arrival, request).await,
                // In a box: a receiver's requests would carry the room for it.
                Role::Submission => Box::pin(submission::handle(&node, arrival, request)).await,
                Role::Admin => admin::handle(&node, &request),
            };
            let metrics = &node.lasting.metrics;
            metrics.answered(self.role, response.status(), begun.elapsed());
            if let Some(element) = response.extensions().get() {
                metrics.refused(*element);
            }
            response
        })
    }

    fn fields(&self) -> HeaderMap {
        match self.role {
            Role::Receiver => self.current.0.load().published.fields(),
            Role::Submission | Role::Admin => HeaderMap::new(),
        }
    }

    fn connected(&self) -> Box<dyn Send + Sync + Unpin> {
        let lasting = self.current.0.load().lasting.clone();
        Box::new(Connected::new(lasting, self.role))
    }
}

/// Counts a connection while it is there.
struct Connected {
    lasting: Arc<Lasting>,
    role: Role,
}

impl Connected {
    fn new(lasting: Arc<Lasting>, role: Role) -> Self {
        let connections = lasting.metrics.connections(role);
        connections.fetch_add(1, Ordering::Relaxed);
        Self { lasting, role }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let connections = self.lasting.metrics.connections(self.role);
        connections.fetch_sub(1, Ordering::Relaxed);
    }
}
