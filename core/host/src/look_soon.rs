//! Who asks that a calendar be looked at soon, and which stores cannot be watched.
//!
//! A command or a hook of another server (`convoke changed`) says whose calendar changed; the task that watches that store
//! looks. It outlives the configuration, so that nothing that was asked for is lost in a reload.

use convoke_types::UserId;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// Whose calendars are to be looked at soon, by store. Cheap to clone; clones are the same.
#[derive(Clone, Default)]
pub struct LookSoon(Arc<Mutex<BTreeMap<String, Store>>>);

#[derive(Default)]
struct Store {
    asked: BTreeSet<UserId>,
    /// What is known of some user has changed since the users were listed.
    is_renewed: bool,
    /// Whose changes are told to nobody, as far as the state has been told.
    off: BTreeSet<UserId>,
    notify: Arc<Notify>,
    /// Why it cannot be watched now.
    trouble: Option<String>,
    /// What behind it schedules by itself, and how that is switched off.
    schedules_itself: Option<String>,
}

/// Whose calendars of one store are to be looked at soon.
pub(crate) struct Asked {
    all: LookSoon,
    store: String,
    notify: Arc<Notify>,
}

impl LookSoon {
    /// Asks for a look at the calendar of a user of a store.
    pub fn at(&self, store: &str, user: &UserId) {
        let mut stores = self.lock();
        let store = stores.entry(store.to_owned()).or_default();
        store.asked.insert(user.clone());
        store.notify.notify_one();
    }

    /// What is known of a user of a store has changed: it is looked up before that calendar is looked at.
    pub(crate) fn renewed(&self, store: &str, user: &UserId) {
        let mut stores = self.lock();
        let store = stores.entry(store.to_owned()).or_default();
        store.is_renewed = true;
        store.asked.insert(user.clone());
        store.notify.notify_one();
    }

    /// The stores that cannot be watched now, each with the reason.
    pub fn troubles(&self) -> Vec<(String, String)> {
        let stores = self.lock();
        let troubled = stores.iter();
        troubled
            .filter_map(|(name, store)| Some((name.clone(), store.trouble.clone()?)))
            .collect()
    }

    /// The stores behind which somebody schedules by itself, each with what does, and how it is switched off.
    pub fn scheduled_by_others(&self) -> Vec<(String, String)> {
        let stores = self.lock();
        let stores = stores.iter();
        stores
            .filter_map(|(name, store)| Some((name.clone(), store.schedules_itself.clone()?)))
            .collect()
    }

    /// What is known of that now; whether it is news.
    pub(crate) fn schedules_itself(&self, store: &str, sentence: Option<&str>) -> bool {
        let mut stores = self.lock();
        let store = stores.entry(store.to_owned()).or_default();
        let is_news = store.schedules_itself.as_deref() != sentence;
        store.schedules_itself = sentence.map(str::to_owned);
        is_news
    }

    pub(crate) fn of(&self, store: &str) -> Asked {
        let mut stores = self.lock();
        let notify = stores.entry(store.to_owned()).or_default().notify.clone();
        Asked {
            all: self.clone(),
            store: store.to_owned(),
            notify,
        }
    }

    pub(crate) fn troubled(&self, store: &str, why: &str) {
        self.lock().entry(store.to_owned()).or_default().trouble = Some(why.to_owned());
    }

    pub(crate) fn well(&self, store: &str) {
        self.lock().entry(store.to_owned()).or_default().trouble = None;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Store>> {
        // Sets change in one step, so that a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// Whoever is asked for next, once there is somebody.
    pub(crate) async fn next(&self) -> Vec<UserId> {
        loop {
            let asked = {
                let mut stores = self.all.lock();
                let store = stores.entry(self.store.clone()).or_default();
                std::mem::take(&mut store.asked)
            };
            if !asked.is_empty() {
                return asked.into_iter().collect();
            }
            self.notify.notified().await;
        }
    }

    /// Whether what is known of some user has changed since this was asked last.
    pub(crate) fn takes_renewed(&self) -> bool {
        let mut stores = self.all.lock();
        let store = stores.entry(self.store.clone()).or_default();
        std::mem::take(&mut store.is_renewed)
    }

    /// Whether the state knows already that the changes of a user are told to nobody.
    pub(crate) fn is_off(&self, user: &UserId) -> bool {
        let stores = self.all.lock();
        stores
            .get(&self.store)
            .is_some_and(|store| store.off.contains(user))
    }

    pub(crate) fn set_off(&self, user: &UserId) {
        let mut stores = self.all.lock();
        let store = stores.entry(self.store.clone()).or_default();
        store.off.insert(user.clone());
    }

    pub(crate) fn set_on(&self, user: &UserId) {
        let mut stores = self.all.lock();
        if let Some(store) = stores.get_mut(&self.store) {
            store.off.remove(user);
        }
    }
}
