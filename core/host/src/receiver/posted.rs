//! Header and body of a POST, as another server or one of our own people sends it: what can be said before the body is
//! understood.

use super::refusal;
use crate::{
    admission::{self, RetryAfter},
    answer::{empty, refused, retry_later},
    instance::Instance,
};
use bytes::Bytes;
use convoke_calendar::{message::Message, tree::Component};
use convoke_ischedule::{ErrorElement, Refusal, RequestHeaders};
use convoke_net::http_server::{Arrival, Body, BodyError, Holding, Response, read_body};
use convoke_scheduling::TransportFacts;
use convoke_types::CalendarAddress;
use http::{HeaderMap, Request, StatusCode};
use std::collections::BTreeSet;

/// A message whose form is right: its header, and a body that is not too long.
pub(crate) struct Posted {
    /// What the header says.
    pub(crate) headers: RequestHeaders,
    /// The header itself.
    pub(crate) fields: HeaderMap,
    /// The body as it came.
    pub(crate) body: Bytes,
    /// What it takes of the memory for bodies.
    pub(crate) holding: Holding,
}

impl Posted {
    /// Whom it is to reach.
    pub(crate) fn recipients(&self) -> Vec<CalendarAddress> {
        let recipients = self.headers.recipients.iter();
        recipients.map(|it| it.address.clone()).collect()
    }

    /// What policies may look at beside what was proved.
    pub(crate) fn transport(&self, arrival: &Arrival) -> TransportFacts<'_> {
        TransportFacts {
            address: Some(arrival.address.ip()),
            message_id: self.headers.message_id.as_deref(),
        }
    }

    /// Spec §5: both parameters of the Content-Type agree with the body.
    pub(crate) fn check_content_type(&self, message: &Message) -> Result<(), String> {
        let content = &self.headers.content;
        let (method, component) = (message.method().as_str(), message.kind().as_str());
        let mut parts = BTreeSet::new();
        name_parts(message.calendar().root(), &mut parts);
        let parts: Vec<&str> = parts.into_iter().collect();
        if method == content.method && content.names(component, &parts) {
            return Ok(());
        }
        Err(format!(
            "the Content-Type says `{content}`, the body is a {method} of a {component}"
        ))
    }
}

/// The components inside another, however deep: a VALARM stands in its VEVENT.
fn name_parts<'c>(component: &'c Component, names: &mut BTreeSet<&'c str>) {
    for inner in &component.components {
        names.insert(&inner.name);
        name_parts(inner, names);
    }
}

/// Reads a message up to its last byte, within limits.
pub(crate) async fn read(
    instance: &Instance,
    arrival: &Arrival,
    request: Request<Body>,
) -> Result<Posted, Response> {
    let limits = &instance.config.limits;
    let (parts, body) = request.into_parts();
    // Before the body is asked for: a sender that waits for `100 Continue` is spared sending it.
    let refuse = |refusal: &Refusal| {
        refusal::tell_unread(arrival, refusal);
        refused(refusal)
    };
    if is_too_long(instance, &body) {
        return Err(refuse(&too_long(instance)));
    }
    let headers = RequestHeaders::read(&parts.headers).map_err(|refusal| refuse(&refusal))?;
    if headers.recipients.len() > limits.recipients {
        let text = format!("there are more than {} recipients", limits.recipients);
        return Err(refuse(&Refusal::new(ErrorElement::MaxRecipients, text)));
    }
    let (body, holding) = read_whole(instance, arrival, &parts.headers, body).await?;
    Ok(Posted {
        headers,
        fields: parts.headers,
        body,
        holding,
    })
}

/// Reads a body up to its last byte, within limits, and what it takes of the memory for bodies.
pub(crate) async fn read_whole(
    instance: &Instance,
    arrival: &Arrival,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, Holding), Response> {
    let limits = &instance.config.limits;
    let refuse = |refusal: &Refusal| {
        refusal::tell_unread(arrival, refusal);
        refused(refusal)
    };
    if is_too_long(instance, &body) {
        return Err(refuse(&too_long(instance)));
    }
    let most = limits.messages.content_length;
    let mut holding = instance.admission.bodies.hold(arrival.address.ip());
    let fields = (headers.iter()).map(|(name, value)| name.as_str().len() + value.len());
    let header: usize = fields.sum();
    (holding.grow(admission::BESIDE + header).await).map_err(|short| retry_later(&short.into()))?;
    match read_body(body, most, limits.connection.body_time, &mut holding).await {
        Ok(body) => Ok((body, holding)),
        Err(BodyError::TooLong) => Err(refuse(&too_long(instance))),
        Err(BodyError::TooSlow) => Err(empty(StatusCode::REQUEST_TIMEOUT, &[])),
        Err(BodyError::Broken) => Err(empty(StatusCode::BAD_REQUEST, &[])),
        Err(BodyError::NoMemory) => {
            let text = "there was no memory left for the message, or it came too slowly to keep it";
            tracing::info!(event = "no-memory", peer = %arrival.address, "{text}");
            Err(retry_later(&RetryAfter::unavailable(text)))
        }
        Err(BodyError::Ending) => {
            let text = "this server is being restarted";
            Err(retry_later(&RetryAfter::unavailable(text)))
        }
    }
}

fn is_too_long(instance: &Instance, body: &Body) -> bool {
    let most = instance.config.limits.messages.content_length as u64;
    body.announced().is_some_and(|length| length > most)
}

fn too_long(instance: &Instance) -> Refusal {
    let most = instance.config.limits.messages.content_length;
    let text = format!("the message is longer than {most} bytes");
    Refusal::new(ErrorElement::MaxContentLength, text)
}
