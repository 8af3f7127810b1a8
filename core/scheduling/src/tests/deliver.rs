//! Messages of other servers for our people.

use super::world::{Host, codes, meeting, message};
use crate::{Answers, Grant, Outcome, Quota, Unbounded, Verdict};
use convoke_types::{RequestStatus, Uninvited};
use std::time::Duration;

const ANNA: &str = "anna@example.com";

fn request(more: &str) -> String {
    message("REQUEST", &meeting(more))
}

#[test]
fn an_invitation_lies_in_the_calendar_and_comes_again_without_harm() {
    let host = Host::new();
    for _ in 0..2 {
        let outcomes = host.receives(&request(""), ANNA, &["bo@example.org"]);
        assert_eq!(codes(&outcomes), ["2.0"]);
    }
    let stored = host.person("bo").object("meeting").unwrap();
    assert!(stored.contains("SUMMARY:Review"), "{stored}");
    assert!(!stored.contains("METHOD"), "{stored}");
    assert_eq!(host.recorded(), ["delivered REQUEST 2.0"; 2]);
}

#[test]
fn each_recipient_has_an_outcome_of_its_own() {
    let host = Host::new();
    host.person("dee").is_broken();
    let more = "ATTENDEE:mailto:dee@example.org\nATTENDEE:mailto:nobody@example.org\nATTENDEE:mailto:x@example.net\n\
                ATTENDEE:urn:uuid:cy\n";
    let to = [
        "dee@example.org",
        "bo@example.org",
        "nobody@example.org",
        "x@example.net",
        "eve@example.org",
        "urn:uuid:cy",
    ];
    let outcomes = host.receives(&request(more), ANNA, &to);
    assert_eq!(codes(&outcomes), ["5.1", "2.0", "3.7", "3.7", "3.7", "2.0"]);
    let conditions: Vec<_> = outcomes.iter().map(|it| it.condition).collect();
    assert_eq!(conditions[4], Some("recipient-mismatch"));
    assert_eq!(conditions.iter().flatten().count(), 1);
    assert!(host.person("cy").object("meeting").is_some());
    assert!(host.sent().is_empty(), "nothing is relayed");
}

#[test]
fn policy_is_asked_before_a_store_is() {
    let wait = Duration::from_secs(9);
    for (verdict, status) in [
        (Verdict::Deny, RequestStatus::NO_AUTHORITY),
        (Verdict::Unavailable, RequestStatus::SERVICE_UNAVAILABLE),
        (
            Verdict::RateLimited(wait),
            RequestStatus::SERVICE_UNAVAILABLE.with_text("Too often; try again in 10 seconds"),
        ),
    ] {
        let host = Host::new();
        host.policies_say(verdict);
        // The same for somebody who exists and somebody who does not.
        let more = "ATTENDEE:mailto:nobody@example.org\n";
        let to = ["bo@example.org", "nobody@example.org"];
        let outcomes = host.receives(&request(more), ANNA, &to);
        assert_eq!(outcomes, [status.clone().into(), status.into()]);
        assert_eq!(host.person("bo").object("meeting"), None);
    }
}

#[test]
fn a_quota_is_counted_for_whom_there_is() {
    let host = Host::new();
    let quota = Quota {
        policy: "rules".to_owned(),
        bucket: 1,
        rate: "1/h".parse().unwrap(),
    };
    let grant = Grant {
        quotas: vec![quota],
        ..Grant::default()
    };
    host.policies_say(Verdict::Allow(grant));
    let more = "ATTENDEE:mailto:nobody@example.org\n";
    let to = ["bo@example.org", "nobody@example.org"];
    let outcomes = host.receives(&request(more), ANNA, &to);
    assert_eq!(codes(&outcomes), ["5.1", "3.7"]);
    assert!(
        outcomes[0]
            .status
            .text()
            .ends_with("try again in 60 seconds")
    );
}

#[test]
fn a_store_that_does_itip_by_itself_takes_the_message_whole() {
    let host = Host::new();
    host.person("bo").takes_whole(RequestStatus::DELIVERED);
    let outcomes = host.receives(&request(""), ANNA, &["bo@example.org"]);
    assert_eq!(codes(&outcomes), ["1.2"]);
    assert_eq!(host.person("bo").object("meeting"), None);
}

#[test]
fn other_writers_may_come_between_for_a_while() {
    let host = Host::new();
    host.receives(&request(""), ANNA, &["bo@example.org"]);
    let later = request("SEQUENCE:1\n").replace("T100000Z", "T110000Z");
    for (rivals, code, moved) in [(100, "5.1", false), (63, "2.0", true)] {
        host.person("bo").has_rivals(rivals);
        let outcomes = host.receives(&later, ANNA, &["bo@example.org"]);
        assert_eq!(codes(&outcomes), [code]);
        host.person("bo").has_rivals(0);
        let stored = host.person("bo").object("meeting").unwrap();
        assert_eq!(stored.contains("T110000Z"), moved, "{stored}");
    }
}

