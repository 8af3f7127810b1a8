//! A listening socket and its connections.

use super::{
    Arrival, Body, Limits, Response, ServerTls, addresses::Addresses, answer::complete, http1,
    http2, linger::Lingering, target, validation,
};
use arc_swap::ArcSwap;
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use std::{
    future::Future, io, net::SocketAddr, panic::AssertUnwindSafe, pin::Pin, sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How long requests that have begun may go on after the listener was told to end. Bodies, answers and connections without
/// requests have less (`body`, `activity`).
const LAST_WORDS: Duration = Duration::from_secs(20);

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle<'a>(
        &'a self,
        arrival: &'a Arrival,
        request: Request<Body>,
    ) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

    /// The fields that every answer carries, unless it says otherwise.
    fn fields(&self) -> HeaderMap;

    /// Told of every connection, until the guard that it gives is dropped.
    fn connected(&self) -> Box<dyn Send + Sync + Unpin>;
}

/// A socket that is bound but not served yet.
#[derive(Debug)]
pub struct Bound {
    /// What it is for, in a word, for the log.
    pub role: &'static str,
    /// Where it listens, with the port that the system chose.
    pub address: SocketAddr,
    socket: TcpListener,
}

/// A listener that is being served.
pub struct Listening {
    /// Where it listens, with the port that the system chose.
    pub address: SocketAddr,
    settings: Arc<ArcSwap<Settings>>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

/// Binds a socket; `role` says in the log what it is for.
pub async fn bind(role: &'static str, address: SocketAddr) -> io::Result<Bound> {
    Bound::new(role, TcpListener::bind(address).await?)
}

/// Takes a socket that listens already.
pub fn adopt(role: &'static str, socket: std::net::TcpListener) -> io::Result<Bound> {
    socket.set_nonblocking(true)?;
    Bound::new(role, TcpListener::from_std(socket)?)
}

impl Bound {
    fn new(role: &'static str, socket: TcpListener) -> io::Result<Self> {
        Ok(Self {
            role,
            address: socket.local_addr()?,
            socket,
        })
    }

    /// Serves connections until told to stop, as many as `connections` at once, with TLS if there is a configuration for it.
    pub fn serve(
        self,
        tls: Option<ServerTls>,
        handler: Arc<dyn Handler>,
        limits: &Limits,
        connections: usize,
    ) -> Listening {
        let stop = watch::Sender::new(false);
        let settings = Arc::new(ArcSwap::from_pointee(Settings::new(tls, limits)));
        let server = Arc::new(Server {
            role: self.role,
            settings: settings.clone(),
            handler,
        });
        let connections = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        let task = tokio::spawn(accept(self.socket, server, connections, stop.clone()));
        Listening {
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
        self.stop.send_replace(true);
        let _ = self.task.await;
    }
}

/// What a reload may change; a connection keeps what it began with.
pub(super) struct Settings {
    tls: Option<ServerTls>,
    pub(super) limits: Limits,
}

impl Settings {
    fn new(tls: Option<ServerTls>, limits: &Limits) -> Self {
        Self {
            tls,
            limits: limits.clone(),
        }
    }

