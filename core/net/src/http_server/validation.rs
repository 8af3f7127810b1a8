//! Certificates that come by ACME: which one a handshake is shown, and what an authority is shown that validates a name
//! (tls-alpn-01, RFC 8737).

use convoke_tls::Identity;
use convoke_types::Domain;
use rustls::{
    crypto::aws_lc_rs::default_provider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// The protocol of a connection that validates a name, and does nothing else (RFC 8737 §6.2).
pub(super) const PROTOCOL: &[u8] = b"acme-tls/1";

/// Certificates for authorities that are validating names just now; all listeners answer with the same.
#[derive(Default)]
pub struct TlsChallenges(Mutex<HashMap<Domain, Arc<CertifiedKey>>>);

impl TlsChallenges {
    /// Shows `certificate` to who validates `name`, until the answer is dropped.
    pub fn present(
        self: &Arc<Self>,
        name: Domain,
        (chain, key): Identity,
    ) -> Result<PresentedCertificate, rustls::Error> {
        // Not `from_der`, which reads the certificate and refuses what is critical in this one.
        let key = default_provider().key_provider.load_private_key(key)?;
        let certified = Arc::new(CertifiedKey::new(chain, key));
        self.lock().insert(name.clone(), certified);
        Ok(PresentedCertificate {
            challenges: self.clone(),
            name,
        })
    }

    fn of(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let name = Domain::new(name).ok()?;
        self.lock().get(&name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Domain, Arc<CertifiedKey>>> {
        // Each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A certificate that is shown to who validates a name, as long as this is held.
pub struct PresentedCertificate {
    challenges: Arc<TlsChallenges>,
    name: Domain,
}

impl Drop for PresentedCertificate {
    fn drop(&mut self) {
        self.challenges.lock().remove(&self.name);
    }
}

/// Shows our certificate, if there is one yet, and to who validates a name what that takes.
pub(super) struct Resolver {
    own: Option<Arc<CertifiedKey>>,
    challenges: Arc<TlsChallenges>,
    /// Whether it was said that somebody was refused.
    told: AtomicBool,
}

impl Resolver {
    pub(super) fn new(own: Option<CertifiedKey>, challenges: Arc<TlsChallenges>) -> Self {
        Self {
            own: own.map(Arc::new),
            challenges,
            told: AtomicBool::new(false),
        }
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737 §3: who validates offers this protocol alone.
        if (hello.alpn()).is_some_and(|offered| offered.eq([PROTOCOL])) {
            return self.challenges.of(hello.server_name()?);
        }
        if self.own.is_none() && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                event = "certificate-missing",
                "a connection was refused, as there is no certificate yet; so will others be until the authority has issued one"
            );
        }
        self.own.clone()
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}
