//! The stores of a configuration, as commands reach them: through the running host, or where none runs, opened here.
//!
//! A store has one master while the host runs: it is asked, and what it writes belongs to its user. Either way what is asked
//! is a method of the admin API ([`crate::admin`]).

use super::{context::Global, output::Failure, owner::become_owner};
use crate::{
    admin::{
        api::{
            AddUser, Find, FindIn, Get, Object, Objects, Put, RemoveUser, StoreFor, StoreInbox,
            StoreNames, Tells, Text, UpdateUser, Users,
        },
        client::{Client, Failed},
        stores::OfStores,
    },
    state_folder,
};
use convoke_plugin_host::Plugins;
use convoke_types::{
    CalendarAddress, CalendarUser, Error, Etag, InboxEntry, Listing, NewObject, NewUser,
    ObjectSummary, Page, Precondition, StoredObject, Uid, UserId,
};
use std::{io, path::Path, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The stores of a configuration.
#[derive(Clone)]
pub(crate) enum Session {
    /// Of the running host.
    Running(Client),
    /// Opened here.
    Opened(Arc<Plugins>),
}

/// How long a host may take from its first moment until it can be asked, and from its last answer until it has ended.
const STARTING: Duration = Duration::from_secs(30);
/// How often it is looked whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

fn unusable(state: &Path, error: &io::Error) -> Failure {
    Failure::new(format!(
        "{}: the state folder cannot be used: {error}; do this as the host's user, or see `server.state`",
        state.display()
    ))
}

impl Global {
    /// The stores that the configuration names. To be called before anything is read from stdin: root goes on as the host's
    /// user where they are opened here. No host starts then until this command has ended.
    pub(super) async fn stores(&self) -> Result<Session, Failure> {
        let state = self.config()?.server.state;
        let until = Instant::now() + STARTING;
        loop {
            if let Some(client) = self.running_host().await? {
                return Ok(Session::Running(client));
            }
            become_owner(&state)?;
            if state_folder::hold(&state).map_err(|error| unusable(&state, &error))? {
                return Ok(Session::Opened(Arc::new(self.plugins().await?)));
            }
            if Instant::now() >= until {
                return Err(Failure::new(format!(
                    "{}: a convoke serves with this state folder, and does not answer at its control socket; see its log, or \
                     end it",
                    state.display()
                )));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The running host, for what takes one.
    pub(super) async fn needed_host(&self) -> Result<Client, Failure> {
        match self.running_host().await? {
            Some(client) => Ok(client),
            None => Err(Failure::new(format!(
                "no convoke is running; start it with `convoke serve --config {}`",
                self.config()?.file.display()
            ))),
        }
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
        let names = self.ask(StoreNames {}).await?;
        Ok(names.into_iter().map(|name| self.store(name)).collect())
    }

    /// The one that serves an address.
    pub(super) async fn for_address(
        &self,
        address: &CalendarAddress,
    ) -> Result<Option<StoreSession>, Error> {
        let address = address.clone();
        let name = self.ask(StoreFor { address }).await?;
        Ok(name.map(|name| self.store(name)))
    }

    /// The calendar user that an address means, and its store.
    pub(super) async fn find(
        &self,
        address: &CalendarAddress,
    ) -> Result<Option<(StoreSession, CalendarUser)>, Error> {
        let address = address.clone();
        let found = self.ask(Find { address }).await?;
        Ok(found.map(|found| (self.store(found.store), found.user)))
    }

    fn store(&self, name: String) -> StoreSession {
        StoreSession {
            name,
            session: self.clone(),
        }
    }

    /// Has the host do it that runs, or does it here.
    pub(super) async fn ask<M: OfStores>(&self, method: M) -> Result<M::Answer, Error> {
        match self {
            Self::Running(client) => asked(client.call(&method).await),
            Self::Opened(plugins) => method.run(plugins).await,
        }
    }
}

/// One store.
#[derive(Clone)]
pub(crate) struct StoreSession {
    name: String,
    session: Session,
}

/// The methods of a store.
impl StoreSession {
    /// What the administrator calls it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) async fn find(
        &self,
        address: &CalendarAddress,
    ) -> Result<Option<CalendarUser>, Error> {
        let (store, address) = (self.name.clone(), address.clone());
        self.session.ask(FindIn { store, address }).await
    }

    pub(super) async fn users(&self, page: &Page) -> Result<Listing<CalendarUser>, Error> {
        let (store, page) = (self.name.clone(), page.clone());
        self.session.ask(Users { store, page }).await
    }

    pub(super) async fn add_user(&self, user: &NewUser) -> Result<UserId, Error> {
        let (store, user) = (self.name.clone(), user.clone());
        self.session.ask(AddUser { store, user }).await
    }

    pub(super) async fn update_user(&self, user: &CalendarUser) -> Result<(), Error> {
        let (store, user) = (self.name.clone(), user.clone());
        self.session.ask(UpdateUser { store, user }).await
    }

    pub(super) async fn remove_user(&self, user: &CalendarUser) -> Result<(), Error> {
        let (store, user) = (self.name.clone(), user.clone());
        self.session.ask(RemoveUser { store, user }).await
    }

    pub(super) async fn list(
        &self,
        user: &UserId,
        page: &Page,
    ) -> Result<Listing<ObjectSummary>, Error> {
        let (store, user, page) = (self.name.clone(), user.clone(), page.clone());
        self.session.ask(Objects { store, user, page }).await
    }

    pub(super) async fn get(
        &self,
        user: &UserId,
        uid: &Uid,
    ) -> Result<Option<StoredObject>, Error> {
        let (store, user, uid) = (self.name.clone(), user.clone(), uid.clone());
        let found = self.session.ask(Get { store, user, uid }).await?;
        Ok(found.map(Object::into))
    }

    pub(super) async fn inbox(
        &self,
        user: &UserId,
        page: &Page,
    ) -> Result<Listing<InboxEntry>, Error> {
        let (store, user, page) = (self.name.clone(), user.clone(), page.clone());
        self.session.ask(StoreInbox { store, user, page }).await
    }

    pub(super) async fn put(
        &self,
        user: &CalendarUser,
        object: &NewObject,
        when: &Precondition,
        tells: Tells,
    ) -> Result<Etag, Error> {
        let put = Put {
            store: self.name.clone(),
            user: user.clone(),
            data: Text(object.data.clone()),
            index: object.index.clone(),
            when: when.clone(),
            tells,
        };
        self.session.ask(put).await
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
