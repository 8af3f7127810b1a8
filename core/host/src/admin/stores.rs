//! The methods that stores alone answer: a host does them on its own stores, and a command on those that it has opened, where
//! no host runs.

use super::api::{
    AddUser, Delete, Deleted, Find, FindIn, Found, Get, Method, Object, Objects, Put, StoreFor,
    StoreNames, Telling, Tells, UpdateUser, Users,
};
use super::messages::none_of;
use crate::{
    scheduling::{self, OurHome, telling},
    state::OurState,
};
use convoke_plugin_host::{Plugins, StoreHandle};
use convoke_scheduling::adopt;
use convoke_types::{
    CalendarAddress, CalendarUser, Error, Etag, Listing, NewObject, ObjectSummary, Precondition,
    UserId,
};
use std::sync::Arc;

/// A method that stores answer.
pub(crate) trait OfStores: Method {
    /// Does what it says.
    fn run(self, plugins: &Plugins) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

impl OfStores for StoreNames {
    async fn run(self, plugins: &Plugins) -> Result<Vec<String>, Error> {
        let stores = plugins.stores.iter();
        Ok(stores.map(|store| store.name().to_owned()).collect())
    }
}

impl OfStores for StoreFor {
    async fn run(self, plugins: &Plugins) -> Result<Option<String>, Error> {
        let store = plugins.stores.for_address(&self.address);
        Ok(store.map(|store| store.name().to_owned()))
    }
}

impl OfStores for Find {
    async fn run(self, plugins: &Plugins) -> Result<Option<Found>, Error> {
        let found = plugins.stores.find(&self.address).await?;
        Ok(found.map(|(store, user)| Found {
            store: store.name().to_owned(),
            user,
        }))
    }
}

impl OfStores for FindIn {
    async fn run(self, plugins: &Plugins) -> Result<Option<CalendarUser>, Error> {
        named(plugins, &self.store)?.find(&self.address).await
    }
}

impl OfStores for Users {
    async fn run(self, plugins: &Plugins) -> Result<Listing<CalendarUser>, Error> {
        named(plugins, &self.store)?.users(&self.page).await
    }
}

impl OfStores for AddUser {
    async fn run(self, plugins: &Plugins) -> Result<UserId, Error> {
        named(plugins, &self.store)?.add_user(&self.user).await
    }
}

impl OfStores for UpdateUser {
    async fn run(self, plugins: &Plugins) -> Result<(), Error> {
        named(plugins, &self.store)?.update_user(&self.user).await
    }
}

impl OfStores for Objects {
    async fn run(self, plugins: &Plugins) -> Result<Listing<ObjectSummary>, Error> {
        let store = named(plugins, &self.store)?;
        store.list(&self.user, &self.page).await
    }
}

impl OfStores for Get {
    async fn run(self, plugins: &Plugins) -> Result<Option<Object>, Error> {
        let store = named(plugins, &self.store)?;
        let found = store.get(&self.user, &self.uid).await?;
        Ok(found.map(Object::from))
    }
}

impl OfStores for Put {
    async fn run(self, plugins: &Plugins) -> Result<Etag, Error> {
        let store = named(plugins, &self.store)?;
        let object = NewObject::new(self.data.0, self.index);
        let uid = object.index.uid.clone();
        let etag = store.put(&self.user.id, &object, &self.when).await?;
        if self.tells == Tells::Nobody {
            // It is known from now on.
            let home = OurHome::new(plugins, store.clone(), self.user);
            adopt(&OurState::of(plugins), &home, &uid).await?;
        }
        Ok(etag)
    }
}

/// Where no host runs: one that starts sees that it is gone.
impl OfStores for Delete {
    async fn run(self, plugins: &Plugins) -> Result<Deleted, Error> {
        let found = plugins.stores.find(&self.user).await?;
        let (store, user) = found.ok_or_else(|| no_user(&self.user))?;
        let stored = store.get(&user.id, &self.uid).await?;
        let stored = stored.ok_or_else(|| none_of(&self.user, &self.uid))?;
        let when = Precondition::Matches(stored.etag);
        store.remove(&user.id, &self.uid, &when).await?;
        let by = match telling(plugins, store, &user) {
            scheduling::Telling::On => Telling::Later,
            scheduling::Telling::Off | scheduling::Telling::Elsewhere => Telling::Off,
        };
        Ok(Deleted {
            told: Vec::new(),
            by,
        })
    }
}

/// There is no such calendar user.
pub(super) fn no_user(address: &CalendarAddress) -> Error {
    let human = address.human();
    Error::not_found(if address.local_part().is_none() {
        format!(
            "{human} is an address of no calendar user; give it to one with `convoke user add ADDR --alias {human}`"
        )
    } else {
        format!("{human} is no calendar user; make it with `convoke user add {human}`")
    })
}

pub(super) fn named<'a>(plugins: &'a Plugins, name: &str) -> Result<&'a Arc<StoreHandle>, Error> {
    plugins.stores.by_name(name).ok_or_else(|| {
        Error::not_found(format!(
            "the running host has no [[store]] of the name `{name}`; if the configuration has one, `convoke reload` first"
        ))
    })
}
