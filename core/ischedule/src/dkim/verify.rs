//! Verification of DKIM signatures: from an unverified request to the domain that has signed it.

use super::{
    Algorithm, DKIM_SIGNATURE, KeyRecord, Lookup, PublicKey, Signature, SignatureError,
    canon::{Digest, relaxed, relaxed_field, sha256, simple_body_digest},
    tags::without_signature,
};
use crate::{ErrorElement, Refusal};
use aws_lc_rs::signature::{
    ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey,
};
use convoke_types::Domain;
use http::{HeaderMap, HeaderName};
use jiff::{SignedDuration, Timestamp};

/// How far the sender's clock may be ahead of ours.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The shortest RSA key that is accepted (RFC 8301 §3.2), in bits.
pub const MIN_RSA_BITS: usize = 1024;

/// The longest lifetime of a signature, whatever its `x=` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// From `t=` on.
    pub max_age: SignedDuration,
    /// Whether a signature may leave out when it was made.
    pub timestamp: Timestamped,
}

/// Whether `t=` must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamped {
    /// It must.
    Required,
    /// A signature without it is valid until `x=`, or without end.
    Optional,
}

/// A request as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Unverified<'a> {
    /// Its header; the order of fields of one name is kept.
    pub headers: &'a HeaderMap,
    /// Its whole body, after any transfer coding was taken off.
    pub body: &'a [u8],
}

/// A signature that fits its request but for the key: the digest of the body and the times are right.
#[derive(Clone, Debug)]
pub struct Pending {
    signature: Signature,
    signed: Vec<u8>,
    expires_at: Option<Timestamp>,
}

/// A domain has signed the request. Only [`Pending::verify`] makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    signature: Signature,
    strict: bool,
    expires_at: Option<Timestamp>,
}

/// A peer's signature is missing or invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no signature.
    #[error("the request has no DKIM-Signature")]
    NotSigned,
    /// The domain says that it is testing (`t=y`).
    #[error("the key record of the signature says `t=y`: the domain is only testing")]
    Testing,
    /// More than one signature.
    #[error("the request has more than one DKIM-Signature")]
    Several,
    /// The field cannot be used.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A field that must be signed is not in the request.
    #[error("the request has no {0} field, which is required and must be signed")]
    FieldMissing(HeaderName),
    /// The body is not the one that was signed.
    #[error("the body is not the one that was signed (bh=)")]
    BodyChanged,
    /// `t=` lies ahead.
    #[error(
        "the signature was made at {made}, which is in the future: it is {now} here; is your clock right?"
    )]
    FromTheFuture {
        /// When it says that it was made.
        made: Timestamp,
        /// Our clock.
        now: Timestamp,
    },
    /// `x=` has passed.
    #[error("the signature expired at {expired}: it is {now} here; is your clock right?")]
    Expired {
        /// When it expired.
        expired: Timestamp,
        /// Our clock.
        now: Timestamp,
    },
    /// `t=` is missing.
    #[error("the signature does not say when it was made (t=)")]
    NoTimestamp,
    /// `t=` is long ago.
    #[error(
        "the signature was made at {made}, which is longer ago than is accepted here, where it is {now}; is your clock right?"
    )]
    TooOld {
        /// When it says that it was made.
        made: Timestamp,
        /// Our clock.
        now: Timestamp,
    },
    /// No key record was found.
    #[error("no key record was found for the signature")]
    NoKey,
    /// The key is revoked.
    #[error("the key of the signature is revoked (p= is empty)")]
    Revoked,
    /// The key is too short.
    #[error("the key of the signature has {0} bits; at least 1024 are required")]
    WeakKey(usize),
    /// The key is for other services.
    #[error("the key record does not allow iSchedule (s=)")]
    WrongService,
    /// The key is for other hashes.
    #[error("the key record does not allow SHA-256 (h=)")]
    WrongHash,
    /// The key is of another kind than `a=` says.
    #[error("the key record is not for the algorithm of the signature (k=, a=)")]
    WrongKind,
    /// `t=s`, but `i=` is below `d=`.
    #[error("the key record demands that i= and d= name the same domain (t=s)")]
    NotStrict,
    /// The signature is not one of these fields by this key.
    #[error("the signature does not verify: a signed field was changed, or another key was used")]
    BadSignature,
}

