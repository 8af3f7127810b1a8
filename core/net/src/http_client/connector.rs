//! One TLS connection to one server: resolve, check the address, connect, shake hands.

use super::{AddressFilter, ClientError};
use convoke_dns::Resolver;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::pki_types::{CertificateDer, ServerName};
use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How far a request may reach, and whose name the server must prove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConnectPolicy {
    /// The administrator wrote the server down, so that it may lie on a private address.
    pub administered: bool,
    /// The name in the certificate, if that is not the URL's host.
    pub tls_name: Option<String>,
}

#[derive(Clone)]
pub(super) struct Connector {
    pub tls: Arc<rustls::ClientConfig>,
    pub dns: Option<Resolver>,
    pub filter: AddressFilter,
    pub policy: ConnectPolicy,
    pub timeout: Duration,
}

impl Connector {
    async fn connect(self, uri: http::Uri) -> Result<Stream, ClientError> {
        let server = uri.authority().map(ToString::to_string).unwrap_or_default();
        match tokio::time::timeout(self.timeout, self.connect_all(&uri, &server)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ClientError::ConnectTimeout {
                server,
                after: self.timeout,
            }),
        }
    }

    async fn connect_all(&self, uri: &http::Uri, server: &str) -> Result<Stream, ClientError> {
        let host = uri.host().unwrap_or_default();
        let host = host
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(host);
        let port = uri.port_u16().unwrap_or(443);
        let addresses = self
            .addresses(host, port)
            .await
            .map_err(|error| ClientError::Resolve {
                server: server.to_owned(),
                error: error.to_string(),
            })?;
        let mut last = None;
        for address in addresses {
            match self.connect_one(address, host, server).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| ClientError::Resolve {
            server: server.to_owned(),
            error: "the name has no address".to_owned(),
        }))
    }

    /// What the configured name servers say; if they know nothing, what the system says.
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Some(dns) = &self.dns
            && host.parse::<IpAddr>().is_err()
        {
            match dns.addresses(host).await {
                Ok(found) if found.is_empty() => {}
                Ok(found) => return Ok(found.into_iter().map(|it| (it, port).into()).collect()),
                Err(error) => tracing::debug!("{error}; the system is asked"),
            }
        }
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn connect_one(
        &self,
        address: SocketAddr,
        host: &str,
        server: &str,
    ) -> Result<Stream, ClientError> {
        if !self.policy.administered && !self.filter.permits(address.ip()) {
            return Err(ClientError::Forbidden {
                server: server.to_owned(),
                address: address.ip(),
            });
        }
        let connect = |error: io::Error| ClientError::Connect {
            server: server.to_owned(),
            address,
            error: error.to_string(),
        };
        let tcp = TcpStream::connect(address).await.map_err(connect)?;
        tcp.set_nodelay(true).map_err(connect)?;
        let name = self.policy.tls_name.as_deref().unwrap_or(host).to_owned();
        let tls = |error: String| ClientError::Tls {
            server: server.to_owned(),
            error,
        };
        let name = ServerName::try_from(name)
            .map_err(|_| tls("no certificate can be for this name".to_owned()))?;
        let stream = TlsConnector::from(self.tls.clone())
            .connect(name, tcp)
            .await
            .map_err(|error| tls(broken_off(&error)))?;
        Ok(Stream(TokioIo::new(stream)))
    }
}

impl Connector {
    /// Connects to a server that the administrator wrote down, without TLS.
    pub(super) async fn plain(self, host: &str, port: u16) -> Result<TcpStream, ClientError> {
        let server = format!("{host}:{port}");
        let connected = tokio::time::timeout(self.timeout, async {
            let resolve = |error: String| ClientError::Resolve {
                server: server.clone(),
                error,
            };
            let addresses = self.addresses(host, port).await;
            let addresses = addresses.map_err(|error| resolve(error.to_string()))?;
            let mut last = resolve("the name has no address".to_owned());
            for address in addresses {
                match TcpStream::connect(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => {
                        last = ClientError::Connect {
                            server: server.clone(),
                            address,
                            error: error.to_string(),
                        };
                    }
                }
            }
            Err(last)
        });
        connected
            .await
            .unwrap_or_else(|_| Err(self.too_slow(&server)))
    }

    /// Shakes hands on a connection of another protocol, with a server that proves this name or address.
    pub(super) async fn secure(
        self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ClientError> {
        let tls = |error: String| ClientError::Tls {
            server: host.to_owned(),
            error,
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| tls("no certificate can be for this name".to_owned()))?;
        let mut settings = (*self.tls).clone();
        settings.alpn_protocols.clear();
        let connecting = TlsConnector::from(Arc::new(settings)).connect(name, stream);
        match tokio::time::timeout(self.timeout, connecting).await {
            Ok(connected) => connected.map_err(|error| tls(broken_off(&error))),
            Err(_) => Err(self.too_slow(host)),
        }
    }

    fn too_slow(&self, server: &str) -> ClientError {
        ClientError::ConnectTimeout {
            server: server.to_owned(),
            after: self.timeout,
        }
    }
}

/// Why a handshake was not finished.
fn broken_off(error: &io::Error) -> String {
    match convoke_tls::in_words(error) {
        Some(words) => words,
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "it ended the connection; is it the port of TLS?".to_owned()
        }
        None => error.to_string(),
    }
}

/// A TLS connection that was made only to be looked at.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// Who answered.
    pub address: SocketAddr,
    /// `TLSv1.3`.
    pub version: String,
    /// `h2` or `http/1.1`.
    pub protocol: String,
    /// The server's own certificate, verified.
    pub certificate: CertificateDer<'static>,
}

impl Connector {
    /// Connects as for a request, and closes at once.
    pub(super) async fn handshake(self, uri: http::Uri) -> Result<Handshake, ClientError> {
        let Stream(stream) = self.connect(uri).await?;
        let (tcp, session) = stream.inner().get_ref();
        let broken = |error: String| ClientError::Tls {
            server: "the server".to_owned(),
            error,
        };
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        Ok(Handshake {
            address: tcp.peer_addr().map_err(|error| broken(error.to_string()))?,
            version: session
                .protocol_version()
                .and_then(|version| version.as_str())
                .unwrap_or("TLS")
                .replace('_', "."),
            protocol: session.alpn_protocol().map_or_else(
                || "http/1.1".to_owned(),
                |name| String::from_utf8_lossy(name).into_owned(),
            ),
            certificate: certificate
                .cloned()
                .ok_or_else(|| broken("it shows no certificate".to_owned()))?,
        })
    }
}

impl tower_service::Service<http::Uri> for Connector {
    type Response = Stream;
    type Error = ClientError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, ClientError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: http::Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// A TLS connection that tells hyper which HTTP version was agreed on.
pub(super) struct Stream(TokioIo<TlsStream<TcpStream>>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let (_, session) = self.0.inner().get_ref();
        if session.alpn_protocol() == Some(b"h2") {
            Connected::new().negotiated_h2()
        } else {
            Connected::new()
        }
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, buffers)
    }
}
