//! Stores across the boundary.

use crate::values::{Address, Attributes, Call, Instant};
use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, ROption, RSlice, RStr, RString, RVec},
};

/// An opened store. Every method is since 1.0.
#[sabi_trait]
pub trait StorePlugin: Send + Sync {
    /// The calendar user whose address or alias this is.
    fn find<'a>(&'a self, address: Address<'a>) -> Call<'a, ROption<CalendarUser>>;
    /// An object as it was put.
    fn get<'a>(&'a self, user: RStr<'a>, uid: RStr<'a>) -> Call<'a, ROption<StoredObject>>;
    /// Writes an object and answers its version.
    fn put<'a>(
        &'a self,
        user: RStr<'a>,
        object: NewObject<'a>,
        when: Precondition<'a>,
    ) -> Call<'a, RString>;
    /// Removes an object.
    fn remove<'a>(&'a self, user: RStr<'a>, uid: RStr<'a>, when: Precondition<'a>) -> Call<'a, ()>;
    /// Busy time from `start` up to, not including, `end`.
    fn busy<'a>(&'a self, user: RStr<'a>, start: Instant, end: Instant) -> Call<'a, Busy>;
    /// Makes a calendar user and answers its identifier.
    fn add_user<'a>(&'a self, user: NewUser) -> Call<'a, RString>;
    /// Removes a calendar user.
    fn remove_user<'a>(&'a self, user: RStr<'a>) -> Call<'a, ()>;
    /// A page of calendar users.
    fn users<'a>(&'a self, page: Page<'a>) -> Call<'a, Users>;
    /// A page of a user's objects.
    fn list<'a>(&'a self, user: RStr<'a>, page: Page<'a>) -> Call<'a, Objects>;
    /// What happened since a cursor.
    fn changes<'a>(&'a self, user: RStr<'a>, since: ROption<RStr<'a>>) -> Call<'a, Changes>;
    /// Keeps a message for the person.
    fn keep<'a>(&'a self, user: RStr<'a>, message: Message<'a>) -> Call<'a, ()>;
    /// Takes a message whole: answers its request status, or nothing if the host is to merge it.
    #[sabi(last_prefix_field)]
    fn deliver<'a>(&'a self, user: RStr<'a>, message: Message<'a>) -> Call<'a, ROption<RString>>;
}

/// The object a library hands out.
pub type StoreObject = StorePlugin_TO<'static, RBox<()>>;

/// A calendar user. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct CalendarUser {
    /// What the store calls it.
    pub id: RString,
    /// Its main address.
    pub address: RString,
    /// Its other addresses.
    pub aliases: RVec<RString>,
    /// What people call it.
    pub name: ROption<RString>,
    /// The IANA name of its time zone.
    pub timezone: ROption<RString>,
    /// One of [`user_kind`]; an unknown one is read as an individual.
    pub kind: u32,
    /// Whether it can be scheduled with.
    pub schedulable: bool,
    /// Further facts.
    pub attributes: Attributes,
}

/// A calendar user to be made. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct NewUser {
    /// Its main address.
    pub address: RString,
    /// Its other addresses.
    pub aliases: RVec<RString>,
    /// What people call it.
    pub name: ROption<RString>,
    /// The IANA name of its time zone.
    pub timezone: ROption<RString>,
    /// One of [`user_kind`]; an unknown one is read as an individual.
    pub kind: u32,
    /// Further facts.
    pub attributes: Attributes,
}

/// The kinds of calendar user.
pub mod user_kind {
    /// A person.
    pub const INDIVIDUAL: u32 = 1;
    /// Several persons.
    pub const GROUP: u32 = 2;
    /// A thing.
    pub const RESOURCE: u32 = 3;
    /// A room.
    pub const ROOM: u32 = 4;
}

/// An object as the store holds it. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct StoredObject {
    /// Its UID.
    pub uid: RString,
    /// Its version.
    pub etag: RString,
    /// iCalendar.
    pub data: RVec<u8>,
    /// Further facts.
    pub attributes: Attributes,
}

