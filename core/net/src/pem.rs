//! Certificates and private keys, read from PEM files.

use convoke_file_access::{Exposed, PrivateFileError, read_private};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    fs, io,
    path::{Path, PathBuf},
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
    /// A file cannot be read at all.
    #[error("{}: the {what} cannot be read: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What the system said.
        error: io::Error,
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
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |reason: String| TlsError::File {
        file: file.to_owned(),
        what: "certificate",
        reason,
    };
    let pem = fs::read(file).map_err(|error| TlsError::Unreadable {
        file: file.to_owned(),
        what: "certificate",
        error,
    })?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("it holds none".to_owned()));
    }
    Ok(certificates)
}

/// The private key of a PEM file, which nobody else may read.
pub fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let wrong = |reason: String| TlsError::File {
        file: file.to_owned(),
        what: "private key",
        reason,
    };
    let pem = read_private(file).map_err(|error| match error {
        PrivateFileError::Exposed(exposed) => TlsError::Exposed(exposed),
        PrivateFileError::Io(error) => TlsError::Unreadable {
            file: file.to_owned(),
            what: "private key",
            error,
        },
    })?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| wrong(error.to_string()))
}
