//! What goes into a calendar store and comes out of it.

use crate::{
    Attributes, BusySpan, CalendarAddress, Error, Etag, MessageId, ObjectIndex, TimeRange, Uid,
    UserId, base64,
};
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
    #[serde(default)]
    pub aliases: Vec<CalendarAddress>,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// The IANA name of its time zone, for all-day and floating times; UTC if unknown.
    #[serde(default)]
    pub timezone: Option<String>,
    /// What kind of user it is.
    #[serde(default)]
    pub kind: UserKind,
    /// Whether it can be scheduled with.
    #[serde(default)]
    pub scheduling: Scheduling,
    /// Further facts by name, which a store keeps with the user.
    #[serde(default)]
    pub attributes: Attributes,
}

impl CalendarUser {
    /// The name of an [attribute](Self::attributes): the system behind the store sends this user's invitations and answers
    /// by itself. The value is a sentence for the administrator: what does so, and how it is switched off.
    pub const SCHEDULES_ITSELF: &str = "schedules-itself";

    /// The name of an [attribute](Self::attributes): where the user's calendars are on a `CalDAV` server. The value is one URL or
    /// several, with blanks between them; a listener in front of that server knows by them whose calendar somebody changes.
    pub const CALDAV_HOMES: &str = "caldav-homes";

    /// A schedulable individual with one address.
    pub const fn new(id: UserId, address: CalendarAddress) -> Self {
        Self {
            id,
            address,
            aliases: Vec::new(),
            name: None,
            timezone: None,
            kind: UserKind::Individual,
            scheduling: Scheduling::Enabled,
            attributes: Attributes::new(),
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
    #[serde(default)]
    pub aliases: Vec<CalendarAddress>,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// The IANA name of its time zone.
    #[serde(default)]
    pub timezone: Option<String>,
    /// What kind of user it is.
    #[serde(default)]
    pub kind: UserKind,
    /// Further facts by name, which a store keeps with the user.
    #[serde(default)]
    pub attributes: Attributes,
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
            attributes: Attributes::new(),
        }
    }

    /// The calendar user that it becomes.
    pub fn with_id(self, id: UserId) -> CalendarUser {
        CalendarUser {
            id,
            address: self.address,
            aliases: self.aliases,
            name: self.name,
            timezone: self.timezone,
            kind: self.kind,
            scheduling: Scheduling::Enabled,
            attributes: self.attributes,
        }
    }
}

/// Whether a calendar user can be scheduled with at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scheduling {
    /// It can.
    #[default]
    Enabled,
    /// It cannot: whoever tries is answered 5.3.
    Disabled,
}

/// CUTYPE (RFC 5545 §3.2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
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
#[non_exhaustive]
pub struct StoredObject {
    /// Its UID.
    pub uid: Uid,
    /// Its version.
    pub etag: Etag,
    /// iCalendar, as it was put.
    #[serde(with = "base64")]
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
#[non_exhaustive]
pub struct NewObject {
    /// iCalendar: one VCALENDAR whose components share one UID.
    #[serde(with = "base64")]
    pub data: Vec<u8>,
    /// What the host found in it.
    pub index: ObjectIndex,
}

impl NewObject {
    /// An object, and what the host found in it.
    pub const fn new(data: Vec<u8>, index: ObjectIndex) -> Self {
        Self { data, index }
    }
}

/// When a write may happen (RFC 9110 §13.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
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
#[non_exhaustive]
pub struct Busy {
    /// Indexed spans that overlap the range, in any order.
    #[serde(default)]
    pub spans: Vec<BusySpan>,
    /// Objects whose index is open in the range; the host expands them.
    #[serde(default)]
    pub objects: Vec<StoredObject>,
}

impl Busy {
    /// These spans, and these objects to expand.
    pub const fn new(spans: Vec<BusySpan>, objects: Vec<StoredObject>) -> Self {
        Self { spans, objects }
    }

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
#[non_exhaustive]
pub struct Page {
    /// The cursor of the page before; `None` for the first page.
    #[serde(default)]
    pub after: Option<Cursor>,
    /// The most items to answer with, at least 1.
    pub limit: u32,
}

impl Page {
    /// The first page, of so many items.
    pub const fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }

    /// The page of so many items that begins at a cursor, or at the beginning.
    pub const fn after(after: Option<Cursor>, limit: u32) -> Self {
        Self { after, limit }
    }

    /// How many items it may hold.
    #[allow(
        clippy::len_without_is_empty,
        reason = "a page that is asked for holds something"
    )]
    pub fn len(&self) -> usize {
        usize::try_from(self.limit.max(1)).unwrap_or(usize::MAX)
    }
}

/// Where a listing or a history stopped. Opaque, made by the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor(pub String);

