//! What the server behind us has not: each user's inbox and outbox, the page for people, and busy time by URL. Who may ask for
//! them is who the server lets in.

use super::{forward::Forwarding, looks, who::Caller};
use crate::{
    answer::empty,
    caldav::{
        MINIMAL, SCHEDULING, busy_url, fields, find, guarded, inbox, outbox, page, preferred,
        reply::Refused,
        reports,
        session::{Missing, Place, Session},
    },
    site::Site,
    upstream,
};
use convoke_caldav::path::{Resource, free_busy};
use convoke_net::http_server::{Body, Response};
use convoke_plugin_host::origin::Origin;
use convoke_types::{CalendarAddress, Proof};
use http::{HeaderValue, Method, Request, StatusCode};

const METHODS: &str = "OPTIONS, GET, HEAD, DELETE, PROPFIND, REPORT, POST";

/// Whose busy time a URL is about: that of one of our own people, which no CalDAV server has at this path.
pub(super) fn busy_of(forwarding: &Forwarding<'_>, request: &Request<Body>) -> Option<String> {
    let whose = free_busy(request.uri().path())?;
    let address = CalendarAddress::new(&whose).ok()?;
    let domain = address.domain().ok()?;
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    (is_read && forwarding.instance.config.is_ours(domain)).then_some(whose)
}

/// Tells when somebody is busy, to who logs in at the server or to anybody, as policies have it.
pub(super) async fn busy(
    forwarding: &Forwarding<'_>,
    request: Request<Body>,
    whose: &str,
) -> Result<Response, Refused> {
    refuse_foreign(forwarding, &request)?;
    let subject = forwarding.subject(&request)?;
    forwarding.admit(&subject)?;
    let caller = || forwarding.caller(&subject, request.method(), &subject.target);
    let asks = match subject.credentials {
        Some(_) => Some(caller().await?.home.into_user().address),
        None => None,
    };
    let is_anonymous = asks.is_none();
    let (instance, arrival) = (forwarding.instance, forwarding.arrival);
    let answered = busy_url::answer(instance, arrival, &request, whose, asks).await;
    let response = answered.unwrap_or_else(Refused::response);
    if is_anonymous && response.status() == StatusCode::UNAUTHORIZED {
        // It is the server that asks for a log-in here.
        caller().await?;
    }
    Ok(guarded(response))
}

/// Answers a request for something below our path.
pub(super) async fn answer(
    forwarding: &Forwarding<'_>,
    request: Request<Body>,
) -> Result<Response, Refused> {
    refuse_foreign(forwarding, &request)?;
    let method = request.method().clone();
    let target = request.uri().path().to_owned();
    if target == upstream::PAGE.trim_end_matches('/') {
        let page = [("location", upstream::PAGE)];
        return Ok(empty(StatusCode::MOVED_PERMANENTLY, &page));
    }
    if target.strip_prefix(upstream::PAGE) == Some(page::STYLE) && method == Method::GET {
        return Ok(guarded(page::style()));
    }
    let subject = forwarding.subject(&request)?;
    forwarding.admit(&subject)?;
    let caller = forwarding.caller(&subject, &method, &subject.target);
    let Caller { principal, home } = caller.await?;
    let missing = preferred(request.headers());
    let session = Session {
        instance: forwarding.instance,
        arrival: forwarding.arrival,
        home,
        missing,
        place: Place::Beside {
            principal,
            login: subject.claim.as_ref().map(|it| it.login.clone()),
        },
    };
    let is_told = looks::is_told(forwarding.instance, &session.home);
    let resource = upstream::own(&target).filter(|it| session.owns(it));
    let resource = resource.filter(|it| is_told || *it == Resource::Root);
    let resource = resource.ok_or(StatusCode::NOT_FOUND)?;
    let address = session.user().address.clone();
    let origin = Origin::of(&address, &[Proof::Submission(address.clone())]);
    let answered = origin.ask(of_user(&session, &resource, request)).await;
    let mut response = guarded(answered.unwrap_or_else(Refused::response));
    if is_told {
        response.headers_mut().insert("dav", SCHEDULING);
    }
    let is_short = missing == Missing::LeftOut && response.status() == StatusCode::MULTI_STATUS;
    if is_short {
        let minimal = HeaderValue::from_static(MINIMAL);
        response.headers_mut().insert("preference-applied", minimal);
    }
    Ok(response)
}

/// Answers somebody whom the server let in.
async fn of_user(
    session: &Session<'_>,
    resource: &Resource,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let method = request.method().as_str().to_owned();
    if method == "OPTIONS" {
        return Ok(empty(StatusCode::OK, &[("allow", METHODS)]));
    }
    fields::check_body(&request)?;
    match (&*method, resource) {
        ("GET" | "HEAD", Resource::Root) => page::show(session, &request).await,
        ("POST", Resource::Root) => page::decide(session, request).await,
        ("GET" | "HEAD", Resource::Message(_, name)) => inbox::get(session, name, &request).await,
        ("DELETE", Resource::Message(_, name)) => inbox::delete(session, name, &request).await,
        ("POST", Resource::Outbox(_)) => outbox::post(session, request).await,
        // The root is no collection of the server's.
        ("PROPFIND" | "REPORT", Resource::Root) => Err(StatusCode::NOT_FOUND.into()),
        ("PROPFIND", _) => find::propfind(session, resource, request).await,
        ("REPORT", _) => reports::report(session, resource, request).await,
        ("DELETE" | "PROPPATCH" | "MOVE" | "COPY" | "PUT", _) => Err(StatusCode::FORBIDDEN.into()),
        _ => Ok(empty(StatusCode::METHOD_NOT_ALLOWED, &[("allow", METHODS)])),
    }
}

fn refuse_foreign(forwarding: &Forwarding<'_>, request: &Request<Body>) -> Result<(), Refused> {
    let site = Site::of(forwarding.arrival, request.uri(), request.headers());
    if site.is_foreign(request.headers()) {
        return Err(StatusCode::FORBIDDEN.into());
    }
    Ok(())
}
