//! PROPFIND and PROPPATCH.

use super::{
    dead::{self, Changed},
    inbox,
    names::Names,
    objects::schedule_tag_in,
    properties::{
        Object, Subject, answer, is_protected, want_cursor, want_length, want_octets,
        want_schedule_tag,
    },
    reply::{Answers, Refused, document},
    reports::wanted_data,
    session::Session,
    tokens::SyncToken,
    view,
};
use crate::calendar_view::SeenObject;
use convoke_caldav::{
    conditional::entity_tag,
    multistatus::{About, Answer},
    path::Resource,
    precondition::Precondition,
    request::{self, Properties},
    xml::{Element, Name},
};
use convoke_net::http_server::{Body, Response};
use convoke_scheduling::Home;
use convoke_types::{StoredObject, Uid};
use http::{HeaderValue, Request, StatusCode};

/// How much of what is below is asked for (RFC 4918 §10.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Alone,
    WithChildren,
}

pub(super) async fn propfind(
    session: &Session<'_>,
    resource: &Resource,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let depth = depth(&request)?;
    let document = document(session, request).await?;
    let asked = request::propfind(document.as_ref().map(|it| &it.content))?;
    let mut answers = Answers::new(session);
    answers.push(one(session, resource, &asked).await?).await?;
    if depth == Depth::WithChildren {
        match resource {
            Resource::Root => {
                for child in [Resource::Principals, Resource::Home(session.owner())] {
                    answers.push(one(session, &child, &asked).await?).await?;
                }
            }
            Resource::Principals => {
                let child = Resource::Principal(session.owner());
                answers.push(one(session, &child, &asked).await?).await?;
            }
            Resource::Home(_) => {
                for child in [
                    Resource::Calendar(session.owner()),
                    Resource::Inbox(session.owner()),
                    Resource::Outbox(session.owner()),
                ] {
                    answers.push(one(session, &child, &asked).await?).await?;
                }
            }
            Resource::Calendar(_) => {
                let seen = view::current(session).await?;
                let all: Vec<(Uid, SeenObject)> = (seen.objects.iter())
                    .map(|(uid, seen)| (uid.clone(), seen.clone()))
                    .collect();
                drop(seen);
                for (uid, seen) in all {
                    let answer = listed(session, &uid, seen, &asked).await?;
                    answers.extend(answer).await?;
                }
            }
            Resource::Inbox(_) => {
                let inbox = inbox::list(session).await?;
                for message in &inbox.messages {
                    answers.push(message.answer(session, &asked)).await?;
                }
            }
            Resource::WellKnown
            | Resource::Principal(_)
            | Resource::Outbox(_)
            | Resource::Message(..)
            | Resource::Object(..) => {}
        }
    }
    answers.finish(None).await
}

fn depth(request: &Request<Body>) -> Result<Depth, Refused> {
    let depth = request.headers().get("depth").map(HeaderValue::as_bytes);
    match depth {
        Some(b"0") => Ok(Depth::Alone),
        Some(b"1") => Ok(Depth::WithChildren),
        // RFC 4918 §9.1: without the field it is infinite.
        None => Err(Precondition::PropfindFiniteDepth.into()),
        Some(it) if it.eq_ignore_ascii_case(b"infinity") => {
            Err(Precondition::PropfindFiniteDepth.into())
        }
        Some(_) => Err(StatusCode::BAD_REQUEST.into()),
    }
}

async fn one(
    session: &Session<'_>,
    resource: &Resource,
    asked: &Properties,
) -> Result<Answer, Refused> {
    if let Resource::Object(_, name) = resource {
        let found = by_name(session, name, asked).await?;
        return found.ok_or_else(|| StatusCode::NOT_FOUND.into());
    }
    if let Resource::Message(_, name) = resource {
        let message = inbox::by_name(session, name).await?;
        return Ok(message.answer(session, asked));
    }
    let sync_token = match resource {
        Resource::Calendar(_) if want_cursor(asked) => {
            let renames = Names::of(session).renames().await?;
            let token = SyncToken::all(session.cursor().await?, renames);
            Some(token.write(session.home.store()))
        }
        Resource::Inbox(_) if want_cursor(asked) => Some(inbox::tag(session).await?),
        _ => None,
    };
    let dead = match resource {
        Resource::Calendar(_) => dead::all(session).await?,
        _ => Vec::new(),
    };
    let subject = Subject {
        resource: resource.clone(),
        sync_token,
        dead: &dead,
        object: None,
    };
    Ok(answer(session, &subject, asked))
}

