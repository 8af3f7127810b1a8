//! Plugins: finding their files, opening them, and asking them in the right request.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`entry`] | what a configuration says about one plugin, and what all of them need |
//! | [`find`] | from a name to a file |
//! | [`runnable`], [`program`] | what the file is, a library or a program, and what it says about itself |
//! | [`error`] | why a plugin is not there: one sentence with entry, file, reason and remedy |
//! | [`handle`] | one opened plugin: every call has a deadline and passes the breaker |
//! | [`isolated`] | a plugin in a process of its own |
//! | [`breaker`] | a plugin that keeps failing is skipped for a while, by those for whom it fails |
//! | `services` | the host, as a plugin sees it |
//! | `health`, [`metrics`] | what plugins say of themselves, and what they count |
//! | `calls` | how their calls fare, as the host counts them |
//! | `failing` | whether what keeps data answers at all |
//! | `state_folder`, `secret` | where they remember, and what no log may show |
//! | [`origin`] | on whose behalf plugins are asked |
//! | [`discovery`], [`policy`], [`stores`] | the three chains |
//! | [`state`] | the one place where the host keeps what it must not forget |
//! | `preflight`, [`schema`] | what is known of a plugin and its configuration without opening it |
//! | [`info`] | what `plugin list` shows |
//! | `closing` | closes them, each once |
//! | `ask` | one call of a plugin, made by hand |
//! | [`conformance`] | does a plugin keep what its kind promises? |
//!
//! What must hold: a plugin that fails, hangs in an await or panics costs the call, not the host; a policy that does
//! not answer neither allows nor denies for good; a discovery that does not answer never turns into a permanent refusal.
//!
//! Not here: the configuration file. Entries come as values ([`PluginEntry`]), and where a key of one stands is asked of
//! whoever read it ([`Setup::locate`]).
//!
//! A plugin that blocks a thread, corrupts memory or ends its process harms the host, unless its entry says
//! `isolation = "process"`.

mod ask;
pub mod breaker;
mod calls;
mod closing;
pub mod conformance;
pub mod discovery;
pub mod entry;
pub mod error;
mod failing;
pub mod find;
pub mod handle;
mod health;
pub mod info;
pub mod isolated;
pub mod metrics;
pub mod origin;
pub mod policy;
mod preflight;
pub mod program;
pub mod runnable;
pub mod schema;
mod secret;
mod services;
pub mod state;
mod state_folder;
pub mod stores;

pub use ask::ask;
pub use calls::Calls;
use closing::Closing;
pub use closing::close_all;
pub use discovery::DiscoveryChain;
pub use entry::{
    Confinement, Connect, IndexService, Isolation, KeyLocator, NetworkService, PluginEntry,
    Position, Schedule, Setup, own_program,
};
pub use error::{PluginError, PluginErrors, Problem};
pub use handle::{Handle, Opened};
pub use info::{Installed, PluginInfo, PluginState, installed};
pub use metrics::PluginMetrics;
pub use policy::{Allowance, Objection, PolicyChain, Verdict};
pub use preflight::{Preflight, preflight};
pub use program::{NotRun, Program};
pub use runnable::{Description, Interface, Runnable};
pub use state::StateHandle;
pub use stores::{StoreHandle, Stores};

use convoke_sdk::remote::{
    Client, Kind, Reason, Refusal, RemoteDiscovery, RemotePlugin, RemotePolicy, RemoteState,
    Services, Trust,
};
use isolated::{Isolated, OpenRequest, StartRequest};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tracing::debug;

/// How long a plugin may take to open, if its entry's `timeout` is not longer: a store may have to bring its files up
/// to date.
const OPENING: Duration = Duration::from_secs(60);

