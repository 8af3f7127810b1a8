//! HTTP to one CalDAV server on behalf of one calendar user.
//!
//! Every request has a deadline and a bounded answer; what fails on the way or with a 5xx is tried again a few times
//! (a write only with a precondition, so that a second time does nothing); redirects are followed on the same server,
//! and nowhere else: a password goes to no server that the administrator did not name.

use crate::{
    connect::{Http, is_loopback},
    error::RequestError,
    href::Href,
    login::{Login, Next, Wire},
};
use bytes::Bytes;
use convoke_sdk::{prelude::*, tls};
use flate2::read::GzDecoder;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, ETAG, LOCATION, USER_AGENT,
    },
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use std::{
    fmt::Display,
    io::Read,
    sync::Arc,
    time::{Duration, Instant},
};
use url::Url;

/// An answer larger than this is not read: 100,000 objects in a listing take 30 MB.
const MOST_BYTES: usize = 64 << 20;
/// How often something is sent in all.
const ATTEMPTS: u32 = 3;
/// How long to wait before the second attempt; doubled for the third.
const PAUSE: Duration = Duration::from_millis(50);
/// Redirects, and refusals of a password, of one request.
const MOST_TURNS: u32 = 5;

/// One server, and whose calendars are asked for.
#[derive(Clone)]
pub(crate) struct Server {
    http: Http,
    url: Url,
    /// Of the URL.
    origin: Arc<str>,
    login: Option<Arc<Login>>,
    /// For messages: the calendar user's address.
    whose: String,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: Method,
    href: Href,
    headers: HeaderMap,
    body: Bytes,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Where it came from, after redirects.
    pub(crate) href: Href,
    /// An attempt before this one failed, and may have been carried out all the same.
    pub(crate) is_repeated: bool,
}

