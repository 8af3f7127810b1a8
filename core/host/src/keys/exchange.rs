//! Keys that the two administrators exchanged: `private_exchange/<domain>/<selector>` holds a record a line.

use super::{Unavailable, records};
use convoke_ischedule::dkim::KeyRecord;
use convoke_types::Domain;
use std::{io::ErrorKind, path::Path};

/// The records in the folder; empty if it has no file for that key. Read anew each time, so a new key needs no restart.
pub(super) async fn find(
    folder: &Path,
    domain: &Domain,
    selector: &str,
) -> Result<Vec<KeyRecord>, Unavailable> {
    // Neither holds a path: a domain is labels and dots, a selector letters, digits, `-`, `_` and `.`.
    let file = folder.join(domain.as_str()).join(selector);
    match read(&file).await {
        Ok(text) => Ok(records(&file.display(), text.lines())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => {
            // The peer need not know our folders; the administrator must.
            tracing::error!(file = %file.display(), "the key cannot be read: {error}");
            Err(Unavailable(
                "an exchanged key cannot be read here".to_owned(),
            ))
        }
    }
}

async fn read(file: &Path) -> std::io::Result<String> {
    let longest = super::LONGEST_DOCUMENT as u64;
    let about = tokio::fs::metadata(file).await?;
    if about.is_dir() {
        return Err(ErrorKind::NotFound.into());
    }
    if about.len() > longest {
        return Err(std::io::Error::other(format!(
            "it is longer than {longest} bytes"
        )));
    }
    tokio::fs::read_to_string(file).await
}
