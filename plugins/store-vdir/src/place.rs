//! Where an object stands: a file in a calendar, or one of several objects in it.

use crate::directory::Stamp;
use convoke_sdk::parts::Parts;
use std::borrow::Cow;

/// Where a file lies in its user's folder, and which of its objects is meant, if it holds several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) calendar: String,
    pub(crate) name: String,
    /// The key of [`Parts`]; empty for the whole file.
    pub(crate) part: String,
}

impl Place {
    /// The whole file.
    pub(crate) const fn file(calendar: String, name: String) -> Self {
        let part = String::new();
        Self {
            calendar,
            name,
            part,
        }
    }

    /// One object of the file.
    pub(crate) fn part(&self, key: &str) -> Self {
        Self {
            part: key.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn whole(&self) -> Self {
        self.part("")
    }
}

/// How a file was when it was last read.
#[derive(Clone, Copy)]
pub(crate) struct FileState {
    pub(crate) stamp: Stamp,
    /// It may have been written again without a change of its stamp.
    pub(crate) fresh: bool,
}

/// What of a file's bytes is at `place`; `None` if it is not there any more.
pub(crate) fn part_of<'a>(bytes: &'a [u8], place: &Place) -> Option<Cow<'a, [u8]>> {
    if place.part.is_empty() {
        return Some(bytes.into());
    }
    Some(Parts::of(bytes)?.object(&place.part)?.into())
}
