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
    ask::{Ask, Broken, Verdict, ask, equal, expect, fails, outcome},
    objects::{Event, lines},
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

/// Asks the store that `open` opens for every law. `open` may be called several times, and opens the same place.
///
/// Needs a tokio runtime. The calendar users it makes, all at `conformance.example`, are removed again.
pub async fn store<S, O, F>(open: O) -> Report
where
    S: Store,
    O: Fn() -> F,
    F: Future<Output = Result<S>>,
{
    store_with_users(open, &[]).await
}

/// As [`store()`], for a store that makes no users: the laws are asked with those of `users`, two at least, **and all
/// their objects are removed**. Laws about users are not asked.
pub async fn store_with_users<S, O, F>(open: O, users: &[CalendarAddress]) -> Report
where
    S: Store,
    O: Fn() -> F,
    F: Future<Output = Result<S>>,
{
    all(open, users, Keeps::Bytes).await
}

/// As [`store_with_users`], for a store in front of a server that writes objects down in its own way: other folds,
/// another order of properties. What is got must mean what was put.
pub async fn store_that_rewrites<S, O, F>(open: O, users: &[CalendarAddress]) -> Report
where
    S: Store,
    O: Fn() -> F,
    F: Future<Output = Result<S>>,
{
    all(open, users, Keeps::Meaning).await
}

/// What a store keeps of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    Bytes,
    /// The same properties, in any order.
    Meaning,
}

async fn all<S, O, F>(open: O, users: &[CalendarAddress], keeps: Keeps) -> Report
where
    S: Store,
    O: Fn() -> F,
    F: Future<Output = Result<S>>,
{
    let mut report = Report::default();
    let first = match open().await {
        Ok(store) => Subject::new(Arc::new(store), users, keeps),
        Err(error) => {
            let how = format!("opening it failed: {error}");
            report.push("a store opens", Outcome::Broken(how));
            return report;
        }
    };
    for (name, law) in laws::<S>() {
        report.push(name, outcome(ask(law(first.clone())).await));
    }
    let reopened = async {
        let left = ask(people::leave(first.clone())).await?;
        drop(first);
        let store = open().await?;
        ask(people::return_to(
            Subject::new(Arc::new(store), users, keeps),
            left,
        ))
        .await
    };
    let reopened = outcome(reopened.await);
    report.push("a store that is opened again holds everything", reopened);
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
    "every address of a user finds it, in any case" => people::addresses,
    "an address belongs to one user" => people::taken_address,
    "two users never see each other's objects" => people::two_users,
    "a user that is not there is not found" => people::unknown_user,
    "a removed user is gone with everything" => people::removed_user,
    "a kept message is taken and is no object" => people::kept_message,
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
        match self.store.add_user(NewUser::new(address.clone())).await {
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
        let found = self.store.find(address).await?;
        let user = found.ok_or_else(|| {
            Broken::How(format!(
                "expected {address}, whom the test names, to be there"
            ))
        })?;
        self.clear(&user.id).await?;
        Ok((user.id, address.clone()))
    }

    /// Removes the objects of a user.
    async fn clear(&self, user: &UserId) -> Verdict {
        let page = || Page {
            after: None,
            limit: 100,
        };
        loop {
            let listing = self.store.list(user, page()).await?;
            if listing.items.is_empty() {
                return Ok(());
            }
            for object in listing.items {
                let any = Precondition::Any;
                self.store.remove(user, &object.uid, any).await?;
            }
        }
    }

    async fn put(&self, user: &UserId, event: &Event) -> Verdict<Etag> {
        let put = self.store.put(user, event.object(), Precondition::Any);
        Ok(put.await?)
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
        let got = self.store.get(user, uid).await?;
        got.ok_or_else(|| Broken::How(format!("there is no object {uid:?} after it was put")))
    }

    /// Leaves nothing behind.
    async fn done(&self, users: impl IntoIterator<Item = UserId>) -> Verdict {
        for user in users {
            match self.store.remove_user(&user).await {
                Ok(()) => {}
                Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error.into()),
                Err(_) if self.given.is_empty() => {}
                Err(_) => self.clear(&user).await?,
            }
        }
        Ok(())
    }
}
