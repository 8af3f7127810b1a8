//! GET, PUT and DELETE of objects.

use super::{
    conditions::{Since, check_if, conditions, since},
    inbox,
    names::Names,
    properties::TAKEN,
    reply::{Received, Refused, received, whole},
    reports,
    schedule::{self, Removal},
    session::Session,
};
use crate::{answer::empty, instance::Instance, overwritten::own_lines};
use bytes::Bytes;
use convoke_caldav::{
    answers::{with_answers_of, without_claims},
    conditional::{Unmet, entity_tag},
    path::Resource,
    precondition::Precondition,
    schedule_tag::schedule_tag,
};
use convoke_calendar::tree::Calendar;
use convoke_net::http_server::{Body, Response};
use convoke_scheduling::{Environment, Home, Processor, index_stored};
use convoke_types::{
    CalendarUser, Error, ErrorKind, NewObject, Precondition as When, StoredObject, Uid,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use jiff::Timestamp;

pub(super) const CALENDAR: HeaderValue = HeaderValue::from_static("text/calendar; charset=utf-8");
/// How often a write is tried that others were faster than.
const TRIES: usize = 5;

pub(super) async fn get(
    session: &Session<'_>,
    name: &str,
    request: &Request<Body>,
) -> Result<Response, Refused> {
    let object = found(session, name).await?.1.ok_or(StatusCode::NOT_FOUND)?;
    let tag = entity_tag(&object.etag);
    let data = &object.data;
    let schedule_tag = schedule_tag_in(session.instance, session.user(), data).await;
    check_schedule_tag(request.headers(), schedule_tag.as_deref())?;
    let response = match conditions(request.headers()).check(Some(&tag)) {
        Ok(()) => {
            let data = Bytes::from(object.data);
            whole(session, StatusCode::OK, CALENDAR, data).await?
        }
        Err(Unmet::IfNoneMatch) => empty(StatusCode::NOT_MODIFIED, &[]),
        Err(Unmet::IfMatch) => return Err(StatusCode::PRECONDITION_FAILED.into()),
    };
    Ok(tagged(response, Some(&tag), schedule_tag.as_deref()))
}

pub(super) async fn put(
    session: &Session<'_>,
    name: &str,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let (parts, body) = request.into_parts();
    let received = received_calendar(session, &parts.headers, body).await?;
    let data = &received.content;
    let processor = session.instance.scheduler.environment().processor();
    let written = processor.run(data.len(), || Written::read(data)).await?;
    schedule::before(session, &written.uid).await?;
    let mut naming = None;
    for _ in 0..TRIES {
        let (mut named, mut there) = found(session, name).await?;
        if there.is_none() && naming.is_none() {
            // Of several names for one new object, one is its own.
            naming = Some(Names::lock(session).await);
            (named, there) = found(session, name).await?;
        }
        let tag = there.as_ref().map(|it| entity_tag(&it.etag));
        let since = since(session, &parts.headers, there.as_ref()).await?;
        check_if(session, &parts.headers, &[(name, tag.as_deref())])?;
        let data_there = there.as_ref().map(|it| it.data.as_slice());
        let size = data_there.map_or(0, <[u8]>::len);
        let schedule_tag = schedule_tag_in(
            session.instance,
            session.user(),
            data_there.unwrap_or_default(),
        )
        .await;
        check_schedule_tag(&parts.headers, schedule_tag.as_deref())?;
        check_uid(session, name, &written.uid, named.as_ref(), there.as_ref()).await?;
        if data_there == Some(data) {
            let response = empty(StatusCode::NO_CONTENT, &[]);
            return Ok(tagged(response, tag.as_deref(), schedule_tag.as_deref()));
        }
        let merged = || written.merged(session, since, data_there);
        let merged = processor.run(size + data.len(), merged).await;
        let written = merged.as_ref().unwrap_or(&written);
        if let Some(objection) = schedule::judge(session, written, data_there).await? {
            return Err(objection.told(session, &written.uid));
        }
        match write(session, name, written, there.as_ref()).await {
            Ok(()) => {
                drop(naming.take());
                inbox::decide(session, &written.uid, &written.calendar).await;
                schedule::tell(session, &written.uid).await;
                let status = match there {
                    Some(_) => StatusCode::NO_CONTENT,
                    None => StatusCode::CREATED,
                };
                return is_now(session, &written.uid, status, data).await;
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            // The same again would be no better.
            Err(error) if error.kind() == ErrorKind::Invalid => {
                let (user, uid) = (&session.user().address, &written.uid);
                tracing::info!(event = "edit-refused", %user, %uid, "{error}");
                return Err(Precondition::ValidCalendarData.into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(StatusCode::CONFLICT.into())
}

/// The answer to who has stored something: with an entity tag only if it is there just as it was sent (RFC 9110 §9.3.4).
async fn is_now(
    session: &Session<'_>,
    uid: &Uid,
    status: StatusCode,
    sent: &Bytes,
) -> Result<Response, Refused> {
    let response = empty(status, &[]);
    // What was stored is stored, whether it can be read now or not.
    let Ok(Some(object)) = session.home.get(uid).await else {
        return Ok(response);
    };
    let tag = (object.data == *sent).then(|| entity_tag(&object.etag));
    let schedule_tag = schedule_tag_in(session.instance, session.user(), &object.data).await;
    Ok(tagged(response, tag.as_deref(), schedule_tag.as_deref()))
}

pub(super) async fn delete(
    session: &Session<'_>,
    name: &str,
    request: &Request<Body>,
) -> Result<Response, Refused> {
    remove(session, name, request.headers()).await?;
    Ok(empty(StatusCode::NO_CONTENT, &[]))
}

/// Removes an object under the conditions of these header fields, and tells whom it concerns.
pub(super) async fn remove(
    session: &Session<'_>,
    name: &str,
    headers: &HeaderMap,
) -> Result<(), Refused> {
    let processor = session.instance.scheduler.environment().processor();
    for _ in 0..TRIES {
        let there = found(session, name).await?.1.ok_or(StatusCode::NOT_FOUND)?;
        let tag = entity_tag(&there.etag);
        since(session, headers, Some(&there)).await?;
        check_if(session, headers, &[(name, Some(&tag))])?;
        let data = &there.data;
        let parsed = || Calendar::parse_stored(data, &reports::limits()).ok();
        let calendar = processor.run(data.len(), parsed).await;
        let own = own_lines(session.user());
        let schedule_tag = calendar.as_ref().and_then(|it| schedule_tag(it, &own));
        check_schedule_tag(headers, schedule_tag.as_deref())?;
        schedule::before(session, &there.uid).await?;
        let removal = Removal::of(session, &there.uid, calendar.as_ref(), headers);
        removal.begin().await?;
        let when = When::Matches(there.etag);
        match session.home.remove(&there.uid, &when).await {
            Ok(()) => {
                removal.tell().await?;
                return Ok(Names::of(session).removed(&there.uid, name).await?);
            }
            Err(error) => {
                removal.is_off().await;
                if error.kind() != ErrorKind::Conflict {
                    return Err(error.into());
                }
            }
        }
    }
    Err(StatusCode::CONFLICT.into())
}

/// The UID of a name, and the object of that UID.
pub(super) async fn found(
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
    written: &Written,
    there: Option<&StoredObject>,
) -> Result<(), Error> {
    let environment = session.instance.scheduler.environment();
    let (user, limits) = (session.user(), &session.instance.config.limits.messages);
    let (uid, data) = (&written.uid, &written.data);
    let index = || index_stored(Some(user), data, limits, Timestamp::now());
    let index = environment.processor().run(data.len(), index).await?;
    if there.is_none() {
        // Before the object: a name without one is nobody's.
        Names::of(session).set(uid, name).await?;
    }
    let object = NewObject::new(data.to_vec(), index);
    let when = there.map_or(When::Absent, |it| When::Matches(it.etag.clone()));
    session.home.put(&object, &when).await?;
    let names = Names::of(session);
    if there.is_none() && names.uid(name).await?.as_ref() != Some(uid) {
        // Another host was about to make it as well, and called it otherwise.
        names.set(uid, name).await?;
    }
    Ok(())
}

/// An object as a program wants it stored.
pub(super) struct Written {
    pub(super) uid: Uid,
    pub(super) calendar: Calendar,
    pub(super) data: Bytes,
}

impl Written {
    /// RFC 4791 §4.1: one object, of a kind that is taken here.
    pub(super) fn read(data: &Bytes) -> Result<Self, Precondition> {
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
        Ok(Self {
            uid,
            calendar,
            data: data.clone(),
        })
    }

    /// The same with the statuses of others as they gave them: of a meeting that the user organizes; or, of one that others do,
    /// if the program does not know them.
    pub(super) fn merged(
        &self,
        session: &Session<'_>,
        since: Since,
        there: Option<&[u8]>,
    ) -> Option<Self> {
        let stored = there.and_then(|it| Calendar::parse_stored(it, &reports::limits()).ok());
        let own = own_lines(session.user());
        let mut calendar = self.calendar.clone();
        if let Some(stored) = &stored
            && since == Since::Answers
        {
            calendar = with_answers_of(&calendar, stored, &own);
        }
        if schedule::organizes_to_come(session, &calendar) {
            calendar = without_claims(&calendar, stored.as_ref(), &own);
        }
        let data = calendar.write();
        (data != self.calendar.write()).then(|| Self {
            uid: self.uid.clone(),
            calendar,
            data: data.into(),
        })
    }
}

pub(super) const IF_SCHEDULE_TAG: &str = "if-schedule-tag-match";

/// RFC 6638 §8.3.
pub(super) fn check_schedule_tag(headers: &HeaderMap, there: Option<&str>) -> Result<(), Refused> {
    let Some(wanted) = headers.get(IF_SCHEDULE_TAG) else {
        return Ok(());
    };
    let is_met = there.is_some_and(|it| wanted.as_bytes().trim_ascii() == it.as_bytes());
    if is_met {
        Ok(())
    } else {
        Err(StatusCode::PRECONDITION_FAILED.into())
    }
}

/// The schedule tag of what is stored in a calendar of the user's.
pub(super) async fn schedule_tag_in(
    instance: &Instance,
    user: &CalendarUser,
    data: &[u8],
) -> Option<String> {
    let processor = instance.scheduler.environment().processor();
    processor
        .run(data.len(), || schedule_tag_of(user, data))
        .await
}

fn schedule_tag_of(user: &CalendarUser, data: &[u8]) -> Option<String> {
    // Most are nobody else's, which is seen without reading them whole.
    if !data
        .windows(9)
        .any(|it| it.eq_ignore_ascii_case(b"ORGANIZER"))
    {
        return None;
    }
    let calendar = Calendar::parse_stored(data, &reports::limits()).ok()?;
    schedule_tag(&calendar, &own_lines(user))
}

/// The body of a request, which is to be a calendar.
pub(super) async fn received_calendar(
    session: &Session<'_>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Received<Bytes>, Refused> {
    if !is_calendar(headers) {
        return Err(Precondition::SupportedCalendarData.into());
    }
    received(session, body).await
}

/// Programs may say nothing; but what is said to be something else is something else.
pub(super) fn is_calendar(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let kind = kind.to_str().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/calendar")
}

pub(super) fn tagged(
    mut response: Response,
    tag: Option<&str>,
    schedule_tag: Option<&str>,
) -> Response {
    let tags = [
        (header::ETAG, tag),
        (HeaderName::from_static("schedule-tag"), schedule_tag),
    ];
    for (name, tag) in tags {
        if let Some(Ok(tag)) = tag.map(HeaderValue::from_str) {
            response.headers_mut().insert(name, tag);
        }
    }
    response
}
