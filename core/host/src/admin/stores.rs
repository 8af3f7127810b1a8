//! The methods that stores alone answer: a host does them on its own stores, and a command on those that it has opened, where
//! no host runs.

use super::api::{
    AddUser, Find, FindIn, Found, Get, Method, Object, Objects, Put, RemoveUser, StoreFor,
    StoreNames, UpdateUser, Users,
};
use crate::{scheduling::OurHome, state::OurState};
use convoke_plugin_host::{Plugins, StoreHandle};
use convoke_scheduling::adopt;
use convoke_types::{CalendarUser, Error, Etag, Listing, NewObject, ObjectSummary, UserId};
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

impl OfStores for RemoveUser {
    async fn run(self, plugins: &Plugins) -> Result<(), Error> {
        named(plugins, &self.store)?.remove_user(&self.user).await
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
        // It is known from now on, and told to nobody.
        let home = OurHome::new(store.clone(), self.user);
        adopt(&OurState::of(plugins), &home, &uid).await?;
        Ok(etag)
    }
}

fn named<'a>(plugins: &'a Plugins, name: &str) -> Result<&'a Arc<StoreHandle>, Error> {
    plugins.stores.by_name(name).ok_or_else(|| {
        Error::not_found(format!(
            "the running host has no [[store]] of the name `{name}`; if the configuration has one, `convoke reload` first"
        ))
    })
}
