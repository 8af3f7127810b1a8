//! What a program wants to be true before its request is done: `If-Match`, `If-None-Match` and `If`.
//!
//! RFC 9110 §13.1.1 has `If-Match` compare entity tags, and each status that is written into an object makes another one. Of a
//! program that knows no schedule tags that would be a conflict with itself: so before an object is changed or removed, a
//! version counts as named, too, that only we have written over since (`crate::overwritten`). Apple's server does the same.

use super::{objects::IF_SCHEDULE_TAG, reply::Refused, session::Session};
use convoke_caldav::{
    conditional::{Conditions, Unmet, entity_tag, etag_of},
    if_header::IfHeader,
    path::Resource,
};
use convoke_scheduling::{Environment, Home};
use convoke_types::{Error, Etag, StoredObject};
use http::{HeaderMap, StatusCode, header};

/// What happened to an object since a program read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// What its program does not say otherwise: nothing.
    Nothing,
    /// Statuses and answers may have come in, which its program does not know.
    Answers,
}

/// Whether an object that is to be changed is as its program wants it.
pub(super) async fn since(
    session: &Session<'_>,
    headers: &HeaderMap,
    there: Option<&StoredObject>,
) -> Result<Since, Refused> {
    let mut wanted = conditions(headers);
    let tag = there.map(|it| entity_tag(&it.etag));
    let mut since = if headers.contains_key(IF_SCHEDULE_TAG) {
        Since::Answers
    } else {
        Since::Nothing
    };
    if let (Err(Unmet::IfMatch), Some(there)) = (wanted.check(tag.as_deref()), there) {
        let named: Vec<Etag> = wanted.wanted().filter_map(etag_of).collect();
        if is_only_ours_since(session, there, named).await? {
            wanted.if_match = None;
            since = Since::Answers;
        }
    }
    match wanted.check(tag.as_deref()) {
        Ok(()) => Ok(since),
        Err(_) => Err(StatusCode::PRECONDITION_FAILED.into()),
    }
}

/// Whether only we wrote since an object was one of these versions.
pub(super) async fn is_only_ours_since(
    session: &Session<'_>,
    there: &StoredObject,
    named: Vec<Etag>,
) -> Result<bool, Error> {
    let state = session.instance.scheduler.environment().state();
    let overwritten = &session.instance.shared.overwritten;
    let user = session.home.user();
    overwritten.is_there_still(state, user, there, named).await
}

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
        let Some(named) = resource else {
            return objects.first()?.1.map(str::to_owned);
        };
        let (Resource::Object(_, name) | Resource::Message(_, name)) = session.named(named)? else {
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
