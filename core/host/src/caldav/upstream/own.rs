//! Each user's inbox and outbox, which the server behind us has not: who may ask for them is who the server lets in.

use super::{
    forward::Forwarding,
    looks,
    who::{CURRENT_PRINCIPAL, Caller},
};
use crate::{
    answer::empty,
    caldav::{
        MINIMAL, SCHEDULING, outbox, preferred,
        properties::{self, Subject},
        reply::{Answers, Refused, document},
        session::{Missing, Session},
        site::Site,
    },
    upstream,
};
use convoke_caldav::{
    multistatus::{About, Answer},
    path::Resource,
    precondition::Precondition,
    request::{self, Properties},
    xml::{CALDAV, DAV, Element, Name},
};
use convoke_net::http_server::{Body, Response};
use convoke_plugin_host::origin::Origin;
use convoke_scheduling::Home;
use convoke_types::{CalendarAddress, Proof};
use http::{HeaderValue, Request, StatusCode};

const OWNER: Name = Name::new(DAV, "owner");
/// What the server has, if somebody has.
const THEIRS: [Name; 2] = [
    Name::new(DAV, "principal-collection-set"),
    Name::new(CALDAV, "schedule-default-calendar-URL"),
];
const METHODS: &str = "OPTIONS, PROPFIND, POST";

/// Answers a request for something of ours.
pub(super) async fn answer(
    forwarding: &Forwarding<'_>,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let site = Site::of(forwarding.instance, request.uri(), request.headers());
    if site.is_foreign(request.headers()) {
        return Err(StatusCode::FORBIDDEN.into());
    }
    let method = request.method().clone();
    let target = request.uri().path().to_owned();
    let subject = forwarding.subject(&request)?;
    forwarding.admit(&subject)?;
    let Caller { principal, home } = forwarding.caller(&subject, &method, &target).await?;
    let resource = upstream::own(&target).filter(|it| {
        let owner = it.owner().map(CalendarAddress::new);
        owner.is_some_and(|it| it.is_ok_and(|it| home.user().answers_to(&it)))
    });
    let resource = resource.filter(|_| looks::is_told(forwarding.instance, &home));
    let resource = resource.ok_or(StatusCode::NOT_FOUND)?;
    let address = home.user().address.clone();
    let missing = preferred(request.headers());
    let session = Session {
        instance: forwarding.instance,
        arrival: forwarding.arrival,
        home,
        missing,
    };
    let origin = Origin::of(&address, &[Proof::Submission(address.clone())]);
    let answered = origin.ask(async {
        match (method.as_str(), &resource) {
            ("OPTIONS", _) => Ok(empty(StatusCode::OK, &[("allow", METHODS)])),
            ("PROPFIND", _) => propfind(&session, &resource, principal.as_deref(), request).await,
            ("POST", Resource::Outbox(_)) => outbox::post(&session, request).await,
            ("REPORT", _) => Err(Precondition::SupportedReport.into()),
            ("DELETE" | "PROPPATCH" | "MOVE" | "COPY" | "PUT", _) => {
                Err(StatusCode::FORBIDDEN.into())
            }
            _ => Ok(empty(StatusCode::METHOD_NOT_ALLOWED, &[("allow", METHODS)])),
        }
    });
    let mut response = answered.await.unwrap_or_else(Refused::response);
    response.headers_mut().insert("dav", SCHEDULING);
    let is_short = missing == Missing::LeftOut && response.status() == StatusCode::MULTI_STATUS;
    if is_short {
        let minimal = HeaderValue::from_static(MINIMAL);
        response.headers_mut().insert("preference-applied", minimal);
    }
    Ok(response)
}

/// The properties of one of ours: there is nothing in it.
async fn propfind(
    session: &Session<'_>,
    resource: &Resource,
    principal: Option<&str>,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let document = document(session, request).await?;
    let asked = request::propfind(document.as_ref().map(|it| &it.content))?;
    let subject = Subject {
        resource: resource.clone(),
        sync_token: None,
        dead: &[],
        object: None,
    };
    let answer = properties::answer(session, &subject, &asked);
    let mut answers = Answers::new(session);
    answers
        .push(as_theirs(answer, resource, principal, &asked))
        .await?;
    answers.finish(None).await
}

/// The same on a server that has principals and calendars of its own.
fn as_theirs(
    answer: Answer,
    resource: &Resource,
    principal: Option<&str>,
    asked: &Properties,
) -> Answer {
    let About::Properties { found, mut missing } = answer.about else {
        return answer;
    };
    let (mut kept, is_named) = (Vec::new(), matches!(asked, Properties::Some(_)));
    for mut property in found {
        let is_principal = property.name == OWNER || property.name == CURRENT_PRINCIPAL;
        let is_unknown = THEIRS.contains(&property.name) || (is_principal && principal.is_none());
        if is_unknown {
            if is_named {
                missing.push((property.name, 404));
            }
            continue;
        }
        if let (true, Some(principal), false) =
            (is_principal, principal, property.children.is_empty())
        {
            property.children = vec![Element::href(principal)];
        }
        kept.push(property);
    }
    Answer {
        href: upstream::own_path(resource),
        about: About::Properties {
            found: kept,
            missing,
        },
    }
}
