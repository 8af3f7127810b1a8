//! What a store promises, law by law.
//!
//! Each law makes calendar users of its own, so a store that holds others may be asked too. A store that makes no users
//! is asked with some that the test names.

mod history;
mod objects;
mod people;
mod time;

use super::{
    Law, Outcome, Report,
    objects::{Event, lines},
    runner::{Ask, Broken, CALL, Verdict, ask, equal, expect, fails, outcome},
};
use crate::prelude::*;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// What is known of the store that is asked.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoreFacts {
    /// For a store that makes no users: two at least of those that it has, **whose objects are all removed**. Laws about
    /// users are not asked then.
    pub users: Vec<CalendarAddress>,
    /// What it keeps of an object.
    pub keeps: Keeps,
    /// Whether it may be opened twice side by side; what the trait says is asked if this is `None`.
    pub sharing: Option<Sharing>,
}

impl StoreFacts {
    /// A store that has these users, and makes none.
    pub fn with_users(users: impl Into<Vec<CalendarAddress>>) -> Self {
        Self {
            users: users.into(),
            ..Self::default()
        }
    }

    /// The same, of a store that keeps this.
    #[must_use]
    pub fn that_keeps(self, keeps: Keeps) -> Self {
        Self { keeps, ..self }
    }

    /// The same, of a store that may be opened so often.
    #[must_use]
    pub fn that_is(self, sharing: Sharing) -> Self {
        Self {
            sharing: Some(sharing),
            ..self
        }
    }
}

/// What a store keeps of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keeps {
    /// Its bytes.
    #[default]
    Bytes,
    /// The same properties, in any order: for a store in front of a server that writes objects down in its own way.
    Meaning,
}

/// Asks the store that `open` opens for every law. `open` may be called several times, and opens the same place.
///
/// Needs a tokio runtime. The calendar users it makes, all at `conformance.example`, are removed again.
pub async fn store<S, O, F>(open: O, facts: &StoreFacts) -> Report
where
    S: Store,
    O: Fn() -> F,
    F: Future<Output = Result<S>>,
{
    let mut report = Report::default();
    let subject = |store| Subject::new(Arc::new(store), &facts.users, facts.keeps);
    let first = match open().await {
        Ok(store) => subject(store),
        Err(error) => {
            let how = format!("opening it failed: {error}");
            report.push("a store opens", Outcome::Broken(how));
            return report;
        }
    };
    for (name, law) in laws::<S>() {
        report.push(name, outcome(ask(law(first.clone())).await));
    }
    let beside = match facts.sharing.unwrap_or(S::SHARING) {
        Sharing::Exclusive => Err(Broken::NotAsked("it says that it may not".to_owned())),
        Sharing::Shared | Sharing::OneVersion => match open().await {
            Ok(store) => ask(people::side_by_side(first.clone(), subject(store))).await,
            Err(error) => Err(Broken::How(format!("opening it twice failed: {error}"))),
        },
    };
    report.push("it is opened twice side by side", outcome(beside));
    let reopened = async {
        let left = ask(people::leave(first.clone())).await?;
        first.store.close(&CALL).await?;
        drop(first);
        ask(people::return_to(subject(open().await?), left)).await
    };
    let reopened = outcome(reopened.await);
    report.push(
        "a store that is closed and opened again holds everything",
        reopened,
    );
    let asked = |law: &Law| !matches!(law.outcome, Outcome::NotAsked(_));
    if !report.laws.iter().any(asked) {
        let how = "it makes none, so expected two in the test (`users: [\"a@example.org\", \"b@example.org\"]`, or `--user` twice), got none";
        report.push(
            "a store has calendar users",
            Outcome::Broken(how.to_owned()),
        );
    }
    report
}

macro_rules! laws {
    ($($name:literal => $module:ident::$law:ident,)*) => {
        fn laws<S: Store>() -> Vec<(&'static str, Ask<Subject<S>>)> {
            vec![$(($name, |subject| Box::pin($module::$law(subject)))),*]
        }
    };
}

laws! {
    "an object is got as it was put" => objects::get_after_put,
    "a second put replaces the first" => objects::put_again,
    "a stale etag is a conflict and changes nothing" => objects::stale_etag,
    "create-only refuses what is there" => objects::create_only,
    "a removed object is gone" => objects::removal,
    "a UID is opaque, whatever it holds" => objects::odd_uids,
    "an object of 1 MB is kept whole" => objects::large,
    "of a hundred concurrent creators one wins" => objects::concurrent_creators,
    "a hundred concurrent writers lose no update" => objects::concurrent_writers,
    "a call that is given up leaves the old or the new object" => objects::given_up,
    "busy time is what the indexes say" => time::busy_is_the_model,
    "spans that only touch a range are not in it" => time::edges,
    "an object whose recurrence goes on is handed back" => time::open_objects,
    "pages of a listing hold each object once" => history::listing,
    "changes tell what happened since the cursor" => history::changes,
    "who follows the changes sees what is listed" => history::followed,
    "a cursor that the store did not make is invalid" => history::wrong_cursor,
    "who waits for changes is told of them in time" => history::awaited,
    "every address of a user finds it, in any case" => people::addresses,
    "an address belongs to one user" => people::taken_address,
    "two users never see each other's objects" => people::two_users,
    "a user that is not there is not found" => people::unknown_user,
    "a removed user is gone with everything" => people::removed_user,
    "what is known of a user can be changed" => people::updated,
    "a kept message is taken and is no object" => people::kept_message,
    "kept messages are listed, and taken once" => people::inbox_listed,
    "no more messages are kept than there is room for" => people::inbox_room,
    "a message is delivered whole, or left to the host" => people::delivered,
}