    /// The bounds of hyper and h2 are those of their buffers, and let pass somewhat more.
    fn allow_header(&self, headers: &HeaderMap) -> bool {
        let field = |(name, value): (&HeaderName, &HeaderValue)| {
            name.as_str().len() + value.len() + ": \r\n".len()
        };
        headers.len() <= self.limits.header_fields
            && headers.iter().map(field).sum::<usize>() <= self.limits.header_size
    }
}

/// What answers the requests of a listener.
pub(super) struct Server {
    role: &'static str,
    settings: Arc<ArcSwap<Settings>>,
    handler: Arc<dyn Handler>,
}

async fn accept(
    socket: TcpListener,
    server: Arc<Server>,
    connections: Arc<Semaphore>,
    stop: watch::Sender<bool>,
) {
    let addresses = Arc::new(Addresses::default());
    let mut stop_receiver = stop.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = next(&socket, &connections) => accepted,
            () = stopped(&mut stop_receiver) => break,
        };
        match accepted {
            Ok((stream, address, permit)) => {
                let limit = server.settings.load().limits.connections_per_address;
                let Some(counted) = addresses.enter(address.ip(), limit) else {
                    continue;
                };
                let connected = server.handler.connected();
                let stream = Lingering::new(stream, (permit, counted, connected));
                let stop = stop.subscribe();
                tokio::spawn(server.clone().connection(stream, address, stop));
            }
            Err(error) => {
                // Out of descriptors, mostly: a pause lets connections end.
                tracing::warn!(
                    event = "accept-failed",
                    role = server.role,
                    "a connection could not be accepted: {error}"
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop((socket, stop_receiver));
    // Each connection holds a receiver.
    if tokio::time::timeout(LAST_WORDS, stop.closed())
        .await
        .is_err()
    {
        tracing::warn!(
            event = "connections-cut-off",
            role = server.role,
            "some requests did not end in time and are cut off"
        );
    }
}

/// The stream after the TLS handshake; `None` if there is none to go on with.
async fn shaken<S: AsyncRead + AsyncWrite + Unpin>(
    settings: &Settings,
    tls: &ServerTls,
    stream: S,
    address: SocketAddr,
    stop: &mut watch::Receiver<bool>,
) -> Option<TlsStream<S>> {
    let handshake = TlsAcceptor::from(tls.config.clone()).accept(stream);
    let handshake = tokio::time::timeout(settings.limits.handshake_time, handshake);
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        // Nothing has begun that could be finished.
        () = stopped(stop) => return None,
    };
    match shaken {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => tracing::debug!(%address, "TLS handshake failed: {error}"),
        Err(_) => tracing::debug!(%address, "TLS handshake took too long"),
    }
    None
}

/// Returns when the listener was told to end, or is gone.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
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
        mut stop: watch::Receiver<bool>,
    ) {
        let settings = self.settings.load_full();
        let Some(tls) = settings.tls.clone() else {
            let arrival = Arc::new(Arrival {
                address,
                is_tls: false,
                client_domains: Vec::new(),
            });
            return Box::pin(http1::serve(self, settings, arrival, stream, stop)).await;
        };
        // Most connections are idle most of the time: each holds what it is at, and not what it was or might be at.
        let Some(stream) = Box::pin(shaken(&settings, &tls, stream, address, &mut stop)).await
        else {
            return;
        };
        let (_, session) = stream.get_ref();
        if session.alpn_protocol() == Some(validation::PROTOCOL) {
            // RFC 8737 §3: nothing is said on it.
            return;
        }
        let client_domains = tls.proven(session);
        // What ALPN agreed on: nothing is guessed from the first bytes.
        let http2 = session.alpn_protocol() == Some(b"h2");
        let arrival = Arc::new(Arrival {
            address,
            is_tls: true,
            client_domains,
        });
        if http2 {
            Box::pin(http2::serve(self, settings, arrival, stream, stop)).await;
        } else {
            Box::pin(http1::serve(self, settings, arrival, stream, stop)).await;
        }
    }

    /// The answer to a request, complete.
    pub(super) async fn respond(
        &self,
        settings: &Settings,
        arrival: &Arrival,
        request: Request<Body>,
    ) -> Response {
        let mut response = if !settings.allow_header(request.headers()) {
            only(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        } else if let Err(problem) = target::check(&request) {
            bad_request(problem)
        } else {
            self.handled(arrival, request).await
        };
        complete(&mut response, self.fields());
        response
    }

    /// The fields that every answer carries.
    pub(super) fn fields(&self) -> HeaderMap {
        self.handler.fields()
    }

    async fn handled(&self, arrival: &Arrival, request: Request<Body>) -> Response {
        let answer = self.handler.handle(arrival, request);
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        answer.unwrap_or_else(|_| {
            tracing::error!(event = "handler-panicked", address = %arrival.address, "request handler panicked; please report the text above");
            only(StatusCode::INTERNAL_SERVER_ERROR)
        })
    }
}

fn only(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

fn bad_request(problem: &str) -> Response {
    let mut response = Response::new(format!("{problem}\r\n").into());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let plain = HeaderValue::from_static("text/plain; charset=us-ascii");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