/// What is told of an object that is asked for by its name; `None` if there is none.
pub(super) async fn by_name(
    session: &Session<'_>,
    name: &str,
    asked: &Properties,
) -> Result<Option<Answer>, Refused> {
    let Some(uid) = Names::of(session).uid(name).await? else {
        return Ok(None);
    };
    let Some(object) = session.home.get(&uid).await? else {
        return Ok(None);
    };
    Ok(Some(read(session, name.to_owned(), &object, asked).await))
}

/// What is told of an object of a view; `None` if it is gone meanwhile.
pub(super) async fn listed(
    session: &Session<'_>,
    uid: &Uid,
    seen: SeenObject,
    asked: &Properties,
) -> Result<Option<Answer>, Refused> {
    let is_unread = seen.length.is_none() && (want_length(asked) || want_schedule_tag(asked));
    if want_octets(asked) || is_unread {
        let Some(object) = session.home.get(uid).await? else {
            return Ok(None);
        };
        return Ok(Some(read(session, seen.name, &object, asked).await));
    }
    let subject = Subject {
        resource: Resource::Object(session.owner(), seen.name),
        sync_token: None,
        dead: &[],
        object: Some(Object {
            tag: seen.tag,
            component: Some(seen.extent.component()).filter(|it| !it.is_empty()),
            schedule_tag: seen.schedule_tag.clone(),
            data: None,
            length: seen.length,
        }),
    };
    Ok(Some(answer(session, &subject, asked)))
}

/// What is told of an object that was read.
pub(super) async fn read(
    session: &Session<'_>,
    name: String,
    object: &StoredObject,
    asked: &Properties,
) -> Answer {
    let data = &object.data;
    let wanted = if want_octets(asked) {
        Some(wanted_data(session, data, asked).await)
    } else {
        None
    };
    let schedule_tag = if want_schedule_tag(asked) {
        schedule_tag_in(session.instance, session.user(), data).await
    } else {
        None
    };
    let subject = Subject {
        resource: Resource::Object(session.owner(), name),
        sync_token: None,
        dead: &[],
        object: Some(Object {
            tag: entity_tag(&object.etag),
            component: None,
            schedule_tag,
            data: wanted,
            length: Some(data.len()),
        }),
    };
    answer(session, &subject, asked)
}

/// All changes, or none (RFC 4918 §9.2): of the calendar, what is not ours to say.
pub(super) async fn proppatch(
    session: &Session<'_>,
    resource: &Resource,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let document = document(session, request).await?;
    let document = document.ok_or(StatusCode::BAD_REQUEST)?;
    let updates = request::proppatch(&document.content)?;
    let is_calendar = matches!(resource, Resource::Calendar(_));
    let is_refused = |name: &Name| !is_calendar || is_protected(name);
    let status = if updates.iter().any(|it| is_refused(dead::name(it))) {
        Some(424)
    } else {
        match dead::change(session, &updates).await? {
            Changed::Done => None,
            Changed::TooLong => Some(507),
        }
    };
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for name in updates.iter().map(dead::name) {
        match status {
            None => found.push(Element::new(name.clone())),
            Some(_) if is_refused(name) => missing.push((name.clone(), 403)),
            Some(status) => missing.push((name.clone(), status)),
        }
    }
    let mut answers = Answers::new(session);
    let about = About::Properties { found, missing };
    let href = resource.to_string();
    answers.push(Answer { href, about }).await?;
    answers.finish(None).await
}
