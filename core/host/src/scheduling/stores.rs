//! Calendar users and their objects, by the store plugins. Messages that wait for a person are kept in the state where a store
//! has no place for them.

use crate::{config::Config, state::OurState};
use convoke_plugin_host::{Plugins, StoreHandle};
use convoke_scheduling::{Home, InboxItem, Kept, Room, Stores};
use convoke_sdk::{Delivery, InboxMessage};
use convoke_types::{
    Busy, CalendarAddress, CalendarUser, Changes, Cursor, Domain, Error, ErrorKind, Etag,
    InboxEntry, Listing, MessageId, NewObject, Page, Precondition, RequestStatus, StoredObject,
    TimeRange, Uid,
};
use std::sync::Arc;

/// The stores of the configuration.
pub struct OurStores {
    config: Arc<Config>,
    plugins: Arc<Plugins>,
}

impl OurStores {
    pub(super) const fn new(config: Arc<Config>, plugins: Arc<Plugins>) -> Self {
        Self { config, plugins }
    }
}

impl Stores for OurStores {
    type Home = OurHome;

    fn is_our_domain(&self, domain: &Domain) -> bool {
        self.config.is_ours(domain)
    }

    async fn find(&self, address: &CalendarAddress) -> Result<Option<OurHome>, Error> {
        let found = self.plugins.stores.find(address).await?;
        Ok(found.map(|(store, user)| OurHome::new(&self.plugins, store.clone(), user)))
    }
}

/// A calendar user, and the store that it is in.
pub struct OurHome {
    store: Arc<StoreHandle>,
    user: CalendarUser,
    state: OurState,
}

impl OurHome {
    /// What `store`, one of the plugins, has of `user`.
    pub fn new(plugins: &Plugins, store: Arc<StoreHandle>, user: CalendarUser) -> Self {
        let state = OurState::of(plugins);
        Self { store, user, state }
    }

    /// What waits for the user, if the store has no place for it.
    fn beside_the_store(&self) -> Kept<'_, OurState> {
        Kept::of(&self.state, &self.user)
    }

    async fn add_to_inbox(&self, message: &InboxMessage) -> Result<(), Error> {
        let added = self.store.inbox_add(&self.user.id, message).await;
        let added = if is_unsupported(&added) {
            self.beside_the_store().add(message).await
        } else {
            added
        };
        added.map(drop)
    }

    /// Whose it is.
    #[cfg(feature = "caldav")]
    pub(crate) fn into_user(self) -> CalendarUser {
        self.user
    }

    /// The store.
    pub const fn place(&self) -> &Arc<StoreHandle> {
        &self.store
    }
}

impl Home for OurHome {
    fn user(&self) -> &CalendarUser {
        &self.user
    }

    fn store(&self) -> &str {
        self.store.name()
    }

    async fn get(&self, uid: &Uid) -> Result<Option<StoredObject>, Error> {
        self.store.get(&self.user.id, uid).await
    }

    async fn put(&self, object: &NewObject, when: &Precondition) -> Result<Etag, Error> {
        self.store.put(&self.user.id, object, when).await
    }

    async fn remove(&self, uid: &Uid, when: &Precondition) -> Result<(), Error> {
        self.store.remove(&self.user.id, uid, when).await
    }

    async fn changes(&self, since: Option<&Cursor>) -> Result<Changes, Error> {
        self.store.changes(&self.user.id, since).await
    }

    async fn busy(&self, range: TimeRange) -> Result<Busy, Error> {
        self.store.busy(&self.user.id, range).await
    }

    async fn deliver(&self, item: &InboxItem<'_>) -> Result<Option<RequestStatus>, Error> {
        let delivery = self.store.deliver(&self.user.id, &kept(item)).await?;
        Ok(match delivery {
            Delivery::Unhandled => None,
            // What cannot be read is no yes.
            Delivery::Handled(status) => {
                Some(status.parse().unwrap_or(RequestStatus::SERVICE_UNAVAILABLE))
            }
            // Doing it once more could tell people twice.
            _ => Some(RequestStatus::SERVICE_UNAVAILABLE),
        })
    }

    async fn inbox(&self, page: &Page) -> Result<Listing<InboxEntry>, Error> {
        let listed = self.store.inbox_list(&self.user.id, page).await;
        if is_unsupported(&listed) {
            return self.beside_the_store().list(page).await;
        }
        listed
    }

    async fn take(&self, id: &MessageId) -> Result<InboxMessage, Error> {
        let taken = self.store.inbox_take(&self.user.id, id).await;
        if is_unsupported(&taken) {
            return self.beside_the_store().take(id).await;
        }
        taken
    }

    async fn put_back(&self, message: &InboxMessage) -> Result<(), Error> {
        self.add_to_inbox(message).await
    }

    async fn keep(&self, item: &InboxItem<'_>, instances: &str, room: Room) -> Result<(), Error> {
        let room = convoke_sdk::Room::new(room.total, room.of_sender);
        let message = kept(item).about(instances).within(room);
        self.add_to_inbox(&message).await
    }
}

fn is_unsupported<T>(done: &Result<T, Error>) -> bool {
    matches!(done, Err(error) if error.kind() == ErrorKind::Unsupported)
}

fn kept(item: &InboxItem<'_>) -> InboxMessage {
    InboxMessage::new(
        item.originator.clone(),
        item.recipient.clone(),
        item.message.method().as_str(),
        item.message.uid().clone(),
        item.data.to_vec(),
    )
}
