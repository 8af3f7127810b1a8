//! Plugins that do all the wrong things at once, and a host that serves on.

use convoke_tests::{Host, Post, Setup};
use std::fmt::Write;

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
