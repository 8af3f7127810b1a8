//! One of our people answers an invitation that lies in the calendar, or proposes another time.

use crate::{
    environment::{Clock, Environment, Home, HomeOf, Processor},
    person::Person,
    scheduler::Scheduler,
    stored,
};
use convoke_calendar::itip::{self, Outgoing, Proposal, Reply, ReplyError};
use convoke_types::{Error, Uid};

/// What an attendee says to an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Response {
    /// Whether it comes, or who comes instead (REPLY).
    Reply(Reply),
    /// Another time (COUNTER).
    Counter(Proposal),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoReply {
    /// The calendar holds nothing of that UID.
    #[error("the calendar holds nothing of that UID")]
    Unknown,
    /// The store or the state cannot be asked, or what it holds cannot be read.
    #[error(transparent)]
    Store(#[from] Error),
    /// It is nothing to answer.
    #[error(transparent)]
    Reply(#[from] ReplyError),
}

impl<E: Environment> Scheduler<E> {
    /// The response as messages, made of the user's own copy: a REPLY from each of its addresses that is invited, or one
    /// COUNTER. They are sent by [`send_message`](Self::send_message), and the copy follows.
    ///
    /// They are about the version that was received, whatever a calendar program has made of SEQUENCE since.
    pub async fn compose_response(
        &self,
        home: &HomeOf<E>,
        uid: &Uid,
        response: &Response,
    ) -> Result<Vec<Outgoing>, NoReply> {
        let stored = home.get(uid).await?.ok_or(NoReply::Unknown)?;
        let ledger = self.ledger(home.user(), uid).await?;
        let now = self.environment.clock().now();
        let now = ledger.value.as_ref().map_or(now, |it| it.time_of_next(now));
        let compose = || {
            let existing = stored::read(&stored, &self.limits)?;
            let known = ledger.value.as_ref();
            let known = known.and_then(|it| it.remembered(&self.limits));
            let existing = match &known {
                Some(known) => itip::recall(&existing, known),
                None => existing,
            };
            let person = Person::of(home.user());
            let owner = person.owner();
            Ok(match response {
                Response::Reply(reply) => {
                    itip::compose_reply(&existing, &owner, reply.clone(), now)?
                }
                Response::Counter(proposal) => {
                    vec![itip::compose_counter(&existing, &owner, proposal, now)?]
                }
            })
        };
        let processor = self.environment.processor();
        processor.run(stored.data.len(), compose).await
    }
}
