//! What a configuration says about plugins.

use convoke_sdk::{
    CalendarUser, Domain, ObjectIndex, Result,
    remote::{Kind, Trust, TrustedKey},
};
use std::{
    env, fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Describes an iCalendar object for a plugin, of this user if it is known.
pub type IndexService =
    Arc<dyn Fn(Option<&CalendarUser>, &[u8]) -> Result<ObjectIndex> + Send + Sync>;

/// All that opening plugins takes.
pub struct Setup {
    /// One for each `[[discovery]]`, `[[policy]]` and `[[store]]`, in file order.
    pub entries: Vec<PluginEntry>,
    /// `[server] plugins`, absolute. Empty: the folder of the host's program.
    pub plugin_directories: Vec<PathBuf>,
    /// `[server] trusted_keys`: whose signature a library must carry; empty: nobody's.
    pub trusted_keys: Vec<TrustedKey>,
    /// The configuration file: its folder is where relative paths count from, its name stands in messages.
    pub config_file: PathBuf,
    /// `[server] domains`: what a store without domains of its own serves.
    pub domains: Vec<Domain>,
    /// What answers a plugin that asks for an index.
    pub index: IndexService,
}

impl Setup {
    /// The folder that relative paths count from.
    pub fn folder(&self) -> &Path {
        self.config_file.parent().unwrap_or(Path::new(""))
    }

    /// Whose files are run.
    pub fn trust(&self) -> Trust {
        Trust::of_this_process().signed_by(self.trusted_keys.clone())
    }

    /// Where plugin names are looked up.
    pub fn directories(&self) -> Vec<PathBuf> {
        if self.plugin_directories.is_empty() {
            beside_the_program()
        } else {
            self.plugin_directories.clone()
        }
    }
}

/// The folder of the running program; empty if the system does not say.
pub fn beside_the_program() -> Vec<PathBuf> {
    env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.to_owned()))
        .into_iter()
        .collect()
}

/// One plugin entry of the configuration.
#[derive(Clone, Debug)]
pub struct PluginEntry {
    /// Under which of the three headings it stands.
    pub kind: Kind,
    /// A name, or a path to a library.
    pub plugin: String,
    /// What the administrator calls this use of it.
    pub name: Option<String>,
    /// What the file's SHA-256 must be, in hexadecimal digits.
    pub sha256: Option<String>,
    /// The deadline of each call; also of opening it, if it is longer than a minute.
    pub timeout: Option<Duration>,
    /// What the plugin is given.
    pub config: toml::Table,
    /// For a store: the domains it serves; empty for all of the server's.
    pub domains: Vec<Domain>,
    /// Where the entry stands, for messages.
    pub position: Option<Position>,
}

impl PluginEntry {
    /// An entry that names its plugin and nothing else.
    pub fn new(kind: Kind, plugin: impl Into<String>) -> Self {
        Self {
            kind,
            plugin: plugin.into(),
            name: None,
            sha256: None,
            timeout: None,
            config: toml::Table::new(),
            domains: Vec::new(),
            position: None,
        }
    }
}

/// A place in the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file, as messages call it.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}
