//! Our people write objects, and answer invitations.

use super::world::{Host, address, calendar, codes, meeting, message};
use crate::{NoReply, Outcome, Response, Retry, Told, Unbounded, Unsent};
use convoke_calendar::{
    itip::{PartStat, Proposal},
    message::Method,
    time::When,
    tree::Property,
};
use convoke_types::{RequestStatus, Uid};
use futures::executor::block_on;

const BO: &str = "bo@example.com";

fn object(more: &str) -> String {
    let own = meeting(more).replace("anna@example.com", "dee@example.org");
    let own = own.replace("bo@example.org", BO);
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{own}END:VCALENDAR\n")
}

fn sends(host: &Host, object: &str) -> Result<Told, Unsent> {
    let dee = host.person("dee");
    block_on(
        host.scheduler
            .send_object(&dee, &calendar(object), &Unbounded),
    )
}

fn answers(told: &Told) -> Vec<String> {
    let outcomes: Vec<Outcome> = told.answers.iter().map(|(_, it)| it.clone()).collect();
    codes(&outcomes)
}

#[test]
fn an_object_is_stored_and_whom_it_concerns_is_told() {
    let host = Host::new();
    let told = sends(&host, &object("")).unwrap();
    assert_eq!(answers(&told), ["1.2"]);
    let stored = host.person("dee").object("meeting").unwrap();
    assert!(stored.contains("SCHEDULE-STATUS=1.2"), "{stored}");
    // The same again concerns nobody.
    let told = sends(&host, &object("")).unwrap();
    assert!(told.answers.is_empty());
    assert_eq!(host.sent(), ["REQUEST dee@example.org bo@example.com"]);
}

/// What a calendar program has stored already is told as well, be it by command.
#[test]
fn what_is_stored_already_and_was_told_to_nobody_is_told() {
    let host = Host::new();
    host.looks("dee");
    host.person("dee").has(&object(""));
    let told = sends(&host, &object("")).unwrap();
    assert_eq!(answers(&told), ["1.2"]);
}

/// A program has stored it a moment ago, and nobody was told yet: what changes by command is called off for nobody.
#[test]
fn nobody_hears_the_end_of_what_they_never_heard_of() {
    let host = Host::new();
    host.looks("dee");
    let cy = "ATTENDEE:mailto:cy@example.com\n";
    host.person("dee").has(&object(cy));
    sends(&host, &object("")).unwrap();
    assert_eq!(host.sent(), ["REQUEST dee@example.org bo@example.com"]);
    // What was there at the first look was told, as far as anybody knows.
    let host = Host::new();
    host.person("dee").has(&object(cy));
    host.looks("dee");
    sends(&host, &object("")).unwrap();
    let told = [
        "CANCEL dee@example.org cy@example.com",
        "REQUEST dee@example.org bo@example.com",
    ];
    assert_eq!(host.sent(), told);
}

/// An empty property is as if it were not there.
#[test]
fn an_empty_attendee_is_nobody() {
    let host = Host::new();
    let told = sends(&host, &object("ATTENDEE:\nATTENDEE;CN=x: \n")).unwrap();
    assert_eq!(told.answers.len(), 1, "{:?}", told.answers);
    let alone = object("ATTENDEE:\n")
        .replace("UID:meeting", "UID:alone")
        .replace("mailto:bo@example.com", "");
    let told = sends(&host, &alone).unwrap();
    assert!(told.answers.is_empty(), "{:?}", told.answers);
    assert_eq!(host.sent(), ["REQUEST dee@example.org bo@example.com"]);
}

#[test]
fn whom_it_did_not_reach_is_told_later() {
    let host = Host::new();
    host.elsewhere_says(RequestStatus::SERVICE_UNAVAILABLE);
    let told = sends(&host, &object("")).unwrap();
    assert_eq!(answers(&told), ["1.0"]);
    let stored = || host.person("dee").object("meeting").unwrap();
    assert!(stored().contains("SCHEDULE-STATUS=1.0"), "{}", stored());
    host.elsewhere_says(RequestStatus::SUCCESS);
    host.pays();
    assert_eq!(host.sent().len(), 1, "it is not tried again at once");
    host.pass(std::time::Duration::from_secs(70));
    host.pays();
    assert_eq!(host.sent().len(), 2);
    assert!(stored().contains("SCHEDULE-STATUS=2.0"), "{}", stored());
    assert!(host.waits().is_empty());
    assert!(host.world().remembered.keys("message/").is_empty());
}

#[test]
fn a_final_no_is_final() {
    let host = Host::new();
    host.elsewhere_says(RequestStatus::NO_AUTHORITY);
    let told = sends(&host, &object("")).unwrap();
    assert_eq!(answers(&told), ["3.8"]);
    assert!(host.waits().is_empty());
    assert_eq!(told.answers[0].1.retry, Retry::No);
}

#[test]
fn what_cannot_be_a_message_is_not_stored() {
    let host = Host::new();
    let nobodys = object("").replace("ORGANIZER:mailto:dee@example.org\n", "");
    assert!(matches!(sends(&host, &nobodys), Err(Unsent::Invalid(_))));
    let unnamed = object("").replace("UID:meeting\n", "");
    assert!(matches!(sends(&host, &unnamed), Err(Unsent::NoUid)));
    host.person("dee").has_rivals(64);
    assert!(matches!(
        sends(&host, &object("")),
        Err(Unsent::Contended(_))
    ));
    host.person("dee").is_broken();
    assert!(matches!(sends(&host, &object("")), Err(Unsent::Store(_))));
}

