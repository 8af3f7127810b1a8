//! Our own plugins in processes of their own: each keeps what its kind promises.

use crate::world::{discovery, isolated, policy, setup, store};
use convoke_plugin_host::{Confinement, PluginEntry, Plugins, Setup, StoreHandle};
use convoke_sdk::{
    conformance::{self, StoreFacts},
    prelude::*,
};
use std::{path::Path, sync::Arc};
use tempfile::TempDir;

/// An opened store as the kit asks for it.
struct Apart(Arc<StoreHandle>);

impl Apart {
    async fn open(entry: PluginEntry, folder: &Path) -> Result<Self> {
        let setup = Setup {
            folder: folder.to_owned(),
            index: Arc::new(|_, data| conformance::host("/").index(data)),
            ..setup(vec![entry])
        };
        let plugins = Plugins::open(&setup).await;
        let plugins = plugins.map_err(|errors| Error::invalid(errors.to_string()))?;
        let store = plugins.stores.iter().next();
        Ok(Self(Arc::clone(store.expect("one was opened"))))
    }
}

impl Store for Apart {
    type Config = ();

    async fn open((): (), _: Host) -> Result<Self> {
        Err(Error::unsupported("it is opened by its entry"))
    }

    async fn find(&self, address: &CalendarAddress, _: &Call) -> Result<Option<CalendarUser>> {
        self.0.find(address).await
    }

    async fn get(&self, user: &UserId, uid: &Uid, _: &Call) -> Result<Option<StoredObject>> {
        self.0.get(user, uid).await
    }

    async fn put(
        &self,
        user: &UserId,
        object: &NewObject,
        when: &Precondition,
        _: &Call,
    ) -> Result<Etag> {
        self.0.put(user, object, when).await
    }

    async fn remove(&self, user: &UserId, uid: &Uid, when: &Precondition, _: &Call) -> Result<()> {
        self.0.remove(user, uid, when).await
    }

    async fn busy(&self, user: &UserId, range: TimeRange, _: &Call) -> Result<Busy> {
        self.0.busy(user, range).await
    }

    async fn add_user(&self, user: &NewUser, _: &Call) -> Result<UserId> {
        self.0.add_user(user).await
    }

    async fn update_user(&self, user: &CalendarUser, _: &Call) -> Result<()> {
        self.0.update_user(user).await
    }

    async fn remove_user(&self, user: &UserId, _: &Call) -> Result<()> {
        self.0.remove_user(user).await
    }

    async fn users(&self, page: &Page, _: &Call) -> Result<Listing<CalendarUser>> {
        self.0.users(page).await
    }

    async fn list(&self, user: &UserId, page: &Page, _: &Call) -> Result<Listing<ObjectSummary>> {
        self.0.list(user, page).await
    }

    async fn changes(&self, user: &UserId, since: Option<&Cursor>, _: &Call) -> Result<Changes> {
        self.0.changes(user, since).await
    }

    async fn inbox_add(
        &self,
        user: &UserId,
        message: &InboxMessage,
        _: &Call,
    ) -> Result<MessageId> {
        self.0.inbox_add(user, message).await
    }

    async fn inbox_list(
        &self,
        user: &UserId,
        page: &Page,
        _: &Call,
    ) -> Result<Listing<InboxEntry>> {
        self.0.inbox_list(user, page).await
    }

    async fn inbox_take(&self, user: &UserId, id: &MessageId, _: &Call) -> Result<InboxMessage> {
        self.0.inbox_take(user, id).await
    }

    async fn deliver(&self, user: &UserId, message: &InboxMessage, _: &Call) -> Result<Delivery> {
        self.0.deliver(user, message).await
    }
}

/// A store that may write in one folder, and do nothing else.
async fn keeps_its_promises(plugin: &str, config: &str) {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let may = Confinement {
        write: vec![folder.path().to_owned()],
        ..Confinement::default()
    };
    let entry = isolated(store(plugin, config), may);
    let report = conformance::store(
        || Apart::open(entry.clone(), folder.path()),
        &StoreFacts::default(),
    )
    .await;
    report.assert_kept();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sqlite_store_keeps_its_promises_in_a_process_of_its_own() {
    keeps_its_promises("store-sqlite", "path = 'calendars.db'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vdir_store_keeps_its_promises_in_a_process_of_its_own() {
    keeps_its_promises("store-vdir", "path = 'calendars'").await;
}

#[tokio::test]
async fn our_strategies_and_policies_answer_in_processes_of_their_own() {
    let receivers = "domains.'example.com' = 'https://cal.example.com/ischedule'";
    let plugins = crate::world::open(vec![
        isolated(
            discovery("discovery-static", receivers),
            Confinement::default(),
        ),
        isolated(
            policy("policy-rules", "rules = [{ allow = 'freebusy' }]"),
            Confinement::default(),
        ),
    ])
    .await
    .unwrap_or_else(|error| panic!("{error}"));
    let address = |text| CalendarAddress::new(text).unwrap();
    let found = plugins.discovery.discover(&address("bo@example.com")).await;
    assert!(matches!(found, Ok(Discovered::Receivers(_))), "{found:?}");
    for (component, allowed) in [("VFREEBUSY", true), ("VEVENT", false)] {
        let (from, to) = (address("bo@example.com"), address("anna@example.org"));
        let request = AccessRequest::new("REQUEST", component, from, to);
        let verdict = plugins.policy.decide(&request).await;
        assert_eq!(
            matches!(verdict, convoke_plugin_host::Verdict::Allow(_)),
            allowed
        );
    }
}
