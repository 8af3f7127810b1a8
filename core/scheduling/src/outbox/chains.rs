//! The order of what waits about one object, where several hosts hold it.
//!
//! What one organizer tells one guest about one object goes in the order in which it was handed in, whichever hosts it was handed to.
//! So what is handed in while something about the same object waits for the same guest in another host is handed on to that host,
//! under the condition that it waits there still. `waits/USER/UID/ID` says what waits about an object, so that nobody reads all
//! that waits. Who is alone with the state needs none of it, and writes none.
//!
//! Two things would break that order, and do not:
//!
//! - A host that is handed something by another one hears of it a moment later. What it is handed itself meanwhile goes after that,
//!   as it looks what waits before it takes anything in ([`Outbox::ahead`]).
//! - Two hosts that are handed something about one object at once would each find that nothing waits. `turn/USER/UID` is written by
//!   whoever hands in, and must be as it was when it was looked what waits ([`Turn`]): the one that is second looks again.

use super::{Entry, EntryId, Outbox};
use crate::{environment::State, keys, pages::Pages, state};
use convoke_types::{Batch, CalendarAddress, Error, Uid};
use std::time::Duration;

/// How long it is remembered what was handed in last about an object: longer than anybody takes from looking what waits to handing
/// in.
const TURN: Duration = Duration::from_secs(10 * 60);

/// What was known of an object before something about it is handed in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ahead {
    /// What waits about it in other hosts.
    pub(crate) elsewhere: Vec<Entry>,
    /// `None` where nobody else can hand anything in.
    pub(crate) turn: Option<Turn>,
}

/// That nobody else hands in something about an object meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    key: Vec<u8>,
    /// What was there when it was looked what waits.
    version: Option<u64>,
}

impl Turn {
    /// Commits only if nobody else has handed in anything about the object since it was looked what waits. `last` is the last that is
    /// handed in, whose place is before all that is handed in later.
    pub(crate) fn put(&self, batch: Batch, last: &EntryId) -> Batch {
        let batch = state::unchanged(batch, &self.key, self.version);
        batch.put_for(self.key.clone(), last.as_str(), TURN)
    }
}

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

    /// Has it be of another host from now on, or of one that is alone, if it is as it was read.
    pub(super) fn goes_to(&self, holder: &str, batch: Batch) -> Batch {
        let mut batch = batch.if_version(keys::outbox(self.id.as_str()), self.version);
        if !self.holder.is_empty() && holder.is_empty() {
            batch = batch.delete(self.about());
        }
        let holder = holder.to_owned();
        Self {
            holder,
            ..self.clone()
        }
        .put(batch)
    }

    fn about(&self) -> Vec<u8> {
        keys::waits(&self.originator, &self.uid, self.id.as_str())
    }
}

impl Outbox {
    /// What waits about an object, as far as this host does not hold it. What is handed in here from now on comes after all of it,
    /// and after what was handed on to this host, which it may not have heard of yet.
    pub(crate) async fn ahead(
        &self,
        state: &impl State,
        originator: &CalendarAddress,
        uid: &Uid,
    ) -> Result<Ahead, Error> {
        let holder = self.holder();
        if holder.is_empty() {
            return Ok(Ahead::default());
        }
        // Before it is looked what waits.
        let turn = self.turn(state, originator, uid).await?;
        let mut elsewhere = Vec::new();
        for id in self.about(state, originator, uid).await? {
            if self.lock().queue.get(&id).is_some() {
                continue;
            }
            let Some(entry) = Entry::committed(state, &id).await? else {
                continue;
            };
            self.comes_before(&entry.id);
            if entry.holder == holder {
                self.adopt(entry);
            } else {
                elsewhere.push(entry);
            }
        }
        Ok(Ahead {
            elsewhere,
            turn: Some(turn),
        })
    }

    /// What waits about an object, whoever holds it: the first comes first.
    pub(crate) async fn about(
        &self,
        state: &impl State,
        originator: &CalendarAddress,
        uid: &Uid,
    ) -> Result<Vec<EntryId>, Error> {
        let mut ids = Vec::new();
        let mut pages = Pages::of(state, keys::waits_about(originator, uid));
        while let Some(page) = pages.next().await? {
            ids.extend(page.iter().filter_map(|it| EntryId::last_of(&it.key)));
        }
        Ok(ids)
    }

