//! Those who ask at once. What they do to the store is put in every order that there is, or in many.

use super::super::world::{Host, codes};
use super::{ANNA, EVE, ROOM, at, host, told};
use futures::future::BoxFuture;
use futures::{FutureExt, executor::block_on};
use std::task::{Context, Poll, Waker};

/// Lets each of several act once, in such an order, until all are done; a number is whose turn it is.
fn interleaved(
    mut acting: Vec<BoxFuture<'_, String>>,
    mut order: impl FnMut(usize) -> usize,
) -> Vec<String> {
    let mut done: Vec<Option<String>> = vec![None; acting.len()];
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        let open: Vec<usize> = (0..acting.len()).filter(|&it| done[it].is_none()).collect();
        let Some(&last) = open.last() else {
            return done.into_iter().flatten().collect();
        };
        let turn = open.get(order(open.len())).copied().unwrap_or(last);
        if let Poll::Ready(code) = acting[turn].poll_unpin(&mut context) {
            done[turn] = Some(code);
        }
    }
    panic!("they never end");
}

/// Who has accepted whom, of those whose copy says so.
fn accepted(host: &Host, uids: &[&str]) -> Vec<String> {
    let has = |uid: &&&str| {
        let copy = host.person("room").object(uid);
        copy.is_some_and(|it| it.contains("PARTSTAT=ACCEPTED:mailto:room"))
    };
    uids.iter().filter(has).map(ToString::to_string).collect()
}

/// What the hosts tell.
fn answers(hosts: &[&Host]) -> (usize, usize) {
    let told: String = hosts.iter().flat_map(|it| it.owes()).collect();
    let count = |word: &str| told.matches(&format!("PARTSTAT={word}")).count();
    (count("ACCEPTED"), count("DECLINED"))
}

/// So many of the first steps are put in every order; then both go on in turn.
const STEPS: u32 = 10;

/// Whose turn it is of two.
fn turns(order: u32) -> impl FnMut(usize) -> usize {
    let mut steps = (0..STEPS)
        .map(move |step| (order >> step) & 1)
        .chain([0, 1].into_iter().cycle());
    move |_| steps.next().unwrap_or_default() as usize
}

#[test]
fn of_two_hosts_on_one_store_one_gets_the_room() {
    let mut won = [0, 0];
    for order in 0..1_u32 << STEPS {
        let one = host(&[]);
        let other = one.beside();
        one.person("room").pauses();
        let texts = [at(10, "first", ANNA), at(10, "second", EVE)];
        let acting = vec![
            one.delivery(&texts[0], ANNA, ROOM).boxed(),
            other.delivery(&texts[1], EVE, ROOM).boxed(),
        ];
        let codes = interleaved(acting, turns(order));
        assert_eq!(codes, ["2.0", "2.0"], "{order:b}");
        let accepted = accepted(&one, &["first", "second"]);
        assert_eq!(accepted.len(), 1, "{order:b}");
        assert_eq!(answers(&[&one, &other]), (1, 1), "{order:b}");
        won[usize::from(accepted[0] == "second")] += 1;
    }
    assert!(won.iter().all(|won| *won > 200), "{won:?}");
}

#[test]
fn on_one_host_who_comes_first_gets_the_room() {
    for order in 0..1_u32 << STEPS {
        let host = host(&[]);
        host.person("room").pauses();
        let texts = [at(10, "first", ANNA), at(10, "second", EVE)];
        let acting = vec![
            host.delivery(&texts[0], ANNA, ROOM).boxed(),
            host.delivery(&texts[1], EVE, ROOM).boxed(),
        ];
        interleaved(acting, turns(order));
        let first = if order & 1 == 0 { "first" } else { "second" };
        assert_eq!(accepted(&host, &["first", "second"]), [first], "{order:b}");
    }
}

/// Numbers that look like chance, from a seed.
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % below
    }
}

/// Three hosts and five bookings, which overlap each other in part: one whole morning, and hours in it.
#[test]
fn nobody_ever_shares_the_room() {
    for seed in 0..200 {
        let hosts = [host(&[])];
        let hosts = [
            hosts[0].beside(),
            hosts[0].beside(),
            hosts.into_iter().next().unwrap(),
        ];
        hosts[0].person("room").pauses();
        let texts = [
            at(10, "a", ANNA).replace("T110000Z", "T140000Z"),
            at(10, "b", EVE),
            at(11, "c", ANNA),
            at(11, "d", EVE),
            at(12, "e", EVE),
        ];
        let mut next = numbers(seed);
        let acting = texts.iter().enumerate().map(|(number, text)| {
            let from = if text.contains("ORGANIZER:mailto:anna") {
                ANNA
            } else {
                EVE
            };
            hosts[number % 3].delivery(text, from, ROOM).boxed()
        });
        let codes = interleaved(acting.collect(), &mut next);
        assert_eq!(codes, ["2.0"; 5], "{seed}");
        let accepted = accepted(&hosts[0], &["a", "b", "c", "d", "e"]).concat();
        assert!(!accepted.is_empty(), "{seed}");
        let has = |uid: char| accepted.contains(uid);
        assert!(!has('a') || accepted == "a", "{seed}: {accepted}");
        assert!(!(has('c') && has('d')), "{seed}: {accepted}");
    }
}

/// A host that ended in the middle has left a claim: nobody else gets its time, and it is answered when it comes again.
#[test]
fn a_claim_that_was_left_behind_is_answered_when_it_comes_again() {
    for steps in 1..12 {
        let host = host(&[]);
        host.person("room").pauses();
        let text = at(10, "first", ANNA);
        let mut acting = host.delivery(&text, ANNA, ROOM).boxed();
        let mut context = Context::from_waker(Waker::noop());
        let _ = (0..steps).any(|_| acting.poll_unpin(&mut context).is_ready());
        drop(acting);
        host.pays();
        let other = host.beside();
        let had = host.person("room").object("first").is_some();
        block_on(other.delivery(&at(10, "second", EVE), EVE, ROOM));
        let expected = if had { "first" } else { "second" };
        block_on(other.delivery(&text, ANNA, ROOM));
        let accepted = accepted(&other, &["first", "second"]);
        assert_eq!(accepted, [expected], "after {steps} steps");
        assert_eq!(answers(&[&other]), (1, 1), "after {steps} steps");
    }
}

#[test]
fn whoever_else_writes_the_rooms_copy_meanwhile_is_followed() {
    let host = host(&[]);
    host.person("room").has_rivals(5);
    assert_eq!(told(&host, &at(10, "first", ANNA), ANNA), ["ACCEPTED"]);
    host.person("room").has_rivals(usize::MAX);
    let outcomes = host.receives(&at(12, "second", ANNA), ANNA, &[ROOM]);
    assert_eq!(codes(&outcomes), ["5.1"]);
}
