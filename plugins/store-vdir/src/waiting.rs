//! Waiting for changes to the calendars of many users.
//!
//! What the kernel tells of costs nothing while nothing happens. Where it cannot tell (see `watch`), and where a folder could
//! not be read, the files are looked at from time to time: soon after something happened, ever less often after that.

use crate::{Shared, blocking, watch::Activity};
use convoke_sdk::{prelude::*, tracing};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Programs write a file in several steps, and several files at once: so long they may take.
const COALESCE: Duration = Duration::from_millis(50);

/// The shortest and the longest pause between two looks at files that are not watched.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// When the files of users who are not watched, or could not be looked at, are looked at next.
#[derive(Default)]
pub(crate) struct Pauses(Mutex<HashMap<UserId, Pause>>);

struct Pause {
    until: Instant,
    length: Duration,
    /// Why the last look failed.
    failed: Option<Error>,
}

impl Pauses {
    fn is_over(&self, user: &UserId) -> bool {
        let pauses = self.lock();
        pauses.get(user).is_none_or(|it| it.until <= Instant::now())
    }

    /// Why the first of the users could not be looked at, if none of them could.
    fn error_of_all(&self, users: &[Watched]) -> Option<Error> {
        let pauses = self.lock();
        let mut errors = users.iter().map(|it| pauses.get(&it.user)?.failed.clone());
        let first = errors.next()??;
        errors.all(|it| it.is_some()).then_some(first)
    }

    /// What is wrong with one of those who could not be looked at.
    fn failure(&self) -> Option<String> {
        let pauses = self.lock();
        let mut failures = pauses
            .iter()
            .filter_map(|(user, it)| Some((user, it.failed.as_ref()?)));
        let (user, error) = failures.next()?;
        Some(format!(
            "changes to the calendars of {user} are not noticed: {error}"
        ))
    }

    /// When the first of them is over.
    fn first(&self, users: &[Watched]) -> Option<Instant> {
        let pauses = self.lock();
        let ends = users
            .iter()
            .filter_map(|it| Some(pauses.get(&it.user)?.until));
        ends.min()
    }

    /// Nothing has to be looked for any more.
    fn end(&self, user: &UserId) {
        self.lock().remove(user);
    }

    fn begin(&self, user: &UserId, failed: Option<Error>) {
        let mut pauses = self.lock();
        let before = pauses.get(user).map(|it| it.length);
        let length = before.map_or(PAUSES.0, |length| (length * 2).min(PAUSES.1));
        let is_known = pauses.get(user).is_some_and(|it| it.failed.is_some());
        if let Some(error) = failed.as_ref().filter(|_| !is_known) {
            tracing::warn!(
                event = "changes-not-seen",
                "changes to the calendars of {user} are not noticed: {error}"
            );
        }
        let pause = Pause {
            until: Instant::now() + length,
            length,
            failed,
        };
        pauses.insert(user.clone(), pause);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Pause>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a look at a user's objects came to.
enum Look {
    Nothing,
    Something,
    /// What changed cannot be told without reading files.
    Reading,
    Failed(Error),
}

impl Look {
    fn at(changes: Result<Changes>) -> Self {
        match changes {
            Ok(changes) if changes.changed.is_empty() && changes.removed.is_empty() => {
                Self::Nothing
            }
            Ok(_) => Self::Something,
            // Whoever asks for the changes hears what it is.
            Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound) => {
                Self::Something
            }
            Err(error) => Self::Failed(error),
        }
    }
}

/// Waits until something happened to the objects of one of the users. Users whose files cannot be looked at are an error only
/// if they are all; else they are tried again later.
pub(crate) async fn wait(shared: &Arc<Shared>, users: &[Watched], call: &Call) -> Result<Changed> {
    let until = Instant::now() + call.patience();
    let mut news = shared.news.listen();
    shared.watch.listen();
    loop {
        news.mark_unchanged();
        let changed = look(shared, users, until).await?;
        if !changed.is_empty() {
            return Ok(Changed::of(changed));
        }
        if let Some(error) = shared.pauses.error_of_all(users) {
            return Err(error);
        }
        if Instant::now() >= until {
            return Ok(Changed::default());
        }
        let next = shared
            .pauses
            .first(users)
            .map_or(until, |next| next.min(until));
        tokio::select! {
            _ = news.changed() => {
                let written = Instant::now() + COALESCE;
                tokio::time::sleep_until(written.min(until)).await;
            }
            () = tokio::time::sleep_until(next) => {}
        }
    }
}

/// To whom something happened.
async fn look(shared: &Arc<Shared>, users: &[Watched], until: Instant) -> Result<Vec<UserId>> {
    let mut changed = Vec::new();
    let mut unsure = Vec::new();
    for watched in users {
        match shared.look_at_once(watched) {
            Look::Something => changed.push(watched.user.clone()),
            Look::Reading => unsure.push(watched.clone()),
            Look::Nothing | Look::Failed(_) => {}
        }
    }
    if !changed.is_empty() || unsure.is_empty() {
        return Ok(changed);
    }
    let shared = Arc::clone(shared);
    blocking(move || {
        // The first is looked at however short the time is, so that each call gets on.
        for (number, watched) in unsure.into_iter().enumerate() {
            if number > 0 && Instant::now() >= until {
                break;
            }
            if matches!(shared.look_at_files(&watched), Look::Something) {
                changed.push(watched.user);
            }
        }
        Ok(changed)
    })
    .await
}

impl Shared {
    /// What is known without reading anything.
    fn look_at_once(&self, Watched { user, since, .. }: &Watched) -> Look {
        let calendars = self.calendars().get(user.as_str()).cloned();
        let known = calendars.as_ref().and_then(|it| it.try_lock().ok());
        if let Some(calendars) = known {
            let look = Look::at(calendars.known_changes(since));
            if matches!(look, Look::Something) || calendars.is_in_line(self, user.as_str()) {
                return look;
            }
        }
        if self.pauses.is_over(user) {
            Look::Reading
        } else {
            Look::Nothing
        }
    }

    fn look_at_files(&self, Watched { user, since, .. }: &Watched) -> Look {
        let was_well = self.pauses.failure().is_none();
        let changes = self.with(user, |calendars, shared| {
            calendars.changes(shared, Some(since))
        });
        let look = Look::at(changes);
        match &look {
            Look::Failed(error) => self.pauses.begin(user, Some(error.clone())),
            Look::Nothing if self.watch.activity(user.as_str()) == Activity::Unwatched => {
                self.pauses.begin(user, None);
            }
            _ => self.pauses.end(user),
        }
        match self.pauses.failure() {
            Some(why) if was_well => self.host.degraded(why),
            None if !was_well => self.host.healthy(),
            _ => {}
        }
        look
    }
}
