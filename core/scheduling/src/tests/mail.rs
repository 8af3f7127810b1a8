//! Who is reached by mail, and when.

use super::world::{Host, address, calendar, codes, meeting, message};
use crate::{Clock, Environment, Home, Outcome, Retry, Unbounded, Via, send::Goes};
use convoke_calendar::{itip::Outgoing, message::Message};
use convoke_types::RequestStatus;
use futures::executor::block_on;
use std::{pin::pin, time::Duration};

pub(super) const DEE: &str = "dee@example.org";
pub(super) const X: &str = "x@example.net";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Dee's meeting with X, at its revision.
pub(super) fn request(revision: u32) -> String {
    let more = format!("ATTENDEE:mailto:{X}\nSEQUENCE:{revision}\n");
    let event = meeting(&more).replace("anna@example.com", DEE);
    message(
        "REQUEST",
        &event.replace("ATTENDEE:mailto:bo@example.org\n", ""),
    )
}

pub(crate) fn no_receiver() -> Outcome {
    Outcome {
        retry: Retry::ByMail,
        ..RequestStatus::NO_SCHEDULING_SUPPORT.into()
    }
}

fn down() -> Outcome {
    Outcome::from(RequestStatus::SERVICE_UNAVAILABLE)
        .at_receiver(None)
        .via(Via::Ischedule)
}

/// What stands in Dee's object of X.
pub(super) fn status(host: &Host) -> String {
    let object = host.person("dee").object("meeting").unwrap();
    let line = object.lines().find(|it| it.contains(X)).unwrap();
    let status = line.split("SCHEDULE-STATUS=").nth(1).unwrap_or_default();
    status
        .trim_start_matches('"')
        .split(['"', ';', ':'])
        .next()
        .unwrap()
        .to_owned()
}

/// Days pass, in steps that no retry falls through.
pub(super) fn pass(host: &Host, days: u32) {
    for _ in 0..days * 12 {
        host.pass(DAY / 12);
        host.pays();
    }
}

#[test]
fn who_has_no_receiver_is_reached_by_mail() {
    let host = Host::new();
    host.elsewhere_says(no_receiver());
    host.mail_server_says(RequestStatus::SENT);
    let outcomes = host.submits(&request(0), DEE, &[X]);
    assert_eq!(codes(&outcomes), ["1.1"]);
    assert_eq!(outcomes[0].via, Some(Via::Mail));
    assert_eq!(
        host.mailed(),
        ["REQUEST 0 x@example.net 2026-12-01T08:00:00Z"]
    );
    assert_eq!(status(&host), "1.1");
    assert!(host.waits().is_empty());
    assert_eq!(host.recorded(), ["sent REQUEST 1.1"]);
}

#[test]
fn nobody_is_mailed_without_a_mail_server() {
    let host = Host::new();
    host.elsewhere_says(no_receiver());
    let outcomes = host.submits(&request(0), DEE, &[X]);
    assert_eq!(codes(&outcomes), ["5.3"]);
    assert_eq!(outcomes[0].retry, Retry::No);
    assert!(host.waits().is_empty());
}

#[test]
fn an_answer_of_a_receiver_is_final() {
    for answer in [
        RequestStatus::INVALID_CALENDAR_USER,
        RequestStatus::NO_SCHEDULING_SUPPORT,
        RequestStatus::NO_AUTHORITY,
    ] {
        let host = Host::new();
        let code = answer.code();
        host.elsewhere_says(Outcome::from(answer).via(Via::Ischedule));
        host.mail_server_says(RequestStatus::SENT);
        let outcomes = host.submits(&request(0), DEE, &[X]);
        assert_eq!(codes(&outcomes), [code]);
        pass(&host, 4);
        assert!(host.mailed().is_empty());
    }
}