impl Request {
    pub(crate) fn new(method: &'static str, href: &Href) -> Self {
        let method = Method::from_bytes(method.as_bytes()).expect("our methods are tokens");
        Self {
            method,
            href: href.clone(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// PROPFIND or REPORT with its XML.
    pub(crate) fn xml(
        method: &'static str,
        href: &Href,
        depth: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        // Not for single objects: what compresses on the way changes their entity tags.
        Self::new(method, href)
            .with(HeaderName::from_static("depth"), depth)
            .with(ACCEPT_ENCODING, "gzip")
            .with(CONTENT_TYPE, "application/xml; charset=utf-8")
            .with_body(body)
    }

    pub(crate) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// `If-Match`: only the version that is known may be replaced.
    pub(crate) fn with_tag(mut self, name: HeaderName, tag: &Etag) -> Self {
        // A tag that is no header value matches nothing, and neither does an empty one.
        let value = HeaderValue::from_str(tag.as_str());
        let value = value.unwrap_or(HeaderValue::from_static("\"\""));
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

impl Answer {
    /// The version of what was written or read, as `If-Match` wants it.
    pub(crate) fn etag(&self) -> Option<Etag> {
        tag(self.headers.get(ETAG)?.to_str().ok()?)
    }

    /// Whether the server announces something in the `DAV` header (RFC 4918 §10.1).
    pub(crate) fn has_feature(&self, feature: &str) -> bool {
        let lines = self.headers.get_all("dav").into_iter();
        let mut features = lines
            .filter_map(|it| it.to_str().ok())
            .flat_map(|it| it.split(','));
        features.any(|it| it.trim().eq_ignore_ascii_case(feature))
    }

    /// The media type, lower-case.
    pub(crate) fn media_type(&self) -> String {
        let value = self.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let text = String::from_utf8_lossy(value.unwrap_or_default());
        let media_type = text.split(';').next().unwrap_or_default();
        media_type.trim().to_ascii_lowercase()
    }
}

/// An entity tag as `If-Match` wants it: what compresses answers makes tags weak, and a weak one never matches
/// (RFC 9110 §13.1.1).
pub(crate) fn tag(text: &str) -> Option<Etag> {
    let text = text.trim();
    Etag::new(text.strip_prefix("W/").unwrap_or(text)).ok()
}

impl Server {
    pub(crate) fn new(http: Http, url: Url, login: Option<Arc<Login>>, whose: String) -> Self {
        Self {
            origin: url.origin().ascii_serialization().into(),
            http,
            url,
            login,
            whose,
        }
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The URL of a resource.
    pub(crate) fn url(&self, href: &Href) -> Url {
        let mut url = self.url.clone();
        url.set_path(href.as_str());
        url.set_query(None);
        url
    }

    /// What the administrator is told when something of this server is wrong: server, user, remedy.
    pub(crate) fn unavailable(&self, what: impl Display) -> Error {
        Error::unavailable(self.about(what))
    }

    pub(crate) fn about(&self, what: impl Display) -> String {
        let Self {
            origin,
            whose,
            login,
            ..
        } = self;
        match login {
            Some(login) => {
                let login = login.username();
                format!("{origin}, for {whose} (login `{login}`): {what}")
            }
            None => format!("{origin}, for {whose}: {what}"),
        }
    }

    /// The error that an answer means which is not what was asked for.
    pub(crate) fn unexpected(&self, request: &Request, answer: &Answer) -> Error {
        let (method, href, status) = (&request.method, &answer.href, answer.status);
        let media_type = answer.media_type();
        let remedy = match status.as_u16() {
            403 => "give the login the right to it".to_owned(),
            404 | 410 => "check `url`, `home` and `calendar` in the configuration".to_owned(),
            405 | 501 => "is it a CalDAV server? Check `url` in the configuration".to_owned(),
            423 => "something has locked it; see the server's log".to_owned(),
            507 => "the server is full; free some space on it".to_owned(),
            _ if media_type == "text/html" => {
                "something else answers, perhaps a login page; check `url` in the configuration"
                    .to_owned()
            }
            _ => "see the server's log".to_owned(),
        };
        self.unavailable(format!(
            "{method} {href} was answered with {status} ({media_type}); {remedy}"
        ))
    }

    /// Sends a request; 5xx and 423 are tried again and then an error, 401 is one, every other status is an answer.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer> {
        let began = Instant::now();
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let sent = tokio::time::timeout(self.http.timeout, self.send_once(request)).await;
            // The caller's time is bounded, too.
            let is_last = attempt == ATTEMPTS || began.elapsed() * 2 > self.http.timeout;
            // Xandikos refuses so who comes while it writes for somebody else; of a lock that stays the server is not down.
            let is_busy = |status| status == StatusCode::LOCKED && !is_last;
            let problem = match sent {
                Ok(Ok(answer)) if is_transient(answer.status) || is_busy(answer.status) => {
                    format!(
                        "it answered {} {} with {}",
                        request.method, request.href, answer.status
                    )
                }
                Ok(Ok(answer)) => {
                    let is_repeated = attempt > 1;
                    return Ok(Answer {
                        is_repeated,
                        ..answer
                    });
                }
                Ok(Err(RequestError::Permanent(error))) => return Err(error),
                Ok(Err(RequestError::Transient(problem))) => problem,
                Err(_) => {
                    let seconds = self.http.timeout.as_secs_f32();
                    format!(
                        "no answer to {} {} within {seconds} s",
                        request.method, request.href
                    )
                }
            };
            if is_last {
                let times = if attempt == 1 {
                    "once"
                } else {
                    "several times"
                };
                self.http.outages.note(&self.origin);
                return Err(self.unavailable(format!(
                    "{problem}, tried {times}; is the server up, and is `url` right?"
                )));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn send_once(&self, request: &Request) -> Result<Answer, RequestError> {
        let mut href = request.href.clone();
        for _ in 0..MOST_TURNS {
            let url = self.url(&href);
            let (response, authorized) = self.exchange(request, &url).await?;
            let status = response.status();
            if !is_transient(status) {
                self.http.outages.over(&self.origin);
            }
            if status == StatusCode::UNAUTHORIZED {
                self.logged_out(response.headers(), authorized).await?;
            } else if is_redirect(status) {
                href = self.redirected(&url, response.headers())?;
            } else {
                let (parts, body) = response.into_parts();
                return Ok(Answer {
                    status,
                    body: self.body(&parts.headers, body).await?,
                    headers: parts.headers,
                    href,
                    is_repeated: false,
                });
            }
        }
        Err(RequestError::Permanent(self.unavailable(format!(
            "{} {} is redirected or refused again and again; check `url` in the configuration",
            request.method, request.href
        ))))
    }

    /// One request and its answer, and whether the request carried a password.
    async fn exchange(
        &self,
        request: &Request,
        url: &Url,
    ) -> Result<(http::Response<hyper::body::Incoming>, bool), RequestError> {
        let mut wire = http::Request::new(Full::new(request.body.clone()));
        *wire.method_mut() = request.method.clone();
        *wire.uri_mut() = url.as_str().parse().map_err(|error| {
            RequestError::Permanent(self.unavailable(format!("{url} cannot be requested: {error}")))
        })?;
        let headers = wire.headers_mut();
        headers.clone_from(&request.headers);
        headers.insert(USER_AGENT, HeaderValue::from_static("Convoke store-caldav"));
        let mut authorized = false;
        if let Some(login) = &self.login {
            let private = url.scheme() == "https" || is_loopback(url);
            let scheme = if private { Wire::Private } else { Wire::Plain };
            let value = login
                .authorization(scheme, &request.method, url.path())
                .await;
            if let Some(value) = value.map_err(|error| self.permanent(&error))? {
                headers.insert(AUTHORIZATION, value);
                authorized = true;
            }
        }
        let response = self.http.client.request(wire).await;
        let response = response.map_err(|error| RequestError::Transient(reason(&error)))?;
        Ok((response, authorized))
    }

    /// `Ok` if there is something new to try after a 401.
    async fn logged_out(&self, headers: &HeaderMap, authorized: bool) -> Result<(), RequestError> {
        let Some(login) = &self.login else {
            return Err(RequestError::Permanent(self.unavailable(
                "it wants a password; give `login` a username and a password_file",
            )));
        };
        let next = login.refused(headers, authorized).await;
        let problem = match next.map_err(|error| self.permanent(&error))? {
            Next::TryAgain => return Ok(()),
            Next::Refused => format!(
                "it refuses the password; put the right one into {}",
                login.file().display()
            ),
            Next::UnknownScheme => {
                "it takes neither Basic nor Digest; have it offer one of them".to_owned()
            }
        };
        Err(RequestError::Permanent(self.unavailable(problem)))
    }

    fn redirected(&self, from: &Url, headers: &HeaderMap) -> Result<Href, RequestError> {
        let location = headers.get(LOCATION).and_then(|it| it.to_str().ok());
        let to = location.and_then(|it| from.join(it).ok());
        let problem = match to {
            Some(to) if to.origin() == self.url.origin() => return Ok(Href::of(&to)),
            Some(to) if to.scheme() != "https" => format!(
                "it redirects to {to}, which is not https, and is not followed; mend the server's own address"
            ),
            Some(to) => format!(
                "it redirects to another server, {to}; write that as `url` if it is the right one"
            ),
            None => "it redirects nowhere; check `url` in the configuration".to_owned(),
        };
        Err(RequestError::Permanent(self.unavailable(problem)))
    }

    async fn body(
        &self,
        headers: &HeaderMap,
        body: hyper::body::Incoming,
    ) -> Result<Bytes, RequestError> {
        let huge = || {
            let most = MOST_BYTES >> 20;
            RequestError::Permanent(
                self.unavailable(format!("an answer of more than {most} MiB is not read")),
            )
        };
        let body = match Limited::new(body, MOST_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(huge()),
            Err(error) => {
                return Err(RequestError::Transient(format!(
                    "its answer broke off: {error}"
                )));
            }
        };
        let encoding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
        if encoding.is_none_or(|it| it.eq_ignore_ascii_case(b"identity")) {
            return Ok(body);
        }
        let mut plain = Vec::new();
        let mut reader = GzDecoder::new(&*body).take(MOST_BYTES as u64 + 1);
        reader.read_to_end(&mut plain).map_err(|error| {
            RequestError::Permanent(self.unavailable(format!(
                "its compressed answer cannot be read ({error}); see the server's log"
            )))
        })?;
        if plain.len() > MOST_BYTES {
            return Err(huge());
        }
        Ok(plain.into())
    }

    fn permanent(&self, error: &Error) -> RequestError {
        RequestError::Permanent(self.unavailable(error))
    }
}

/// Statuses of a server in trouble, which another try may change. 501, 505, 507 and 511 stay.
fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 307 | 308)
}

/// The innermost reason is the one that helps.
fn reason(error: &hyper_util::client::legacy::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    if let Some(words) = tls::in_words(error) {
        return format!("TLS with it fails: {words}");
    }
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let what = if error.is_connect() {
        "it cannot be reached"
    } else {
        "the connection broke"
    };
    format!("{what}: {innermost}")
}
