//! `convoke send` of an object: it becomes what its owner wrote, and whom that concerns is told.
//!
//! Nothing is stored unless every message about it can be made. Whom a message did not reach is noted in the owner's copy
//! (SCHEDULE-STATUS, RFC 6638 §7.3), and told when the same object is sent again.

use crate::{
    cli::{
        Global,
        output::Failure,
        places::{failed, user_of},
        reply::{addresses, timezone},
        submit::Submission,
    },
    serve,
};
use convoke_calendar::{
    itip::{self, Change, Edited, Outgoing, Owner},
    message::{MessageError, Method},
    tree::{self, Calendar, Limits},
};
use convoke_ischedule::RecipientResponse;
use convoke_plugin_host::{IndexService, StoreHandle};
use convoke_sdk::{CalendarUser, Error, ErrorKind, NewObject, Precondition, StoredObject};
use convoke_types::{CalendarAddress, Etag, RequestStatus, Uid};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// How often another writer may win before we give up; each round somebody makes progress.
const ATTEMPTS: usize = 64;

/// Why an object is not sent.
pub(super) enum Unsent {
    /// No message can be made of it.
    Invalid(MessageError),
    /// It cannot be stored, or nobody can be told.
    Failed(Failure),
}

impl From<Failure> for Unsent {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What became of an edit.
#[derive(Default)]
pub(super) struct Told {
    /// For each recipient; nothing, if it concerns nobody else.
    pub(super) responses: Vec<RecipientResponse>,
    /// Others are on it whom SCHEDULE-AGENT leaves to the owner's program.
    pub(super) left_to_client: bool,
    /// Somebody was not reached, whom the same object tells when it is sent again.
    pub(super) again: bool,
    /// Somebody was not reached who is not on the list any more.
    pub(super) gone: bool,
    /// Why it could not be noted who was not reached.
    pub(super) unnoted: Option<Failure>,
}

/// Stores the object and hands in the messages that its edit makes.
pub(super) async fn send(
    object: &Calendar,
    owner: &CalendarAddress,
    submission: &Submission,
    global: &Global,
) -> Result<Told, Unsent> {
    let plugins = global.plugins().await?;
    let (store, user) = user_of(&plugins, owner).await?;
    let own = OwnCopy {
        store,
        user: &user,
        uid: uid(object)?,
        index: serve::setup(&global.config()?).index,
    };
    let (before, etag, outgoing) = own.becomes(object).await?;
    let addresses = addresses(&user);
    let owner = Owner {
        addresses: &addresses,
        timezone: timezone(&user),
    };
    let mut told = Told {
        responses: unnamed(object, &outgoing),
        left_to_client: itip::is_left_to_client(object, &owner),
        ..Told::default()
    };
    let unnamed = told.responses.len();
    for letter in &outgoing {
        let sent = submission.submit(&letter.message, &letter.originator, &letter.recipients);
        match sent.await {
            Ok(response) => told.add(letter, response.responses),
            // Nobody was told, so that nothing has happened.
            Err(failure) if told.responses.len() == unnamed => {
                if let Some(etag) = etag {
                    own.take_back(before, etag).await?;
                }
                return Err(failure.into());
            }
            Err(failure) => {
                let status = RequestStatus::SERVICE_UNAVAILABLE.with_text(&failure.to_string());
                let recipients = letter.recipients.iter();
                let responses =
                    recipients.map(|who| RecipientResponse::new(who.as_str(), status.clone()));
                told.add(letter, responses.collect());
            }
        }
        if let Err(failure) = own.note(letter, &told.responses).await {
            told.unnoted = Some(failure);
        }
    }
    Ok(told)
}

/// Guests who are named by no address, so that nobody can tell them.
fn unnamed(object: &Calendar, outgoing: &[Outgoing]) -> Vec<RecipientResponse> {
    let invites = |it: &Outgoing| matches!(it.message.method(), Method::Request | Method::Add);
    if !outgoing.iter().any(invites) {
        return Vec::new();
    }
    let lines = object
        .main_components()
        .flat_map(|component| component.all("ATTENDEE"));
    let names = lines
        .filter(|line| CalendarAddress::new(&line.value).is_err())
        .map(|line| line.value.as_str());
    let names: BTreeSet<&str> = names.collect();
    let status = RequestStatus::INVALID_CALENDAR_USER;
    let responses = names.into_iter();
    responses
        .map(|name| RecipientResponse::new(name, status.clone()))
        .collect()
}

impl Told {
    fn add(&mut self, letter: &Outgoing, responses: Vec<RecipientResponse>) {
        let failed = responses.iter().any(|it| it.status.is_failure());
        match letter.message.method() {
            Method::Cancel => self.gone |= failed,
            _ => self.again |= failed,
        }
        self.responses.extend(responses);
    }
}

fn uid(object: &Calendar) -> Result<Uid, Failure> {
    let uid = object.main_components().find_map(tree::Component::uid);
    uid.ok_or_else(|| Failure::new("the object has no usable UID, so that it cannot be kept"))
}

/// The owner's copy of the object.
struct OwnCopy<'a> {
    store: &'a StoreHandle,
    user: &'a CalendarUser,
    uid: Uid,
    index: IndexService,
}

