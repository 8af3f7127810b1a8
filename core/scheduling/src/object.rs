//! One of our people has written an object: it becomes what they wrote, and whom that concerns is told.
//!
//! Nothing is stored unless every message about it can be made. Whom a message did not reach is noted in the owner's copy
//! (SCHEDULE-STATUS, RFC 6638 §7.3), and told when the same object is sent again.

use crate::{
    environment::{Clock, Home},
    index,
    limits::Limits,
    outcome::Outcome,
    person::Person,
    stored::{ATTEMPTS, read, unchanged},
};
use convoke_calendar::{
    gather,
    itip::{self, Change, Edited, Outgoing},
    message::{MessageError, Method},
    tree::{self, Calendar},
};
use convoke_types::{
    CalendarAddress, Error, ErrorKind, Etag, NewObject, Precondition, RequestStatus, StoredObject,
    Uid,
};
use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt::{self, Display},
    future::Future,
};

/// Where messages of our people are handed in.
pub trait Submit {
    /// Why one could not be handed in at all.
    type Failure: Display;

    /// Hands a message in: each recipient as it was named in the answer, and what became of the message for it.
    fn submit(
        &self,
        outgoing: &Outgoing,
    ) -> impl Future<Output = Result<Vec<Answered>, Self::Failure>> + Send;
}

/// A recipient, or a guest whom no address names, and what became of a message for it.
pub type Answered = (String, Outcome);

/// Why an object is not sent.
#[derive(Debug)]
pub enum Unsent<F> {
    /// It has no usable UID.
    NoUid,
    /// No message can be made of it; nothing is stored.
    Invalid(MessageError),
    /// What is delegated in it cannot be; nothing is stored.
    Refused(Uid, RequestStatus),
    /// Others wrote it again and again meanwhile; it may be sent again.
    Contended(Uid),
    /// The store cannot do it.
    Store(Error),
    /// Nobody can be told, so that nothing is stored.
    Failed(F),
}

impl<F: Display> Display for Unsent<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUid => f.write_str("the object has no usable UID, so that it cannot be kept"),
            Self::Invalid(error) => error.fmt(f),
            Self::Refused(uid, status) => write!(f, "{uid}: {}", status.text()),
            Self::Contended(uid) => write!(
                f,
                "others wrote {uid} again and again while it was to be stored; send it again"
            ),
            Self::Store(error) => error.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl<F> From<Error> for Unsent<F> {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// What became of an edit.
#[derive(Debug, Default)]
pub struct Told {
    /// For each recipient; nothing, if it concerns nobody else.
    pub answers: Vec<Answered>,
    /// Others are on it whom SCHEDULE-AGENT leaves to the owner's program.
    pub left_to_client: bool,
    /// Somebody was not reached, whom the same object tells when it is sent again.
    pub again: bool,
    /// Somebody was not reached who is not on the list any more.
    pub gone: bool,
    /// Why it could not be noted who was not reached.
    pub unnoted: Option<Error>,
}

impl Told {
    fn add(&mut self, letter: &Outgoing, answers: Vec<Answered>) {
        let failed = answers.iter().any(|(_, it)| it.status.is_failure());
        match letter.message.method() {
            Method::Cancel => self.gone |= failed,
            _ => self.again |= failed,
        }
        self.answers.extend(answers);
    }
}

/// Stores the object and hands in the messages that its edit makes.
pub async fn send_object<H: Home, S: Submit + Sync>(
    object: &Calendar,
    home: &H,
    submit: &S,
    limits: &Limits,
    clock: &impl Clock,
) -> Result<Told, Unsent<S::Failure>> {
    let uid = object.main_components().find_map(tree::Component::uid);
    let own = OwnCopy {
        home,
        uid: uid.ok_or(Unsent::NoUid)?,
        limits,
        clock,
    };
    let (before, etag, outgoing) = own.becomes(object).await?;
    let mut told = Told {
        answers: unnamed(object, &outgoing),
        left_to_client: itip::is_left_to_client(object, &Person::of(home.user()).owner()),
        ..Told::default()
    };
    let unnamed = told.answers.len();
    for letter in &outgoing {
        match submit.submit(letter).await {
            Ok(answers) => told.add(letter, answers),
            // Nobody was told, so that nothing has happened.
            Err(failure) if told.answers.len() == unnamed => {
                if let Some(etag) = etag {
                    own.take_back(before, etag).await?;
                }
                return Err(Unsent::Failed(failure));
            }
            Err(failure) => {
                let status = RequestStatus::SERVICE_UNAVAILABLE.with_text(&failure.to_string());
                let recipients = letter.recipients.iter();
                let answers = recipients.map(|who| (who.to_string(), status.clone().into()));
                told.add(letter, answers.collect());
            }
        }
        if let Err(error) = own.note(letter, &told.answers).await {
            told.unnoted = Some(error);
        }
    }
    Ok(told)
}

/// Attendees who are named by no address, so that nobody can tell them; an empty property names nobody.
fn unnamed(object: &Calendar, outgoing: &[Outgoing]) -> Vec<Answered> {
    let invites = |it: &Outgoing| matches!(it.message.method(), Method::Request | Method::Add);
    if !outgoing.iter().any(invites) {
        return Vec::new();
    }
    let lines = object
        .main_components()
        .flat_map(|component| component.all("ATTENDEE"));
    let names = lines
        .map(|line| line.value.as_str())
        .filter(|value| !value.trim().is_empty() && CalendarAddress::new(value).is_err());
    let names: BTreeSet<&str> = names.collect();
    let status = RequestStatus::INVALID_CALENDAR_USER;
    let answers = names.into_iter();
    answers
        .map(|name| (name.to_owned(), status.clone().into()))
        .collect()
}

/// The owner's copy of the object.
struct OwnCopy<'a, H, C> {
    home: &'a H,
    uid: Uid,
    limits: &'a Limits,
    clock: &'a C,
}

