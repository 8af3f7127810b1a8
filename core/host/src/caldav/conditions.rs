//! What a program wants to be true before its request is done: `If-Match`, `If-None-Match` and `If`.

use super::{reply::Refused, session::Session};
use convoke_caldav::{conditional::Conditions, if_header::IfHeader, path::Resource};
use http::{HeaderMap, StatusCode, header};

/// What is said of the entity tag of the resource itself.
pub(super) fn conditions(headers: &HeaderMap) -> Conditions {
    let all = |name| {
        let values = headers.get_all(name).iter();
        let values: Vec<String> = values
            .map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned())
            .collect();
        (!values.is_empty()).then(|| values.join(","))
    };
    Conditions {
        if_match: all(header::IF_MATCH),
        if_none_match: all(header::IF_NONE_MATCH),
    }
}

/// RFC 4918 §10.4: an `If` holds for the objects of these names, each with its entity tag if it is there; the first is what the
/// request is about. Of other resources nothing is known.
pub(super) fn check_if(
    session: &Session<'_>,
    headers: &HeaderMap,
    objects: &[(&str, Option<&str>)],
) -> Result<(), Refused> {
    let Some(field) = headers.get("if") else {
        return Ok(());
    };
    let text = field.to_str().map_err(|_| StatusCode::BAD_REQUEST)?;
    let wanted = IfHeader::read(text).map_err(|why| Refused::bad_request(&why))?;
    let tag_of = |resource: Option<&str>| {
        let named = match resource.map(Resource::of_href) {
            None => return objects.first()?.1.map(str::to_owned),
            Some(named) => named.filter(|it| session.owns(it))?,
        };
        let Resource::Object(_, name) = named else {
            return None;
        };
        let (_, tag) = objects.iter().find(|(it, _)| *it == name)?;
        tag.map(str::to_owned)
    };
    if wanted.holds(tag_of) {
        Ok(())
    } else {
        Err(StatusCode::PRECONDITION_FAILED.into())
    }
}
