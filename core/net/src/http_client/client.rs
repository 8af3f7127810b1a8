//! One request to another server, redirects followed, everything bounded.

use super::{
    AddressFilter, ClientError, ConnectPolicy,
    connector::{Connector, Handshake},
};
use crate::trusted_certificates::TrustedCertificates;
use arc_swap::ArcSwap;
use bytes::Bytes;
use convoke_dns::Resolver;
use convoke_tls::Identity;
use h2::Reason;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::{
    client::legacy::{Client as Pool, Error as PoolError},
    rt::{TokioExecutor, TokioTimer},
};
use ipnet::IpNet;
use rustls::ClientConfig;
use std::{
    collections::HashMap,
    error::Error as _,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use url::Url;

/// How the host behaves as a client: the `[client]` table of the configuration.
pub struct Settings {
    /// What is believed besides the system's trust anchors.
    pub ca: Vec<TrustedCertificates>,
    /// What the host shows to servers that ask for a certificate.
    pub identity: Option<Identity>,
    /// Asked for the addresses of servers before the system is.
    pub dns: Option<Resolver>,
    /// Networks that may be reached besides public addresses.
    pub allow_networks: Vec<IpNet>,
    /// For name look-up, connection and TLS handshake together.
    pub connect_timeout: Duration,
    /// For a whole request, redirects included.
    pub request_timeout: Duration,
    /// How many redirects are followed.
    pub redirects: usize,
    /// The longest answer that is read, in bytes.
    pub response_size: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ca: Vec::new(),
            identity: None,
            dns: None,
            allow_networks: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            redirects: 5,
            response_size: 4 << 20,
        }
    }
}

/// What to ask of another server.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET, POST…
    pub method: Method,
    /// An `https` URL.
    pub url: Url,
    /// Header fields, without Host and Content-Length.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// How far the request may reach.
    pub policy: ConnectPolicy,
    /// The longest answer that is read, in bytes, if that is less than the settings say.
    pub longest: Option<usize>,
}

/// What the server said.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Where the answer came from, after redirects.
    pub url: Url,
    /// Where the resource lives for good, if permanent redirects (301, 308) came first.
    pub moved_to: Option<Url>,
}

/// An HTTPS client: certificates always verified, addresses guarded, connections reused. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    shared: Arc<ArcSwap<Shared>>,
}

struct Shared {
    tls: Arc<rustls::ClientConfig>,
    dns: Option<Resolver>,
    filter: AddressFilter,
    connect_timeout: Duration,
    request_timeout: Duration,
    redirects: usize,
    response_size: usize,
    /// Connections are shared only between requests of the same policy.
    pools: Mutex<HashMap<ConnectPolicy, HttpsPool>>,
}

type HttpsPool = Pool<Connector, Full<Bytes>>;

/// More different reaches than this are not pooled at once; each names a server of its own.
const MAX_POOLS: usize = 256;
/// How long a connection without requests is kept: a little less than servers keep them (ours: 10 s), so that few close one just when a
/// request is on its way.
const IDLE: Duration = Duration::from_secs(9);

impl Client {
    /// A client with these settings; reads the system's trust anchors.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        Ok(Self {
            shared: Arc::new(ArcSwap::from_pointee(Shared::new(settings)?)),
        })
    }

    /// Uses other settings from the next request on; connections made under the old ones are not reused.
    pub fn use_settings(&self, settings: Settings) -> Result<(), ClientError> {
        self.shared.store(Arc::new(Shared::new(settings)?));
        Ok(())
    }

    /// Makes a connection to a server, as a request to `url` would, to see what it shows.
    pub async fn handshake(
        &self,
        url: &Url,
        policy: &ConnectPolicy,
    ) -> Result<Handshake, ClientError> {
        let uri = url.as_str().parse().map_err(|error| ClientError::Broken {
            server: server_of(url),
            error: format!("{error}"),
        })?;
        let connector = self.shared.load().connector(policy.clone());
        connector.handshake(uri).await
    }

    /// Connects to a server of another protocol, which the administrator wrote down: by name or address, without brackets.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, ClientError> {
        let connector = self.shared.load().connector(ConnectPolicy::default());
        connector.plain(host, port).await
    }

    /// Encrypts such a connection. The server's certificate is verified as those of receivers are.
    pub async fn start_tls(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ClientError> {
        let connector = self.shared.load().connector(ConnectPolicy::default());
        connector.secure(host, stream).await
    }

    /// Sends a request and follows redirects that keep method and body (301, 302, 307, 308). Any other answer, of
    /// whatever status, is handed back.
    pub async fn send(&self, request: Request) -> Result<Response, ClientError> {
        let shared = self.shared.load_full();
        let after = shared.request_timeout;
        let server = server_of(&request.url);
        match tokio::time::timeout(after, shared.follow(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ClientError::Timeout { server, after }),
        }
    }
}

