//! The host's side of the boundary: an opened plugin with the methods and types that its author sees.
//!
//! Behind the feature `host`; a plugin has no use for it. What a plugin answers is read into our types here, and
//! what cannot be read is the plugin's fault ([`ErrorKind::Internal`](crate::ErrorKind::Internal)). Deadlines,
//! order and circuit breakers are the host's business.

mod services;

#[cfg(target_os = "linux")]
pub use convoke_abi::load::Sealed;
pub use convoke_abi::{
    VERSION_TEXT as ABI_VERSION,
    load::{
        Candidate, InvalidKey, Library, Mismatch, Reason, Refusal, Signed, Trust, TrustedKey,
        running_user,
    },
    manifest::{Kind, Manifest, is_name as is_plugin_name},
};
pub use services::{LogEvent, Services};

use crate::{
    AccessRequest, Busy, CalendarAddress, CalendarUser, Changes, Cursor, Decision, Delivery,
    Discovered, Error, Etag, KeptMessage, Listing, NewObject, NewUser, ObjectSummary, Page,
    Precondition, Result, StoredObject, TimeRange, Uid, UserId,
    wire::{Garbage, Read, Write, error_of},
};
use convoke_abi::{
    ROption, RResult, RStr, RVec,
    discovery::DiscoveryObject,
    policy::PolicyObject,
    root::{OpenRequest, Opening},
    services::HostObject,
    store::StoreObject,
    values::{Call, Failure, failure},
};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
};

/// A plugin did not open.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NotOpened {
    /// What it says.
    pub error: Error,
    /// If its configuration is at fault: the key, from `config` on (`config.domains."example.org"`).
    pub config_key: Option<String>,
}

/// An opened discovery strategy.
pub struct RemoteDiscovery(DiscoveryObject);

/// An opened policy.
pub struct RemotePolicy(PolicyObject);

/// An opened store.
pub struct RemoteStore(StoreObject);

macro_rules! open {
    ($remote:ident, $field:ident, $kind:expr) => {
        impl $remote {
            /// Opens one use of `library` with `config`, a TOML document.
            pub async fn open(
                library: &Library,
                config: &str,
                services: Arc<dyn Services>,
            ) -> Result<Self, NotOpened> {
                let ROption::RSome(open) = library.root.$field() else {
                    return Err(not_offered($kind));
                };
                opened(open, config, services).await.map(Self)
            }
        }
    };
}

open!(RemoteDiscovery, open_discovery, Kind::Discovery);
open!(RemotePolicy, open_policy, Kind::Policy);
open!(RemoteStore, open_store, Kind::Store);

fn not_offered(kind: Kind) -> NotOpened {
    NotOpened {
        error: Error::unsupported(format!("the library offers no {kind}")),
        config_key: None,
    }
}

async fn opened<O>(
    open: extern "C" fn(OpenRequest, HostObject) -> Opening<O>,
    config: &str,
    services: Arc<dyn Services>,
) -> Result<O, NotOpened> {
    let request = OpenRequest {
        config: config.into(),
        attributes: RVec::new(),
    };
    match open(request, services::object(services)).await {
        RResult::ROk(object) => Ok(object),
        RResult::RErr(failure) => Err(not_opened(failure)),
    }
}

fn not_opened(failure: Failure) -> NotOpened {
    let key = failure
        .attributes
        .iter()
        .find(|fact| fact.name == failure::CONFIG_KEY)
        .map(|fact| fact.value.to_string());
    NotOpened {
        error: error_of(failure),
        config_key: key,
    }
}

/// Waits for a call and reads its answer. Spelled out, as an `async fn` here moves each answer once more.
fn answer<'a, Sent: 'a, T: Read<Sent> + 'a>(
    mut call: Call<'a, Sent>,
) -> impl Future<Output = Result<T>> + Send + 'a {
    poll_fn(move |context| {
        let answer = Pin::new(&mut call).poll(context);
        answer.map(|answer| match answer {
            RResult::ROk(sent) => T::read(sent).map_err(Garbage::blame_plugin),
            RResult::RErr(failure) => Err(error_of(failure)),
        })
    })
}

