//! A command deletes an object: the same as in a calendar program, but whom it concerns is told at once.

use super::adopt;
use crate::{
    change::Answered,
    envelope::TransportFacts,
    environment::{Answers, Environment, Home, HomeOf},
    scheduler::Scheduler,
    send::{self, Goes},
    stored::ATTEMPTS,
};
use convoke_types::{Error, ErrorKind, Precondition, Uid};

impl<E: Environment> Scheduler<E> {
    /// Removes an object as its owner would in a calendar program, tells whom that concerns, as far as they know of it, and
    /// waits for the first try. `None` if there is no such object.
    pub async fn delete_object(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
        answers: &impl Answers,
    ) -> Result<Option<Vec<Answered>>, Error> {
        // What others know of it is known after a look; a store that cannot tell what changed is taken at its word.
        match self.reconcile(home).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                if self.ledger(home.user(), uid).await?.value.is_none() {
                    adopt(self.environment.state(), home, uid).await?;
                }
            }
            looked => drop(looked?),
        }
        if !self.remove(home, uid).await? {
            return Ok(None);
        }
        let told = self.tell_difference(home, uid, Goes::WaitedFor).await?;
        let Some(changed) = told else {
            return Ok(Some(Vec::new()));
        };
        let tried = self
            .first_try(&changed.enqueued, TransportFacts::default(), answers)
            .await;
        let told = changed.outgoing.iter().flat_map(|outgoing| {
            let outcomes = send::outcomes(outgoing, &changed.enqueued, &tried);
            let recipients = outgoing.recipients.iter().map(ToString::to_string);
            recipients.zip(outcomes)
        });
        Ok(Some(told.collect()))
    }

    /// Removes an object, whatever others write meanwhile; whether there was one.
    async fn remove(&self, home: &HomeOf<E>, uid: &Uid) -> Result<bool, Error> {
        let _one_at_a_time = self.shared.locks.of(home.user(), uid).await;
        for _ in 0..ATTEMPTS {
            let Some(stored) = home.get(uid).await? else {
                return Ok(false);
            };
            let when = Precondition::Matches(stored.etag);
            match home.remove(uid, &when).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                removed => return removed.map(|()| true),
            }
        }
        let text = format!("others wrote {uid} again and again while it was to be removed");
        Err(Error::unavailable(text))
    }
}
