//! Which client certificates are believed, and which domains they prove: what `client_ca` lists (see
//! `trusted_certificates`).

use crate::trusted_certificates::{TrustedCertificates, proven_names};
use convoke_tls::certificate::{Usage, check_dates, is_for, subject, validity};
use convoke_types::Domain;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use std::sync::Arc;

/// Asks for a client certificate, does without one, and refuses a wrong one.
#[derive(Debug)]
pub(super) struct Verifier {
    entries: Vec<Entry>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct Entry {
    trusted: TrustedCertificates,
    /// For what its authorities issued; `None` if it has none.
    issued: Option<Arc<dyn ClientCertVerifier>>,
}

impl Entry {
    fn new(trusted: TrustedCertificates, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        trusted
            .add_to(&mut roots)
            .map_err(|error| error.to_string())?;
        if roots.is_empty() {
            return Ok(Self {
                trusted,
                issued: None,
            });
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|error| error.to_string())?;
        Ok(Self {
            trusted,
            issued: Some(verifier),
        })
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.trusted.lists(certificate) {
            return check_dates(certificate, now).map(|()| ClientCertVerified::assertion());
        }
        match &self.issued {
            Some(issued) => issued.verify_client_cert(certificate, intermediates, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }
}

impl Verifier {
    pub(super) fn new(
        listed: Vec<TrustedCertificates>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let entries = listed.into_iter().map(|it| Entry::new(it, &provider));
        Ok(Self {
            entries: entries.collect::<Result<_, _>>()?,
            provider,
        })
    }

    /// The domains that a client's chain proves: the DNS names of its certificate, each as far as an entry that
    /// believes the chain reaches.
    ///
    /// Looked at after the handshake, as that says only that some entry believes it; and a session that is resumed
    /// was not looked at since it began.
    pub(super) fn proven(&self, chain: &[CertificateDer<'_>]) -> Vec<Domain> {
        let Some((certificate, intermediates)) = chain.split_first() else {
            return Vec::new();
        };
        let names = proven_names(certificate);
        let mut proven: Vec<Domain> = Vec::new();
        for entry in &self.entries {
            if names.is_empty() || proven == names {
                break;
            }
            let verified = entry.verify(certificate, intermediates, UnixTime::now());
            if verified.is_ok() {
                let narrowed = names.iter().flat_map(|it| entry.trusted.narrow(it.clone()));
                proven.extend(narrowed);
                proven.sort_unstable();
                proven.dedup();
            }
        }
        proven
    }
}

/// Whether a certificate that can be read is not for clients.
fn lacks_usage(certificate: &CertificateDer<'_>) -> bool {
    validity(certificate).is_some() && !is_for(certificate, Usage::Client)
}

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // A client with a certificate that is listed itself would not offer it for any of these authorities.
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let mut problem = CertificateError::UnknownIssuer.into();
        for entry in &self.entries {
            match entry.verify(certificate, intermediates, now) {
                Ok(verified) => return Ok(verified),
                // That another file knows nothing of it does not tell what is wrong.
                Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {}
                Err(error) => problem = error,
            }
        }
        if lacks_usage(certificate) {
            tracing::info!(
                event = "client-certificate-usage",
                subject = subject(certificate),
                "a client certificate is refused that is for servers alone: its extendedKeyUsage lacks clientAuth, as in what public \
                 authorities issue today; let that peer sign its messages (DKIM), or list the very certificate in `client_ca`"
            );
        }
        Err(problem)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
