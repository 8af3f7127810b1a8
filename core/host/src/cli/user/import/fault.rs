//! What is wrong with a file, and in which line.

use serde::Serialize;

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    /// From 1; nothing where it is the file as a whole.
    pub(super) line: Option<usize>,
    pub(super) error: String,
}

impl Fault {
    /// In a line.
    pub(super) fn at(line: usize, error: impl Into<String>) -> Self {
        let (line, error) = (Some(line), error.into());
        Self { line, error }
    }

    /// The file as a whole.
    pub(super) fn of_file(error: impl Into<String>) -> Self {
        let (line, error) = (None, error.into());
        Self { line, error }
    }
}

/// The beginning of a text, to be quoted.
pub(super) fn beginning(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
