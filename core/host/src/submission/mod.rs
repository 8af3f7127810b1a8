//! The submission listener: users and services of ours hand in messages.
//!
//! The same POST as between servers, but the peer logs in ([`auth`]; guessing is slow, see `attempts`) instead of signing. Recipients of our own domains
//! are delivered to at once; the others go out through the sender. The originator's own copy follows before anything
//! leaves, so that an answer that comes back at once finds it.

pub(crate) mod attempts;
pub mod auth;
mod delegate;
mod passwords;

use crate::{
    delivery::Envelope,
    receiver::{
        answer::{delivered, document, empty, later, refuse_method, refused},
        post::{self, deliver_all},
        room::Room,
    },
    serve::Node,
    throttle::Peer,
};
use auth::{Denied, Submitter};
use convoke_calendar::{
    itip,
    message::{Kind, Message, Method as Itip, Provenance},
};
use convoke_ischedule::{
    ErrorElement, Recipient, RecipientResponse, Refusal, ScheduleResponse, WELL_KNOWN,
};
use convoke_net::http_server::{Arrival, Body, Response};
use convoke_sdk::{Error, Proof};
use convoke_types::{CalendarAddress, RequestStatus};
use http::{Method, Request, StatusCode};
use jiff::Timestamp;
use std::{net::Ipv6Addr, sync::Arc};

/// Answers one request.
pub async fn handle(node: &Arc<Node>, arrival: &Arrival, request: Request<Body>) -> Response {
    if request.uri().path() != WELL_KNOWN {
        return empty(StatusCode::NOT_FOUND, &[]);
    }
    if *request.method() == Method::OPTIONS {
        return empty(StatusCode::OK, &[("allow", "OPTIONS, POST")]);
    }
    if *request.method() != Method::POST {
        return refuse_method();
    }
    let address = arrival.address.ip();
    let submitter = match node.users.identify(request.headers(), address).await {
        Ok(submitter) => submitter,
        Err(Denied::Later(wait)) => return later(&wait),
        Err(Denied::Unauthorized) => {
            return empty(
                StatusCode::UNAUTHORIZED,
                &[(
                    "www-authenticate",
                    "Basic realm=\"Convoke\", charset=\"UTF-8\"",
                )],
            );
        }
    };
    match submit(node, &submitter, arrival, request).await {
        Ok(response) => {
            let room = Room::new(&node.gate, address);
            delivered(arrival, room, document(&response)).await
        }
        Err(response) => response,
    }
}

async fn submit(
    node: &Arc<Node>,
    submitter: &Submitter,
    arrival: &Arrival,
    request: Request<Body>,
) -> Result<ScheduleResponse, Response> {
    let posted = post::read(node, arrival, request).await?;
    let originator = &posted.headers.originator;
    if !may_act_as(node, submitter, originator).await {
        let text = format!("{submitter} may not act as {originator}");
        return Err(refused(&Refusal::new(ErrorElement::OriginatorDenied, text)));
    }
    let parsed = post::parse(node, &posted, Provenance::Submission, Timestamp::now());
    let message = (parsed.await).map_err(|refusal| refused(&refusal))?;
    let recipients = &posted.headers.recipients;
    Ok(ScheduleResponse {
        responses: dispatch(node, &message, originator, recipients).await,
    })
}

/// A user is its own address and every alias of it; a service on this host is any of our users.
async fn may_act_as(node: &Node, submitter: &Submitter, originator: &CalendarAddress) -> bool {
    let may = async {
        Ok(node.delivery.is_ours(originator).await?
            && match submitter {
                Submitter::Local => true,
                Submitter::User(address) if address.same_user(originator) => true,
                Submitter::User(address) => {
                    let home = node.delivery.home(address).await?;
                    home.is_some_and(|home| home.user.answers_to(originator))
                }
            })
    };
    may.await.unwrap_or_else(|error: Error| {
        tracing::warn!(event = "originator-unknown", %submitter, %originator, "its addresses cannot be looked up: {error}");
        false
    })
}

/// Sends a message of one of our users to everybody it is for; one response each, in their order.
pub(crate) async fn dispatch(
    node: &Arc<Node>,
    message: &Message,
    originator: &CalendarAddress,
    recipients: &[Recipient],
) -> Vec<RecipientResponse> {
    let all = |status: RequestStatus| {
        let responses = recipients.iter();
        responses
            .map(|it| RecipientResponse::new(&it.as_sent, status.clone()))
            .collect()
    };
    let delegates = match itip::delegates(message, originator) {
        Ok(delegates) => delegates,
        Err(status) => return all(status),
    };
    if message.kind() != Kind::FreeBusy
        && let Err(error) = node.delivery.keep_own_copy(message, originator).await
    {
        tracing::warn!(originator = %originator, uid = %message.uid(), "nothing is sent, as the own copy cannot be kept: {error}");
        let text = "The originator's own calendar cannot be written";
        return all(RequestStatus::SERVICE_UNAVAILABLE.with_text(text));
    }
    if !delegates.is_empty() && message.method() == Itip::Request {
        return delegate::hand_on_to(node, message, originator, &delegates, recipients).await;
    }
    let mut responses = send_out(node, message, originator, recipients).await;
    if !delegates.is_empty() {
        delegate::tell(node, message, originator, &delegates, &mut responses).await;
    }
    responses
}

/// Sends a message on behalf of one of our users, whose own copy knows it already.
pub(crate) async fn send_out(
    node: &Arc<Node>,
    message: &Message,
    originator: &CalendarAddress,
    recipients: &[Recipient],
) -> Vec<RecipientResponse> {
    let own = node.delivery.zone_of_unknown(message, originator).await;
    let message = &itip::for_sending(message, own.as_ref());
    let data = message.calendar().write();
    let (mut local, mut remote, mut is_local) = (Vec::new(), Vec::new(), Vec::new());
    for recipient in recipients {
        // A store that cannot be asked answers for itself when it is delivered to.
        let ours = node.delivery.is_ours(&recipient.address).await;
        let ours = ours.unwrap_or(true);
        is_local.push(ours);
        let side = if ours { &mut local } else { &mut remote };
        side.push(recipient.clone());
    }
    let proofs = [Proof::Submission(originator.clone())];
    let peer = Peer::new(&proofs, Ipv6Addr::LOCALHOST.into());
    let envelope = Envelope {
        message,
        data: &data,
        originator,
        from: Provenance::Submission,
        proofs: &proofs,
        peer: &peer,
        now: Timestamp::now(),
        effort: node.lasting.labour.effort(&peer),
    };
    let room = Room::of_our_own(&node.gate);
    let (here, there) = futures::join!(
        deliver_all(node, &envelope, &local, &room),
        node.sender.send(message, originator, &remote)
    );
    node.lasting.metrics.sent(message, &there);
    let (mut here, mut there) = (here.into_iter(), there.into_iter());
    let sides = is_local.into_iter();
    sides
        .filter_map(|ours| if ours { here.next() } else { there.next() })
        .collect()
}
