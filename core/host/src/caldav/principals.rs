//! REPORT: searching for principals (RFC 3744 §9.4, §9.5).
//!
//! Who searches finds themselves, as nobody else's principal is there for them.

use super::{
    properties::{self, ADDRESSES, DISPLAYNAME, HOME_SET, Subject, USER_TYPE},
    reply::{Answers, Refused, XML, whole},
    session::Session,
};
use convoke_caldav::{
    path::Resource,
    principal_search::{PrincipalSearch, Scope},
    xml::{self, Element, Name},
};
use convoke_net::http_server::Response;
use http::StatusCode;

/// What a principal is found by, and what that is called.
static SEARCHED: [(Name, &str); 4] = [
    (DISPLAYNAME, "Name"),
    (ADDRESSES, "Address"),
    (USER_TYPE, "Person, room or resource"),
    (HOME_SET, "Place of the calendars"),
];

/// RFC 3744 §9.4.
pub(super) async fn search(
    session: &Session<'_>,
    resource: &Resource,
    search: &PrincipalSearch,
) -> Result<Response, Refused> {
    let is_there = match search.scope {
        Scope::PrincipalCollections => true,
        Scope::Here => matches!(resource, Resource::Root | Resource::Principals),
    };
    let subject = Subject {
        resource: Resource::Principal(session.owner()),
        sync_token: None,
        dead: &[],
        object: None,
    };
    let value = |name: &Name| {
        let is_searched = SEARCHED.iter().any(|(it, _)| it == name);
        is_searched.then(|| properties::value(session, &subject, name))?
    };
    let mut answers = Answers::new(session);
    if is_there && search.matches(value) {
        let answer = properties::answer(session, &subject, &search.properties);
        answers.push(answer).await?;
    }
    answers.finish(None).await
}

/// RFC 3744 §9.5.
pub(super) async fn searched(session: &Session<'_>) -> Result<Response, Refused> {
    let all = SEARCHED.iter().map(|(name, called)| {
        let description = Element::dav("description").with_attribute("xml:lang", "en");
        Element::dav("principal-search-property")
            .with(Element::dav("prop").with(Element::new(name.clone())))
            .with(description.with_text(*called))
    });
    let root = Element::dav("principal-search-property-set");
    let document = xml::document(&all.fold(root, Element::with));
    whole(session, StatusCode::OK, XML, document.into()).await
}
