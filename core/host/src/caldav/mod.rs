//! The caldav listener: the stores, served to the calendar programs of our own people (RFC 4791).
//!
//! | module | what it does |
//! | --- | --- |
//! | `session` | whose calendar it is: the user, the store, the zone, where it changes |
//! | `properties` | the properties of each resource |
//! | `dead` | properties that programs set |
//! | `fields` | header fields that are refused |
//! | `find` | PROPFIND and PROPPATCH |
//! | `reports` | REPORT: calendar-query, calendar-multiget, sync-collection, free-busy-query |
//! | `principals` | REPORT: searching for principals (RFC 3744 §9.4) |
//! | `objects` | GET, PUT and DELETE of objects |
//! | `names` | what objects are called in paths |
//! | `view` | what was worked out of a calendar's objects, so that few are read |
//! | `tokens` | sync-tokens |
//! | `schedule` | what is written is judged before, and told at once (RFC 6638 §3.2) |
//! | `outbox` | questions about busy time (RFC 6638 §5) |
//! | `reply` | responses, and why a request is refused |
//! | `upstream` | instead of all that: in front of a CalDAV server |
//!
//! Always true: a user sees the own resources alone, and whatever else is named is not there; nothing is asked of a store
//! before somebody has logged in; what is answered with success is on disk. A request that a web page of somebody else made a
//! browser send is refused by its Origin.
//!
//! Not done yet: messages in the inbox (it is there, and empty), MOVE and COPY, busy time by URL.

mod dead;
mod fields;
mod find;
mod names;
mod objects;
mod outbox;
mod principals;
mod properties;
mod reply;
mod reports;
mod schedule;
mod session;
mod tokens;
mod upstream;
mod view;

use crate::{
    answer::{empty, retry_later},
    instance::Instance,
    login::{Denied, Submitter},
};
use convoke_caldav::{path::Resource, precondition::Precondition};
use convoke_net::http_server::{Arrival, Body, Response};
use convoke_plugin_host::origin::Origin;
use convoke_types::{CalendarAddress, Proof};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use reply::Refused;
use session::{Missing, Session};
use std::sync::Arc;

/// What `DAV:` says.
const CLASSES: HeaderValue = HeaderValue::from_static("1, 3, calendar-access");
/// The same for whom we schedule (RFC 6638 §2).
const SCHEDULING: HeaderValue =
    HeaderValue::from_static("1, 3, calendar-access, calendar-auto-schedule");
/// How programs are told that we schedule.
const SCHEDULING_CLASS: &str = "calendar-auto-schedule";
const METHODS: &str = "OPTIONS, GET, HEAD, PUT, DELETE, POST, PROPFIND, PROPPATCH, REPORT";
/// One realm for the whole listener: programs drop a password that they are asked for twice.
const CHALLENGE: &str = "Basic realm=\"Convoke\", charset=\"UTF-8\"";

/// Answers one request.
pub async fn handle(
    instance: &Arc<Instance>,
    arrival: &Arrival,
    request: Request<Body>,
) -> Response {
    if fields::are_ambiguous(request.headers()) {
        return empty(StatusCode::BAD_REQUEST, &[]);
    }
    if let Some(upstream) = &instance.upstream {
        return upstream::handle(instance, upstream, arrival, request).await;
    }
    let answered = answer(instance, arrival, request).await;
    let mut response = answered.unwrap_or_else(Refused::response);
    let headers = response.headers_mut();
    headers.entry("dav").or_insert(CLASSES);
    // What others have written into a calendar is no page of ours.
    headers
        .entry(header::X_CONTENT_TYPE_OPTIONS)
        .or_insert(HeaderValue::from_static("nosniff"));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("private, no-cache"));
    response
}

async fn answer(
    instance: &Arc<Instance>,
    arrival: &Arrival,
    request: Request<Body>,
) -> Result<Response, Refused> {
    if is_foreign(request.uri(), request.headers()) {
        return Err(StatusCode::FORBIDDEN.into());
    }
    let resource = Resource::parse(request.uri().path());
    if resource == Some(Resource::WellKnown) {
        return Ok(to_root());
    }
    let address = log_in(instance, arrival, request.headers()).await?;
    let origin = Origin::of(&address, &[Proof::Submission(address.clone())]);
    origin
        .ask(async {
            let missing = preferred(request.headers());
            let session = Session::of(instance, address, arrival, missing).await?;
            let answered = answer_own(&session, resource, request).await;
            let mut response = answered.unwrap_or_else(Refused::response);
            if schedule::is_on(&session) {
                response.headers_mut().insert("dav", SCHEDULING);
            }
            if missing == Missing::LeftOut && response.status() == StatusCode::MULTI_STATUS {
                let headers = response.headers_mut();
                headers.insert("preference-applied", HeaderValue::from_static(MINIMAL));
            }
            Ok(response)
        })
        .await
}

