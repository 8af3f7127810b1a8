//! Stores: where calendars live.

use crate::{
    Busy, CalendarAddress, CalendarUser, Call, Changed, Changes, Cursor, Error, Etag, Host,
    InboxEntry, InboxMessage, Listing, MessageId, NewObject, NewUser, ObjectSummary, Page,
    Precondition, Result, Sharing, StoredObject, TimeRange, Uid, UserId, Watch, Watched,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{future::Future, time::Duration};

/// A calendar store.
///
/// A store keeps bytes. The host hands it an [`ObjectIndex`](crate::ObjectIndex) with every [`put`](Store::put), so a store needs no
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
///     async fn find(&self, address: &CalendarAddress, _: &Call) -> Result<Option<CalendarUser>> {
///         let Some(hermit) = self.0.iter().find(|hermit| hermit.same_user(address)) else {
///             return Ok(None);
///         };
///         Ok(Some(CalendarUser::new(UserId::new(hermit.as_str())?, hermit.clone())))
///     }
///
///     async fn get(&self, user: &UserId, _: &Uid, _: &Call) -> Result<Option<StoredObject>> {
///         self.known(user).map(|()| None)
///     }
///
///     async fn put(&self, user: &UserId, _: &NewObject, _: &Precondition, _: &Call) -> Result<Etag> {
///         self.known(user)?;
///         Err(Error::denied("a hermit takes no invitations"))
///     }
///
///     async fn remove(&self, user: &UserId, _: &Uid, _: &Precondition, _: &Call) -> Result<()> {
///         self.known(user)?;
///         Err(Error::not_found("a hermit has no appointments"))
///     }
///
///     async fn busy(&self, user: &UserId, _: TimeRange, _: &Call) -> Result<Busy> {
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

    /// Whether it may be opened twice side by side, as a reload of the configuration does.
    const SHARING: Sharing = Sharing::Shared;

    /// Opens the store, making it if it is not there yet. Called once for each entry in the configuration.
    fn open(config: Self::Config, host: Host) -> impl Future<Output = Result<Self>> + Send;

    /// The calendar user whose address or alias this is. The case of a `mailto:` local part does not count.
    fn find(
        &self,
        address: &CalendarAddress,
        call: &Call,
    ) -> impl Future<Output = Result<Option<CalendarUser>>> + Send;

    /// An object of the user, as it was put.
    fn get(
        &self,
        user: &UserId,
        uid: &Uid,
        call: &Call,
    ) -> impl Future<Output = Result<Option<StoredObject>>> + Send;

    /// Writes an object if the precondition holds, else [`ErrorKind::Conflict`](crate::ErrorKind::Conflict).
    /// Answers once it is on disk.
    fn put(
        &self,
        user: &UserId,
        object: &NewObject,
        when: &Precondition,
        call: &Call,
    ) -> impl Future<Output = Result<Etag>> + Send;

    /// Removes an object if the precondition holds; `NotFound` if there is none.
    fn remove(
        &self,
        user: &UserId,
        uid: &Uid,
        when: &Precondition,
        call: &Call,
    ) -> impl Future<Output = Result<()>> + Send;

    /// When the user is busy in `range`: every indexed span that overlaps it, and every object whose index
    /// [is open](crate::ObjectIndex::is_open_in) in it.
    fn busy(
        &self,
        user: &UserId,
        range: TimeRange,
        call: &Call,
    ) -> impl Future<Output = Result<Busy>> + Send;

    /// Makes a calendar user; `Conflict` if one of the addresses is taken.
    fn add_user(&self, user: &NewUser, call: &Call) -> impl Future<Output = Result<UserId>> + Send {
        let _ = (user, call);
        unsupported("this store makes no calendar users")
    }

    /// Replaces all that is known of the calendar user of this identifier; `NotFound` if there is none, `Conflict` if one
    /// of the addresses is somebody else's.
    fn update_user(
        &self,
        user: &CalendarUser,
        call: &Call,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (user, call);
        unsupported("this store changes no calendar users")
    }

    /// Removes a calendar user with everything that belongs to it; `NotFound` if there is none.
    fn remove_user(&self, user: &UserId, call: &Call) -> impl Future<Output = Result<()>> + Send {
        let _ = (user, call);
        unsupported("this store removes no calendar users")
    }

    /// The calendar users, a page at a time, in an order that does not change.
    fn users(
        &self,
        page: &Page,
        call: &Call,
    ) -> impl Future<Output = Result<Listing<CalendarUser>>> + Send {
        let _ = (page, call);
        unsupported("this store lists no calendar users")
    }

    /// The objects of a user, a page at a time, in an order that does not change.
    fn list(
        &self,
        user: &UserId,
        page: &Page,
        call: &Call,
    ) -> impl Future<Output = Result<Listing<ObjectSummary>>> + Send {
        let _ = (user, page, call);
        unsupported("this store lists no objects")
    }

    /// What happened to a user's objects since `since`, or since ever. `Invalid` if the cursor is too old: the
    /// caller then begins again.
    ///
    /// Whoever is told that an object is gone cancels a meeting. So an object that only cannot be read now is neither
    /// changed nor gone until it can be read again ([`get`](Store::get) is `Unavailable` meanwhile), and one that was moved
    /// from one of the user's calendars to another is changed at most.
    fn changes(
        &self,
        user: &UserId,
        since: Option<&Cursor>,
        call: &Call,
    ) -> impl Future<Output = Result<Changes>> + Send {
        let _ = (user, since, call);
        unsupported("this store does not track changes")
    }

    /// Waits until something happened to the objects of one of these users, and says of whom; of nobody if the call's
    /// time is up. What it says need not be true: whoever asked looks at the [`changes`](Store::changes). A user that is not
    /// there, or whose cursor is too old, is one to whom something happened. What the host put itself may be told, too.
    ///
    /// It is the cursors that count: what happened before this was called is told at once.
    ///
    /// The default asks for the changes of each of them again and again, which is good enough where that costs little. A
    /// store that is told of changes (by its file system, by a server) answers at once. `Unavailable` if none of the users can
    /// be looked at; a store that cannot look at some goes on with the others.
    fn await_changes(
        &self,
        watch: &Watch,
        call: &Call,
    ) -> impl Future<Output = Result<Changed>> + Send {
        poll_changes(self, watch, call)
    }

    /// Keeps a message for the person to decide on (a COUNTER, for example), in the place of an earlier one of the same
    /// originator, UID, [instance](InboxMessage::instance) and method. `Conflict` if it takes more
    /// [room](InboxMessage::room) than there is; then nothing changes.
    fn inbox_add(
        &self,
        user: &UserId,
        message: &InboxMessage,
        call: &Call,
    ) -> impl Future<Output = Result<MessageId>> + Send {
        let _ = (user, message, call);
        unsupported("this store keeps no messages")
    }

    /// The messages that are kept for the user, a page at a time, in an order that does not change.
    fn inbox_list(
        &self,
        user: &UserId,
        page: &Page,
        call: &Call,
    ) -> impl Future<Output = Result<Listing<InboxEntry>>> + Send {
        let _ = (user, page, call);
        unsupported("this store keeps no messages")
    }

    /// Takes a message out of those that are kept: of two who take it, one gets it. `NotFound` if there is none.
    fn inbox_take(
        &self,
        user: &UserId,
        id: &MessageId,
        call: &Call,
    ) -> impl Future<Output = Result<InboxMessage>> + Send {
        let _ = (user, id, call);
        unsupported("this store keeps no messages")
    }

    /// Takes a message whole, for a store in front of a system that does iTIP by itself. The default answers
    /// [`Delivery::Unhandled`]: the host merges the message and calls [`put`](Store::put).
    fn deliver(
        &self,
        user: &UserId,
        message: &InboxMessage,
        call: &Call,
    ) -> impl Future<Output = Result<Delivery>> + Send {
        let _ = (user, message, call);
        std::future::ready(Ok(Delivery::Unhandled))
    }

    /// The last call: finishes what is under way. The default has nothing to finish.
    fn close(&self, call: &Call) -> impl Future<Output = Result<()>> + Send {
        let _ = call;
        std::future::ready(Ok(()))
    }
}

