//! A length of time as JSON has it: a number of seconds.

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use std::time::Duration;

#[allow(clippy::ref_option, reason = "as serde wants it")]
pub fn serialize<S: Serializer>(length: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match length {
        Some(length) => to.serialize_f64(length.as_secs_f64()),
        None => to.serialize_none(),
    }
}

pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let seconds = Option::<f64>::deserialize(from)?;
    let length = |seconds| Duration::try_from_secs_f64(seconds).map_err(D::Error::custom);
    seconds.map(length).transpose()
}
