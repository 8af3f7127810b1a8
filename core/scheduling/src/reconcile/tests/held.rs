//! Many changes at once wait until somebody releases them.

use super::{BO, host, own};
use crate::tests::world::address;
use convoke_types::Uid;
use futures::executor::block_on;
use std::time::Duration;

/// What had to wait when a host ended in the middle of its look waits after it was started again: all of it.
#[test]
fn many_changes_at_once_wait_though_the_host_ends_meanwhile() {
    for commits in [0, 1, 2, 10, 30, 59, 60, 61] {
        let host = host();
        for number in 0..60 {
            let uid = format!("UID:m{number}");
            host.person("dee")
                .has(&own("").replace("UID:meeting", &uid));
        }
        host.looks("dee");
        host.pass(Duration::from_secs(10));
        host.world().remembered.ends_after(commits);
        // Whether or not it comes to its end.
        let _ = block_on(host.scheduler.reconcile(&host.person("dee")));
        host.world().remembered.ends_after(usize::MAX);
        let host = host.restarted();
        host.tells("dee");
        assert!(host.sent().is_empty(), "{commits}: {:?}", host.sent());
        let held = block_on(host.scheduler.held(None)).unwrap();
        assert_eq!(held.len(), 60, "{commits}");
    }
}

#[test]
fn many_changes_at_once_wait_and_vanish_when_they_are_taken_back() {
    let host = host();
    let name = |number: usize| format!("m{number}");
    for number in 0..60 {
        host.person("dee")
            .has(&own("").replace("UID:meeting", &format!("UID:{}", name(number))));
    }
    assert_eq!(host.tells("dee").held, 60);
    assert!(host.sent().is_empty() && host.waits().is_empty());
    let held = block_on(host.scheduler.held(None)).unwrap();
    assert_eq!(held.len(), 60);
    assert_eq!(held[0].messages, [("REQUEST".to_owned(), address(BO))]);
    assert!(block_on(host.scheduler.release(&held[0])).unwrap());
    host.pays();
    assert_eq!(host.sent().len(), 1);
    for held in &held[1..] {
        host.person("dee").deletes(held.uid.as_str());
    }
    host.tells("dee");
    assert!(block_on(host.scheduler.held(None)).unwrap().is_empty());
    assert_eq!(host.sent().len(), 1, "{:?}", host.sent());
    // What is dropped is told to nobody, now or later.
    host.person("dee").deletes(held[0].uid.as_str());
    host.tells("dee");
    assert_eq!(host.sent().len(), 2);
}

/// A calendar that is restored is written one object after the other, over more time than an object has to be quiet.
#[test]
fn many_changes_one_after_the_other_are_judged_together() {
    let host = host();
    let writes = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            host.person("dee")
                .has(&own("").replace("UID:meeting", &format!("UID:m{number}")));
            host.looks("dee");
            host.pass(Duration::from_millis(150));
        }
    };
    writes(0..120);
    assert!(block_on(host.scheduler.held(None)).unwrap().is_empty());
    assert_eq!(host.tells("dee").held, 120);
    assert!(host.sent().is_empty() && host.waits().is_empty());
    // No more of them than may change at once are told as they become quiet.
    writes(120..150);
    host.tells("dee");
    assert_eq!(host.sent().len(), 30);
}

/// A program that empties a calendar removes one object after the other; what was removed before it is noticed is told.
#[test]
fn removals_one_by_one_wait_when_they_are_too_many() {
    let host = host();
    let dee = host.person("dee");
    let uid = |number: usize| Uid::new(format!("m{number}")).unwrap();
    for number in 0..60 {
        dee.has(&own("").replace("UID:meeting", &format!("UID:{}", uid(number))));
        host.tells("dee");
    }
    host.pass(Duration::from_secs(60));
    let told = host.sent().len();
    let removes = |number: usize| {
        dee.deletes(uid(number).as_str());
        let telling = block_on(host.scheduler.tell_at_once(&dee, &uid(number))).unwrap();
        if let Some(telling) = telling {
            block_on(host.scheduler.first_delivery(telling));
        }
    };
    (0..55).for_each(removes);
    assert_eq!(host.sent().len(), told + 50);
    let held = || block_on(host.scheduler.held(None)).unwrap();
    assert_eq!(held().len(), 5);
    assert_eq!(held()[0].messages, [("CANCEL".to_owned(), address(BO))]);
    // Looks see it as well, and what comes back waits no longer.
    dee.deletes("m55");
    host.tells("dee");
    assert_eq!((held().len(), host.sent().len()), (6, told + 50));
    dee.has(&own("").replace("UID:meeting", "UID:m55"));
    host.tells("dee");
    assert_eq!((held().len(), host.sent().len()), (5, told + 50));
    // What else changes is told, and so is what is removed later.
    dee.edits("m56", |it| it.replace("Review", "Retrospective"));
    host.tells("dee");
    assert_eq!(host.sent().len(), told + 51);
    host.pass(Duration::from_secs(60));
    removes(57);
    assert_eq!(host.sent().len(), told + 52);
    for held in held() {
        assert!(block_on(host.scheduler.release(&held)).unwrap());
    }
    host.pays();
    assert_eq!(host.sent().len(), told + 57);
    removes(58);
    assert_eq!(host.sent().len(), told + 58, "who releases does not count");
}
