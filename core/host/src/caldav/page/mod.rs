//! The page for people: what a browser shows at the root of the listener to who logs in; or at `/.convoke/`, where a CalDAV server
//! has the root.
//!
//! | module | what it does |
//! | --- | --- |
//! | `found` | what is shown: read from the store, the inbox and the queue |
//! | `html` | the document |
//! | `form` | what a form of it says |
//!
//! The document is made whole by the server, and does without scripts. Browsers send a password that they remember by themselves:
//! so what changes something comes by a form of this page, with a token that other pages do not know.

mod form;
mod found;
mod html;

use super::{
    reply::{Refused, received, whole},
    session::Session,
};
use crate::{
    answer::{
        empty,
        page::{self, HTML},
    },
    site::Site,
};
use convoke_caldav::path::Resource;
use convoke_net::http_server::{Body, Response};
use convoke_scheduling::{NotDecided, Unbounded};
use convoke_types::{ErrorKind, MessageId};
use found::Found;
use http::{HeaderValue, Request, StatusCode, header};

/// Where the style of the page is, beside it. It says nothing of anybody.
pub(super) const STYLE: &str = "page.css";
const CSS: &str = concat!(
    include_str!("page.css"),
    include_str!("../../busy_picture/style.css")
);

/// The style, for anybody.
pub(super) fn style() -> Response {
    page::style(CSS)
}

/// What came of a decision, as the page says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Accepted,
    Declined,
    /// Somebody else was faster, or it was withdrawn.
    Gone,
}

impl Done {
    const ALL: [Self; 3] = [Self::Accepted, Self::Declined, Self::Gone];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Gone => "gone",
        }
    }

    /// What a query of the page says.
    fn of(query: Option<&str>) -> Option<Self> {
        let said = query?.strip_prefix("done=")?;
        Self::ALL.into_iter().find(|it| it.as_str() == said)
    }
}

/// The page of the user.
pub(super) async fn show(
    session: &Session<'_>,
    request: &Request<Body>,
) -> Result<Response, Refused> {
    let done = Done::of(request.uri().query());
    let site = Site::of(session.arrival, request.uri(), request.headers());
    document(session, &site, StatusCode::OK, done.map(html::words_of)).await
}

/// A form of the page: what waits is accepted or declined.
pub(super) async fn decide(
    session: &Session<'_>,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let (parts, body) = request.into_parts();
    let site = Site::of(session.arrival, &parts.uri, &parts.headers);
    if !site.sends(&parts.headers) {
        return Err(StatusCode::FORBIDDEN.into());
    }
    let received = received(session, body).await?;
    let form = form::Form::read(&received.content);
    let secret = &session.instance.shared.form_secret;
    if !secret.made(session.user().address.as_str(), &form.token) {
        let text = "This page was open for too long. Nothing was done; please try again.";
        return document(session, &site, StatusCode::FORBIDDEN, Some(text)).await;
    }
    let Some(decision) = form.decision else {
        return Err(StatusCode::BAD_REQUEST.into());
    };
    let id = MessageId::new(form.id.as_str()).map_err(|_| StatusCode::BAD_REQUEST)?;
    let (scheduler, home) = (&session.instance.scheduler, &session.home);
    let decided = match decision {
        form::Decision::Accept => scheduler.accept(home, &id, None, &Unbounded).await,
        form::Decision::Decline => scheduler.decline(home, &id, None, &Unbounded).await,
    };
    let done = match (decided, decision) {
        (Ok(_), form::Decision::Accept) => Done::Accepted,
        (Ok(_), form::Decision::Decline) => Done::Declined,
        (Err(NotDecided::Store(error)), _) if error.kind() == ErrorKind::NotFound => Done::Gone,
        (Err(error), _) => {
            tracing::info!(event = "inbox-not-decided", user = %session.user().address, "by the page: {error}");
            let text = format!("Nothing was done: {error}. The message waits still.");
            return document(session, &site, StatusCode::CONFLICT, Some(&text)).await;
        }
    };
    // So that to load the page again decides nothing again.
    let mut response = empty(StatusCode::SEE_OTHER, &[]);
    let root = session.path(&Resource::Root);
    let place = HeaderValue::from_str(&format!("{root}?done={}", done.as_str()));
    let place = place.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    response.headers_mut().insert(header::LOCATION, place);
    Ok(response)
}

async fn document(
    session: &Session<'_>,
    site: &Site<'_>,
    status: StatusCode,
    notice: Option<&str>,
) -> Result<Response, Refused> {
    let found = Found::read(session).await?;
    let token = session
        .instance
        .shared
        .form_secret
        .token(session.user().address.as_str());
    let text = html::page(session, site, &found, &token, notice);
    let response = whole(session, status, HTML, text.into_bytes().into()).await?;
    Ok(page::guarded(response))
}