impl Failure {
    /// Whether the request counts as unsigned.
    pub const fn is_unsigned(&self) -> bool {
        matches!(self, Self::NotSigned | Self::Testing)
    }

    /// The rank of the failure among those of several keys; the highest is reported.
    const fn weight(&self) -> u8 {
        match self {
            Self::BadSignature => 3,
            Self::Testing => 2,
            Self::WrongKind | Self::NoKey => 0,
            _ => 1,
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::new(ErrorElement::VerificationFailed, failure.to_string())
    }
}

impl Unverified<'_> {
    /// Everything that can be checked without the key.
    pub fn read(self, now: Timestamp) -> Result<Pending, Failure> {
        let mut fields = self.headers.get_all(DKIM_SIGNATURE).iter();
        let field = fields.next().ok_or(Failure::NotSigned)?;
        if fields.next().is_some() {
            return Err(Failure::Several);
        }
        let text = std::str::from_utf8(field.as_bytes()).map_err(|_| SignatureError::Wrong {
            tag: "v",
            reason: "the field is not UTF-8",
        })?;
        let signature = Signature::read(text)?;
        check_times(&signature, now)?;
        let missing = |name: &&HeaderName| !self.headers.contains_key(*name);
        if let Some(name) = super::REQUIRED.iter().find(missing) {
            return Err(Failure::FieldMissing(name.clone()));
        }
        if simple_body_digest(self.body) != signature.body {
            return Err(Failure::BodyChanged);
        }
        Ok(Pending {
            signed: signed_bytes(self.headers, &signature.headers, text),
            expires_at: signature.expires,
            signature,
        })
    }
}

fn check_times(signature: &Signature, now: Timestamp) -> Result<(), Failure> {
    if let Some(signed_at) = signature.signed_at
        && signed_at.duration_since(now) > CLOCK_SKEW
    {
        return Err(Failure::FromTheFuture {
            made: signed_at,
            now: seconds(now),
        });
    }
    match signature.expires {
        Some(expires) if now > expires => Err(Failure::Expired {
            expired: expires,
            now: seconds(now),
        }),
        _ => Ok(()),
    }
}

/// As signatures write times, without parts of a second.
fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// What a signature is made over (RFC 6376 §3.7): the fields of `h=`, each ended by CRLF, then the
/// `DKIM-Signature` field with `b=` empty and without a line end.
pub(super) fn signed_bytes(headers: &HeaderMap, names: &[HeaderName], signature: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in names {
        let field = relaxed(headers, name);
        if !field.is_empty() {
            bytes.extend_from_slice(&field);
            bytes.extend_from_slice(b"\r\n");
        }
    }
    let signature = without_signature(signature);
    bytes.extend(relaxed_field(DKIM_SIGNATURE.as_str(), signature.as_bytes()));
    bytes
}

impl Pending {
    /// Limits the lifetime of the signature to `lifetime` after `t=` (spec §9).
    pub fn within(self, lifetime: Lifetime, now: Timestamp) -> Result<Self, Failure> {
        let Some(signed_at) = self.signature.signed_at else {
            return match lifetime.timestamp {
                Timestamped::Required => Err(Failure::NoTimestamp),
                Timestamped::Optional => Ok(self),
            };
        };
        let longest = signed_at.saturating_add(lifetime.max_age);
        let longest = longest.unwrap_or(Timestamp::MAX);
        if now > longest {
            return Err(Failure::TooOld {
                made: signed_at,
                now: seconds(now),
            });
        }
        Ok(Self {
            expires_at: Some(
                self.expires_at
                    .map_or(longest, |expires| expires.min(longest)),
            ),
            ..self
        })
    }

