//! Whose calendar a path of the server behind us lies in.
//!
//! A store says where the calendars of its users are ([`CalendarUser::CALDAV_HOMES`]). Who is not listed is found by the name
//! that the server took as a log-in: `u1` is `u1@` one of our domains, if that user's calendars are where the request goes.

use super::urls;
use crate::{config::UpstreamServer, scheduling::OurHome};
use convoke_plugin_host::{Plugins, StoreHandle};
use convoke_types::{CalendarAddress, CalendarUser, Domain, Error, Page};
use moka::future::Cache;
use std::{sync::Arc, time::Duration};

/// For how long a list of the calendar users is good.
const LIST_EVERY: Duration = Duration::from_secs(10);
/// Calendar users that are listed at once.
const PAGE: u32 = 500;
/// For how long a log-in is not looked up again.
const LOOKED_UP: Duration = Duration::from_secs(300);
const MOST: u64 = 10_000;

/// The calendar users behind this listener.
pub(crate) struct People {
    server: UpstreamServer,
    listed: Cache<(), Arc<Vec<Listed>>>,
    /// Whom log-ins name.
    named: Cache<String, Option<Arc<Listed>>>,
    /// Log-ins that were looked up lately.
    logins: moka::sync::Cache<String, ()>,
}

struct Listed {
    /// Paths, in segments.
    homes: Vec<Vec<String>>,
    store: Arc<StoreHandle>,
    user: CalendarUser,
}

impl Listed {
    fn home(&self, plugins: &Plugins) -> OurHome {
        OurHome::new(plugins, self.store.clone(), self.user.clone())
    }
}

impl People {
    pub(super) fn new(server: UpstreamServer) -> Self {
        Self {
            server,
            listed: Cache::builder()
                .max_capacity(1)
                .time_to_live(LIST_EVERY)
                .build(),
            named: Cache::builder()
                .max_capacity(MOST)
                .time_to_live(LIST_EVERY)
                .build(),
            logins: moka::sync::Cache::builder()
                .max_capacity(MOST)
                .time_to_live(LOOKED_UP)
                .build(),
        }
    }

    /// Whose calendars a path lies in; `login` has been proved to the server.
    pub(crate) async fn at(
        &self,
        plugins: &Plugins,
        domains: &[Domain],
        path: &str,
        login: Option<&str>,
    ) -> Option<OurHome> {
        let path = urls::segments(path)?;
        let listed = self.listed.get_with((), self.list(plugins)).await;
        if let Some(listed) = listed.iter().find(|it| is_in(&path, &it.homes)) {
            return Some(listed.home(plugins));
        }
        let named = self.named(plugins, domains, login?).await?;
        is_in(&path, &named.homes).then(|| named.home(plugins))
    }

    /// Looks a log-in up again: somebody who was no calendar user may be one by now.
    pub(crate) async fn look_again(&self, login: &str) {
        self.named.invalidate(login).await;
    }

    /// Whether a log-in was not looked up lately.
    pub(crate) fn is_new(&self, login: &str) -> bool {
        let is_new = !self.logins.contains_key(login);
        if is_new {
            self.logins.insert(login.to_owned(), ());
        }
        is_new
    }

    /// Whom a log-in of the server names, if that user's calendars are on it.
    pub(crate) async fn of(
        &self,
        plugins: &Plugins,
        domains: &[Domain],
        login: &str,
    ) -> Option<OurHome> {
        let named = self.named(plugins, domains, login).await?;
        Some(named.home(plugins))
    }

    async fn named(
        &self,
        plugins: &Plugins,
        domains: &[Domain],
        login: &str,
    ) -> Option<Arc<Listed>> {
        if let Some(known) = self.named.get(login).await {
            return known;
        }
        let mut is_certain = true;
        for address in addresses(domains, login) {
            match plugins.stores.find(&address).await {
                Ok(Some((store, user))) => {
                    if let Some(found) = self.listed(store, user) {
                        let found = Arc::new(found);
                        let known = Some(found.clone());
                        self.named.insert(login.to_owned(), known.clone()).await;
                        self.may_be_listed(&found).await;
                        return known;
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    is_certain = false;
                    tracing::debug!("whose log-in {login:?} is, is not known: {error}");
                }
            }
        }
        if is_certain {
            self.named.insert(login.to_owned(), None).await;
        }
        None
    }

    /// Somebody was found, whom the store may list from now on. Who is listed already changes nothing: names that nobody has
    /// proved come here, too.
    async fn may_be_listed(&self, found: &Listed) {
        let is_same =
            |it: &Listed| it.store.name() == found.store.name() && it.user.id == found.user.id;
        let listed = self.listed.get(&()).await;
        if !listed.is_some_and(|listed| listed.iter().any(is_same)) {
            self.listed.invalidate(&()).await;
        }
    }

    /// A user, if the calendars are on the server.
    fn listed(&self, store: &Arc<StoreHandle>, user: CalendarUser) -> Option<Listed> {
        let homes = self.homes(&user);
        (!homes.is_empty()).then(|| Listed {
            homes,
            store: store.clone(),
            user,
        })
    }

    /// Where a user's calendars are on the server: paths, in segments.
    fn homes(&self, user: &CalendarUser) -> Vec<Vec<String>> {
        let said = user.attributes.get(CalendarUser::CALDAV_HOMES);
        let urls = said.unwrap_or_default().split(' ');
        let paths = urls.filter_map(|url| urls::path_on(&self.server, url));
        let paths = paths.filter_map(|path| urls::segments(&path));
        // Everybody's would be in the root.
        paths.filter(|path| !path.is_empty()).collect()
    }

    async fn list(&self, plugins: &Plugins) -> Arc<Vec<Listed>> {
        let mut all = Vec::new();
        for store in plugins.stores.iter() {
            if let Err(error) = self.list_store(store, &mut all).await {
                tracing::debug!("the users of {} are not listed: {error}", store.name());
            }
        }
        Arc::new(all)
    }

    async fn list_store(
        &self,
        store: &Arc<StoreHandle>,
        all: &mut Vec<Listed>,
    ) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = store.users(&Page::after(after, PAGE)).await?;
            let users = page.items.into_iter();
            all.extend(users.filter_map(|user| self.listed(store, user)));
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

fn is_in(path: &[String], homes: &[Vec<String>]) -> bool {
    homes.iter().any(|home| path.starts_with(home))
}

/// Whom a log-in may name.
fn addresses(domains: &[Domain], login: &str) -> Vec<CalendarAddress> {
    if login.contains('@') {
        return CalendarAddress::new(login).into_iter().collect();
    }
    let addresses = (domains.iter()).map(|it| CalendarAddress::new(&format!("{login}@{it}")));
    addresses.filter_map(Result::ok).collect()
}
