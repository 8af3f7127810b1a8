//! How far a user's calendar has been looked at.

use convoke_types::{CalendarUser, Cursor, Uid, UserId};
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
    /// What that called the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<UserId>,
    /// Where the store's changes go on.
    pub(super) cursor: Cursor,
    /// Objects that changed before and are not told yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) pending: BTreeSet<Uid>,
    /// It is of a backup that was restored: the next look is a first one again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_restored: bool,
}

impl Record {
    /// As it is put back from a backup: it says whose calendars are looked at, and nothing of how far.
    pub(super) fn restored(self) -> Self {
        Self {
            // The store may have been restored, too, and has other names and other changes then.
            user: None,
            pending: BTreeSet::new(),
            is_restored: true,
            ..self
        }
    }

    /// Whether it is of somebody else who had the same address in this store. A store that somebody was moved to calls them
    /// otherwise.
    pub(super) fn is_of_another(&self, user: &CalendarUser, store: &str) -> bool {
        self.store == store && self.user.as_ref().is_some_and(|it| *it != user.id)
    }
}
