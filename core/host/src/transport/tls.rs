//! Our certificates, and what client certificates prove.

use super::client_ca;
use convoke_types::Domain;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use x509_parser::extensions::GeneralName;

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

/// The private key of a PEM file.
pub(crate) fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| TlsError::File {
        file: file.to_owned(),
        what: "private key",
        reason: error.to_string(),
    })
}

/// TLS 1.2 or later with HTTP/2 and HTTP/1.1; client certificates are asked for if `client_ca` is set, and must then be
/// right if they are there.
pub fn server_config(tls: &crate::config::Tls) -> Result<ServerConfig, TlsError> {
    let unusable = |reason: String| TlsError::Unusable {
        file: tls.certificate.clone(),
        reason,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let wrong = |reason: String| TlsError::File {
                file: file.clone(),
                what: "authority",
                reason,
            };
            let verifier =
                client_ca::Verifier::new(certificates(file)?, provider).map_err(wrong)?;
            builder.with_client_cert_verifier(Arc::new(verifier))
        }
    };
    let mut config = builder
        .with_single_cert(certificates(&tls.certificate)?, private_key(&tls.key)?)
        .map_err(|error| unusable(error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The domains that a verified client certificate names: its DNS subject alternative names, wildcards left out.
pub(super) fn domains(certificate: &CertificateDer<'_>) -> Vec<Domain> {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else {
        return Vec::new();
    };
    let Ok(Some(names)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    let dns = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Domain::new(name).ok(),
            _ => None,
        });
    dns.collect()
}