fn unsupported<T: Send>(what: &'static str) -> impl Future<Output = Result<T>> + Send {
    std::future::ready(Err(Error::unsupported(what)))
}

/// The first pause between two looks at the changes, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Looks at the changes of each user until there are some, or the time is up.
pub(crate) async fn poll_changes<S: Store>(
    store: &S,
    watch: &Watch,
    call: &Call,
) -> Result<Changed> {
    let until = tokio::time::Instant::now() + call.patience();
    let mut pause = PAUSES.0;
    loop {
        let mut users = Vec::new();
        for Watched { user, since, .. } in &watch.users {
            match store.changes(user, Some(since), call).await {
                Ok(changes) if changes.changed.is_empty() && changes.removed.is_empty() => {}
                // Whoever asks for the changes is told what is wrong.
                Ok(_) => users.push(user.clone()),
                Err(error) if is_news(error.kind()) => users.push(user.clone()),
                Err(error) => return Err(error),
            }
        }
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        if !users.is_empty() || left.is_zero() {
            return Ok(Changed::of(users));
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Whether a failure to tell the changes is itself something that happened.
const fn is_news(kind: crate::ErrorKind) -> bool {
    matches!(kind, crate::ErrorKind::Invalid | crate::ErrorKind::NotFound)
}

/// What became of a message handed to a store whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Delivery {
    /// The store does no iTIP; the host does it.
    Unhandled,
    /// The store did it, with this request status (`2.0;Success`).
    Handled(String),
}
