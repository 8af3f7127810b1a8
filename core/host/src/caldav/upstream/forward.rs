//! A request passed on, and its answer.

use super::{
    amend::Wanted,
    objects::{Edit, SCHEDULE_TAG},
    own,
};
use crate::{
    answer::empty,
    caldav::reply::Refused,
    instance::Instance,
    upstream::{self, Answer, Claim, Front, NoAnswer, OwnPlace, Scheme, Upstream},
};
use convoke_net::http_server::{Arrival, Body, BodyError, Payload, Response};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header, response};
use http_body_util::BodyExt;
use std::sync::{Arc, OnceLock};
use tokio::sync::OnceCell;

/// Of a body whose length nobody said, so much is read before it is passed on: most servers want to know the length.
const MEASURED: usize = 256 << 10;
const WELL_KNOWN: &str = "/.well-known/caldav";

/// One request that is passed on.
pub(super) struct Forwarding<'a> {
    pub(super) instance: &'a Arc<Instance>,
    pub(super) upstream: &'a Arc<Upstream>,
    pub(super) arrival: &'a Arrival,
    pub(super) front: Front,
    /// Who it says it is from.
    pub(super) claim: Option<Claim>,
    /// Its place among those that are passed on.
    pub(super) place: OwnPlace,
}

/// What a request is about.
pub(super) struct Subject {
    /// The path that it names.
    pub(super) path: String,
    /// The same with its query.
    pub(super) target: String,
    /// The paths that it may change: its own, and where it moves or copies to.
    pub(super) changes: Vec<String>,
    pub(super) claim: Option<Claim>,
    pub(super) credentials: Option<HeaderValue>,
    /// The server has answered as it does to who has logged in.
    pub(super) is_accepted: bool,
    /// Whose principal it is that asks, once the server was asked.
    pub(super) principal: OnceCell<Option<String>>,
    /// The server has refused the credentials, which counts once.
    pub(super) refused: OnceLock<()>,
}

impl Subject {
    /// Whether it is proved by something that is good for this request alone.
    pub(super) fn is_digest(&self) -> bool {
        (self.claim.as_ref()).is_some_and(|it| it.scheme == Scheme::Digest)
    }

    /// Whether it is to be proved by a password.
    fn is_basic(&self) -> bool {
        (self.claim.as_ref()).is_some_and(|it| it.scheme != Scheme::Digest)
    }

    /// Whether what proves it is good for one body alone (RFC 7616 §3.4.3).
    pub(super) fn is_bound_to_body(&self) -> bool {
        let text = self.credentials.as_ref().and_then(|it| it.to_str().ok());
        self.is_digest() && text.is_none_or(|it| it.to_ascii_lowercase().contains("auth-int"))
    }
}

