//! Plugins that do all the wrong things at once, and a host that serves on.

use convoke_tests::{Host, Post, Setup};
use std::{
    fmt::Write,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

const ANNA: &str = "anna@example.com";
const BO: &str = "bo@example.org";

/// Stores that go wrong in the host's process, and in a process of their own. Each serves a domain of its name.
const HERE: &[&str] = &[
    "panic",
    "panic-later",
    "panic-in-task",
    "panic-in-drop",
    "hang",
    "sleep",
    "threads",
    "huge",
    "error",
    "flood",
];
const APART: &[&str] = &[
    "segfault",
    "abort",
    "exit",
    "loop",
    "allocate",
    "log-for-ever",
    "panic",
    "hang",
    "huge",
    "flood",
];

fn host() -> Host {
    let mut stores = "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"\n\
                      domains = [\"example.org\"]\n"
        .to_owned();
    let mut domains = vec!["example.org".to_owned()];
    for (isolation, place, faults) in [("in-process", "here", HERE), ("process", "apart", APART)] {
        for fault in faults {
            let domain = format!("{fault}.{place}.example");
            writeln!(
                stores,
                "[[store]]\nplugin = \"test-faulty\"\nname = \"{fault}-{place}\"\n\
                 isolation = \"{isolation}\"\ntimeout = \"300ms\"\ndomains = [\"{domain}\"]\n\
                 config.fault = \"{fault}\""
            )
            .unwrap();
            domains.push(domain);
        }
    }
    let domains: Vec<_> = domains.iter().map(String::as_str).collect();
    Setup::new()
        .server_domains(&domains)
        .table("[[store]]", &stores)
        .users(&[BO])
        .start()
}

#[test]
fn whatever_its_plugins_do_the_host_serves_on() {
    let host = host();
    let mut to = vec![BO.to_owned()];
    for (place, faults) in [("here", HERE), ("apart", APART)] {
        to.extend(
            faults
                .iter()
                .map(|fault| format!("cy@{fault}.{place}.example")),
        );
    }
    let to: Vec<_> = to.iter().map(String::as_str).collect();
    let ask = Post::free_busy(ANNA, &to);
    // More rounds than it takes for a plugin to be skipped.
    for round in 0..8 {
        let answer = host.post(&ask);
        assert_eq!(answer.status, 200);
        for (who, status) in to.iter().zip(answer.statuses()) {
            let fine = status.status.starts_with("2.0");
            assert_eq!(fine, *who == BO, "round {round}: {status:?}");
        }
        let invitation = Post::invitation(&format!("round-{round}"), ANNA, &[BO]);
        assert_eq!(host.post(&invitation).codes(), ["2.0"]);
    }
    assert_eq!(host.get("admin", "/health").status, 200);
    let log = host.log();
    let longest = log.lines().map(str::len).max().unwrap_or_default();
    assert!(
        longest < 40_000,
        "a line of {longest} bytes is in the host's log"
    );
}

/// Somebody's plugin cannot stand one address, and somebody else asks for it again and again.
#[test]
fn a_plugin_that_crashes_under_load_costs_nobody_elses_answer() {
    let store = "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"\ndomains = [\"example.org\"]\n\
                 [[store]]\nplugin = \"test-faulty\"\nisolation = \"process\"\nname = \"brittle\"\n\
                 domains = [\"brittle.example\"]\nconfig.fault = \"segfault\"";
    let host = Setup::new()
        .server_domains(&["example.org", "brittle.example"])
        .table("[[store]]", store)
        .users(&[BO])
        .start();
    let stop = AtomicBool::new(false);
    let (crashed, answered) = (AtomicU32::new(0), AtomicU32::new(0));
    // Nobody of that name is there, and the plugin says so.
    let fine = Post::free_busy(ANNA, &["fine@brittle.example", BO]).to_bytes();
    let poison = Post::free_busy(ANNA, &["poison@brittle.example"]).to_bytes();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut peer = host.connect();
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(peer.ask(&poison).codes(), ["5.1"]);
                    crashed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..4 {
            scope.spawn(|| {
                let mut peer = host.connect();
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(peer.ask(&fine).codes(), ["3.7", "2.0"]);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let begun = Instant::now();
        while crashed.load(Ordering::Relaxed) < 10 && begun.elapsed() < Duration::from_secs(60) {
            thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
    });
    let (crashed, answered) = (crashed.into_inner(), answered.into_inner());
    assert!(
        crashed >= 10 && answered > crashed,
        "{crashed} crashed, {answered} answered"
    );
}

/// A policy that cannot be asked neither allows nor denies; whose messages it cannot stand says nothing of others'.
#[test]
fn a_policy_that_cannot_be_asked_is_tried_later() {
    for (isolation, fault) in [
        ("in-process", "panic"),
        ("in-process", "hang"),
        ("in-process", "error"),
        ("process", "panic"),
        ("process", "hang"),
        ("process", "block"),
        ("process", "segfault"),
        ("process", "garbage"),
    ] {
        let policy = format!(
            "plugin = \"test-faulty\"\nisolation = \"{isolation}\"\ntimeout = \"300ms\"\nconfig.fault = \"{fault}\""
        );
        let host = Setup::new()
            .users(&["fine@example.org", BO])
            .table("[[policy]]", &policy)
            .start();
        let asked = |from: &str, to: &str| host.post(&Post::free_busy(from, &[to])).codes();
        for round in 0..8 {
            let codes = asked("mallory@evil.example", BO);
            assert_eq!(codes, ["5.1"], "{isolation} {fault}, round {round}");
        }
        for from in [ANNA, "mallory@evil.example"] {
            let codes = asked(from, "fine@example.org");
            assert_eq!(codes, ["2.0"], "{isolation} {fault}, {from}");
        }
    }
}
