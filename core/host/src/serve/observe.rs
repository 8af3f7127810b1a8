//! Health and metrics, for the administrator's own tools.

use crate::{answer::empty, instance::Instance};
use bytes::Bytes;
use convoke_net::http_server::{Body, Response};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const PROMETHEUS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Answers `/health` and `/metrics`.
pub(super) fn handle(instance: &Instance, request: &Request<Body>) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return empty(StatusCode::METHOD_NOT_ALLOWED, &[("allow", "GET, HEAD")]);
    }
    match request.uri().path() {
        "/health" => text("ok\n".to_owned(), PLAIN),
        "/metrics" => text(
            instance.shared.metrics.text(&instance.plugins.list()),
            PROMETHEUS,
        ),
        _ => empty(StatusCode::NOT_FOUND, &[]),
    }
}

fn text(text: String, kind: HeaderValue) -> Response {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
