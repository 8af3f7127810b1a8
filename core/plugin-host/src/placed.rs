//! A plugin, wherever it runs: the methods are the same.

use super::isolated::{Call, Isolated};
use convoke_sdk::{
    AccessRequest, Busy, CalendarAddress, CalendarUser, Changes, Cursor, Decision, Delivery,
    Discovered, Etag, KeptMessage, Listing, NewObject, NewUser, ObjectSummary, Page, Precondition,
    Result, StoredObject, TimeRange, Uid, UserId,
    remote::{RemoteDiscovery, RemotePolicy, RemoteStore},
};
use std::{borrow::Cow::Borrowed, time::Duration};

/// A plugin in the host's process, or in one of its own.
pub enum Placed<R> {
    /// In the host's.
    Here(R),
    /// In its own.
    Apart(Box<Isolated>),
}

impl<R> Placed<R> {
    /// What its entry takes away from it and this kernel does not, in words.
    pub(super) fn lacks(&self) -> Vec<String> {
        match self {
            Self::Here(_) => Vec::new(),
            Self::Apart(process) => process.lacks().to_vec(),
        }
    }

    /// Why its process is not there, and for how long it will not be; `None` if all is well.
    pub(super) fn down(&self) -> Option<(String, Duration)> {
        match self {
            Self::Here(_) => None,
            Self::Apart(process) => process.down(),
        }
    }
}

/// Methods that ask the plugin where it runs.
macro_rules! methods {
    ($remote:ident: $(
        $name:ident($($argument:ident: $type:ty),*) -> $answer:ty = $call:expr;
    )*) => {
        impl Placed<$remote> {
            $(pub(super) async fn $name(&self, $($argument: $type),*) -> Result<$answer> {
                match self {
                    Self::Here(remote) => remote.$name($($argument),*).await,
                    Self::Apart(process) => process.call(&$call).await,
                }
            })*
        }
    };
}

methods! { RemoteDiscovery:
    discover(address: &CalendarAddress) -> Discovered = Call::Discover(Borrowed(address));
}

methods! { RemotePolicy:
    authorize(request: &AccessRequest) -> Decision = Call::Authorize(Borrowed(request));
}

methods! { RemoteStore:
    find(address: &CalendarAddress) -> Option<CalendarUser> = Call::Find(Borrowed(address));
    get(user: &UserId, uid: &Uid) -> Option<StoredObject> = Call::Get(Borrowed(user), Borrowed(uid));
    put(user: &UserId, object: &NewObject, when: &Precondition) -> Etag =
        Call::Put(Borrowed(user), Borrowed(object), Borrowed(when));
    remove(user: &UserId, uid: &Uid, when: &Precondition) -> () =
        Call::Remove(Borrowed(user), Borrowed(uid), Borrowed(when));
    busy(user: &UserId, range: TimeRange) -> Busy = Call::Busy(Borrowed(user), range);
    add_user(user: &NewUser) -> UserId = Call::AddUser(Borrowed(user));
    remove_user(user: &UserId) -> () = Call::RemoveUser(Borrowed(user));
    users(page: &Page) -> Listing<CalendarUser> = Call::Users(Borrowed(page));
    list(user: &UserId, page: &Page) -> Listing<ObjectSummary> =
        Call::List(Borrowed(user), Borrowed(page));
    changes(user: &UserId, since: Option<&Cursor>) -> Changes =
        Call::Changes(Borrowed(user), since.map(Borrowed));
    keep(user: &UserId, message: &KeptMessage) -> () =
        Call::Keep(Borrowed(user), Borrowed(message));
    deliver(user: &UserId, message: &KeptMessage) -> Delivery =
        Call::Deliver(Borrowed(user), Borrowed(message));
}
