//! Several hosts on one state.

use super::{Membership, Standing};
use crate::{
    environment::State,
    keys,
    outbox::{
        Entry, Outbox, TakeOver,
        tests::{at, message},
    },
    tests::world::Remembered,
};
use convoke_types::{Batch, ErrorKind};
use futures::executor::block_on;
use std::collections::BTreeSet;

/// An outbox of a host of this name, and its lease.
async fn host(name: &str, state: &Remembered) -> (Outbox, Membership) {
    let outbox = Outbox::default();
    outbox.belong_to(name);
    let mut membership = Membership::new(name, "first run");
    assert_eq!(membership.renew(state).await, Ok(Standing::Anew));
    assert_eq!(membership.renew(state).await, Ok(Standing::Held));
    (outbox, membership)
}

/// A message waits that this host was handed.
async fn hand_in(state: &Remembered, holder: &str, uid: &str) {
    for mut entry in message("REQUEST", uid, "", &["bo@example.com"], 0) {
        holder.clone_into(&mut entry.holder);
        state.commit(entry.put(Batch::new())).await.unwrap();
    }
}

async fn lease_ends(state: &Remembered, host: &str) {
    let gone = Batch::new().delete(keys::host(host));
    state.commit(gone).await.unwrap();
}

/// All that no living host holds.
async fn take_over(outbox: &Outbox, state: &Remembered, living: &BTreeSet<String>) -> usize {
    let mut look = TakeOver::default();
    while !look.is_over() {
        look.step(outbox, state, living).await.unwrap();
    }
    look.taken()
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn what_a_host_leaves_is_taken_over_once_it_has_no_lease() {
    block_on(async {
        let state = Remembered::default();
        let (a, _lease) = host("a", &state).await;
        let (b, of_b) = host("b", &state).await;
        hand_in(&state, "a", "1").await;
        assert_eq!(a.load(&state).await, Ok(1));
        assert_eq!(b.load(&state).await, Ok(0), "it is of another host");
        let living = of_b.others(&state).await.unwrap();
        assert_eq!(living, names(["a"]));
        assert_eq!(take_over(&b, &state, &living).await, 0);
        // It has come since it was looked who lives.
        assert_eq!(take_over(&b, &state, &names([])).await, 0);
        lease_ends(&state, "a").await;
        let living = of_b.others(&state).await.unwrap();
        assert_eq!(living, names([]));
        assert_eq!(take_over(&b, &state, &living).await, 1);
        // It was only paused, and wakes up.
        let mut by_a = a.take(at(0)).unwrap();
        let sent_by_a = by_a.entries()[0].clone();
        by_a.leave_to_others(&state).await.unwrap();
        assert!(by_a.entries().is_empty(), "another host sends it");
        drop(by_a);
        assert!(a.entries().is_empty() && a.take(at(0)).is_none());
        let mut by_b = b.take(at(0)).unwrap();
        by_b.leave_to_others(&state).await.unwrap();
        assert_eq!(by_b.entries().len(), 1);
        // What the one has sent before it was paused, it does not note; the other does.
        let [of_a, of_b] = [&sent_by_a, &by_b.entries()[0]].map(|entry: &Entry| {
            let key = keys::outbox(entry.id.as_str());
            entry.if_unchanged(Batch::new()).delete(key)
        });
        let refused = state.commit(of_a).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        assert!(sent_by_a.is_unchanged(&state).await.is_err());
        state.commit(of_b).await.unwrap();
    });
}

#[test]
fn what_no_living_host_holds_is_taken_by_one() {
    block_on(async {
        let state = Remembered::default();
        hand_in(&state, "long gone", "1").await;
        hand_in(&state, "gone, too", "2").await;
        let (a, _) = host("a", &state).await;
        let (b, _) = host("b", &state).await;
        for outbox in [&a, &b] {
            assert_eq!(outbox.load(&state).await, Ok(0));
        }
        assert_eq!(take_over(&a, &state, &names(["b"])).await, 2);
        assert_eq!(take_over(&b, &state, &names(["a"])).await, 0);
    });
}

#[test]
fn a_host_that_is_alone_holds_all_and_asks_nobody() {
    block_on(async {
        let state = Remembered::default();
        hand_in(&state, "", "1").await;
        hand_in(&state, "a host of a state before", "2").await;
        let outbox = Outbox::default();
        assert_eq!(outbox.load(&state).await, Ok(2));
        for entry in outbox.entries() {
            assert_eq!(entry.if_unchanged(Batch::new()), Batch::new());
        }
    });
}

#[test]
fn a_host_that_starts_again_has_its_name_at_once_and_a_copy_of_it_is_told() {
    block_on(async {
        let state = Remembered::default();
        let (_, mut first) = host("a", &state).await;
        let mut again = Membership::new("a", "second run");
        assert_eq!(again.renew(&state).await, Ok(Standing::Anew));
        let error = first.renew(&state).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.message().contains("`host-id`"), "{error}");
        assert_eq!(again.renew(&state).await, Ok(Standing::Held));
        // One that was believed to be gone has to look anew at what it holds.
        lease_ends(&state, "a").await;
        assert_eq!(again.renew(&state).await, Ok(Standing::Anew));
        again.leave(&state).await.unwrap();
        assert_eq!(again.others(&state).await, Ok(names([])));
        assert!(state.get(&keys::host("a")).await.unwrap().is_none());
    });
}
