//! Responses of the caldav listener, and why a request is refused.

use super::session::Session;
use crate::{
    admission::RetryAfter,
    answer::{empty, retry_later},
    instance::Instance,
};
use bytes::Bytes;
use convoke_caldav::{
    filter::FilterError,
    multistatus::{Answer, Multistatus},
    precondition::Precondition,
    request::RequestError,
    xml::{self, Element, XmlError},
};
use convoke_net::http_server::{
    Arrival, Body, BodyError, Holding, Response, Short, counted, read_body,
};
use convoke_types::{Error, ErrorKind};
use http::{HeaderValue, Request, StatusCode, header};

pub(super) const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A request that is not done: what is answered instead. In a box, as most requests are done.
#[derive(Debug)]
pub(super) struct Refused(Box<Response>);

impl Refused {
    pub(super) fn response(self) -> Response {
        *self.0
    }

    /// A precondition that is not met because of these resources.
    pub(super) fn because_of(precondition: Precondition, hrefs: &[String]) -> Self {
        let status = StatusCode::from_u16(precondition.status()).unwrap_or(StatusCode::FORBIDDEN);
        let document = xml::document(&precondition.error(hrefs));
        body(status, XML, document.into()).into()
    }

    /// Something that is not understood; why.
    pub(super) fn bad_request(why: &dyn std::fmt::Display) -> Self {
        body(StatusCode::BAD_REQUEST, PLAIN, format!("{why}\r\n").into()).into()
    }

    /// A body in a coding that is not read; and what would be taken (RFC 9110 §12.5.3).
    pub(super) fn coding() -> Self {
        let why = "a body in a Content-Encoding is not taken: send it as it is\r\n";
        let mut response = body(StatusCode::UNSUPPORTED_MEDIA_TYPE, PLAIN, why.into());
        let taken = HeaderValue::from_static("identity");
        (response.headers_mut()).insert(header::ACCEPT_ENCODING, taken);
        response.into()
    }
}

impl From<Response> for Refused {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl From<StatusCode> for Refused {
    fn from(status: StatusCode) -> Self {
        empty(status, &[]).into()
    }
}

impl From<Precondition> for Refused {
    fn from(precondition: Precondition) -> Self {
        Self::because_of(precondition, &[])
    }
}

impl From<XmlError> for Refused {
    fn from(error: XmlError) -> Self {
        match error {
            XmlError::Doctype => Precondition::NoExternalEntities.into(),
            XmlError::TooLarge(..) => StatusCode::PAYLOAD_TOO_LARGE.into(),
            error => Self::bad_request(&error),
        }
    }
}

impl From<RequestError> for Refused {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::UnknownReport(_) => Precondition::SupportedReport.into(),
            RequestError::Filter(FilterError::Invalid(_)) => Precondition::ValidFilter.into(),
            RequestError::Filter(FilterError::Unsupported(_)) => {
                Precondition::SupportedFilter.into()
            }
            RequestError::Filter(FilterError::Collation(_)) => {
                Precondition::SupportedCollation.into()
            }
            error => Self::bad_request(&error),
        }
    }
}

impl From<Error> for Refused {
    /// Of a store or the state.
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => StatusCode::NOT_FOUND.into(),
            ErrorKind::Conflict => StatusCode::PRECONDITION_FAILED.into(),
            ErrorKind::Denied => StatusCode::FORBIDDEN.into(),
            ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED.into(),
            kind => {
                tracing::warn!(
                    event = "caldav-failed",
                    ?kind,
                    "a calendar program could not be answered: {error}"
                );
                let text = "the calendar cannot be reached now";
                retry_later(&RetryAfter::unavailable(text)).into()
            }
        }
    }
}

/// A response with a short body.
fn body(status: StatusCode, kind: HeaderValue, body: Bytes) -> Response {
    let mut response = empty(status, &[]);
    *response.body_mut() = body.into();
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A multistatus that is put together: it takes memory as it grows, until its peer has taken it.
pub(super) struct Answers<'s> {
    session: &'s Session<'s>,
    out: Multistatus,
    holding: Holding,
    held: usize,
}

impl<'s> Answers<'s> {
    pub(super) fn new(session: &'s Session<'s>) -> Self {
        let answers = &session.instance.admission.answers;
        Self {
            session,
            out: Multistatus::default(),
            holding: answers.hold(session.arrival.address.ip()),
            held: 0,
        }
    }

