//! TLS to PostgreSQL by rustls, with the trust anchors of the host.
//!
//! Not by the crate tokio-postgres-rustls, which brings a second provider of cryptography (ring) and a second reader of
//! certificates for what is here in a hundred lines.

use crate::url::{Target, Verify};
use convoke_sdk::{
    prelude::*,
    tls::{self, Believed, certificate::is_authority},
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{
        CertificateDer, InvalidDnsNameError, ServerName, UnixTime,
        pem::{self, PemObject},
    },
};
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::{
    future::Future,
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, X509Certificate};

/// How TLS is spoken to a target.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    /// What `sslmode` and `sslrootcert` say.
    pub(crate) fn new(target: &Target, host: &Host) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match target.verify {
            Verify::Nothing => Arc::new(Lenient::towards_anybody(&provider)),
            Verify::Authority => {
                let believed = believed(target.root.as_deref(), host)?;
                Arc::new(Lenient::towards_names(&provider, believed))
            }
            Verify::Full => believed(target.root.as_deref(), host)?,
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .dangerous() // `sslmode` says how much is verified
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

/// Who is believed: what the file holds, else the system's trust anchors and what the host believes besides.
fn believed(root: Option<&Path>, host: &Host) -> Result<Arc<dyn ServerCertVerifier>> {
    let file = root.filter(|file| *file != Path::new("system"));
    let (anchors, listed) = match file {
        Some(file) => (RootCertStore::empty(), listed(file)?),
        None => (tls::system_anchors().0, host.network().believed().collect()),
    };
    tls::verifier(anchors, listed).map_err(|error| unusable(&error))
}

fn unusable(error: &dyn std::fmt::Display) -> Error {
    Error::invalid(format!("TLS cannot be set up: {error}"))
}

fn listed(file: &Path) -> Result<Vec<Believed>> {
    let wrong = |error: pem::Error| {
        Error::invalid(format!(
            "`sslrootcert`: {} gives no certificates in PEM: {}",
            file.display(),
            tls::pem_in_words(&error)
        ))
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(wrong)?;
    let listed = certificates.map(|certificate| {
        certificate.map(|certificate| Believed {
            issues: is_authority(&certificate),
            certificate,
            domains: Vec::new(),
        })
    });
    let listed: Vec<_> = listed.collect::<Result<_, _>>().map_err(wrong)?;
    if listed.is_empty() {
        return Err(wrong(pem::Error::NoItemsFound));
    }
    Ok(listed)
}

/// Believes more than it can verify. Whoever is believed has to have the key of the certificate all the same.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    /// Whom this one believes is believed by whatever name; without it, everybody is.
    believed: Option<Arc<dyn ServerCertVerifier>>,
}

impl Lenient {
    /// What is sent is hidden from those who only listen.
    fn towards_anybody(provider: &Arc<CryptoProvider>) -> Self {
        Self {
            provider: provider.clone(),
            believed: None,
        }
    }

    fn towards_names(
        provider: &Arc<CryptoProvider>,
        believed: Arc<dyn ServerCertVerifier>,
    ) -> Self {
        Self {
            provider: provider.clone(),
            believed: Some(believed),
        }
    }
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(believed) = &self.believed else {
            return Ok(ServerCertVerified::assertion());
        };
        match believed.verify_server_cert(certificate, chain, name, ocsp, now) {
            // The name is looked at last, when all else holds.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Stream<S>;
    type TlsConnect = Connect;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, server: &str) -> Result<Connect, InvalidDnsNameError> {
        Ok(Connect {
            connector: self.0.clone(),
            name: ServerName::try_from(server.to_owned())?,
        })
    }
}

/// TLS to one server.
pub(crate) struct Connect {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Connect {
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let connecting = self.connector.connect(self.name, stream);
        Box::pin(async move { Ok(Stream(connecting.await?)) })
    }
}

/// A connection over TLS.
pub(crate) struct Stream<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let chain = self.0.get_ref().1.peer_certificates();
        match chain.and_then(<[_]>::first).and_then(end_point) {
            Some(digest) => ChannelBinding::tls_server_end_point(digest),
            None => ChannelBinding::none(),
        }
    }
}

/// `tls-server-end-point` (RFC 5929 §4.1): the digest of the certificate by the hash of its signature, and SHA-256 for the two
/// that are weak. `None` where the signature has no hash of its own.
fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm = parsed.signature_algorithm.algorithm.to_id_string();
    Some(match algorithm.as_str() {
        // RSA with MD5, SHA-1, SHA-256; ECDSA with SHA-1, SHA-256
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Sha256::digest(certificate).to_vec(),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Sha384::digest(certificate).to_vec(),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Sha512::digest(certificate).to_vec(),
        _ => return None,
    })
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{
        CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    };
    use std::fs;

    fn certificate(name: &str) -> rcgen::Certificate {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        params.self_signed(&key).unwrap()
    }

    #[test]
    fn the_binding_is_by_the_hash_of_the_signature() {
        for (algorithm, length) in [
            (&PKCS_ECDSA_P256_SHA256, Some(32)),
            (&PKCS_ECDSA_P384_SHA384, Some(48)),
            (&PKCS_ED25519, None),
        ] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let params = CertificateParams::new(["db.example".to_owned()]).unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let digest = end_point(certificate.der());
            assert_eq!(digest.map(|it| it.len()), length, "{algorithm:?}");
        }
    }

    #[test]
    fn each_mode_believes_what_libpq_says() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("db.pem");
        let (ours, other) = (certificate("db.example"), certificate("db.example"));
        fs::write(&file, ours.pem()).unwrap();
        let host = Host::for_tests_without_index(folder.path());
        let by_root = believed(Some(&file), &host).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifiers: [Arc<dyn ServerCertVerifier>; 3] = [
            Arc::new(Lenient::towards_anybody(&provider)),
            Arc::new(Lenient::towards_names(&provider, Arc::clone(&by_root))),
            by_root,
        ];
        for (shown, name, believed) in [
            (&ours, "db.example", [true, true, true]),
            (&ours, "elsewhere.example", [true, true, false]),
            (&other, "db.example", [true, false, false]),
        ] {
            let name = ServerName::try_from(name).unwrap();
            let verified = verifiers.each_ref().map(|it| {
                it.verify_server_cert(shown.der(), &[], &name, &[], UnixTime::now())
                    .is_ok()
            });
            assert_eq!(verified, believed, "{name:?}");
        }
    }

    #[test]
    fn a_root_file_without_certificates_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("empty.pem");
        fs::write(&file, "").unwrap();
        let error = listed(&file).unwrap_err();
        assert!(error.message().contains("`sslrootcert`"), "{error}");
        assert!(error.message().contains("empty.pem"), "{error}");
    }
}
