//! Capabilities documents in the state, so that a host that was restarted need not ask every receiver anew.
//!
//! There are places for so many documents and no more, chosen by the URL: whatever receivers there are, they take a bounded
//! room, and one that finds its place taken is asked. They are written behind ([`WriteBehind`]); one that is lost is asked
//! for again.

use crate::write_behind::WriteBehind;
use convoke_plugin_host::StateHandle;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use url::Url;

/// Places for documents.
const PLACES: u16 = 4096;
/// The longest document that is kept, in bytes; those of real receivers have two or three thousand.
const LONGEST: usize = 16 << 10;

/// A document in the state.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptDocument {
    /// The URL that discovery gave: another one may have had the place.
    pub(super) url: Url,
    /// Where to POST.
    pub(super) target: Url,
    pub(super) etag: Option<String>,
    pub(super) fresh_until: Timestamp,
    /// As it came.
    pub(super) document: String,
}

fn place(url: &Url) -> Vec<u8> {
    let digest = Sha256::digest(url.as_str());
    let place = u16::from_be_bytes([digest[0], digest[1]]) % PLACES;
    format!("capabilities/{place}").into_bytes()
}

/// The document of a receiver. A state that cannot be asked, which is named in the log, holds none.
pub(super) async fn recall(state: &StateHandle, url: &Url) -> Option<KeptDocument> {
    let entry = state.get(&place(url)).await.ok()??;
    let kept: KeptDocument = serde_json::from_slice(&entry.value).ok()?;
    (kept.url == *url).then_some(kept)
}

/// Has a document written by and by, unless it is too long.
pub(super) fn keep(writes: &WriteBehind, kept: &KeptDocument, expires_in: Duration) {
    if kept.document.len() <= LONGEST {
        // Texts can always be written.
        let value = serde_json::to_vec(kept).unwrap_or_default();
        writes.put(place(&kept.url), value, expires_in);
    }
}

/// Has the document of a receiver removed by and by.
pub(super) fn forget(writes: &WriteBehind, url: &Url) {
    writes.delete(place(url));
}