/// What was stored, the entity tag of what is if that is something else, and whom to tell.
type Became = (Option<StoredObject>, Option<Etag>, Vec<Outgoing>);

impl<H: Home, C: Clock> OwnCopy<'_, H, C> {
    /// Makes the object the stored one, whatever others write meanwhile.
    async fn becomes<F>(&self, object: &Calendar) -> Result<Became, Unsent<F>> {
        for _ in 0..ATTEMPTS {
            let before = self.home.get(&self.uid).await?;
            let Edited { store, outgoing } = self.edit(before.as_ref(), object)?;
            for letter in &outgoing {
                let delegates = itip::delegates(&letter.message, &letter.originator);
                delegates.map_err(|status| Unsent::Refused(self.uid.clone(), status))?;
            }
            let Change::Store(calendar) = store else {
                return Ok((before, None, outgoing));
            };
            let when = unchanged(before.clone());
            // Where somebody else was faster, the edit is made anew, of what they wrote.
            if let Some(etag) = self.put(calendar.write(), &when).await? {
                return Ok((before, Some(etag), outgoing));
            }
        }
        Err(Unsent::Contended(self.uid.clone()))
    }

    fn edit<F>(
        &self,
        before: Option<&StoredObject>,
        after: &Calendar,
    ) -> Result<Edited, Unsent<F>> {
        let before = before.map(|object| read(object, self.limits)).transpose()?;
        let after = of_whole(before.as_ref(), after);
        let person = Person::of(self.home.user());
        let owner = person.owner();
        let edited = itip::edit(before.as_ref(), Some(&after), &owner, self.clock.now());
        edited.map_err(Unsent::Invalid)
    }

    /// Notes whom a message did not reach.
    async fn note(&self, letter: &Outgoing, answers: &[Answered]) -> Result<(), Error> {
        let told = answers.iter().filter_map(|(recipient, outcome)| {
            let recipient = CalendarAddress::new(recipient).ok()?;
            Some((recipient, outcome.status.clone()))
        });
        let told: Vec<_> = told
            .filter(|(who, _)| letter.recipients.iter().any(|it| it.same_user(who)))
            .collect();
        if !told.iter().any(|(_, status)| status.is_failure()) {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            let Some(stored) = self.home.get(&self.uid).await? else {
                return Ok(());
            };
            let copy = read(&stored, self.limits)?;
            let noted = itip::note_delivery(&copy, letter.message.method(), &told).write();
            if noted == copy.write() {
                return Ok(());
            }
            let when = Precondition::Matches(stored.etag);
            if self.put(noted, &when).await?.is_some() {
                return Ok(());
            }
        }
        let text = format!(
            "{} was written by somebody else {ATTEMPTS} times meanwhile",
            self.uid
        );
        Err(Error::unavailable(text))
    }

    /// `None` if somebody else was faster.
    async fn put(&self, data: Vec<u8>, when: &Precondition) -> Result<Option<Etag>, Error> {
        let user = Some(self.home.user());
        let index = index::index_stored(user, &data, self.limits, self.clock.now())?;
        let object = NewObject::new(data, index);
        unless_conflict(self.home.put(&object, when).await)
    }

    async fn take_back(&self, before: Option<StoredObject>, etag: Etag) -> Result<(), Error> {
        let when = Precondition::Matches(etag);
        // Where somebody has written over it meanwhile, theirs stays.
        if let Some(before) = before {
            return self.put(before.data, &when).await.map(drop);
        }
        unless_conflict(self.home.remove(&self.uid, &when).await).map(drop)
    }
}

/// What an object becomes: changed instances alone are an edit of those, not the end of the series that they are of.
fn of_whole<'a>(before: Option<&Calendar>, after: &'a Calendar) -> Cow<'a, Calendar> {
    let kind = after.main_components().next().map(|it| it.name.as_str());
    let is_of_kind = |it: &Calendar| {
        it.main_components()
            .any(|one| kind.is_some_and(|kind| one.is(kind)))
    };
    match before.filter(|before| is_of_kind(before)) {
        Some(before) if gather::is_of_instances(after) => {
            Cow::Owned(gather::put_into(before.clone(), after.clone()))
        }
        _ => Cow::Borrowed(after),
    }
}

fn unless_conflict<T>(written: Result<T, Error>) -> Result<Option<T>, Error> {
    match written {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
        Err(error) => Err(error),
    }
}
