//! The words that every Convoke crate shares.
//!
//! A plugin author, the calendar engine, the iSchedule wire and the host all speak of calendar users,
//! domains, objects and busy time. Here those words are types, made once at the border and never parsed
//! again inside.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`address`] | [`CalendarAddress`], [`Domain`], [`ReceiverUrl`] |
//! | [`id`] | [`Uid`], [`Etag`], [`UserId`], [`MessageId`] |
//! | [`time`] | [`TimeRange`] |
//! | [`busy`] | [`BusyType`], [`BusySpan`] |
//! | [`index`] | [`ObjectIndex`], what a store keeps beside an object's bytes |
//! | [`status`] | [`RequestStatus`] |
//! | [`rate`] | [`Rate`] |
//! | [`store`] | [`CalendarUser`], [`StoredObject`], [`Precondition`]: what goes into a store and comes out of it |
//! | [`state`] | [`Batch`], [`KeyRange`], [`StateEntry`]: what the host keeps for itself, written under conditions |
//! | [`attributes`] | [`Attributes`]: further facts by name |
//! | [`access`] | [`Proof`], [`MailProof`], [`Detail`], [`Uninvited`], [`Anonymous`]: what a peer proved, and how far it may go |
//! | [`text`] | [`excerpt`]: texts from outside, made fit for a sentence |
//! | [`error`] | [`Error`]: why a store or a policy could not do what it was asked |
//!
//! Invariants: a [`Domain`] is lower-case ASCII without a trailing dot; a [`TimeRange`] is never empty; two
//! [`CalendarAddress`]es that differ only in the case of scheme or domain are equal.
//!
//! Not here: I/O, clocks, iCalendar, HTTP. The crate is small because every plugin compiles it.

pub mod access;
pub mod address;
pub mod attributes;
#[doc(hidden)]
pub mod base64;
pub mod busy;
pub mod error;
pub mod id;
pub mod index;
pub mod rate;
#[doc(hidden)]
pub mod seconds;
pub mod state;
pub mod status;
pub mod store;
pub mod text;
pub mod time;

pub use access::{Anonymous, Detail, MailProof, Proof, Uninvited};
pub use address::{
    CalendarAddress, Domain, InvalidAddress, InvalidDomain, InvalidUrl, NoDomain, ReceiverUrl,
};
pub use attributes::Attributes;
pub use busy::{BusySpan, BusyType, merge};
pub use error::{Error, ErrorKind, Result};
pub use id::{Etag, InvalidId, MessageId, Uid, UserId};
pub use index::ObjectIndex;
pub use rate::{InvalidRate, Rate};
pub use state::{Batch, Committed, Condition, KeyRange, Scan, StateEntry, StateWrite};
pub use status::{InvalidStatus, RequestStatus};
pub use store::{
    Busy, CalendarUser, Changed, Changes, Cursor, InboxEntry, InboxMessage, Listing, NewObject,
    NewUser, ObjectSummary, Page, Precondition, Room, Scheduling, StoredObject, UserKind, Watch,
    Watched,
};
pub use text::excerpt;
pub use time::{EmptyRange, TimeRange};
