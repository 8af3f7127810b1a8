//! Does a built plugin keep what its kind promises? It is opened and called as for a configuration, but without deadlines
//! and breakers: the kits have a patience of their own.

use super::{
    Confinement, Fit, Isolation, PluginEntry, PluginError, Problem, Runnable, Setup, candidate,
    isolated::{Isolated, OpenRequest, StartRequest},
    not_loaded, services, start_request, written,
};
use convoke_sdk::{
    CalendarAddress, Error, Result, Sharing,
    conformance::{self, Expected, Report, Samples, StateFacts, StoreFacts},
    remote::{Kind, Library, NotOpened, RemotePlugin, Services},
};
use std::{sync::Arc, time::Duration};

/// What the kits call the plugin.
const NAME: &str = "test";
/// How long a call of a plugin in a process may take: longer than a kit waits.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is known of a plugin as it is configured for the test; what its kind has no use for is ignored.
#[derive(Clone, Debug, Default)]
pub struct PluginFacts {
    /// Of a discovery strategy.
    pub samples: Samples,
    /// Of a policy.
    pub expected: Expected,
    /// Of a store that makes no users: two of those it has. All their objects are removed.
    pub users: Vec<CalendarAddress>,
}

/// Asks the plugin of `entry` for every law of its kind. An error: it would not be opened at all.
pub async fn conformance(
    setup: &Setup,
    entry: &PluginEntry,
    facts: &PluginFacts,
) -> Result<Report, PluginError> {
    let fail = |problem| PluginError::new(entry, problem);
    let fit = candidate(setup, entry).await.map_err(fail)?;
    let sharing = if fit.description.exclusive.contains(&entry.kind) {
        Sharing::Exclusive
    } else {
        Sharing::Shared
    };
    let opener = Opener::new(setup, entry, fit).map_err(fail)?;
    Ok(match entry.kind {
        Kind::Discovery => {
            let open = async || match opener.open().await? {
                RemotePlugin::Discovery(strategy) => Ok(strategy),
                _ => Err(another_kind()),
            };
            conformance::discovery(open, &facts.samples).await
        }
        Kind::Policy => {
            let open = async || match opener.open().await? {
                RemotePlugin::Policy(policy) => Ok(policy),
                _ => Err(another_kind()),
            };
            conformance::policy(open, &facts.expected).await
        }
        Kind::Store => {
            let open = async || match opener.open().await? {
                RemotePlugin::Store(store) => Ok(store),
                _ => Err(another_kind()),
            };
            let store = StoreFacts::with_users(facts.users.clone()).that_is(sharing);
            conformance::store(open, &store).await
        }
        Kind::State => {
            let open = async || match opener.open().await? {
                RemotePlugin::State(state) => Ok(state),
                _ => Err(another_kind()),
            };
            conformance::state(open, &StateFacts::that_is(sharing)).await
        }
    })
}

fn another_kind() -> Error {
    Error::internal("the host opened it as another kind")
}

/// Opens one plugin as often as a kit wants.
struct Opener<'a> {
    setup: &'a Setup,
    entry: &'a PluginEntry,
    config_toml: String,
    place: Place<'a>,
}

/// Where it is opened.
enum Place<'a> {
    Here(Library),
    Apart(Runnable, &'a Confinement),
}

impl<'a> Opener<'a> {
    fn new(setup: &'a Setup, entry: &'a PluginEntry, fit: Fit) -> Result<Self, Problem> {
        let place = match (fit.runnable, &entry.isolation) {
            (runnable, Isolation::Process(confinement)) => Place::Apart(runnable, confinement),
            (Runnable::Library(candidate), _) => Place::Here(candidate.load().map_err(not_loaded)?),
            (Runnable::Program(program), _) => {
                let file = program.content().path().to_owned();
                return Err(Problem::NeedsProcess(file));
            }
        };
        Ok(Self {
            setup,
            entry,
            config_toml: written(entry)?,
            place,
        })
    }

    async fn open(&self) -> Result<RemotePlugin> {
        let services = services::for_instance(NAME, self.setup)?;
        let kind = self.entry.kind;
        let opened = match &self.place {
            Place::Here(library) => {
                RemotePlugin::open(kind, library, &self.config_toml, services).await
            }
            Place::Apart(runnable, confinement) => {
                let state_folder = services.state_folder()?;
                let start = start_request(self.setup, confinement, runnable, NAME, services);
                let start = start.map_err(|problem| Error::unavailable(problem.to_string()))?;
                let request = OpenRequest {
                    start: StartRequest {
                        deadline: PATIENCE,
                        ..start
                    },
                    kind,
                    folder: &self.setup.folder,
                    state_folder: &state_folder,
                    config: &self.entry.config,
                    config_toml: &self.config_toml,
                };
                let process = Isolated::open(request).await;
                process.map(|process| RemotePlugin::apart(kind, Arc::new(process)))
            }
        };
        opened.map_err(|refused: NotOpened| refused.error)
    }
}
