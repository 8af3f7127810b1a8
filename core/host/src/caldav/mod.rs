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
//! | `conditions` | what a program wants to be true before |
//! | `relocate` | MOVE and COPY of objects |
//! | `names` | what objects are called in paths |
//! | `renames` | that objects had other names |
//! | `view` | what was worked out of a calendar's objects, so that few are read |
//! | `tokens` | sync-tokens |
//! | `schedule` | what is written is judged before, and told at once (RFC 6638 §3.2) |
//! | `outbox` | questions about busy time (RFC 6638 §5) |
//! | `inbox` | messages as they came (RFC 6638 §2.2) |
//! | `busy_url` | busy time by URL, for who may know |
//! | `page` | the page for people, at the root |
//! | `reply` | responses, and why a request is refused |
//! | `upstream` | instead of all that: in front of a CalDAV server |
//!
//! Always true: a user sees the own resources alone, and whatever else is named is not there; nothing is asked of a store
//! before somebody has logged in, or a policy lets anybody know; what is answered with success is on disk. A request that a web
//! page of somebody else made a browser send is refused by its Origin.

mod busy_url;
mod conditions;
mod dead;
mod fields;
mod find;
mod inbox;
mod names;
mod objects;
mod outbox;
mod page;
mod principals;
mod properties;
mod relocate;
mod renames;
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
    site::Site,
};
use convoke_caldav::{
    path::{self, Resource},
    precondition::Precondition,
};
use convoke_net::http_server::{Arrival, Body, Response};
use convoke_plugin_host::origin::Origin;
use convoke_types::{CalendarAddress, Proof};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
pub(crate) use names::kept_of;
pub(crate) use renames::forget_tokens;
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
const METHODS: &str =
    "OPTIONS, GET, HEAD, PUT, DELETE, MOVE, COPY, POST, PROPFIND, PROPPATCH, REPORT";
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
    let mut response = guarded(answered.unwrap_or_else(Refused::response));
    response.headers_mut().entry("dav").or_insert(CLASSES);
    response
}

/// An answer of ours as browsers are to take it.
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
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
    let headers = request.headers();
    if Site::of(arrival, request.uri(), headers).is_foreign(headers) {
        return Err(StatusCode::FORBIDDEN.into());
    }
    if let Some(whose) = path::free_busy(request.uri().path()) {
        let asks = if request.headers().contains_key(header::AUTHORIZATION) {
            Some(log_in(instance, arrival, request.headers()).await?)
        } else {
            None
        };
        return busy_url::answer(instance, arrival, &request, &whose, asks).await;
    }
    let style = request.uri().path().strip_prefix('/');
    if style == Some(page::STYLE) && request.method() == Method::GET {
        return Ok(page::style());
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
        ("GET" | "HEAD", Resource::Message(_, name)) => inbox::get(session, name, &request).await,
        ("DELETE", Resource::Message(_, name)) => inbox::delete(session, name, &request).await,
        ("GET" | "HEAD", Resource::Root) => page::show(session, &request).await,
        ("POST", Resource::Root) => page::decide(session, request).await,
        ("PUT", Resource::Object(_, name)) => objects::put(session, name, request).await,
        ("DELETE", Resource::Object(_, name)) => objects::delete(session, name, &request).await,
        ("MOVE" | "COPY", Resource::Object(_, name)) => {
            relocate::relocate(session, name, &request).await
        }
        ("POST", Resource::Outbox(_)) => outbox::post(session, request).await,
        // RFC 4918 §9.6.1: who may not remove a collection is told so.
        ("DELETE" | "MOVE" | "COPY", _) => Err(StatusCode::FORBIDDEN.into()),
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
        Ok(Submitter::Local) | Err(Denied::Unauthorized) => Err(challenge()),
    }
}

fn challenge() -> Refused {
    empty(StatusCode::UNAUTHORIZED, &[("www-authenticate", CHALLENGE)]).into()
}