impl<'a> Forwarding<'a> {
    pub(super) fn of(
        instance: &'a Arc<Instance>,
        upstream: &'a Arc<Upstream>,
        arrival: &'a Arrival,
        request: &Request<Body>,
    ) -> Self {
        Self {
            instance,
            upstream,
            arrival,
            front: front(upstream, arrival, request),
            claim: upstream.logins.claim(request.headers()),
            place: OwnPlace::default(),
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
        if upstream::hides_fields(request.headers()) || upstream::is_unreadable(request.headers()) {
            return Err(StatusCode::BAD_REQUEST.into());
        }
        if upstream::is_own(&path) {
            return own::answer(self, request).await;
        }
        if let Some(whose) = own::busy_of(self, &request) {
            return own::busy(self, request, &whose).await;
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
        let mut subject = self.subject(&request)?;
        self.admit(&subject)?;
        self.prepare(&subject).await;
        let (mut head, body) = request.into_parts();
        let came = head.headers;
        head.headers = self.headers(&came)?;
        let path = head.uri.path_and_query().cloned();
        head.uri = path.ok_or(StatusCode::BAD_REQUEST)?.into();
        head.version = http::Version::HTTP_11;
        let time = self.instance.config.limits.connection.body_time;
        let holding = self.instance.admission.bodies.hold(self.front.client);
        let mut body = body.streamed(time, holding);
        let edit = self.edit(&subject, &method, &mut head.headers, &mut body);
        let edit = edit.await?;
        let wanted = read_ahead(Wanted::read(&method, &subject, &mut body)).await?;
        let tags_for = self.tags_for(&subject, &subject.path).await;
        let may_have_tag = tags_for.is_some() && method == Method::GET;
        if wanted.is_some() || may_have_tag {
            let plain = HeaderValue::from_static("identity");
            head.headers.insert(header::ACCEPT_ENCODING, plain);
        }
        read_ahead(body.measure(MEASURED)).await?;
        let body = match edit.as_ref().and_then(Edit::body) {
            Some(instead) => instead,
            None => body.map_err(Into::into).boxed_unsync(),
        };
        let answer = self.ask(Request::from_parts(head, body));
        let mut answer = answer.await.map_err(|none| none.response())?;
        if tags_for.is_some() {
            answer.headers_mut().remove(SCHEDULE_TAG);
        }
        let status = answer.status();
        // Others are answered to anybody, by this or that server.
        let is_taken = status == StatusCode::MULTI_STATUS
            || (status.is_success() && !subject.changes.is_empty());
        // And a calendar of everybody's may be read under any password.
        subject.is_accepted = is_taken && (!subject.is_basic() || self.is_proved(&subject).await);
        self.note(&subject, status);
        if is_well_known && is_nothing(status) {
            return Ok(self.to_root());
        }
        let mut response = match wanted {
            Some(wanted) => self.amended(&subject, &wanted, answer).await?,
            None => match &tags_for {
                Some(home) if method == Method::GET => self.tagged(home, answer).await?,
                Some(home) if method == Method::HEAD => {
                    self.tagged_alone(&subject, home, answer).await
                }
                _ => self.passed_on(answer),
            },
        };
        match edit {
            Some(edit) => self.edited(edit, &subject, &came, &mut response).await,
            None => self.tell(&subject, response.status()).await,
        }
        self.announce(&subject, &mut response).await;
        Ok(response)
    }

    /// An answer of the server as the client gets it.
    pub(super) fn passed_on(&self, answer: http::Response<Answer>) -> Response {
        let (head, body) = answer.into_parts();
        self.turned_back(head, body.payload())
    }

    /// The head of an answer of the server as the client gets it, with this body.
    pub(super) fn turned_back(&self, mut head: response::Parts, body: Payload) -> Response {
        upstream::to_client(&mut head.headers, head.status);
        self.turn_back(&mut head.headers);
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }

    pub(super) fn subject(&self, request: &Request<Body>) -> Result<Subject, Refused> {
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
            let is_there = upstream::is_within(path, &self.upstream.server.path);
            if !is_there || upstream::is_own(path) {
                return Err(StatusCode::FORBIDDEN.into());
            }
            if matches!(method.as_str(), "MOVE" | "COPY") {
                changes.push(path.to_owned());
            }
        }
        Ok(Subject {
            path: request.uri().path().to_owned(),
            target: (request.uri().path_and_query()).map_or_else(String::new, ToString::to_string),
            is_accepted: false,
            principal: OnceCell::new(),
            refused: OnceLock::new(),
            claim: self.claim.clone(),
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

/// A part of the request that is read before it is passed on.
pub(super) async fn read_ahead<T>(
    reading: impl Future<Output = Result<T, BodyError>>,
) -> Result<T, Refused> {
    let read = reading.await;
    read.map_err(|error| NoAnswer::from(error).response().into())
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

fn front(upstream: &Upstream, arrival: &Arrival, request: &Request<Body>) -> Front {
    let field = request.headers().get(header::HOST);
    let host = field.and_then(|it| it.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    Front {
        scheme: if arrival.is_tls { "https" } else { "http" },
        // RFC 9112 §3.2: only HTTP/1.0 may leave it out.
        host: host.map_or_else(|| upstream.server.authority(), str::to_owned),
        client: arrival.address.ip(),
    }
}
