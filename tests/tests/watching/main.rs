//! People stay in their calendar programs: what they write into a store is told, by the real program with the real plugins.

mod backup;
mod erased;
mod lost_ledger;
mod manners;

use convoke_tests::{Host, Post, Setup, program};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

const BO: &str = "bo@example.org";
const CY: &str = "cy@example.org";
const ANNA: &str = "anna@example.com";

/// The configured settle time.
const SETTLE: &str = "settle = \"1s\"\nhold = 3";

/// Bo and Cy, whose calendars are files.
fn files() -> Setup {
    let vdir = "plugin = \"store-vdir\"\nconfig.path = \"calendars\"";
    Setup::new()
        .users(&[BO, CY])
        .table("[[store]]", vdir)
        .table("[scheduling]", SETTLE)
}

/// The file of an object of Bo's, as a program keeps it.
fn file(host: &Host, uid: &str) -> PathBuf {
    let folder = host.folder().join("calendars").join(BO).join("calendar");
    fs::create_dir_all(&folder).unwrap();
    folder.join(format!("{uid}.ics"))
}

/// A meeting as khal writes it: guests, and no ORGANIZER.
fn meeting(uid: &str, hour: u8, guest: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//khal//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20261201T070000Z\r\n\
         DTSTART:20370104T{hour}0000Z\r\nDURATION:PT1H\r\nSUMMARY:Review\r\nATTENDEE:mailto:{guest}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn convoke(host: &Host, arguments: &[&str]) -> Output {
    Command::new(program())
        .args(arguments)
        .args(["--config", "convoke.toml"])
        .current_dir(host.folder())
        .output()
        .unwrap()
}

fn json(host: &Host, arguments: &[&str]) -> Value {
    let output = convoke(host, &[arguments, &["--json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Asks again and again until it is so, and not for ever.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no {what}");
    }
}

/// What `check` warns of, of a running host.
fn check(host: &Host, what: &str) -> String {
    let found = json(host, &["check"]);
    let mut found = found.as_array().unwrap().iter();
    let what = format!("running host: {what}");
    let found = found.find(|it| it["what"] == *what);
    let found = found.unwrap_or_else(|| panic!("no {what}"));
    assert_eq!(found["verdict"], "warn", "{found}");
    found["detail"].as_str().unwrap().to_owned()
}

/// Has the host look at Bo's calendar once, so that it has a baseline.
fn looked_at(host: &Host) {
    let looked = json(host, &["changed", "--user", BO]);
    assert_eq!(looked["told"], 0, "{looked}");
}

#[test]
fn a_file_that_a_program_writes_invites_moves_and_calls_off() {
    let host = files().start();
    looked_at(&host);
    let path = file(&host, "review");
    fs::write(&path, meeting("review", 10, CY)).unwrap();
    host.wait_for("method=\"REQUEST\"");
    host.wait_for("event=\"sent\"");
    let invited = host.stored(CY, "review").unwrap();
    assert!(
        invited.contains("ORGANIZER") && invited.contains("T100000Z"),
        "{invited}"
    );
    let own = host.stored(BO, "review").unwrap();
    assert!(
        own.contains("ORGANIZER") && own.contains("SCHEDULE-STATUS=2.0"),
        "{own}"
    );
    assert!(!own.contains("X-CONVOKE"), "{own}");

    fs::remove_file(&path).unwrap();
    host.wait_for("method=\"CANCEL\"");
    let told = json(&host, &["explain", "review"]);
    let events: Vec<&str> = told
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["event"].as_str())
        .collect();
    assert!(
        events.contains(&"change-told") && events.contains(&"delivered"),
        "{told}"
    );
}

#[test]
fn what_cannot_be_delivered_waits_over_a_restart_and_is_listed() {
    let mut host = files().start();
    looked_at(&host);
    // The resolver knows no receiver there, and says that it cannot be asked.
    host.configure(|setup| {
        setup.table(
            "[[discovery]]",
            "plugin = \"discovery-static\"\nconfig.domains.\"example.com\" = \"https://127.0.0.1:1/ischedule\"",
        )
    });
    host.signal("HUP");
    host.wait_for("event=\"config-reloaded\"");
    fs::write(file(&host, "away"), meeting("away", 11, ANNA)).unwrap();
    host.wait_for("event=\"sent-later\"");
    let waits = json(&host, &["queue", "list"]);
    assert_eq!(waits[0]["state"], "retrying", "{waits}");
    assert_eq!(waits[0]["recipient"], "mailto:anna@example.com");
    eventually("five tries", || {
        json(&host, &["queue", "retry", "--all"]);
        json(&host, &["queue", "list"])[0]["attempts"].as_u64() >= Some(5)
    });
    let checked = check(&host, "queue");
    assert!(
        checked.contains("1 message cannot be delivered"),
        "{checked}"
    );
    host.signal("KILL");
    host.wait();
    host.start_again();
    host.wait_for("event=\"outbox-loaded\"");
    let again = json(&host, &["queue", "list"]);
    assert_eq!(again[0]["id"], waits[0]["id"]);
    let id = waits[0]["id"].as_str().unwrap();
    let dropped = convoke(&host, &["queue", "drop", id]);
    assert!(dropped.status.success(), "{dropped:?}");
    assert_eq!(json(&host, &["queue", "list"]), Value::Array(Vec::new()));
    let metrics = host.get("admin", "/metrics");
    let none = "convoke_outbox_entries{state=\"retrying\"} 0";
    assert!(metrics.body.contains(none), "{}", metrics.body);
}

#[test]
fn too_many_changes_at_once_wait_to_be_released() {
    let host = files().start();
    looked_at(&host);
    // A calendar that appears as a whole, so that no look finds some of it.
    let made = host.folder().join("restored");
    fs::create_dir(&made).unwrap();
    for number in 0..5 {
        let uid = format!("many-{number}");
        fs::write(made.join(format!("{uid}.ics")), meeting(&uid, 12, CY)).unwrap();
    }
    fs::rename(
        made,
        host.folder().join("calendars").join(BO).join("restored"),
    )
    .unwrap();
    host.wait_for("event=\"changes-held\"");
    assert_eq!(host.stored(CY, "many-0"), None);
    let held = json(&host, &["queue", "list", "--user", BO]);
    assert_eq!(held.as_array().unwrap().len(), 5, "{held}");
    assert!(
        held.as_array()
            .unwrap()
            .iter()
            .all(|it| it["state"] == "held"),
        "{held}"
    );
    let checked = check(&host, "held changes");
    assert!(checked.contains("changes of 5 meetings wait"), "{checked}");
    let released = json(&host, &["queue", "release", "--all"]);
    assert_eq!(released["released"], 5, "{released}");
    host.wait_for("event=\"sent\"");
}

/// khal raises SEQUENCE each time it saves; the organizer's next update counts all the same.
#[test]
fn an_invitation_that_a_program_has_saved_is_updated() {
    let host = files().start();
    looked_at(&host);
    let invitation = Post::invitation("saved", ANNA, &[BO]);
    assert_eq!(host.post(&invitation).codes(), ["2.0"]);
    let stored = host.stored(BO, "saved").unwrap();
    let path = file(&host, "saved");
    assert!(path.exists(), "{path:?}");
    fs::write(
        &path,
        stored.replace("UID:saved", "UID:saved\r\nSEQUENCE:7"),
    )
    .unwrap();
    let cancelled = host.post(&Post::cancellation("saved", ANNA, &[BO]));
    assert_eq!(cancelled.codes(), ["2.0"]);
    let stored = host.stored(BO, "saved").unwrap();
    assert!(stored.contains("STATUS:CANCELLED"), "{stored}");
}

/// The rules of the example for strangers; in these tests nobody signs.
fn rules_for_strangers() -> String {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/strangers.toml");
    let example = fs::read_to_string(example).unwrap();
    let (_, rules) = example.split_once("config.rules = ").unwrap();
    let (rules, _) = rules.split_once("\n]\n").unwrap();
    assert!(rules.contains("hold = \"schedule\""), "{rules}");
    format!("{rules}\n]").replace(", via = \"dkim\"", "")
}

/// The example holds whom Bo does not know; once accepted, Anna comes through.
#[test]
fn a_stranger_waits_in_the_inbox_until_they_are_let_in() {
    let host = files().rules(&rules_for_strangers()).start();
    looked_at(&host);
    assert_eq!(
        host.post(&Post::invitation("first", ANNA, &[BO])).codes(),
        ["2.0"]
    );
    assert_eq!(host.stored(BO, "first"), None);
    let waits = json(&host, &["inbox", "list", "--user", BO]);
    assert_eq!(waits[0]["why"], "held", "{waits}");
    assert_eq!(waits[0]["from"], "mailto:anna@example.com");
    let id = waits[0]["id"].as_str().unwrap();
    let accepted = convoke(&host, &["inbox", "accept", "--user", BO, id]);
    assert!(accepted.status.success(), "{accepted:?}");
    assert!(host.stored(BO, "first").is_some());
    assert_eq!(
        host.post(&Post::invitation("second", ANNA, &[BO])).codes(),
        ["2.0"]
    );
    assert!(host.stored(BO, "second").is_some());
    let again = convoke(&host, &["inbox", "accept", "--user", BO, id]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
}
