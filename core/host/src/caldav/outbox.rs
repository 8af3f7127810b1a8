//! The outbox: a program asks when people are busy (RFC 6638 §5).
//!
//! One POST asks about one attendee or many, of any domain: those here by policy and store, those elsewhere by discovery and
//! their receivers. Each has a status of its own in the answer. Nothing else is sent by a POST here: what a program stores in
//! the calendar is told by that.

use super::{
    objects::{CALENDAR, received_calendar},
    reply::{Refused, XML, whole},
    reports::limits,
    session::Session,
};
use crate::answer::AnswerRoom;
use convoke_caldav::{
    precondition::Precondition,
    schedule_response::{Recipient, schedule_response},
};
use convoke_calendar::{
    freebusy,
    message::{Kind, Method, Provenance},
    tree::{Calendar, Component, Property},
};
use convoke_net::http_server::{Body, Response};
use convoke_scheduling::{
    Condition, Environment, Intake, Outcome, Processor, Refusal, Submission, TransportFacts,
};
use convoke_types::{CalendarAddress, Error, RequestStatus, TimeRange, Uid};
use http::{Request, StatusCode};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// What is asked: as whom, and about whom.
struct Question {
    originator: CalendarAddress,
    /// As the program wrote them, each with the address that it is, if it is one.
    asked: Vec<(String, Option<CalendarAddress>)>,
    /// The message, asked now, with addresses as they are everywhere: programs leave `mailto:` out.
    data: Vec<u8>,
}

pub(super) async fn post(
    session: &Session<'_>,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let (parts, body) = request.into_parts();
    let received = received_calendar(session, &parts.headers, body).await?;
    let data = &received.content;
    let scheduler = &session.instance.scheduler;
    let processor = scheduler.environment().processor();
    let now = Timestamp::now();
    let question = processor.run(data.len(), || Question::read(session, data, now));
    let question = question.await?;
    if !session.user().answers_to(&question.originator) {
        return Err(Precondition::OrganizerAllowed.into());
    }
    if question.asked.len() > session.instance.config.limits.recipients {
        return Err(Precondition::MaxAttendees.into());
    }
    let named = question.asked.iter().filter_map(|(_, it)| it.clone());
    let recipients: Vec<CalendarAddress> = named.collect();
    let room = AnswerRoom::new(&session.instance.admission, session.arrival.address.ip());
    let outcomes = if recipients.is_empty() {
        Vec::new()
    } else {
        ask(session, &question, &recipients, &room).await?
    };
    let mut outcomes = outcomes.into_iter();
    let answers = question.asked.into_iter().map(|(address, named)| {
        let outcome = named.and_then(|_| outcomes.next());
        let outcome = outcome.unwrap_or_else(|| RequestStatus::INVALID_CALENDAR_USER.into());
        Recipient {
            address,
            status: outcome.status.to_string(),
            data: outcome.data,
            description: outcome.description,
        }
    });
    let document = schedule_response(answers.collect());
    whole(session, StatusCode::OK, XML, document.into()).await
}

async fn ask(
    session: &Session<'_>,
    question: &Question,
    recipients: &[CalendarAddress],
    room: &AnswerRoom,
) -> Result<Vec<Outcome>, Refused> {
    let intake = Intake {
        data: &question.data,
        originator: &question.originator,
        recipients,
        from: Provenance::Submission,
        now: Timestamp::now(),
    };
    let scheduler = &session.instance.scheduler;
    let message = scheduler.read(&intake, |_| Ok(())).await;
    let message = message.map_err(|refusal| refused(session, &refusal))?;
    if message.kind() != Kind::FreeBusy || message.method() != Method::Request {
        return Err(Precondition::ValidSchedulingMessage.into());
    }
    let submission = Submission {
        message: &message,
        data: &question.data,
        originator: &question.originator,
        recipients,
        transport: TransportFacts {
            address: Some(session.arrival.address.ip()),
            message_id: None,
        },
    };
    Ok(scheduler.dispatch(&submission, room).await)
}

/// RFC 4791 §7.10: when the user is busy, as who asks in the outbox is told.
pub(super) async fn own_busy(session: &Session<'_>, range: TimeRange) -> Result<Response, Refused> {
    let mut calendar = own_answer(session, range).await?;
    calendar.root_mut().remove("METHOD");
    for part in &mut calendar.root_mut().components {
        part.remove("ATTENDEE");
    }
    whole(session, StatusCode::OK, CALENDAR, calendar.write().into()).await
}

