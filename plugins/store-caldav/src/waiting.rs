//! Waiting for changes to many accounts.
//!
//! Each account is looked at in its own pace (see `pace`), a few at a time (see `looks`). A look costs one request as long as
//! nothing is new. Of a server that does not answer, one account asks whether it is back (see `outages`).

use crate::{pace, users::Users};
use convoke_sdk::prelude::*;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// What happens within so long of each other is told together.
const COALESCE: Duration = Duration::from_millis(50);
/// Accounts that are due within so long of each other are looked at together.
const TOGETHER: Duration = Duration::from_millis(500);

/// Waits until something happened to the objects of one of the users. Accounts that cannot be looked at are an error only if
/// they are all; else they are tried again later.
pub(crate) async fn wait(users: &Arc<Users>, watched: &[Watched], call: &Call) -> Result<Changed> {
    let until = Instant::now() + call.patience();
    let mut news = users.news().listen();
    loop {
        news.mark_unchanged();
        let changed = known_to_have_changed(users, watched);
        if !changed.is_empty() {
            return Ok(Changed::of(changed));
        }
        let now = Instant::now();
        let next = look(users, watched, now);
        if (next.is_settled || now >= until)
            && let Some(error) = failure_of_all(users, watched)
        {
            return Err(error);
        }
        if now >= until {
            return Ok(Changed::default());
        }
        let next = next.at.max(now + TOGETHER).min(until);
        tokio::select! {
            _ = news.changed() => tokio::time::sleep_until(until.min(Instant::now() + COALESCE)).await,
            () = tokio::time::sleep_until(next) => {}
        }
    }
}

/// To whose objects something happened, as far as that is known.
fn known_to_have_changed(users: &Users, watched: &[Watched]) -> Vec<UserId> {
    let is_news = |it: &&Watched| {
        if users.take_gone(&it.user) {
            return Some(true);
        }
        let changes = users.opened(&it.user)?.known_changes(&it.since)?;
        Some(match changes {
            Ok(changes) => !changes.changed.is_empty() || !changes.removed.is_empty(),
            // Whoever asks for the changes hears what it is.
            Err(_) => true,
        })
    };
    let changed = watched.iter().filter(|it| is_news(it).unwrap_or(false));
    changed.map(|it| it.user.clone()).collect()
}

/// Why the first of the accounts cannot be looked at, if none of them can.
fn failure_of_all(users: &Users, watched: &[Watched]) -> Option<Error> {
    let mut failures = watched.iter().map(|it| users.failure(&it.user));
    let first = failures.next()??;
    failures.all(|it| it.is_some()).then_some(first)
}

/// What comes after the looks that were begun.
struct Next {
    /// When there is something to do again.
    at: Instant,
    /// No look is under way.
    is_settled: bool,
}

/// Has accounts looked at that are due.
fn look(users: &Arc<Users>, watched: &[Watched], now: Instant) -> Next {
    let due = watched.iter().filter(|it| users.next_look(&it.user) <= now);
    for _ in 0..users.looks().add(due.map(|it| it.user.clone())) {
        tokio::spawn(Worker(Arc::clone(users)).work());
    }
    let under_way = users.looks().under_way();
    // Those are due again at some later time; who finds something tells it.
    let later = |it: &Watched| {
        if under_way.contains(&it.user) {
            now + pace::SHORTEST
        } else {
            users.next_look(&it.user)
        }
    };
    Next {
        at: watched
            .iter()
            .map(later)
            .min()
            .unwrap_or(now + pace::LONGEST),
        is_settled: !watched.iter().any(|it| under_way.contains(&it.user)),
    }
}

struct Worker(Arc<Users>);

impl Worker {
    async fn work(self) {
        while let Some(next) = self.0.looks().next() {
            if self.0.may_look(&next.user) {
                self.0.look(&next.user).await;
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.looks().end_worker();
    }
}

impl Users {
    async fn look(&self, user: &UserId) {
        let was_open = self.opened(user).is_some();
        let looked = match self.try_to_open(user).await {
            Ok(Some(account)) => account.look().await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if !was_open || looked.is_err() {
            self.news().tell();
        }
        match looked {
            Ok(()) => self.note_success(user),
            Err(error) => self.note_failure(user, &error),
        }
    }
}
