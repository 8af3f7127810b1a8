//! Plugins: finding their libraries, opening them, and asking them in the right order.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`entry`] | what a configuration says about one plugin, and what all of them need |
//! | [`find`] | from a name to a file |
//! | [`error`] | why a plugin is not there: one sentence with entry, file, reason and remedy |
//! | [`handle`] | one opened plugin: every call has a deadline and passes the breaker |
//! | [`placed`] | where it runs: in the host's process, or in one of its own |
//! | [`isolated`] | a plugin in a process of its own |
//! | [`breaker`] | a plugin that keeps failing is skipped for a while, by those for whom it fails |
//! | [`origin`] | on whose behalf plugins are asked |
//! | [`discovery`], [`policy`], [`stores`] | the three chains |
//! | [`info`] | what `plugin list` shows |
//! | [`trial`] | does a library keep what its kind promises? |
//!
//! What must hold: a plugin that fails, hangs in an await or panics costs the call, not the host; a policy that does
//! not answer neither allows nor denies for good; a discovery that does not answer never turns into a permanent refusal.
//!
//! Not here: the configuration file. Entries come as values ([`PluginEntry`]), and where a key of one stands is asked of
//! whoever read it ([`Setup::locate`]).
//!
//! A plugin that blocks a thread, corrupts memory or ends its process harms the host, unless its entry says
//! `isolation = "process"`.

pub mod breaker;
pub mod discovery;
pub mod entry;
pub mod error;
pub mod find;
pub mod handle;
pub mod info;
pub mod isolated;
pub mod origin;
pub mod placed;
pub mod policy;
mod services;
pub mod stores;
pub mod trial;

pub use discovery::DiscoveryChain;
pub use entry::{
    Confinement, Connect, IndexService, Isolation, KeyLocator, PluginEntry, Position, Setup,
    own_program,
};
pub use error::{PluginError, PluginErrors, Problem};
pub use handle::Handle;
pub use info::{Installed, PluginInfo, PluginState, installed};
pub use placed::Placed;
pub use policy::{Allowance, Objection, PolicyChain, Verdict};
pub use stores::{StoreHandle, Stores};

use convoke_sdk::remote::{
    Candidate, Kind, Library, NotOpened, Reason, Refusal, RemoteDiscovery, RemotePolicy,
    RemoteStore, Services,
};
use isolated::Isolated;
use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};
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
}

impl Plugins {
    /// Opens every plugin of `setup`, or says what is wrong with each one that does not open.
    ///
    /// The log must be set up before: a library asks once which levels are wanted.
    pub async fn open(setup: &Setup) -> Result<Self, PluginErrors> {
        let names = instance_names(&setup.entries)?;
        let opening = setup
            .entries
            .iter()
            .zip(names)
            .map(|(entry, name)| open(setup, entry, name));
        let mut opened = Opened::default();
        let mut errors = Vec::new();
        for plugin in futures::future::join_all(opening).await {
            match plugin {
                Ok(plugin) => opened.push(plugin),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(PluginErrors(errors));
        }
        Ok(Self {
            discovery: DiscoveryChain::new(opened.discovery),
            policy: PolicyChain::new(opened.policy),
            stores: Stores::new(opened.stores, &setup.domains),
        })
    }

    /// What is opened, and how it fares; in the order of the kinds, then of the configuration.
    pub fn list(&self) -> Vec<PluginInfo> {
        let mut list = self.discovery.list();
        list.extend(self.policy.list());
        list.extend(self.stores.iter().map(|store| store.info()));
        list
    }
}

#[derive(Default)]
struct Opened {
    discovery: Vec<Handle<RemoteDiscovery>>,
    policy: Vec<Handle<RemotePolicy>>,
    stores: Vec<Arc<StoreHandle>>,
}

enum Plugin {
    Discovery(Handle<RemoteDiscovery>),
    Policy(Handle<RemotePolicy>),
    Store(StoreHandle),
}

impl Opened {
    fn push(&mut self, plugin: Plugin) {
        match plugin {
            Plugin::Discovery(handle) => self.discovery.push(handle),
            Plugin::Policy(handle) => self.policy.push(handle),
            Plugin::Store(handle) => self.stores.push(Arc::new(handle)),
        }
    }
}

/// What each entry's plugin is called: its `name`, else the plugin's, numbered if it is used more than once.
fn instance_names(entries: &[PluginEntry]) -> Result<Vec<String>, PluginErrors> {
    let mut taken = BTreeSet::new();
    let mut errors = Vec::new();
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
    let mut free = |entry: &PluginEntry| {
        let base = find::short_name(&entry.plugin);
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
        .map(|entry| entry.name.clone().unwrap_or_else(|| free(entry)))
        .collect())
}

async fn open(setup: &Setup, entry: &PluginEntry, name: String) -> Result<Plugin, PluginError> {
    let fail = |problem| PluginError::new(entry, problem);
    let candidate = candidate(setup, entry).map_err(fail)?;
    let file = candidate.file.clone();
    let config =
        toml::to_string(&entry.config).map_err(|error| fail(Problem::Config(error.to_string())))?;
    let opening = Opening {
        setup,
        entry,
        name,
        config,
    };
    let patience = entry.timeout.unwrap_or_default().max(OPENING);
    let opened = tokio::time::timeout(patience, async {
        Ok(match entry.kind {
            Kind::Discovery => {
                let open = opening.open(candidate, discovery::DEADLINE, RemoteDiscovery::open);
                Plugin::Discovery(open.await?)
            }
            Kind::Policy => {
                let open = opening.open(candidate, policy::DEADLINE, RemotePolicy::open);
                Plugin::Policy(open.await?)
            }
            Kind::Store => {
                let open = opening.open(candidate, stores::DEADLINE, RemoteStore::open);
                Plugin::Store(StoreHandle::new(open.await?, entry.domains.clone()))
            }
        })
    });
    match opened.await {
        Ok(Ok(plugin)) => Ok(plugin),
        Ok(Err(problem)) => {
            let mut error = fail(problem);
            error.point_at_key(setup, entry);
            Err(error)
        }
        Err(_) => Err(fail(Problem::OpenTimeout(file))),
    }
}

/// What opening one plugin takes.
struct Opening<'a> {
    setup: &'a Setup,
    entry: &'a PluginEntry,
    name: String,
    config: String,
}