/// The plugins of one configuration, opened.
pub struct Plugins {
    /// Where receivers are found.
    pub discovery: DiscoveryChain,
    /// Who may do what.
    pub policy: PolicyChain,
    /// Where calendars live.
    pub stores: Stores,
    /// Where the host keeps what it must not forget.
    pub state: StateHandle,
    /// How they are closed.
    closing: Arc<Closing>,
    /// Where they are closed.
    runtime: tokio::runtime::Handle,
}

impl Plugins {
    /// Opens every plugin of `setup`, or says what is wrong with each one that does not open. That of the state is opened
    /// first: what the host must not forget is there before anybody can act on it.
    ///
    /// The log must be set up before: a library asks once which levels are wanted.
    pub async fn open(setup: &Setup) -> Result<Self, PluginErrors> {
        let entries = setup.entries.iter();
        let candidates = entries.map(|entry| candidate(setup, entry));
        let candidates = futures::future::join_all(candidates).await;
        let names = instance_names(&setup.entries, &candidates)?;
        let entries = setup.entries.iter().zip(candidates).zip(names);
        let (state, others): (Vec<_>, Vec<_>) =
            entries.partition(|((entry, _), _)| entry.kind == Kind::State);
        let mut opened = AllOpened::default();
        let mut errors = Vec::new();
        for entries in [state, others] {
            let opening = entries.into_iter().map(async |((entry, candidate), name)| {
                let candidate = candidate.map_err(|problem| PluginError::new(entry, problem))?;
                open(setup, entry, candidate, name).await
            });
            for plugin in futures::future::join_all(opening).await {
                match plugin {
                    Ok(plugin) => opened.push(plugin),
                    Err(error) => errors.push(error),
                }
            }
        }
        if !errors.is_empty() {
            return Err(PluginErrors::told_once(errors));
        }
        let discovery = DiscoveryChain::new(opened.discovery);
        let policy = PolicyChain::new(opened.policy);
        let stores = Stores::new(opened.stores, &setup.domains);
        let state = StateHandle::new(opened.state.pop());
        Ok(Self {
            closing: Closing::of(&discovery, &policy, &stores, &state),
            runtime: tokio::runtime::Handle::current(),
            discovery,
            policy,
            stores,
            state,
        })
    }

    /// Tells every plugin that no further call comes, and waits, not for ever, until each has finished what it had begun
    /// and let go of what it alone may hold. Otherwise that is done once they are dropped ([`isolated::all_closed`] waits
    /// for it).
    pub async fn close(&self) {
        self.closing.close().await;
    }

    /// Whether one of them cannot be opened a second time while it is open: it says so, or it must not meet another version of
    /// its library, which was replaced.
    pub fn are_exclusive(&self) -> bool {
        self.list().iter().any(|plugin| plugin.is_exclusive)
    }

    /// What is opened, and how it fares; in the order of the kinds, then of the configuration.
    pub fn list(&self) -> Vec<PluginInfo> {
        let mut list = self.discovery.list();
        list.extend(self.policy.list());
        list.extend(self.stores.iter().map(|store| store.info()));
        list.extend(self.state.info());
        list
    }
}

impl Drop for Plugins {
    fn drop(&mut self) {
        let (closing, counted) = (self.closing.clone(), isolated::Counted::new());
        self.runtime.spawn(async move {
            closing.close().await;
            // What plugins do when they are dropped may take its time, and is not to keep a thread of the runtime.
            // Fails if it panics; there is nobody left to tell.
            let _ = tokio::task::spawn_blocking(move || drop(closing)).await;
            drop(counted);
        });
    }
}

#[derive(Default)]
struct AllOpened {
    discovery: Vec<Handle<RemoteDiscovery>>,
    policy: Vec<Handle<RemotePolicy>>,
    stores: Vec<Arc<StoreHandle>>,
    state: Vec<Handle<RemoteState>>,
}

enum Plugin {
    Discovery(Handle<RemoteDiscovery>),
    Policy(Handle<RemotePolicy>),
    Store(StoreHandle),
    State(Handle<RemoteState>),
}

