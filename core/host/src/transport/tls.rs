//! Our certificates, and what client certificates prove.

use super::client_ca;
use crate::{
    config::TrustedFile,
    file_access::{Exposed, PrivateFileError, read_private},
    trusted_certificates::TrustedCertificates,
};
use convoke_types::Domain;
use rustls::{
    ServerConfig, ServerConnection,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The administrator's certificate files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM of what it should hold.
    #[error("{}: no {what} could be read from it: {reason}; it must be PEM", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What was wrong.
        reason: String,
    },
    /// Others can read a private key, or replace it.
    #[error("a private key must be private: {0}")]
    Exposed(Exposed),
    /// Certificate and key do not work together.
    #[error("{}: the certificate cannot be used with its key: {reason}", file.display())]
    Unusable {
        /// The certificate's file.
        file: PathBuf,
        /// What was wrong.
        reason: String,
    },
}

/// Certificates of a PEM file; at least one.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |reason: String| TlsError::File {
        file: file.to_owned(),
        what: "certificate",
        reason,
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("it holds none".to_owned()));
    }
    Ok(certificates)
}

/// The private key of a PEM file, which nobody else may read.
pub(crate) fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let wrong = |reason: String| TlsError::File {
        file: file.to_owned(),
        what: "private key",
        reason,
    };
    let pem = read_private(file).map_err(|error| match error {
        PrivateFileError::Exposed(exposed) => TlsError::Exposed(exposed),
        PrivateFileError::Io(error) => wrong(error.to_string()),
    })?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| wrong(error.to_string()))
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
pub fn server_tls(tls: &crate::config::Tls) -> Result<ServerTls, TlsError> {
    let unusable = |reason: String| TlsError::Unusable {
        file: tls.certificate.clone(),
        reason,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?;
    let clients = clients(&tls.client_ca, provider)?;
    let builder = match clients.clone() {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(clients),
    };
    let mut config = builder
        .with_single_cert(certificates(&tls.certificate)?, private_key(&tls.key)?)
        .map_err(|error| unusable(error.to_string()))?;
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
    let wrong = |reason: String| TlsError::File {
        file: first.file.clone(),
        what: "authority",
        reason,
    };
    let trusted = TrustedCertificates::read_all(listed)?;
    let verifier = client_ca::Verifier::new(trusted, provider).map_err(wrong)?;
    Ok(Some(Arc::new(verifier)))
}
