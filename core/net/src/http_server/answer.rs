//! Answers on their way out, whatever the protocol.

use super::{
    Response,
    memory::{Eviction, Holding},
};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use hyper::body::Body as _;

/// A body that holds memory until the last of it is written.
struct Counted {
    body: Bytes,
    _holding: Holding,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// A response whose body is counted while it is there, and that must go when its memory is needed and its peer is slow.
pub fn counted(mut response: Response, body: Bytes, mut holding: Holding) -> Response {
    response.extensions_mut().insert(holding.eviction());
    holding.await_peer();
    let counted = Counted {
        body,
        _holding: holding,
    };
    *response.body_mut() = Bytes::from_owner(counted).into();
    response
}

pub(super) fn evictions(response: &Response) -> Option<Eviction> {
    response.extensions().get().cloned()
}

/// Bytes of the body that are sent (RFC 9110 §6.4.1); `None` if nobody knows yet.
pub(super) fn wire_length(method: &Method, response: &Response) -> Option<usize> {
    let status = response.status();
    let none = *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let length = response.body().size_hint().exact();
    if none {
        Some(0)
    } else {
        length.and_then(|it| usize::try_from(it).ok())
    }
}

/// Puts `fields` on a response that does not say otherwise.
pub(super) fn complete(response: &mut Response, fields: HeaderMap) {
    let headers = response.headers_mut();
    for (name, value) in fields {
        if let Some(name) = name {
            headers.entry(name).or_insert(value);
        }
    }
}

/// RFC 9113 §8.2.2: what concerns the connection is not in the header.
pub(super) fn without_connection_fields(headers: &mut HeaderMap) {
    for name in [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ] {
        headers.remove(name);
    }
}
