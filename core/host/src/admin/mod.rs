//! The admin API: what a running host does for commands, and for the console.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `api` | the methods, each with what it takes and answers |
//! | `stores` | those that stores alone answer |
//! | `kept` | those by which a backup reads what a host keeps |
//! | `erase` | those by which a user is removed, and a person erased |
//! | `overview` | what a calendar holds |
//! | `messages` | those by which our people send |
//! | `inbox` | those about what waits for a person to decide on |
//! | `counts` | how much of that there is |
//! | `busy` | when somebody is busy |
//! | `queue` | those about what waits to be delivered |
//! | `moment` | times, as methods take them |
//! | `status` | how the host is, and what was decided last |
//! | `health` | what an administrator should look at |
//! | `seen` | who came, and what the log says |
//! | `probe` | what another domain's receiver is like |
//! | `client` | asks a running host, by the control socket in its state folder |
//!
//! It is asked by the control socket, and on the admin listener by who logs in (`crate::console`).
//!
//! Commands go through the running host where there is one: a store has one master, and files that a command makes belong
//! to the host's user. Who can open the control socket may do everything.

pub(crate) mod api;
mod busy;
pub(crate) mod client;
mod counts;
mod erase;
mod health;
mod inbox;
mod kept;
mod messages;
pub(crate) mod moment;
mod overview;
mod probe;
pub(crate) mod queue;
mod seen;
pub(crate) mod status;
pub(crate) mod stores;

#[cfg(feature = "mail")]
use crate::incoming_mail;
use crate::instance::Instance;
use api::{
    AddUser, BusyTime, Decisions, Delete, EraseUser, Explain, Find, FindIn, Forget, Get, Health,
    InboxCounts, InboxDecide, InboxList, InboxShow, Log, LookNow, Method, Objects, Overview,
    PeersSeen, Plugin, Plugins, Probe, Put, QueueDrop, QueueList, QueueRelease, QueueRetry,
    QueueShow, RemoveUser, Reply, SendObject, StatePage, Status, StoreFor, StoreInbox, StoreNames,
    Submit, UpdateUser, Users,
};
use convoke_sdk::config_words::{Complaint, list};
#[cfg(feature = "console")]
use convoke_types::excerpt;
use convoke_types::{CalendarAddress, Error, ErrorKind, UserId};
use http::StatusCode;
use serde::Deserialize;
use stores::OfStores;

/// Does what a method says: JSON in, JSON out. `None` if there is no such method.
pub(crate) async fn call(
    instance: &Instance,
    method: &str,
    body: &[u8],
) -> Option<Result<Vec<u8>, Error>> {
    Some(match method {
        Plugins::NAME => answer(body, async |_: Plugins| Ok(plugins(instance))).await,
        Health::NAME => answer(body, async |asked| health::health(instance, asked).await).await,
        Status::NAME => answer(body, async |asked| status::status(instance, asked).await).await,
        Decisions::NAME => {
            answer(body, async |asked| status::decisions(instance, asked).await).await
        }
        PeersSeen::NAME => answer(body, async |asked| Ok(seen::peers(instance, &asked))).await,
        Log::NAME => answer(body, async |asked| Ok(seen::log(&asked))).await,
        Probe::NAME => answer(body, async |asked| probe::probe(instance, asked).await).await,
        BusyTime::NAME => answer(body, async |asked| busy::busy(instance, asked).await).await,
        StoreNames::NAME => by_stores::<StoreNames>(instance, body).await,
        StoreFor::NAME => by_stores::<StoreFor>(instance, body).await,
        Find::NAME => by_stores::<Find>(instance, body).await,
        FindIn::NAME => by_stores::<FindIn>(instance, body).await,
        Users::NAME => by_stores::<Users>(instance, body).await,
        AddUser::NAME => answer(body, async |asked| add_user(instance, asked).await).await,
        UpdateUser::NAME => answer(body, async |asked| update_user(instance, asked).await).await,
        RemoveUser::NAME => answer(body, async |asked| erase::remove(instance, asked).await).await,
        EraseUser::NAME => answer(body, async |asked| erase::erase(instance, asked).await).await,
        Objects::NAME => by_stores::<Objects>(instance, body).await,
        Overview::NAME => by_stores::<Overview>(instance, body).await,
        Get::NAME => by_stores::<Get>(instance, body).await,
        StoreInbox::NAME => by_stores::<StoreInbox>(instance, body).await,
        StatePage::NAME => by_stores::<StatePage>(instance, body).await,
        Put::NAME => by_stores::<Put>(instance, body).await,
        Submit::NAME => answer(body, async |asked| messages::submit(instance, asked).await).await,
        Reply::NAME => answer(body, async |asked| messages::reply(instance, asked).await).await,
        Delete::NAME => answer(body, async |asked| messages::delete(instance, asked).await).await,
        SendObject::NAME => answer(body, async |asked| messages::send(instance, asked).await).await,
        QueueList::NAME => answer(body, async |asked| queue::list(instance, asked).await).await,
        QueueShow::NAME => answer(body, async |asked| queue::show(instance, asked).await).await,
        QueueRetry::NAME => answer(body, async |asked| queue::retry(instance, asked).await).await,
        QueueDrop::NAME => answer(body, async |asked| queue::drop(instance, asked).await).await,
        QueueRelease::NAME => {
            answer(body, async |asked| queue::release(instance, asked).await).await
        }
        InboxList::NAME => answer(body, async |asked| inbox::list(instance, asked).await).await,
        InboxShow::NAME => answer(body, async |asked| inbox::show(instance, asked).await).await,
        InboxCounts::NAME => {
            answer(body, async |asked| counts::counts(instance, asked).await).await
        }
        InboxDecide::NAME => answer(body, async |asked| inbox::decide(instance, asked).await).await,
        Explain::NAME => answer(body, async |asked| queue::explain(instance, asked).await).await,
        Forget::NAME => answer(body, async |asked| queue::forget(instance, asked).await).await,
        #[cfg(feature = "mail")]
        api::MailReceive::NAME => {
            let receive = async |asked: api::MailReceive| {
                let to = asked.to.as_deref().map(incoming_mail::envelope_recipient);
                let to = to.transpose();
                let to = to.map_err(|error| Error::invalid(error.to_string()))?;
                let octets = &asked.octets.0;
                Ok(incoming_mail::receive_piped(instance, octets, to.as_ref()).await)
            };
            answer(body, receive).await
        }
        LookNow::NAME => answer(body, async |asked| queue::look(instance, asked).await).await,
        _ => return None,
    })
}

