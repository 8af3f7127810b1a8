//! Connections: over TLS that is verified always; in the clear only where the administrator says so, or on loopback.
//!
//! Names are asked of the name servers that the host asks, and the servers are believed that the host believes.

use crate::{names::Names, outages::Outages};
use bytes::Bytes;
use convoke_sdk::{
    Network,
    prelude::*,
    tls::{self, Believed, CertificateDer, ClientConfig, certificate::is_authority},
};
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::pki_types::pem::{self, PemObject};
use std::{path::Path, sync::Arc, time::Duration};
use url::{Host as UrlHost, Url};

/// Connections to CalDAV servers, kept and used again.
#[derive(Clone)]
pub(crate) struct Http {
    pub(crate) client: Client<HttpsConnector<HttpConnector<Names>>, Full<Bytes>>,
    /// How long one request may take.
    pub(crate) timeout: Duration,
    pub(crate) outages: Arc<Outages>,
}

impl Http {
    /// As the host reaches others. `ca` holds further certificates that are believed, PEM.
    pub(crate) fn new(host: &Host, ca: Option<&Path>, timeout: Duration) -> Result<Self> {
        let network = host.network();
        let tls = tls(&network, ca)?;
        let names = Names::of(&network);
        let mut connector = HttpConnector::new_with_resolver(names);
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(timeout));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http() // `checked` lets http through where it may be
            .enable_all_versions()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(connector);
        Ok(Self {
            client,
            timeout,
            outages: Arc::default(),
        })
    }
}

/// Who is believed: the system's trust anchors, what the host believes besides, and the authorities in `ca`.
fn tls(network: &Network, ca: Option<&Path>) -> Result<ClientConfig> {
    let mut believed: Vec<Believed> = network.believed().collect();
    if let Some(file) = ca {
        believed.extend(authorities(file)?);
    }
    tls::client_config(tls::system_anchors().0, believed, None)
        .map_err(|error| Error::invalid(format!("TLS cannot be set up: {error}")))
}

fn authorities(file: &Path) -> Result<Vec<Believed>> {
    let wrong = |error: pem::Error| {
        Error::invalid(format!(
            "`config.ca`: {} gives no certificates in PEM: {}",
            file.display(),
            tls::pem_in_words(&error)
        ))
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(wrong)?;
    let believed = certificates.map(|certificate| {
        certificate.map(|certificate| Believed {
            issues: is_authority(&certificate),
            certificate,
            domains: Vec::new(),
        })
    });
    believed
        .collect::<std::result::Result<_, _>>()
        .map_err(wrong)
}

/// A URL that the administrator wrote, if it may be used; `key` is where it stands.
pub(crate) fn checked(key: &str, text: &str, plain_http: bool) -> Result<Url> {
    let url = Url::parse(text).map_err(|_| {
        Error::invalid(format!(
            "{key}: `{text}` is no URL; write one such as https://dav.example.org/"
        ))
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::invalid(format!(
            "{key} holds a user name or password; write them under `login`"
        )));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if plain_http || is_loopback(&url) => Ok(url),
        "http" => Err(Error::invalid(format!(
            "{key}: `{text}` would show passwords and calendars to everybody on the way; write https, or \
             `config.plain_http = true` if the way is safe"
        ))),
        scheme => Err(Error::invalid(format!(
            "{key}: expected an https URL, got one of `{scheme}`"
        ))),
    }
}

/// Whether nobody else reads what is sent.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(UrlHost::Domain(name)) => name == "localhost",
        Some(UrlHost::Ipv4(address)) => address.is_loopback(),
        Some(UrlHost::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
