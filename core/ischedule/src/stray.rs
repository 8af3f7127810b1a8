//! Strays: where a peer departs from the specification and is understood all the same.
//!
//! Ordinary operation drops them; `convoke probe` shows them to the administrator of the peer.

use std::fmt;

/// One departure from the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The section of the specification that says otherwise, such as `§5`.
    pub section: &'static str,
    /// What was seen, and what should be there.
    pub text: String,
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.section)
    }
}

/// The strays noted while something was read; at most [`Self::MAX`], further ones are dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strays(Vec<Stray>);

impl Strays {
    /// The most strays kept.
    pub const MAX: usize = 50;

    /// Notes a stray; one already noted is not noted again.
    pub fn note(&mut self, section: &'static str, text: impl Into<String>) {
        let stray = Stray {
            section,
            text: text.into(),
        };
        if self.0.len() < Self::MAX && !self.0.contains(&stray) {
            self.0.push(stray);
        }
    }

    /// What was noted, in order.
    pub fn as_slice(&self) -> &[Stray] {
        &self.0
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