impl Cursor {
    /// A cursor of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Listing<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; `None` after the last.
    #[serde(default)]
    pub next: Option<Cursor>,
}

impl<T> Listing<T> {
    /// A page, and where the next one begins.
    pub const fn new(items: Vec<T>, next: Option<Cursor>) -> Self {
        Self { items, next }
    }

    /// Cuts a page out of `items`, of which there is one too many if there is another page.
    pub fn page(mut items: Vec<T>, page: &Page, cursor: impl Fn(&T) -> Cursor) -> Self {
        let more = items.len() > page.len();
        items.truncate(page.len());
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }

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
#[non_exhaustive]
pub struct ObjectSummary {
    /// Its UID.
    pub uid: Uid,
    /// Its main component.
    pub component: String,
    /// Its version.
    pub etag: Etag,
}

impl ObjectSummary {
    /// An object in this version.
    pub fn new(uid: Uid, component: impl Into<String>, etag: Etag) -> Self {
        Self {
            uid,
            component: component.into(),
            etag,
        }
    }
}

/// What happened since a cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Changes {
    /// Objects made or changed, each once, in their latest version.
    #[serde(default)]
    pub changed: Vec<ObjectSummary>,
    /// Objects that are gone.
    #[serde(default)]
    pub removed: Vec<Uid>,
    /// Where to ask from next time.
    pub cursor: Cursor,
}

impl Changes {
    /// What changed, what is gone, and where to ask from next time.
    pub const fn new(changed: Vec<ObjectSummary>, removed: Vec<Uid>, cursor: Cursor) -> Self {
        Self {
            changed,
            removed,
            cursor,
        }
    }
}

/// Whose objects to wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Watch {
    /// Whose.
    pub users: Vec<Watched>,
}

impl Watch {
    /// These users.
    pub const fn over(users: Vec<Watched>) -> Self {
        Self { users }
    }
}

/// What is known of a user that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Watched {
    /// Who.
    pub user: UserId,
    /// The cursor of what is known of its objects.
    pub since: Cursor,
}

impl Watched {
    /// A user whose changes are known up to a cursor.
    pub const fn new(user: UserId, since: Cursor) -> Self {
        Self { user, since }
    }
}

/// To whose objects something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Changed {
    /// Whose; empty if the time was up.
    #[serde(default)]
    pub users: Vec<UserId>,
}

impl Changed {
    /// To those of these users.
    pub const fn of(users: Vec<UserId>) -> Self {
        Self { users }
    }
}

/// A scheduling message as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InboxMessage {
    /// Who sent it.
    pub originator: CalendarAddress,
    /// To whom.
    pub recipient: CalendarAddress,
    /// The iTIP method, upper-case.
    pub method: String,
    /// The UID it is about.
    pub uid: Uid,
    /// Which instances of its object it is about, as a text that is the same for the same ones; empty for the whole.
    #[serde(default)]
    pub instance: String,
    /// iCalendar with METHOD.
    #[serde(with = "base64")]
    pub data: Vec<u8>,
    /// How much may be kept, this message included; `None` if the host does not say. Of no meaning once it is kept.
    #[serde(default)]
    pub room: Option<Room>,
    /// Further facts by name, which are kept with it.
    #[serde(default)]
    pub attributes: Attributes,
}

impl InboxMessage {
    /// A message about a whole object.
    pub fn new(
        originator: CalendarAddress,
        recipient: CalendarAddress,
        method: impl Into<String>,
        uid: Uid,
        data: Vec<u8>,
    ) -> Self {
        Self {
            originator,
            recipient,
            method: method.into(),
            uid,
            instance: String::new(),
            data,
            room: None,
            attributes: Attributes::new(),
        }
    }

    /// The same message, about these instances of its object: a text that is the same for the same ones.
    #[must_use]
    pub fn about(self, instance: impl Into<String>) -> Self {
        Self {
            instance: instance.into(),
            ..self
        }
    }

    /// The same message, for which there is so much room.
    #[must_use]
    pub fn within(self, room: Room) -> Self {
        Self {
            room: Some(room),
            ..self
        }
    }
}

/// How much may be kept for a calendar user, in bytes of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Room {
    /// In all.
    pub total: u64,
    /// From the originator of the message at hand.
    pub of_sender: u64,
}

impl Room {
    /// So much in all, and so much from one originator.
    pub const fn new(total: u64, of_sender: u64) -> Self {
        Self { total, of_sender }
    }
}

/// A message that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InboxEntry {
    /// What the store calls it.
    pub id: MessageId,
    /// The message.
    pub message: InboxMessage,
}

impl InboxEntry {
    /// A message, and what the store calls it.
    pub const fn new(id: MessageId, message: InboxMessage) -> Self {
        Self { id, message }
    }
}