#[test]
fn busy_time_is_not_asked_by_mail() {
    let host = Host::new();
    host.elsewhere_says(no_receiver());
    host.mail_server_says(RequestStatus::SENT);
    let question = "BEGIN:VFREEBUSY\nUID:q\nDTSTAMP:20261201T070000Z\nDTSTART:20270104T000000Z\n\
                    DTEND:20270105T000000Z\nORGANIZER:mailto:dee@example.org\nATTENDEE:mailto:x@example.net\n\
                    END:VFREEBUSY\n";
    let outcomes = host.submits(&message("REQUEST", question), DEE, &[X]);
    assert_eq!(codes(&outcomes), ["5.3"]);
    assert!(host.mailed().is_empty());
}

/// The receiver is retried for as long as the administrator says, then a mail goes, and nothing to the receiver any more.
#[test]
fn what_no_receiver_took_in_time_goes_by_mail_once() {
    let host = Host::new();
    host.elsewhere_says(down());
    host.mail_server_says(RequestStatus::SENT);
    assert_eq!(codes(&host.submits(&request(0), DEE, &[X])), ["1.0"]);
    pass(&host, 2);
    assert!(host.mailed().is_empty());
    assert_eq!(status(&host), "1.0");
    pass(&host, 2);
    assert_eq!(host.mailed().len(), 1, "{:?}", host.mailed());
    assert_eq!(status(&host), "1.1");
    let posted = host.sent().len();
    host.elsewhere_says(RequestStatus::DELIVERED);
    pass(&host, 4);
    assert_eq!((host.mailed().len(), host.sent().len()), (1, posted));
}

/// All that waits for a receiver goes in time, though one tries for all.
#[test]
fn all_that_waits_for_a_receiver_goes_by_mail_in_time() {
    let host = Host::new();
    host.elsewhere_says(down());
    host.mail_server_says(RequestStatus::SENT);
    for number in 0..20 {
        let text = request(0).replace("UID:meeting", &format!("UID:meeting-{number}"));
        assert_eq!(codes(&host.submits(&text, DEE, &[X])), ["1.0"]);
    }
    pass(&host, 2);
    assert!(host.mailed().is_empty());
    host.pass(DAY);
    host.pays();
    assert_eq!(host.mailed().len(), 20);
}

#[test]
fn what_is_over_is_mailed_to_nobody() {
    let host = Host::new();
    host.elsewhere_says(down());
    host.mail_server_says(RequestStatus::SENT);
    // It ends before delivery is given up.
    let soon = request(0).replace("20270104T100000Z", "20261202T100000Z");
    assert_eq!(codes(&host.submits(&soon, DEE, &[X])), ["1.0"]);
    pass(&host, 4);
    assert!(host.mailed().is_empty());
    assert_eq!(status(&host), "5.1");
}

/// One version of a meeting goes to a person by one transport; the next one where they are reached then.
#[test]
fn what_began_to_go_by_mail_goes_on_so() {
    let host = Host::new();
    host.elsewhere_says(no_receiver());
    host.mail_server_says(Outcome::from(RequestStatus::SERVICE_UNAVAILABLE).at_receiver(None));
    assert_eq!(codes(&host.submits(&request(0), DEE, &[X])), ["1.0"]);
    let asked = host.sent().len();
    host.elsewhere_says(Outcome::from(RequestStatus::DELIVERED).via(Via::Ischedule));
    let host = host.restarted();
    assert_eq!(host.shared.outbox.entries()[0].via, Some(Via::Mail));
    pass(&host, 1);
    assert_eq!(host.sent().len(), asked, "it goes by mail alone");
    assert!(host.mailed().len() > 5);
    host.mail_server_says(RequestStatus::SENT);
    pass(&host, 1);
    assert_eq!(status(&host), "1.1");
    let mailed = host.mailed();
    let first = &mailed[0];
    assert!(
        mailed.iter().all(|it| it == first),
        "the same each time: {mailed:?}"
    );

    assert_eq!(codes(&host.submits(&request(1), DEE, &[X])), ["1.2"]);
    pass(&host, 4);
    assert_eq!(host.mailed(), mailed);
}

