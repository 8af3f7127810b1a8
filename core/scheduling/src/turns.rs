//! Who comes first is served first: things that are done one after the other for one calendar user of this process.

use convoke_types::CalendarAddress;
use futures::lock::{Mutex as AsyncMutex, OwnedMutexGuard};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// Turns, one at a time for each calendar user. What is nobody's turn any more takes no room.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<CalendarAddress, Weak<AsyncMutex<()>>>>);

/// It is somebody's turn until this is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Turn(#[allow(dead_code, reason = "it is held, not read")] OwnedMutexGuard<()>);

impl Turns {
    /// Waits until it is the caller's turn.
    pub(crate) async fn take(&self, user: &CalendarAddress) -> Turn {
        let turn = {
            // Nothing is half done when somebody panics.
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, turn| turn.strong_count() > 0);
            known.get(user).and_then(Weak::upgrade).unwrap_or_else(|| {
                let turn = Arc::new(AsyncMutex::new(()));
                known.insert(user.clone(), Arc::downgrade(&turn));
                turn
            })
        };
        Turn(turn.lock_owned().await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn one_at_a_time_for_each_user() {
        let [bo, cy] =
            ["bo@example.org", "cy@example.org"].map(|it| CalendarAddress::new(it).unwrap());
        let turns = Turns::default();
        let first = turns.take(&bo).now_or_never().unwrap();
        let mut second = Box::pin(turns.take(&bo));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(turns.take(&cy).now_or_never().is_some(), "another user");
        drop(first);
        let second = second.now_or_never().unwrap();
        assert!(turns.take(&bo).now_or_never().is_none());
        drop(second);
        drop(turns.take(&cy).now_or_never());
        assert_eq!(
            turns.0.lock().unwrap().len(),
            1,
            "what is over is forgotten"
        );
    }
}
