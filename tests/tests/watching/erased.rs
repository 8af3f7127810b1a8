//! A user is removed and added again, and all that is kept about one is erased.

use super::{ANNA, BO, CY, SETTLE, convoke, json};
use convoke_tests::{Host, Post, Setup};
use serde_json::{Value, json as expected};

/// Bo has invited Cy and, of another domain whose receiver does not answer, Anna.
fn invited() -> Host {
    let nowhere = "plugin = \"discovery-static\"\n\
                   config.domains.\"example.com\" = \"https://127.0.0.1:1/ischedule\"";
    let host = Setup::new()
        .users(&[BO, CY])
        .table("[scheduling]", SETTLE)
        .table("[[discovery]]", nowhere)
        .start();
    for (uid, guest, code) in [("here", CY, "2.0"), ("there", ANNA, "1.0")] {
        let sent = host.submit(&Post::invitation(uid, BO, &[guest]));
        assert_eq!(sent.codes(), [code], "{}", host.log());
    }
    json(&host, &["changed", "--user", BO]);
    host
}

fn erase(host: &Host, more: &[&str]) -> Value {
    json(host, &[&["user", "erase", BO], more].concat())
}

#[test]
fn who_is_added_again_with_an_empty_calendar_calls_nothing_off() {
    let host = invited();
    json(&host, &["user", "remove", BO]);
    json(&host, &["user", "add", BO]);
    for _ in 0..2 {
        let looked = json(&host, &["changed", "--user", BO]);
        assert_eq!(looked["told"], 0, "{looked}");
    }
    assert!(host.stored(CY, "here").is_some(), "it is not called off");
    let waits = json(&host, &["queue", "list"]);
    assert_eq!(waits.as_array().unwrap().len(), 1, "{waits}");
    assert_eq!(waits[0]["method"], "REQUEST");
}

#[test]
fn all_that_is_kept_about_a_person_is_erased_by_whoever_runs() {
    let mut host = invited();
    let erased = erase(&host, &[]);
    let counts = ["objects", "queue", "known", "held", "inbox"].map(|it| erased[it].clone());
    assert_eq!(counts, [2, 1, 2, 0, 0].map(Value::from), "{erased}");
    assert_eq!(erased["calendar_removed"], false);
    assert_eq!(json(&host, &["queue", "list"]), expected!([]));
    for uid in ["here", "there"] {
        let told = json(&host, &["explain", uid, "--user", BO]);
        assert_eq!(told, expected!([]), "{told}");
    }
    let own = json(&host, &["changed", "--user", BO]);
    assert_eq!(own["told"], 0, "what is there counts as known: {own}");
    host.signal("TERM");
    host.wait();
    let erased = erase(&host, &["--store"]);
    assert_eq!(erased["calendar_removed"], true, "{erased}");
    assert!(!convoke(&host, &["user", "show", BO]).status.success());
    assert!(convoke(&host, &["user", "show", CY]).status.success());
    let again = convoke(&host, &["user", "erase", BO]);
    let said = String::from_utf8(again.stdout).unwrap();
    assert!(said.contains("there is no calendar user"), "{said}");
}