impl Opening<'_> {
    /// Opens the plugin where its entry says; `open` does it in this process.
    async fn open<R>(
        &self,
        candidate: Candidate,
        deadline: Duration,
        open: impl AsyncFnOnce(&Library, &str, Arc<dyn Services>) -> Result<R, NotOpened>,
    ) -> Result<Handle<R>, Problem> {
        let Self {
            setup,
            entry,
            name,
            config,
        } = self;
        let (file, manifest) = (&candidate.file, &candidate.manifest);
        let parts = handle::Parts::new(name.clone(), entry, file, manifest, deadline);
        let services = services::for_instance(name, setup);
        let placed = match &entry.isolation {
            Isolation::InProcess => {
                let library = candidate.load().map_err(not_loaded)?;
                open(&library, config, services).await.map(Placed::Here)
            }
            Isolation::Process(confinement) => {
                let order = isolated::Order {
                    program: &setup.program,
                    library: candidate.seal()?,
                    kind: entry.kind,
                    name,
                    folder: &setup.folder,
                    config,
                    confinement,
                    deadline: parts.deadline(),
                    services,
                };
                let opened = Isolated::open(order).await;
                opened.map(Box::new).map(Placed::Apart)
            }
        };
        match placed {
            Ok(placed) => Ok(parts.around(placed)),
            Err(refused) => Err(Problem::not_opened(parts.file(), refused)),
        }
    }
}

/// The library of an entry, looked at and found fit to be loaded.
fn candidate(setup: &Setup, entry: &PluginEntry) -> Result<Candidate, Problem> {
    let file = find::library(&entry.plugin, &setup.directories(), &setup.folder)?;
    not_exposed(setup, entry, &file)?;
    let candidate = Candidate::look(&file)?;
    candidate.check(&setup.trust(), entry.sha256.as_deref())?;
    if !candidate.manifest.kinds.contains(&entry.kind) {
        return Err(Problem::WrongKind {
            file,
            entry: entry.kind,
            offers: candidate.manifest.kinds,
        });
    }
    Ok(candidate)
}

/// Nobody but the host's user and root may put something else in the library's place, or something of the same name into
/// a folder that is looked through for it.
fn not_exposed(setup: &Setup, entry: &PluginEntry, file: &Path) -> Result<(), Problem> {
    let searched = if find::is_path(&entry.plugin) {
        Vec::new()
    } else {
        setup.directories()
    };
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
