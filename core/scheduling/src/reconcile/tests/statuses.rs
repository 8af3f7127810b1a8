//! Programs that save an older copy over what became of the messages (SCHEDULE-STATUS): it is put back, and that is no change.

use super::{BO, host, own};
use crate::{
    Bounced, Guest,
    tests::{
        mail::no_receiver,
        world::{Host, address, meeting, message},
    },
};
use convoke_types::{RequestStatus, Uid};
use futures::executor::block_on;

/// Dee has invited Bo by mail.
fn mailed() -> Host {
    let host = host();
    host.elsewhere_says(no_receiver());
    host.mail_server_says(RequestStatus::SENT);
    host.person("dee").has(&own(""));
    host.tells("dee");
    assert_eq!(status(&host), "1.1");
    host
}

/// The mail comes back.
fn comes_back(host: &Host) {
    let guest = Guest {
        user: address("dee@example.org"),
        uid: Uid::new("meeting").unwrap(),
        recipient: address(BO),
    };
    let noted = block_on(host.scheduler.note_bounce(&guest, None, "no such mailbox"));
    assert_eq!(noted, Ok(Bounced::Noted));
    assert_eq!(status(host), "5.1");
}

fn object(host: &Host) -> String {
    host.person("dee").object("meeting").unwrap()
}

/// What stands in Dee's object of Bo, or nothing.
fn status(host: &Host) -> String {
    let object = object(host);
    let line = object.lines().find(|it| it.contains(BO)).unwrap();
    let status = line.split("SCHEDULE-STATUS=").nth(1).unwrap_or_default();
    let end = status.find([';', ':']).unwrap_or(status.len());
    status[..end].to_owned()
}

/// Dee's program saves the object without what it does not know.
fn saves(host: &Host, name: &str, more: &str) {
    let drop = |text: &str| {
        let kept = text.lines().map(|line| {
            let Some((before, after)) = line.split_once(";SCHEDULE-STATUS=") else {
                return line.to_owned();
            };
            let end = after.find([';', ':']).unwrap();
            format!("{before}{}", &after[end..])
        });
        let kept = kept.filter(|line| !line.starts_with("LAST-MODIFIED"));
        let kept: Vec<String> = kept.collect();
        let more = format!("{more}END:VEVENT");
        kept.join("\n").replace("END:VEVENT", &more) + "\n"
    };
    host.person(name).edits("meeting", drop);
}

#[test]
fn a_bounce_that_a_program_writes_over_is_put_back_once_it_is_quiet() {
    let host = mailed();
    comes_back(&host);
    saves(&host, "dee", "");
    assert_eq!(status(&host), "");
    let looked = host.looks("dee");
    assert!(looked.next.is_some());
    assert_eq!(status(&host), "", "the program may save once more");
    let looked = host.tells("dee");
    assert_eq!((looked.told, looked.pending), (0, 0));
    assert_eq!(status(&host), "5.1");
    // Our own write is no change, neither now nor after a restart.
    let put_back = object(&host);
    host.tells("dee");
    let host = host.restarted();
    assert_eq!(host.tells("dee").pending, 0);
    assert_eq!(object(&host), put_back);
    assert_eq!((host.mailed().len(), host.notices().len()), (1, 1));
    assert!(host.waits().is_empty());
}

/// An older copy of the program's says that the mail server has taken the mail.
#[test]
fn an_older_status_is_written_over() {
    let host = mailed();
    let older = object(&host);
    comes_back(&host);
    host.person("dee").has(&older);
    assert_eq!(status(&host), "1.1");
    host.tells("dee");
    assert_eq!(status(&host), "5.1");
}

