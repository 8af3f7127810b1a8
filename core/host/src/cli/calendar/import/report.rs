//! What became of an import.

use crate::cli::{
    calendar::Shown,
    output::{self, Failure, pluralise},
};
use convoke_calendar::tree::ParseError;
use convoke_sdk::ObjectSummary;
use convoke_types::{CalendarAddress, Uid};
use serde::Serialize;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// What was taken, and what was not.
#[derive(Default)]
pub(super) struct Report {
    pub(super) imported: Vec<ObjectSummary>,
    pub(super) failed: Vec<Failed>,
}

/// What was not taken.
#[derive(Debug, Serialize)]
pub(super) struct Failed {
    /// `None` where what is wrong belongs to no object.
    pub(super) uid: Option<String>,
    pub(super) file: PathBuf,
    /// The line at fault; of an object that fails as a whole, its first.
    pub(super) line: Option<usize>,
    pub(super) error: String,
}

/// `calendar import --json`: an element for each object that was imported, or was not.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Imported(Shown<'a>),
    Failed(&'a Failed),
}

impl Failed {
    /// A file as a whole.
    pub(super) fn file(file: &Path, error: String) -> Self {
        Self {
            uid: None,
            file: file.to_owned(),
            line: None,
            error,
        }
    }

    /// At the line of a fault.
    pub(super) fn of(file: &Path, uid: Option<String>, fault: &ParseError) -> Self {
        let text = fault.to_string();
        let line = format!("line {}: ", fault.line());
        Self {
            uid,
            line: Some(fault.line()),
            ..Self::file(file, text.strip_prefix(&line).unwrap_or(&text).to_owned())
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What cannot be read names its file itself.
        if let Some(line) = self.line {
            write!(f, "{}: line {line}: ", self.file.display())?;
        }
        if let Some(uid) = &self.uid {
            write!(f, "{uid}: ")?;
        }
        f.write_str(&self.error)
    }
}

impl Report {
    /// Says what was taken and what was not; fails if something was not.
    pub(super) fn tell(
        &self,
        user: &CalendarAddress,
        wanted: Option<&Uid>,
        is_json: bool,
    ) -> Result<(), Failure> {
        if self.imported.is_empty() && self.failed.is_empty() {
            return Err(Failure::new(match wanted {
                Some(uid) => format!("nothing of UID {uid} was found"),
                None => "nothing was found to import: name .ics files, or folders that hold some"
                    .to_owned(),
            }));
        }
        if is_json {
            let imported = self.imported.iter().map(|it| Told::Imported(it.into()));
            let told = imported.chain(self.failed.iter().map(Told::Failed));
            output::print_json(&told.collect::<Vec<_>>())?;
        } else {
            if !self.imported.is_empty() {
                let count = pluralise(self.imported.len());
                let text = format!("{count} imported for {}\n", user.human());
                output::print_text(&text)?;
            }
            for failed in &self.failed {
                output::warn(&failed.to_string());
            }
        }
        if self.failed.is_empty() {
            Ok(())
        } else {
            Err(Failure::already_reported())
        }
    }
}

/// Says what is odd, and is kept as it is.
pub(super) fn note(file: &Path, text: &str) {
    output::warn(&format!("note: {}: {text}", file.display()));
}
