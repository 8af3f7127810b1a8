//! The configuration file, and the stores opened as it says.

use super::{
    output::Failure,
    session::{Session, StoreSession},
};
use crate::{config::Config, instance};
use clap::Args;
use convoke_plugin_host::Plugins;
use convoke_types::{CalendarAddress, CalendarUser, Error, NewUser, Page, Uid};
use std::path::{Path, PathBuf};

/// Where the configuration is looked for, in this order.
const USUAL: [&str; 2] = ["convoke.toml", "/etc/convoke/convoke.toml"];

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(super) struct Global {
    /// The configuration file [default: ./convoke.toml, then /etc/convoke/convoke.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(super) json: bool,
}

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

    /// The plugins that the configuration names, opened here by who holds the state folder.
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
pub(super) async fn store_of(
    stores: &Session,
    address: &CalendarAddress,
) -> Result<StoreSession, Failure> {
    let serving = stores.for_address(address).await;
    serving.map_err(|error| unavailable(&error))?.ok_or_else(|| {
        Failure::new(format!(
            "no [[store]] of the configuration serves {}; add its domain to the `domains` of one",
            address.human()
        ))
    })
}

/// The calendar user whose address this is, and its store.
pub(super) async fn user_of(
    stores: &Session,
    address: &CalendarAddress,
) -> Result<(StoreSession, CalendarUser), Failure> {
    let found = match stores.find(address).await {
        Ok(found) => found,
        Err(error) => {
            return Err(match stores.for_address(address).await {
                Ok(Some(store)) => failed(&store, &error),
                _ => unavailable(&error),
            });
        }
    };
    if let Some(found) = found {
        return Ok(found);
    }
    let human = address.human();
    if address.local_part().is_none() {
        return Err(Failure::new(format!(
            "{human} is an address of no calendar user; give it to one with `convoke user add ADDR --alias {human}`"
        )));
    }
    let store = store_of(stores, address).await?;
    Err(Failure::new(format!(
        "{human} is no calendar user of the store `{}`; make it with `convoke user add {human}`",
        store.name()
    )))
}

/// The calendar users of a store.
pub(super) async fn people(store: &StoreSession) -> Result<Vec<CalendarUser>, Failure> {
    let mut people = Vec::new();
    let mut page = Page::first(500);
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

/// A calendar user of one store as one to be made in another: without what a store finds out by itself.
pub(super) fn as_new(user: &CalendarUser) -> NewUser {
    let mut new = NewUser::new(user.address.clone());
    new.aliases.clone_from(&user.aliases);
    new.name.clone_from(&user.name);
    new.timezone.clone_from(&user.timezone);
    new.kind = user.kind;
    new.attributes = user.attributes.clone();
    for found_out in [CalendarUser::SCHEDULES_ITSELF, CalendarUser::CALDAV_HOMES] {
        new.attributes.remove(found_out);
    }
    new
}

/// All stores.
pub(super) async fn all(stores: &Session) -> Result<Vec<StoreSession>, Failure> {
    stores.all().await.map_err(|error| unavailable(&error))
}

fn unavailable(error: &Error) -> Failure {
    Failure::new(format!("a store cannot be asked: {error}"))
}

/// A store could not do it.
pub(super) fn failed(store: &StoreSession, error: &Error) -> Failure {
    Failure::new(format!("the store `{}`: {error}", store.name()))
}

/// There is no such object in the calendar.
pub(super) fn none_of(user: &CalendarAddress, uid: &Uid) -> Failure {
    Failure::new(format!(
        "the calendar of {0} holds nothing of UID {uid}; see `convoke calendar list --user {0}`",
        user.human()
    ))
}
