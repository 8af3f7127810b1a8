//! Stores: where calendars live.

use crate::{
    Busy, CalendarAddress, CalendarUser, Changes, Cursor, Error, Etag, Host, Listing, NewObject,
    NewUser, ObjectSummary, Page, Precondition, Result, StoredObject, TimeRange, Uid, UserId,
};
use convoke_abi::store::message;
use serde::de::DeserializeOwned;
use std::future::Future;

/// A calendar store.
///
/// A store keeps bytes. The host hands it an [`ObjectIndex`](crate::ObjectIndex) with every [`put`](Store::put), so a store needs no
/// iCalendar parser: [`busy`](Store::busy) answers from the indexes alone. A store whose files others may change
/// asks the host for an index ([`Host::index`]).
///
/// An object belongs to one calendar user and is named by its UID; two users may hold objects of the same UID, and
/// never see each other's. What `put` has answered is on disk.
///
/// Two helpers do what every store must: [`Precondition::check`] and, for stores that look at every object,
/// [`Busy::add`]. A whole one in memory is in `examples/store-memory`; this one shows the five methods that every store
/// has:
///
/// ```
/// use convoke_sdk::prelude::*;
///
/// /// People who are always free, and take no invitations.
/// struct Hermits(Vec<CalendarAddress>);
///
/// convoke_sdk::config! {
///     struct Config {
///         /// Who they are.
///         people: Vec<CalendarAddress>,
///     }
/// }
///
/// impl Hermits {
///     /// Answers only for users that are there.
///     fn known(&self, user: &UserId) -> Result<()> {
///         match self.0.iter().any(|address| address.as_str() == user.as_str()) {
///             true => Ok(()),
///             false => Err(Error::not_found("there is no such hermit")),
///         }
///     }
/// }
///
/// impl Store for Hermits {
///     type Config = Config;
///
///     async fn open(config: Config, _host: Host) -> Result<Self> {
///         Ok(Self(config.people))
///     }
///
///     async fn find(&self, address: &CalendarAddress) -> Result<Option<CalendarUser>> {
///         let Some(hermit) = self.0.iter().find(|hermit| hermit.same_user(address)) else {
///             return Ok(None);
///         };
///         Ok(Some(CalendarUser::new(UserId::new(hermit.as_str())?, hermit.clone())))
///     }
///
///     async fn get(&self, user: &UserId, _uid: &Uid) -> Result<Option<StoredObject>> {
///         self.known(user).map(|()| None)
///     }
///
///     async fn put(&self, user: &UserId, _: NewObject, _: Precondition) -> Result<Etag> {
///         self.known(user)?;
///         Err(Error::denied("a hermit takes no invitations"))
///     }
///
///     async fn remove(&self, user: &UserId, _: &Uid, _: Precondition) -> Result<()> {
///         self.known(user)?;
///         Err(Error::not_found("a hermit has no appointments"))
///     }
///
///     async fn busy(&self, user: &UserId, _: TimeRange) -> Result<Busy> {
///         self.known(user).map(|()| Busy::default())
///     }
/// }
///
/// convoke_sdk::plugin! { name: "hermits", store: Hermits }
/// # fn main() {}
/// ```
pub trait Store: Sized + Send + Sync + 'static {
    /// What the administrator writes under `config` in this plugin's entry.
    type Config: DeserializeOwned;

    /// Opens the store, making it if it is not there yet. Called once for each entry in the configuration.
    fn open(config: Self::Config, host: Host) -> impl Future<Output = Result<Self>> + Send;

    /// The calendar user whose address or alias this is. The case of a `mailto:` local part does not count.
    fn find(
        &self,
        address: &CalendarAddress,
    ) -> impl Future<Output = Result<Option<CalendarUser>>> + Send;

    /// An object of the user, as it was put.
    fn get(
        &self,
        user: &UserId,
        uid: &Uid,
    ) -> impl Future<Output = Result<Option<StoredObject>>> + Send;

    /// Writes an object if the precondition holds, else [`ErrorKind::Conflict`](crate::ErrorKind::Conflict).
    /// Answers once it is on disk.
    fn put(
        &self,
        user: &UserId,
        object: NewObject,
        when: Precondition,
    ) -> impl Future<Output = Result<Etag>> + Send;

    /// Removes an object if the precondition holds; `NotFound` if there is none.
    fn remove(
        &self,
        user: &UserId,
        uid: &Uid,
        when: Precondition,
    ) -> impl Future<Output = Result<()>> + Send;

    /// When the user is busy in `range`: every indexed span that overlaps it, and every object whose index
    /// [is open](crate::ObjectIndex::is_open_in) in it.
    fn busy(&self, user: &UserId, range: TimeRange) -> impl Future<Output = Result<Busy>> + Send;

    /// Makes a calendar user; `Conflict` if one of the addresses is taken.
    fn add_user(&self, user: NewUser) -> impl Future<Output = Result<UserId>> + Send {
        let _ = user;
        std::future::ready(Err(Error::unsupported(
            "this store makes no calendar users",
        )))
    }

    /// Removes a calendar user with everything that belongs to it; `NotFound` if there is none.
    fn remove_user(&self, user: &UserId) -> impl Future<Output = Result<()>> + Send {
        let _ = user;
        std::future::ready(Err(Error::unsupported(
            "this store removes no calendar users",
        )))
    }

    /// The calendar users, a page at a time, in an order that does not change.
    fn users(&self, page: Page) -> impl Future<Output = Result<Listing<CalendarUser>>> + Send {
        let _ = page;
        std::future::ready(Err(Error::unsupported(
            "this store lists no calendar users",
        )))
    }

    /// The objects of a user, a page at a time, in an order that does not change.
    fn list(
        &self,
        user: &UserId,
        page: Page,
    ) -> impl Future<Output = Result<Listing<ObjectSummary>>> + Send {
        let _ = (user, page);
        std::future::ready(Err(Error::unsupported("this store lists no objects")))
    }

    /// What happened to a user's objects since `since`, or since ever. `Invalid` if the cursor is too old: the
    /// caller then begins again.
    fn changes(
        &self,
        user: &UserId,
        since: Option<Cursor>,
    ) -> impl Future<Output = Result<Changes>> + Send {
        let _ = (user, since);
        std::future::ready(Err(Error::unsupported("this store does not track changes")))
    }

    /// Keeps a message for the person to decide on (a COUNTER, for example), in the place of an earlier one of the same
    /// originator, UID, [instance](KeptMessage::instance) and method. `Conflict` if it takes more
    /// [room](KeptMessage::room) than there is; then nothing changes.
    fn keep(&self, user: &UserId, message: KeptMessage) -> impl Future<Output = Result<()>> + Send {
        let _ = (user, message);
        std::future::ready(Err(Error::unsupported("this store keeps no messages")))
    }

    /// Takes a message whole, for a store in front of a system that does iTIP by itself. The default answers
    /// [`Delivery::NotTaken`]: the host merges the message and calls [`put`](Store::put).
    fn deliver(
        &self,
        user: &UserId,
        message: &KeptMessage,
    ) -> impl Future<Output = Result<Delivery>> + Send {
        let _ = (user, message);
        std::future::ready(Ok(Delivery::NotTaken))
    }
}

