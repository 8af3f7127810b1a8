//! A listening socket and its connections.

use super::{Arrival, Body, Response, tls};
use crate::config::{Limits, Listener, Role};
use arc_swap::ArcSwapOption;
use futures::FutureExt;
use http::{Request, StatusCode};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use rustls::ServerConfig;
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
}

/// A socket that is bound but not served yet.
#[derive(Debug)]
pub struct Bound {
    /// What it is for.
    pub role: Role,
    /// Where it listens, with the port that the system chose.
    pub address: SocketAddr,
    socket: TcpListener,
    tls: Arc<ArcSwapOption<ServerConfig>>,
}

/// A listener that is being served.
pub struct Listening {
    /// What it is for.
    pub role: Role,
    /// Where it listens.
    pub address: SocketAddr,
    tls: Arc<ArcSwapOption<ServerConfig>>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

/// Binds a listener's socket.
pub async fn bind(listener: &Listener, tls: Option<ServerConfig>) -> io::Result<Bound> {
    let socket = TcpListener::bind(listener.address).await?;
    Ok(Bound {
        role: listener.role,
        address: socket.local_addr()?,
        socket,
        tls: Arc::new(ArcSwapOption::from_pointee(tls)),
    })
}

impl Bound {
    /// Serves connections until told to stop.
    pub fn serve(self, handler: Arc<dyn Handler>, limits: &Limits) -> Listening {
        let (stop, stopped) = watch::channel(false);
        let server = Arc::new(Server {
            role: self.role,
            tls: self.tls.clone(),
            handler,
            handshake_time: limits.handshake_time,
            builder: builder(limits),
        });
        let connections = Arc::new(Semaphore::new(limits.connections));
        let task = tokio::spawn(accept(self.socket, server, connections, stopped));
        Listening {
            role: self.role,
            address: self.address,
            tls: self.tls,
            stop,
            task,
        }
    }
}

impl Listening {
    /// Uses other certificates from the next connection on.
    pub fn use_tls(&self, tls: Option<ServerConfig>) {
        self.tls.store(tls.map(Arc::new));
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

struct Server {
    role: Role,
    tls: Arc<ArcSwapOption<ServerConfig>>,
    handler: Arc<dyn Handler>,
    handshake_time: Duration,
    builder: auto::Builder<TokioExecutor>,
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
                tokio::spawn(async move {
                    server.connection(stream, address, watcher).await;
                    drop(permit);
                });
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
    async fn connection(self: Arc<Self>, stream: TcpStream, address: SocketAddr, watcher: Watcher) {
        let Some(tls) = self.tls.load_full() else {
            let arrival = Arc::new(Arrival {
                address,
                client_domains: Vec::new(),
            });
            return self.serve(stream, arrival, watcher, Version::Http1).await;
        };
        let handshake = TlsAcceptor::from(tls).accept(stream);
        let stream = match tokio::time::timeout(self.handshake_time, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%address, "TLS handshake failed: {error}"),
            Err(_) => return tracing::debug!(%address, "TLS handshake took too long"),
        };
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let client_domains = certificate.map(tls::domains).unwrap_or_default();
        let version = if session.alpn_protocol() == Some(b"h2") {
            Version::Http2
        } else {
            Version::Http1
        };
        self.serve(
            stream,
            Arc::new(Arrival {
                address,
                client_domains,
            }),
            watcher,
            version,
        )
        .await;
    }

    async fn serve(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        arrival: Arc<Arrival>,
        watcher: Watcher,
        version: Version,
    ) {
        let (builder, address) = (self.builder.clone(), arrival.address);
        let service = service_fn(move |request| {
            let (server, arrival) = (self.clone(), arrival.clone());
            async move { server.respond(&arrival, request).await }
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

    async fn respond(
        &self,
        arrival: &Arrival,
        request: Request<Body>,
    ) -> Result<Response, Infallible> {
        let answer = self.handler.handle(self.role, arrival, request);
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        Ok(answer.unwrap_or_else(|_| {
            tracing::error!(address = %arrival.address, "a request made us panic; please report the text above");
            let mut response = Response::default();
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }))
    }
}

/// Which HTTP a connection speaks: what ALPN agreed on, so that nothing is guessed from its first bytes.
#[derive(Clone, Copy)]
enum Version {
    Http1,
    Http2,
}