    /// The domain whose key is needed.
    pub fn domain(&self) -> &Domain {
        &self.signature.domain
    }

    /// Which key of the domain is needed: letters, digits, `-`, `_` and `.` only.
    pub fn selector(&self) -> &str {
        &self.signature.selector
    }

    /// Where to look for the key, in the sender's order; empty if it names no method known here.
    pub fn lookups(&self) -> &[Lookup] {
        &self.signature.lookups
    }

    /// The signature as it claims to be.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Verifies the signature with each key that was found; one that fits is enough.
    pub fn verify(&self, keys: &[KeyRecord]) -> Result<Verified, Failure> {
        let mut failure = Failure::NoKey;
        for record in keys {
            match self.verify_with(record) {
                Ok(()) if record.testing => return Err(Failure::Testing),
                Ok(()) => {
                    return Ok(Verified {
                        signature: self.signature.clone(),
                        strict: record.strict,
                        expires_at: self.expires_at,
                    });
                }
                Err(Failure::BadSignature) if record.testing => {
                    failure = more_telling(failure, Failure::Testing);
                }
                Err(other) => failure = more_telling(failure, other),
            }
        }
        Err(failure)
    }

    fn verify_with(&self, record: &KeyRecord) -> Result<(), Failure> {
        if !record.is_for_ischedule() {
            return Err(Failure::WrongService);
        }
        if !record.allows_sha256() {
            return Err(Failure::WrongHash);
        }
        if record.strict && self.signature.identity != self.signature.domain {
            return Err(Failure::NotStrict);
        }
        let bytes = &self.signature.bytes;
        let verified = match (self.signature.algorithm, &record.key) {
            (_, PublicKey::Revoked) => return Err(Failure::Revoked),
            (Algorithm::RsaSha256, PublicKey::Rsa { bits, .. }) if *bits < MIN_RSA_BITS => {
                return Err(Failure::WeakKey(*bits));
            }
            (Algorithm::RsaSha256, PublicKey::Rsa { der, .. }) => {
                UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, der)
                    .verify(&self.signed, bytes)
            }
            (Algorithm::Ed25519Sha256, PublicKey::Ed25519(key)) => {
                // RFC 8463 §3: Ed25519 signs the SHA-256 digest.
                UnparsedPublicKey::new(&ED25519, key).verify(&self.digest(), bytes)
            }
            (_, PublicKey::Rsa { .. } | PublicKey::Ed25519(_)) => return Err(Failure::WrongKind),
        };
        verified.map_err(|_| Failure::BadSignature)
    }

    fn digest(&self) -> Digest {
        sha256(&self.signed)
    }
}

fn more_telling(one: Failure, other: Failure) -> Failure {
    let other_wins = other.weight() > one.weight() || one == Failure::NoKey;
    if other_wins { other } else { one }
}

impl Verified {
    /// The domain that signed.
    pub fn domain(&self) -> &Domain {
        &self.signature.domain
    }

    /// When the signature expires, by `x=` and by [`Pending::within`]; `None` if it does not expire.
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Whether the signature covers the field: then it reached us as the signer sent it.
    pub fn signs(&self, name: &HeaderName) -> bool {
        self.signature.headers.contains(name)
    }

    /// Whether the signer may speak for an address of that domain: its own, or one below it unless its key record
    /// says `t=s`. Whole labels count.
    pub fn covers(&self, domain: &Domain) -> bool {
        if self.strict {
            domain == self.domain()
        } else {
            domain.is_within(self.domain())
        }
    }

    /// Whether the key is for its own domain alone (`t=s`).
    pub const fn is_strict(&self) -> bool {
        self.strict
    }

    /// The signature itself.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }
}
