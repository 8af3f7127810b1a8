//! How far a user's calendar has been looked at.

use convoke_types::{Cursor, Uid};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How far a user's calendar has been looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// When it was looked at first.
    pub(super) since: Timestamp,
    /// The store that it was in.
    pub(super) store: String,
    /// Where the store's changes go on.
    pub(super) cursor: Cursor,
    /// Objects that changed before and are not told yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) pending: BTreeSet<Uid>,
}
