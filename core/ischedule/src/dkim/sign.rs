//! Signing a request that is about to be sent.

use super::{
    DKIM_SIGNATURE, IF_PRESENT, Lookup, PrivateKey, REQUIRED, Signature, canon::simple_body_digest,
    verify::signed_bytes,
};
use convoke_types::Domain;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};

/// Signs requests for one domain with one key.
#[derive(Debug)]
pub struct Signer {
    domain: Domain,
    selector: String,
    key: PrivateKey,
    lookups: Vec<Lookup>,
    lifetime: SignedDuration,
}

/// Our request cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The selector in the configuration is none.
    #[error("`{0}` is not a selector: letters, digits, `-`, `_`, with dots between")]
    Selector(String),
    /// A field that must be signed is missing.
    #[error("the request has no {0} field, which must be signed")]
    FieldMissing(HeaderName),
    /// The library refuses the key.
    #[error("the private key cannot sign")]
    Key,
}

impl Signer {
    /// The lifetime of a signature unless [`Self::lifetime`] says otherwise.
    pub const LIFETIME: SignedDuration = SignedDuration::from_mins(10);
    /// The shortest life of a signature (spec §7).
    pub const MIN_LIFETIME: SignedDuration = SignedDuration::from_secs(60);

    /// A signer whose key is published in the ways of `lookups`, the preferred first; none means `dns/txt`.
    pub fn new(
        domain: Domain,
        selector: &str,
        key: PrivateKey,
        lookups: Vec<Lookup>,
    ) -> Result<Self, SignError> {
        if !super::signature::is_selector(selector) {
            return Err(SignError::Selector(selector.chars().take(80).collect()));
        }
        Ok(Self {
            domain,
            selector: selector.to_owned(),
            key,
            lookups,
            lifetime: Self::LIFETIME,
        })
    }

    /// Sets the lifetime of signatures, at least [`Self::MIN_LIFETIME`].
    #[must_use]
    pub fn lifetime(self, lifetime: SignedDuration) -> Self {
        Self {
            lifetime: lifetime.max(Self::MIN_LIFETIME),
            ..self
        }
    }

    /// The domain signed for.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The selector of the key.
    pub fn selector(&self) -> &str {
        &self.selector
    }

    /// The key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Where the key is published.
    pub fn lookups(&self) -> &[Lookup] {
        &self.lookups
    }

    /// Sets the `DKIM-Signature` field. Everything else must be in place already: a field of those signed that is
    /// added or changed later breaks the signature.
    pub fn sign(
        &self,
        headers: &mut HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), SignError> {
        let missing = |name: &&HeaderName| !headers.contains_key(*name);
        if let Some(name) = REQUIRED.iter().find(missing) {
            return Err(SignError::FieldMissing(name.clone()));
        }
        let present = IF_PRESENT.into_iter().filter(|n| headers.contains_key(n));
        let mut signature = Signature {
            algorithm: self.key.algorithm(),
            domain: self.domain.clone(),
            selector: self.selector.clone(),
            identity: self.domain.clone(),
            headers: REQUIRED.into_iter().chain(present).collect(),
            body: simple_body_digest(body),
            signed_at: Some(now),
            expires: Some(now.saturating_add(self.lifetime).unwrap_or(Timestamp::MAX)),
            lookups: self.lookups.clone(),
            bytes: Vec::new(),
        };
        let signed = signed_bytes(headers, &signature.headers, &signature.to_string());
        signature.bytes = self.key.sign(&signed).ok_or(SignError::Key)?;
        let value = HeaderValue::try_from(signature.to_string());
        headers.insert(
            DKIM_SIGNATURE,
            value.expect("domains, selectors, names and base64 are visible ASCII"),
        );
        Ok(())
    }
}