/// TLS for outgoing connections, HTTP/2 preferred.
fn client_config(
    ca: &[TrustedCertificates],
    identity: Option<Identity>,
) -> Result<ClientConfig, ClientError> {
    let (anchors, errors) = convoke_tls::system_anchors();
    for error in errors {
        tracing::warn!(
            event = "trust-anchor-unreadable",
            "a system trust anchor cannot be read: {error}"
        );
    }
    let believed = ca.iter().flat_map(TrustedCertificates::believed).collect();
    let mut config = convoke_tls::client_config(anchors, believed, identity)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl Shared {
    fn new(settings: Settings) -> Result<Self, ClientError> {
        let tls = client_config(&settings.ca, settings.identity)?;
        Ok(Self {
            tls: Arc::new(tls),
            dns: settings.dns,
            filter: AddressFilter::new(settings.allow_networks),
            connect_timeout: settings.connect_timeout,
            request_timeout: settings.request_timeout,
            redirects: settings.redirects,
            response_size: settings.response_size,
            pools: Mutex::default(),
        })
    }

    async fn follow(&self, mut request: Request) -> Result<Response, ClientError> {
        let first = request.url.clone();
        let mut permanent = true;
        let mut moved_to = None;
        for _ in 0..=self.redirects {
            let response = self.exchange(&request).await?;
            let Some(target) = redirect_target(&response, &request.url)? else {
                return Ok(Response {
                    moved_to,
                    ..response
                });
            };
            permanent &= is_permanent(response.status);
            moved_to = permanent.then(|| target.clone());
            if target.origin() != first.origin() {
                // Where a stranger sends us, what the administrator said of the first server does not hold.
                request.policy = ConnectPolicy::default();
            }
            request.url = target;
        }
        Err(ClientError::TooManyRedirects {
            server: server_of(&first),
            limit: self.redirects,
        })
    }

    async fn exchange(&self, request: &Request) -> Result<Response, ClientError> {
        let server = server_of(&request.url);
        let broken = |error: &dyn std::error::Error| ClientError::Broken {
            server: server.clone(),
            error: innermost(error),
        };
        let mut built = http::Request::new(Full::new(request.body.clone()));
        *built.method_mut() = request.method.clone();
        *built.uri_mut() = request
            .url
            .as_str()
            .parse()
            .map_err(|error| broken(&error))?;
        *built.headers_mut() = request.headers.clone();

        let pool = self.pool(&request.policy);
        let response = match pool.request(built.clone()).await {
            Err(error) if is_turned_away(&error) => {
                // That it came to nothing does not show that the first did.
                let again = pool.request(built).await;
                again.map_err(|_| classify(&error, &server))?
            }
            answered => answered.map_err(|error| classify(&error, &server))?,
        };
        let (head, body) = response.into_parts();
        note(request, head.status);
        let limit = self
            .response_size
            .min(request.longest.unwrap_or(usize::MAX));
        let body = Limited::new(body, limit).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                ClientError::TooLong {
                    server: server.clone(),
                    limit,
                }
            } else {
                broken(&*error)
            }
        })?;
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
            url: request.url.clone(),
            moved_to: None,
        })
    }

    fn pool(&self, policy: &ConnectPolicy) -> HttpsPool {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if pools.len() >= MAX_POOLS && !pools.contains_key(policy) {
            pools.clear();
        }
        pools
            .entry(policy.clone())
            .or_insert_with(|| self.new_pool(policy.clone()))
            .clone()
    }

    fn connector(&self, policy: ConnectPolicy) -> Connector {
        Connector {
            tls: self.tls.clone(),
            dns: self.dns.clone(),
            filter: self.filter.clone(),
            policy,
            timeout: self.connect_timeout,
        }
    }

    fn new_pool(&self, policy: ConnectPolicy) -> HttpsPool {
        Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(8)
            .build(self.connector(policy))
    }
}

fn server_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{host}:{}", url.port_or_known_default().unwrap_or(443))
}

/// What went over the wire, for whoever wants to see it (`CONVOKE_LOG=info,convoke::wire=debug`).
fn note(request: &Request, status: StatusCode) {
    tracing::debug!(
        target: "convoke::wire",
        request = %format_args!("{} {}", request.method, request.url),
        headers = %Fields(&request.headers),
        %status,
    );
}

/// Header fields, one a line; secrets are left out.
struct Fields<'a>(&'a HeaderMap);

impl fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.0 {
            if !value.is_sensitive() {
                writeln!(f, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
            }
        }
        Ok(())
    }
}

const fn is_permanent(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT
    )
}

fn redirect_target(response: &Response, from: &Url) -> Result<Option<Url>, ClientError> {
    let temporary = matches!(
        response.status,
        StatusCode::FOUND | StatusCode::TEMPORARY_REDIRECT
    );
    if !temporary && !is_permanent(response.status) {
        return Ok(None);
    }
    let Some(location) = response.headers.get(header::LOCATION) else {
        return Ok(None);
    };
    let location = String::from_utf8_lossy(location.as_bytes());
    match from.join(&location) {
        Ok(target) if target.scheme() == "https" => Ok(Some(target)),
        _ => Err(ClientError::BadRedirect {
            server: server_of(from),
            to: location.chars().take(200).collect(),
        }),
    }
}

/// The connector's own error if it is one, else what hyper says.
fn classify(error: &PoolError, server: &str) -> ClientError {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(ours) = inner.downcast_ref::<ClientError>() {
            return ours.clone();
        }
        cause = inner.source();
    }
    ClientError::Broken {
        server: server.to_owned(),
        error: innermost(error),
    }
}

/// Whether the server ended the connection while a request was on its way (RFC 9113 §6.8), or had not begun with it (§8.7): it takes it on
/// another connection.
///
/// Servers end connections on which nothing happens. What arrives then is not read, and nothing is wrong with the server.
fn is_turned_away(error: &PoolError) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(broken) = inner.downcast_ref::<h2::Error>() {
            let is_end = broken.is_go_away() && broken.reason() == Some(Reason::NO_ERROR);
            let is_refused = broken.reason() == Some(Reason::REFUSED_STREAM);
            return broken.is_remote() && (is_end || is_refused);
        }
        cause = inner.source();
    }
    false
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
