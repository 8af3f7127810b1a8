//! A listening socket and its connections.

use super::{Arrival, Body, Response, ServerTls, linger::Lingering};
use crate::config::{Limits, Listener, Role};
use arc_swap::ArcSwap;
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use std::{
    convert::Infallible, future::Future, io, net::SocketAddr, panic::AssertUnwindSafe, pin::Pin,
    sync::Arc, time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;

/// How long connections may go on after the listener was told to end.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request that came in by a listener of `role`.
    fn handle<'a>(
        &'a self,
        role: Role,
        arrival: &'a Arrival,
        request: Request<Body>,
    ) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

    /// Told of every connection to a listener of `role`, until the guard that it gives is dropped.
    fn connected(&self, role: Role) -> Box<dyn Send + Sync + Unpin>;
}

/// A socket that is bound but not served yet.
#[derive(Debug)]
pub struct Bound {
    /// What it is for.
    pub role: Role,
    /// Where it listens, with the port that the system chose.
    pub address: SocketAddr,
    socket: TcpListener,
}

/// A listener that is being served.
pub struct Listening {
    /// What it is for.
    pub role: Role,
    /// Where it listens, with the port that the system chose.
    pub address: SocketAddr,
    settings: Arc<ArcSwap<Settings>>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

/// Binds a listener's socket.
pub async fn bind(listener: &Listener) -> io::Result<Bound> {
    let socket = TcpListener::bind(listener.address).await?;
    Ok(Bound {
        role: listener.role,
        address: socket.local_addr()?,
        socket,
    })
}

impl Bound {
    /// Serves connections until told to stop, with TLS if there is a configuration for it.
    pub fn serve(
        self,
        tls: Option<ServerTls>,
        handler: Arc<dyn Handler>,
        limits: &Limits,
    ) -> Listening {
        let (stop, stopped) = watch::channel(false);
        let settings = Arc::new(ArcSwap::from_pointee(Settings::new(tls, limits)));
        let server = Arc::new(Server {
            role: self.role,
            settings: settings.clone(),
            handler,
        });
        let connections = Arc::new(Semaphore::new(limits.connections));
        let task = tokio::spawn(accept(self.socket, server, connections, stopped));
        Listening {
            role: self.role,
            address: self.address,
            settings,
            stop,
            task,
        }
    }
}

impl Listening {
    /// Uses other certificates and limits from the next connection on; how many connections there may be stays.
    pub fn use_settings(&self, tls: Option<ServerTls>, limits: &Limits) {
        let settings = Settings::new(tls, limits);
        self.settings.store(Arc::new(settings));
    }

    /// Takes no more connections, lets requests that have begun end, and returns when they have.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_headers(limits.header_fields)
        .max_buf_size(limits.header_size.max(8 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header_size).unwrap_or(u32::MAX))
        .max_concurrent_streams(100)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}

/// What a reload may change; a connection keeps what it began with.
struct Settings {
    tls: Option<ServerTls>,
    handshake_time: Duration,
    header_size: usize,
    header_fields: usize,
    builder: auto::Builder<TokioExecutor>,
}

impl Settings {
    fn new(tls: Option<ServerTls>, limits: &Limits) -> Self {
        Self {
            tls,
            handshake_time: limits.handshake_time,
            header_size: limits.header_size,
            header_fields: limits.header_fields,
            builder: builder(limits),
        }
    }

    /// hyper's own bounds are those of its buffers, and let pass somewhat more.
    fn allow_header(&self, headers: &HeaderMap) -> bool {
        let field = |(name, value): (&HeaderName, &HeaderValue)| {
            name.as_str().len() + value.len() + ": \r\n".len()
        };
        headers.len() <= self.header_fields
            && headers.iter().map(field).sum::<usize>() <= self.header_size
    }
}

struct Server {
    role: Role,
    settings: Arc<ArcSwap<Settings>>,
    handler: Arc<dyn Handler>,
}

async fn accept(
    socket: TcpListener,
    server: Arc<Server>,
    connections: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = next(&socket, &connections) => accepted,
            _ = stopped.changed() => break,
        };
        match accepted {
            Ok((stream, address, permit)) => {
                let (server, watcher) = (server.clone(), graceful.watcher());
                let connected = server.handler.connected(server.role);
                let stream = Lingering::new(stream, (permit, connected));
                tokio::spawn(server.connection(stream, address, watcher));
            }
            Err(error) => {
                // Out of descriptors, mostly: a pause lets connections end.
                tracing::warn!(
                    role = server.role.as_str(),
                    "a connection could not be accepted: {error}"
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(socket);
    if tokio::time::timeout(LAST_WORDS, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            role = server.role.as_str(),
            "some connections did not end in time and are cut off"
        );
    }
}

async fn next(
    socket: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = connections
        .clone()
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    let (stream, address) = socket.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, address, permit))
}

impl Server {
    async fn connection(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        address: SocketAddr,
        watcher: Watcher,
    ) {
        let settings = self.settings.load_full();
        let Some(tls) = settings.tls.clone() else {
            let arrival = Arc::new(Arrival {
                address,
                client_domains: Vec::new(),
            });
            return self
                .serve(stream, settings, arrival, watcher, Version::Http1)
                .await;
        };
        let handshake = TlsAcceptor::from(tls.config.clone()).accept(stream);
        let stream = match tokio::time::timeout(settings.handshake_time, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%address, "TLS handshake failed: {error}"),
            Err(_) => return tracing::debug!(%address, "TLS handshake took too long"),
        };
        let (_, session) = stream.get_ref();
        let client_domains = tls.proven(session);
        let version = if session.alpn_protocol() == Some(b"h2") {
            Version::Http2
        } else {
            Version::Http1
        };
        let arrival = Arc::new(Arrival {
            address,
            client_domains,
        });
        self.serve(stream, settings, arrival, watcher, version)
            .await;
    }

    async fn serve(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        settings: Arc<Settings>,
        arrival: Arc<Arrival>,
        watcher: Watcher,
        version: Version,
    ) {
        let (builder, address) = (settings.builder.clone(), arrival.address);
        let service = service_fn(move |request: Request<Body>| {
            let (server, arrival) = (self.clone(), arrival.clone());
            let allowed = settings.allow_header(request.headers());
            async move {
                if !allowed {
                    return Ok(only(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
                }
                Ok::<_, Infallible>(server.respond(&arrival, request).await)
            }
        });
        let builder = match version {
            Version::Http1 => builder.http1_only(),
            Version::Http2 => builder.http2_only(),
        };
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%address, "connection ended: {error}");
        }
    }

    async fn respond(&self, arrival: &Arrival, request: Request<Body>) -> Response {
        let answer = self.handler.handle(self.role, arrival, request);
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        answer.unwrap_or_else(|_| {
            tracing::error!(address = %arrival.address, "a request made us panic; please report the text above");
            only(StatusCode::INTERNAL_SERVER_ERROR)
        })
    }
}

fn only(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

/// Which HTTP a connection speaks: what ALPN agreed on, so that nothing is guessed from its first bytes.
#[derive(Clone, Copy)]
enum Version {
    Http1,
    Http2,
}
