//! The iSchedule Receiver: one HTTP request in, one answer out.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`identify`] | who the peer proved to be |
//! | `posted` | header and body of a POST |
//! | `post` | a scheduling message: the checks of spec §6, in their order, then delivery |
//! | `refusal` | what the log says of it |
//! | `rejection` | why a message is not delivered to anybody |
//!
//! Always true: every answer carries `iSchedule-Version` and `iSchedule-Capabilities` (`CapabilitiesDocument::fields`, which
//! the listener puts on those that never come here, too); a message is delivered to our own calendar users or to nobody,
//! never relayed.

pub mod identify;
mod post;
pub(crate) mod posted;
pub(crate) mod refusal;
mod rejection;

use crate::{
    admission,
    answer::{empty, key_document, refuse_method, retry_later},
    instance::Instance,
    peers::{Came, Visit},
};
use convoke_ischedule::{WELL_KNOWN, dkim::Lookup};
use convoke_net::http_server::{Arrival, Body, Response};
use convoke_types::Domain;
use http::{Method, Request, StatusCode};

/// Where a receiver answers besides the well-known place.
const SHORT: &str = "/ischedule";

/// Where our own key is published for signatures that say `q=http/well-known` (spec §7).
const DOMAIN_KEY: &str = "/.well-known/domainkey/";

/// Answers one request.
pub async fn handle(instance: &Instance, arrival: &Arrival, request: Request<Body>) -> Response {
    let path = request.uri().path();
    let limits = &instance.config.limits;
    if let Err(wait) = admission::admit_address(&instance.shared.rate_limiters, limits, arrival) {
        if *request.method() == Method::POST {
            let visit = Visit::of_stranger(arrival, None);
            let peers = &instance.shared.peers;
            peers.note(&visit, Came::PutOff(wait.reason.clone()));
        }
        retry_later(&wait)
    } else if path == WELL_KNOWN || path == SHORT {
        match *request.method() {
            Method::GET | Method::HEAD => instance.capabilities.answer(&request),
            Method::OPTIONS => empty(StatusCode::OK, &[("allow", "GET, HEAD, OPTIONS, POST")]),
            Method::POST => post::receive(instance, arrival, request).await,
            _ => refuse_method(),
        }
    } else {
        match own_key(instance, path) {
            Some(document) if *request.method() == Method::GET => key_document(document),
            _ => empty(StatusCode::NOT_FOUND, &[]),
        }
    }
}

/// The record of our key, if `path` asks for it and the configuration publishes it there.
fn own_key(instance: &Instance, path: &str) -> Option<String> {
    let signer = instance
        .signer
        .as_ref()
        .filter(|signer| signer.lookups().contains(&Lookup::HttpWellKnown))?;
    let (domain, selector) = path.strip_prefix(DOMAIN_KEY)?.split_once('/')?;
    let ours = Domain::new(domain).is_ok_and(|domain| domain == *signer.domain())
        && selector == signer.selector();
    ours.then(|| format!("{}\r\n", signer.key().record()))
}
