//! GET, PUT and DELETE of objects.

use super::{
    names::Names,
    properties::TAKEN,
    reply::{Refused, received, whole},
    reports,
    session::Session,
};
use crate::answer::empty;
use bytes::Bytes;
use convoke_caldav::{
    conditional::{Conditions, Unmet, entity_tag},
    path::Resource,
    precondition::Precondition,
};
use convoke_calendar::tree::Calendar;
use convoke_net::http_server::{Body, Response};
use convoke_scheduling::{Environment, Home, Processor, index_stored};
use convoke_types::{Error, ErrorKind, Etag, NewObject, Precondition as When, StoredObject, Uid};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use jiff::Timestamp;

const CALENDAR: HeaderValue = HeaderValue::from_static("text/calendar; charset=utf-8");
/// How often a write is tried that others were faster than.
const TRIES: usize = 5;

pub(super) async fn get(
    session: &Session<'_>,
    name: &str,
    request: &Request<Body>,
) -> Result<Response, Refused> {
    let object = found(session, name).await?.1.ok_or(StatusCode::NOT_FOUND)?;
    let tag = entity_tag(&object.etag);
    match conditions(request.headers()).check(Some(&tag)) {
        Ok(()) => {
            let data = Bytes::from(object.data);
            let response = whole(session, StatusCode::OK, CALENDAR, data).await?;
            Ok(tagged(response, &tag))
        }
        Err(Unmet::IfNoneMatch) => Ok(tagged(empty(StatusCode::NOT_MODIFIED, &[]), &tag)),
        Err(Unmet::IfMatch) => Err(StatusCode::PRECONDITION_FAILED.into()),
    }
}

pub(super) async fn put(
    session: &Session<'_>,
    name: &str,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let (parts, body) = request.into_parts();
    if !is_calendar(&parts.headers) {
        return Err(Precondition::SupportedCalendarData.into());
    }
    let conditions = conditions(&parts.headers);
    let received = received(session, body).await?;
    let data = &received.content;
    let processor = session.instance.scheduler.environment().processor();
    let uid = processor.run(data.len(), || checked(data)).await?;
    for _ in 0..TRIES {
        let (named, there) = found(session, name).await?;
        let tag = there.as_ref().map(|it| entity_tag(&it.etag));
        if conditions.check(tag.as_deref()).is_err() {
            return Err(StatusCode::PRECONDITION_FAILED.into());
        }
        check_uid(session, name, &uid, named.as_ref(), there.as_ref()).await?;
        if let (Some(there), Some(tag)) = (&there, &tag)
            && there.data == *data
        {
            return Ok(tagged(empty(StatusCode::NO_CONTENT, &[]), tag));
        }
        match write(session, name, &uid, data, there.as_ref()).await {
            Ok(etag) => {
                look_soon(session);
                let status = match there {
                    Some(_) => StatusCode::NO_CONTENT,
                    None => StatusCode::CREATED,
                };
                return Ok(tagged(empty(status, &[]), &entity_tag(&etag)));
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StatusCode::CONFLICT.into())
}

pub(super) async fn delete(
    session: &Session<'_>,
    name: &str,
    request: &Request<Body>,
) -> Result<Response, Refused> {
    for _ in 0..TRIES {
        let there = found(session, name).await?.1.ok_or(StatusCode::NOT_FOUND)?;
        let tag = entity_tag(&there.etag);
        if conditions(request.headers()).check(Some(&tag)).is_err() {
            return Err(StatusCode::PRECONDITION_FAILED.into());
        }
        let when = When::Matches(there.etag);
        match session.home.remove(&there.uid, &when).await {
            Ok(()) => {
                Names::of(session).removed(&there.uid, name).await?;
                look_soon(session);
                return Ok(empty(StatusCode::NO_CONTENT, &[]));
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StatusCode::CONFLICT.into())
}

/// The UID of a name, and the object of that UID.
async fn found(
    session: &Session<'_>,
    name: &str,
) -> Result<(Option<Uid>, Option<StoredObject>), Error> {
    let Some(uid) = Names::of(session).uid(name).await? else {
        return Ok((None, None));
    };
    let object = session.home.get(&uid).await?;
    Ok((Some(uid), object))
}

/// RFC 4791 §5.3.2.1: a UID has one name, and a name one UID.
async fn check_uid(
    session: &Session<'_>,
    name: &str,
    uid: &Uid,
    named: Option<&Uid>,
    there: Option<&StoredObject>,
) -> Result<(), Refused> {
    if named == Some(uid) {
        return Ok(());
    }
    let taken = |name: String| {
        let path = Resource::Object(session.owner(), name).to_string();
        Refused::because_of(Precondition::NoUidConflict, &[path])
    };
    if there.is_some() {
        return Err(taken(name.to_owned()));
    }
    if session.home.get(uid).await?.is_some() {
        return Err(taken(Names::of(session).name(uid).await?));
    }
    Ok(())
}

async fn write(
    session: &Session<'_>,
    name: &str,
    uid: &Uid,
    data: &Bytes,
    there: Option<&StoredObject>,
) -> Result<Etag, Error> {
    let environment = session.instance.scheduler.environment();
    let (user, limits) = (session.user(), &session.instance.config.limits.messages);
    let index = || index_stored(Some(user), data, limits, Timestamp::now());
    let index = environment.processor().run(data.len(), index).await?;
    if there.is_none() {
        // Before the object: a name without one is nobody's.
        Names::of(session).set(uid, name).await?;
    }
    let object = NewObject::new(data.to_vec(), index);
    let when = there.map_or(When::Absent, |it| When::Matches(it.etag.clone()));
    session.home.put(&object, &when).await
}

/// RFC 4791 §4.1: one object, of a kind that is taken here; its UID.
fn checked(data: &[u8]) -> Result<Uid, Precondition> {
    let calendar = Calendar::parse_stored(data, &reports::limits());
    let calendar = calendar.map_err(|_| Precondition::ValidCalendarData)?;
    let main = calendar.main_components().next();
    let main = main.ok_or(Precondition::ValidCalendarObjectResource)?;
    if !TAKEN.iter().any(|it| main.is(it)) {
        return Err(Precondition::SupportedCalendarComponent);
    }
    let uid = main
        .uid()
        .ok_or(Precondition::ValidCalendarObjectResource)?;
    let is_same = calendar
        .main_components()
        .all(|it| it.is(&main.name) && it.uid().as_ref() == Some(&uid));
    if !is_same || calendar.root().get("METHOD").is_some() {
        return Err(Precondition::ValidCalendarObjectResource);
    }
    Ok(uid)
}

/// The calendar is looked at, and what concerns others is told.
fn look_soon(session: &Session<'_>) {
    let shared = &session.instance.shared;
    shared
        .look_soon
        .at(session.home.store(), &session.user().id);
}

/// Programs may say nothing; but what is said to be something else is something else.
fn is_calendar(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let kind = kind.to_str().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/calendar")
}

fn conditions(headers: &HeaderMap) -> Conditions {
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

fn tagged(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = tag.parse() {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
