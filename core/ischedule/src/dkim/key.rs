//! Key records (RFC 6376 §3.6.1, RFC 8463): what a domain publishes for its signers.

use super::tags::{TagError, TagList};
use aws_lc_rs::{encoding::AsDer as _, rsa};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fmt;

/// A key record that could be read.
///
/// Whether it may be used for a signature is for verification to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// `k=` and `p=`
    pub key: PublicKey,
    /// `h=`: the hashes the key may be used with; `None` means any.
    pub hashes: Option<Vec<String>>,
    /// `s=`: the services the key may be used for; `None` means any.
    pub services: Option<Vec<String>>,
    /// `t=y`: the domain is testing; what it signs counts as not signed.
    pub testing: bool,
    /// `t=s`: the identity must be the domain itself, not one below it.
    pub strict: bool,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// `p=` is empty: there was a key, and it is not to be used any more.
    Revoked,
    /// RSA.
    Rsa {
        /// `SubjectPublicKeyInfo` in DER, the form that every verifier reads.
        der: Vec<u8>,
        /// Length of the modulus.
        bits: usize,
    },
    /// Ed25519, the 32 bytes of RFC 8032.
    Ed25519([u8; 32]),
}

/// A domain publishes something that is not a usable key record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Longer than [`KeyRecord::MAX`].
    #[error("the key record is longer than {} bytes", KeyRecord::MAX)]
    TooLong,
    /// A list with more than [`KeyRecord::MAX_PARTS`] parts.
    #[error("the key record's `{0}=` has more than {most} parts", most = KeyRecord::MAX_PARTS)]
    TooManyParts(&'static str),
    /// Not a tag list.
    #[error("the key record is not a tag list: {0}")]
    Tags(#[from] TagError),
    /// `v=` is another, or not the first tag.
    #[error("the key record's `v=` is not `DKIM1`, in the first place")]
    Version,
    /// `k=` names a kind that is not known here.
    #[error("the key record's `k={0}` is neither rsa nor ed25519")]
    Kind(String),
    /// `p=` is missing or wrong.
    #[error("the key record's `p=` {0}")]
    Key(&'static str),
}

impl KeyRecord {
    /// The service name that must be allowed.
    pub const SERVICE: &str = "ischedule";
    /// The longest record read, in bytes; an RSA key of 8192 bits needs 1400.
    pub const MAX: usize = 4 << 10;
    /// The most parts of a list (`h=`, `s=`, `t=`).
    pub const MAX_PARTS: usize = 20;
    /// The most records read of one document.
    pub const MAX_RECORDS: usize = 20;

    /// A record for iSchedule alone.
    pub fn new(key: PublicKey) -> Self {
        Self {
            key,
            hashes: None,
            services: Some(vec![Self::SERVICE.to_owned()]),
            testing: false,
            strict: false,
        }
    }

    /// Reads one record: the joined strings of a TXT record, or a line of a document.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        if text.len() > Self::MAX {
            return Err(KeyError::TooLong);
        }
        let tags = TagList::read(text)?;
        if let Some(version) = tags.get("v")
            && (version != "DKIM1" || tags.first() != "v")
        {
            return Err(KeyError::Version);
        }
        let flags = list(&tags, "t")?.unwrap_or_default();
        Ok(Self {
            key: public_key(&tags)?,
            hashes: list(&tags, "h")?,
            services: list(&tags, "s")?,
            testing: flags.iter().any(|flag| flag == "y"),
            strict: flags.iter().any(|flag| flag == "s"),
        })
    }

    /// Reads a document with a record a line (`http/well-known`, a key file); empty lines and lines that begin with
    /// `#` are skipped. At most [`Self::MAX_RECORDS`] lines are read.
    pub fn read_document(text: &str) -> Vec<Result<Self, KeyError>> {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .take(Self::MAX_RECORDS)
            .map(Self::read)
            .collect()
    }

    /// How many bytes of memory it takes, about.
    pub fn memory(&self) -> usize {
        /// Of a string, beside its letters.
        const STRING: usize = size_of::<String>() + 16;
        let lists = [&self.hashes, &self.services].into_iter().flatten();
        let texts: usize = lists.flatten().map(|text| STRING + text.len()).sum();
        let key = match &self.key {
            PublicKey::Rsa { der, .. } => der.len(),
            PublicKey::Revoked | PublicKey::Ed25519(_) => 0,
        };
        size_of::<Self>() + texts + key
    }

    /// Whether the record lets its key be used for iSchedule.
    pub fn is_for_ischedule(&self) -> bool {
        let allows = |service: &String| service == "*" || service == Self::SERVICE;
        self.services
            .as_ref()
            .is_none_or(|services| services.iter().any(allows))
    }

    /// Whether the record lets its key be used with SHA-256.
    pub fn allows_sha256(&self) -> bool {
        let hashes = self.hashes.as_ref();
        hashes.is_none_or(|hashes| hashes.iter().any(|hash| hash == "sha256"))
    }
}

