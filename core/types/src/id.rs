//! Identifiers: of an object, of its version, of a calendar user and of a message in a store.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An identifier was empty, too long, or held a control character.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 1 to {max} bytes without control characters")]
pub struct InvalidId {
    what: &'static str,
    max: usize,
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $clean:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The longest allowed, in bytes.
            pub const MAX: usize = $max;

            /// Takes 1 to [`Self::MAX`] bytes without control characters.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let clean: fn(&str) -> &str = $clean;
                let mut text: String = text.into();
                if clean(&text).len() < text.len() {
                    text = clean(&text).to_owned();
                }
                let fine = (1..=$max).contains(&text.len()) && !text.contains(char::is_control);
                if fine { Ok(Self(text)) } else { Err(InvalidId { what: $what, max: $max }) }
            }

            /// Takes back what [`as_str`](Self::as_str) gave, without looking at it again. Anything else breaks the promise
            /// of this type; for the plugin boundary, where both sides share it.
            #[doc(hidden)]
            pub fn from_valid(text: &str) -> Self {
                debug_assert_eq!(Self::new(text).as_ref().map(Self::as_str), Ok(text));
                Self(text.to_owned())
            }

            /// As [`from_valid`](Self::from_valid), in the memory of this one.
            #[doc(hidden)]
            #[inline]
            pub fn set_valid(&mut self, text: &str) {
                debug_assert_eq!(Self::new(text).as_ref().map(Self::as_str), Ok(text));
                self.0.clear();
                self.0.push_str(text);
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

identifier! {
    /// The UID of a calendar object (RFC 5545 §3.8.4.7), without the escapes of a TEXT: opaque, compared byte by byte.
    /// Anybody may have chosen it, so it is never part of a path or a query without escaping.
    ///
    /// Blanks at its ends are no part of it: stores, servers and programs trim them, some here, some there, and an
    /// object would be kept under one name and looked for under another.
    Uid, "a UID", 2048, str::trim
}

identifier! {
    /// Names one version of a stored object; equal tags mean equal bytes. Opaque, made by the store.
    Etag, "an entity tag", 512, |text| text
}

identifier! {
    /// What a store calls one of its calendar users. Opaque to the host.
    UserId, "a user identifier", 512, |text| text
}

identifier! {
    /// What a store calls a message that it keeps for a calendar user. Opaque to the host.
    MessageId, "a message identifier", 512, |text| text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_at_the_ends_are_no_part_of_a_uid() {
        for text in [" a b", "a b ", "\ta b\u{a0}", "a b\n"] {
            assert_eq!(Uid::new(text).unwrap().as_str(), "a b");
        }
        let fits = format!(" {} ", "x".repeat(Uid::MAX));
        assert_eq!(Uid::new(fits).unwrap().as_str().len(), Uid::MAX);
        assert_eq!(Etag::new(" a ").unwrap().as_str(), " a ");
    }

    #[test]
    fn a_uid_may_hold_anything_but_control_characters() {
        for fine in ["1", "../../etc/passwd", "naïve 🗓", &"x".repeat(2048)] {
            assert_eq!(Uid::new(fine).unwrap().as_str(), fine);
        }
        for wrong in ["", " ", "a\0b", "a\nb", &"x".repeat(2049)] {
            assert!(Uid::new(wrong).is_err(), "{wrong:?}");
        }
    }
}
