//! A message to several guests whose entries wait in several hosts, are dropped meanwhile, or have lost it.

use super::world::{Host, Line, Receiver, meeting, message, pause};
use crate::{Clock, Environment, State, TakeOver};
use convoke_types::{Batch, RequestStatus};
use futures::{executor::block_on, future::join};
use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

const DEE: &str = "dee@example.org";
const X: &str = "x@example.net";
const Y: &str = "y@example.com";

fn own() -> String {
    meeting("")
        .replace("anna@example.com", DEE)
        .replace("bo@example.org", X)
        .replace("END:VEVENT", &format!("ATTENDEE:mailto:{Y}\nEND:VEVENT"))
}

fn invitation() -> String {
    message("REQUEST", &own())
}

/// Two hosts on one state, to whose receiver lines lead.
fn two_hosts() -> (Host, Host, Line) {
    let first = Host::new();
    let line = Line::default();
    line.is_held.store(true, Ordering::Relaxed);
    let [a, b] = ["a", "b"].map(|name| {
        let host = first.on_one_state(name, line.clone());
        host.loads();
        host
    });
    (a, b, line)
}

fn came(line: &Line) -> Vec<String> {
    let came = line.came.lock().unwrap();
    came.iter().map(|it| it.to.clone()).collect()
}

/// An entry that is of another host than the others of its message finds its message when its turn comes.
#[test]
fn a_message_is_there_until_its_last_entry_goes_in_whatever_host() {
    let (a, b, line) = two_hosts();
    *line.receiver.lock().unwrap() = Receiver::Down;
    a.submits(&invitation(), DEE, &[X, Y]);
    // One of the two is of the other host from now on.
    let state = &a.world().remembered;
    let of_y = a.shared.outbox.entries();
    let of_y = of_y.iter().find(|it| it.recipient.human() == Y).unwrap();
    let handed_on = crate::outbox::Entry {
        holder: "b".to_owned(),
        ..of_y.clone()
    };
    block_on(state.commit(handed_on.put(Batch::new()))).unwrap();
    for host in [&a, &b] {
        host.shared.outbox.doubt();
        assert_eq!(host.loads(), 1);
        host.pass(Duration::from_secs(3600));
    }
    *line.receiver.lock().unwrap() = Receiver::Well;
    a.pays();
    assert_eq!(came(&line), [X]);
    assert_eq!(state.keys("message/").len(), 1, "the other needs it");
    b.pays();
    assert_eq!(came(&line), [X, Y]);
    assert_eq!(state.keys("outbox/"), [""; 0]);
    assert_eq!(state.keys("message/"), [""; 0]);
}

/// An administrator drops one entry of a message, whatever becomes of it meanwhile: the others are sent once.
#[test]
fn what_is_dropped_while_it_is_sent_has_nothing_else_sent_again() {
    let mut dropped_meanwhile = 0;
    for pauses in 0..60 {
        let (a, b, line) = two_hosts();
        *line.receiver.lock().unwrap() = Receiver::Down;
        a.submits(&invitation(), DEE, &[X, Y]);
        *line.receiver.lock().unwrap() = Receiver::Well;
        a.pass(Duration::from_secs(3600));
        let of_y = a.shared.outbox.entries();
        let of_y = of_y.iter().find(|it| it.recipient.human() == Y).unwrap();
        a.world().remembered.pauses();
        let sending = async {
            while let Some(attempt) = a.shared.outbox.take(a.world().clock().now()) {
                a.scheduler.attempt(attempt).await;
            }
        };
        let dropping = async {
            for _ in 0..pauses {
                pause().await;
            }
            b.scheduler.drop_entry(&of_y.id).await.is_ok()
        };
        let ((), is_dropped) = block_on(join(sending, dropping));
        let mut came_to = came(&line);
        came_to.sort_unstable();
        match (is_dropped, came_to.as_slice()) {
            (true, [x]) => assert_eq!(x, X, "{pauses}"),
            (_, [x, y]) => {
                dropped_meanwhile += usize::from(is_dropped);
                assert_eq!([x, y], [X, Y], "{pauses}");
            }
            other => panic!("{pauses}: {other:?}"),
        }
        assert!(a.shared.outbox.is_certain(), "{pauses}: all is known");
        let state = &a.world().remembered;
        assert_eq!(state.keys("outbox/"), [""; 0], "{pauses}");
        assert_eq!(state.keys("message/"), [""; 0], "{pauses}");
    }
    assert!(dropped_meanwhile > 0);
}

