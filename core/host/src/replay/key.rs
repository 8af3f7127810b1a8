//! What makes two messages the same.

use convoke_ischedule::{
    dkim::{Verified, canon::relaxed},
    headers::{ISCHEDULE_MESSAGE_ID, RECIPIENT},
};
use http::HeaderMap;
use sha2::{Digest, Sha256};
use std::fmt;

/// What makes two messages the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// Of the fields as the signature covers them, so that no space that it tolerates makes another message.
    pub(crate) fn of(fields: &HeaderMap, signed: &Verified) -> Self {
        let mut digest = Sha256::new();
        // Each part with its length, so that none can run into the next.
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        add(signed.domain().as_str().as_bytes());
        let id = fields.contains_key(&ISCHEDULE_MESSAGE_ID) && signed.signs(&ISCHEDULE_MESSAGE_ID);
        if id {
            add(&relaxed(fields, &ISCHEDULE_MESSAGE_ID));
        } else {
            add(&signed.signature().bytes);
        }
        add(&relaxed(fields, &RECIPIENT));
        add(&signed.signature().body);
        Self(digest.finalize().into())
    }

    /// Reads what [`Display`](fmt::Display) wrote.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut key = [0; 32];
        hex::decode_to_slice(text, &mut key).ok()?;
        Some(Self(key))
    }

    /// A key of a test.
    #[cfg(test)]
    pub(super) const fn of_test(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_written_is_read() {
        let key = Key(std::array::from_fn(|at| u8::try_from(at * 7).unwrap()));
        assert_eq!(Key::read(key.to_string().as_bytes()), Some(key));
        for wrong in ["", "00", &"g".repeat(64), &"\u{e9}".repeat(32)] {
            assert_eq!(Key::read(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