    pub(super) async fn turn(
        &self,
        state: &impl State,
        originator: &CalendarAddress,
        uid: &Uid,
    ) -> Result<Turn, Error> {
        let key = keys::turn(originator, uid);
        let there = state.get(&key).await?;
        if let Some(last) = there.as_ref().and_then(|it| EntryId::read(&it.value)) {
            self.comes_before(&last);
        }
        let version = there.map(|there| there.version);
        Ok(Turn { key, version })
    }

    /// What is handed in here from now on comes after this, whatever the clocks say.
    fn comes_before(&self, id: &EntryId) {
        let mut inner = self.lock();
        inner.last = inner.last.max(id.place());
    }

    /// An entry of this host that it may not know yet, as another one has handed it on, waits from now on.
    pub(super) fn adopt(&self, entry: Entry) {
        let mut inner = self.lock();
        if entry.holder != inner.holder {
            return;
        }
        inner.last = inner.last.max(entry.id.place());
        inner.take_in(Entry {
            // Whoever has handed it on may know that something has.
            may_have_left: true,
            ..entry
        });
        inner.changed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        outbox::{
            call,
            in_doubt::Reading,
            tests::{at, message},
        },
        tests::world::Remembered,
    };
    use convoke_types::ErrorKind;
    use futures::executor::block_on;
    use std::collections::BTreeMap;

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
                let found = outbox.ahead(&state, &first.originator, &first.uid);
                let found = found.await.unwrap().elsewhere.into_iter();
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
    fn what_was_handed_on_goes_first_though_nobody_has_heard_of_it() {
        block_on(async {
            let state = Remembered::default();
            let a = outbox("a");
            assert_eq!(a.load(&state).await, Ok(0));
            let handed_on = entry(5, "a");
            let batch = call(handed_on.put(Batch::new()), &handed_on);
            state.commit(batch).await.unwrap();
            let ahead = a.ahead(&state, &handed_on.originator, &handed_on.uid);
            assert!(ahead.await.unwrap().elsewhere.is_empty());
            assert_eq!(a.entries().len(), 1, "it waits here");
            assert!(a.lock().last >= handed_on.id.place());
            let next = entry(6, "a");
            a.lock().queue.add(next.clone());
            assert!(a.lock().queue.take_these(&[next.id]).is_empty());
            let taken = a.take(at(6)).unwrap();
            assert_eq!(taken.entries()[0].id, handed_on.id);
        });
    }

    #[test]
    fn what_is_handed_on_while_all_is_read_is_read_too() {
        block_on(async {
            let state = Remembered::default();
            let a = outbox("a");
            let handed_on = entry(0, "a");
            let reading = Reading::begin(&a);
            let batch = call(handed_on.put(Batch::new()), &handed_on);
            state.commit(batch).await.unwrap();
            assert_eq!(a.answer_calls(&state, at(0)).await, Ok(0));
            // What was found before it was there.
            reading.end(BTreeMap::new());
            assert!(!a.is_certain());
            assert_eq!(a.load(&state).await, Ok(1));
            assert!(a.is_certain());
        });
    }

    #[test]
    fn who_hands_in_second_looks_again() {
        block_on(async {
            let state = Remembered::default();
            let (a, b) = (outbox("a"), outbox("b"));
            let (first, second) = (entry(0, "a"), entry(1, "b"));
            let look = async |outbox: &Outbox| {
                let ahead = outbox.ahead(&state, &first.originator, &first.uid);
                ahead.await.unwrap()
            };
            let (of_a, of_b) = (look(&a).await, look(&b).await);
            let hand_in = async |ahead: &Ahead, entry: &Entry| {
                let batch = ahead.turn.as_ref().unwrap().put(Batch::new(), &entry.id);
                state.commit(entry.put(batch)).await
            };
            hand_in(&of_a, &first).await.unwrap();
            let refused = hand_in(&of_b, &second).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Conflict);
            let of_b = look(&b).await;
            assert_eq!(of_b.elsewhere[0].id, first.id);
            // Also once that is done: what comes next has a later place, whatever the clock of its host says.
            state.commit(first.delete(Batch::new())).await.unwrap();
            let c = outbox("c");
            assert!(look(&c).await.elsewhere.is_empty());
            assert!(c.lock().last >= first.id.place());
        });
    }

    #[test]
    fn who_is_alone_writes_one_key_for_each() {
        let entry = entry(0, "");
        assert_eq!(entry.put(Batch::new()).writes.len(), 1);
        assert_eq!(entry.delete(Batch::new()).writes.len(), 1);
    }
}