/// The methods that change nothing, and tell nobody anything.
#[cfg(feature = "console")]
const READING: [&str; 23] = [
    Plugins::NAME,
    Health::NAME,
    Status::NAME,
    Decisions::NAME,
    PeersSeen::NAME,
    Log::NAME,
    BusyTime::NAME,
    StoreNames::NAME,
    StoreFor::NAME,
    Find::NAME,
    FindIn::NAME,
    Users::NAME,
    Objects::NAME,
    Overview::NAME,
    Get::NAME,
    StoreInbox::NAME,
    StatePage::NAME,
    QueueList::NAME,
    QueueShow::NAME,
    InboxList::NAME,
    InboxShow::NAME,
    InboxCounts::NAME,
    Explain::NAME,
];

/// Whether a method has something done.
#[cfg(feature = "console")]
pub(crate) fn is_doing(method: &str) -> bool {
    !READING.contains(&method)
}

/// What of a body says what a method is about: names of entries and addresses, nothing of what people write.
#[cfg(feature = "console")]
pub(crate) fn about(body: &[u8]) -> String {
    let asked: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let said = ["id", "ids", "uid", "store", "address", "user", "domain"].map(|name| {
        let value = asked.get(name)?;
        let listed = || {
            let all: Option<Vec<String>> = value.as_array()?.iter().map(text).collect();
            all.map(|all| all.join(","))
        };
        let said = text(value)
            .or_else(listed)
            .or_else(|| text(value.get("address")?))?;
        Some(format!("{name}={said}"))
    });
    let said: Vec<String> = said.into_iter().flatten().collect();
    excerpt(&said.join(" "), LONGEST_ABOUT)
}

/// The most that is said of it, in characters.
#[cfg(feature = "console")]
const LONGEST_ABOUT: usize = 300;

/// The same by types: for the console, which shows what the API says and nothing else.
#[cfg(feature = "console")]
pub(crate) async fn ask<M: Method>(instance: &Instance, asked: &M) -> Result<M::Answer, Error> {
    let broken = |error: serde_json::Error| Error::internal(format!("{}: {error}", M::NAME));
    let body = serde_json::to_vec(asked).map_err(broken)?;
    let answer = call(instance, M::NAME, &body).await;
    let answer = answer.unwrap_or_else(|| Err(Error::unsupported(M::NAME)))?;
    serde_json::from_slice(&answer).map_err(broken)
}

async fn by_stores<M: OfStores>(instance: &Instance, body: &[u8]) -> Result<Vec<u8>, Error> {
    answer(body, async |asked: M| asked.run(&instance.plugins).await).await
}