#[test]
fn an_answer_changes_the_organizers_copy() {
    let host = Host::new();
    let own =
        meeting("ATTENDEE:mailto:cy@example.com\n").replace("anna@example.com", "dee@example.org");
    host.person("dee").has(&format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\n{own}END:VCALENDAR\n"
    ));
    let reply = |who: &str| {
        let line = format!("ATTENDEE;PARTSTAT=ACCEPTED:mailto:{who}");
        let event = meeting("").replace("anna@example.com", "dee@example.org");
        message(
            "REPLY",
            &event.replace("ATTENDEE:mailto:bo@example.org", &line),
        )
    };
    let dee = ["dee@example.org"];
    let outcomes = host.receives(&reply("cy@example.com"), "cy@example.com", &dee);
    assert_eq!(codes(&outcomes), ["2.0"]);
    let stored = host.person("dee").object("meeting").unwrap();
    assert_eq!(stored.matches("PARTSTAT=ACCEPTED").count(), 1, "{stored}");

    // Somebody whom nobody invited.
    let stranger = reply("eve@example.net");
    let outcomes = host.receives(&stranger, "eve@example.net", &dee);
    assert_eq!(codes(&outcomes), ["3.8"]);
    host.policies_say(Verdict::Allow(Grant {
        uninvited: Some(Uninvited::Accept),
        ..Grant::default()
    }));
    let outcomes = host.receives(&stranger, "eve@example.net", &dee);
    assert_eq!(codes(&outcomes), ["2.0"]);
    let stored = host.person("dee").object("meeting").unwrap();
    assert!(stored.contains("eve@example.net"), "{stored}");
}

#[test]
fn a_proposal_waits_for_the_person() {
    let host = Host::new();
    let own = meeting("").replace("anna@example.com", "dee@example.org");
    let own = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{own}END:VCALENDAR\n");
    let bo = "bo@example.com";
    host.person("dee").has(&own.replace("bo@example.org", bo));
    let counter = meeting("")
        .replace("anna@example.com", "dee@example.org")
        .replace("bo@example.org", bo)
        .replace("T100000Z", "T150000Z");
    let counter = message("COUNTER", &counter);
    let outcomes = host.receives(&counter, bo, &["dee@example.org"]);
    assert_eq!(codes(&outcomes), ["2.0"]);
    let dee = host.person("dee");
    assert_eq!(dee.inbox(), ["mailto:bo@example.com COUNTER "]);
    assert!(dee.object("meeting").unwrap().contains("T100000Z"));

    // Longer than what one sender may have lie there.
    let text = counter.replace("SUMMARY:", &format!("SUMMARY:{}", "x".repeat(200)));
    let host = Host::with(crate::Limits {
        inbox: 300,
        content_length: 300,
        ..crate::Limits::default()
    });
    host.person("dee").has(&own.replace("bo@example.org", bo));
    let message = convoke_calendar::message::Message::read(super::world::calendar(&text)).unwrap();
    let outcomes = host.delivers(&message, &text, bo, &["dee@example.org"], &Unbounded);
    assert_eq!(codes(&outcomes), ["5.1"]);
    assert!(host.person("dee").inbox().is_empty());
}

/// Room for nothing.
struct Full;

impl Answers for Full {
    async fn admit(&self, _: Outcome) -> Outcome {
        RequestStatus::SERVICE_UNAVAILABLE.into()
    }
}

#[test]
fn what_is_answered_is_what_there_is_room_for() {
    let host = Host::new();
    let text = request("");
    let message = host.reads(&text, ANNA, &["bo@example.org"]).unwrap();
    let outcomes = host.delivers(&message, &text, ANNA, &["bo@example.org"], &Full);
    assert_eq!(codes(&outcomes), ["5.1"]);
}

/// Whoever was invited or answered is no stranger any more.
#[test]
fn who_was_written_to_is_known() {
    let host = Host::new();
    host.holds_strangers();
    let text = message("REQUEST", &meeting(""));
    let anna = "anna@example.com";
    host.receives(&text, anna, &["bo@example.org"]);
    assert_eq!(host.person("bo").object("meeting"), None);
    assert_eq!(host.person("bo").inbox().len(), 1);
    let own = meeting("")
        .replace(anna, "bo@example.org")
        .replace(
            "ATTENDEE:mailto:bo@example.org",
            "ATTENDEE:mailto:anna@example.com",
        )
        .replace("UID:meeting", "UID:other");
    host.submits(&message("REQUEST", &own), "bo@example.org", &[anna]);
    host.receives(&text, anna, &["bo@example.org"]);
    assert!(host.person("bo").object("meeting").is_some());
}

/// A mail may be days under way, and what calls it off be faster.
#[test]
fn what_was_called_off_before_it_came_invites_nobody() {
    let series = "RRULE:FREQ=DAILY;COUNT=3\n";
    let id = "RECURRENCE-ID:20270105T100000Z\n";
    let receives = |host: &Host, text: &str| {
        assert_eq!(
            codes(&host.receives(text, ANNA, &["bo@example.org"])),
            ["2.0"]
        );
        host.person("bo").object("meeting")
    };
    let cancel = |more: &str| message("CANCEL", &meeting(&format!("SEQUENCE:1\n{more}")));

    for status in ["STATUS:CANCELLED\n", ""] {
        let host = Host::new();
        assert_eq!(receives(&host, &cancel(status)), None);
        assert_eq!(receives(&host, &request("")), None);
        assert_eq!(receives(&host, &request("")), None);
        assert!(receives(&host, &request("SEQUENCE:2\n")).is_some());
    }

    // An instance is off; the others take place.
    let host = Host::new();
    let instance = cancel(id).replace("DTSTART:20270104", "DTSTART:20270105");
    assert_eq!(receives(&host, &instance), None);
    let stored = receives(&host, &request(series)).unwrap();
    assert!(
        stored.contains("STATUS:CANCELLED") && stored.contains("RRULE"),
        "{stored}"
    );
}