impl AllOpened {
    fn push(&mut self, plugin: Plugin) {
        match plugin {
            Plugin::Discovery(handle) => self.discovery.push(handle),
            Plugin::Policy(handle) => self.policy.push(handle),
            Plugin::Store(handle) => self.stores.push(Arc::new(handle)),
            Plugin::State(handle) => self.state.push(handle),
        }
    }
}

/// What each entry's plugin is called: its `name`, else the plugin's, numbered if it is used more than once. A program, and
/// a library that is named by a path, go by what they call themselves.
fn instance_names(
    entries: &[PluginEntry],
    candidates: &[Result<Fit, Problem>],
) -> Result<Vec<String>, PluginErrors> {
    let mut taken = BTreeSet::new();
    let mut errors = Vec::new();
    let mut of_state = entries.iter().filter(|entry| entry.kind == Kind::State);
    errors.extend((of_state.nth(1)).map(|entry| PluginError::new(entry, Problem::SecondState)));
    for entry in entries {
        if let Some(name) = &entry.name
            && !taken.insert(name.clone())
        {
            errors.push(PluginError::new(entry, Problem::NameTaken(name.clone())));
        }
    }
    if !errors.is_empty() {
        return Err(PluginErrors(errors));
    }
    let mut free = |entry: &PluginEntry, candidate: &Result<Fit, Problem>| {
        let base = match candidate {
            Ok(fit) if find::is_path(&entry.plugin) || fit.is_program() => {
                fit.description.name.clone()
            }
            _ => find::short_name(&entry.plugin),
        };
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let name = std::iter::once(base.clone())
            .chain(numbered)
            .find(|name| !taken.contains(name))
            .unwrap_or(base);
        taken.insert(name.clone());
        name
    };
    Ok(entries
        .iter()
        .zip(candidates)
        .map(|(entry, candidate)| (entry.name.clone()).unwrap_or_else(|| free(entry, candidate)))
        .collect())
}

/// How long a call of a kind may take, if its entry says nothing.
const fn deadline_of(kind: Kind) -> Duration {
    match kind {
        Kind::Discovery => discovery::DEADLINE,
        Kind::Policy => policy::DEADLINE,
        Kind::Store | Kind::State => stores::DEADLINE,
    }
}

async fn open(
    setup: &Setup,
    entry: &PluginEntry,
    candidate: Fit,
    name: String,
) -> Result<Plugin, PluginError> {
    let fail = |problem| PluginError::new(entry, problem);
    let file = candidate.runnable.content().path().to_owned();
    let patience = entry.timeout.unwrap_or_default().max(OPENING);
    let opening = open_there(setup, entry, candidate, &name);
    match tokio::time::timeout(patience, opening).await {
        Ok(Ok((caller, remote))) => Ok(match remote {
            RemotePlugin::Discovery(remote) => Plugin::Discovery(Client::new(caller, remote)),
            RemotePlugin::Policy(remote) => Plugin::Policy(Client::new(caller, remote)),
            RemotePlugin::Store(remote) => {
                let handle = Client::new(caller, remote);
                Plugin::Store(StoreHandle::new(handle, entry))
            }
            RemotePlugin::State(remote) => Plugin::State(Client::new(caller, remote)),
        }),
        Ok(Err(problem)) => {
            let mut error = fail(problem);
            error.point_at_key(setup, entry);
            Err(error)
        }
        Err(_) => Err(fail(Problem::OpenTimeout(file))),
    }
}

