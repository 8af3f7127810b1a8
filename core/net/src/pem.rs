//! Certificates and private keys, read from PEM files.

use convoke_file_access::{Exposed, PrivateFileError, read_private};
use convoke_tls::{Identity, pem_in_words};
use rustls::{
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What the file of a key should hold.
const KEY: &str = "private key";

/// The administrator's certificate files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM of what it should hold.
    #[error("{}: no {what} could be read from it: {reason}", file.display())]
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
    #[error("{}: the certificate cannot be used with the key {}: {reason}", file.display(), key.display())]
    Unusable {
        /// The certificate's file.
        file: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// What is trusted cannot be.
    #[error("{}: its certificates cannot be trusted: {reason}", file.display())]
    Untrusted {
        /// The file.
        file: PathBuf,
        /// What was wrong.
        reason: String,
    },
}

impl TlsError {
    /// Certificate and key that do not work together.
    pub fn unusable(certificate: &Path, key: &Path, error: &rustls::Error) -> Self {
        let reason = match error {
            rustls::Error::InconsistentKeys(_) => {
                "they do not belong together; take the key that the certificate was made with, which also a renewal may have \
                 replaced"
                    .to_owned()
            }
            other => convoke_tls::in_words(other).unwrap_or_else(|| other.to_string()),
        };
        Self::Unusable {
            file: certificate.to_owned(),
            key: key.to_owned(),
            reason,
        }
    }

    /// The key under which a configuration names the file that is at fault.
    pub fn key(&self) -> &'static str {
        match self {
            Self::File { what, .. } | Self::Unreadable { what, .. } if *what == KEY => "key",
            Self::File { .. } | Self::Unreadable { .. } => "certificate",
            Self::Exposed(_) | Self::Unusable { .. } => "key",
            Self::Untrusted { .. } => "client_ca",
        }
    }

    /// The file that is at fault.
    pub fn file(&self) -> &Path {
        match self {
            Self::File { file, .. }
            | Self::Unreadable { file, .. }
            | Self::Untrusted { file, .. }
            | Self::Unusable { key: file, .. } => file,
            Self::Exposed(exposed) => exposed.file(),
        }
    }
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
        .map_err(|error| {
            wrong(if contains(&pem, b"-----BEGIN CERTIFICATE-----") {
                pem_in_words(&error)
            } else {
                instead_of_certificate(&pem)
            })
        })?;
    if certificates.is_empty() {
        return Err(wrong(instead_of_certificate(&pem)));
    }
    Ok(certificates)
}

/// The private key of a PEM file, which nobody else may read.
pub fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let wrong = |reason: String| TlsError::File {
        file: file.to_owned(),
        what: KEY,
        reason,
    };
    let pem = read_private(file).map_err(|error| match error {
        PrivateFileError::Exposed(exposed) => match fs::read(file) {
            // What is no key at all need not be hidden.
            Ok(pem) if !contains(&pem, b"PRIVATE KEY-----") && contains(&pem, b"-----BEGIN") => {
                wrong(instead_of_key(&pem))
            }
            _ => TlsError::Exposed(exposed),
        },
        PrivateFileError::Io(error) => TlsError::Unreadable {
            file: file.to_owned(),
            what: KEY,
            error,
        },
    })?;
    if contains(&pem, ENCRYPTED) || contains(&pem, b"Proc-Type: 4,ENCRYPTED") {
        let text = format!(
            "it is encrypted, and nobody is there to type the passphrase when a host starts; take it off: \
             openssl pkey -in {0} -out {0}.plain",
            file.display()
        );
        return Err(wrong(text));
    }
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        wrong(match error {
            pem::Error::NoItemsFound => instead_of_key(&pem),
            error => pem_in_words(&error),
        })
    })
}

