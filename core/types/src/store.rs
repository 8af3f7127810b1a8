//! What goes into a calendar store and comes out of it.

use crate::{BusySpan, CalendarAddress, Error, Etag, ObjectIndex, TimeRange, Uid, UserId};
use serde::{Deserialize, Serialize};

/// A calendar user of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// Its UID.
    pub uid: Uid,
    /// Its version.
    pub etag: Etag,
    /// iCalendar, as it was put.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
}

impl StoredObject {
    /// An object with its version.
    pub const fn new(uid: Uid, etag: Etag, data: Vec<u8>) -> Self {
        Self { uid, etag, data }
    }
}

/// An object to be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewObject {
    /// iCalendar: one VCALENDAR whose components share one UID.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
    /// What the host found in it.
    pub index: ObjectIndex,
}

/// When a write may happen (RFC 9110 §13.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// # use convoke_types::{Error, ErrorKind, Etag, Precondition};
    /// let there = Etag::new("7")?;
    /// assert!(Precondition::Absent.check(None).is_ok());
    /// assert!(Precondition::Matches(there.clone()).check(Some(&there)).is_ok());
    /// let conflict = Precondition::Absent.check(Some(&there)).unwrap_err();
    /// assert_eq!(conflict.kind(), ErrorKind::Conflict);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn check(&self, there: Option<&Etag>) -> Result<(), Error> {
        match (self, there) {
            (Self::Any, _) | (Self::Absent, None) => Ok(()),
            (Self::Matches(wanted), Some(there)) if wanted == there => Ok(()),
            (Self::Absent, Some(_)) => Err(Error::conflict("there is such an object already")),
            (Self::Matches(_), _) => Err(Error::conflict("the object is in another version now")),
        }
    }
}

/// A store's part of a free-busy answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The cursor of the page before; `None` for the first page.
    pub after: Option<Cursor>,
    /// The most items to answer with, at least 1.
    pub limit: u32,
}

/// Where a listing or a history stopped. Opaque, made by the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor(pub String);

/// One page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectSummary {
    /// Its UID.
    pub uid: Uid,
    /// Its main component.
    pub component: String,
    /// Its version.
    pub etag: Etag,
}

/// What happened since a cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Objects made or changed, each once, in their latest version.
    pub changed: Vec<ObjectSummary>,
    /// Objects that are gone.
    pub removed: Vec<Uid>,
    /// Where to ask from next time.
    pub cursor: Cursor,
}
