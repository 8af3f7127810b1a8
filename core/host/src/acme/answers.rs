//! What authorities are shown that validate names.

use convoke_net::http_server::{PresentedCertificate, TlsChallenges};
use convoke_types::Domain;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Below it are the answers of http-01 (RFC 8555 §8.3).
pub(crate) const PATH: &str = "/.well-known/acme-challenge/";

/// What is answered to requests, by token.
#[derive(Debug, Default)]
pub(crate) struct HttpAnswers(Mutex<HashMap<String, String>>);

impl HttpAnswers {
    /// Answers requests for `token`, until what this returns is dropped.
    pub(super) fn present(self: &Arc<Self>, token: &str, answer: &str) -> PresentedAnswer {
        self.lock().insert(token.to_owned(), answer.to_owned());
        PresentedAnswer {
            answers: self.clone(),
            token: token.to_owned(),
        }
    }

    /// What is answered to a request for this path.
    pub(crate) fn answer(&self, path: &str) -> Option<String> {
        self.lock().get(path.strip_prefix(PATH)?).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        // Each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that is given as long as this is held.
pub(super) struct PresentedAnswer {
    answers: Arc<HttpAnswers>,
    token: String,
}

impl Drop for PresentedAnswer {
    fn drop(&mut self) {
        self.answers.lock().remove(&self.token);
    }
}

/// Either.
pub(super) enum Presented {
    Http { _held: PresentedAnswer },
    Tls { _held: PresentedCertificate },
}

/// Shows the certificate of tls-alpn-01 with the digest of a key authorization (RFC 8737 §3) to who validates `name`.
pub(super) fn present_certificate(
    challenges: &Arc<TlsChallenges>,
    name: &Domain,
    digest: &[u8],
) -> Result<PresentedCertificate, String> {
    let made = || -> Result<_, rcgen::Error> {
        let mut params = CertificateParams::new([name.to_string()])?;
        params.distinguished_name = DistinguishedName::new();
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok((certificate.der().clone(), key.serialize_der()))
    };
    let (certificate, key) = made().map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
    challenges
        .present(name.clone(), (vec![certificate], key))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_answered_for_as_long_as_it_is_held() {
        let answers = Arc::new(HttpAnswers::default());
        let held = answers.present("abc", "abc.thumb");
        let answer = |path: &str| answers.answer(path);
        assert_eq!(
            answer("/.well-known/acme-challenge/abc").as_deref(),
            Some("abc.thumb")
        );
        for path in [
            "/.well-known/acme-challenge/",
            "/.well-known/acme-challenge/ab",
            "/abc",
            "/",
        ] {
            assert_eq!(answer(path), None, "{path}");
        }
        drop(held);
        assert_eq!(answer("/.well-known/acme-challenge/abc"), None);
    }
}