/// The store that is asked.
struct Subject<S> {
    store: Arc<S>,
    /// Tells the users of this run from those of others.
    run: u128,
    users: Arc<AtomicU32>,
    /// Who is there already, for a store that makes no users.
    given: Arc<[CalendarAddress]>,
    /// How often one of them was taken.
    taken: Arc<AtomicU32>,
    keeps: Keeps,
}

impl<S> Clone for Subject<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            run: self.run,
            users: Arc::clone(&self.users),
            given: Arc::clone(&self.given),
            taken: Arc::clone(&self.taken),
            keeps: self.keeps,
        }
    }
}

impl<S: Store> Subject<S> {
    fn new(store: Arc<S>, given: &[CalendarAddress], keeps: Keeps) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            store,
            run: since.unwrap_or_default().as_nanos(),
            users: Arc::default(),
            given: given.into(),
            taken: Arc::default(),
            keeps,
        }
    }

    /// An address that nobody has.
    fn address(&self) -> CalendarAddress {
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        let text = format!("user{number}-{:x}@conformance.example", self.run);
        CalendarAddress::new(&text).expect("the kit's addresses are such")
    }

    /// A user without objects.
    async fn user(&self) -> Verdict<UserId> {
        self.user_and_address().await.map(|(user, _)| user)
    }

    async fn user_and_address(&self) -> Verdict<(UserId, CalendarAddress)> {
        let address = self.address();
        match self
            .store
            .add_user(&NewUser::new(address.clone()), &CALL)
            .await
        {
            Ok(user) => Ok((user, address)),
            Err(error) if error.kind() == ErrorKind::Unsupported && !self.given.is_empty() => {
                self.given_user().await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn given_user(&self) -> Verdict<(UserId, CalendarAddress)> {
        let given = self.given.len();
        expect(given >= 2, || {
            "expected two users in the test, got one".to_owned()
        })?;
        let turn = self.taken.fetch_add(1, Ordering::Relaxed) as usize;
        let address = &self.given[turn % given];
        let found = self.store.find(address, &CALL).await?;
        let user = found.ok_or_else(|| {
            Broken::How(format!(
                "expected {address}, whom the test names, to be there"
            ))
        })?;
        self.clear(&user.id).await?;
        Ok((user.id, address.clone()))
    }

    /// Removes the objects of a user, and the messages that are kept.
    async fn clear(&self, user: &UserId) -> Verdict {
        for entry in people::inbox(self, user).await.unwrap_or_default() {
            // A store that takes nothing is found out by the law about that.
            let _ = self.store.inbox_take(user, &entry.id, &CALL).await;
        }
        let page = || Page::first(100);
        loop {
            let listing = self.store.list(user, &page(), &CALL).await?;
            if listing.items.is_empty() {
                return Ok(());
            }
            for object in listing.items {
                let any = Precondition::Any;
                self.store.remove(user, &object.uid, &any, &CALL).await?;
            }
        }
    }

    async fn put(&self, user: &UserId, event: &Event) -> Verdict<Etag> {
        let (object, any) = (event.object(), Precondition::Any);
        Ok(self.store.put(user, &object, &any, &CALL).await?)
    }

    /// Whether an object that was got is the event that was put.
    fn is_kept(&self, got: &StoredObject, event: &Event) -> bool {
        let put = event.object().data;
        match self.keeps {
            Keeps::Bytes => got.data == put,
            Keeps::Meaning => lines(&got.data) == lines(&put),
        }
    }

    /// Breaks the law unless an object that was got is the event that was put.
    fn kept(&self, what: &str, got: &StoredObject, event: &Event) -> Verdict {
        let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
        expect(self.is_kept(got, event), || {
            let (put, got) = (text(&event.object().data), text(&got.data));
            format!("{what}: expected what was put, {put:.300}, got {got:.300}")
        })
    }

    async fn got(&self, user: &UserId, uid: &Uid) -> Verdict<StoredObject> {
        let got = self.store.get(user, uid, &CALL).await?;
        got.ok_or_else(|| Broken::How(format!("there is no object {uid:?} after it was put")))
    }

    /// Leaves nothing behind.
    async fn done(&self, users: impl IntoIterator<Item = UserId>) -> Verdict {
        for user in users {
            match self.store.remove_user(&user, &CALL).await {
                Ok(()) => {}
                Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error.into()),
                Err(_) if self.given.is_empty() => {}
                Err(_) => self.clear(&user).await?,
            }
        }
        Ok(())
    }
}