impl OwnCopy<'_> {
    /// Makes the object the stored one, whatever others write meanwhile. Returns what was stored, the etag of what is if
    /// that is something else, and whom to tell.
    async fn becomes(
        &self,
        object: &Calendar,
    ) -> Result<(Option<StoredObject>, Option<Etag>, Vec<Outgoing>), Unsent> {
        for _ in 0..ATTEMPTS {
            let before = self.get().await?;
            let Edited { store, outgoing } = self.edit(before.as_ref(), object)?;
            for letter in &outgoing {
                let delegates = itip::delegates(&letter.message, &letter.originator);
                let refused = |status: RequestStatus| {
                    Failure::new(format!("{}: {}", self.uid, status.text()))
                };
                delegates.map_err(refused)?;
            }
            let Change::Store(calendar) = store else {
                return Ok((before, None, outgoing));
            };
            let when = precondition(before.as_ref());
            // Where somebody else was faster, the edit is made anew, of what they wrote.
            if let Some(etag) = self.put(calendar.write(), &when).await? {
                return Ok((before, Some(etag), outgoing));
            }
        }
        Err(self.contended().into())
    }

    fn edit(&self, before: Option<&StoredObject>, after: &Calendar) -> Result<Edited, Unsent> {
        let before = before.map(|object| self.read(object)).transpose()?;
        let addresses = addresses(self.user);
        let owner = Owner {
            addresses: &addresses,
            timezone: timezone(self.user),
        };
        let edited = itip::edit(before.as_ref(), Some(after), &owner, Timestamp::now());
        edited.map_err(Unsent::Invalid)
    }

    /// Notes whom a message did not reach.
    async fn note(
        &self,
        letter: &Outgoing,
        responses: &[RecipientResponse],
    ) -> Result<(), Failure> {
        let told = responses.iter().filter_map(|response| {
            let recipient = CalendarAddress::new(&response.recipient).ok()?;
            Some((recipient, response.status.clone()))
        });
        let told: Vec<_> = told
            .filter(|(who, _)| letter.recipients.iter().any(|it| it.same_user(who)))
            .collect();
        if !told.iter().any(|(_, status)| status.is_failure()) {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            let Some(stored) = self.get().await? else {
                return Ok(());
            };
            let copy = self.read(&stored)?;
            let noted = itip::note_delivery(&copy, letter.message.method(), &told);
            if noted.write() == copy.write() {
                return Ok(());
            }
            let when = Precondition::Matches(stored.etag);
            if self.put(noted.write(), &when).await?.is_some() {
                return Ok(());
            }
        }
        Err(self.contended())
    }

    async fn get(&self) -> Result<Option<StoredObject>, Failure> {
        let stored = self.store.get(&self.user.id, &self.uid).await;
        stored.map_err(|error| failed(self.store, &error))
    }

    fn read(&self, object: &StoredObject) -> Result<Calendar, Failure> {
        let limits = Limits {
            bytes: usize::MAX,
            ..Limits::default()
        };
        Calendar::parse_stored(&object.data, &limits).map_err(|error| {
            Failure::new(format!(
                "{}: what is stored cannot be read: {error}",
                self.uid
            ))
        })
    }

    /// `None` if somebody else was faster.
    async fn put(&self, data: Vec<u8>, when: &Precondition) -> Result<Option<Etag>, Failure> {
        let index = (self.index)(Some(self.user), &data);
        let index = index.map_err(|error| Failure::new(error.to_string()))?;
        let object = NewObject { data, index };
        let written = self.store.put(&self.user.id, &object, when).await;
        self.unless_conflict(written)
    }

    async fn take_back(&self, before: Option<StoredObject>, etag: Etag) -> Result<(), Failure> {
        let when = Precondition::Matches(etag);
        // Where somebody has written over it meanwhile, theirs stays.
        if let Some(before) = before {
            return self.put(before.data, &when).await.map(drop);
        }
        let removed = self.store.remove(&self.user.id, &self.uid, &when).await;
        self.unless_conflict(removed).map(drop)
    }

    fn unless_conflict<T>(&self, written: Result<T, Error>) -> Result<Option<T>, Failure> {
        match written {
            Ok(done) => Ok(Some(done)),
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
            Err(error) => Err(failed(self.store, &error)),
        }
    }

    fn contended(&self) -> Failure {
        let uid = &self.uid;
        Failure::new(format!(
            "{uid} was written by somebody else {ATTEMPTS} times while it was to be stored; send it again"
        ))
    }
}

fn precondition(before: Option<&StoredObject>) -> Precondition {
    before.map_or(Precondition::Absent, |before| {
        Precondition::Matches(before.etag.clone())
    })
}
