//! In front of a CalDAV server: every request is passed on, every answer comes back as it is, with what RFC 6638 adds.
//!
//! | module | what it does |
//! | --- | --- |
//! | `forward` | a request passed on, and its answer |
//! | `amend` | answers with what RFC 6638 adds: that there is scheduling, and where |
//! | `objects` | what a client writes is judged before the server sees it, and told at once |
//! | `digest` | an edit that is forbidden, of who logs in by Digest |
//! | `own` | what the server has not: each user's inbox and outbox, the page for people, busy time by URL |
//! | `caller` | guesses at log-ins are slowed, and of who was let in the calendar is known |
//! | `who` | who asks, by the server's word |
//! | `ask` | requests of our own, with the credentials of who asks us |
//! | `looks` | a calendar that a program changed is looked at, at once |
//!
//! Always true: how a body is delimited is said anew on each side; a body is held as a whole only if something of ours is asked
//! for in it, and it is short; credentials are passed on and never logged. The server itself is `crate::upstream`.
//!
//! Not done yet: schedule tags for who logs in by Digest.

mod amend;
mod ask;
mod caller;
mod digest;
mod forward;
mod looks;
mod objects;
mod own;
mod who;

use super::reply::Refused;
use crate::{instance::Instance, upstream::Upstream};
use convoke_net::http_server::{Arrival, Body, Response};
use forward::Forwarding;
use http::Request;
use std::sync::Arc;

/// Answers one request.
pub(super) async fn handle(
    instance: &Arc<Instance>,
    upstream: &Arc<Upstream>,
    arrival: &Arrival,
    request: Request<Body>,
) -> Response {
    let forwarding = Forwarding::of(instance, upstream, arrival, &request);
    let answered = Box::pin(forwarding.answer(request)).await;
    answered.unwrap_or_else(Refused::response)
}
