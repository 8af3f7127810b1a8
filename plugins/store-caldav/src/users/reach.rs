//! Which accounts cannot be reached now, and when they are tried again.

use super::{Users, lock};
use crate::{
    account::Account,
    pace::{Found, Pace},
};
use convoke_sdk::{prelude::*, tracing};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex},
};
use tokio::time::Instant;

/// What is known of accounts that are not open, and of those that cannot be looked at.
#[derive(Default)]
pub(super) struct Reach {
    /// Those that could not be opened.
    unopened: Mutex<HashMap<UserId, Pace>>,
    /// Those whom the server does not know, until somebody is told.
    gone: Mutex<HashSet<UserId>>,
    /// Why others cannot be looked at.
    failing: Mutex<BTreeMap<UserId, String>>,
}

impl Users {
    /// When an account is due.
    pub(crate) fn next_look(&self, id: &UserId) -> Instant {
        let next = match self.opened(id) {
            Some(account) => account.pace().next(),
            None => lock(&self.reach.unopened)
                .get(id)
                .map_or_else(Instant::now, Pace::next),
        };
        let outage = self.outage(id).map(|(_, until)| until);
        outage.map_or(next, |until| until.max(next))
    }

    /// The server of an account that is down, and until when nobody asks it who need not.
    fn outage(&self, id: &UserId) -> Option<(String, Instant)> {
        let outages = self.outages();
        if outages.is_none() {
            return None;
        }
        let origin = self.origin(id)?;
        let until = outages.until(&origin)?;
        Some((origin, until))
    }

    /// Whether it may be looked at: of those on a server that is down, one may.
    pub(crate) fn may_look(&self, id: &UserId) -> bool {
        let outage = self.outage(id);
        outage.is_none_or(|(origin, _)| self.outages().may_ask(&origin))
    }

    /// Why an account cannot be looked at.
    pub(crate) fn failure(&self, id: &UserId) -> Option<Error> {
        let own = match self.opened(id) {
            Some(account) => account.pace().failed().cloned(),
            None => lock(&self.reach.unopened)
                .get(id)
                .and_then(Pace::failed)
                .cloned(),
        };
        own.or_else(|| {
            let (origin, _) = self.outage(id)?;
            let what = format!("{origin} does not answer; is the server up?");
            Some(Error::unavailable(what))
        })
    }

    /// Opens an account that is not open yet; `None` if there is no such user.
    pub(crate) async fn try_to_open(&self, id: &UserId) -> Result<Option<Arc<Account>>> {
        let opened = self.account(id).await;
        match &opened {
            Ok(Some(_)) => drop(lock(&self.reach.unopened).remove(id)),
            Ok(None) => drop(lock(&self.reach.gone).insert(id.clone())),
            Err(error) => {
                let mut unopened = lock(&self.reach.unopened);
                let pace = unopened.entry(id.clone());
                let pace = pace.or_insert_with(|| Pace::new(self.longest));
                pace.looked(id, Found::Failure(error.clone()));
            }
        }
        opened
    }

    /// Whether there is no such user, which is told once.
    pub(crate) fn take_gone(&self, id: &UserId) -> bool {
        let may_be = self.config.home.is_some() || self.config.users.contains_key(id.as_str());
        !may_be || lock(&self.reach.gone).remove(id)
    }

    /// An account was looked at.
    pub(crate) fn note_success(&self, id: &UserId) {
        let mut failing = lock(&self.reach.failing);
        if failing.remove(id).is_some() {
            self.say_health(&failing);
        }
    }

    /// An account cannot be looked at: said once in the log, and in the plugin's health.
    pub(crate) fn note_failure(&self, id: &UserId, error: &Error) {
        let mut failing = lock(&self.reach.failing);
        let is_new = failing.insert(id.clone(), error.to_string()).is_none();
        match self.outage(id) {
            Some((origin, _)) if self.outages().log_once(&origin) => tracing::warn!(
                event = "changes-not-seen",
                "no changes to the calendars on {origin} are noticed: {error}"
            ),
            None if is_new => tracing::warn!(
                event = "changes-not-seen",
                "changes to the calendars of {id} are not noticed: {error}"
            ),
            _ => {}
        }
        self.say_health(&failing);
    }

    fn say_health(&self, failing: &BTreeMap<UserId, String>) {
        match failing.first_key_value() {
            Some((id, why)) => self.host.degraded(format!(
                "changes to the calendars of {id} are not noticed: {why}"
            )),
            None => self.host.healthy(),
        }
    }
}
