//! What an administrator is told by `convoke explain` and `convoke check` of a host that runs.

use crate::commands::{post, run};
use convoke_tests::{Host, Post, Setup, program};
use serde_json::{Value, json};
use std::process::Command;

const BO: &str = "bo@example.org";
const ANNA: &str = "anna@example.com";
const ANNA_HERE: &str = "anna@example.org";

fn explain(host: &Host, what: &str) -> Value {
    run(host, &["explain", what])
}

/// The reason of the one event of this name.
fn why<'a>(told: &'a Value, event: &str) -> &'a str {
    let mut rows = told.as_array().unwrap().iter();
    let found = rows.find(|it| it["event"] == event);
    let found = found.unwrap_or_else(|| panic!("no {event} in {told}"));
    found["why"].as_str().unwrap_or_default()
}

#[test]
fn the_policy_and_the_rule_that_decided_are_named() {
    let rules = "[{ deny = \"schedule\", from = \"*@spam.example.com\" }, { allow = \"schedule\", from = \"*@example.com\" }, \
                 { hold = \"schedule\" }]";
    let host = Setup::new().users(&[BO]).rules(rules).start();
    for (uid, from, code, event, expected) in [
        (
            "good",
            ANNA,
            "2.0",
            "allowed-by-policy",
            "policy `policy-rules` allows it by rule 2",
        ),
        (
            "bad",
            "eve@spam.example.com",
            "3.8",
            "not-allowed-by-policy",
            "policy `policy-rules` says: rule 1 denies it",
        ),
        (
            "strange",
            "cy@example.net",
            "2.0",
            "held-by-policy",
            "policy `policy-rules` holds it",
        ),
    ] {
        let message = Post::invitation(uid, from, &[BO]);
        assert_eq!(host.post(&message).codes(), [code], "{uid}");
        let told = explain(&host, uid);
        assert_eq!(why(&told, event), expected, "{told}");
    }
}

/// The sender knows its Message-ID, and may write it as mail does.
#[test]
fn a_message_is_found_by_its_identifier_also_when_it_was_refused() {
    let host = Setup::new().users(&[BO]).start();
    let message = Post::invitation("one", ANNA, &[BO]);
    let message = message.with("iSchedule-Message-ID", "<m1@example.com>");
    assert_eq!(host.post(&message).codes(), ["2.0"]);
    let broken = Post::invitation("two", ANNA, &[BO]);
    let broken = broken.with("iSchedule-Message-ID", "m2@example.com");
    let broken = broken.edited("BEGIN:VEVENT", "BEGIN:VEVENX");
    assert!(host.post(&broken).error().is_some());
    for id in ["m1@example.com", "<m1@example.com>"] {
        let told = explain(&host, id);
        let rows = told.as_array().unwrap();
        let delivered = rows.iter().find(|it| it["event"] == "delivered");
        assert_eq!(delivered.unwrap()["uid"], "one", "{told}");
    }
    for id in ["m2@example.com", "<m2@example.com>"] {
        let told = explain(&host, id);
        let [row] = told.as_array().unwrap().as_slice() else {
            panic!("{told}");
        };
        assert_eq!(row["event"], "refused");
        assert_eq!(row["uid"], Value::Null);
        let result = row["result"].as_str().unwrap();
        assert!(result.contains("invalid-calendar-data"), "{told}");
        let peer = row["peer"].as_str().unwrap();
        assert!(peer.contains("anna@example.com"), "{told}");
    }
}

/// Both sides find what went from one to the other by the Message-ID that is in the log.
#[test]
fn what_was_sent_is_found_by_its_identifier_at_both_ends() {
    let bo = Setup::new().users(&[BO]).start();
    let receiver = format!(
        "plugin = \"discovery-static\"\nconfig.domains.\"example.org\" = \"https://localhost:{}/ischedule\"",
        bo.address("receiver").port()
    );
    let trust = format!(
        "allow_networks = [\"127.0.0.0/8\", \"::1/128\"]\nca = \"{}\"",
        bo.folder().join("ca.pem").display()
    );
    let anna = Setup::new()
        .server_domains(&["example.com"])
        .users(&[ANNA])
        .table("[client]", &trust)
        .table("[[discovery]]", &receiver)
        .start();
    let message = Post::invitation("one", ANNA, &[BO]);
    let sent = anna.submit(&message);
    assert_eq!(sent.codes(), ["2.0"], "{}", anna.log());
    let log = anna.log();
    let line = log.lines().find(|it| it.contains("event=\"sent\""));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    let (_, id) = line.split_once("message_id=\"").unwrap();
    let (id, _) = id.split_once('"').unwrap();
    let told = explain(&anna, id);
    assert_eq!(why(&told, "sent"), "by iSchedule", "{told}");
    assert_eq!(why(&explain(&bo, id), "delivered"), "");
}

/// What `check` finds, whether or not all of it is well.
fn check(host: &Host) -> String {
    let output = Command::new(program())
        .args(["check", "--config"])
        .arg(host.folder().join("convoke.toml"))
        .current_dir(host.folder())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

const SENTENCE: &str = "the server at cal.example.org schedules by itself; switch that off";

/// Makes the store say that what lies behind it schedules for Bo.
fn schedules_itself(host: &Host) {
    let (_, found) = post(host, "/v1/find", &json!({ "address": BO }).to_string());
    let mut user = found["user"].clone();
    user["attributes"]["schedules-itself"] = SENTENCE.into();
    let update = json!({ "store": found["store"], "user": user }).to_string();
    assert_eq!(post(host, "/v1/update-user", &update).0, 200);
}

#[test]
fn a_store_that_schedules_by_itself_is_told_of_and_refused_with_auto() {
    let store = |schedule: &str| {
        let sqlite = "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"";
        let table = format!("{sqlite}\n{schedule}");
        Setup::new()
            .users(&[BO, ANNA_HERE])
            .table("[[store]]", &table)
    };
    let mut host = store("").start();
    assert_eq!(run(&host, &["user", "show", ANNA_HERE])["schedule"], "on");
    let clean = check(&host);
    assert!(clean.contains("its plugins are well"), "{clean}");
    schedules_itself(&host);
    host.wait_for("\"store-schedules-itself\"");
    let warned = check(&host);
    let line = warned.lines().find(|line| line.contains(SENTENCE));
    assert!(line.unwrap().starts_with("warn"), "{warned}");
    let health = host.get("admin", "/health").body;
    assert_eq!(health, format!("degraded\nstore-sqlite: {SENTENCE}\n"));
    let shown = run(&host, &["user", "show", BO]);
    assert_eq!(shown["schedule"], "off");
    assert_eq!(shown["schedules_itself"], SENTENCE);

    host.configure(|_| store("schedule = \"auto\""));
    host.signal("HUP");
    host.wait_for("\"config-rejected\"");
    let log = host.log();
    assert!(
        log.contains("is refused, as everybody would be told twice"),
        "{log}"
    );
    host.configure(|_| store("schedule = \"off\""));
    host.signal("HUP");
    host.wait_for("\"config-reloaded\"");
    assert_eq!(run(&host, &["user", "show", ANNA_HERE])["schedule"], "off");
}
