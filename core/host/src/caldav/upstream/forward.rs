//! A request passed on, and its answer.

use crate::{
    answer::empty,
    caldav::reply::Refused,
    config::Role,
    instance::Instance,
    upstream::{self, Claim, Front, NoAnswer, Upstream},
};
use convoke_net::http_server::{Arrival, Body, Response};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use std::sync::Arc;

/// Of a body whose length nobody said, so much is read before it is passed on: most servers want to know the length.
const MEASURED: usize = 256 << 10;
const WELL_KNOWN: &str = "/.well-known/caldav";
/// One request that is passed on.
pub(super) struct Forwarding<'a> {
    pub(super) instance: &'a Arc<Instance>,
    pub(super) upstream: &'a Arc<Upstream>,
    pub(super) front: Front,
}

/// What a request is about.
pub(super) struct Subject {
    /// The paths that it may change: its own, and where it moves or copies to.
    pub(super) changes: Vec<String>,
    pub(super) claim: Option<Claim>,
    pub(super) credentials: Option<HeaderValue>,
}

impl<'a> Forwarding<'a> {
    pub(super) fn of(
        instance: &'a Arc<Instance>,
        upstream: &'a Arc<Upstream>,
        arrival: &Arrival,
        request: &Request<Body>,
    ) -> Self {
        Self {
            instance,
            upstream,
            front: front(instance, upstream, arrival, request),
        }
    }

    /// The answer.
    pub(super) async fn answer(&self, request: Request<Body>) -> Result<Response, Refused> {
        let method = request.method().clone();
        if matches!(method, Method::CONNECT | Method::TRACE) {
            return Err(StatusCode::METHOD_NOT_ALLOWED.into());
        }
        let path = request.uri().path().to_owned();
        if path == "*" {
            // RFC 9110 §9.3.7: it is about the server as a whole, which this is.
            return Err(StatusCode::NO_CONTENT.into());
        }
        if upstream::segments(&path).is_none() {
            return Err(StatusCode::BAD_REQUEST.into());
        }
        if !upstream::has_known_coding(request.headers()) {
            return Err(StatusCode::NOT_IMPLEMENTED.into());
        }
        let is_well_known = path.trim_end_matches('/') == WELL_KNOWN;
        if !self.upstream.server.path.is_empty() {
            if is_well_known {
                return Ok(self.to_root());
            }
            if !upstream::is_within(&path, &self.upstream.server.path) {
                return Err(StatusCode::NOT_FOUND.into());
            }
        }
        let subject = self.subject(&request)?;
        self.admit(&subject)?;
        self.prepare(&subject).await;
        let (mut head, body) = request.into_parts();
        head.headers = self.headers(&head.headers)?;
        let path = head.uri.path_and_query().cloned();
        head.uri = path.ok_or(StatusCode::BAD_REQUEST)?.into();
        head.version = http::Version::HTTP_11;
        let time = self.instance.config.limits.connection.body_time;
        let mut body = body.streamed(time);
        let refused = |error| NoAnswer::from(error).response();
        body.measure(MEASURED).await.map_err(refused)?;
        let body = body.map_err(Into::into).boxed_unsync();
        let answer = self.upstream.exchanges.ask(Request::from_parts(head, body));
        let answer = answer.await.map_err(|none| none.response())?;
        let (mut head, body) = answer.into_parts();
        self.note(&subject, head.status).await;
        if is_well_known && is_nothing(head.status) {
            return Ok(self.to_root());
        }
        upstream::to_client(&mut head.headers, head.status);
        self.turn_back(&mut head.headers);
        let mut response = Response::new(body.payload());
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(response)
    }

    fn subject(&self, request: &Request<Body>) -> Result<Subject, Refused> {
        let method = request.method().clone();
        let mut changes = Vec::new();
        if matches!(method.as_str(), "PUT" | "DELETE" | "MOVE" | "COPY" | "POST") {
            changes.push(request.uri().path().to_owned());
        }
        if let Some(destination) = request.headers().get("destination") {
            let path = destination.to_str().ok();
            let path =
                path.and_then(|it| upstream::path_of(it, &self.front, &self.upstream.server));
            // RFC 4918 §9.8.5: a destination on another server.
            let path = path.ok_or(StatusCode::BAD_GATEWAY)?;
            if upstream::segments(path).is_none() {
                return Err(StatusCode::BAD_REQUEST.into());
            }
            if !upstream::is_within(path, &self.upstream.server.path) {
                return Err(StatusCode::FORBIDDEN.into());
            }
            if matches!(method.as_str(), "MOVE" | "COPY") {
                changes.push(path.to_owned());
            }
        }
        Ok(Subject {
            claim: self.upstream.logins.claim(request.headers()),
            credentials: request.headers().get(header::AUTHORIZATION).cloned(),
            changes,
        })
    }

    fn headers(&self, came: &HeaderMap) -> Result<HeaderMap, Refused> {
        let mut headers = upstream::to_server(came, &self.front);
        if let Some(destination) = headers.get("destination") {
            let text = destination.to_str().ok();
            let text =
                text.and_then(|it| upstream::destination(it, &self.front, &self.upstream.server));
            let value = text.and_then(|text| HeaderValue::from_str(&text).ok());
            let value = value.ok_or(StatusCode::BAD_GATEWAY)?;
            headers.insert("destination", value);
        }
        Ok(headers)
    }

    /// What leads to the server leads to us.
    fn turn_back(&self, headers: &mut HeaderMap) {
        for name in [header::LOCATION, header::CONTENT_LOCATION] {
            let text = headers.get(&name).and_then(|it| it.to_str().ok());
            let text =
                text.and_then(|it| upstream::location(it, &self.front, &self.upstream.server));
            if let Some(Ok(value)) = text.map(|text| HeaderValue::from_str(&text)) {
                headers.insert(name, value);
            }
        }
    }

    /// RFC 6764 §5, for servers that do not know it.
    fn to_root(&self) -> Response {
        let mut response = empty(StatusCode::MOVED_PERMANENTLY, &[]);
        let path = format!("{}/", self.upstream.server.path);
        if let Ok(path) = HeaderValue::from_str(&path) {
            response.headers_mut().insert(header::LOCATION, path);
        }
        response
    }
}

/// Nothing is there, or nothing that this method could be used on.
fn is_nothing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::GONE
            | StatusCode::NOT_IMPLEMENTED
    )
}

fn front(
    instance: &Instance,
    upstream: &Upstream,
    arrival: &Arrival,
    request: &Request<Body>,
) -> Front {
    let listener = instance.config.listener(Role::Caldav);
    let is_tls = listener.is_some_and(|it| it.tls.is_some());
    let field = request.headers().get(header::HOST);
    let host = field.and_then(|it| it.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    Front {
        scheme: if is_tls { "https" } else { "http" },
        // RFC 9112 §3.2: only HTTP/1.0 may leave it out.
        host: host.map_or_else(|| upstream.server.authority(), str::to_owned),
        client: arrival.address.ip(),
    }
}
