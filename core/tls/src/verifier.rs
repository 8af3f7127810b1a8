//! Which certificates of servers are believed.
//!
//! The system's trust anchors by the ordinary rules; listed authorities too, for the names that they are bound to; and a
//! listed certificate itself, if the name and the dates fit. A self-signed certificate often calls itself an authority,
//! which the ordinary rules refuse for a server: that one, too, is believed byte for byte where it is shown itself.

use crate::certificate::check_dates;
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
use std::{collections::BTreeMap, sync::Arc};

/// A client certificate with its chain, and its key.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A listed certificate: one that is believed besides what the system's trust anchors issued.
#[derive(Clone, Debug)]
pub struct Believed {
    /// DER.
    pub certificate: CertificateDer<'static>,
    /// Whether what it signed is believed by the ordinary rules, as long as it is within its dates. Whoever shows the
    /// certificate itself is believed either way.
    pub issues: bool,
    /// The domains that it is believed for, with those below them; empty: all.
    pub domains: Vec<Domain>,
}

impl Believed {
    /// Whether it may say anything of a server with that name. What is bound to domains says nothing of an address.
    fn reaches(&self, name: &ServerName<'_>) -> bool {
        reach(&self.domains, name)
    }
}

fn reach(domains: &[Domain], name: &ServerName<'_>) -> bool {
    if domains.is_empty() {
        return true;
    }
    let ServerName::DnsName(name) = name else {
        return false;
    };
    Domain::new(name.as_ref()).is_ok_and(|name| domains.iter().any(|bound| name.is_within(bound)))
}

/// Servers cannot be verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// There is nothing to verify servers against.
    #[error("no trust anchors: the system has none, and none is listed; install ca-certificates")]
    NoTrustAnchors,
    /// rustls refuses what it was given.
    #[error("{0}")]
    Settings(String),
}

impl TlsError {
    fn settings(error: &impl ToString) -> Self {
        Self::Settings(error.to_string())
    }
}

/// The system's trust anchors, and what was wrong with those that cannot be read.
pub fn system_anchors() -> (RootCertStore, Vec<String>) {
    let mut anchors = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    anchors.add_parsable_certificates(system.certs);
    let errors = system.errors.iter().map(ToString::to_string).collect();
    (anchors, errors)
}

/// TLS for outgoing connections: 1.2 or later, verified always. No protocol is named (ALPN): that is the caller's.
///
/// # Errors
/// There is neither an anchor nor a listed certificate, or rustls refuses one, or the identity.
pub fn client_config(
    anchors: RootCertStore,
    believed: Vec<Believed>,
    identity: Option<Identity>,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = verifier(anchors, believed)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::settings(&error))?
        .dangerous() // the verifier below only adds listed certificates to the ordinary rules
        .with_custom_certificate_verifier(verifier);
    match identity {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| TlsError::settings(&error)),
        None => Ok(builder.with_no_client_auth()),
    }
}

/// What verifies servers for [`client_config`], for who makes a configuration of their own. The name is looked at last, when all
/// else holds.
///
/// # Errors
/// As above, but for the identity.
pub fn verifier(
    anchors: RootCertStore,
    believed: Vec<Believed>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(Arc::new(Verifier::new(anchors, believed, provider)?))
}

