//! Bytes as JSON has them: in base 64 (RFC 4648 §4), with padding, as Go and Python write and read it by themselves.

use ::base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use std::borrow::Cow;

/// Writes bytes as a text.
pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&STANDARD.encode(bytes))
}

/// Reads bytes from a text.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = Cow::<'de, str>::deserialize(from)?;
    let wrong = |error| D::Error::custom(format!("not base 64: {error}"));
    STANDARD.decode(text.as_bytes()).map_err(wrong)
}

/// Bytes that may be missing.
pub mod option {
    use super::{Deserializer, Serializer};
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Present(#[serde(with = "super")] Vec<u8>);

    /// Writes bytes as a text, or nothing.
    #[allow(clippy::ref_option, reason = "as serde wants it")]
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => super::serialize(bytes, to),
            None => to.serialize_none(),
        }
    }

    /// Reads bytes from a text, or nothing.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Present>::deserialize(from)?.map(|present| present.0))
    }
}
