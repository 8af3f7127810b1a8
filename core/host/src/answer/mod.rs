//! Responses.
//!
//! `room` holds the memory that an answer takes; `page` has what all pages for people have.

#[cfg(any(feature = "caldav", feature = "console"))]
pub(crate) mod page;
mod room;

pub(crate) use room::AnswerRoom;

use crate::admission::RetryAfter;
use bytes::Bytes;
use convoke_ischedule::{Refusal, ScheduleResponse, XML_TYPE, headers::NO_CACHE};
use convoke_net::http_server::{Arrival, Response, counted};
use http::{HeaderValue, StatusCode, header};

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=us-ascii");

/// A response without a body.
pub(crate) fn empty(status: StatusCode, headers: &[(&'static str, &'static str)]) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    for &(name, value) in headers {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// 405, and what would have been right.
pub(crate) fn refuse_method() -> Response {
    empty(
        StatusCode::METHOD_NOT_ALLOWED,
        &[("allow", "GET, HEAD, OPTIONS, POST")],
    )
}

/// The document that [`delivered`] sends, in no more memory than it needs.
pub(crate) fn document(response: &ScheduleResponse) -> Bytes {
    response.to_xml().into_bytes().into_boxed_slice().into()
}

/// The answer to a message that was fine as a whole; it takes memory until its peer has taken it.
pub(crate) async fn delivered(arrival: &Arrival, room: AnswerRoom, document: Bytes) -> Response {
    match room.for_document(document.len()).await {
        Ok(holding) => counted(xml(StatusCode::OK, Bytes::new()), document, holding),
        Err(short) => {
            tracing::warn!(event = "no-memory", peer = %arrival.address, "no memory for an answer of {} bytes", document.len());
            retry_later(&short.into())
        }
    }
}

/// A JSON document; it takes memory until its peer has taken it.
pub(crate) async fn json(
    arrival: &Arrival,
    room: AnswerRoom,
    status: StatusCode,
    document: Bytes,
) -> Response {
    let length = document.len();
    match room.for_document(length).await {
        Ok(holding) => {
            let mut response = xml(status, Bytes::new());
            let kind = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            counted(response, document, holding)
        }
        Err(short) => {
            tracing::warn!(event = "no-memory", peer = %arrival.address, "no memory for an answer of {length} bytes");
            retry_later(&short.into())
        }
    }
}

/// The answer to a request refused as a whole.
pub(crate) fn refused(refusal: &Refusal) -> Response {
    let mut response = xml(refusal.status, refusal.to_xml());
    // For those who count: the element is not read back from the document.
    response.extensions_mut().insert(refusal.element);
    response
}

/// The answer to a message that is not looked at now.
pub(crate) fn retry_later(wait: &RetryAfter) -> Response {
    let mut response = Response::new(format!("{}\r\n", wait.reason).into());
    *response.status_mut() = wait.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, PLAIN);
    headers.insert(header::CACHE_CONTROL, NO_CACHE);
    headers.insert(header::RETRY_AFTER, wait.seconds().into());
    response
}

/// A document of key records.
pub(crate) fn key_document(text: String) -> Response {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, PLAIN);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("max-age=3600"),
    );
    response
}

fn xml(status: StatusCode, document: impl Into<Bytes>) -> Response {
    let mut response = Response::new(document.into().into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(XML_TYPE));
    headers.insert(header::CACHE_CONTROL, NO_CACHE);
    response
}