    /// One more answer.
    pub(super) async fn push(&mut self, answer: Answer) -> Result<(), Refused> {
        self.out.push(answer);
        let length = self.out.len();
        if length > self.held {
            self.held = length.next_power_of_two();
            let held = self.holding.resize(self.held).await;
            held.map_err(|short| no_memory(self.session.arrival, length, short))?;
        }
        Ok(())
    }

    /// One more, if there is one.
    pub(super) async fn extend(&mut self, answer: Option<Answer>) -> Result<(), Refused> {
        match answer {
            Some(answer) => self.push(answer).await,
            None => Ok(()),
        }
    }

    /// The response, with a sync-token if there is one.
    pub(super) async fn finish(mut self, sync_token: Option<String>) -> Result<Response, Refused> {
        let document: Bytes = self.out.finish(sync_token).into();
        let length = document.len();
        let held = self.holding.resize(length).await;
        held.map_err(|short| no_memory(self.session.arrival, length, short))?;
        let response = body(StatusCode::MULTI_STATUS, XML, Bytes::new());
        Ok(counted(response, document, self.holding))
    }
}

fn no_memory(arrival: &Arrival, length: usize, short: Short) -> Refused {
    tracing::warn!(event = "no-memory", peer = %arrival.address, "no memory for an answer of {length} bytes");
    retry_later(&short.into()).into()
}

/// A response with a body that may be long; it takes memory until its peer has taken it.
pub(super) async fn whole(
    session: &Session<'_>,
    status: StatusCode,
    kind: HeaderValue,
    document: Bytes,
) -> Result<Response, Refused> {
    sent(session.instance, session.arrival, status, kind, document).await
}

/// The same to somebody who may not have logged in.
pub(super) async fn sent(
    instance: &Instance,
    arrival: &Arrival,
    status: StatusCode,
    kind: HeaderValue,
    document: Bytes,
) -> Result<Response, Refused> {
    let mut holding = instance.admission.answers.hold(arrival.address.ip());
    let length = document.len();
    let held = holding.resize(length).await;
    held.map_err(|short| no_memory(arrival, length, short))?;
    Ok(counted(body(status, kind, Bytes::new()), document, holding))
}

/// What was read of a request: it takes memory while it is there.
pub(super) struct Received<T> {
    pub(super) content: T,
    /// Given back when dropped.
    holding: Holding,
}

/// The body of a request, no longer than a message may be.
pub(super) async fn received(
    session: &Session<'_>,
    received: Body,
) -> Result<Received<Bytes>, Refused> {
    let limits = &session.instance.config.limits;
    let most = limits.messages.content_length;
    let bodies = &session.instance.admission.bodies;
    let mut holding = bodies.hold(session.arrival.address.ip());
    match read_body(received, most, limits.connection.body_time, &mut holding).await {
        Ok(content) => Ok(Received { content, holding }),
        Err(BodyError::TooLong) => Err(Precondition::MaxResourceSize.into()),
        Err(BodyError::TooSlow) => Err(StatusCode::REQUEST_TIMEOUT.into()),
        Err(BodyError::Broken) => Err(StatusCode::BAD_REQUEST.into()),
        Err(BodyError::NoMemory | BodyError::Ending) => Err(no_room()),
    }
}

pub(super) fn no_room() -> Refused {
    let text = "this server has no room for the request now";
    retry_later(&RetryAfter::unavailable(text)).into()
}

/// What an element of a document takes, in bytes.
const ELEMENT: usize = 256;

/// The XML of a request; `None` if it has no body.
pub(super) async fn document(
    session: &Session<'_>,
    request: Request<Body>,
) -> Result<Option<Received<Element>>, Refused> {
    let mut body = received(session, request.into_body()).await?;
    if body.content.is_empty() {
        return Ok(None);
    }
    let limits = xml::LIMITS;
    let tags = body.content.split(|it| *it == b'<').count();
    let tree = tags.min(limits.elements) * ELEMENT;
    let bytes = 2 * body.content.len() + tree;
    let held = body.holding.resize(bytes).await;
    held.map_err(|_| no_room())?;
    Ok(Some(Received {
        content: xml::parse(&body.content, &limits)?,
        holding: body.holding,
    }))
}