/// What a calendar program exports of an instance that was moved is no end of the series.
#[test]
fn an_instance_alone_is_an_edit_of_that_instance() {
    let series = object("RRULE:FREQ=DAILY;COUNT=5\n");
    let moved = |day: u8| {
        let id = format!("RECURRENCE-ID:202701{day:02}T100000Z\n");
        object(&id).replace("DTSTART:20270104T10", &format!("DTSTART:202701{day:02}T15"))
    };
    let host = Host::new();
    for written in [&series, &moved(5), &moved(6)] {
        sends(&host, written).unwrap();
    }
    // The same again concerns nobody.
    let told = sends(&host, &moved(5)).unwrap();
    assert!(told.answers.is_empty());
    assert_eq!(host.sent(), ["REQUEST dee@example.org bo@example.com"; 3]);
    let stored = host.person("dee").object("meeting").unwrap();
    assert_eq!(stored.matches("BEGIN:VEVENT").count(), 3, "{stored}");
    assert!(stored.contains("DTSTART:20270105T15"), "{stored}");

    // Twice the same instance is no edit, nor is one of another kind.
    let instance = moved(7);
    let (head, event) = instance.split_at(instance.find("BEGIN:VEVENT").unwrap());
    let twice = format!("{head}{}{event}", event.replace("END:VCALENDAR\n", ""));
    for wrong in [twice, instance.replace("VEVENT", "VTODO")] {
        let refused = sends(&host, &wrong);
        assert!(matches!(refused, Err(Unsent::Invalid(_))), "{refused:?}");
    }
    let unchanged = host.person("dee").object("meeting").unwrap();
    assert_eq!(unchanged, stored);
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
    block_on(host.scheduler.send_object(&bo, &object, &Unbounded)).unwrap();
    assert_eq!(host.sent(), ["REPLY bo@example.org anna@example.com"]);
    let stored = bo.object("meeting").unwrap();
    assert!(
        stored.contains("RRULE") && stored.contains("DECLINED"),
        "{stored}"
    );
}

/// What a guest says by command stands as what its program says does, whatever the organizer's next update says.
#[test]
fn what_a_guest_says_by_command_is_remembered() {
    let host = Host::new();
    let bo = host.person("bo");
    let receives = |meeting: &str| {
        let told = message("REQUEST", meeting);
        host.receives(&told, "anna@example.com", &["bo@example.org"]);
    };
    let says = |edit: &dyn Fn(&str) -> String| {
        let object = calendar(&edit(&bo.object("meeting").unwrap()));
        block_on(host.scheduler.send_object(&bo, &object, &Unbounded)).unwrap();
    };
    let series = meeting("RRULE:FREQ=DAILY;COUNT=5\n");
    receives(&series);
    says(&|it| it.replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:"));
    says(&|it| it.replace("RRULE", "EXDATE:20270105T100000Z\nRRULE"));
    says(&|it| it.replace("=ACCEPTED", "=NEEDS-ACTION"));
    says(&|it| it.replace("RRULE", "CATEGORIES:mine\nRRULE"));
    assert_eq!(host.sent(), ["REPLY bo@example.org anna@example.com"; 3]);
    let update = series.replace("RRULE", "LOCATION:Garden\nRRULE");
    receives(&update.replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:"));
    let stored = bo.object("meeting").unwrap();
    let has = [
        "LOCATION:Garden",
        "EXDATE:20270105T100000Z",
        "=NEEDS-ACTION",
        "CATEGORIES:mine",
    ];
    assert!(has.iter().all(|it| stored.contains(it)), "{stored}");
    assert!(!stored.contains("X-CONVOKE"), "{stored}");
}

#[test]
fn guests_without_an_address_are_named() {
    let host = Host::new();
    let told = sends(&host, &object("ATTENDEE:Eve next door\n")).unwrap();
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
    let accepted = Response::Reply(PartStat::Accepted.into());
    let reply = || block_on(host.scheduler.compose_response(&bo, &uid, &accepted));
    assert!(matches!(reply(), Err(NoReply::Unknown)));
    let text = message("REQUEST", &meeting(""));
    host.receives(&text, "anna@example.com", &["bo@example.org"]);
    let answers = reply().unwrap();
    let [answer] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    assert_eq!(answer.message.method(), Method::Reply);
    assert_eq!(answer.recipients, [address("anna@example.com")]);
    // In the same second, and where the clock is set back: the next answer is the later one all the same.
    block_on(host.scheduler.send_message(answer));
    let is_later = || reply().unwrap()[0].message.dtstamp() > answer.message.dtstamp();
    assert!(is_later());
    host.sets_clock_back(std::time::Duration::from_secs(120));
    assert!(is_later());
    bo.is_broken();
    assert!(matches!(reply(), Err(NoReply::Store(_))));
}

/// A calendar program that raises SEQUENCE at each save makes no newer version of it.
#[test]
fn an_answer_is_about_the_version_that_was_received() {
    let host = Host::new();
    let uid = Uid::new("meeting").unwrap();
    let text = message("REQUEST", &meeting("SEQUENCE:2\n"));
    host.receives(&text, "anna@example.com", &["bo@example.org"]);
    let bo = host.person("bo");
    bo.edits("meeting", |text| text.replace("SEQUENCE:2", "SEQUENCE:9"));
    let late = Proposal {
        start: When::of(&Property::new("DTSTART", "20270104T120000Z")).unwrap(),
        end: None,
        instance: None,
        comment: None,
    };
    for response in [
        Response::Reply(PartStat::Accepted.into()),
        Response::Counter(late),
    ] {
        let composed = host.scheduler.compose_response(&bo, &uid, &response);
        let composed = block_on(composed).unwrap();
        assert_eq!(composed[0].message.sequence(), 2, "{response:?}");
    }
}
