use super::{ANNA, BO, identity::signed};
use convoke_ischedule::dkim::{KeyKind, PrivateKey, Signer};
use convoke_tests::{NameServer, Post, Setup};

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