/// A mail server that is down delays what goes by mail, and nothing else.
#[test]
fn a_mail_server_that_is_down_delays_mail_alone() {
    let host = Host::new();
    host.elsewhere_says(no_receiver());
    host.mail_server_says(Outcome::from(RequestStatus::SERVICE_UNAVAILABLE).at_receiver(None));
    for number in 0..10 {
        let to = format!("x{number}@{number}.example");
        let text = request(0).replace("UID:meeting", &format!("UID:meeting-{number}"));
        let outcomes = host.submits(&text.replace(X, &to), DEE, &[&to]);
        assert_eq!(codes(&outcomes), ["1.0"]);
    }
    let tried = host.mailed().len();
    host.elsewhere_says(RequestStatus::DELIVERED);
    let other = request(0)
        .replace("UID:meeting", "UID:other")
        .replace(X, "y@1.example");
    assert_eq!(codes(&host.submits(&other, DEE, &["y@1.example"])), ["1.2"]);
    host.pass(Duration::from_secs(70));
    host.pays();
    assert_eq!(host.mailed().len(), tried + 1, "one tries for all");
    host.mail_server_says(RequestStatus::SENT);
    host.pass(Duration::from_secs(600));
    host.pays();
    assert_eq!(host.mailed().len(), tried + 1 + 10);
    assert!(host.waits().is_empty());
}

#[test]
fn what_the_mail_server_refuses_for_good_has_failed() {
    let host = Host::new();
    host.elsewhere_says(no_receiver());
    let refused = RequestStatus::SERVICE_UNAVAILABLE.with_text("550 5.1.1 no such mailbox");
    host.mail_server_says(Outcome {
        retry: Retry::No,
        ..refused.into()
    });
    let outcomes = host.submits(&request(0), DEE, &[X]);
    assert_eq!(codes(&outcomes), ["5.1"]);
    assert_eq!(status(&host), "5.1");
    assert!(host.waits().is_empty());
    let told = "dee@example.org x@example.net Undeliverable(\"550 5.1.1 no such mailbox\")";
    assert_eq!(host.notices(), [told]);
}

#[test]
fn people_are_told_what_their_program_may_not_show() {
    let host = Host::new();
    assert_eq!(codes(&host.submits(&request(0), DEE, &[X])), ["1.2"]);
    let answer = request(0).replace("METHOD:REQUEST", "METHOD:REPLY");
    let answer = answer.replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:");
    assert_eq!(codes(&host.receives(&answer, X, &[DEE])), ["2.0"]);
    host.holds_strangers();
    let text = message("REQUEST", &meeting("").replace("UID:meeting", "UID:other"));
    host.receives(&text, "anna@example.com", &["bo@example.org"]);
    let told = [
        "dee@example.org x@example.net Answered(ACCEPTED of Review at 20270104T100000Z)",
        "bo@example.org anna@example.com Waits",
    ];
    assert_eq!(host.notices(), told);
}

/// Rooms and people of ours answer an organizer who is reached by mail alone.
#[test]
fn an_answer_goes_by_mail_to_an_organizer_without_receiver() {
    let host = Host::new().with_room("room", &[]);
    host.elsewhere_says(no_receiver());
    host.mail_server_says(RequestStatus::SENT);
    let text = message("REQUEST", &meeting("ATTENDEE:mailto:room@example.org\n"));
    host.receives(&text, "anna@example.com", &["room@example.org"]);
    host.pays();
    let mailed = host.mailed();
    assert_eq!(mailed.len(), 1, "{mailed:?}");
    assert!(
        mailed[0].starts_with("REPLY 0 anna@example.com"),
        "{mailed:?}"
    );
}

fn mail_server_down() -> Outcome {
    Outcome::from(RequestStatus::SERVICE_UNAVAILABLE).at_receiver(None)
}

fn cancel() -> String {
    request(2).replace("METHOD:REQUEST", "METHOD:CANCEL")
}