/// Whether others that believe no more than these anchors and certificates could follow the chain of a server to one of them;
/// its dates, its names and its use are not looked at.
///
/// # Errors
/// As for [`verifier`].
pub fn leads_to_an_anchor(
    chain: &[CertificateDer<'_>],
    anchors: RootCertStore,
    believed: Vec<Believed>,
) -> Result<bool, TlsError> {
    let Some((first, intermediates)) = chain.split_first() else {
        return Ok(false);
    };
    let Ok(nobody) = ServerName::try_from("nobody.invalid") else {
        return Ok(false);
    };
    let verified = verifier(anchors, believed)?.verify_server_cert(
        first,
        intermediates,
        &nobody,
        &[],
        UnixTime::now(),
    );
    let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    Ok(verified.err() != Some(unknown))
}

#[derive(Debug)]
struct Verifier {
    /// By the system's anchors, and by the listed authorities that are not bound to domains; `None` if there are none.
    ordinary: Option<Arc<WebPkiServerVerifier>>,
    /// By the authorities that are bound to the same domains.
    bound: Vec<(Vec<Domain>, Arc<WebPkiServerVerifier>)>,
    listed: Vec<Believed>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(
        mut anchors: RootCertStore,
        listed: Vec<Believed>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        if anchors.is_empty() && listed.is_empty() {
            return Err(TlsError::NoTrustAnchors);
        }
        let mut bound: BTreeMap<&[Domain], RootCertStore> = BTreeMap::new();
        for authority in issuing(&listed) {
            let place = match authority.domains.as_slice() {
                [] => &mut anchors,
                domains => bound.entry(domains).or_insert_with(RootCertStore::empty),
            };
            place
                .add(authority.certificate.clone())
                .map_err(|error| TlsError::settings(&error))?;
        }
        let bound = bound.into_iter();
        let bound = bound.map(|(domains, roots)| Ok((domains.to_vec(), by(roots, &provider)?)));
        Ok(Self {
            bound: bound.collect::<Result<_, TlsError>>()?,
            ordinary: Some(anchors)
                .filter(|it| !it.is_empty())
                .map(|it| by(it, &provider))
                .transpose()?,
            listed,
            provider,
        })
    }

    /// What issued the certificates of a server with that name, if it is to be believed.
    fn issuers(&self, name: &ServerName<'_>) -> impl Iterator<Item = &Arc<WebPkiServerVerifier>> {
        let bound = self.bound.iter();
        let bound = bound.filter(|(domains, _)| reach(domains, name));
        bound.map(|(_, issuer)| issuer).chain(&self.ordinary)
    }
}

/// The authorities within their dates: the ordinary rules do not look at the dates of an anchor.
fn issuing(listed: &[Believed]) -> impl Iterator<Item = &Believed> {
    let now = UnixTime::now();
    let issuing = listed.iter().filter(|it| it.issues);
    issuing.filter(move |it| check_dates(&it.certificate, now).is_ok())
}

/// The ordinary rules over these trust anchors.
fn by(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| TlsError::settings(&error))
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
        let shown = self
            .listed
            .iter()
            .filter(|it| it.certificate == *certificate);
        if shown.into_iter().any(|it| it.reaches(name)) {
            // The name last, as by the ordinary rules: whoever lets any name pass still looks at all else.
            check_dates(certificate, now)?;
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        let mut outcome = Err(CertificateError::UnknownIssuer.into());
        for issuer in self.issuers(name) {
            outcome =
                issuer.verify_server_cert(certificate, intermediates, name, ocsp_response, now);
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
    use crate::certificate::is_authority;
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
        let listed = listed.iter().map(|(certificate, domains)| Believed {
            certificate: (*certificate).clone(),
            issues: is_authority(certificate),
            domains: domains.iter().map(|it| it.parse().unwrap()).collect(),
        });
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Verifier::new(system_anchors().0, listed.collect(), provider).unwrap()
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

    #[test]
    fn an_authority_out_of_its_dates_issues_nothing() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        let old = params.self_signed(&key).unwrap().der().clone();
        let (leaf, _) = certificate(
            &["example.com"],
            IsCa::NoCa,
            Some(&Issuer::new(params, key)),
        );
        for domains in [&[][..], &["example.com"]] {
            assert!(!believes(
                &verifier(&[(&old, domains)]),
                &[&leaf],
                "example.com"
            ));
        }
    }

    #[test]
    fn there_is_something_to_verify_by() {
        let nothing = client_config(RootCertStore::empty(), Vec::new(), None);
        assert_eq!(nothing.unwrap_err(), TlsError::NoTrustAnchors);
    }
}
