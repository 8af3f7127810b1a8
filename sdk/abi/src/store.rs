//! Stores across the boundary.

use crate::{
    answer::Answer,
    values::{Address, Attributes, Call, Instant, Range},
};
use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, ROption, RSlice, RStr, RString, RVec},
};

/// An opened store. Every method is since 1.0.
#[sabi_trait]
pub trait StorePlugin: Send + Sync {
    /// The calendar user whose address or alias this is.
    fn find<'a>(
        &'a self,
        address: Address<'_>,
        call: Call<'_>,
    ) -> Answer<'a, ROption<CalendarUser>>;
    /// An object as it was put.
    fn get<'a>(
        &'a self,
        user: RStr<'_>,
        uid: RStr<'_>,
        call: Call<'_>,
    ) -> Answer<'a, ROption<StoredObject>>;
    /// Writes an object and answers its version.
    fn put<'a>(
        &'a self,
        user: RStr<'_>,
        object: NewObject<'_>,
        when: Precondition<'_>,
        call: Call<'_>,
    ) -> Answer<'a, RString>;
    /// Removes an object.
    fn remove<'a>(
        &'a self,
        user: RStr<'_>,
        uid: RStr<'_>,
        when: Precondition<'_>,
        call: Call<'_>,
    ) -> Answer<'a, ()>;
    /// Busy time in a range.
    fn busy<'a>(&'a self, user: RStr<'_>, range: Range, call: Call<'_>) -> Answer<'a, Busy>;
    /// Makes a calendar user and answers its identifier.
    fn add_user<'a>(&'a self, user: NewUser, call: Call<'_>) -> Answer<'a, RString>;
    /// Replaces what is known of a calendar user.
    fn update_user<'a>(&'a self, user: CalendarUser, call: Call<'_>) -> Answer<'a, ()>;
    /// Removes a calendar user.
    fn remove_user<'a>(&'a self, user: RStr<'_>, call: Call<'_>) -> Answer<'a, ()>;
    /// A page of calendar users.
    fn users<'a>(&'a self, page: Page<'_>, call: Call<'_>) -> Answer<'a, Users>;
    /// A page of a user's objects.
    fn list<'a>(&'a self, user: RStr<'_>, page: Page<'_>, call: Call<'_>) -> Answer<'a, Objects>;
    /// What happened since a cursor.
    fn changes<'a>(
        &'a self,
        user: RStr<'_>,
        since: ROption<RStr<'_>>,
        call: Call<'_>,
    ) -> Answer<'a, Changes>;
    /// Waits until something happened to the objects of one of these users.
    fn await_changes<'a>(&'a self, watch: Watch<'_>, call: Call<'_>) -> Answer<'a, Changed>;
    /// Keeps a message for the person to decide on.
    fn inbox_add<'a>(
        &'a self,
        user: RStr<'_>,
        message: Message<'_>,
        call: Call<'_>,
    ) -> Answer<'a, RString>;
    /// A page of the messages that are kept.
    fn inbox_list<'a>(
        &'a self,
        user: RStr<'_>,
        page: Page<'_>,
        call: Call<'_>,
    ) -> Answer<'a, Inbox>;
    /// Takes a message out of those that are kept.
    fn inbox_take<'a>(
        &'a self,
        user: RStr<'_>,
        id: RStr<'_>,
        call: Call<'_>,
    ) -> Answer<'a, OwnedMessage>;
    /// Takes a message whole, or leaves it to the host.
    fn deliver<'a>(
        &'a self,
        user: RStr<'_>,
        message: Message<'_>,
        call: Call<'_>,
    ) -> Answer<'a, Delivery>;
    /// The last call: finishes what is under way.
    #[sabi(last_prefix_field)]
    fn close<'a>(&'a self, call: Call<'_>) -> Answer<'a, ()>;
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
    /// One of [`scheduling`]; an unknown one is read as [`scheduling::DISABLED`].
    pub scheduling: u32,
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

/// Whether a calendar user can be scheduled with.
pub mod scheduling {
    /// It can.
    pub const ENABLED: u32 = 1;
    /// It cannot.
    pub const DISABLED: u32 = 2;
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
#[derive(StableAbi, Clone, Debug)]
pub struct Page<'a> {
    /// The cursor of the page before.
    pub after: ROption<RStr<'a>>,
    /// The most items wanted, at least 1.
    pub limit: u32,
    /// Further facts.
    pub attributes: Attributes,
}

/// A page of calendar users. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Users {
    /// The users.
    pub items: RVec<CalendarUser>,
    /// Where the next page begins.
    pub next: ROption<RString>,
    /// Further facts.
    pub attributes: Attributes,
}

/// A page of objects. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Objects {
    /// The objects.
    pub items: RVec<ObjectSummary>,
    /// Where the next page begins.
    pub next: ROption<RString>,
    /// Further facts.
    pub attributes: Attributes,
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

/// Whose objects to wait for. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Watch<'a> {
    /// Whose.
    pub users: RVec<Watched<'a>>,
    /// Further facts.
    pub attributes: Attributes,
}

/// What is known of a user that is waited for. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// Who.
    pub user: RStr<'a>,
    /// The cursor of what is known of its objects.
    pub since: RStr<'a>,
}

/// To whose objects something happened. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Changed {
    /// Whose; empty if the time is up.
    pub users: RVec<RString>,
    /// Further facts.
    pub attributes: Attributes,
}

/// How much may be kept for a calendar user, in bytes of messages. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Room {
    /// In all.
    pub total: u64,
    /// From the originator of the message at hand.
    pub of_sender: u64,
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
    /// Which instances it is about, a text to compare; empty for the whole.
    pub instance: RStr<'a>,
    /// iCalendar.
    pub data: RSlice<'a, u8>,
    /// How much may be kept, this message included.
    pub room: ROption<Room>,
    /// Further facts, which are kept with it.
    pub attributes: Attributes,
}

/// As [`Message`], handed out by a store. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct OwnedMessage {
    /// Who sent it.
    pub originator: RString,
    /// To whom.
    pub recipient: RString,
    /// The iTIP method, upper-case.
    pub method: RString,
    /// Its UID.
    pub uid: RString,
    /// Which instances it is about; empty for the whole.
    pub instance: RString,
    /// iCalendar.
    pub data: RVec<u8>,
    /// Further facts.
    pub attributes: Attributes,
}

/// A message that is kept. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct InboxEntry {
    /// What the store calls it.
    pub id: RString,
    /// The message.
    pub message: OwnedMessage,
    /// Further facts.
    pub attributes: Attributes,
}

/// A page of messages that are kept. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Inbox {
    /// The messages.
    pub items: RVec<InboxEntry>,
    /// Where the next page begins.
    pub next: ROption<RString>,
    /// Further facts.
    pub attributes: Attributes,
}

/// What became of a message that was handed over whole. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Delivery {
    /// One of [`delivery`]; an unknown one is an error.
    pub outcome: u32,
    /// With [`delivery::HANDLED`]: the request status.
    pub status: RString,
    /// Further facts.
    pub attributes: Attributes,
}

/// What became of a message.
pub mod delivery {
    /// The host is to do it.
    pub const UNHANDLED: u32 = 1;
    /// The store did it.
    pub const HANDLED: u32 = 2;
}
