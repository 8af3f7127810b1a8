//! What a configuration says about plugins.

use super::metrics::PluginMetrics;
use convoke_sdk::{
    CalendarUser, Domain, Network, ObjectIndex, Result,
    remote::{Kind, Trust, TrustedKey},
};
use serde::{Deserialize, Serialize};
use std::{
    env, fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Describes an iCalendar object for a plugin, of this user if it is known.
pub type IndexService =
    Arc<dyn Fn(Option<&CalendarUser>, &[u8]) -> Result<ObjectIndex> + Send + Sync>;

/// Says how the host reaches others, or why that cannot be said.
pub type NetworkService = Arc<dyn Fn() -> Result<Network> + Send + Sync>;

/// Line and column, from 1, of a key (`config.domains."example.org"`) of an entry; `None` if that is not known.
pub type KeyLocator = Arc<dyn Fn(&PluginEntry, &str) -> Option<(usize, usize)> + Send + Sync>;

/// All that opening plugins takes.
#[derive(Clone)]
pub struct Setup {
    /// One for each `[[discovery]]`, `[[policy]]`, `[[store]]` and `[[state]]`, in file order.
    pub entries: Vec<PluginEntry>,
    /// `[server] plugins`, absolute. Empty: where they lie of the host's program.
    pub plugin_directories: Vec<PathBuf>,
    /// `[server] trusted_keys`: whose signature a library must carry; empty: nobody's.
    pub trusted_keys: Vec<TrustedKey>,
    /// The folder that relative paths count from, absolute: that of the configuration file.
    pub folder: PathBuf,
    /// `[server] state`, absolute: in it are made the folders that plugins ask for.
    pub state: PathBuf,
    /// Says where a key of an entry stands that its plugin does not take.
    pub locate: KeyLocator,
    /// `[server] domains`: what a store without domains of its own serves.
    pub domains: Vec<Domain>,
    /// What answers a plugin that asks for an index.
    pub index: IndexService,
    /// What plugins are told that make connections; asked whenever one is opened.
    pub network: NetworkService,
    /// Where plugins count.
    pub metrics: Arc<PluginMetrics>,
    /// The program that becomes the process of a plugin with `isolation = "process"`: [`own_program`], but in tests.
    pub program: PathBuf,
}

impl Setup {
    /// The same without the entries of a kind.
    #[must_use]
    pub fn without(mut self, kind: Kind) -> Self {
        self.entries.retain(|entry| entry.kind != kind);
        self
    }

    /// Whose files are run.
    pub fn trust(&self) -> Trust {
        Trust::of_this_process().signed_by(self.trusted_keys.clone())
    }

    /// Where plugin names are looked up.
    pub fn directories(&self) -> Vec<PathBuf> {
        if self.plugin_directories.is_empty() {
            of_the_program()
        } else {
            self.plugin_directories.clone()
        }
    }
}

/// The running program, whatever has become of its file.
pub fn own_program() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}

/// Where the plugins of the running program lie; empty if the system does not say where it lies itself.
pub fn of_the_program() -> Vec<PathBuf> {
    let program = env::current_exe().ok();
    program
        .as_deref()
        .and_then(of_program)
        .into_iter()
        .collect()
}

/// `/usr/lib/convoke/plugins` for a program that is installed in `/usr/bin`, and so with every prefix; where there is no such
/// folder, the one of the program.
fn of_program(program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?;
    let installed = || {
        let prefix = folder.parent().filter(|_| folder.ends_with("bin"))?;
        Some(prefix.join("lib/convoke/plugins"))
    };
    let installed = installed().filter(|it| it.is_dir());
    Some(installed.unwrap_or_else(|| folder.to_owned()))
}

/// Whether the changes that people make in a store are told to whom they concern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// They are, unless the store says that what lies behind it does so already.
    #[default]
    IfPossible,
    /// They are.
    Auto,
    /// They are not.
    Off,
}

/// One plugin entry of the configuration.
#[derive(Clone, Debug)]
pub struct PluginEntry {
    /// Under which of the four headings it stands.
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
    /// For a store: whether the changes that people make in it are told.
    pub schedule: Schedule,
    /// Where it runs.
    pub isolation: Isolation,
    /// Where the entry stands, for messages.
    pub position: Option<Position>,
}

/// Where a plugin runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// In the host's process: the fastest.
    #[default]
    InProcess,
    /// In a process of its own, which may do no more than this.
    Process(Confinement),
}

impl Isolation {
    /// The word in the configuration.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::InProcess => "in-process",
            Self::Process(_) => "process",
        }
    }
}

/// What the process of a plugin may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// The most memory it may write to, in bytes.
    pub memory: u64,
    /// Files and folders that it may read.
    pub read: Vec<PathBuf>,
    /// Files and folders that it may read and write.
    pub write: Vec<PathBuf>,
    /// Where it may connect to.
    pub connect: Connect,
}

impl Confinement {
    /// How much memory a process may have if its entry does not say: 512 MiB.
    pub const MEMORY: u64 = 512 << 20;
    /// The least that a process can begin with: 64 MiB.
    pub const LEAST_MEMORY: u64 = 64 << 20;
}

impl Default for Confinement {
    fn default() -> Self {
        Self {
            memory: Self::MEMORY,
            read: Vec::new(),
            write: Vec::new(),
            connect: Connect::Nowhere,
        }
    }
}

/// Where the process of a plugin may connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Connect {
    /// Nowhere: it can open no socket.
    #[default]
    Nowhere,
    /// To these TCP ports, of any host; no UDP, so names are looked up only if port 53 is among them.
    Ports(Vec<u16>),
    /// Anywhere, by TCP, UDP and Unix sockets.
    Anywhere,
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
            schedule: Schedule::default(),
            isolation: Isolation::InProcess,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_lie_where_they_are_installed_or_beside_the_program() {
        let place = tempfile::tempdir().unwrap();
        let of = |program: &str| of_program(&place.path().join(program)).unwrap();
        let beside = place.path().join("usr/bin");
        assert_eq!(of("usr/bin/convoke"), beside);
        let installed = place.path().join("usr/lib/convoke/plugins");
        std::fs::create_dir_all(&installed).unwrap();
        assert_eq!(of("usr/bin/convoke"), installed);
        assert_eq!(of("usr/debug/convoke"), place.path().join("usr/debug"));
    }
}
