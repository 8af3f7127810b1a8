//! What a plugin says when it cannot do what it was asked.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// The result of every plugin call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it was; the host turns each into the right answer to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// Not now; trying again later may help (a server is down, a lock is held, a disk is full).
    Unavailable,
    /// Somebody else changed the object first ([`Precondition`](crate::Precondition) did not hold).
    Conflict,
    /// What was handed in, or the configuration, is wrong; trying again will not help.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// It is not allowed.
    Denied,
    /// This plugin does not offer the operation (what the default methods answer).
    Unsupported,
    /// The plugin is at fault; also what a panic becomes.
    Internal,
}

/// A failure: its kind, and a sentence for the administrator's log that names what was wrong and what to do.
///
/// The text is never shown to a remote peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident,)*) => {
        impl Error {
            $($(#[$doc])* pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
                Self::new(ErrorKind::$kind, message)
            })*
        }
    };
}

constructors! {
    /// Not now; trying again later may help.
    unavailable => Unavailable,
    /// Somebody else changed the object first.
    conflict => Conflict,
    /// What was handed in, or the configuration, is wrong.
    invalid => Invalid,
    /// There is no such thing.
    not_found => NotFound,
    /// It is not allowed.
    denied => Denied,
    /// This plugin does not offer the operation.
    unsupported => Unsupported,
    /// The plugin is at fault.
    internal => Internal,
}

impl Error {
    /// An error of `kind` with a sentence for the log.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The kind, which decides what the host does.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence for the log.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

macro_rules! invalid_from {
    ($($type:ty),* $(,)?) => {
        $(impl From<$type> for Error {
            fn from(error: $type) -> Self {
                Self::invalid(error.to_string())
            }
        })*
    };
}

invalid_from!(
    crate::NoDomain,
    crate::InvalidAddress,
    crate::InvalidDomain,
    crate::InvalidUrl,
    crate::InvalidId,
    crate::InvalidRate,
    crate::EmptyRange,
);

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::unavailable(error.to_string())
    }
}
