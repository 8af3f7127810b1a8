//! Which certificates of other servers are believed.
//!
//! The system's trust anchors by the ordinary rules; the authorities of `client.ca` too, for the names that their entry
//! reaches; and a certificate that is listed there itself, if the name and the dates fit (see
//! `trusted_certificates`).

use super::ClientError;
use crate::trusted_certificates::{TrustedCertificates, check_dates};
use convoke_types::Domain;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use std::sync::Arc;

/// A client certificate with its chain, and its key.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// TLS for outgoing connections: HTTP/2 preferred, 1.2 or later, verified always.
pub(super) fn client_config(
    ca: Vec<TrustedCertificates>,
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
    /// By the system's anchors, and by the listed authorities that are not bound to domains; `None` if there are none.
    ordinary: Option<Arc<WebPkiServerVerifier>>,
    listed: Vec<Entry>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct Entry {
    trusted: TrustedCertificates,
    /// By its authorities, if they are bound to domains; `None` if there are none.
    issued: Option<Arc<WebPkiServerVerifier>>,
}

impl Verifier {
    fn new(
        ca: Vec<TrustedCertificates>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, ClientError> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::warn!(
                event = "trust-anchor-unreadable",
                "a system trust anchor cannot be read: {error}"
            );
        }
        roots.add_parsable_certificates(system.certs);
        if roots.is_empty() && ca.is_empty() {
            return Err(ClientError::NoTrustAnchors);
        }
        let mut listed = Vec::new();
        for trusted in ca {
            let mut bound = RootCertStore::empty();
            let place = if trusted.is_bound() {
                &mut bound
            } else {
                &mut roots
            };
            trusted
                .add_to(place)
                .map_err(|error| ClientError::settings(&error))?;
            let issued = by_anchors(bound, &provider)?;
            listed.push(Entry { trusted, issued });
        }
        Ok(Self {
            ordinary: by_anchors(roots, &provider)?,
            listed,
            provider,
        })
    }
}

/// The ordinary rules over these trust anchors, if there are any.
fn by_anchors(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<WebPkiServerVerifier>>, ClientError> {
    if roots.is_empty() {
        return Ok(None);
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map(Some)
        .map_err(|error| ClientError::settings(&error))
}

impl Entry {
    /// Whether the entry may say anything of a server with that name.
    fn reaches(&self, name: &ServerName<'_>) -> bool {
        let domain = match name {
            ServerName::DnsName(name) => Domain::new(name.as_ref()).ok(),
            _ => None,
        };
        match domain {
            Some(domain) => self.trusted.reach(&domain),
            None => !self.trusted.is_bound(),
        }
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
        let mut verifiers = Vec::new();
        for entry in self.listed.iter().filter(|entry| entry.reaches(name)) {
            if entry.trusted.lists(certificate) {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                return check_dates(certificate, now).map(|()| ServerCertVerified::assertion());
            }
            verifiers.extend(&entry.issued);
        }
        verifiers.extend(&self.ordinary);
        let mut outcome = Err(CertificateError::UnknownIssuer.into());
        for verifier in verifiers {
            outcome =
                verifier.verify_server_cert(certificate, intermediates, name, ocsp_response, now);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    /// A certificate for `names`, and what issues in its name, whether it may or not.
    fn certificate(
        names: &[&str],
        is_ca: IsCa,
        issuer: Option<&Issuer<'_, KeyPair>>,
    ) -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        params.is_ca = is_ca;
        let signed = match issuer {
            Some(issuer) => params.signed_by(&key, issuer),
            None => params.self_signed(&key),
        };
        (signed.unwrap().der().clone(), Issuer::new(params, key))
    }

    fn verifier(listed: &[(&CertificateDer<'static>, &[&str])]) -> Verifier {
        let listed = listed
            .iter()
            .map(|(certificate, domains)| TrustedCertificates {
                file: "ca.pem".into(),
                certificates: vec![(*certificate).clone()],
                domains: domains.iter().map(|it| it.parse().unwrap()).collect(),
            });
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Verifier::new(listed.collect(), provider).unwrap()
    }

    fn believes(verifier: &Verifier, chain: &[&CertificateDer<'static>], name: &str) -> bool {
        let rest: Vec<_> = chain[1..].iter().map(|it| (*it).clone()).collect();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier
            .verify_server_cert(chain[0], &rest, &name, &[], UnixTime::now())
            .is_ok()
    }

    #[test]
    fn a_listed_certificate_vouches_for_no_other_name() {
        let (leaf, thief) = certificate(&["example.com"], IsCa::NoCa, None);
        let (forged, _) = certificate(&["bank.example"], IsCa::NoCa, Some(&thief));
        let (same, _) = certificate(&["example.com"], IsCa::NoCa, Some(&thief));
        for domains in [&[][..], &["example.com"]] {
            let verifier = verifier(&[(&leaf, domains)]);
            assert!(believes(&verifier, &[&leaf], "example.com"));
            assert!(!believes(&verifier, &[&leaf], "bank.example"));
            assert!(!believes(&verifier, &[&forged, &leaf], "bank.example"));
            assert!(!believes(&verifier, &[&same, &leaf], "example.com"));
        }
        let elsewhere = verifier(&[(&leaf, &["bank.example"])]);
        assert!(!believes(&elsewhere, &[&leaf], "example.com"));
    }

    #[test]
    fn a_bound_authority_is_believed_for_its_names_alone() {
        let ca = || IsCa::Ca(BasicConstraints::Unconstrained);
        let (one, issuer) = certificate(&[], ca(), None);
        let (two, other) = certificate(&["own.example"], ca(), None);
        let both = ["cal.example.com", "bank.example", "127.0.0.1"];
        let (by_one, _) = certificate(&both, IsCa::NoCa, Some(&issuer));
        let (by_two, _) = certificate(&both, IsCa::NoCa, Some(&other));
        let verifier = verifier(&[(&one, &["example.com"]), (&two, &[])]);
        for (chain, name, believed) in [
            (&by_one, "cal.example.com", true),
            (&by_one, "bank.example", false),
            (&by_one, "127.0.0.1", false),
            (&by_two, "cal.example.com", true),
            (&by_two, "bank.example", true),
            (&by_two, "127.0.0.1", true),
            (&two, "own.example", true),
        ] {
            assert_eq!(believes(&verifier, &[chain], name), believed, "{name}");
        }
    }
}
