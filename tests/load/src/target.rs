//! Where the receiver is, and connections to it.

use crate::Trouble;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{path::Path, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Answers are read to this length.
const LONGEST: usize = 16 << 20;

/// A receiver.
#[derive(Clone)]
pub(crate) struct Target {
    host: String,
    port: u16,
    path: Uri,
    authority: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// One HTTP/1.1 connection.
pub(crate) struct Connection {
    send: SendRequest<Full<Bytes>>,
    target: Target,
}

impl Target {
    /// The receiver at `url`, its certificate verified against the system's authorities and those in `ca`.
    pub(crate) fn new(url: &Uri, ca: Option<&Path>) -> Result<Self, Trouble> {
        let host = url.host().ok_or("the URL names no host")?.to_owned();
        let authority = url.authority().ok_or("the URL names no host")?;
        let authority = HeaderValue::from_str(authority.as_str())?;
        let tls = match url.scheme_str() {
            Some("https") => {
                let name = host.trim_start_matches('[').trim_end_matches(']');
                let name = ServerName::try_from(name.to_owned())?;
                Some((TlsConnector::from(Arc::new(trusting(ca)?)), name))
            }
            Some("http") => None,
            _ => return Err("the URL begins with https:// or http://".into()),
        };
        let port = url.port_u16();
        Ok(Self {
            port: port.unwrap_or(if tls.is_some() { 443 } else { 80 }),
            path: url
                .path_and_query()
                .map_or_else(|| "/".parse(), |path| path.as_str().parse())?,
            host,
            authority,
            tls,
        })
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Result<Connection, Trouble> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let tcp = TcpStream::connect((host, self.port)).await?;
        tcp.set_nodelay(true)?;
        let send = match &self.tls {
            None => shake(tcp).await?,
            Some((connector, name)) => shake(connector.connect(name.clone(), tcp).await?).await?,
        };
        Ok(Connection {
            send,
            target: self.clone(),
        })
    }
}

async fn shake<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, Trouble>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (send, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Its errors are also those of the request that is under way.
    tokio::spawn(connection);
    Ok(send)
}

impl Connection {
    /// POSTs a message; the answer's status and body.
    pub(crate) async fn post(
        &mut self,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Trouble> {
        let mut request = Request::post(self.target.path.clone()).body(Full::new(body))?;
        *request.headers_mut() = headers;
        let (parts, body) = self.send(request).await?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await?.to_bytes();
        Ok((parts.status, body))
    }

    /// GETs a path of the server; the answer's status and length.
    pub(crate) async fn get(&mut self, path: &'static str) -> Result<(StatusCode, usize), Trouble> {
        let request = Request::get(path).body(Full::default())?;
        let (parts, mut body) = self.send(request).await?.into_parts();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame?.data_ref().map_or(0, Bytes::len);
        }
        Ok((parts.status, length))
    }

    async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<http::Response<Incoming>, Trouble> {
        let host = self.target.authority.clone();
        request.headers_mut().insert(header::HOST, host);
        self.send.ready().await?;
        Ok(self.send.send_request(request).await?)
    }
}

fn trusting(ca: Option<&Path>) -> Result<ClientConfig, Trouble> {
    let mut roots = RootCertStore::empty();
    // A system without any is no mistake where `--ca` names one.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        for certificate in CertificateDer::pem_file_iter(file).map_err(|e| wrong(&e))? {
            roots.add(certificate.map_err(|e| wrong(&e))?)?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
