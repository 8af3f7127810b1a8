//! MOVE and COPY within a calendar (RFC 4918 §9.8, §9.9): an object gets another name, and stays what it is to everybody else.
//!
//! A COPY would be a second object of the same UID, which no calendar has (RFC 4791 §5.3.2.1).

use super::{
    conditions::{check_if, conditions},
    names::Names,
    objects::{check_schedule_tag, found, remove, schedule_tag_in, tagged},
    reply::Refused,
    session::Session,
};
use crate::{answer::empty, site::Site};
use convoke_caldav::{conditional::entity_tag, path::Resource, precondition::Precondition};
use convoke_net::http_server::{Body, Response};
use http::{HeaderMap, HeaderName, Request, StatusCode};

const SCHEDULE_REPLY: HeaderName = HeaderName::from_static("schedule-reply");

/// Gives the object of a name the name that `Destination` says.
pub(super) async fn relocate(
    session: &Session<'_>,
    name: &str,
    request: &Request<Body>,
) -> Result<Response, Refused> {
    let headers = request.headers();
    let to = destination(session, request)?;
    if to == name {
        // RFC 4918 §9.8.5, §9.9.4.
        return Err(StatusCode::FORBIDDEN.into());
    }
    let _naming = Names::lock(session).await;
    let object = found(session, name).await?.1.ok_or(StatusCode::NOT_FOUND)?;
    let tag = entity_tag(&object.etag);
    let schedule_tag = schedule_tag_in(session.instance, session.user(), &object.data).await;
    if conditions(headers).check(Some(&tag)).is_err() {
        return Err(StatusCode::PRECONDITION_FAILED.into());
    }
    check_schedule_tag(headers, schedule_tag.as_deref())?;
    let there = found(session, &to).await?.1;
    let tag_there = there.as_ref().map(|it| entity_tag(&it.etag));
    check_if(
        session,
        headers,
        &[(name, Some(&tag)), (&to, tag_there.as_deref())],
    )?;
    if there.is_some() && !overwrites(headers)? {
        return Err(StatusCode::PRECONDITION_FAILED.into());
    }
    if request.method().as_str() == "COPY" {
        let path = Resource::Object(session.owner(), name.to_owned()).to_string();
        return Err(Refused::because_of(Precondition::NoUidConflict, &[path]));
    }
    let status = if there.is_some() {
        let wish = headers.get(&SCHEDULE_REPLY).cloned();
        let wishes = wish.map(|it| (SCHEDULE_REPLY, it));
        remove(session, &to, &HeaderMap::from_iter(wishes)).await?;
        StatusCode::NO_CONTENT
    } else {
        StatusCode::CREATED
    };
    Names::of(session).rename(&object.uid, name, &to).await?;
    let response = empty(status, &[]);
    Ok(tagged(response, Some(&tag), schedule_tag.as_deref()))
}

/// The name that an object is to have: in the same calendar, as there is no other.
fn destination(session: &Session<'_>, request: &Request<Body>) -> Result<String, Refused> {
    let field = request.headers().get("destination");
    let text = field.and_then(|it| it.to_str().ok());
    let text = text.ok_or_else(|| Refused::bad_request(&"there is no Destination"))?;
    let site = Site::of(session.arrival, request.uri(), request.headers());
    // RFC 4918 §9.8.5: another server, which is not asked.
    let path = site.path_of(text.trim()).ok_or(StatusCode::BAD_GATEWAY)?;
    match Resource::parse(path) {
        Some(Resource::Object(owner, name)) => {
            let is_own = session.owns(&Resource::Calendar(owner));
            is_own
                .then_some(name)
                .ok_or_else(|| StatusCode::FORBIDDEN.into())
        }
        Some(_) => Err(StatusCode::FORBIDDEN.into()),
        // RFC 4918 §9.8.5: no collection that it could be in.
        None => Err(StatusCode::CONFLICT.into()),
    }
}

/// RFC 4918 §10.6: unless the client says otherwise.
fn overwrites(headers: &HeaderMap) -> Result<bool, Refused> {
    match headers
        .get("overwrite")
        .map(|it| it.as_bytes().trim_ascii())
    {
        None | Some(b"T" | b"t") => Ok(true),
        Some(b"F" | b"f") => Ok(false),
        Some(_) => Err(StatusCode::BAD_REQUEST.into()),
    }
}
