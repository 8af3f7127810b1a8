//! The inbox: messages as they came, for programs that show them (RFC 6638 §2.2).
//!
//! What a message does to the calendar is done before it is here. To remove one here is to have seen it, and answers nobody:
//! programs answer by what they write into the calendar.

use super::{
    conditions::{check_if, conditions},
    objects::{CALENDAR, tagged},
    properties::{Object, Subject, answer, want_octets},
    reply::{Answers, Refused, no_room, whole},
    reports::limits,
    schedule,
    session::Session,
};
use crate::{
    answer::empty,
    program_inbox::{self, Shown},
};
use convoke_caldav::{
    conditional::Unmet,
    filter::Filter,
    multistatus::{About, Answer},
    path::Resource,
    precondition::Precondition,
    request::{Properties, Report},
};
use convoke_calendar::tree::Calendar;
use convoke_net::http_server::{Body, Holding, Response};
use convoke_scheduling::{Environment, Processor};
use convoke_types::Uid;
use http::{Request, StatusCode};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// A message in the inbox.
pub(super) struct Message(Shown);

/// An inbox, in memory that is counted for who asks.
pub(super) struct Inbox {
    /// In the order of their names.
    pub(super) messages: Vec<Message>,
    _holding: Holding,
}

/// Every message.
pub(super) async fn list(session: &Session<'_>) -> Result<Inbox, Refused> {
    let instance = session.instance;
    let mut holding = (instance.admission.answers).hold(session.arrival.address.ip());
    let most = program_inbox::MOST.min(instance.config.limits.answer_memory / 2);
    holding.grow(most).await.map_err(|_| no_room())?;
    let environment = instance.scheduler.environment();
    let (state, processor) = (environment.state(), environment.processor());
    let all = program_inbox::list(state, processor, session.user()).await?;
    let taken = all.iter().map(|it| it.data.len()).sum();
    holding.resize(taken).await.map_err(|_| no_room())?;
    Ok(Inbox {
        messages: all.into_iter().map(Message).collect(),
        _holding: holding,
    })
}

/// The message of a name.
pub(super) async fn by_name(session: &Session<'_>, name: &str) -> Result<Message, Refused> {
    let all = list(session).await?.messages;
    let found = all.into_iter().find(|it| it.0.name == name);
    found.ok_or_else(|| StatusCode::NOT_FOUND.into())
}

/// Another one after each change of the inbox.
pub(super) async fn tag(session: &Session<'_>) -> Result<String, Refused> {
    let mut digest = Sha256::new();
    for message in list(session).await?.messages {
        digest.update(message.0.name);
    }
    let tag = hex::encode(&digest.finalize()[..8]);
    Ok(format!("urn:x-convoke:inbox:{tag}"))
}

impl Message {
    /// What is told of it.
    pub(super) fn answer(&self, session: &Session<'_>, asked: &Properties) -> Answer {
        let Self(Shown { name, data, .. }) = self;
        let wanted = want_octets(asked).then(|| String::from_utf8_lossy(data).into_owned());
        let subject = Subject {
            resource: Resource::Message(session.owner(), name.clone()),
            sync_token: None,
            dead: &[],
            object: Some(Object {
                tag: self.0.tag(),
                schedule_tag: None,
                component: None,
                data: wanted,
                length: Some(data.len()),
            }),
        };
        answer(session, &subject, asked)
    }
}

pub(super) async fn get(
    session: &Session<'_>,
    name: &str,
    request: &Request<Body>,
) -> Result<Response, Refused> {
    let Message(shown) = by_name(session, name).await?;
    let tag = shown.tag();
    let response = match conditions(request.headers()).check(Some(&tag)) {
        Ok(()) => whole(session, StatusCode::OK, CALENDAR, shown.data.into()).await?,
        Err(Unmet::IfNoneMatch) => empty(StatusCode::NOT_MODIFIED, &[]),
        Err(Unmet::IfMatch) => return Err(StatusCode::PRECONDITION_FAILED.into()),
    };
    Ok(tagged(response, Some(&tag), None))
}

pub(super) async fn delete(
    session: &Session<'_>,
    name: &str,
    request: &Request<Body>,
) -> Result<Response, Refused> {
    let headers = request.headers();
    let Message(shown) = by_name(session, name).await?;
    let tag = shown.tag();
    if conditions(headers).check(Some(&tag)).is_err() {
        return Err(StatusCode::PRECONDITION_FAILED.into());
    }
    check_if(session, headers, &[(name, Some(&tag))])?;
    let state = session.instance.scheduler.environment().state();
    let writes = &session.instance.shared.writes;
    program_inbox::remove(state, writes, shown).await?;
    Ok(empty(StatusCode::NO_CONTENT, &[]))
}

/// RFC 6638 §2.2: the reports that an inbox has.
pub(super) async fn report(session: &Session<'_>, report: Report) -> Result<Response, Refused> {
    match report {
        Report::Query(asked, filter) => query(session, &asked, &filter).await,
        Report::Multiget(asked, hrefs) => multiget(session, &asked, hrefs).await,
        _ => Err(Precondition::SupportedReport.into()),
    }
}

async fn query(
    session: &Session<'_>,
    asked: &Properties,
    filter: &Filter,
) -> Result<Response, Refused> {
    let zone = session.zone();
    let processor = session.instance.scheduler.environment().processor();
    let mut answers = Answers::new(session);
    let inbox = list(session).await?;
    for message in &inbox.messages {
        let data = &message.0.data;
        let matches = || {
            let read = Calendar::parse(data, &limits());
            read.is_ok_and(|calendar| filter.matches(&calendar, &zone))
        };
        if processor.run(data.len(), matches).await {
            answers.push(message.answer(session, asked)).await?;
        }
    }
    answers.finish(None).await
}

async fn multiget(
    session: &Session<'_>,
    asked: &Properties,
    hrefs: Vec<String>,
) -> Result<Response, Refused> {
    let inbox = list(session).await?;
    let mut answers = Answers::new(session);
    let mut told = HashSet::new();
    // However one is written, it is told of once.
    for href in hrefs {
        let resource = session.named(&href);
        let href = resource.as_ref().map_or(href, |it| session.path(it));
        if !told.insert(href.clone()) {
            continue;
        }
        let found = match &resource {
            Some(Resource::Message(_, name)) => {
                let mut all = inbox.messages.iter();
                all.find(|it| it.0.name == *name)
            }
            _ => None,
        };
        let answer = match found {
            Some(message) => message.answer(session, asked),
            None => Answer {
                href,
                about: About::Status(404),
            },
        };
        answers.push(answer).await?;
    }
    answers.finish(None).await
}

/// What waits for the user to decide, and is decided by what a program has stored.
pub(super) async fn decide(session: &Session<'_>, uid: &Uid, stored: &Calendar) {
    let is_meeting = stored
        .main_components()
        .any(|it| it.get("ORGANIZER").is_some());
    if !is_meeting || !schedule::is_on(session) {
        return;
    }
    let scheduler = &session.instance.scheduler;
    if let Err(error) = scheduler
        .decide_by_storing(&session.home, uid, stored)
        .await
    {
        tracing::warn!(
            event = "inbox-not-decided", user = %session.user().address, %uid,
            "what was written does not decide what waits: {error}"
        );
    }
}
