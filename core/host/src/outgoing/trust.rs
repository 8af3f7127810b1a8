//! Which certificates of other servers are believed.
//!
//! The system's trust anchors and those of `client.ca` by the ordinary rules; and a certificate that is listed in
//! `client.ca` itself, if the name and the dates fit (see `listed`).

use super::ClientError;
use crate::listed::{check_dates, is_listed};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use std::sync::Arc;

/// A client certificate with its chain, and its key.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// TLS for outgoing connections: HTTP/2 preferred, 1.2 or later, verified always.
pub(super) fn client_config(
    ca: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(Verifier::new(ca, provider.clone())?);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::settings(&error))?
        .dangerous() // the verifier below only adds listed certificates to the ordinary rules
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| ClientError::settings(&error))?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[derive(Debug)]
struct Verifier {
    ordinary: Arc<WebPkiServerVerifier>,
    listed: Vec<CertificateDer<'static>>,
}

impl Verifier {
    fn new(
        ca: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, ClientError> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::warn!("a system trust anchor cannot be read: {error}");
        }
        let (added, _) = roots.add_parsable_certificates(system.certs);
        for certificate in &ca {
            roots
                .add(certificate.clone())
                .map_err(|error| ClientError::settings(&error))?;
        }
        if added == 0 && ca.is_empty() {
            return Err(ClientError::NoTrustAnchors);
        }
        let ordinary = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| ClientError::settings(&error))?;
        Ok(Self {
            ordinary,
            listed: ca,
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if is_listed(certificate, &self.listed) {
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            return check_dates(certificate, now).map(|()| ServerCertVerified::assertion());
        }
        self.ordinary
            .verify_server_cert(certificate, intermediates, name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.ordinary
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.ordinary
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.ordinary.supported_verify_schemes()
    }
}
