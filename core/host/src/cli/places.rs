//! The configuration file, and the stores opened as it says.

use super::{Global, output::Failure};
use crate::{config::Config, instance};
use convoke_plugin_host::{Plugins, StoreHandle};
use convoke_sdk::{CalendarUser, Error, Page};
use convoke_types::{CalendarAddress, Uid};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where the configuration is looked for, in this order.
const USUAL: [&str; 2] = ["convoke.toml", "/etc/convoke/convoke.toml"];

impl Global {
    /// The configuration file: the one named, or the first of the usual ones that is there.
    pub(super) fn config_file(&self) -> Result<PathBuf, Failure> {
        let usual = || {
            USUAL
                .map(PathBuf::from)
                .into_iter()
                .find(|path| path.exists())
        };
        self.config.clone().or_else(usual).ok_or_else(|| {
            Failure::new(format!(
                "there is no configuration: neither ./{} nor {} exists; name one with --config FILE",
                USUAL[0], USUAL[1]
            ))
        })
    }

    /// The configuration, read.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        open_config(&self.config_file()?)
    }

    /// The plugins that the configuration names, opened.
    pub(super) async fn plugins(&self) -> Result<Plugins, Failure> {
        let config = self.config()?;
        Plugins::open(&instance::setup(&config))
            .await
            .map_err(Failure::from)
    }
}

/// A configuration, read.
pub(crate) fn open_config(file: &Path) -> Result<Config, Failure> {
    Ok(Config::read(file)?)
}

/// The store that serves an address.
pub(super) fn store_of<'a>(
    plugins: &'a Plugins,
    address: &CalendarAddress,
) -> Result<&'a Arc<StoreHandle>, Failure> {
    plugins.stores.for_address(address).ok_or_else(|| {
        Failure::new(format!(
            "no [[store]] of the configuration serves {}; add its domain to the `domains` of one",
            address.human()
        ))
    })
}

/// The calendar user whose address this is, and its store.
pub(super) async fn user_of<'a>(
    plugins: &'a Plugins,
    address: &CalendarAddress,
) -> Result<(&'a Arc<StoreHandle>, CalendarUser), Failure> {
    let unavailable = |error: &Error| match plugins.stores.for_address(address) {
        Some(store) => failed(store, error),
        None => Failure::new(format!("a store cannot be asked: {error}")),
    };
    let found = plugins.stores.find(address).await;
    if let Some(found) = found.map_err(|error| unavailable(&error))? {
        return Ok(found);
    }
    let human = address.human();
    if address.local_part().is_none() {
        return Err(Failure::new(format!(
            "{human} is an address of no calendar user; give it to one with `convoke user add ADDR --alias {human}`"
        )));
    }
    let store = store_of(plugins, address)?;
    Err(Failure::new(format!(
        "{human} is no calendar user of the store `{}`; make it with `convoke user add {human}`",
        store.name()
    )))
}

/// The calendar users of a store.
pub(super) async fn people(store: &StoreHandle) -> Result<Vec<CalendarUser>, Failure> {
    let mut people = Vec::new();
    let mut page = Page {
        after: None,
        limit: 500,
    };
    loop {
        let listing = store.users(&page).await;
        let listing = listing.map_err(|error| failed(store, &error))?;
        people.extend(listing.items);
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(people),
        }
    }
}

/// A store could not do it.
pub(super) fn failed(store: &StoreHandle, error: &Error) -> Failure {
    Failure::new(format!("the store `{}`: {error}", store.name()))
}

/// There is no such object in the calendar.
pub(super) fn none_of(user: &CalendarAddress, uid: &Uid) -> Failure {
    Failure::new(format!(
        "the calendar of {0} holds nothing of UID {uid}; see `convoke calendar list --user {0}`",
        user.human()
    ))
}
