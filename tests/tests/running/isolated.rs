//! The processes of plugins, and the host that they belong to.

use convoke_tests::{Host, Post, Setup};
use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

const ANNA: &str = "anna@example.com";
const BO: &str = "bo@example.org";

/// The host with its store in a process of its own.
fn apart() -> Host {
    Setup::new()
        .users(&[BO])
        .table(
            "[[store]]",
            "plugin = \"store-sqlite\"\nisolation = \"process\"\nallow.write = [\".\"]\nconfig.path = \"calendars.db\"",
        )
        .start()
}

/// The processes that the host has started.
pub(crate) fn processes(host: &Host) -> Vec<String> {
    let of_host = |process: &String| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        after_name.split_whitespace().nth(1) == Some(&host.id().to_string())
    };
    let all = fs::read_dir("/proc").unwrap();
    all.filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(of_host)
        .filter(|process| alive(process))
        .collect()
}

pub(crate) fn send(signal: &str, process: &str) {
    let status = std::process::Command::new("kill")
        .args(["-s", signal, process])
        .status();
    // One that has ended meanwhile cannot be sent anything.
    assert!(status.unwrap().success() || !alive(process));
}

fn alive(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // One that nobody has waited for yet is dead too.
    !stat.is_empty() && !stat.contains(") Z ")
}

fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_host_with_its_store_apart_schedules_and_outlives_it() {
    let host = apart();
    let post = Post::invitation("apart", ANNA, &[BO]);
    assert_eq!(host.post(&post).codes(), ["2.0"]);
    assert!(host.stored(BO, "apart").is_some());
    let killed = processes(&host);
    let [process] = killed.as_slice() else {
        panic!("{killed:?}");
    };
    send("KILL", process);
    host.wait_for("plugin-process-started");
    assert_eq!(host.post(&Post::free_busy(ANNA, &[BO])).codes(), ["2.0"]);
    assert!(!alive(process));
}

#[test]
fn no_invitation_is_lost_while_its_store_is_killed_again_and_again() {
    let host = apart();
    let stop = AtomicBool::new(false);
    let delivered = AtomicU32::new(0);
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut peer = host.connect();
            while !stop.load(Ordering::Relaxed) {
                let number = delivered.load(Ordering::Relaxed);
                let post = Post::invitation(&format!("number-{number}"), ANNA, &[BO]);
                assert_eq!(peer.ask(&post.to_bytes()).codes(), ["2.0"], "{number}");
                delivered.fetch_add(1, Ordering::Relaxed);
            }
        });
        for _ in 0..5 {
            // Those that earlier calls were made again with, too.
            for process in processes(&host) {
                send("KILL", &process);
            }
            // A call under which a fresh process ends as well counts as what ended both, and is given up (5.1).
            let before = delivered.load(Ordering::Relaxed);
            wait_until("what was on its way is answered", || {
                load.is_finished() || delivered.load(Ordering::Relaxed) >= before + 2
            });
        }
        stop.store(true, Ordering::Relaxed);
    });
    let delivered = delivered.into_inner();
    for number in [0, delivered / 2, delivered - 1] {
        assert!(host.stored(BO, &format!("number-{number}")).is_some());
    }
}

/// As when systemd stops a service, or somebody presses Ctrl-C: every process is told.
#[test]
fn an_order_that_reaches_every_process_leaves_the_plugins_to_the_host() {
    let mut host = apart();
    let process = processes(&host).remove(0);
    for order in ["HUP", "INT", "TERM"] {
        send(order, &process);
        assert_eq!(host.post(&Post::free_busy(ANNA, &[BO])).codes(), ["2.0"]);
        assert!(alive(&process), "after SIG{order}");
    }
    host.signal("TERM");
    assert!(host.wait().success());
    let log = host.log();
    assert!(!log.contains("plugin-process-"), "{log}");
    wait_until("it ends with its host", || !alive(&process));
}

#[test]
fn no_process_outlives_its_host_or_its_configuration() {
    let mut host = apart();
    let first = processes(&host);
    host.signal("HUP");
    host.wait_for("config-reloaded");
    wait_until("the old one is closed", || {
        !first.iter().any(|it| alive(it))
    });
    let second = processes(&host);
    assert_eq!(second.len(), 1, "{second:?}");
    host.signal("KILL");
    host.wait();
    wait_until("the new one ends with its host", || {
        !second.iter().any(|it| alive(it))
    });
}

#[test]
fn plugins_are_closed_before_their_host_ends_and_what_they_say_arrives() {
    for isolation in ["in-process", "process"] {
        let slow = format!(
            "plugin = \"test-faulty\"\nisolation = \"{isolation}\"\nconfig.fault = \"close\""
        );
        let mut host = Setup::new().table("[[discovery]]", &slow).start();
        // An old configuration's, too.
        host.signal("HUP");
        host.wait_for("config-reloaded");
        host.wait_for("closed at leisure");
        host.signal("TERM");
        assert!(host.wait().success());
        let log = host.log();
        let closed = log.matches("closed at leisure").count();
        assert_eq!(closed, 2, "{isolation}: {log}");
        assert!(
            log.trim_end().ends_with("event=\"stopped\""),
            "{isolation}: {log}"
        );
    }
}
