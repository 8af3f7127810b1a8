//! Of the writes to one user's calendar, one at a time goes to the database.
//!
//! The database makes them one after the other anyway, as each locks the row of its user. Whoever waited for that there would hold a
//! connection meanwhile, and whoever sends much to one user would take all of them from the others.

use convoke_sdk::prelude::*;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::timeout,
};

/// Turns of this process, one at a time for each user. What is nobody's turn any more takes no room.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<i64, Weak<AsyncMutex<()>>>>);

impl Turns {
    /// Waits until it is the caller's turn, which it is until the guard is dropped.
    pub(crate) async fn take(&self, user: i64, patience: Duration) -> Result<OwnedMutexGuard<()>> {
        let turn = {
            // Nothing is half done when somebody panics.
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, turn| turn.strong_count() > 0);
            known.get(&user).and_then(Weak::upgrade).unwrap_or_else(|| {
                let turn = Arc::new(AsyncMutex::new(()));
                known.insert(user, Arc::downgrade(&turn));
                turn
            })
        };
        let turn = timeout(patience, turn.lock_owned()).await;
        turn.map_err(|_| {
            Error::unavailable("too many write to the calendar of the same user at once; try again")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_for_each_user() {
        let turns = Turns::default();
        let patience = Duration::from_secs(1);
        let first = turns.take(1, patience).await.unwrap();
        let error = turns.take(1, patience).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        drop(turns.take(2, patience).await.expect("another user"));
        drop(first);
        drop(turns.take(1, patience).await.expect("it is free again"));
        drop(turns.take(2, patience).await);
        let known = turns.0.lock().unwrap();
        assert_eq!(known.len(), 1, "what is over is forgotten");
    }
}
