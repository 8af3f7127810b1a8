//! Whether what somebody was told about an object is known yet, or is still under way.
//!
//! What comes back of a message (a report that its mail was not delivered) may overtake that it is noted that it left.

use super::{Entry, Outbox};
use crate::{environment::State, keys::folded};
use convoke_types::{CalendarAddress, Error, Uid};

impl Outbox {
    /// Whether anything that one tells another about an object is on its way, waits, or has ended and is not noted yet, in
    /// whichever host; also while that is in doubt. Whoever reads the ledger after a *no* finds there what came of all of it.
    pub(crate) async fn is_under_way(
        &self,
        state: &impl State,
        (originator, recipient): (&CalendarAddress, &CalendarAddress),
        uid: &Uid,
    ) -> Result<bool, Error> {
        let (from, to) = (folded(originator), folded(recipient));
        let is_of_these = |entry: &Entry| {
            entry.uid == *uid && folded(&entry.originator) == from && folded(&entry.recipient) == to
        };
        let (mut others, is_alone) = {
            let inner = self.lock();
            if !inner.certainty.is_certain || inner.queue.entries().any(is_of_these) {
                return Ok(true);
            }
            let ending: Vec<_> = inner.certainty.ending().cloned().collect();
            (ending, inner.holder.is_empty())
        };
        if !is_alone {
            others.extend(self.about(state, originator, uid).await?);
        }
        for id in &others {
            if Entry::committed(state, id)
                .await?
                .as_ref()
                .is_some_and(is_of_these)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        outbox::tests::message,
        tests::world::{Remembered, address},
    };
    use convoke_types::Batch;
    use futures::executor::block_on;

    #[test]
    fn what_another_host_holds_is_under_way() {
        block_on(async {
            let state = Remembered::default();
            let outbox = Outbox::default();
            outbox.belong_to("a");
            let entries = message("REQUEST", "1", "", &["bo@example.com"], 0);
            let mut entry = entries.into_iter().next().unwrap();
            "b".clone_into(&mut entry.holder);
            let uid = entry.uid.clone();
            let (user, bo) = (entry.originator.clone(), entry.recipient.clone());
            let cy = address("cy@example.com");
            let is_told = async |to: &CalendarAddress| {
                outbox
                    .is_under_way(&state, (&user, to), &uid)
                    .await
                    .unwrap()
            };
            assert!(is_told(&bo).await, "nothing is known yet");
            outbox.load(&state).await.unwrap();
            assert!(!is_told(&bo).await);
            state.commit(entry.put(Batch::new())).await.unwrap();
            assert!(is_told(&bo).await);
            assert!(!is_told(&cy).await);
            state.commit(entry.delete(Batch::new())).await.unwrap();
            assert!(!is_told(&bo).await);
        });
    }
}
