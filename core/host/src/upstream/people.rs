//! Whose calendar a path of the server behind us lies in.
//!
//! A store says where the calendars of its users are ([`CalendarUser::CALDAV_HOMES`]). Who is not listed is found by the name
//! that the server took as a log-in: `u1` is `u1@` one of our domains, if that user's calendars are where the request goes.

use super::urls;
use crate::{config::UpstreamServer, scheduling::OurHome};
use convoke_plugin_host::{Plugins, StoreHandle};
use convoke_scheduling::Home;
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
    /// Log-ins that were looked up lately.
    logins: moka::sync::Cache<String, ()>,
}

struct Listed {
    /// Paths, as the store writes them.
    homes: Vec<String>,
    store: Arc<StoreHandle>,
    user: CalendarUser,
}

impl People {
    pub(super) fn new(server: UpstreamServer) -> Self {
        Self {
            server,
            listed: Cache::builder()
                .max_capacity(1)
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
        let listed = self.listed.get_with((), self.list(plugins)).await;
        if let Some(listed) = listed.iter().find(|it| is_in(path, &it.homes)) {
            return Some(OurHome::new(listed.store.clone(), listed.user.clone()));
        }
        let home = self.of(plugins, domains, login?).await?;
        is_in(path, &self.homes(home.user())).then_some(home)
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
        for address in addresses(domains, login) {
            match plugins.stores.find(&address).await {
                Ok(Some((store, user))) if !self.homes(&user).is_empty() => {
                    // From now on the store may list it.
                    self.listed.invalidate(&()).await;
                    return Some(OurHome::new(store.clone(), user));
                }
                Ok(_) => {}
                Err(error) => tracing::debug!("whose log-in {login:?} is, is not known: {error}"),
            }
        }
        None
    }

    /// Where a user's calendars are on the server.
    fn homes(&self, user: &CalendarUser) -> Vec<String> {
        let said = user.attributes.get(CalendarUser::CALDAV_HOMES);
        let urls = said.unwrap_or_default().split(' ');
        let paths = urls.filter_map(|url| urls::path_on(&self.server, url));
        // Everybody's would be in the root.
        paths.filter(|path| path.len() > 1).collect()
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
            for user in page.items {
                let homes = self.homes(&user);
                if !homes.is_empty() {
                    all.push(Listed {
                        homes,
                        store: store.clone(),
                        user,
                    });
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

fn is_in(path: &str, homes: &[String]) -> bool {
    homes.iter().any(|home| urls::is_within(path, home))
}

/// Whom a log-in may name.
fn addresses(domains: &[Domain], login: &str) -> Vec<CalendarAddress> {
    if login.contains('@') {
        return CalendarAddress::new(login).into_iter().collect();
    }
    let addresses = (domains.iter()).map(|it| CalendarAddress::new(&format!("{login}@{it}")));
    addresses.filter_map(Result::ok).collect()
}
