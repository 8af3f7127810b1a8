//! Our people write objects, and answer invitations.

use super::world::{Host, NOW, address, calendar, meeting, message};
use crate::{Answered, Clock, NoReply, Outcome, Submit, Told, Unsent, compose_reply, send_object};
use convoke_calendar::{
    itip::{Outgoing, PartStat},
    message::Method,
};
use convoke_types::{RequestStatus, Uid};
use futures::executor::block_on;
use jiff::Timestamp;
use std::sync::Mutex;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        NOW.parse().unwrap()
    }
}

/// Hands in nothing: remembers it, and answers with these statuses, one a message; then it cannot be reached.
struct Clerk {
    answers: Mutex<Vec<RequestStatus>>,
    taken: Mutex<Vec<String>>,
}

impl Clerk {
    fn answering(answers: &[RequestStatus]) -> Self {
        Self {
            answers: Mutex::new(answers.iter().rev().cloned().collect()),
            taken: Mutex::default(),
        }
    }
}

impl Submit for Clerk {
    type Failure = String;

    async fn submit(&self, outgoing: &Outgoing) -> Result<Vec<Answered>, String> {
        let status = self.answers.lock().unwrap().pop();
        let status = status.ok_or("nobody is listening")?;
        let recipients: Vec<String> = outgoing
            .recipients
            .iter()
            .map(ToString::to_string)
            .collect();
        let what = format!("{} {}", outgoing.message.method(), recipients.join(" "));
        self.taken.lock().unwrap().push(what);
        let answered = recipients.into_iter();
        Ok(answered
            .map(|who| (who, Outcome::from(status.clone())))
            .collect())
    }
}

fn object(more: &str) -> String {
    let own = meeting(more).replace("anna@example.com", "dee@example.org");
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{own}END:VCALENDAR\n")
}

fn sends(host: &Host, object: &str, clerk: &Clerk) -> Result<Told, Unsent<String>> {
    let dee = host.person("dee");
    let object = calendar(object);
    block_on(send_object(
        &object,
        &dee,
        clerk,
        &crate::Limits::default(),
        &Fixed,
    ))
}

#[test]
fn an_object_is_stored_and_whom_it_concerns_is_told() {
    let host = Host::new();
    let clerk = Clerk::answering(&[RequestStatus::SUCCESS, RequestStatus::SUCCESS]);
    let told = sends(&host, &object(""), &clerk).unwrap();
    assert_eq!(told.answers.len(), 1);
    assert!(!told.again && !told.gone);
    assert!(host.person("dee").object("meeting").is_some());
    // The same again concerns nobody.
    let told = sends(&host, &object(""), &clerk).unwrap();
    assert!(told.answers.is_empty());
    assert_eq!(
        *clerk.taken.lock().unwrap(),
        ["REQUEST mailto:bo@example.org"]
    );
}

/// An empty property is as if it were not there.
#[test]
fn an_empty_attendee_is_nobody() {
    let host = Host::new();
    let clerk = Clerk::answering(&[RequestStatus::SUCCESS]);
    let told = sends(&host, &object("ATTENDEE:\nATTENDEE;CN=x: \n"), &clerk).unwrap();
    assert_eq!(told.answers.len(), 1, "{:?}", told.answers);
    let alone = object("ATTENDEE:\n")
        .replace("UID:meeting", "UID:alone")
        .replace("mailto:bo@example.org", "");
    let told = sends(&host, &alone, &clerk).unwrap();
    assert!(told.answers.is_empty(), "{:?}", told.answers);
    assert_eq!(
        *clerk.taken.lock().unwrap(),
        ["REQUEST mailto:bo@example.org"]
    );
}

#[test]
fn whom_it_did_not_reach_is_told_when_it_is_sent_again() {
    let host = Host::new();
    let clerk = Clerk::answering(&[RequestStatus::SERVICE_UNAVAILABLE, RequestStatus::SUCCESS]);
    let told = sends(&host, &object(""), &clerk).unwrap();
    assert!(told.again && told.unnoted.is_none());
    let stored = host.person("dee").object("meeting").unwrap();
    assert!(stored.contains("SCHEDULE-STATUS"), "{stored}");
    assert!(!sends(&host, &object(""), &clerk).unwrap().again);
    assert_eq!(clerk.taken.lock().unwrap().len(), 2);
}

#[test]
fn if_nobody_can_be_told_nothing_has_happened() {
    let host = Host::new();
    let clerk = Clerk::answering(&[]);
    let failed = sends(&host, &object(""), &clerk);
    assert!(matches!(failed, Err(Unsent::Failed(why)) if why == "nobody is listening"));
    assert_eq!(host.person("dee").object("meeting"), None);

    host.person("dee").has(&object(""));
    let moved = object("").replace("T100000Z", "T110000Z");
    assert!(sends(&host, &moved, &clerk).is_err());
    assert_eq!(host.person("dee").object("meeting").unwrap(), object(""));
}

