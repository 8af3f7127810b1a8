//! Does a built library keep what its kind promises? It is loaded and called as for a configuration, but without
//! deadlines and breakers: the kits have a patience of their own.

use super::{PluginEntry, PluginError, Problem, Setup, candidate, not_loaded, services};
use convoke_sdk::{
    CalendarAddress, Sharing,
    conformance::{self, Expected, Report, Samples, StateFacts, StoreFacts},
    remote::{Kind, NotOpened, RemoteDiscovery, RemotePolicy, RemoteState, RemoteStore},
};

/// What is known of a plugin as it is configured for the test; what its kind has no use for is ignored.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Of a discovery strategy.
    pub samples: Samples,
    /// Of a policy.
    pub expected: Expected,
    /// Of a store that makes no users: two of those it has. All their objects are removed.
    pub users: Vec<CalendarAddress>,
}

/// Asks the plugin of `entry` for every law of its kind. An error: it would not be loaded at all.
pub async fn conformance(
    setup: &Setup,
    entry: &PluginEntry,
    known: &Known,
) -> Result<Report, PluginError> {
    let fail = |problem| PluginError::new(entry, problem);
    let candidate = candidate(setup, entry).map_err(fail)?;
    let sharing = if candidate.manifest.exclusive.contains(&entry.kind) {
        Sharing::Exclusive
    } else {
        Sharing::Shared
    };
    let library = candidate
        .load()
        .map_err(|refusal| fail(not_loaded(refusal)))?;
    let config =
        toml::to_string(&entry.config).map_err(|error| fail(Problem::Config(error.to_string())))?;
    let (library, config) = (&library, config.as_str());
    let services = || services::for_instance("test", setup);
    let refused = |refused: NotOpened| refused.error;
    Ok(match entry.kind {
        Kind::Discovery => {
            let open = async || RemoteDiscovery::open(library, config, services()).await;
            conformance::discovery(async || open().await.map_err(refused), &known.samples).await
        }
        Kind::Policy => {
            let open = async || RemotePolicy::open(library, config, services()).await;
            conformance::policy(async || open().await.map_err(refused), &known.expected).await
        }
        Kind::Store => {
            let open = async || RemoteStore::open(library, config, services()).await;
            let facts = StoreFacts::with_users(known.users.clone()).that_is(sharing);
            conformance::store(async || open().await.map_err(refused), &facts).await
        }
        Kind::State => {
            let open = async || RemoteState::open(library, config, services()).await;
            let facts = StateFacts::that_is(sharing);
            conformance::state(async || open().await.map_err(refused), &facts).await
        }
    })
}
