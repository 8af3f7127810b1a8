//! What plugins say of themselves, as an administrator sees it.

use convoke_ischedule::dkim::{KeyKind, PrivateKey};
use convoke_tests::{Host, NameServer, Post, Setup, program};
use serde_json::Value;
use std::process::Command;

const BO: &str = "bo@example.org";

fn with(degraded: &str) -> Setup {
    let table = format!("plugin = \"test-asking\"\nname = \"finder\"\n{degraded}");
    Setup::new().users(&[BO]).table("[[discovery]]", &table)
}

fn listed(host: &Host, more: &[&str]) -> String {
    let output = Command::new(program())
        .args(["plugin", "list"])
        .args(more)
        .arg("--config")
        .arg(host.folder().join("convoke.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

fn finder(host: &Host) -> Value {
    let list: Value = serde_json::from_str(&listed(host, &["--json"])).unwrap();
    let mut all = list.as_array().unwrap().iter();
    let found = all.find(|it| it["name"] == "finder");
    found.cloned().unwrap_or_else(|| panic!("{list}"))
}

#[test]
fn what_a_plugin_says_of_itself_is_shown_and_what_it_counts() {
    let mut host = with("config.degraded = \"the list is old\"").start();
    assert_eq!(
        host.get("admin", "/health").body,
        "degraded\nfinder: the list is old\n"
    );
    let shown = finder(&host);
    assert_eq!(shown["state"], "degraded");
    assert_eq!(shown["reason"], "the list is old");
    let text = listed(&host, &[]);
    let line = text.lines().find(|it| it.starts_with("finder"));
    assert!(line.unwrap().contains("the list is old"), "{text}");
    let log = host.log();
    assert!(log.contains("\"plugin-degraded\""), "{log}");

    // A question that the plugin fails to answer: there is no such file.
    let post = Post::free_busy(BO, &["secret@example.com"]);
    host.submit(&post);
    let counted = "convoke_plugin_asked_total{plugin=\"finder\"} 1\n";
    let state = "convoke_plugin_degraded{plugin=\"finder\",kind=\"discovery\"} ";
    let metrics = host.get("admin", "/metrics").body;
    assert!(metrics.contains(&format!("{state}1\n")), "{metrics}");
    assert!(metrics.contains(counted), "{metrics}");

    host.configure(|_| with(""));
    host.signal("HUP");
    host.wait_for("config-reloaded");
    assert_eq!(host.get("admin", "/health").body, "ok\n");
    assert_eq!(finder(&host)["state"], "ready");
    let metrics = host.get("admin", "/metrics").body;
    assert!(metrics.contains(&format!("{state}0\n")), "{metrics}");
    assert!(metrics.contains(counted), "it counts on\n{metrics}");
}

/// A store that nobody reaches says nothing of itself: what its calls come to does.
#[test]
fn a_store_that_does_not_answer_is_shown() {
    let store =
        "plugin = \"store-caldav\"\nname = \"away\"\nconfig.home = \"http://127.0.0.1:1/{user}/\"";
    let host = Setup::new().table("[[store]]", store).start();
    for _ in 0..3 {
        let post = Post::free_busy("anna@example.com", &[BO]);
        assert_eq!(host.post(&post).codes(), ["5.1"], "try later");
    }
    let health = host.get("admin", "/health").body;
    assert!(health.starts_with("degraded\n"), "{health}");
    let line = health.lines().find(|it| it.starts_with("away: "));
    assert!(
        line.is_some_and(|it| it.contains("127.0.0.1:1")),
        "{health}"
    );
}

/// A store that nobody asks for anything, and which is not watched.
#[test]
fn a_store_is_tried_though_nobody_asks_for_it() {
    let store = "plugin = \"store-caldav\"\nname = \"away\"\nschedule = \"off\"\nconfig.home = \"http://127.0.0.1:1/{user}/\"\n\
                 config.users.\"bo@example.org\" = {}";
    let host = Setup::new().table("[[store]]", store).start();
    host.wait_for("event=\"trouble\" what=\"store away\"");
    let health = host.get("admin", "/health").body;
    let line = health.lines().find(|it| it.starts_with("away: "));
    assert!(
        line.is_some_and(|it| it.contains("127.0.0.1:1")),
        "{health}"
    );
}

#[test]
fn a_key_that_peers_do_not_find_is_shown_until_they_do() {
    let key = PrivateKey::generate(KeyKind::Ed25519).unwrap();
    let names = NameServer::new().ttl(0);
    let dns = format!("nameservers = [\"{}\"]", names.address());
    let signing =
        "domain = \"example.org\"\nselector = \"is1\"\nkey = \"dkim.pem\"\nlookup = [\"dns/txt\"]";
    let host = Setup::new()
        .private_file("dkim.pem", &key.to_pem().unwrap())
        .table("[signing]", signing)
        .table("[dns]", &dns)
        .start();
    host.wait_for("event=\"trouble\" what=\"signing\"");
    let health = host.get("admin", "/health").body;
    let expected = "degraded\nsigning: dns/txt: peers find no key";
    assert!(health.starts_with(expected), "{health}");
    names.txt("is1._domainkey.example.org", &key.record().to_string());
    // A reload has it tried again.
    host.signal("HUP");
    host.wait_for("event=\"trouble-over\" what=\"signing\"");
    assert_eq!(host.get("admin", "/health").body, "ok\n");
}

#[test]
fn a_certificate_that_has_run_out_is_shown() {
    let host = Setup::new().start();
    assert_eq!(host.get("admin", "/health").body, "ok\n");
    let old = host.authority().issue_expired(&["localhost"]);
    old.write(host.folder(), "host");
    let health = host.get("admin", "/health").body;
    let line = health.lines().nth(1).unwrap_or_default();
    assert!(
        line.starts_with("certificate of receiver: ") && line.contains("has expired at 2020-01-01"),
        "{health}"
    );
}
