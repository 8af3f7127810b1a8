//! The words that every Convoke crate shares.
//!
//! A plugin author, the calendar engine, the iSchedule wire and the host all speak of calendar users,
//! domains, objects and busy time. Here those words are types, made once at the border and never parsed
//! again inside.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`address`] | [`CalendarAddress`], [`Domain`], [`ReceiverUrl`] |
//! | [`id`] | [`Uid`], [`Etag`], [`UserId`] |
//! | [`time`] | [`TimeRange`] |
//! | [`busy`] | [`BusyType`], [`BusySpan`] |
//! | [`index`] | [`ObjectIndex`], what a store keeps beside an object's bytes |
//! | [`status`] | [`RequestStatus`] |
//! | [`rate`] | [`Rate`] |
//!
//! Invariants: a [`Domain`] is lower-case ASCII without a trailing dot; a [`TimeRange`] is never empty; two
//! [`CalendarAddress`]es that differ only in the case of scheme or domain are equal.
//!
//! Not here: I/O, clocks, iCalendar, HTTP. The crate is small because every plugin compiles it.

pub mod address;
pub mod busy;
pub mod id;
pub mod index;
pub mod rate;
pub mod status;
pub mod time;

pub use address::{
    CalendarAddress, Domain, InvalidAddress, InvalidDomain, InvalidUrl, NoDomain, ReceiverUrl,
};
pub use busy::{BusySpan, BusyType, merge};
pub use id::{Etag, InvalidId, Uid, UserId};
pub use index::ObjectIndex;
pub use rate::{InvalidRate, Rate};
pub use status::{InvalidStatus, RequestStatus};
pub use time::{EmptyRange, TimeRange};
