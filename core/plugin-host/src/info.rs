//! What `plugin list` and `plugin inspect` show.

use super::{Interface, Setup, find};
use convoke_sdk::remote::{Candidate, Kind, Refusal};
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
    /// Its library or program.
    pub file: PathBuf,
    /// All that it offers by the plugin's name.
    pub kinds: Vec<Kind>,
    /// The plugin's own version.
    pub version: String,
    /// How it is spoken to.
    pub interface: Interface,
    /// Whether it cannot be opened a second time while it is open, as things are.
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
    /// It is asked, and says that it is not as well as it should be.
    Degraded {
        /// Why.
        reason: String,
    },
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
            Self::Degraded { .. } => "degraded",
            Self::Skipped { .. } => "skipped",
        }
    }
}

/// A file in a plugin folder.
pub struct Installed {
    /// Where it lies.
    pub file: PathBuf,
    /// What it says about itself, if it is a library and may be loaded; why not, otherwise. `None`: it is a program, which
    /// would have to be run to say anything.
    pub candidate: Option<Result<Candidate, Refusal>>,
}

/// The files in the plugin folders; libraries are looked at. Programs are told only where folders were named for plugins:
/// beside the host's program there are others.
pub fn installed(setup: &Setup) -> Vec<Installed> {
    let trust = setup.trust();
    let look = |file: &Path| {
        let candidate = Candidate::look(file)?;
        candidate.check(&trust, None)?;
        Ok(candidate)
    };
    let mut installed = Vec::new();
    for directory in setup.directories() {
        let libraries = find::libraries(&directory).into_iter();
        installed.extend(libraries.map(|file| Installed {
            candidate: Some(look(&file)),
            file,
        }));
        if !setup.plugin_directories.is_empty() {
            let programs = find::programs(&directory).into_iter();
            installed.extend(programs.map(|file| Installed {
                candidate: None,
                file,
            }));
        }
    }
    installed
}
