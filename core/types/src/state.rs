//! State: keys and values, ordered, written together under conditions. What the host must not forget is kept so.

use crate::{Error, Result, base64};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StateEntry {
    /// The key.
    #[serde(with = "base64")]
    pub key: Vec<u8>,
    /// Its value.
    #[serde(with = "base64")]
    pub value: Vec<u8>,
    /// Its version: another one after each write of this key.
    pub version: u64,
    /// How long it is there yet; `None` for ever.
    #[serde(
        default,
        with = "crate::seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub expires_in: Option<Duration>,
}

impl StateEntry {
    /// What a key holds for ever.
    pub const fn new(key: Vec<u8>, value: Vec<u8>, version: u64) -> Self {
        Self {
            key,
            value,
            version,
            expires_in: None,
        }
    }
}

/// The keys from one up to, not including, another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRange {
    #[serde(with = "base64")]
    start: Vec<u8>,
    #[serde(default, with = "base64::option")]
    end: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub const ALL: Self = Self {
        start: Vec::new(),
        end: None,
    };

    /// The keys from `start` up to, not including, `end`; `None`: to the last.
    pub fn new(start: impl Into<Vec<u8>>, end: Option<Vec<u8>>) -> Self {
        Self {
            start: start.into(),
            end,
        }
    }

    /// The keys that begin with `prefix`.
    ///
    /// ```
    /// use convoke_types::KeyRange;
    ///
    /// let range = KeyRange::prefix("a/");
    /// assert!(range.contains(b"a/") && range.contains(b"a/\xff\xff") && !range.contains(b"a0"));
    /// assert_eq!(KeyRange::prefix([0xff]).end(), None);
    /// ```
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Self {
        let start = prefix.into();
        let mut end = start.clone();
        // The first key beyond: the last byte that can grow does.
        while end.pop_if(|last| *last == u8::MAX).is_some() {}
        let grown = end.last_mut().map(|last| *last += 1);
        Self {
            end: grown.map(|()| end),
            start,
        }
    }

    /// The rest of the range after `key`.
    #[must_use]
    pub fn after(&self, key: &[u8]) -> Self {
        let mut start = key.to_vec();
        start.push(0);
        Self {
            start: start.max(self.start.clone()),
            end: self.end.clone(),
        }
    }

    /// The first key.
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// The first key beyond; `None` if the range goes to the last.
    pub fn end(&self) -> Option<&[u8]> {
        self.end.as_deref()
    }

    /// Whether no key can be in it.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// Whether `key` is in it.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && self.end().is_none_or(|end| key < end)
    }
}

/// What to look for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scan {
    /// Where.
    pub range: KeyRange,
    /// The most entries to answer with, at least 1.
    pub limit: u32,
}

impl Scan {
    /// The first `limit` entries of a range.
    pub const fn new(range: KeyRange, limit: u32) -> Self {
        Self { range, limit }
    }
}

/// Writes that are made together, if all conditions hold.
///
/// ```
/// use convoke_types::Batch;
/// use std::time::Duration;
///
/// let lease = Batch::new().if_absent("lease").put_for("lease", "host-1", Duration::from_secs(30));
/// assert_eq!((lease.conditions.len(), lease.writes.len()), (1, 1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Batch {
    /// What must hold.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// What is written, in this order.
    #[serde(default)]
    pub writes: Vec<StateWrite>,
}

/// What must hold of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Condition {
    /// It holds nothing.
    Absent {
        /// The key.
        #[serde(with = "base64")]
        key: Vec<u8>,
    },
    /// It holds something in this version.
    Version {
        /// The key.
        #[serde(with = "base64")]
        key: Vec<u8>,
        /// The version.
        version: u64,
    },
}

impl Condition {
    /// The key.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Absent { key } | Self::Version { key, .. } => key,
        }
    }

    /// `Conflict` unless it holds of a key that is there in version `there`, or is not there.
    pub fn check(&self, there: Option<u64>) -> Result<()> {
        match (self, there) {
            (Self::Absent { .. }, None) => Ok(()),
            (Self::Version { version, .. }, Some(there)) if *version == there => Ok(()),
            _ => Err(Error::conflict(format!(
                "the key {} was written meanwhile",
                self.key().escape_ascii()
            ))),
        }
    }
}

/// A write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StateWrite {
    /// The key holds this.
    Put {
        /// The key.
        #[serde(with = "base64")]
        key: Vec<u8>,
        /// Its value.
        #[serde(with = "base64")]
        value: Vec<u8>,
        /// How long it is there, from the commit on; `None` for ever.
        #[serde(
            default,
            with = "crate::seconds",
            skip_serializing_if = "Option::is_none"
        )]
        expires_in: Option<Duration>,
    },
    /// The key holds nothing.
    Delete {
        /// The key.
        #[serde(with = "base64")]
        key: Vec<u8>,
    },
}

impl Batch {
    /// No writes yet.
    pub const fn new() -> Self {
        Self {
            conditions: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// Only if `key` holds nothing.
    #[must_use]
    pub fn if_absent(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.conditions.push(Condition::Absent { key: key.into() });
        self
    }

    /// Only if `key` holds something in this version.
    #[must_use]
    pub fn if_version(mut self, key: impl Into<Vec<u8>>, version: u64) -> Self {
        let key = key.into();
        self.conditions.push(Condition::Version { key, version });
        self
    }

    /// Writes a value.
    #[must_use]
    pub fn put(self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.write(key.into(), value.into(), None)
    }

    /// Writes a value that is there for so long, on the clock of the place it is kept in.
    #[must_use]
    pub fn put_for(
        self,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
        expires_in: Duration,
    ) -> Self {
        self.write(key.into(), value.into(), Some(expires_in))
    }

    fn write(mut self, key: Vec<u8>, value: Vec<u8>, expires_in: Option<Duration>) -> Self {
        self.writes.push(StateWrite::Put {
            key,
            value,
            expires_in,
        });
        self
    }

    /// Removes what `key` holds, if it does.
    #[must_use]
    pub fn delete(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.writes.push(StateWrite::Delete { key: key.into() });
        self
    }
}

/// A batch was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Committed {
    /// The version of everything that it put.
    pub version: u64,
}

impl Committed {
    /// Everything that was put has this version.
    pub const fn new(version: u64) -> Self {
        Self { version }
    }
}
