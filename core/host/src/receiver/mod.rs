//! The iSchedule Receiver: one HTTP request in, one answer out.
//!
//! | module | what it does |
//! | --- | --- |
//! | `capabilities` | GET: what we take, with its serial number |
//! | [`gate`] | how much at once, and how often |
//! | [`identify`] | who the peer proved to be |
//! | `post` | a scheduling message: the checks of spec §6, in their order, then delivery |
//! | [`replay`] | the same message again gets the same answer again |
//! | `room` | the memory that an answer takes |
//! | `answer` | responses, and the one place where a refusal becomes one |
//!
//! Always true: every answer carries `iSchedule-Version` and `iSchedule-Capabilities` (`Published::fields`, which the
//! listener puts on those that never come here, too); a message is delivered to our own
//! calendar users or to nobody, never relayed.

pub(crate) mod answer;
mod capabilities;
pub mod gate;
pub mod identify;
pub(crate) mod post;
pub mod replay;
pub(crate) mod room;

pub use capabilities::Published;

use crate::serve::Node;
use answer::{empty, key_document, later, refuse_method};
use convoke_ischedule::{WELL_KNOWN, dkim::Lookup};
use convoke_net::http_server::{Arrival, Body, Response};
use convoke_types::Domain;
use http::{Method, Request, StatusCode};
use std::sync::Arc;

/// Where a receiver answers besides the well-known place.
const SHORT: &str = "/ischedule";

/// Where our own key is published for signatures that say `q=http/well-known` (spec §7).
const DOMAIN_KEY: &str = "/.well-known/domainkey/";

/// Answers one request.
pub async fn handle(node: &Arc<Node>, arrival: &Arrival, request: Request<Body>) -> Response {
    let path = request.uri().path();
    let limits = &node.config.limits;
    if let Err(wait) = gate::admit_address(&node.lasting.paces, limits, arrival) {
        later(&wait)
    } else if path == WELL_KNOWN || path == SHORT {
        match *request.method() {
            Method::GET | Method::HEAD => node.published.answer(&request),
            Method::OPTIONS => empty(StatusCode::OK, &[("allow", "GET, HEAD, OPTIONS, POST")]),
            Method::POST => post::receive(node, arrival, request).await,
            _ => refuse_method(),
        }
    } else {
        match own_key(node, path) {
            Some(document) if *request.method() == Method::GET => key_document(document),
            _ => empty(StatusCode::NOT_FOUND, &[]),
        }
    }
}

/// The record of our key, if `path` asks for it and the configuration publishes it there.
fn own_key(node: &Node, path: &str) -> Option<String> {
    let signer = node
        .signer
        .as_ref()
        .filter(|signer| signer.lookups().contains(&Lookup::HttpWellKnown))?;
    let (domain, selector) = path.strip_prefix(DOMAIN_KEY)?.split_once('/')?;
    let ours = Domain::new(domain).is_ok_and(|domain| domain == *signer.domain())
        && selector == signer.selector();
    ours.then(|| format!("{}\r\n", signer.key().record()))
}