/// Opens the plugin where its entry says.
async fn open_there(
    setup: &Setup,
    entry: &PluginEntry,
    candidate: Fit,
    name: &str,
) -> Result<(Opened, RemotePlugin), Problem> {
    let Fit {
        runnable,
        description,
    } = candidate;
    let file = runnable.content().path().to_owned();
    let deadline = deadline_of(entry.kind);
    let calls = setup.metrics.calls().of(name, entry.kind);
    let opened = Opened::new(
        name,
        entry,
        runnable.content(),
        &description,
        deadline,
        calls,
    );
    let config_toml = written(entry)?;
    let services = services::for_instance(name, setup).map_err(|error| Problem::host(&error))?;
    let refused = |refused| Problem::not_opened(&file, refused);
    match (&entry.isolation, runnable) {
        (Isolation::InProcess, Runnable::Library(candidate)) => {
            let library = candidate.load().map_err(not_loaded)?;
            let known = Arc::clone(&services);
            let remote = RemotePlugin::open(entry.kind, &library, &config_toml, services).await;
            Ok((opened.known_by(known), remote.map_err(refused)?))
        }
        (Isolation::InProcess, Runnable::Program(_)) => Err(Problem::NeedsProcess(file)),
        (Isolation::Process(confinement), runnable) => {
            let state_folder = services
                .state_folder()
                .map_err(|error| Problem::host(&error))?;
            let start = start_request(setup, confinement, &runnable, name, services)?;
            let request = OpenRequest {
                start: StartRequest {
                    deadline: opened.deadline(),
                    ..start
                },
                kind: entry.kind,
                folder: &setup.folder,
                state_folder: &state_folder,
                config: &entry.config,
                config_toml: &config_toml,
            };
            let process = Arc::new(Isolated::open(request).await.map_err(refused)?);
            let remote = RemotePlugin::apart(entry.kind, Arc::clone(&process) as _);
            Ok((opened.within(process), remote))
        }
    }
}

/// The configuration of an entry's plugin as TOML.
fn written(entry: &PluginEntry) -> Result<String, Problem> {
    toml::to_string(&entry.config).map_err(|error| Problem::Config(error.to_string()))
}

/// What starting a process for a plugin takes.
fn start_request<'a>(
    setup: &'a Setup,
    confinement: &'a Confinement,
    runnable: &Runnable,
    name: &'a str,
    services: Arc<dyn Services>,
) -> Result<StartRequest<'a>, Problem> {
    Ok(StartRequest {
        program: &setup.program,
        sealed: runnable.seal()?,
        run: runnable.run(),
        name,
        confinement,
        deadline: OPENING,
        services,
    })
}

/// A plugin's file that was found fit to be run, and what it says about itself.
struct Fit {
    runnable: Runnable,
    description: Description,
}

impl Fit {
    const fn is_program(&self) -> bool {
        matches!(self.runnable, Runnable::Program(_))
    }
}

/// The file of an entry, looked at and found fit to be run as what its entry says.
async fn candidate(setup: &Setup, entry: &PluginEntry) -> Result<Fit, Problem> {
    let file = find::file(&entry.plugin, &setup.directories(), &setup.folder)?;
    let searched = if find::is_path(&entry.plugin) {
        Vec::new()
    } else {
        setup.directories()
    };
    not_exposed(&file, searched)?;
    let runnable = Runnable::look(&file)?;
    runnable.check(&setup.trust(), entry.sha256.as_deref())?;
    let description = match (&runnable, &entry.isolation) {
        (Runnable::Library(candidate), _) => Description::from(&candidate.manifest),
        (Runnable::Program(_), Isolation::InProcess) => return Err(Problem::NeedsProcess(file)),
        (Runnable::Program(_), Isolation::Process(confinement)) => {
            introduced(setup, confinement, &runnable).await?
        }
    };
    // The library's own name stands for all that is in it, as a path does.
    let mut others = description.other_names.iter();
    let offers = if others.any(|(_, name)| *name == entry.plugin) {
        description.kinds_of(&entry.plugin)
    } else {
        description.kinds.clone()
    };
    if description.kinds.is_empty() {
        return Err(Problem::OffersNothing(file));
    }
    if !offers.contains(&entry.kind) {
        return Err(Problem::WrongKind {
            file,
            entry: entry.kind,
            offers,
        });
    }
    let description = description.of_kind(entry.kind);
    Ok(Fit {
        runnable,
        description,
    })
}

