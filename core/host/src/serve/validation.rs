//! Answers authorities that validate names by http-01 (RFC 8555 §8.3), and nobody else.

use crate::{acme, answer::empty, instance::Instance};
use convoke_net::http_server::{Body, Response};
use http::{HeaderValue, Method, Request, StatusCode, header};

/// The type that authorities expect.
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Answers one request.
pub(super) fn handle(instance: &Instance, request: &Request<Body>) -> Response {
    let path = request.uri().path();
    if !path.starts_with(acme::PATH) {
        return empty(StatusCode::NOT_FOUND, &[]);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return empty(StatusCode::METHOD_NOT_ALLOWED, &[("allow", "GET, HEAD")]);
    }
    let Some(answer) = instance.shared.acme.http.answer(path) else {
        return empty(StatusCode::NOT_FOUND, &[]);
    };
    let mut response = Response::new(answer.into());
    response.headers_mut().insert(header::CONTENT_TYPE, OCTETS);
    response
}
