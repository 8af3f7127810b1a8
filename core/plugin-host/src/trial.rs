//! Does a built library keep what its kind promises? It is loaded and called as for a configuration, but without
//! deadlines and breakers: the kits have a patience of their own.

use super::{PluginEntry, PluginError, Problem, Setup, candidate, not_loaded, services};
use convoke_sdk::{
    AccessRequest, Busy, CalendarAddress, CalendarUser, Changes, Cursor, Decision, Delivery,
    Discovered, Discovery, Error, Etag, Host, KeptMessage, Listing, NewObject, NewUser,
    ObjectSummary, Page, Policy, Precondition, Result, Store, StoredObject, TimeRange, Uid, UserId,
    conformance::{self, Expected, Report, Samples},
    remote::{Kind, NotOpened, RemoteDiscovery, RemotePolicy, RemoteStore},
};

/// What is known of a plugin as it is configured for the trial; what its kind has no use for is ignored.
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
            let open = || async {
                let opened = RemoteDiscovery::open(library, config, services()).await;
                opened.map(Tried).map_err(refused)
            };
            conformance::discovery(open, &known.samples).await
        }
        Kind::Policy => {
            let open = || async {
                let opened = RemotePolicy::open(library, config, services()).await;
                opened.map(Tried).map_err(refused)
            };
            conformance::policy(open, &known.expected).await
        }
        Kind::Store => {
            let open = || async {
                let opened = RemoteStore::open(library, config, services()).await;
                opened.map(Tried).map_err(refused)
            };
            conformance::store_with_users(open, &known.users).await
        }
    })
}

/// An opened library in the place of a plugin's own type.
struct Tried<R>(R);

fn opened_already() -> Error {
    Error::unsupported("a library is opened by its host")
}

impl Discovery for Tried<RemoteDiscovery> {
    type Config = ();

    async fn open((): (), _: Host) -> Result<Self> {
        Err(opened_already())
    }

    async fn discover(&self, address: &CalendarAddress) -> Result<Discovered> {
        self.0.discover(address).await
    }
}

impl Policy for Tried<RemotePolicy> {
    type Config = ();

    async fn open((): (), _: Host) -> Result<Self> {
        Err(opened_already())
    }

    async fn authorize(&self, request: &AccessRequest) -> Result<Decision> {
        self.0.authorize(request).await
    }
}

impl Store for Tried<RemoteStore> {
    type Config = ();

    async fn open((): (), _: Host) -> Result<Self> {
        Err(opened_already())
    }

    async fn find(&self, address: &CalendarAddress) -> Result<Option<CalendarUser>> {
        self.0.find(address).await
    }

    async fn get(&self, user: &UserId, uid: &Uid) -> Result<Option<StoredObject>> {
        self.0.get(user, uid).await
    }

    async fn put(&self, user: &UserId, object: NewObject, when: Precondition) -> Result<Etag> {
        self.0.put(user, &object, &when).await
    }

    async fn remove(&self, user: &UserId, uid: &Uid, when: Precondition) -> Result<()> {
        self.0.remove(user, uid, &when).await
    }

    async fn busy(&self, user: &UserId, range: TimeRange) -> Result<Busy> {
        self.0.busy(user, range).await
    }

    async fn add_user(&self, user: NewUser) -> Result<UserId> {
        self.0.add_user(&user).await
    }

    async fn remove_user(&self, user: &UserId) -> Result<()> {
        self.0.remove_user(user).await
    }

    async fn users(&self, page: Page) -> Result<Listing<CalendarUser>> {
        self.0.users(&page).await
    }

    async fn list(&self, user: &UserId, page: Page) -> Result<Listing<ObjectSummary>> {
        self.0.list(user, &page).await
    }

    async fn changes(&self, user: &UserId, since: Option<Cursor>) -> Result<Changes> {
        self.0.changes(user, since.as_ref()).await
    }

    async fn keep(&self, user: &UserId, message: KeptMessage) -> Result<()> {
        self.0.keep(user, &message).await
    }

    async fn deliver(&self, user: &UserId, message: &KeptMessage) -> Result<Delivery> {
        self.0.deliver(user, message).await
    }
}