/// The answer to a user who asks when they themselves are busy.
pub(super) async fn own_answer(
    session: &Session<'_>,
    range: TimeRange,
) -> Result<Calendar, Refused> {
    let user = &session.user().address;
    let now = Timestamp::now();
    let uid = Uid::new("free-busy-query").map_err(|error| Error::internal(error.to_string()))?;
    let question = freebusy::request(user, std::slice::from_ref(user), range, &uid, now);
    let question = Question {
        originator: user.clone(),
        asked: Vec::new(),
        data: question.write(),
    };
    let room = AnswerRoom::new(&session.instance.admission, session.arrival.address.ip());
    let outcomes = ask(session, &question, std::slice::from_ref(user), &room).await?;
    let outcome = outcomes.into_iter().next();
    let data = outcome.and_then(|it| it.data);
    // More time than is told of at once, or a policy that forbids it.
    let data = data.ok_or(Precondition::NumberOfMatchesWithinLimits)?;
    let calendar = Calendar::parse(data.as_bytes(), &limits());
    Ok(calendar.map_err(|error| Error::internal(error.to_string()))?)
}

impl Question {
    /// RFC 6638 §5: one VFREEBUSY, of METHOD:REQUEST.
    fn read(session: &Session<'_>, data: &[u8], now: Timestamp) -> Result<Self, Precondition> {
        let calendar = Calendar::parse(data, &limits());
        let mut calendar = calendar.map_err(|_| Precondition::ValidCalendarData)?;
        let parts: Vec<&Component> = calendar.main_components().collect();
        let [part] = parts[..] else {
            return Err(Precondition::ValidSchedulingMessage);
        };
        if !part.is("VFREEBUSY") {
            return Err(Precondition::ValidSchedulingMessage);
        }
        let originator = part.value("ORGANIZER").and_then(|it| session.address(it));
        let originator = originator.ok_or(Precondition::OrganizerAllowed)?;
        let asked = attendees(part);
        if asked.is_empty() {
            return Err(Precondition::ValidSchedulingMessage);
        }
        for part in &mut calendar.root_mut().components {
            if !part.is("VFREEBUSY") {
                continue;
            }
            part.set(Property::new("ORGANIZER", originator.as_str()));
            // The clock of the program is no matter.
            let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
            part.set(Property::new("DTSTAMP", stamp));
            part.remove("ATTENDEE");
            let named = asked.iter().filter_map(|(_, it)| it.as_ref());
            let lines = named.map(|it| Property::new("ATTENDEE", it.as_str()));
            part.properties.extend(lines);
        }
        let data = calendar.write();
        Ok(Self {
            originator,
            asked,
            data,
        })
    }
}

/// Each once, as they are written.
fn attendees(part: &Component) -> Vec<(String, Option<CalendarAddress>)> {
    let mut seen = BTreeSet::new();
    let lines = part.all("ATTENDEE").map(|line| line.value.trim());
    let lines = lines.filter(|it| !it.is_empty());
    let named = lines.map(|line| (line.to_owned(), CalendarAddress::new(line).ok()));
    let each = named.filter(|(line, named)| {
        let name = named
            .as_ref()
            .map_or(line.as_str(), CalendarAddress::as_str);
        seen.insert(name.to_ascii_lowercase())
    });
    each.collect()
}

fn refused(session: &Session<'_>, refusal: &Refusal) -> Refused {
    tracing::debug!(user = %session.user().address, "a question about busy time is refused: {}", refusal.text);
    match refusal.condition {
        Condition::CalendarData => Precondition::ValidCalendarData.into(),
        Condition::Originator => Precondition::OrganizerAllowed.into(),
        Condition::Attendees => Precondition::MaxAttendees.into(),
        Condition::TooEarly => Precondition::MinDateTime.into(),
        Condition::TooLate => Precondition::MaxDateTime.into(),
        Condition::SchedulingMessage
        | Condition::Recipients
        | Condition::Attachments
        | Condition::Instances => Precondition::ValidSchedulingMessage.into(),
    }
}
