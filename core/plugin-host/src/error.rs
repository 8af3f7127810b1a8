//! Why a plugin is not there.

use super::{PluginEntry, Position, Setup, program::NotRun};
use convoke_file_access::Exposed;
use convoke_sdk::remote::{Kind, NotOpened, Refusal};
use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

/// Why plugins are not there; a line for each.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct PluginErrors(pub Vec<PluginError>);

impl PluginErrors {
    /// An entry that nobody wrote repeats nothing that is said of one that somebody did.
    pub(super) fn told_once(mut errors: Vec<PluginError>) -> Self {
        let written = errors.iter().filter(|error| error.position.is_some());
        let said: BTreeSet<_> = written.map(|error| error.problem.to_string()).collect();
        errors
            .retain(|error| error.position.is_some() || !said.contains(&error.problem.to_string()));
        Self(errors)
    }
}

fn lines(errors: &[PluginError]) -> String {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Why one plugin is not there: the entry, and what is wrong with it.
#[derive(Debug)]
pub struct PluginError {
    /// Where its entry stands.
    pub position: Option<Position>,
    /// Under which heading.
    pub kind: Kind,
    /// What the entry names.
    pub plugin: String,
    /// What is wrong.
    pub problem: Box<Problem>,
}

impl PluginError {
    pub(super) fn new(entry: &PluginEntry, problem: Problem) -> Self {
        Self {
            position: entry.position.clone(),
            kind: entry.kind,
            plugin: entry.plugin.clone(),
            problem: Box::new(problem),
        }
    }

    /// Makes a key of the plugin's configuration that is at fault the place of the error.
    pub(super) fn point_at_key(&mut self, setup: &Setup, entry: &PluginEntry) {
        let Problem::NotOpened {
            config_key: Some(key),
            ..
        } = &*self.problem
        else {
            return;
        };
        if let (Some(position), Some((line, column))) =
            (&mut self.position, (setup.locate)(entry, key))
        {
            (position.line, position.column) = (line, column);
        }
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            position,
            kind,
            plugin,
            problem,
        } = self;
        let problem = problem.to_string();
        match position {
            // A path that the problem itself names is not said twice.
            Some(position) if plugin.contains('/') && names(&problem, plugin) => {
                write!(f, "{position}: {kind}: {problem}")
            }
            Some(position) => write!(f, "{position}: {kind} `{plugin}`: {problem}"),
            None if *kind == Kind::State => write!(
                f,
                "state `{plugin}`, which keeps what the host must not forget where no `[[state]]` says otherwise: {problem}"
            ),
            None => write!(f, "{kind} `{plugin}`: {problem}"),
        }
    }
}

/// Whether a sentence names the file at `path`.
fn names(sentence: &str, path: &str) -> bool {
    let file = Path::new(path).file_name().and_then(|it| it.to_str());
    file.is_some_and(|file| sentence.contains(file))
}

impl std::error::Error for PluginError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.problem)
    }
}

/// What is wrong with an entry or its file; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// No file of that name.
    #[error("there is no such plugin {}{}", places(.looked), hint(.nearest.as_deref(), .present))]
    NotFound {
        /// The folders, or the one file, that were looked at.
        looked: Vec<PathBuf>,
        /// The plugin there whose name is nearest.
        nearest: Option<String>,
        /// The plugins that are there.
        present: Vec<String>,
    },
    /// The file is not loaded.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The program cannot be run.
    #[error(transparent)]
    NotRun(#[from] NotRun),
    /// A program in an entry without `isolation`.
    #[error(
        "{} is a program, which runs in a process of its own only; write `isolation = \"process\"` in its entry",
        .0.display()
    )]
    NeedsProcess(PathBuf),
    /// Others could put something else in its place.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// A store under `[[discovery]]`, for example.
    #[error(
        "{} offers {}, not {entry}; list it under `[[{}]]`",
        .file.display(), words(.offers), .offers.first().map_or("store", |kind| kind.as_str())
    )]
    WrongKind {
        /// The library.
        file: PathBuf,
        /// The heading that it stands under.
        entry: Kind,
        /// What it could stand under.
        offers: Vec<Kind>,
    },
    /// Only kinds of a later ABI, or none at all.
    #[error(
        "{} offers no kind of plugin that this host knows; check the path, or install a newer host",
        .0.display()
    )]
    OffersNothing(PathBuf),
    /// Two entries of one name.
    #[error("another plugin is named `{0}` already; give this one a `name` of its own")]
    NameTaken(String),
    /// Two places for state.
    #[error("there is a `[[state]]` already; the host keeps its state in one place")]
    SecondState,
    /// The program does not say what it is.
    #[error("{} does not introduce itself: {why}", .file.display())]
    NotIntroduced {
        /// The program.
        file: PathBuf,
        /// Why not.
        why: String,
    },
    /// The table cannot be handed over.
    #[error("its `config` cannot be written as TOML: {0}")]
    Config(String),
    /// The host has not what it offers to plugins.
    #[error("the host cannot open it: {0}")]
    Host(String),
    /// The plugin says no.
    #[error("{message}")]
    NotOpened {
        /// The library.
        file: PathBuf,
        /// What it says.
        message: String,
        /// The key at fault, from `config` on.
        config_key: Option<String>,
    },
    /// It does not say anything.
    #[error(
        "{} did not open in time; look for what it waits for in the log, or raise the entry's `timeout`",
        .0.display()
    )]
    OpenTimeout(PathBuf),
}

impl Problem {
    pub(super) fn host(error: &convoke_sdk::Error) -> Self {
        Self::Host(error.to_string())
    }

    pub(super) fn not_opened(file: &Path, refused: NotOpened) -> Self {
        let file = file.to_owned();
        let message = match &refused.config_key {
            Some(_) => refused.error.to_string(),
            None => format!("{} did not open: {}", file.display(), refused.error),
        };
        Self::NotOpened {
            file,
            message,
            config_key: refused.config_key,
        }
    }
}

fn places(looked: &[PathBuf]) -> String {
    let places: Vec<_> = (looked.iter())
        .map(|place| place.display().to_string())
        .collect();
    match places.as_slice() {
        [] => "as no plugin folder is known; set `[server] plugins`".to_owned(),
        places => format!("at {}", places.join(", ")),
    }
}

fn hint(nearest: Option<&str>, present: &[String]) -> String {
    match (nearest, present) {
        (Some(name), _) => format!("; did you mean `{name}`?"),
        (None, []) => "; install it there, or correct `[server] plugins`".to_owned(),
        (None, present) => format!("; there are {}", present.join(", ")),
    }
}

fn words(kinds: &[Kind]) -> String {
    let words: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
    if words.is_empty() {
        "no kind that this host knows".to_owned()
    } else {
        words.join(" and ")
    }
}