#[test]
fn what_cannot_be_a_message_is_not_stored() {
    let host = Host::new();
    let clerk = Clerk::answering(&[]);
    let nobodys = object("").replace("ORGANIZER:mailto:dee@example.org\n", "");
    assert!(matches!(
        sends(&host, &nobodys, &clerk),
        Err(Unsent::Invalid(_))
    ));
    let unnamed = object("").replace("UID:meeting\n", "");
    assert!(matches!(sends(&host, &unnamed, &clerk), Err(Unsent::NoUid)));
    host.person("dee").has_rivals(64);
    assert!(matches!(
        sends(&host, &object(""), &clerk),
        Err(Unsent::Contended(_))
    ));
    host.person("dee").is_broken();
    assert!(matches!(
        sends(&host, &object(""), &clerk),
        Err(Unsent::Store(_))
    ));
}

/// What a calendar program exports of an instance that was moved is no end of the series.
#[test]
fn an_instance_alone_is_an_edit_of_that_instance() {
    let series = object("RRULE:FREQ=DAILY;COUNT=5\n");
    let moved = |day: u8| {
        let id = format!("RECURRENCE-ID:202701{day:02}T100000Z\n");
        object(&id).replace("DTSTART:20270104T10", &format!("DTSTART:202701{day:02}T15"))
    };
    let success = || RequestStatus::SUCCESS;
    let host = Host::new();
    let clerk = Clerk::answering(&[success(), success(), success()]);
    for written in [&series, &moved(5), &moved(6)] {
        sends(&host, written, &clerk).unwrap();
    }
    // The same again concerns nobody.
    let told = sends(&host, &moved(5), &clerk).unwrap();
    assert!(told.answers.is_empty());
    assert_eq!(
        *clerk.taken.lock().unwrap(),
        ["REQUEST mailto:bo@example.org"; 3]
    );
    let stored = host.person("dee").object("meeting").unwrap();
    assert_eq!(stored.matches("BEGIN:VEVENT").count(), 3, "{stored}");
    assert!(stored.contains("DTSTART:20270105T15"), "{stored}");

    // Twice the same instance is no edit, nor is one of another kind.
    let instance = moved(7);
    let (head, event) = instance.split_at(instance.find("BEGIN:VEVENT").unwrap());
    let twice = format!("{head}{}{event}", event.replace("END:VCALENDAR\n", ""));
    for wrong in [twice, instance.replace("VEVENT", "VTODO")] {
        let refused = sends(&host, &wrong, &clerk);
        assert!(matches!(refused, Err(Unsent::Invalid(_))), "{refused:?}");
    }
    assert_eq!(host.person("dee").object("meeting").unwrap(), stored);
}

/// A guest who answers one instance of a series says nothing of the others.
#[test]
fn an_instance_alone_answers_for_that_instance() {
    let host = Host::new();
    let bo = host.person("bo");
    let series = meeting("RRULE:FREQ=DAILY;COUNT=5\n");
    host.receives(
        &message("REQUEST", &series),
        "anna@example.com",
        &["bo@example.org"],
    );
    let declined = meeting("RECURRENCE-ID:20270105T100000Z\n")
        .replace("DTSTART:20270104", "DTSTART:20270105")
        .replace("ATTENDEE:", "ATTENDEE;PARTSTAT=DECLINED:");
    let object = calendar(&format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\n{declined}END:VCALENDAR\n"
    ));
    let clerk = Clerk::answering(&[RequestStatus::SUCCESS]);
    let limits = crate::Limits::default();
    block_on(send_object(&object, &bo, &clerk, &limits, &Fixed)).unwrap();
    assert_eq!(
        *clerk.taken.lock().unwrap(),
        ["REPLY mailto:anna@example.com"]
    );
    let stored = bo.object("meeting").unwrap();
    assert!(
        stored.contains("RRULE") && stored.contains("DECLINED"),
        "{stored}"
    );
}

#[test]
fn guests_without_an_address_are_named() {
    let host = Host::new();
    let clerk = Clerk::answering(&[RequestStatus::SUCCESS]);
    let told = sends(&host, &object("ATTENDEE:Eve next door\n"), &clerk).unwrap();
    let (name, outcome) = &told.answers[0];
    assert_eq!(name, "Eve next door");
    assert!(
        outcome
            .status
            .same_code(&RequestStatus::INVALID_CALENDAR_USER)
    );
}

#[test]
fn an_answer_is_made_of_the_own_copy() {
    let host = Host::new();
    let bo = host.person("bo");
    let uid = Uid::new("meeting").unwrap();
    let reply = || {
        let now = NOW.parse().unwrap();
        block_on(compose_reply(
            &bo,
            &uid,
            PartStat::Accepted,
            &crate::Limits::default(),
            now,
        ))
    };
    assert!(matches!(reply(), Err(NoReply::Unknown)));
    let text = message("REQUEST", &meeting(""));
    host.receives(&text, "anna@example.com", &["bo@example.org"]);
    let answers = reply().unwrap();
    let [answer] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    assert_eq!(answer.message.method(), Method::Reply);
    assert_eq!(answer.recipients, [address("anna@example.com")]);
    bo.is_broken();
    assert!(matches!(reply(), Err(NoReply::Store(_))));
}
