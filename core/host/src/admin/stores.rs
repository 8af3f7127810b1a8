//! The methods that stores alone answer: a host does them on its own stores, and a command on those that it has opened, where
//! no host runs.

use super::api::{
    AddUser, Find, FindIn, Found, Get, Method, Object, Objects, Put, RemoveUser, StoreFor,
    StoreNames, UpdateUser, Users,
};
use convoke_plugin_host::{StoreHandle, Stores};
use convoke_types::{CalendarUser, Error, Etag, Listing, NewObject, ObjectSummary, UserId};
use std::sync::Arc;

/// A method that stores answer.
pub(crate) trait OfStores: Method {
    /// Does what it says.
    fn run(self, stores: &Stores) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

impl OfStores for StoreNames {
    async fn run(self, stores: &Stores) -> Result<Vec<String>, Error> {
        Ok(stores.iter().map(|store| store.name().to_owned()).collect())
    }
}

impl OfStores for StoreFor {
    async fn run(self, stores: &Stores) -> Result<Option<String>, Error> {
        let store = stores.for_address(&self.address);
        Ok(store.map(|store| store.name().to_owned()))
    }
}

impl OfStores for Find {
    async fn run(self, stores: &Stores) -> Result<Option<Found>, Error> {
        let found = stores.find(&self.address).await?;
        Ok(found.map(|(store, user)| Found {
            store: store.name().to_owned(),
            user,
        }))
    }
}

impl OfStores for FindIn {
    async fn run(self, stores: &Stores) -> Result<Option<CalendarUser>, Error> {
        named(stores, &self.store)?.find(&self.address).await
    }
}

impl OfStores for Users {
    async fn run(self, stores: &Stores) -> Result<Listing<CalendarUser>, Error> {
        named(stores, &self.store)?.users(&self.page).await
    }
}

impl OfStores for AddUser {
    async fn run(self, stores: &Stores) -> Result<UserId, Error> {
        named(stores, &self.store)?.add_user(&self.user).await
    }
}

impl OfStores for UpdateUser {
    async fn run(self, stores: &Stores) -> Result<(), Error> {
        named(stores, &self.store)?.update_user(&self.user).await
    }
}

impl OfStores for RemoveUser {
    async fn run(self, stores: &Stores) -> Result<(), Error> {
        named(stores, &self.store)?.remove_user(&self.user).await
    }
}

impl OfStores for Objects {
    async fn run(self, stores: &Stores) -> Result<Listing<ObjectSummary>, Error> {
        let store = named(stores, &self.store)?;
        store.list(&self.user, &self.page).await
    }
}

impl OfStores for Get {
    async fn run(self, stores: &Stores) -> Result<Option<Object>, Error> {
        let store = named(stores, &self.store)?;
        let found = store.get(&self.user, &self.uid).await?;
        Ok(found.map(Object::from))
    }
}

impl OfStores for Put {
    async fn run(self, stores: &Stores) -> Result<Etag, Error> {
        let store = named(stores, &self.store)?;
        let object = NewObject::new(self.data.0, self.index);
        store.put(&self.user, &object, &self.when).await
    }
}

fn named<'a>(stores: &'a Stores, name: &str) -> Result<&'a Arc<StoreHandle>, Error> {
    stores.by_name(name).ok_or_else(|| {
        Error::not_found(format!(
            "the running host has no [[store]] of the name `{name}`; if the configuration has one, `convoke reload` first"
        ))
    })
}