/// Whoever is made is looked at before anything is in its calendar, so that all that comes is told.
async fn add_user(instance: &Instance, asked: AddUser) -> Result<UserId, Error> {
    let store = asked.store.clone();
    let id = asked.run(&instance.plugins).await?;
    instance.shared.look_soon.at(&store, &id);
    Ok(id)
}

/// Whether changes of this user are told holds for the next one.
async fn update_user(instance: &Instance, asked: UpdateUser) -> Result<(), Error> {
    let (store, id) = (asked.store.clone(), asked.user.id.clone());
    asked.run(&instance.plugins).await?;
    instance.shared.look_soon.renewed(&store, &id);
    Ok(())
}

async fn answer<M: Method>(
    body: &[u8],
    run: impl AsyncFnOnce(M) -> Result<M::Answer, Error>,
) -> Result<Vec<u8>, Error> {
    let asked = serde_json::from_slice(body);
    let asked = asked.map_err(|error| not_read(M::NAME, &error))?;
    let answer = run(asked).await?;
    serde_json::to_vec(&answer).map_err(|error| Error::internal(error.to_string()))
}

/// What was sent is not what the method takes.
fn not_read(method: &str, error: &serde_json::Error) -> Error {
    let said = error.to_string();
    let (what, place) = said.split_once(" at line ").unwrap_or((&said, ""));
    let why = match Complaint::read(what) {
        _ if error.is_eof() => "it is cut off".to_owned(),
        _ if error.is_syntax() => format!("it is no JSON (line {place})"),
        Complaint::UnknownKey(wrong, known) => {
            format!("`{wrong}` is not known; the keys here are {}", list(&known))
        }
        Complaint::UnknownWord(wrong, known) => {
            format!("`{wrong}` is not known; it is one of {}", list(&known))
        }
        Complaint::MissingKey(key) => format!("`{key}` is missing; add it"),
        Complaint::Other(what) => what,
    };
    Error::invalid(format!("what was sent to {method} cannot be read: {why}"))
}

fn plugins(instance: &Instance) -> Vec<Plugin> {
    instance.plugins.list().iter().map(Plugin::from).collect()
}

/// The status of HTTP that an error is answered with.
pub(crate) const fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A method about one's own calendar, which people who log in may ask from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OfOwn(&'static str);

impl OfOwn {
    /// Each has a field `user`: whose calendar it is about.
    const NAMES: [&str; 9] = [
        Overview::NAME,
        Reply::NAME,
        SendObject::NAME,
        Delete::NAME,
        InboxList::NAME,
        InboxShow::NAME,
        InboxDecide::NAME,
        QueueList::NAME,
        Explain::NAME,
    ];

    /// The method of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let known = Self::NAMES.into_iter().find(|it| *it == name);
        known.map(Self)
    }

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        self.0
    }

    /// Whose calendar it is about.
    pub(crate) fn user(self, body: &[u8]) -> Result<CalendarAddress, Error> {
        #[derive(Deserialize)]
        struct Whose {
            user: CalendarAddress,
        }
        let asked: Result<Whose, _> = serde_json::from_slice(body);
        let asked = asked.map_err(|error| not_read(self.0, &error))?;
        Ok(asked.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "console")]
    #[test]
    fn what_is_asked_about_is_named_and_nothing_that_people_write() {
        for (body, said) in [
            (r#"{"id": "e-1"}"#, "id=e-1"),
            (
                r#"{"ids": ["a", "b"], "user": "mailto:anna@example.org"}"#,
                "ids=a,b user=mailto:anna@example.org",
            ),
            (
                r#"{"store": "s", "user": {"address": "mailto:bo@example.org", "name": "Bo"}}"#,
                "store=s user=mailto:bo@example.org",
            ),
            (r#"{"object": "SUMMARY:secret"}"#, ""),
            ("no JSON", ""),
        ] {
            assert_eq!(about(body.as_bytes()), said);
        }
    }

    #[test]
    fn what_was_sent_and_cannot_be_read_is_said_in_words() {
        for (body, said) in [
            (
                "{}",
                "what was sent to queue-drop cannot be read: `id` is missing; add it",
            ),
            (
                "{\"id\": 3}",
                "what was sent to queue-drop cannot be read: expected a text, not 3",
            ),
            (
                "{",
                "what was sent to queue-drop cannot be read: it is cut off",
            ),
            (
                "id",
                "what was sent to queue-drop cannot be read: it is no JSON (line 1 column 1)",
            ),
        ] {
            let error = serde_json::from_str::<QueueDrop>(body).unwrap_err();
            assert_eq!(not_read(QueueDrop::NAME, &error).message(), said);
        }
    }
}
