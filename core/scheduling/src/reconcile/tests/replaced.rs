//! A meeting is called off, or changed again, while what was said of it before is on its way, or about to go.

use super::{BO, host, own};
use crate::{
    Clock, Environment, Outcome,
    tests::world::{Host, pause},
};
use convoke_types::RequestStatus;
use futures::{executor::block_on, future::join};
use std::time::Duration;

const SETTLE: Duration = Duration::from_secs(10);

/// Looks until what changed is quiet, and sends nothing.
fn settles(host: &Host) {
    host.looks("dee");
    host.pass(SETTLE);
    host.looks("dee");
}

/// Dee's meeting with Bo is on its way.
fn on_its_way() -> (Host, crate::Attempt) {
    let host = host();
    host.person("dee").has(&own(""));
    settles(&host);
    let now = host.world().clock().now();
    let attempt = host.shared.outbox.take(now).unwrap();
    (host, attempt)
}

#[test]
fn nothing_is_called_off_of_which_nothing_left() {
    let (host, attempt) = on_its_way();
    host.person("dee").deletes("meeting");
    settles(&host);
    assert_eq!(host.waits().len(), 2, "the first may arrive yet");
    let down = Outcome::from(RequestStatus::SERVICE_UNAVAILABLE).not_handed_over();
    host.elsewhere_says(down);
    block_on(host.scheduler.attempt(attempt));
    assert!(host.waits().is_empty(), "{:?}", host.waits());
    assert!(host.world().remembered.keys("outbox/").is_empty());
    assert!(host.world().remembered.keys("message/").is_empty());
    let host = host.restarted();
    host.pass(Duration::from_secs(24 * 3600));
    host.pays();
    assert_eq!(host.sent().len(), 1, "{:?}", host.sent());
    assert!(host.notices().is_empty(), "{:?}", host.notices());
}

#[test]
fn what_may_have_left_and_failed_is_called_off_and_not_sent_again() {
    let (host, attempt) = on_its_way();
    host.person("dee").deletes("meeting");
    settles(&host);
    host.elsewhere_says(RequestStatus::SERVICE_UNAVAILABLE);
    block_on(host.scheduler.attempt(attempt));
    assert_eq!(host.waits(), [format!("CANCEL {BO}")]);
    host.elsewhere_says(RequestStatus::SUCCESS);
    host.pass(Duration::from_secs(70));
    host.pays();
    let expected = ["REQUEST", "CANCEL"].map(|it| format!("{it} dee@example.org {BO}"));
    assert_eq!(host.sent(), expected);
    assert!(host.world().remembered.keys("message/").is_empty());
    assert!(host.notices().is_empty(), "{:?}", host.notices());
}

/// What was told before is called off, also if the update before that fails.
#[test]
fn what_arrived_before_is_called_off_though_its_update_fails() {
    let host = host();
    host.person("dee").has(&own(""));
    host.tells("dee");
    host.person("dee")
        .edits("meeting", |it| it.replace("T100000Z", "T110000Z"));
    settles(&host);
    let now = host.world().clock().now();
    let attempt = host.shared.outbox.take(now).unwrap();
    host.person("dee").deletes("meeting");
    settles(&host);
    let down = Outcome::from(RequestStatus::SERVICE_UNAVAILABLE).not_handed_over();
    host.elsewhere_says(down);
    block_on(host.scheduler.attempt(attempt));
    assert_eq!(host.waits(), [format!("CANCEL {BO}")]);
}

/// Of an update that fails for good while a newer one waits nobody hears: what comes of the newer one is what counts.
#[test]
fn a_failure_that_something_newer_makes_up_for_is_told_to_nobody() {
    let (host, attempt) = on_its_way();
    host.person("dee")
        .edits("meeting", |it| it.replace("T100000Z", "T110000Z"));
    settles(&host);
    host.elsewhere_says(RequestStatus::NO_SCHEDULING_SUPPORT);
    block_on(host.scheduler.attempt(attempt));
    assert!(host.notices().is_empty(), "{:?}", host.notices());
    let object = host.person("dee").object("meeting").unwrap();
    assert!(!object.contains("SCHEDULE-STATUS=5"), "{object}");
    host.elsewhere_says(RequestStatus::SUCCESS);
    host.pays();
    let object = host.person("dee").object("meeting").unwrap();
    assert!(object.contains("SCHEDULE-STATUS=2.0"), "{object}");
    assert_eq!(host.sent().len(), 2);
}

/// A meeting is called off in the moment in which its invitation would go: either none is sent, or it is called off.
#[test]
fn what_goes_while_it_is_called_off_is_called_off() {
    for pauses in 0..80 {
        let host = host();
        let down = Outcome::from(RequestStatus::SERVICE_UNAVAILABLE).not_handed_over();
        host.elsewhere_says(down);
        host.person("dee").has(&own(""));
        host.tells("dee");
        host.person("dee").deletes("meeting");
        host.looks("dee");
        host.pass(Duration::from_secs(70));
        host.elsewhere_says(RequestStatus::SUCCESS);
        host.world().remembered.pauses();
        let dee = host.person("dee");
        let looking = host.scheduler.reconcile(&dee);
        let sending = async {
            for _ in 0..pauses {
                pause().await;
            }
            while let Some(attempt) = host.shared.outbox.take(host.world().clock().now()) {
                host.scheduler.attempt(attempt).await;
            }
        };
        let (looked, ()) = block_on(join(looking, sending));
        looked.unwrap();
        host.pays();
        let sent = host.sent();
        let cancel = format!("CANCEL dee@example.org {BO}");
        match sent.len() {
            1 => {}
            _ => assert_eq!(sent[2..], [cancel], "{pauses}: {sent:?}"),
        }
        assert!(host.waits().is_empty(), "{pauses}: {:?}", host.waits());
    }
}
