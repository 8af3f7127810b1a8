//! Our certificates, and what client certificates prove.

use super::client_ca;
use crate::{
    pem::{TlsError, certificates, private_key},
    trusted_certificates::{TrustedCertificates, TrustedFile},
};
use convoke_types::Domain;
use rustls::{ServerConfig, ServerConnection, crypto::CryptoProvider};
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
    let unusable = |error| TlsError::unusable(&tls.certificate, &tls.key, &error);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let clients = clients(&tls.client_ca, provider)?;
    let builder = match clients.clone() {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(clients),
    };
    let mut config = builder
        .with_single_cert(certificates(&tls.certificate)?, private_key(&tls.key)?)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(ServerTls {
        config: Arc::new(config),
        clients,
    })
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