impl RemoteDiscovery {
    /// See [`Discovery::discover`](crate::Discovery::discover).
    pub async fn discover(&self, address: &CalendarAddress) -> Result<Discovered> {
        answer(self.0.discover(address.write())).await
    }
}

impl RemotePolicy {
    /// See [`Policy::authorize`](crate::Policy::authorize).
    pub async fn authorize(&self, request: &AccessRequest) -> Result<Decision> {
        answer(self.0.authorize(request.write())).await
    }
}

/// Each method as in [`Store`](crate::Store), but arguments are borrowed, so that the host can try again.
impl RemoteStore {
    /// See [`Store::find`](crate::Store::find).
    pub async fn find(&self, address: &CalendarAddress) -> Result<Option<CalendarUser>> {
        answer(self.0.find(address.write())).await
    }

    /// See [`Store::get`](crate::Store::get).
    pub async fn get(&self, user: &UserId, uid: &Uid) -> Result<Option<StoredObject>> {
        answer(self.0.get(text(user), text(uid))).await
    }

    /// See [`Store::put`](crate::Store::put).
    pub async fn put(
        &self,
        user: &UserId,
        object: &NewObject,
        when: &Precondition,
    ) -> Result<Etag> {
        answer(self.0.put(text(user), object.write(), when.write())).await
    }

    /// See [`Store::remove`](crate::Store::remove).
    pub async fn remove(&self, user: &UserId, uid: &Uid, when: &Precondition) -> Result<()> {
        answer(self.0.remove(text(user), text(uid), when.write())).await
    }

    /// See [`Store::busy`](crate::Store::busy).
    pub async fn busy(&self, user: &UserId, range: TimeRange) -> Result<Busy> {
        let (start, end) = (range.start().write(), range.end().write());
        answer(self.0.busy(text(user), start, end)).await
    }

    /// See [`Store::add_user`](crate::Store::add_user).
    pub async fn add_user(&self, user: &NewUser) -> Result<UserId> {
        answer(self.0.add_user(user.clone().write())).await
    }

    /// See [`Store::remove_user`](crate::Store::remove_user).
    pub async fn remove_user(&self, user: &UserId) -> Result<()> {
        answer(self.0.remove_user(text(user))).await
    }

    /// See [`Store::users`](crate::Store::users).
    pub async fn users(&self, page: &Page) -> Result<Listing<CalendarUser>> {
        within(page, answer(self.0.users(page.write())).await?)
    }

    /// See [`Store::list`](crate::Store::list).
    pub async fn list(&self, user: &UserId, page: &Page) -> Result<Listing<ObjectSummary>> {
        within(page, answer(self.0.list(text(user), page.write())).await?)
    }

    /// See [`Store::changes`](crate::Store::changes).
    pub async fn changes(&self, user: &UserId, since: Option<&Cursor>) -> Result<Changes> {
        let since: ROption<RStr<'_>> = since.map(|cursor| cursor.0.as_str().into()).into();
        answer(self.0.changes(text(user), since)).await
    }

    /// See [`Store::keep`](crate::Store::keep).
    pub async fn keep(&self, user: &UserId, message: &KeptMessage) -> Result<()> {
        answer(self.0.keep(text(user), message.write())).await
    }

    /// See [`Store::deliver`](crate::Store::deliver).
    pub async fn deliver(&self, user: &UserId, message: &KeptMessage) -> Result<Delivery> {
        answer(self.0.deliver(text(user), message.write())).await
    }
}

fn text(id: &impl AsRef<str>) -> RStr<'_> {
    id.as_ref().into()
}

/// A page that is no longer than was asked for; else the plugin is at fault.
fn within<T>(page: &Page, listing: Listing<T>) -> Result<Listing<T>> {
    let (asked, came) = (page.limit as usize, listing.items.len());
    if came <= asked {
        return Ok(listing);
    }
    Err(Error::internal(format!(
        "the plugin answers with {came} items where {asked} were asked for"
    )))
}
