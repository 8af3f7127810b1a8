//! The order of what waits about one object, where several hosts hold it.
//!
//! What one organizer tells one guest about one object goes in the order in which it was handed in, whichever hosts it was handed to.
//! So what is handed in while something about the same object waits for the same guest in another host is handed on to that host,
//! under the condition that it waits there still. `waits/USER/UID/ID` says what waits about an object, so that nobody reads all
//! that waits. Who is alone with the state needs none of it, and writes none.

use super::{Entry, EntryId, Outbox, PAGE};
use crate::{environment::State, keys, state};
use convoke_types::{Batch, CalendarAddress, Error, Uid};

impl Entry {
    /// Has it wait.
    pub(crate) fn put(&self, batch: Batch) -> Batch {
        let batch = batch.put(keys::outbox(self.id.as_str()), state::write(self));
        if self.holder.is_empty() {
            return batch;
        }
        batch.put(self.about(), [])
    }

    /// Has it wait no longer.
    pub(crate) fn delete(&self, batch: Batch) -> Batch {
        let batch = batch.delete(keys::outbox(self.id.as_str()));
        if self.holder.is_empty() {
            return batch;
        }
        batch.delete(self.about())
    }

    fn about(&self) -> Vec<u8> {
        keys::waits(&self.originator, &self.uid, self.id.as_str())
    }
}

impl Outbox {
    /// What waits in other hosts about an object. What is handed in here from now on comes after it.
    pub(crate) async fn elsewhere(
        &self,
        state: &impl State,
        originator: &CalendarAddress,
        uid: &Uid,
    ) -> Result<Vec<Entry>, Error> {
        if self.holder().is_empty() {
            return Ok(Vec::new());
        }
        let about = keys::waits_about(originator, uid);
        let mut elsewhere = Vec::new();
        for waits in state.scan(&about, PAGE).await? {
            let Some(id) = EntryId::last_of(&waits.key) else {
                continue;
            };
            if self.lock().queue.get(&id).is_some() {
                continue;
            }
            if let Some(found) = state.get(&keys::outbox(id.as_str())).await? {
                elsewhere.push(Entry::read(&found)?);
            }
        }
        let holder = self.holder();
        elsewhere.retain(|it| it.holder != holder);
        let mut inner = self.lock();
        for entry in &elsewhere {
            inner.last = inner.last.max(entry.id.place());
        }
        drop(inner);
        Ok(elsewhere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        outbox::{
            call,
            tests::{at, message},
        },
        tests::world::Remembered,
    };
    use futures::executor::block_on;

    fn outbox(host: &str) -> Outbox {
        let outbox = Outbox::default();
        outbox.belong_to(host);
        outbox
    }

    fn entry(minutes: i64, holder: &str) -> Entry {
        let entries = message("REQUEST", "1", "", &["bo@example.com"], minutes);
        let mut entry = entries.into_iter().next().unwrap();
        holder.clone_into(&mut entry.holder);
        entry
    }

    #[test]
    fn what_comes_after_what_waits_in_another_host_goes_there() {
        block_on(async {
            let state = Remembered::default();
            let (a, b) = (outbox("a"), outbox("b"));
            let first = entry(0, "a");
            state.commit(first.put(Batch::new())).await.unwrap();
            assert_eq!(a.load(&state).await, Ok(1));
            let found = async |outbox: &Outbox| {
                let found = outbox.elsewhere(&state, &first.originator, &first.uid);
                let found = found.await.unwrap().into_iter();
                found.map(|it| it.id).collect::<Vec<_>>()
            };
            assert_eq!(found(&a).await, []);
            assert_eq!(found(&b).await, std::slice::from_ref(&first.id));
            assert!(b.lock().last >= first.id.place());
            // The other is called, and knows it then.
            let second = entry(1, "a");
            let batch = call(second.put(Batch::new()), &second);
            state.commit(batch).await.unwrap();
            assert_eq!(b.answer_calls(&state, at(1)).await, Ok(0));
            assert_eq!(a.answer_calls(&state, at(1)).await, Ok(1));
            assert_eq!(a.answer_calls(&state, at(1)).await, Ok(0), "it has heard");
            let waits: Vec<_> = a.entries().into_iter().map(|it| it.id).collect();
            assert_eq!(waits, [first.id.clone(), second.id.clone()]);
            for gone in [&first, &second] {
                state.commit(gone.delete(Batch::new())).await.unwrap();
            }
            assert_eq!(found(&b).await, []);
        });
    }

    #[test]
    fn who_is_alone_writes_one_key_for_each() {
        let entry = entry(0, "");
        assert_eq!(entry.put(Batch::new()).writes.len(), 1);
        assert_eq!(entry.delete(Batch::new()).writes.len(), 1);
    }
}