/// Nothing is called off that nobody has heard of, however often it was tried.
#[test]
fn what_never_left_is_not_called_off() {
    let host = Host::new();
    host.elsewhere_says(no_receiver());
    host.mail_server_says(mail_server_down().not_handed_over());
    assert_eq!(codes(&host.submits(&request(0), DEE, &[X])), ["1.0"]);
    pass(&host, 1);
    assert_eq!(codes(&host.submits(&request(1), DEE, &[X])), ["1.0"]);
    pass(&host, 1);
    assert_eq!(codes(&host.submits(&cancel(), DEE, &[X])), ["2.0"]);
    assert!(host.waits().is_empty());
    let mailed = host.mailed().len();
    host.mail_server_says(RequestStatus::SENT);
    pass(&host, 4);
    assert_eq!(host.mailed().len(), mailed);
}

/// Nobody knows whether one of the tries left: it is called off.
#[test]
fn what_may_have_left_is_called_off() {
    for update_between in [false, true] {
        let host = Host::new();
        host.elsewhere_says(no_receiver());
        host.mail_server_says(mail_server_down());
        assert_eq!(codes(&host.submits(&request(0), DEE, &[X])), ["1.0"]);
        host.mail_server_says(mail_server_down().not_handed_over());
        pass(&host, 1);
        if update_between {
            assert_eq!(codes(&host.submits(&request(1), DEE, &[X])), ["1.0"]);
            pass(&host, 1);
        }
        assert_eq!(codes(&host.submits(&cancel(), DEE, &[X])), ["1.0"]);
        host.mail_server_says(RequestStatus::SENT);
        pass(&host, 1);
        let last = host.mailed().pop().unwrap();
        assert!(last.starts_with("CANCEL 2 "), "{last}");
    }
}

/// The invitation was taken, its update never left: it is called off.
#[test]
fn what_was_told_once_is_called_off() {
    let host = Host::new();
    host.elsewhere_says(no_receiver());
    host.mail_server_says(RequestStatus::SENT);
    assert_eq!(codes(&host.submits(&request(0), DEE, &[X])), ["1.1"]);
    host.mail_server_says(mail_server_down().not_handed_over());
    assert_eq!(codes(&host.submits(&request(1), DEE, &[X])), ["1.0"]);
    assert_eq!(codes(&host.submits(&cancel(), DEE, &[X])), ["1.0"]);
    host.mail_server_says(RequestStatus::SENT);
    pass(&host, 1);
    let last = host.mailed().pop().unwrap();
    assert!(last.starts_with("CANCEL 2 "), "{last}");
}

#[test]
fn who_was_refused_for_good_hears_of_nothing_called_off() {
    let host = Host::new();
    host.elsewhere_says(no_receiver());
    let refused = Outcome {
        retry: Retry::No,
        ..RequestStatus::SERVICE_UNAVAILABLE.into()
    };
    host.mail_server_says(refused.not_handed_over());
    assert_eq!(codes(&host.submits(&request(0), DEE, &[X])), ["5.1"]);
    assert_eq!(codes(&host.submits(&cancel(), DEE, &[X])), ["2.0"]);
    assert_eq!(host.mailed().len(), 1);
}

/// The mail of an update has what its recipient was told last, by whatever way, and not what never arrived.
#[test]
fn an_update_by_mail_knows_what_was_told_last() {
    let titled = |revision, title: &str| {
        request(revision).replace("SUMMARY:Review", &format!("SUMMARY:{title}"))
    };
    let host = Host::new();
    let last = || {
        let last = host.mailed().pop().unwrap();
        last.split(" knows ").nth(1).map(str::to_owned)
    };
    host.elsewhere_says(no_receiver());
    host.mail_server_says(RequestStatus::SENT);
    host.submits(&titled(0, "Tea"), DEE, &[X]);
    assert_eq!(last(), None);
    host.submits(&titled(1, "Cake"), DEE, &[X]);
    assert_eq!(last().as_deref(), Some("Tea"));
    // The same again until it is taken.
    host.mail_server_says(mail_server_down());
    host.submits(&titled(2, "Pie"), DEE, &[X]);
    pass(&host, 1);
    assert_eq!(last().as_deref(), Some("Cake"));
    // By iSchedule meanwhile: what never arrived is skipped.
    host.elsewhere_says(Outcome::from(RequestStatus::DELIVERED).via(Via::Ischedule));
    host.submits(&titled(3, "Soup"), DEE, &[X]);
    host.elsewhere_says(no_receiver());
    host.mail_server_says(RequestStatus::SENT);
    host.submits(&titled(4, "Wine"), DEE, &[X]);
    assert_eq!(last().as_deref(), Some("Soup"));
}