/// Answers somebody who logged in.
async fn answer_own(
    session: &Session<'_>,
    resource: Option<Resource>,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let method = request.method().as_str().to_owned();
    if method == "OPTIONS" {
        return Ok(empty(StatusCode::OK, &[("allow", METHODS)]));
    }
    if method == "MKCALENDAR" || method == "MKCOL" {
        // There is one calendar a user.
        return Err(Precondition::CalendarCollectionLocationOk.into());
    }
    fields::check_body(&request)?;
    let resource = resource.filter(|it| session.owns(it));
    let resource = resource.ok_or(StatusCode::NOT_FOUND)?;
    match (&*method, &resource) {
        ("PROPFIND", _) => find::propfind(session, &resource, request).await,
        ("PROPPATCH", _) => find::proppatch(session, &resource, request).await,
        ("REPORT", _) => reports::report(session, &resource, request).await,
        ("GET" | "HEAD", Resource::Object(_, name)) => objects::get(session, name, &request).await,
        ("PUT", Resource::Object(_, name)) => objects::put(session, name, request).await,
        ("DELETE", Resource::Object(_, name)) => objects::delete(session, name, &request).await,
        ("POST", Resource::Outbox(_)) => outbox::post(session, request).await,
        // RFC 4918 §9.6.1: who may not remove a collection is told so.
        ("DELETE", _) => Err(StatusCode::FORBIDDEN.into()),
        _ => Ok(empty(StatusCode::METHOD_NOT_ALLOWED, &[("allow", METHODS)])),
    }
}

const MINIMAL: &str = "return=minimal";

/// RFC 7240 §4.2.
fn preferred(headers: &HeaderMap) -> Missing {
    let values = headers.get_all("prefer").iter();
    let mut wishes = values.flat_map(|it| it.to_str().unwrap_or_default().split(','));
    if wishes.any(|it| it.trim().eq_ignore_ascii_case(MINIMAL)) {
        Missing::LeftOut
    } else {
        Missing::Named
    }
}

/// RFC 6764 §5: nobody needs to have logged in.
fn to_root() -> Response {
    empty(StatusCode::MOVED_PERMANENTLY, &[("location", "/")])
}

/// Who logs in, with a password. A service of this host is no calendar user.
async fn log_in(
    instance: &Instance,
    arrival: &Arrival,
    headers: &HeaderMap,
) -> Result<CalendarAddress, Refused> {
    let users = &instance.caldav_users;
    match users.identify(headers, arrival.address.ip()).await {
        Ok(Submitter::User(address)) => Ok(address),
        Err(Denied::RetryAfter(wait)) => Err(retry_later(&wait).into()),
        Ok(Submitter::Local) | Err(Denied::Unauthorized) => {
            Err(empty(StatusCode::UNAUTHORIZED, &[("www-authenticate", CHALLENGE)]).into())
        }
    }
}

/// Whether a browser says that a page from elsewhere makes the request: it may send a password that it remembers.
fn is_foreign(uri: &Uri, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return false;
    };
    let host = (uri.authority().map(|it| it.as_str().as_bytes()))
        .or_else(|| headers.get(header::HOST).map(HeaderValue::as_bytes));
    let origin = origin.as_bytes();
    let origin = (origin.strip_prefix(b"https://")).or_else(|| origin.strip_prefix(b"http://"));
    match (origin, host) {
        (Some(origin), Some(host)) => !origin.eq_ignore_ascii_case(host),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_a_page_from_elsewhere_makes_are_told_apart() {
        for (origin, host, expected) in [
            (None, "cal.example.org", false),
            (Some("https://cal.example.org"), "cal.example.org", false),
            (
                Some("https://CAL.example.org:8444"),
                "cal.example.org:8444",
                false,
            ),
            (
                Some("https://cal.example.org"),
                "cal.example.org:8444",
                true,
            ),
            (Some("https://evil.example"), "cal.example.org", true),
            (Some("null"), "cal.example.org", true),
            (Some(""), "cal.example.org", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            let uri = "/".parse().unwrap();
            assert_eq!(is_foreign(&uri, &headers), expected, "{origin:?} {host}");
        }
    }
}
