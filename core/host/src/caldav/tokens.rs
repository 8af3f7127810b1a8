//! Sync-tokens (RFC 6578 §4): URIs, which hold the store's cursor.
//!
//! ```text
//! urn:x-convoke:sync:STORE:CURSOR                  everything up to there was told
//! urn:x-convoke:sync:STORE:CURSOR:FROM:UID         of what changed since FROM, everything up to that UID was told
//! …:RENAMES                                        at the end of both: so many objects had been renamed, if any ever
//! ```
//!
//! A store tells changes as a whole. Who wants few at once is told them in the order of their UIDs; what changes meanwhile is
//! told again after the last of them, by CURSOR, which is where the first of the answers ended.

use convoke_types::{Cursor, Uid};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const BEGIN: &str = "urn:x-convoke:sync:";

/// What a client has been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyncToken {
    /// Up to where all changes were told, once the rest is.
    pub(super) cursor: Cursor,
    /// How many renames were told.
    pub(super) renames: u64,
    /// There is a rest.
    pub(super) rest: Option<Rest>,
}

/// Changes that are not told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// Those since there; `None`: since ever.
    pub(super) since: Option<Cursor>,
    /// Of objects of later UIDs than this.
    pub(super) after: Uid,
}

impl SyncToken {
    /// Everything up to there.
    pub(super) const fn all(cursor: Cursor, renames: u64) -> Self {
        Self {
            cursor,
            renames,
            rest: None,
        }
    }

    /// As it is written; one of another store is not taken for one of this.
    pub(super) fn write(&self, store: &str) -> String {
        let coded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut text = format!("{BEGIN}{}:{}", coded(store), coded(self.cursor.as_str()));
        if let Some(rest) = &self.rest {
            let since = rest.since.as_ref().map_or("", Cursor::as_str);
            for part in [since, rest.after.as_str()] {
                text.push(':');
                text.push_str(&coded(part));
            }
        }
        if self.renames > 0 {
            text.push(':');
            text.push_str(&self.renames.to_string());
        }
        text
    }

    /// Reads a token of this store.
    pub(super) fn read(text: &str, store: &str) -> Option<Self> {
        let parts = text.strip_prefix(BEGIN)?.split(':');
        let parts = parts.map(|part| percent_decode_str(part).decode_utf8().ok());
        let mut parts: Vec<_> = parts.collect::<Option<_>>()?;
        let renames = if matches!(parts.len(), 3 | 5) {
            parts.pop()?.parse().ok().filter(|it| *it > 0)?
        } else {
            0
        };
        let (named, cursor, rest) = match &parts[..] {
            [named, cursor] => (named, cursor, None),
            [named, cursor, since, after] => {
                let since = Some(since).filter(|it| !it.is_empty());
                let rest = Rest {
                    since: since.map(|it| Cursor::new(it.as_ref())),
                    after: Uid::new(after.as_ref()).ok()?,
                };
                (named, cursor, Some(rest))
            }
            _ => return None,
        };
        let cursor = Cursor::new(cursor.as_ref());
        (*named == store).then_some(Self {
            cursor,
            renames,
            rest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_as_they_were_written_and_of_their_store_alone() {
        let rest = |since: Option<&str>| Rest {
            since: since.map(Cursor::new),
            after: Uid::new("a:b%@x").unwrap(),
        };
        let rests = [None, Some(rest(None)), Some(rest(Some("7:1")))];
        let each = rests.into_iter().flat_map(|it| [(it.clone(), 0), (it, 7)]);
        for (rest, renames) in each {
            let token = SyncToken {
                cursor: Cursor::new("42/ü:x"),
                renames,
                rest,
            };
            let text = token.write("my store");
            assert!(text.is_ascii(), "{text}");
            assert_eq!(SyncToken::read(&text, "my store"), Some(token), "{text}");
            assert_eq!(SyncToken::read(&text, "other"), None, "{text}");
        }
        for text in [
            "",
            "urn:x",
            "urn:x-convoke:sync:",
            "urn:x-convoke:sync:s:1:x",
            "urn:x-convoke:sync:s:1:0",
            "urn:x-convoke:sync:s:1:2:3:4:5",
            "urn:x-convoke:sync:s:1:2:",
        ] {
            assert_eq!(SyncToken::read(text, "s"), None, "{text}");
        }
    }
}