/// Found by the simulator: what could not be delivered here in time is given up. It was tried again and again without a pause.
#[test]
fn our_own_people_are_not_mailed() {
    let host = Host::new();
    host.mail_server_says(RequestStatus::SENT);
    host.person("bo").is_broken();
    let text = request(0).replace(X, "bo@example.org");
    let outcomes = host.submits(&text, DEE, &["bo@example.org"]);
    assert_eq!(codes(&outcomes), ["1.0"]);
    pass(&host, 4);
    assert!(host.mailed().is_empty(), "{:?}", host.mailed());
    assert!(host.waits().is_empty(), "{:?}", host.waits());
}

/// Who hands a mail over and does not hear that it was taken hands it over again: days later, and the same.
#[test]
fn a_mail_that_comes_twice_is_acted_on_once() {
    const BO: &str = "bo@example.com";
    let host = Host::new();
    let own = meeting("")
        .replace("anna@example.com", DEE)
        .replace("bo@example.org", BO);
    host.person("dee").has(&format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\n{own}END:VCALENDAR\n"
    ));
    host.looks("dee");
    let dee = host.person("dee");
    let counter = message("COUNTER", &own.replace("T100000Z", "T150000Z"));
    let reply = own.replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:");
    let reply = message("REPLY", &reply);
    for again in [false, true] {
        assert_eq!(host.gets_mail("1@example.com", &counter, BO, DEE), "2.0");
        assert_eq!(dee.inbox().is_empty(), again, "{:?}", dee.inbox());
        for waiting in block_on(host.scheduler.inbox(&dee)).unwrap() {
            let id = &waiting.entry.id;
            block_on(host.scheduler.decline(&dee, id, None, &Unbounded)).unwrap();
        }
        assert_eq!(host.gets_mail("2@example.com", &reply, BO, DEE), "2.0");
        pass(&host, 2);
    }
    let answered = |it: &&String| it.contains("Answered");
    assert_eq!(
        host.notices().iter().filter(answered).count(),
        1,
        "{:?}",
        host.notices()
    );
    // Another mail may say the same, and who knows a Message-ID may say something else.
    host.gets_mail("3@example.com", &counter, BO, DEE);
    assert_eq!(dee.inbox().len(), 1);
    // Also where SEQUENCE and DTSTAMP, which counts seconds, are the same.
    let other = counter.replace("T150000Z", "T160000Z");
    host.gets_mail("3@example.com", &other, BO, DEE);
    let waiting = block_on(host.scheduler.inbox(&dee)).unwrap();
    let latest = waiting.last().expect("both wait in this store");
    let latest = String::from_utf8_lossy(&latest.entry.message.data);
    assert!(latest.contains("T160000Z"), "{latest}");
    let declined = reply
        .replace("ACCEPTED", "DECLINED")
        .replace("T070000Z", "T073000Z");
    host.gets_mail("2@example.com", &declined, BO, DEE);
    let object = dee.object("meeting").unwrap();
    assert!(object.contains("PARTSTAT=DECLINED"), "{object}");
}

/// The originator's calendar cannot be written when a message has ended: how it has is noted when it can be. Found by the
/// simulator.
#[test]
fn how_a_message_has_ended_is_noted_when_the_calendar_can_be_written() {
    let host = Host::new();
    host.elsewhere_says(down());
    assert_eq!(codes(&host.submits(&request(0), DEE, &[X])), ["1.0"]);
    host.elsewhere_says(RequestStatus::NO_AUTHORITY);
    host.person("dee").is_broken();
    pass(&host, 1);
    let sent = host.sent().len();
    assert_eq!(host.waits(), ["REQUEST x@example.net"]);
    host.person("dee").is_mended();
    let host = host.restarted();
    pass(&host, 1);
    assert_eq!(status(&host), "3.8");
    assert!(host.waits().is_empty());
    assert_eq!(host.sent().len(), sent, "nothing is sent once more");
    assert_eq!(host.world().remembered.keys("message/"), [""; 0]);
}

