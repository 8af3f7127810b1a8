//! Our certificates, and what client certificates prove.

use super::{
    client_ca,
    validation::{self, Resolver, TlsChallenges},
};
use crate::{
    pem::{TlsError, certificates, identity, private_key},
    trusted_certificates::{TrustedCertificates, TrustedFile},
};
use convoke_types::Domain;
use rustls::{
    ConfigBuilder, ServerConfig, ServerConnection,
    crypto::{CryptoProvider, aws_lc_rs::default_provider},
    server::WantsServerCert,
    sign::CertifiedKey,
};
use std::{path::PathBuf, sync::Arc};

/// The files that a listener needs for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the certificate and its chain.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
    /// PEM: certificates, and authorities, that prove a peer's domain; empty: nobody is asked for one.
    pub client_ca: Vec<TrustedFile>,
}

/// What a listener needs for TLS.
#[derive(Clone)]
pub struct ServerTls {
    pub(super) config: Arc<ServerConfig>,
    clients: Option<Arc<client_ca::Verifier>>,
}

impl ServerTls {
    /// The domains that a client proved in its handshake.
    pub(super) fn proven(&self, session: &ServerConnection) -> Vec<Domain> {
        match (&self.clients, session.peer_certificates()) {
            (Some(clients), Some(chain)) => clients.proven(chain),
            _ => Vec::new(),
        }
    }
}

/// TLS 1.2 or later with HTTP/2 and HTTP/1.1; client certificates are asked for if `client_ca` is set, and must then be
/// right if they are there.
pub fn server_tls(tls: &TlsFiles) -> Result<ServerTls, TlsError> {
    let (builder, clients) = builder(tls)?;
    let config = builder
        .with_single_cert(certificates(&tls.certificate)?, private_key(&tls.key)?)
        .map_err(|error| TlsError::unusable(&tls.certificate, &tls.key, &error))?;
    Ok(ServerTls::new(config, clients))
}

/// The same with a certificate that an authority issues over ACME. As long as its file is not there, whoever connects is
/// refused, but for who validates a name.
pub fn acme_tls(tls: &TlsFiles, challenges: Arc<TlsChallenges>) -> Result<ServerTls, TlsError> {
    let own = if tls.certificate.exists() {
        let (chain, key) = identity(&tls.certificate, &tls.key)?;
        let certified = CertifiedKey::from_der(chain, key, &default_provider());
        Some(certified.map_err(|error| TlsError::unusable(&tls.certificate, &tls.key, &error))?)
    } else {
        None
    };
    let (builder, clients) = builder(tls)?;
    let mut config = builder.with_cert_resolver(Arc::new(Resolver::new(own, challenges)));
    config.alpn_protocols = vec![validation::PROTOCOL.to_vec()];
    Ok(ServerTls::new(config, clients))
}

impl ServerTls {
    fn new(mut config: ServerConfig, clients: Option<Arc<client_ca::Verifier>>) -> Self {
        // First of all: who offers others, too, does not want to validate a name.
        let protocols = [b"h2".to_vec(), b"http/1.1".to_vec()];
        config.alpn_protocols.splice(0..0, protocols);
        Self {
            config: Arc::new(config),
            clients,
        }
    }
}

type Builder = ConfigBuilder<ServerConfig, WantsServerCert>;

/// What both begin with.
fn builder(tls: &TlsFiles) -> Result<(Builder, Option<Arc<client_ca::Verifier>>), TlsError> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::unusable(&tls.certificate, &tls.key, &error))?;
    let clients = clients(&tls.client_ca, provider)?;
    let builder = match clients.clone() {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(clients),
    };
    Ok((builder, clients))
}

/// Who is believed to be a client; `None` if nobody is asked.
fn clients(
    listed: &[TrustedFile],
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<client_ca::Verifier>>, TlsError> {
    let Some(first) = listed.first() else {
        return Ok(None);
    };
    let wrong = |reason: String| TlsError::Untrusted {
        file: first.file.clone(),
        reason,
    };
    let trusted = TrustedCertificates::read_all(listed)?;
    let verifier = client_ca::Verifier::new(trusted, provider).map_err(wrong)?;
    Ok(Some(Arc::new(verifier)))
}