/// A message that is not there any more is given up, and its originator hears of that.
#[test]
fn who_sent_what_is_lost_hears_of_it() {
    let host = Host::new();
    let dee = host.person("dee");
    host.looks("dee");
    host.elsewhere_says(RequestStatus::SERVICE_UNAVAILABLE);
    dee.has(&format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\n{}END:VCALENDAR\n",
        own()
    ));
    host.tells("dee");
    assert!(
        dee.object("meeting")
            .unwrap()
            .contains("SCHEDULE-STATUS=1.0")
    );
    let state = &host.world().remembered;
    let lost = state.keys("message/").into_iter();
    let lost = lost.fold(Batch::new(), Batch::delete);
    block_on(state.commit(lost)).unwrap();
    host.pass(Duration::from_secs(3600));
    host.pays();
    let object = dee.object("meeting").unwrap();
    assert_eq!(object.matches("SCHEDULE-STATUS=5.1").count(), 2, "{object}");
    assert_eq!(host.notices().len(), 2, "{:?}", host.notices());
    assert!(host.waits().is_empty());
    assert_eq!(state.keys("outbox/"), [""; 0]);
    // And if the calendar is gone, too, there is nobody to tell.
    dee.edits("meeting", |it| it.replace("T100000Z", "T110000Z"));
    host.tells("dee");
    assert_eq!(host.waits().len(), 2);
}

/// What this version cannot read is left as it is, and keeps back none of the others.
#[test]
fn an_entry_that_cannot_be_read_keeps_nothing_back() {
    let (a, b, line) = two_hosts();
    *line.receiver.lock().unwrap() = Receiver::Down;
    a.submits(&invitation(), DEE, &[X, Y]);
    let state = &a.world().remembered;
    let strange = a.shared.outbox.entries().remove(0);
    let key = crate::keys::outbox(strange.id.as_str());
    block_on(state.commit(Batch::new().put(key, "{\"newer\":1}"))).unwrap();
    a.shared.outbox.doubt();
    assert_eq!(a.loads(), 1);
    *line.receiver.lock().unwrap() = Receiver::Well;
    a.pass(Duration::from_secs(3600));
    a.pays();
    assert_eq!(came(&line).len(), 1);
    // What another host has left is taken over all the same.
    *line.receiver.lock().unwrap() = Receiver::Down;
    a.submits(&invitation().replace("UID:meeting", "UID:other"), DEE, &[X]);
    let mut look = TakeOver::default();
    while !look.is_over() {
        let living = BTreeSet::new();
        block_on(look.step(&b.shared.outbox, state, &living)).unwrap();
    }
    assert_eq!(look.taken(), 1);
}

/// What cannot be looked at now is tried again in a while, and not at once.
#[test]
fn what_cannot_be_looked_at_is_not_tried_again_at_once() {
    let (a, _, line) = two_hosts();
    *line.receiver.lock().unwrap() = Receiver::Down;
    a.submits(&invitation(), DEE, &[X]);
    a.pass(Duration::from_secs(3600));
    let now = a.world().clock().now();
    let attempt = a.shared.outbox.take(now).unwrap();
    a.world().remembered.cannot_be_read(true);
    block_on(a.scheduler.attempt(attempt));
    assert!(a.shared.outbox.take(now).is_none());
    let wakes = a.shared.outbox.wakes_at().unwrap();
    assert!(wakes > now && wakes < now + Duration::from_secs(120));
    a.world().remembered.cannot_be_read(false);
    *line.receiver.lock().unwrap() = Receiver::Well;
    a.pass(Duration::from_secs(120));
    a.pays();
    assert_eq!(came(&line), [X]);
}