/// As before, and meanwhile a later message has got further.
#[test]
fn what_is_noted_late_is_not_taken_for_what_came_of_a_later_message() {
    let host = Host::new();
    host.elsewhere_says(down());
    host.submits(&request(0), DEE, &[X]);
    host.elsewhere_says(RequestStatus::NO_AUTHORITY);
    host.person("dee").is_broken();
    pass(&host, 1);
    host.person("dee").is_mended();
    host.elsewhere_says(RequestStatus::DELIVERED);
    assert_eq!(codes(&host.submits(&request(1), DEE, &[X])), ["1.2"]);
    pass(&host, 3);
    assert_eq!(status(&host), "1.2");
    assert!(host.waits().is_empty());
}

/// A weekly meeting that began last month goes on, whatever its first instance says.
/// An update is handed in after it is known that the try has failed, and before that is written down.
#[test]
fn what_is_replaced_while_its_failure_is_noted_waits_no_longer() {
    let host = Host::new();
    host.elsewhere_says(down());
    host.submits(&request(0), DEE, &[X]);
    host.pass(DAY);
    let attempt = host.shared.outbox.take(host.world().clock().now()).unwrap();
    let update = Outgoing {
        message: Message::read(calendar(&request(1))).unwrap(),
        originator: address(DEE),
        recipients: vec![address(X)],
    };
    block_on(async {
        let dee = host.person("dee");
        let object = host.shared.locks.of(dee.user(), update.message.uid()).await;
        let mut tried = pin!(host.scheduler.attempt(attempt));
        assert!(futures::poll!(tried.as_mut()).is_pending());
        let enqueued = host.scheduler.enqueue_alone(&update, Goes::ByItself).await;
        drop((enqueued.unwrap(), object));
        tried.await;
    });
    let waits = host.shared.outbox.entries();
    let waits: Vec<_> = waits.iter().map(|it| format!("outbox/{}", it.id)).collect();
    assert_eq!(waits.len(), 1);
    assert_eq!(host.world().remembered.keys("outbox/"), waits);
}

#[test]
fn a_series_that_has_begun_is_retried_and_mailed_as_any_other() {
    for rule in ["FREQ=WEEKLY", "FREQ=WEEKLY;COUNT=20"] {
        let host = Host::new();
        host.elsewhere_says(down());
        host.mail_server_says(RequestStatus::SENT);
        let weekly = request(0)
            .replace("20270104T100000Z", "20261103T100000Z")
            .replace("SUMMARY", &format!("RRULE:{rule}\nSUMMARY"));
        assert_eq!(codes(&host.submits(&weekly, DEE, &[X])), ["1.0"], "{rule}");
        pass(&host, 1);
        assert!(host.sent().len() > 5, "{rule}: {:?}", host.sent());
        pass(&host, 3);
        assert_eq!(host.mailed().len(), 1, "{rule}");
        assert_eq!(status(&host), "1.1", "{rule}");
        // What calls it off and what answers it names the first instance alone.
        let off = message(
            "CANCEL",
            "BEGIN:VEVENT\nUID:meeting\nDTSTAMP:20261201T070000Z\nDTSTART:20261103T100000Z\nDURATION:PT1H\n\
             ORGANIZER:mailto:dee@example.org\nATTENDEE:mailto:x@example.net\nSEQUENCE:1\nSTATUS:CANCELLED\nEND:VEVENT\n",
        );
        host.elsewhere_says(down());
        assert_eq!(codes(&host.submits(&off, DEE, &[X])), ["1.0"], "{rule}");
    }
}
