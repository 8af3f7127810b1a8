//! The console: pages for administrators on the admin listener, and the admin API there.
//!
//! | module | what it does |
//! | --- | --- |
//! | `access` | who is let in |
//! | `page` | what all pages have |
//! | `overview` | how the host is |
//! | `queue` | what waits to be delivered, to be tried, dropped and released |
//! | `inbox` | for whom something waits to be decided |
//! | `decisions` | what was decided, by address, UID or message |
//! | `peers` | who came lately |
//! | `busy` | two weeks of a user's busy time |
//! | `probe` | what another domain's receiver is like |
//! | `log` | the last lines of the log |
//! | `form` | what forms say, and whether they are ours |
//!
//! Pages are made whole by the server and do without scripts. They show what the admin API answers ([`crate::admin`]) and
//! nothing else; nothing of titles or places is among it. What changes something comes by a form of these pages, with a token
//! that other pages do not know, or by the API, which browsers let other pages ask for nothing.

mod access;
mod busy;
mod decisions;
mod form;
mod inbox;
mod log;
mod overview;
mod page;
mod peers;
mod probe;
mod queue;

use crate::{
    admin,
    answer::{AnswerRoom, empty, json, page::guarded, retry_later},
    instance::Instance,
    login::Denied,
    receiver::posted,
};
use access::Administrator;
use bytes::Bytes;
use convoke_net::http_server::{Arrival, Body, Response};
use convoke_types::Error;
use http::{Method, Request, StatusCode, header, request::Parts};

/// Where the console is.
const ROOT: &str = "/console/";
/// Where the admin API is.
const API: &str = "/v1/";

/// What is not answered as a page or a document.
type Answered = Result<Response, Response>;

/// Whether a path is the console's or the API's.
pub(crate) fn has(path: &str) -> bool {
    path == "/" || path == "/console" || path.starts_with(ROOT) || path.starts_with(API)
}

/// Answers a request to one of its paths.
pub(crate) async fn handle(
    instance: &Instance,
    arrival: &Arrival,
    request: Request<Body>,
) -> Response {
    match request.uri().path() {
        "/" | "/console" => empty(StatusCode::SEE_OTHER, &[("location", ROOT)]),
        // It says nothing of anybody.
        "/console/style.css" => page::style(),
        _ => match answer(instance, arrival, request).await {
            Ok(response) | Err(response) => guarded(response),
        },
    }
}

async fn answer(instance: &Instance, arrival: &Arrival, request: Request<Body>) -> Answered {
    let (parts, body) = request.into_parts();
    let who = access::let_in(instance, arrival, &parts.headers).await;
    let who = who.map_err(|denied| match denied {
        access::Refused::Denied(Denied::RetryAfter(wait)) => retry_later(&wait),
        access::Refused::Denied(Denied::Unauthorized) => page::log_in(),
        access::Refused::InTheClear => page::in_the_clear(),
    })?;
    match parts.uri.path().strip_prefix(API) {
        Some(method) => api(instance, arrival, (&who, method), &parts, body).await,
        None if parts.method == Method::POST => {
            submitted(instance, arrival, &who, &parts, body).await
        }
        None if matches!(parts.method, Method::GET | Method::HEAD) => {
            shown(instance, &who, &parts).await
        }
        None => Err(empty(
            StatusCode::METHOD_NOT_ALLOWED,
            &[("allow", "GET, HEAD, POST")],
        )),
    }
}

async fn shown(instance: &Instance, who: &Administrator, parts: &Parts) -> Answered {
    let query = parts.uri.query().unwrap_or_default();
    let page = match parts.uri.path() {
        ROOT => overview::page(instance).await,
        "/console/queue" => queue::page(instance, who, query).await,
        "/console/inbox" => inbox::page(instance, query).await,
        "/console/decisions" => decisions::page(instance, query).await,
        "/console/peers" => peers::page(instance).await,
        "/console/busy" => busy::page(instance, query).await,
        "/console/probe" => Ok(probe::page(instance, who)),
        "/console/log" => log::page(instance, query).await,
        _ => return Err(empty(StatusCode::NOT_FOUND, &[])),
    };
    Ok(page.map_or_else(|error| page::failed(&error), page::Page::answer))
}

/// A form of ours.
async fn submitted(
    instance: &Instance,
    arrival: &Arrival,
    who: &Administrator,
    parts: &Parts,
    body: Body,
) -> Answered {
    if !form::is_ours(arrival, parts) {
        return Err(empty(StatusCode::FORBIDDEN, &[]));
    }
    let (body, _holding) = posted::read_whole(instance, arrival, &parts.headers, body).await?;
    let form = form::Form::read(&body);
    let secret = &instance.shared.form_secret;
    if !secret.made(&who.key(), form.get("token")) {
        return Err(page::too_old());
    }
    let said = |name: &str| Some(form.get(name)).filter(|it| !it.is_empty());
    tracing::info!(
        event = "console-used", %who, path = parts.uri.path(), what = form.get("do"),
        id = said("id"), domain = said("domain"),
        "an administrator has something done"
    );
    match parts.uri.path() {
        "/console/queue" => Ok(queue::done(instance, &form).await),
        "/console/probe" => Ok(probe::done(instance, who, &form).await),
        _ => Err(empty(StatusCode::NOT_FOUND, &[])),
    }
}

/// A method of the admin API. Other pages cannot send JSON with a password that the browser remembers.
async fn api(
    instance: &Instance,
    arrival: &Arrival,
    (who, method): (&Administrator, &str),
    parts: &Parts,
    body: Body,
) -> Answered {
    if parts.method != Method::POST {
        return Err(empty(StatusCode::METHOD_NOT_ALLOWED, &[("allow", "POST")]));
    }
    let kind = parts.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(empty(StatusCode::UNSUPPORTED_MEDIA_TYPE, &[]));
    }
    let (body, _holding) = posted::read_whole(instance, arrival, &parts.headers, body).await?;
    let called = admin::call(instance, method, &body).await;
    if let Some(done) = &called
        && admin::is_doing(method)
    {
        let error = done.as_ref().err().map(tracing::field::display);
        tracing::info!(
            event = "admin-api-used", %who, method, about = admin::about(&body), error,
            "an administrator has something done"
        );
    }
    let called = called.unwrap_or_else(|| {
        Err(Error::unsupported(format!(
            "{method} is no method of this host; is it of another version?"
        )))
    });
    let (status, document) = match called {
        Ok(document) => (StatusCode::OK, document),
        Err(error) => {
            let document = serde_json::to_vec(&error).unwrap_or_default();
            (admin::status_of(error.kind()), document)
        }
    };
    let room = AnswerRoom::new(&instance.admission, arrival.address.ip());
    Ok(json(arrival, room, status, Bytes::from(document)).await)
}
