//! What one of our own people delegates (RFC 5546 §3.2.2.3).
//!
//! The delegator's REPLY tells the organizer, whose host invites the delegate. Delegates among our own people are told by us
//! as well, and at once: an organizer elsewhere may not do it. What they are told is what the organizer has told the
//! delegator, whatever the delegator has submitted.

use super::send_out;
use crate::serve::Node;
use convoke_calendar::{itip::Outgoing, message::Message};
use convoke_ischedule::{Recipient, RecipientResponse};
use convoke_types::{CalendarAddress, RequestStatus};
use std::sync::Arc;

/// Tells the delegates that a REPLY names and that are our own people, and notes on the organizer's response who is told
/// by whom.
pub(super) async fn tell(
    node: &Arc<Node>,
    reply: &Message,
    delegator: &CalendarAddress,
    delegates: &[CalendarAddress],
    responses: &mut [RecipientResponse],
) {
    let Some(told) = responses.first_mut() else {
        return;
    };
    // 3.x: the organizer does not take the delegation, so that nobody is invited by it.
    if told.status.code().starts_with("3.") {
        return;
    }
    let mut notes = Vec::new();
    for delegate in delegates {
        notes.push(if is_ours(node, delegate).await {
            let status = hand_on(node, reply, delegator, delegate).await;
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

/// Answers a REQUEST that an attendee of ours hands on: to its delegates among our own people. Delegates elsewhere are the
/// organizer's to invite: their host would take it from nobody else.
pub(super) async fn hand_on_to(
    node: &Arc<Node>,
    request: &Message,
    delegator: &CalendarAddress,
    delegates: &[CalendarAddress],
    recipients: &[Recipient],
) -> Vec<RecipientResponse> {
    let mut responses = Vec::new();
    for recipient in recipients {
        let address = &recipient.address;
        let is_delegate = delegates.iter().any(|it| it.same_user(address));
        let status = if !is_delegate {
            RequestStatus::NO_AUTHORITY.with_text("An attendee invites its delegates only")
        } else if is_ours(node, address).await {
            hand_on(node, request, delegator, address).await
        } else {
            RequestStatus::NO_AUTHORITY.with_text(
                "A delegate elsewhere is invited by the organizer, who learns of it by a REPLY",
            )
        };
        responses.push(RecipientResponse::new(&recipient.as_sent, status));
    }
    responses
}

/// A store that cannot be asked says so when it is delivered to.
async fn is_ours(node: &Node, address: &CalendarAddress) -> bool {
    node.delivery.is_ours(address).await.unwrap_or(true)
}

async fn hand_on(
    node: &Arc<Node>,
    message: &Message,
    delegator: &CalendarAddress,
    delegate: &CalendarAddress,
) -> RequestStatus {
    let made = node
        .delivery
        .handed_on(message.uid(), delegator, delegate)
        .await;
    match made {
        Ok(Some(outgoing)) => deliver(node, outgoing).await,
        Ok(None) => RequestStatus::NO_AUTHORITY
            .with_text("The delegator has nothing of that UID that it could delegate"),
        Err(error) => {
            tracing::warn!(event = "delegation-failed", %delegator, %delegate, uid = %message.uid(), "nothing is handed on: {error}");
            RequestStatus::SERVICE_UNAVAILABLE
        }
    }
}

async fn deliver(node: &Arc<Node>, outgoing: Outgoing) -> RequestStatus {
    let recipients: Vec<Recipient> = outgoing
        .recipients
        .into_iter()
        .map(Recipient::new)
        .collect();
    let responses = send_out(node, &outgoing.message, &outgoing.originator, &recipients).await;
    let status = responses.into_iter().next().map(|it| it.status);
    status.unwrap_or(RequestStatus::SERVICE_UNAVAILABLE)
}
