//! Waiting for changes to many accounts.
//!
//! Each account is looked at in its own pace (see `pace`), a few at a time. A look costs one request as long as nothing is
//! new. Of a server that does not answer, one account asks whether it is back (see `outages`).

use crate::{pace::Pace, users::Users};
use convoke_sdk::{prelude::*, tracing};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};

/// Accounts that are looked at at once.
const PARALLEL: usize = 8;
/// Looks under way are waited for so long when another has found something.
const GRACE: Duration = Duration::from_millis(200);
/// Accounts that are due within so long of each other are looked at together.
const TOGETHER: Duration = Duration::from_millis(250);

/// Waits until something happened to the objects of one of the users. Accounts that cannot be looked at are an error only if
/// they are all; else they are tried again later.
pub(crate) async fn wait(users: &Arc<Users>, watched: &[Watched], call: &Call) -> Result<Changed> {
    let until = Instant::now() + call.patience();
    let mut news = users.news().listen();
    loop {
        news.mark_unchanged();
        let mut changed = known_to_have_changed(users, watched);
        let mut has_failed = false;
        if changed.is_empty() {
            let round = look(users, watched, until).await;
            changed = round.changed;
            has_failed = round.has_failed;
        }
        if !changed.is_empty() {
            return Ok(Changed::of(changed));
        }
        let is_late = Instant::now() >= until;
        if (has_failed || is_late)
            && let Some(error) = failure_of_all(users, watched)
        {
            return Err(error);
        }
        if is_late {
            return Ok(Changed::default());
        }
        let next = watched.iter().map(|it| users.next_look(&it.user)).min();
        let next = next.map_or(until, |next| next.max(Instant::now() + TOGETHER).min(until));
        tokio::select! {
            _ = news.changed() => {}
            () = tokio::time::sleep_until(next) => {}
        }
    }
}

/// To whose objects something happened, as far as that is known.
fn known_to_have_changed(users: &Users, watched: &[Watched]) -> Vec<UserId> {
    let is_news = |it: &&Watched| {
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

#[derive(Default)]
struct Round {
    changed: Vec<UserId>,
    has_failed: bool,
}

/// Looks at the accounts that are due.
async fn look(users: &Arc<Users>, watched: &[Watched], until: Instant) -> Round {
    let now = Instant::now();
    let due = watched.iter().filter(|it| users.next_look(&it.user) <= now);
    let mut due: VecDeque<&Watched> = due.collect();
    let mut looks: JoinSet<(Watched, Looked)> = JoinSet::new();
    let mut round = Round::default();
    let mut end = until;
    loop {
        while round.changed.is_empty()
            && looks.len() < PARALLEL
            && let Some(next) = due.pop_front()
        {
            if users.may_look(&next.user) {
                let (users, next) = (Arc::clone(users), next.clone());
                looks.spawn(async move {
                    let looked = users.look(&next).await;
                    (next, looked)
                });
            }
        }
        let looked = tokio::select! {
            looked = looks.join_next() => looked,
            // What is under way is given up, and due again.
            () = tokio::time::sleep_until(end) => None,
        };
        match looked {
            Some(Ok((it, Looked::Changed))) => {
                round.changed.push(it.user);
                end = end.min(Instant::now() + GRACE);
            }
            Some(Ok((_, Looked::Failed))) => round.has_failed = true,
            Some(Ok((_, Looked::Quiet)) | Err(_)) => {}
            None => return round,
        }
    }
}

enum Looked {
    Changed,
    Quiet,
    Failed,
}

impl Users {
    /// When an account is due.
    fn next_look(&self, id: &UserId) -> Instant {
        let next = match self.opened(id) {
            Some(account) => account.pace().next(),
            None => self
                .unopened()
                .get(id)
                .map_or_else(Instant::now, Pace::next),
        };
        let outage = self.outage(id).map(|(_, until)| until);
        outage.map_or(next, |until| until.max(next))
    }

    /// The server of an account that is down, and until when nobody asks it who need not.
    fn outage(&self, id: &UserId) -> Option<(String, Instant)> {
        let outages = self.outages();
        if outages.is_none() {
            return None;
        }
        let origin = self.origin(id)?;
        let until = outages.until(&origin)?;
        Some((origin, until))
    }

    /// Whether it may be looked at: of those on a server that is down, one may.
    fn may_look(&self, id: &UserId) -> bool {
        let outage = self.outage(id);
        outage.is_none_or(|(origin, _)| self.outages().may_ask(&origin))
    }

    /// Why an account cannot be looked at.
    fn failure(&self, id: &UserId) -> Option<Error> {
        let own = match self.opened(id) {
            Some(account) => account.pace().failed().cloned(),
            None => self.unopened().get(id).and_then(Pace::failed).cloned(),
        };
        own.or_else(|| {
            let (origin, _) = self.outage(id)?;
            let what = format!("{origin} does not answer; is the server up?");
            Some(Error::unavailable(what))
        })
    }

    async fn look(&self, Watched { user, since, .. }: &Watched) -> Looked {
        let was_failing = self.failure(user).is_some();
        let error = match self.account(user).await {
            Ok(Some(account)) => match account.look_since(since).await {
                Ok(true) => return Looked::Changed,
                Ok(false) => return Looked::Quiet,
                Err(error) => error,
            },
            // Whoever asks for the changes hears that there is no such user.
            Ok(None) => return Looked::Changed,
            Err(error) => {
                self.not_opened(user, &error);
                error
            }
        };
        match self.outage(user) {
            Some((origin, _)) if self.outages().log_once(&origin) => tracing::warn!(
                event = "changes-not-seen",
                "no changes to the calendars on {origin} are noticed: {error}"
            ),
            None if !was_failing => tracing::warn!(
                event = "changes-not-seen",
                "changes to the calendars of {user} are not noticed: {error}"
            ),
            _ => {}
        }
        Looked::Failed
    }
}