impl fmt::Display for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, key) = match &self.key {
            PublicKey::Revoked => ("rsa", String::new()),
            PublicKey::Rsa { der, .. } => ("rsa", STANDARD.encode(der)),
            PublicKey::Ed25519(bytes) => ("ed25519", STANDARD.encode(bytes)),
        };
        write!(f, "v=DKIM1; k={kind}; ")?;
        if let Some(hashes) = &self.hashes {
            write!(f, "h={}; ", hashes.join(":"))?;
        }
        if let Some(services) = &self.services {
            write!(f, "s={}; ", services.join(":"))?;
        }
        match (self.testing, self.strict) {
            (true, true) => f.write_str("t=y:s; ")?,
            (true, false) => f.write_str("t=y; ")?,
            (false, true) => f.write_str("t=s; ")?,
            (false, false) => {}
        }
        write!(f, "p={key}")
    }
}

impl PublicKey {
    /// An RSA key in DER, as RFC 8017 `RSAPublicKey` or RFC 5280 `SubjectPublicKeyInfo`.
    pub fn rsa(der: &[u8]) -> Option<Self> {
        let key = rsa::PublicKey::from_der(der).ok()?;
        let modulus = key.modulus();
        let bytes = modulus.big_endian_without_leading_zero();
        let unused = bytes.first()?.leading_zeros() as usize;
        Some(Self::Rsa {
            bits: bytes.len() * 8 - unused,
            der: key.as_der().ok()?.as_ref().to_vec(),
        })
    }
}

/// The parts of a list, in lower case; `None` if the tag is not there.
fn list(tags: &TagList, name: &'static str) -> Result<Option<Vec<String>>, KeyError> {
    let Some(value) = tags.squeezed(name) else {
        return Ok(None);
    };
    let value = value.to_ascii_lowercase();
    let mut parts = value.split(':').map(str::to_owned);
    let list: Vec<String> = parts.by_ref().take(KeyRecord::MAX_PARTS).collect();
    match parts.next() {
        Some(_) => Err(KeyError::TooManyParts(name)),
        None => Ok(Some(list)),
    }
}

fn public_key(tags: &TagList) -> Result<PublicKey, KeyError> {
    let kind = tags.squeezed("k").unwrap_or_else(|| "rsa".to_owned());
    let text = tags.squeezed("p").ok_or(KeyError::Key("is missing"))?;
    if text.is_empty() {
        return Ok(PublicKey::Revoked);
    }
    let bytes = STANDARD
        .decode(&text)
        .map_err(|_| KeyError::Key("is not base64"))?;
    match kind.to_ascii_lowercase().as_str() {
        "rsa" => PublicKey::rsa(&bytes).ok_or(KeyError::Key("is not an RSA public key in DER")),
        "ed25519" => {
            let bytes = bytes.try_into();
            let bytes =
                bytes.map_err(|_| KeyError::Key("is not the 32 bytes of an Ed25519 key"))?;
            Ok(PublicKey::Ed25519(bytes))
        }
        _ => Err(KeyError::Kind(kind.chars().take(20).collect())),
    }
}

#[cfg(test)]
mod tests;