/// A scheduling message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub struct KeptMessage {
    /// Who sent it.
    pub originator: CalendarAddress,
    /// To whom.
    pub recipient: CalendarAddress,
    /// The iTIP method, upper-case.
    pub method: String,
    /// The UID it is about.
    pub uid: Uid,
    /// iCalendar with METHOD.
    #[cfg_attr(feature = "host", serde(with = "serde_bytes"))]
    pub data: Vec<u8>,
    /// Further facts by name, for what has no field yet.
    pub attributes: Vec<(String, String)>,
}

/// How much may be kept for a calendar user, in bytes of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// In all.
    pub total: u64,
    /// From the originator of the message at hand.
    pub of_sender: u64,
}

impl KeptMessage {
    /// The same message, about these instances of its object: a text that is the same for the same ones.
    #[must_use]
    pub fn about(self, instance: &str) -> Self {
        self.with(message::INSTANCE, instance)
    }

    /// The same message, for which there is so much room.
    #[must_use]
    pub fn within(self, room: Room) -> Self {
        self.with(message::ROOM, &room.total.to_string())
            .with(message::ROOM_OF_SENDER, &room.of_sender.to_string())
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Which instances of its object it is about, as a text that can be compared; empty for the whole.
    pub fn instance(&self) -> &str {
        self.attribute(message::INSTANCE).unwrap_or_default()
    }

    /// How much may be kept, this message included; `None` if the host does not say.
    pub fn room(&self) -> Option<Room> {
        Some(Room {
            total: self.attribute(message::ROOM)?.parse().ok()?,
            of_sender: self.attribute(message::ROOM_OF_SENDER)?.parse().ok()?,
        })
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes
            .find(|(it, _)| it == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What became of a message handed to a store whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub enum Delivery {
    /// The store does no iTIP; the host does it.
    NotTaken,
    /// The store took it, with this request status (`2.0;Success`).
    Taken(String),
}
