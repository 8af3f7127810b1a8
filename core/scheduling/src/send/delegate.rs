//! What one of our own people delegates (RFC 5546 §3.2.2.3).
//!
//! The delegator's REPLY tells the organizer, whose host invites the delegate. Delegates among our own people are told by us
//! as well, and at once: an organizer elsewhere may not do it. What they are told is what the organizer has told the
//! delegator, whatever the delegator has submitted.

use super::{Goes, Submission};
use crate::{
    environment::{Environment, Home, Stores, Unbounded},
    outcome::Outcome,
    person::Person,
    scheduler::Scheduler,
    stored,
};
use convoke_calendar::itip::{self, Outgoing};
use convoke_types::{CalendarAddress, Error, RequestStatus, Uid};

impl<E: Environment> Scheduler<E> {
    /// Tells the delegates that a REPLY names and that are our own people, and notes on the organizer's outcome who is told
    /// by whom.
    pub(super) async fn invite_delegates(
        &self,
        reply: &Submission<'_>,
        delegates: &[CalendarAddress],
        outcomes: &mut [Outcome],
    ) {
        let Some(told) = outcomes.first_mut() else {
            return;
        };
        // 3.x: the organizer does not take the delegation, so that nobody is invited by it.
        if told.status.code().starts_with("3.") {
            return;
        }
        let mut notes = Vec::new();
        for delegate in delegates {
            notes.push(if self.is_served_here(delegate).await {
                let status = self.hand_on(reply, delegate).await;
                let what = if status.is_failure() {
                    "could not be invited"
                } else {
                    "was invited"
                };
                format!("{} {what} here ({status})", delegate.human())
            } else {
                format!("{} is invited by the organizer's server", delegate.human())
            });
        }
        let notes = notes.join(", ");
        told.description = Some(match told.description.take() {
            Some(known) => format!("{known}; {notes}"),
            None => notes,
        });
    }

    /// Answers a REQUEST that an attendee of ours hands on: to its delegates among our own people. Delegates elsewhere are
    /// the organizer's to invite: their host would take it from nobody else.
    pub(super) async fn hand_on_to(
        &self,
        request: &Submission<'_>,
        delegates: &[CalendarAddress],
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for recipient in request.recipients {
            let is_delegate = delegates.iter().any(|it| it.same_user(recipient));
            let status = if !is_delegate {
                RequestStatus::NO_AUTHORITY.with_text("An attendee invites its delegates only")
            } else if self.is_served_here(recipient).await {
                self.hand_on(request, recipient).await
            } else {
                RequestStatus::NO_AUTHORITY.with_text(
                    "A delegate elsewhere is invited by the organizer, who learns of it by a REPLY",
                )
            };
            outcomes.push(status.into());
        }
        outcomes
    }

    /// A store that cannot be asked says so when it is delivered to.
    async fn is_served_here(&self, address: &CalendarAddress) -> bool {
        self.is_ours(address).await.unwrap_or(true)
    }

    async fn hand_on(
        &self,
        submission: &Submission<'_>,
        delegate: &CalendarAddress,
    ) -> RequestStatus {
        let (delegator, uid) = (submission.originator, submission.message.uid());
        match self.forward_to_delegate(uid, delegator, delegate).await {
            Ok(Some(outgoing)) => {
                let enqueued = match self.enqueue_alone(&outgoing, Goes::WaitedFor).await {
                    Ok(enqueued) => enqueued,
                    Err(error) => {
                        tracing::warn!(event = "delegation-failed", %delegator, %delegate, %uid, "nothing is handed on: {error}");
                        return RequestStatus::SERVICE_UNAVAILABLE;
                    }
                };
                let tried = self
                    .first_try(&enqueued, submission.transport, &Unbounded)
                    .await;
                let sent = super::outcomes(&outgoing, &enqueued, &tried);
                let status = sent.into_iter().next().map(|outcome| outcome.status);
                status.unwrap_or(RequestStatus::SERVICE_UNAVAILABLE)
            }
            Ok(None) => RequestStatus::NO_AUTHORITY
                .with_text("The delegator has nothing of that UID that it could delegate"),
            Err(error) => {
                tracing::warn!(event = "delegation-failed", %delegator, %delegate, %uid, "nothing is handed on: {error}");
                RequestStatus::SERVICE_UNAVAILABLE
            }
        }
    }

    /// What a delegator of ours hands on to one of its delegates: what the organizer has told it. `None` if its calendar
    /// holds nothing of that UID which it has delegated to them.
    async fn forward_to_delegate(
        &self,
        uid: &Uid,
        delegator: &CalendarAddress,
        delegate: &CalendarAddress,
    ) -> Result<Option<Outgoing>, Error> {
        let Some(home) = self.environment.stores().find(delegator).await? else {
            return Ok(None);
        };
        let Some(stored) = home.get(uid).await? else {
            return Ok(None);
        };
        let existing = stored::read(&stored, &self.limits)?;
        let person = Person::of(home.user());
        Ok(itip::forward_to_delegate(
            &existing,
            &person.owner(),
            delegate,
        ))
    }
}