/// An object to be stored. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct NewObject<'a> {
    /// iCalendar.
    pub data: RSlice<'a, u8>,
    /// What the host found in it.
    pub index: ObjectIndex,
    /// Further facts.
    pub attributes: Attributes,
}

/// What the host found in an object. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct ObjectIndex {
    /// The main component.
    pub component: RString,
    /// The UID.
    pub uid: RString,
    /// When it makes its owner busy.
    pub spans: RVec<BusySpan>,
    /// The spans say nothing before this.
    pub open_before: ROption<Instant>,
    /// The spans say nothing from this on.
    pub open_after: ROption<Instant>,
    /// Further facts.
    pub attributes: Attributes,
}

/// A stretch of busy time. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct BusySpan {
    /// Its first instant.
    pub start: Instant,
    /// The first instant after it.
    pub end: Instant,
    /// One of [`busy_kind`]; an unknown one is read as [`busy_kind::BUSY`].
    pub kind: u32,
}

/// Why time is not free.
pub mod busy_kind {
    /// Confirmed.
    pub const BUSY: u32 = 1;
    /// Tentative.
    pub const TENTATIVE: u32 = 2;
    /// Outside available hours.
    pub const UNAVAILABLE: u32 = 3;
}

/// When a write may happen. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Precondition<'a> {
    /// One of [`precondition`]; an unknown one is an error.
    pub kind: u32,
    /// With [`precondition::MATCHES`]: the version.
    pub etag: RStr<'a>,
}

/// The preconditions.
pub mod precondition {
    /// Always.
    pub const ANY: u32 = 1;
    /// If there is no such object.
    pub const ABSENT: u32 = 2;
    /// If the object is there in this version.
    pub const MATCHES: u32 = 3;
}

/// A store's part of a free-busy answer. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Busy {
    /// Spans that overlap the range.
    pub spans: RVec<BusySpan>,
    /// Objects whose index is open in it.
    pub objects: RVec<StoredObject>,
    /// Further facts.
    pub attributes: Attributes,
}

/// Where to go on. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The cursor of the page before.
    pub after: ROption<RStr<'a>>,
    /// The most items wanted, at least 1.
    pub limit: u32,
}

/// A page of calendar users. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Users {
    /// The users.
    pub items: RVec<CalendarUser>,
    /// Where the next page begins.
    pub next: ROption<RString>,
}

/// A page of objects. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Objects {
    /// The objects.
    pub items: RVec<ObjectSummary>,
    /// Where the next page begins.
    pub next: ROption<RString>,
}

/// One object in a listing. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct ObjectSummary {
    /// Its UID.
    pub uid: RString,
    /// Its main component.
    pub component: RString,
    /// Its version.
    pub etag: RString,
    /// Further facts.
    pub attributes: Attributes,
}

/// What happened since a cursor. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Changes {
    /// Made or changed.
    pub changed: RVec<ObjectSummary>,
    /// UIDs of what is gone.
    pub removed: RVec<RString>,
    /// Where to ask from next time.
    pub cursor: RString,
    /// Further facts.
    pub attributes: Attributes,
}

/// Attributes of a message that is to be kept. Since 1.0.
pub mod message {
    /// Attribute: which instances it is about, a text to compare; empty, or none, for the whole.
    pub const INSTANCE: &str = "instance";
    /// Attribute: how many bytes may be kept for the user, this message included.
    pub const ROOM: &str = "room";
    /// Attribute: how many of them from this originator.
    pub const ROOM_OF_SENDER: &str = "room-of-sender";
}

/// A scheduling message. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Message<'a> {
    /// Who sent it.
    pub originator: Address<'a>,
    /// To whom.
    pub recipient: Address<'a>,
    /// The iTIP method, upper-case.
    pub method: RStr<'a>,
    /// Its UID.
    pub uid: RStr<'a>,
    /// iCalendar.
    pub data: RSlice<'a, u8>,
    /// Further facts: [`message`].
    pub attributes: Attributes,
}
