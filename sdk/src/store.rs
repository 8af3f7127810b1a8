//! Stores: where calendars live.

use crate::{CalendarAddress, Error, Host, Result};
use convoke_abi::store::message;
use convoke_types::{BusySpan, Etag, ObjectIndex, TimeRange, Uid, UserId};
use serde::de::DeserializeOwned;
use std::future::Future;

/// A calendar store.
///
/// A store keeps bytes. The host hands it an [`ObjectIndex`] with every [`put`](Store::put), so a store needs no
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
    /// [is open](ObjectIndex::is_open_in) in it.
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

/// A calendar user of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CalendarUser {
    /// What the store calls it.
    pub id: UserId,
    /// Its main address.
    pub address: CalendarAddress,
    /// Further addresses that mean the same user.
    pub aliases: Vec<CalendarAddress>,
    /// What people call it.
    pub name: Option<String>,
    /// The IANA name of its time zone, for all-day and floating times; UTC if unknown.
    pub timezone: Option<String>,
    /// What kind of user it is.
    pub kind: UserKind,
    /// Whether it can be scheduled with at all; `false` is answered with 5.3.
    pub schedulable: bool,
}

impl CalendarUser {
    /// A schedulable individual with one address.
    pub const fn new(id: UserId, address: CalendarAddress) -> Self {
        Self {
            id,
            address,
            aliases: Vec::new(),
            name: None,
            timezone: None,
            kind: UserKind::Individual,
            schedulable: true,
        }
    }

    /// Whether `address` means this user.
    pub fn answers_to(&self, address: &CalendarAddress) -> bool {
        self.address.same_user(address) || self.aliases.iter().any(|alias| alias.same_user(address))
    }
}

/// A calendar user to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NewUser {
    /// Its main address.
    pub address: CalendarAddress,
    /// Further addresses that mean the same user.
    pub aliases: Vec<CalendarAddress>,
    /// What people call it.
    pub name: Option<String>,
    /// The IANA name of its time zone.
    pub timezone: Option<String>,
    /// What kind of user it is.
    pub kind: UserKind,
}

impl NewUser {
    /// An individual with one address.
    pub const fn new(address: CalendarAddress) -> Self {
        Self {
            address,
            aliases: Vec::new(),
            name: None,
            timezone: None,
            kind: UserKind::Individual,
        }
    }
}

impl NewUser {
    /// The calendar user that it becomes.
    pub fn with_id(self, id: UserId) -> CalendarUser {
        CalendarUser {
            id,
            address: self.address,
            aliases: self.aliases,
            name: self.name,
            timezone: self.timezone,
            kind: self.kind,
            schedulable: true,
        }
    }
}

/// CUTYPE (RFC 5545 §3.2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub enum UserKind {
    /// A person.
    #[default]
    Individual,
    /// Several persons.
    Group,
    /// A thing.
    Resource,
    /// A room.
    Room,
}

/// An object as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub struct StoredObject {
    /// Its UID.
    pub uid: Uid,
    /// Its version.
    pub etag: Etag,
    /// iCalendar, as it was put.
    #[cfg_attr(feature = "host", serde(with = "serde_bytes"))]
    pub data: Vec<u8>,
}

impl StoredObject {
    /// An object with its version.
    pub const fn new(uid: Uid, etag: Etag, data: Vec<u8>) -> Self {
        Self { uid, etag, data }
    }
}

/// An object to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub struct NewObject {
    /// iCalendar: one VCALENDAR whose components share one UID.
    #[cfg_attr(feature = "host", serde(with = "serde_bytes"))]
    pub data: Vec<u8>,
    /// What the host found in it.
    pub index: ObjectIndex,
}

/// When a write may happen (RFC 9110 §13.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub enum Precondition {
    /// Whatever is there.
    Any,
    /// Only if there is no object of this UID.
    Absent,
    /// Only if the object is there in this version.
    Matches(Etag),
}

impl Precondition {
    /// `Conflict` unless it holds for an object that is there in version `there`, or is not there.
    ///
    /// ```
    /// # use convoke_sdk::prelude::*;
    /// let there = Etag::new("7")?;
    /// assert!(Precondition::Absent.check(None).is_ok());
    /// assert!(Precondition::Matches(there.clone()).check(Some(&there)).is_ok());
    /// let conflict = Precondition::Absent.check(Some(&there)).unwrap_err();
    /// assert_eq!(conflict.kind(), ErrorKind::Conflict);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn check(&self, there: Option<&Etag>) -> Result<()> {
        match (self, there) {
            (Self::Any, _) | (Self::Absent, None) => Ok(()),
            (Self::Matches(wanted), Some(there)) if wanted == there => Ok(()),
            (Self::Absent, Some(_)) => Err(Error::conflict("there is such an object already")),
            (Self::Matches(_), _) => Err(Error::conflict("the object is in another version now")),
        }
    }
}

/// A store's part of a free-busy answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub struct Busy {
    /// Indexed spans that overlap the range, in any order.
    pub spans: Vec<BusySpan>,
    /// Objects whose index is open in the range; the host expands them.
    pub objects: Vec<StoredObject>,
}

impl Busy {
    /// Adds what `object` says about `range`: the spans of its index that overlap it, and the object itself if the
    /// index is open there. For a store small enough to look at every object.
    pub fn add(&mut self, object: &StoredObject, index: &ObjectIndex, range: TimeRange) {
        let spans = index.spans.iter();
        self.spans
            .extend(spans.filter(|span| span.range.overlaps(&range)));
        if index.is_open_in(range) {
            self.objects.push(object.clone());
        }
    }
}

/// Where to go on, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub struct Page {
    /// The cursor of the page before; `None` for the first page.
    pub after: Option<Cursor>,
    /// The most items to answer with, at least 1.
    pub limit: u32,
}

/// Where a listing or a history stopped. Opaque, made by the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub struct Cursor(pub String);

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub struct Listing<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
}

impl<T> Listing<T> {
    /// Cuts a page out of `all`, which come with the text that orders them, in its order.
    pub fn cut<'a>(all: impl IntoIterator<Item = (&'a str, T)>, page: &Page) -> Self {
        let after = page.after.as_ref().map(|cursor| cursor.0.as_str());
        let rest = all.into_iter().filter(|(key, _)| Some(*key) > after);
        let limit = page.limit.max(1) as usize;
        let (mut keys, mut items): (Vec<_>, Vec<_>) = rest.take(limit.saturating_add(1)).unzip();
        let more = keys.len() > limit;
        keys.truncate(limit);
        items.truncate(limit);
        let last = keys.last().filter(|_| more);
        Self {
            items,
            next: last.map(|key| Cursor((*key).to_owned())),
        }
    }
}

/// One object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub struct ObjectSummary {
    /// Its UID.
    pub uid: Uid,
    /// Its main component.
    pub component: String,
    /// Its version.
    pub etag: Etag,
}

/// What happened since a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub struct Changes {
    /// Objects made or changed, each once, in their latest version.
    pub changed: Vec<ObjectSummary>,
    /// Objects that are gone.
    pub removed: Vec<Uid>,
    /// Where to ask from next time.
    pub cursor: Cursor,
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
