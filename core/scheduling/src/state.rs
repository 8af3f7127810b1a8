//! What must not be forgotten, and how it is read and written: values are JSON, each under one key.

use crate::environment::State;
use convoke_types::{Batch, Error, StateEntry};
use serde::{Serialize, de::DeserializeOwned};

/// A value, and the version that it was read in; without one it was not there.
#[derive(Clone, Debug)]
pub(crate) struct Versioned<T> {
    pub(crate) value: Option<T>,
    pub(crate) version: Option<u64>,
}

/// Reads what a key holds.
pub(crate) async fn get<T: DeserializeOwned>(
    state: &impl State,
    key: &[u8],
) -> Result<Versioned<T>, Error> {
    let Some(entry) = state.get(key).await? else {
        return Ok(Versioned {
            value: None,
            version: None,
        });
    };
    Ok(Versioned {
        value: Some(read(&entry)?),
        version: Some(entry.version),
    })
}

/// Reads a value.
pub(crate) fn read<T: DeserializeOwned>(entry: &StateEntry) -> Result<T, Error> {
    serde_json::from_slice(&entry.value).map_err(|error| {
        let key = entry.key.escape_ascii();
        Error::internal(format!(
            "the state holds something unreadable under {key}: {error}; was it written by a newer version?"
        ))
    })
}

/// The octets of a value.
pub(crate) fn write<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("our values have text as keys and no foreign serializers")
}

/// Only if `key` is still as it was read.
#[must_use]
pub(crate) fn unchanged(batch: Batch, key: &[u8], version: Option<u64>) -> Batch {
    match version {
        Some(version) => batch.if_version(key, version),
        None => batch.if_absent(key),
    }
}
