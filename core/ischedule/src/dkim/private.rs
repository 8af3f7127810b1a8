//! Private keys: read, generated, written; and the records to publish for them.

use super::{Algorithm, KeyRecord, PublicKey, canon::sha256};
use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rand::SystemRandom,
    rsa,
    signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use convoke_types::Domain;
use std::fmt;

/// A key that signs. Its `Debug` shows the kind alone.
pub struct PrivateKey(Pair);

enum Pair {
    Rsa(rsa::KeyPair),
    Ed25519(Ed25519KeyPair),
}

/// What kind of key to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, 2048 bits: every verifier takes it.
    Rsa2048,
    /// RSA, 3072 bits.
    Rsa3072,
    /// Ed25519: short records and fast signing; verifiers before RFC 8463 do not know it.
    Ed25519,
}

/// The administrator's private key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyError {
    /// Not PEM with a `PRIVATE KEY`.
    #[error(
        "it holds no `-----BEGIN PRIVATE KEY-----`; other forms become one with \
         `openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW`"
    )]
    NotPem,
    /// An encrypted key.
    #[error(
        "the private key is encrypted; take the password off with \
         `openssl pkcs8 -in OLD -topk8 -nocrypt -out NEW`"
    )]
    Encrypted,
    /// Neither RSA of at least 2048 bits nor Ed25519.
    #[error("it is neither an RSA key of 2048 to 8192 bits nor an Ed25519 key (PKCS#8)")]
    Unsuitable,
    /// No key could be generated.
    #[error("no key could be generated")]
    Generation,
}

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

impl PrivateKey {
    /// Makes a new key from the system's randomness.
    pub fn generate(kind: KeyKind) -> Result<Self, PrivateKeyError> {
        let pair = match kind {
            KeyKind::Rsa2048 => rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map(Pair::Rsa),
            KeyKind::Rsa3072 => rsa::KeyPair::generate(rsa::KeySize::Rsa3072).map(Pair::Rsa),
            KeyKind::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
        };
        pair.map(Self).map_err(|_| PrivateKeyError::Generation)
    }

    /// Reads the first `PRIVATE KEY` of a PEM file.
    pub fn from_pem(text: &str) -> Result<Self, PrivateKeyError> {
        if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
            return Err(PrivateKeyError::Encrypted);
        }
        let (_, rest) = text.split_once(BEGIN).ok_or(PrivateKeyError::NotPem)?;
        let (body, _) = rest.split_once(END).ok_or(PrivateKeyError::NotPem)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| PrivateKeyError::NotPem)?;
        Self::from_pkcs8(&der)
    }

    /// Reads a PKCS#8 key in DER: RSA of 2048 to 8192 bits, or Ed25519.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, PrivateKeyError> {
        // OpenSSL writes Ed25519 keys without the public part, which `maybe_unchecked` lets pass.
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self(Pair::Ed25519(pair)));
        }
        let pair = rsa::KeyPair::from_pkcs8(der).map_err(|_| PrivateKeyError::Unsuitable)?;
        if pair.public_modulus_len() * 8 < 2048 {
            return Err(PrivateKeyError::Unsuitable); // RFC 8301 §3.2
        }
        Ok(Self(Pair::Rsa(pair)))
    }

    /// The key as a PEM file; whoever reads it can sign.
    pub fn to_pem(&self) -> Result<String, PrivateKeyError> {
        let der: Result<Pkcs8V1Der<'static>, _> = match &self.0 {
            Pair::Rsa(pair) => pair.as_der(),
            Pair::Ed25519(pair) => pair.as_der(),
        };
        let der = der.map_err(|_| PrivateKeyError::Generation)?;
        let mut pem = format!("{BEGIN}\n");
        for line in chunks(&STANDARD.encode(der.as_ref()), 64) {
            pem.push_str(line);
            pem.push('\n');
        }
        pem.push_str(END);
        pem.push('\n');
        Ok(pem)
    }

    /// The algorithm the key signs with.
    pub fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Pair::Rsa(_) => Algorithm::RsaSha256,
            Pair::Ed25519(_) => Algorithm::Ed25519Sha256,
        }
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        match &self.0 {
            Pair::Rsa(pair) => PublicKey::rsa(pair.public_key().as_ref())
                .expect("the public half of an RSA key is an RSA key"),
            Pair::Ed25519(pair) => PublicKey::Ed25519(
                pair.public_key()
                    .as_ref()
                    .try_into()
                    .expect("an Ed25519 public key has 32 bytes"),
            ),
        }
    }

    /// The record to publish: for iSchedule alone, so that no mail can be signed with the key.
    pub fn record(&self) -> KeyRecord {
        KeyRecord::new(self.public())
    }

    /// Signs; `None` if the library refuses.
    pub(super) fn sign(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        match &self.0 {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let random = SystemRandom::new();
                let signed = pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature);
                signed.ok().map(|()| signature)
            }
            // RFC 8463 §3
            Pair::Ed25519(pair) => Some(pair.try_sign(&sha256(bytes)).ok()?.as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.algorithm().as_str())
    }
}

/// The line of a zone file that publishes a record, its text split into strings of at most 255 bytes.
pub fn zone_text(domain: &Domain, selector: &str, record: &KeyRecord) -> String {
    let text = record.to_string();
    let strings: Vec<_> = txt_strings(&text).map(|s| format!("\"{s}\"")).collect();
    let strings = match strings.as_slice() {
        [one] => one.clone(),
        several => format!("( {} )", several.join(" ")),
    };
    format!("{selector}._domainkey.{domain}. IN TXT {strings}")
}

/// The strings of a TXT record that hold a text: at most 255 bytes each (RFC 1035 §3.3).
pub fn txt_strings(text: &str) -> impl Iterator<Item = &str> {
    chunks(text, 255)
}

/// Pieces of at most `size` bytes; characters beyond ASCII stay whole.
fn chunks(text: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = size.min(rest.len());
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}
