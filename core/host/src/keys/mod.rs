//! Where the keys of signatures come from (spec §7).
//!
//! A record that the administrators exchanged (`private_exchange/<domain>/<selector>`) is used whatever the signature's
//! `q=` says; the folder is read anew for each signature, so a new key needs no restart.
//!
//! Not done yet: look-ups in DNS and over HTTP. A signature whose key was not exchanged cannot be verified, so it is refused.

use convoke_ischedule::dkim::{KeyRecord, Pending};
use std::path::{Path, PathBuf};

/// The longest document of key records that is read, in bytes.
const LONGEST: u64 = 64 << 10;

/// Finds the keys of peers.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    private_exchange: Option<PathBuf>,
}

impl Keys {
    /// Keys from the folder that `verification.private_exchange` names.
    pub const fn new(private_exchange: Option<PathBuf>) -> Self {
        Self { private_exchange }
    }

    /// The key records that a signature may be verified with; empty if there are none.
    pub(crate) async fn find(&self, signature: &Pending) -> Vec<KeyRecord> {
        let Some(folder) = &self.private_exchange else {
            return Vec::new();
        };
        // Neither holds a path: a domain is labels and dots, a selector letters, digits, `-`, `_` and `.`.
        let file = folder
            .join(signature.domain().as_str())
            .join(signature.selector());
        match read(&file).await {
            Ok(text) => records(&file, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tracing::warn!(file = %file.display(), "the key cannot be read: {error}");
                Vec::new()
            }
        }
    }
}

async fn read(file: &Path) -> std::io::Result<String> {
    if tokio::fs::metadata(file).await?.len() > LONGEST {
        return Err(std::io::Error::other(format!(
            "it is longer than {LONGEST} bytes"
        )));
    }
    tokio::fs::read_to_string(file).await
}

fn records(file: &Path, text: &str) -> Vec<KeyRecord> {
    let mut records = Vec::new();
    for record in KeyRecord::read_document(text) {
        match record {
            Ok(record) => records.push(record),
            Err(error) => {
                tracing::warn!(file = %file.display(), "a key record is left out: {error}");
            }
        }
    }
    records
}
