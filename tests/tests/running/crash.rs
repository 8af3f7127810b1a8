//! A host that is killed in the middle of its work, again and again: what it acknowledged is there, and whole.
//!
//! `CONVOKE_KILLS=200 cargo test -p convoke-tests --test running crash` kills it more often.

use convoke_tests::{Host, Peer, Post, Setup, program};
use std::{
    collections::HashMap,
    path::Path,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

const ANNA: &str = "anna@example.com";
const BO: &str = "bo@example.org";
const PEERS: usize = 4;
/// Meetings that each peer moves about, besides the new ones.
const MOVED: usize = 3;

/// The last version of each meeting that the host acknowledged, and the last that was sent, by UID.
type Versions = HashMap<String, (Option<usize>, usize)>;

fn kills() -> usize {
    let kills = std::env::var("CONVOKE_KILLS").ok();
    kills.map_or(5, |kills| kills.parse().expect("a number of kills"))
}

#[test]
fn nothing_that_sqlite_acknowledged_is_lost_by_kills() {
    killed("plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"");
}

#[test]
fn nothing_that_a_vdir_acknowledged_is_lost_by_kills() {
    killed("plugin = \"store-vdir\"\nconfig.path = \"calendars\"");
}

fn killed(store: &str) {
    let mut host = Setup::new().table("[[store]]", store).users(&[BO]).start();
    let versions = Mutex::new(Versions::new());
    for round in 0..kills() {
        // Another moment each time.
        load_and_kill(&mut host, round, 5 + round * 7 % 40, &versions);
        host.start_again();
        let versions = versions.lock().unwrap();
        hold_against(&exported(&host), &versions);
        let busy = host.post(&Post::free_busy(ANNA, &[BO]));
        assert_eq!(busy.codes(), ["2.0"], "round {round}");
    }
}

/// Kills the host once it has acknowledged `enough` messages of several peers.
fn load_and_kill(host: &mut Host, round: usize, enough: usize, versions: &Mutex<Versions>) {
    let acknowledged = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..PEERS {
            let (mut peer, acknowledged) = (host.connect(), &acknowledged);
            scope.spawn(move || {
                for turn in 0.. {
                    let (uid, version) = meeting(round, number, turn);
                    if send(&mut peer, &uid, version, versions).is_err() {
                        return;
                    }
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while acknowledged.load(Ordering::Relaxed) < enough {
            thread::yield_now();
        }
        host.signal("KILL");
    });
    assert!(!host.wait().success());
}

/// Every other one is new, the others are moved again; versions only grow.
fn meeting(round: usize, peer: usize, turn: usize) -> (String, usize) {
    if turn.is_multiple_of(2) {
        (format!("new-{round}-{peer}-{turn}"), 0)
    } else {
        (
            format!("moved-{peer}-{}", turn % MOVED),
            round * 100_000 + turn,
        )
    }
}

fn send(
    peer: &mut Peer,
    uid: &str,
    version: usize,
    versions: &Mutex<Versions>,
) -> std::io::Result<()> {
    let note = |done: bool| {
        let mut versions = versions.lock().unwrap();
        let (acknowledged, sent) = versions.entry(uid.to_owned()).or_default();
        *sent = version;
        if done {
            *acknowledged = Some(version);
        }
    };
    note(false);
    let post = Post::invitation(uid, ANNA, &[BO]).edited(
        "SEQUENCE:0",
        &format!("SEQUENCE:{version}\nDESCRIPTION:{}", "whole ".repeat(500)),
    );
    let answer = peer.try_ask(&post.to_bytes())?;
    assert_eq!(answer.codes(), ["2.0"], "{uid}");
    note(true);
    Ok(())
}

/// Everything in the calendar of [`BO`], as `convoke calendar export` prints it, by UID.
fn exported(host: &Host) -> HashMap<String, usize> {
    let config = host.folder().join("convoke.toml");
    let output = convoke(&config, &["calendar", "export", "--user", BO]);
    let text = output.replace("\r\n ", "");
    let mut found = HashMap::new();
    for event in text.split("BEGIN:VEVENT\r\n").skip(1) {
        let (event, _) = event.split_once("END:VEVENT\r\n").expect("the event ends");
        let value = |name: &str| {
            let line = event.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {event}"))
        };
        assert_eq!(value("DESCRIPTION:"), "whole ".repeat(500));
        let version = value("SEQUENCE:").parse().unwrap();
        let twice = found.insert(value("UID:").to_owned(), version);
        assert_eq!(twice, None, "{event}");
    }
    found
}

fn convoke(config: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program())
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert_eq!(said, "", "no file is half-written");
    String::from_utf8(output.stdout).unwrap()
}

/// What was acknowledged is there, in that version or one that was sent after it; nothing else is.
fn hold_against(found: &HashMap<String, usize>, versions: &Versions) {
    for (uid, (acknowledged, sent)) in versions {
        let there = found.get(uid).copied();
        assert!(
            there >= *acknowledged && there <= Some(*sent),
            "{uid}: {acknowledged:?} was acknowledged and {sent} sent, {there:?} is there"
        );
    }
    for uid in found.keys() {
        assert!(versions.contains_key(uid), "{uid} was never sent");
    }
}
