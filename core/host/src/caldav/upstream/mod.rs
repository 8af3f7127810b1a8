//! In front of a CalDAV server: every request is passed on, every answer comes back as it is.
//!
//! | module | what it does |
//! | --- | --- |
//! | `forward` | a request passed on, and its answer |
//! | `caller` | who asks: guesses are slowed, and of who was let in the calendar is known |
//! | `looks` | a calendar that a program changed is looked at, at once |
//!
//! Always true: how a body is delimited is said anew on each side; bodies are never held as a whole; credentials are passed on and
//! never logged. The server itself is `crate::upstream`.
//!
//! Not done yet: what RFC 6638 adds to the server's answers (`calendar-auto-schedule`, inbox and outbox, Schedule-Tag).

mod caller;
mod forward;
mod looks;

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
    let answered = forwarding.answer(request).await;
    answered.unwrap_or_else(Refused::response)
}
