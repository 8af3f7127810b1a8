//! The stores of a configuration, as commands reach them: through the running host, or where none runs, opened here.
//!
//! A store has one master while the host runs: it is asked, and what it writes belongs to its user.

use super::{context::Global, output::Failure, owner::become_owner};
use crate::{
    admin::{
        api::{
            AddUser, Find, FindIn, Get, Object, Objects, Put, RemoveUser, StoreFor, Stores, Text,
            Users,
        },
        client::{Client, Failed},
    },
    scheduling::OurHome,
};
use convoke_plugin_host::{Plugins, StoreHandle};
use convoke_types::{
    CalendarAddress, CalendarUser, Error, Etag, Listing, NewObject, NewUser, ObjectSummary, Page,
    Precondition, StoredObject, Uid, UserId,
};
use std::{io, sync::Arc};

/// The stores of a configuration.
pub(crate) enum Session {
    /// Of the running host.
    Running(Client),
    /// Opened here.
    Opened(Plugins),
}

impl Global {
    /// The stores that the configuration names. To be called before anything is read from stdin: root goes on as the host's
    /// user where they are opened here.
    pub(super) async fn stores(&self) -> Result<Session, Failure> {
        if let Some(client) = self.running_host().await? {
            return Ok(Session::Running(client));
        }
        become_owner(&self.config()?.server.state)?;
        Ok(Session::Opened(self.plugins().await?))
    }

    /// The host that runs with the configuration's state folder, if one does.
    pub(super) async fn running_host(&self) -> Result<Option<Client>, Failure> {
        let state = self.config()?.server.state;
        match Client::find(&state).await {
            Ok(client) => Ok(Some(client)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(Failure::new(format!(
                    "whether a host runs with {} cannot be seen ({error}); do this as the host's user",
                    state.display()
                )))
            }
            Err(_) => Ok(None),
        }
    }
}

impl Session {
    /// All of them, in the order of the configuration.
    pub(super) async fn all(&self) -> Result<Vec<StoreSession>, Error> {
        Ok(match self {
            Self::Running(client) => {
                let names = asked(client.call(&Stores {}).await)?;
                let names = names.into_iter();
                names
                    .map(|name| StoreSession::running(client, name))
                    .collect()
            }
            Self::Opened(plugins) => plugins.stores.iter().map(StoreSession::opened).collect(),
        })
    }

    /// The one that serves an address.
    pub(super) async fn for_address(
        &self,
        address: &CalendarAddress,
    ) -> Result<Option<StoreSession>, Error> {
        Ok(match self {
            Self::Running(client) => {
                let address = address.clone();
                let name = asked(client.call(&StoreFor { address }).await)?;
                name.map(|name| StoreSession::running(client, name))
            }
            Self::Opened(plugins) => plugins
                .stores
                .for_address(address)
                .map(StoreSession::opened),
        })
    }

    /// The calendar user that an address means, and its store.
    pub(super) async fn find(
        &self,
        address: &CalendarAddress,
    ) -> Result<Option<(StoreSession, CalendarUser)>, Error> {
        Ok(match self {
            Self::Running(client) => {
                let address = address.clone();
                let found = asked(client.call(&Find { address }).await)?;
                found.map(|found| (StoreSession::running(client, found.store), found.user))
            }
            Self::Opened(plugins) => {
                let found = plugins.stores.find(address).await?;
                found.map(|(store, user)| (StoreSession::opened(store), user))
            }
        })
    }
}

/// One store.
#[derive(Clone)]
pub(crate) struct StoreSession {
    name: String,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Running(Client),
    Opened(Arc<StoreHandle>),
}

/// The methods of a store; arguments are borrowed as those of [`StoreHandle`].
impl StoreSession {
    fn running(client: &Client, name: String) -> Self {
        Self {
            name,
            way: Way::Running(client.clone()),
        }
    }

    fn opened(store: &Arc<StoreHandle>) -> Self {
        Self {
            name: store.name().to_owned(),
            way: Way::Opened(store.clone()),
        }
    }

    /// What it has of a calendar user; only of a store that is opened here.
    pub(super) fn home(&self, user: CalendarUser) -> Result<OurHome, Failure> {
        match &self.way {
            Way::Opened(store) => Ok(OurHome::new(store.clone(), user)),
            Way::Running(_) => Err(Failure::new(format!(
                "the store `{}` is open in the running host, which has to be asked",
                self.name
            ))),
        }
    }

    /// What the administrator calls it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) async fn find(
        &self,
        address: &CalendarAddress,
    ) -> Result<Option<CalendarUser>, Error> {
        match &self.way {
            Way::Opened(store) => store.find(address).await,
            Way::Running(client) => {
                let (store, address) = (self.name.clone(), address.clone());
                asked(client.call(&FindIn { store, address }).await)
            }
        }
    }

    pub(super) async fn users(&self, page: &Page) -> Result<Listing<CalendarUser>, Error> {
        match &self.way {
            Way::Opened(store) => store.users(page).await,
            Way::Running(client) => {
                let (store, page) = (self.name.clone(), page.clone());
                asked(client.call(&Users { store, page }).await)
            }
        }
    }

    pub(super) async fn add_user(&self, user: &NewUser) -> Result<UserId, Error> {
        match &self.way {
            Way::Opened(store) => store.add_user(user).await,
            Way::Running(client) => {
                let (store, user) = (self.name.clone(), user.clone());
                asked(client.call(&AddUser { store, user }).await)
            }
        }
    }

    pub(super) async fn remove_user(&self, user: &UserId) -> Result<(), Error> {
        match &self.way {
            Way::Opened(store) => store.remove_user(user).await,
            Way::Running(client) => {
                let (store, user) = (self.name.clone(), user.clone());
                asked(client.call(&RemoveUser { store, user }).await)
            }
        }
    }

    pub(super) async fn list(
        &self,
        user: &UserId,
        page: &Page,
    ) -> Result<Listing<ObjectSummary>, Error> {
        match &self.way {
            Way::Opened(store) => store.list(user, page).await,
            Way::Running(client) => {
                let (store, user, page) = (self.name.clone(), user.clone(), page.clone());
                asked(client.call(&Objects { store, user, page }).await)
            }
        }
    }

    pub(super) async fn get(
        &self,
        user: &UserId,
        uid: &Uid,
    ) -> Result<Option<StoredObject>, Error> {
        match &self.way {
            Way::Opened(store) => store.get(user, uid).await,
            Way::Running(client) => {
                let (store, user, uid) = (self.name.clone(), user.clone(), uid.clone());
                let found = asked(client.call(&Get { store, user, uid }).await)?;
                Ok(found.map(Object::into))
            }
        }
    }

    pub(super) async fn put(
        &self,
        user: &UserId,
        object: &NewObject,
        when: &Precondition,
    ) -> Result<Etag, Error> {
        match &self.way {
            Way::Opened(store) => store.put(user, object, when).await,
            Way::Running(client) => {
                let put = Put {
                    store: self.name.clone(),
                    user: user.clone(),
                    data: Text(object.data.clone()),
                    index: object.index.clone(),
                    when: when.clone(),
                };
                asked(client.call(&put).await)
            }
        }
    }
}

/// What a running host answers; one that went away may be asked later.
pub(super) fn asked<T>(answer: Result<T, Failed>) -> Result<T, Error> {
    answer.map_err(|failed| match failed {
        Failed::Refused(error) => error,
        Failed::Unreachable(error) => {
            Error::unavailable(format!("the running host cannot be asked: {error}"))
        }
    })
}
