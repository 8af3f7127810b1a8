//! What a store promises, law by law.
//!
//! Each law makes calendar users of its own, so a store that holds others may be asked too. A store that makes no users
//! cannot be asked yet.

mod history;
mod objects;
mod people;
mod time;

use super::{Law, Outcome, Report};
use crate::prelude::*;
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A law that takes longer than this is broken.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks the store that `open` opens for every law. `open` may be called several times, and opens the same place.
///
/// Needs a tokio runtime. The calendar users it makes, all at `conformance.example`, are removed again.
pub async fn store<S, O, F>(open: O) -> Report
where
    S: Store,
    O: Fn() -> F,
    F: Future<Output = Result<S>>,
{
    let mut report = Report::default();
    let mut broken_open = |how: String| {
        report.laws.push(Law {
            name: "a store opens",
            outcome: Outcome::Broken(how),
        });
    };
    let first = match open().await {
        Ok(store) => Subject::new(Arc::new(store)),
        Err(error) => {
            broken_open(format!("opening it failed: {error}"));
            return report;
        }
    };
    for (name, law) in laws::<S>() {
        let outcome = outcome(ask(law(first.clone())).await);
        report.laws.push(Law { name, outcome });
    }
    let reopened = async {
        let left = ask(people::leave(first.clone())).await?;
        drop(first);
        let store = open().await?;
        ask(people::return_to(Subject::new(Arc::new(store)), left)).await
    };
    report.laws.push(Law {
        name: "a store that is opened again holds everything",
        outcome: outcome(reopened.await),
    });
    report
}

type Answer = Pin<Box<dyn Future<Output = Verdict> + Send>>;
type Ask<S> = fn(Subject<S>) -> Answer;

macro_rules! laws {
    ($($name:literal => $module:ident::$law:ident,)*) => {
        fn laws<S: Store>() -> Vec<(&'static str, Ask<S>)> {
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
    "a cursor that the store did not make is invalid" => history::wrong_cursor,
    "every address of a user finds it, in any case" => people::addresses,
    "an address belongs to one user" => people::taken_address,
    "two users never see each other's objects" => people::two_users,
    "a user that is not there is not found" => people::unknown_user,
    "a removed user is gone with everything" => people::removed_user,
    "a kept message is taken and is no object" => people::kept_message,
}

/// Asks in a task of its own, so that a panic is an answer too.
async fn ask<T: Send + 'static>(
    answer: impl Future<Output = Verdict<T>> + Send + 'static,
) -> Verdict<T> {
    let task = tokio::spawn(answer);
    match tokio::time::timeout(PATIENCE, task).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(panic)) => Err(Broken::How(format!("it panicked: {panic}"))),
        Err(_) => Err(Broken::How(format!(
            "no answer within {} s",
            PATIENCE.as_secs()
        ))),
    }
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Ok(()) => Outcome::Kept,
        Err(Broken::NotOffered(why)) => Outcome::NotOffered(why),
        Err(Broken::How(how)) => Outcome::Broken(how),
    }
}

/// What a law finds.
type Verdict<T = ()> = Result<T, Broken>;

/// How a law is broken.
enum Broken {
    How(String),
    NotOffered(String),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Unsupported => Self::NotOffered(error.to_string()),
            kind => Self::How(format!("unexpected {kind:?}: {error}")),
        }
    }
}

/// Breaks the law unless the condition holds.
fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds {
        Ok(())
    } else {
        Err(Broken::How(otherwise()))
    }
}

/// Breaks the law unless both are equal.
#[allow(
    clippy::needless_pass_by_value,
    reason = "a law is read more easily without borrows"
)]
fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Verdict {
    expect(found == wanted, || {
        let short = |value: &T| format!("{value:?}").chars().take(300).collect::<String>();
        format!("{what}: expected {}, got {}", short(&wanted), short(&found))
    })
}

/// Breaks the law unless it failed in this way.
fn fails<T: std::fmt::Debug>(what: &str, found: Result<T>, wanted: ErrorKind) -> Verdict {
    match found {
        Err(error) if error.kind() == wanted => Ok(()),
        Err(error) if error.kind() == ErrorKind::Unsupported => Err(error.into()),
        found => Err(Broken::How(format!(
            "{what}: expected the error {wanted:?}, got {:.200}",
            format!("{found:?}")
        ))),
    }
}

/// The store that is asked.
struct Subject<S> {
    store: Arc<S>,
    /// Tells the users of this run from those of others.
    run: u128,
    users: Arc<AtomicU32>,
}

impl<S> Clone for Subject<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            run: self.run,
            users: Arc::clone(&self.users),
        }
    }
}

impl<S: Store> Subject<S> {
    fn new(store: Arc<S>) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            store,
            run: since.unwrap_or_default().as_nanos(),
            users: Arc::default(),
        }
    }

    /// An address that nobody has.
    fn address(&self) -> CalendarAddress {
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        let text = format!("user{number}-{:x}@conformance.example", self.run);
        CalendarAddress::new(&text).expect("the kit's addresses are such")
    }

    async fn user(&self) -> Verdict<UserId> {
        Ok(self.store.add_user(NewUser::new(self.address())).await?)
    }

    async fn put(&self, user: &UserId, event: &super::objects::Event) -> Verdict<Etag> {
        let put = self.store.put(user, event.object(), Precondition::Any);
        Ok(put.await?)
    }

    async fn got(&self, user: &UserId, uid: &Uid) -> Verdict<StoredObject> {
        let got = self.store.get(user, uid).await?;
        got.ok_or_else(|| Broken::How(format!("there is no object {uid:?} after it was put")))
    }

    /// Leaves nothing behind.
    async fn done(&self, users: impl IntoIterator<Item = UserId>) -> Verdict {
        for user in users {
            match self.store.remove_user(&user).await {
                Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}
