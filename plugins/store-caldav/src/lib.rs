//! Calendars on any CalDAV server: Radicale, sabre/dav (Baikal, Nextcloud), Xandikos, Cyrus…
//!
//! ```toml
//! [[store]]
//! plugin = "store-caldav"
//! domains = ["example.org"]
//! config.url = "https://dav.example.org/"
//! config.users."anna@example.org" = { login = { username = "anna", password_file = "anna.password" } }
//! config.users."bo@example.org" = { timezone = "Europe/Vienna", login = { username = "bo", password_file = "bo.password" } }
//! ```
//!
//! or, with a login that may read and write everybody's calendars:
//!
//! ```toml
//! [[store]]
//! plugin = "store-caldav"
//! domains = ["example.org"]
//! config.home = "https://dav.example.org/{user}/"
//! config.login = { username = "convoke", password_file = "dav.password" }
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | `config` | what the administrator writes |
//! | `users` | whose calendars are where; which address is whose |
//! | `discovery` | from a server's address to a user's calendars |
//! | `account` | one user's objects: get, put, remove, busy, one call at a time |
//! | `sync` | brings what is known of an account in line with the server |
//! | `new_object` | which calendar a new object goes to |
//! | `remote`, `replica` | an account on the server, and what is known of it here |
//! | `dav`, `xml`, `href` | what is asked, what is answered, where it lies |
//! | `server`, `error` | HTTP: deadlines, retries, redirects, bounds, and why there is no answer |
//! | `connect`, `names` | TLS, which URLs may be used, and where servers are |
//! | `waiting`, `looks`, `news` | waiting for changes to many accounts |
//! | `pace`, `outages` | when an account, and a server that is down, is looked at again |
//! | `login` | Basic and Digest |
//!
//! How it answers. What is known of a user's objects stands in a [mirror](convoke_sdk::mirror). Before a question about
//! busy time one PROPFIND of the user's home says which calendars changed (`ctag`, `sync-token`); of those only
//! what changed is fetched (`sync-collection`, else a comparison of entity tags) and described by the host.
//! Servers' own free-busy reports are not used: all that were tried count what the user declined as busy. An object is
//! found by a query for its UID until the mirror is complete, then in the mirror.
//!
//! What must hold:
//! - every write names the version it replaces (`If-Match`, `If-None-Match: *`), so a second try does nothing twice;
//! - no URL is made of a UID, and a password goes to no other server than the one it was given for;
//! - what cannot be done now is `Unavailable`, in a sentence that names server, user and remedy;
//! - an object that cannot be read is skipped, named once in the log, and never rewritten.
//!
//! Not here: finding users by searching the server's principals; calendar users that others' proxies give access to;
//! a place for messages a person has to decide on (a server offers none, so a COUNTER is refused); a mirror on disk:
//! after a start each account is read once. What a server rewrites when it stores it (Radicale sorts and re-folds) is
//! handed back as rewritten.
//!
//! A server that schedules by itself (RFC 6638) is noticed when an account is first reached, and said in the user's attribute
//! [`SCHEDULES_ITSELF`](CalendarUser::SCHEDULES_ITSELF). No message is handed to such a server whole
//! ([`deliver`](Store::deliver)): only users of its own may post to a scheduling outbox, and what Xandikos lets be put into an
//! inbox it applies without a look at SEQUENCE, organizer or instance.

mod account;
mod config;
mod connect;
mod dav;
mod discovery;
mod error;
mod href;
mod login;
mod looks;
mod names;
mod new_object;
mod news;
mod outages;
mod pace;
mod remote;
mod replica;
mod server;
mod sync;
mod users;
mod waiting;
mod xml;

use account::Account;
pub use config::{Config, Kind, Login, Profile};
use convoke_sdk::prelude::*;

use std::sync::Arc;
use users::Users;

/// Users of CalDAV servers.
pub struct CalDavStore(Arc<Users>);

impl Store for CalDavStore {
    type Config = Config;

    async fn open(config: Config, host: Host) -> Result<Self> {
        Ok(Self(Arc::new(Users::new(config, host)?)))
    }

    async fn find(&self, address: &CalendarAddress, _: &Call) -> Result<Option<CalendarUser>> {
        self.0.find(address).await
    }

    async fn get(&self, user: &UserId, uid: &Uid, _: &Call) -> Result<Option<StoredObject>> {
        self.account(user).await?.get(uid).await
    }

    async fn put(
        &self,
        user: &UserId,
        object: &NewObject,
        when: &Precondition,
        _: &Call,
    ) -> Result<Etag> {
        self.account(user)
            .await?
            .put(object.clone(), when.clone())
            .await
    }

    async fn remove(&self, user: &UserId, uid: &Uid, when: &Precondition, _: &Call) -> Result<()> {
        self.account(user).await?.remove(uid, when.clone()).await
    }

    async fn busy(&self, user: &UserId, range: TimeRange, _: &Call) -> Result<Busy> {
        self.account(user).await?.busy(range).await
    }

    async fn users(&self, page: &Page, _: &Call) -> Result<Listing<CalendarUser>> {
        self.0.list(page).await
    }

    async fn list(&self, user: &UserId, page: &Page, _: &Call) -> Result<Listing<ObjectSummary>> {
        self.account(user).await?.list(page).await
    }

    async fn changes(&self, user: &UserId, since: Option<&Cursor>, _: &Call) -> Result<Changes> {
        self.account(user).await?.changes(since).await
    }

    async fn await_changes(&self, watch: &Watch, call: &Call) -> Result<Changed> {
        waiting::wait(&self.0, &watch.users, call).await
    }

    async fn close(&self, _: &Call) -> Result<()> {
        self.0.looks().close();
        Ok(())
    }
}

impl CalDavStore {
    async fn account(&self, user: &UserId) -> Result<Arc<Account>> {
        let account = self.0.account(user).await?;
        account.ok_or_else(|| {
            Error::not_found(format!(
                "no calendar user `{user}` is configured, or on the server"
            ))
        })
    }
}

convoke_sdk::plugin! { name: "store-caldav", store: CalDavStore }

#[cfg(test)]
mod tests;