/// A certificate chain and its key, which fit.
pub fn identity(certificate: &Path, key: &Path) -> Result<Identity, TlsError> {
    let (chain, private) = (certificates(certificate)?, private_key(key)?);
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain.clone(), private.clone_key(), &provider)
        .map_err(|error| TlsError::unusable(certificate, key, &error))?;
    Ok((chain, private))
}

const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// What there is where no certificate is.
fn instead_of_certificate(bytes: &[u8]) -> String {
    if contains(bytes, b"PRIVATE KEY-----") {
        return "it holds a private key; are `certificate` and `key` exchanged?".to_owned();
    }
    if contains(bytes, b"-----BEGIN PUBLIC KEY-----") {
        return "it holds a public key; take the certificate that was made of it".to_owned();
    }
    if contains(bytes, b"-----BEGIN CERTIFICATE REQUEST-----") {
        return "it holds a request for one; take what the authority made of it".to_owned();
    }
    nothing_in_pem(bytes, "openssl x509 -inform DER -in OLD -out NEW")
}

/// What there is where no private key is.
fn instead_of_key(bytes: &[u8]) -> String {
    if contains(bytes, b"-----BEGIN CERTIFICATE-----") {
        return "it holds a certificate; are `certificate` and `key` exchanged?".to_owned();
    }
    if contains(bytes, b"-----BEGIN PUBLIC KEY-----") {
        return "it holds the public key alone; take the private one".to_owned();
    }
    nothing_in_pem(bytes, "openssl pkey -inform DER -in OLD -out NEW")
}

fn nothing_in_pem(bytes: &[u8], convert: &str) -> String {
    match bytes {
        [] => "it is empty".to_owned(),
        // A SEQUENCE, as certificates and keys are in DER.
        [0x30, ..] => format!("it is not PEM; it looks like DER: {convert}"),
        _ => "it is not PEM, which begins with `-----BEGIN`".to_owned(),
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_no_certificate_or_no_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let pair = rcgen::generate_simple_self_signed(["example.org".to_owned()]).unwrap();
        let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let traditional = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
        for (text, as_certificate, as_key) in [
            (certificate.as_bytes(), "", "it holds a certificate; are"),
            (key.as_bytes(), "it holds a private key; are", ""),
            (
                encrypted.as_bytes(),
                "it holds a private key",
                "openssl pkey -in ",
            ),
            (
                traditional.as_bytes(),
                "it holds a private key",
                "it is encrypted",
            ),
            (
                public.as_bytes(),
                "it holds a public key",
                "the public key alone",
            ),
            (
                pair.cert.der(),
                "openssl x509 -inform DER",
                "openssl pkey -inform DER",
            ),
            (b"", "it is empty", "it is empty"),
            (
                b"hello",
                "begins with `-----BEGIN`",
                "begins with `-----BEGIN`",
            ),
        ] {
            let file = folder.path().join("file.pem");
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            let said =
                |error: Option<TlsError>| error.map_or_else(String::new, |it| it.to_string());
            let of_certificate = said(certificates(&file).err());
            let of_key = said(private_key(&file).err());
            for (expected, said) in [(as_certificate, of_certificate), (as_key, of_key)] {
                assert_eq!(expected.is_empty(), said.is_empty(), "{said}");
                assert!(said.contains(expected), "{said}");
            }
        }
    }

    #[test]
    fn certificate_and_key_that_do_not_fit_are_both_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            file
        };
        let made = || rcgen::generate_simple_self_signed(["example.org".to_owned()]).unwrap();
        let (one, other) = (made(), made());
        let certificate = write("cert.pem", &one.cert.pem());
        let own = write("own.pem", &one.signing_key.serialize_pem());
        let key = write("key.pem", &other.signing_key.serialize_pem());
        assert!(identity(&certificate, &own).is_ok());
        let said = identity(&certificate, &key).unwrap_err().to_string();
        for part in ["cert.pem", "key.pem", "do not belong together"] {
            assert!(said.contains(part), "{said}");
        }
    }
}
