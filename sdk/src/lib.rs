//! Write plugins for Convoke.

mod discovery;
mod error;
mod host;
mod plugin;
mod policy;
mod store;
mod wire;

#[doc(hidden)]
pub mod guest;
#[cfg(feature = "host")]
pub mod remote;

pub use convoke_types::{
    BusySpan, BusyType, CalendarAddress, Domain, EmptyRange, Etag, InvalidAddress, InvalidDomain,
    InvalidId, InvalidUrl, NoDomain, ObjectIndex, ReceiverUrl, TimeRange, Uid, UserId,
};
pub use discovery::{Discovered, Discovery, Receiver};
pub use error::{Error, ErrorKind, Result};
pub use host::Host;
pub use policy::{AccessRequest, Action, Decision, Detail, Grant, Policy, Proof};
pub use store::{
    Busy, CalendarUser, Changes, Cursor, Delivery, KeptMessage, Listing, NewObject, NewUser,
    ObjectSummary, Page, Precondition, Store, StoredObject, UserKind,
};

pub use {jiff, serde, tracing};

/// Everything a plugin needs, in one `use`.
pub mod prelude {
    pub use crate::{
        AccessRequest, Action, Busy, BusySpan, BusyType, CalendarAddress, CalendarUser, Changes,
        Cursor, Decision, Delivery, Detail, Discovered, Discovery, Domain, Error, ErrorKind, Etag,
        Grant, Host, KeptMessage, Listing, NewObject, NewUser, ObjectIndex, ObjectSummary, Page,
        Policy, Precondition, Proof, Receiver, ReceiverUrl, Result, Store, StoredObject, TimeRange,
        Uid, UserId, UserKind,
    };
    pub use jiff::Timestamp;
    pub use serde::Deserialize;
    pub use std::collections::BTreeMap;
}

#[doc(hidden)]
pub use convoke_abi as abi;
