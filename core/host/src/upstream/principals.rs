//! Which principal of the server behind us is which calendar user, as far as its answers said so.

use super::urls::segments;
use crate::scheduling::OurHome;
use convoke_scheduling::Home;
use convoke_types::UserId;
use moka::sync::Cache;
use std::{sync::Arc, time::Duration};

/// For how long a server's word on its principals is good.
const KNOWN: Duration = Duration::from_secs(600);
const MOST: u64 = 10_000;

/// A path without a difference between spellings.
type Key = Vec<String>;

/// What the server said of its principals.
pub(crate) struct Principals {
    /// Where the calendars of a principal are.
    homes: Cache<Key, Arc<Vec<String>>>,
    /// The principal of a user of a store.
    of_users: Cache<(String, UserId), String>,
    /// The principal of a log-in.
    of_logins: Cache<String, String>,
}

impl Principals {
    pub(super) fn new() -> Self {
        Self {
            homes: cache(),
            of_users: cache(),
            of_logins: cache(),
        }
    }

    /// Where the calendars of a principal are, if that is known.
    pub(crate) fn homes(&self, principal: &str) -> Option<Arc<Vec<String>>> {
        self.homes.get(&segments(principal)?)
    }

    pub(crate) fn note_homes(&self, principal: &str, homes: Vec<String>) {
        if let Some(key) = segments(principal) {
            self.homes.insert(key, Arc::new(homes));
        }
    }

    /// The principal of a user, if that is known.
    pub(crate) fn of_user(&self, home: &OurHome) -> Option<String> {
        self.of_users.get(&whose(home))
    }

    pub(crate) fn note_user(&self, home: &OurHome, principal: &str) {
        self.of_users.insert(whose(home), principal.to_owned());
    }

    /// The principal of a log-in that was proved some time ago.
    pub(crate) fn of_login(&self, login: &str) -> Option<String> {
        self.of_logins.get(login)
    }

    /// `login` has been proved to be this principal's.
    pub(crate) fn note_login(&self, login: &str, principal: &str) {
        self.of_logins
            .insert(login.to_owned(), principal.to_owned());
    }
}

fn whose(home: &OurHome) -> (String, UserId) {
    (home.store().to_owned(), home.user().id.clone())
}

fn cache<K, V>() -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder()
        .max_capacity(MOST)
        .time_to_live(KNOWN)
        .build()
}
