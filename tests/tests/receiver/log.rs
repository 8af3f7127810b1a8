use super::{ANNA, BO, identity::signed};
use convoke_ischedule::dkim::{KeyKind, PrivateKey, Signer};
use convoke_tests::{NameServer, Post, Setup};
use serde_json::Value;

/// A refusal says of whom and of what, and by whose word; what is said of one request names it.
#[test]
fn a_refusal_says_who_what_and_by_whose_word() {
    let host = Setup::new()
        .users(&[BO])
        .rules("[{ deny = \"any\", from = \"*@example.net\" }, { allow = \"any\" }]")
        .through(&["env", "CONVOKE_LOG_FORMAT=json"])
        .start();
    let post = |uid: &str, from: &str| {
        let post = Post::invitation(uid, from, &[BO]);
        post.also("iSchedule-Message-ID", &format!("{uid}@x.example"))
    };
    host.post(&post("one", "pat@example.net"));
    host.post(&post("two", ANNA).with("Originator", "mailto:eve@example.com"));
    let event = |name: &str| -> Value {
        let needle = format!("\"event\":\"{name}\"");
        host.wait_for(&needle);
        let log = host.log();
        let line = log.lines().find(|line| line.contains(&needle)).unwrap();
        serde_json::from_str(line).unwrap()
    };
    let denied = event("not-allowed-by-policy");
    let fields = &denied["fields"];
    for (field, expected) in [
        ("originator", "mailto:pat@example.net"),
        ("recipient", "mailto:bo@example.org"),
        ("uid", "one"),
        ("message_id", "one@x.example"),
        ("policy", "policy-rules"),
        ("peer", "127.0.0.1"),
    ] {
        assert_eq!(fields[field], expected, "{denied}");
    }
    assert!(
        fields["message"].as_str().unwrap().contains("rule 1"),
        "{denied}"
    );
    let delivered = event("delivered");
    assert_eq!(delivered["span"]["request"], denied["span"]["request"]);
    assert!(denied["span"]["request"].is_u64(), "{denied}");
    let refused = event("refused");
    let fields = &refused["fields"];
    for (field, expected) in [
        ("originator", "mailto:eve@example.com"),
        ("recipients", "mailto:bo@example.org"),
        ("uid", "two"),
        ("message_id", "two@x.example"),
        ("error", "originator-invalid"),
    ] {
        assert_eq!(fields[field], expected, "{refused}");
    }
    assert_ne!(refused["span"]["request"], denied["span"]["request"]);
}

/// Whatever peers, name servers and plugins say, an event is one line of the log, in both forms.
#[test]
fn nobody_fakes_a_line_of_the_log() {
    let hostile = "x\\u000a2026 ERROR FAKE\\u2028a\\u202eb\\u0085c\\u001b[2J";
    let faulty = |kind: &str| {
        format!(
            "plugin = \"test-faulty\"\nconfig.fault = \"speak\"\nconfig.what = \"{hostile}\"\n{kind}"
        )
    };
    let names = NameServer::new();
    let record = "v=DKIM1; k=ed25519; \u{202e}\u{2028}FAKE\u{85}";
    names.txt("s1._domainkey.example.com", record);
    for form in ["text", "json"] {
        let stores = format!(
            "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"\ndomains = [\"example.org\"]\n[[store]]\n{}",
            faulty("domains = [\"speak.example\"]")
        );
        let host = Setup::new()
            .users(&[BO])
            .server_domains(&["example.org", "speak.example"])
            .table("[dns]", &format!("nameservers = [\"{}\"]", names.address()))
            .table("[[store]]", &stores)
            .through(&["env", &format!("CONVOKE_LOG_FORMAT={form}")])
            .start();
        let from = "pat\u{202e}\u{2028}@example.com";
        host.post(&Post::invitation(
            "a\u{2028}FAKE\u{202e}b",
            ANNA,
            &["cy@speak.example", BO],
        ));
        host.post(&Post::invitation("u", from, &[BO]));
        let key = PrivateKey::generate(KeyKind::Ed25519).unwrap();
        let signer = Signer::new("example.com".parse().unwrap(), "s1", key, Vec::new()).unwrap();
        host.post(&signed(&signer, Post::free_busy(ANNA, &[BO])));
        host.wait_for("key-record-ignored");
        let log = host.log();
        assert!(log.contains("FAKE"), "{log}");
        let hostile = |letter: char| {
            letter.is_control() && letter != '\n' || "\u{2028}\u{202e}".contains(letter)
        };
        assert!(!log.contains(hostile), "{form}: {log:?}");
        let begins = |line: &str| match form {
            "json" => line.starts_with("{\"timestamp\":\""),
            _ => line.starts_with("20") && line[..30].contains('T'),
        };
        assert!(log.lines().all(begins), "{form}: {log}");
    }
}
