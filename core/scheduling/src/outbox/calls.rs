//! What hosts of one state ask of each other about what waits: that the one that holds an entry tries it now, also one that it
//! does not know yet, as another host [handed it on](super::chains).
//!
//! A call is a key in the state, which expires: it is for the moment. Who is called finds it within about a second.

use super::{Entry, EntryId, Outbox, PAGE};
use crate::{environment::State, keys};
use convoke_types::{Batch, Error, KeyRange};
use jiff::Timestamp;
use std::time::Duration;

/// How long a call is there that nobody hears.
const HEARD: Duration = Duration::from_secs(60);

/// Asks the host that holds an entry to try it now.
pub(crate) fn call(batch: Batch, entry: &Entry) -> Batch {
    batch.put_for(keys::call(&entry.holder, entry.id.as_str()), [], HEARD)
}

impl Outbox {
    /// The part of the state in which this host is called; `None` for one that is alone.
    pub fn calls(&self) -> Option<KeyRange> {
        let holder = self.holder();
        (!holder.is_empty()).then(|| keys::calls_of(&holder))
    }

    /// Tries now what others ask this host to: how much it was.
    pub async fn answer_calls(&self, state: &impl State, now: Timestamp) -> Result<usize, Error> {
        let Some(range) = self.calls() else {
            return Ok(0);
        };
        let calls = state.scan(&range, PAGE).await?;
        let mut heard = Batch::new();
        let mut called = Vec::new();
        for call in calls {
            called.extend(EntryId::last_of(&call.key));
            heard = heard.delete(call.key);
        }
        if heard.writes.is_empty() {
            return Ok(0);
        }
        for id in &called {
            self.take_in(state, id).await?;
        }
        let hurried = {
            let mut inner = self.lock();
            let hurried = (inner.queue).hurry(now, |entry| called.contains(&entry.id));
            inner.changed();
            hurried
        };
        state.commit(heard).await?;
        Ok(hurried)
    }

    /// An entry of ours that is not known yet waits from now on.
    async fn take_in(&self, state: &impl State, id: &EntryId) -> Result<(), Error> {
        if self.lock().queue.get(id).is_some() {
            return Ok(());
        }
        if let Some(entry) = Entry::committed(state, id).await? {
            self.adopt(entry);
        }
        Ok(())
    }
}
