//! Deviations: where a peer departs from the specification and is understood all the same.
//!
//! Ordinary operation drops them; `convoke probe` shows them to the administrator of the peer.

use std::fmt;

/// One departure from the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The section of the specification that says otherwise, such as `§5`.
    pub section: &'static str,
    /// What was seen, and what should be there.
    pub text: String,
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.section)
    }
}

/// The deviations reported while something was read; at most [`Self::MAX`], further ones are dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deviations(Vec<Deviation>);

impl Deviations {
    /// The most deviations kept.
    pub const MAX: usize = 50;

    /// Adds a deviation; one that is there already is not added again.
    pub fn report(&mut self, section: &'static str, text: impl Into<String>) {
        let deviation = Deviation {
            section,
            text: text.into(),
        };
        if self.0.len() < Self::MAX && !self.0.contains(&deviation) {
            self.0.push(deviation);
        }
    }

    /// What was reported, in order.
    pub fn as_slice(&self) -> &[Deviation] {
        &self.0
    }

    /// Whether nothing was reported.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