/// What a plugin says about itself. A library's manifest says it; a program is run for it, confined so that it can read what
/// is granted and do nothing else, and ended. The caller has [checked](Runnable::check) it.
pub async fn introduced(
    setup: &Setup,
    confinement: &Confinement,
    runnable: &Runnable,
) -> Result<Description, Problem> {
    if let Runnable::Library(candidate) = runnable {
        return Ok(Description::from(&candidate.manifest));
    }
    greeted(setup, confinement, runnable).await
}

/// What a plugin says about itself that could be opened: all that is checked before that, in the same order and in the same
/// words. What only running shows is left out if nothing is to be run; then nothing is known of a program.
pub async fn examined(
    setup: &Setup,
    trust: &Trust,
    runnable: &Runnable,
    may_run: MayRun,
) -> Result<Option<Description>, Problem> {
    not_exposed(runnable.content().path(), Vec::new())?;
    runnable.check(trust, None)?;
    let description = match (may_run, runnable) {
        (MayRun::Confined, _) => greeted(setup, &Confinement::default(), runnable).await?,
        (MayRun::Nothing, Runnable::Library(candidate)) => Description::from(&candidate.manifest),
        (MayRun::Nothing, Runnable::Program(_)) => return Ok(None),
    };
    if description.kinds.is_empty() {
        let file = runnable.content().path().to_owned();
        return Err(Problem::OffersNothing(file));
    }
    Ok(Some(description))
}

/// What of a plugin's file may run while it is examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayRun {
    /// Nothing.
    Nothing,
    /// A library is loaded, and a program asked what it is, in a process that is granted nothing.
    Confined,
}

/// Starts the process of a plugin, and ends it when it has said what it is.
async fn greeted(
    setup: &Setup,
    confinement: &Confinement,
    runnable: &Runnable,
) -> Result<Description, Problem> {
    let file = runnable.content().path();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let services = services::for_instance(&name, setup).map_err(|error| Problem::host(&error))?;
    let confinement = read_only(confinement);
    let request = start_request(setup, &confinement, runnable, &name, services)?;
    let introduced = isolated::introduce(request).await;
    introduced.map_err(|not| match runnable {
        Runnable::Library(_) => Problem::NotOpened {
            file: file.to_owned(),
            message: not.error.to_string(),
            config_key: None,
        },
        Runnable::Program(_) => Problem::NotIntroduced {
            file: file.to_owned(),
            why: not.error.to_string(),
        },
    })
}

/// The same, but what may be written may be read only, and nobody can be connected to. A path that is not there is told of
/// when the plugin opens.
fn read_only(confinement: &Confinement) -> Confinement {
    let granted = confinement.read.iter().chain(&confinement.write);
    Confinement {
        memory: confinement.memory,
        read: granted.filter(|path| path.exists()).cloned().collect(),
        write: Vec::new(),
        connect: Connect::Nowhere,
    }
}

/// Nobody but the host's user and root may put something else in the file's place, or something of the same name into
/// a folder that is looked through for it.
fn not_exposed(file: &Path, searched: Vec<PathBuf>) -> Result<(), Problem> {
    let folder = file.parent().map(Path::to_owned);
    let places = folder.into_iter().chain(searched);
    let mut places = places.chain([file.to_owned()]);
    places
        .find_map(|place| convoke_file_access::writable(&place))
        .map_or(Ok(()), |exposed| Err(exposed.into()))
}

/// A library that is not loaded; all that there is to say goes to the log.
fn not_loaded(refusal: Refusal) -> Problem {
    if let Reason::Layout(mismatch) = &refusal.reason {
        debug!(target: services::TARGET, file = %refusal.file.display(), "{}", mismatch.all);
    }
    refusal.into()
}