#[test]
fn a_program_that_always_drops_them_ends() {
    let host = mailed();
    comes_back(&host);
    let mut put_back = 0;
    for save in 0..50 {
        saves(
            &host,
            "dee",
            &format!("LAST-MODIFIED:20261201T0900{save:02}Z\n"),
        );
        host.tells("dee");
        put_back += u32::from(status(&host) == "5.1");
        let settled = object(&host);
        host.tells("dee");
        assert_eq!(object(&host), settled, "once for each version");
    }
    assert_eq!(put_back, 20);
    // What is new is put back again.
    host.person("dee")
        .edits("meeting", |it| it.replace("Review", "Retrospective"));
    host.tells("dee");
    assert_eq!(status(&host), "1.1");
    comes_back(&host);
    saves(&host, "dee", "");
    host.tells("dee");
    assert_eq!(status(&host), "5.1");
}

/// That somebody was reached is nothing to write over a person's file for.
#[test]
fn a_status_that_is_no_failure_is_not_put_back() {
    let host = mailed();
    saves(&host, "dee", "");
    host.tells("dee");
    assert_eq!(status(&host), "");
}

/// Who has answered since was reached: nothing is put back that says otherwise, not even where the program drops what the answer
/// has left.
#[test]
fn what_was_answered_since_is_left_alone() {
    let host = mailed();
    comes_back(&host);
    let reply = own("").replace("VERSION:2.0\n", "VERSION:2.0\nMETHOD:REPLY\n");
    let reply = reply.replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:");
    host.receives(&reply, BO, &["dee@example.org"]);
    assert_eq!(status(&host), "2.0");
    saves(&host, "dee", "");
    host.tells("dee");
    assert_eq!(status(&host), "");
    assert!(object(&host).contains("PARTSTAT=ACCEPTED"));
}

/// Whose own program tells somebody has its say.
#[test]
fn nothing_is_put_on_whom_a_program_tells_by_itself() {
    let host = mailed();
    comes_back(&host);
    saves(&host, "dee", "");
    host.person("dee").edits("meeting", |it| {
        it.replace("ATTENDEE", "ATTENDEE;SCHEDULE-AGENT=CLIENT")
    });
    host.tells("dee");
    assert_eq!(status(&host), "");
}

/// It is nothing of which there may be too much at once.
#[test]
fn what_is_put_back_in_many_objects_waits_for_nobody() {
    let host = host();
    host.elsewhere_says(RequestStatus::NO_AUTHORITY);
    let names: Vec<String> = (0..60).map(|number| format!("m{number}")).collect();
    let text = |name: &str| own("").replace("UID:meeting", &format!("UID:{name}"));
    for half in names.chunks(30) {
        for name in half {
            host.person("dee").has(&text(name));
        }
        assert_eq!(host.tells("dee").told, 30);
    }
    let of = |name: &str| host.person("dee").object(name).unwrap();
    for name in &names {
        assert!(of(name).contains("SCHEDULE-STATUS=3.8"), "{}", of(name));
        host.person("dee").has(&text(name));
    }
    assert_eq!(host.tells("dee").held, 0);
    for name in &names {
        assert!(of(name).contains("SCHEDULE-STATUS=3.8"), "{}", of(name));
    }
    assert_eq!(host.sent().len(), 60);
    assert!(block_on(host.scheduler.held(None)).unwrap().is_empty());
}

/// An attendee sees that its answer did not arrive, whatever its program saves.
#[test]
fn what_became_of_an_answer_is_put_back() {
    let host = host();
    let text = message("REQUEST", &meeting(""));
    host.receives(&text, "anna@example.com", &["bo@example.org"]);
    host.looks("bo");
    host.elsewhere_says(RequestStatus::NO_AUTHORITY);
    let bo = host.person("bo");
    bo.edits("meeting", |it| {
        it.replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:")
    });
    host.tells("bo");
    let failed = || {
        bo.object("meeting")
            .unwrap()
            .contains("ORGANIZER;SCHEDULE-STATUS=3.8:")
    };
    assert!(failed(), "{:?}", bo.object("meeting"));
    saves(&host, "bo", "");
    assert!(!failed());
    host.tells("bo");
    assert!(failed(), "{:?}", bo.object("meeting"));
    assert_eq!(host.sent().len(), 1, "{:?}", host.sent());
}
