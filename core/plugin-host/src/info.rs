//! What `plugin list` and `plugin inspect` show.

use super::find;
use convoke_sdk::remote::{Candidate, Kind, Refusal, Trust};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// An opened plugin, for people.
#[derive(Clone, Debug)]
pub struct PluginInfo {
    /// What the administrator calls it.
    pub name: String,
    /// What it is used as.
    pub kind: Kind,
    /// Its library.
    pub file: PathBuf,
    /// All that the library offers.
    pub kinds: Vec<Kind>,
    /// The plugin's own version.
    pub version: String,
    /// The ABI it was built for: major, minor.
    pub abi: (u32, u32),
    /// Whether it cannot be opened a second time while it is open.
    pub is_exclusive: bool,
    /// Where it runs: `in-process` or `process`.
    pub isolation: &'static str,
    /// What is to be taken away from its process and this kernel cannot take away, in words.
    pub lacks: Vec<String>,
    /// How it fares.
    pub state: PluginState,
}

/// How a plugin fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginState {
    /// It is asked.
    Ready,
    /// It kept failing, or its process ended, and it is not asked for a while.
    Skipped {
        /// What it said last.
        reason: String,
        /// For how long yet.
        left: Duration,
    },
}

impl PluginState {
    /// The word in `plugin list --json`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Skipped { .. } => "skipped",
        }
    }
}

/// A library in a plugin folder.
pub struct Installed {
    /// Where it lies.
    pub file: PathBuf,
    /// What it says about itself, if it could be loaded; why not, otherwise.
    pub candidate: Result<Candidate, Refusal>,
}

/// The libraries in a plugin folder, looked at but not loaded.
pub fn installed(directory: &Path, trust: &Trust) -> Vec<Installed> {
    let look = |file: &Path| {
        let candidate = Candidate::look(file)?;
        candidate.check(trust, None)?;
        Ok(candidate)
    };
    find::libraries(directory)
        .into_iter()
        .map(|file| Installed {
            candidate: look(&file),
            file,
        })
        .collect()
}
