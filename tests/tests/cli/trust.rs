//! Keys, what is published of them, and other people's receivers.

use crate::desk::Desk;
use convoke_tests::{Host, NameServer, Setup, program};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, process::Command};

const SIGNING: &str = "
[signing]
domain = \"example.org\"
selector = \"is1\"
key = \"dkim.pem\"
lookup = [\"dns/txt\"]
";

/// A desk whose configuration signs, and asks this name server.
fn signing(names: &NameServer) -> Desk {
    let desk = Desk::new();
    let config = fs::read_to_string(desk.path("convoke.toml")).unwrap();
    let dns = format!("[dns]\nnameservers = [\"{}\"]\n", names.address());
    desk.write("convoke.toml", &format!("{config}{SIGNING}{dns}"));
    desk
}

#[test]
fn a_key_is_made_published_and_checked() {
    let names = NameServer::new().ttl(0);
    let desk = signing(&names);
    let made = desk.run(&["keys", "generate"]);
    assert_eq!(made.status, 0, "{made:?}");
    let bits = fs::metadata(desk.path("dkim.pem"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(bits & 0o777, 0o600);
    let again = desk.run(&["keys", "generate"]);
    assert!(again.complaint(1).contains("is there already"));

    let shown = desk.run(&["keys", "show-dns", "--json"]).json();
    let strings = shown["txt"]["strings"].as_array().unwrap();
    assert!(strings.len() > 1, "an RSA key does not fit into one string");
    let record: String = strings.iter().map(|it| it.as_str().unwrap()).collect();
    let name = shown["txt"]["name"].as_str().unwrap();
    assert_eq!(name, "is1._domainkey.example.org");

    for (publish, verdict, expected) in [
        (None, "warn", "peers find no key"),
        (
            Some("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
            "fail",
            "another key",
        ),
        (Some(record.as_str()), "ok", "the key that we sign with"),
    ] {
        names.remove(name);
        if let Some(record) = publish {
            names.txt(name, record);
        }
        let said = desk.run(&["check", "--json"]).json_whatever_came_of_it();
        let findings = said.as_array().unwrap();
        let finding = findings
            .iter()
            .find(|it| it["what"] == "signing: dns/txt")
            .unwrap();
        assert_eq!(finding["verdict"], verdict, "{finding}");
        assert!(
            finding["detail"].as_str().unwrap().contains(expected),
            "{finding}"
        );
    }
}

#[test]
fn a_key_needs_no_configuration() {
    let desk = Desk::new();
    fs::remove_file(desk.path("convoke.toml")).unwrap();
    let generate = [
        "keys", "generate", "--kind", "ed25519", "--out", "k.pem", "--json",
    ];
    let made = desk.run(&generate).json();
    let show = [
        "keys",
        "show-dns",
        "--key",
        "k.pem",
        "--domain",
        "example.org",
        "--selector",
        "a.b",
        "--host",
        "cal.example.org",
        "--port",
        "8443",
    ];
    let shown = desk.run(&show).out;
    let record = format!(
        "a.b._domainkey.example.org. IN TXT \"{}\"\n",
        made["record"].as_str().unwrap()
    );
    assert!(shown.contains(&record), "{shown}");
    assert!(
        shown.contains("_ischedules._tcp.example.org. IN SRV 0 1 8443 cal.example.org.\n"),
        "{shown}"
    );
    // Where the certificate is not there that would say the host's name, this is said.
    let config = Desk::new();
    let written = fs::read_to_string(config.path("convoke.toml")).unwrap();
    let receiver = "[[listener]]\nrole = \"receiver\"\naddress = \"127.0.0.1:0\"\ntls = { certificate = \"no.pem\", key = \"no.key\" }\n";
    config.write("convoke.toml", &format!("{written}{receiver}{SIGNING}"));
    assert_eq!(config.run(&["keys", "generate"]).status, 0);
    let guessed = config.run(&["keys", "show-dns"]).out;
    let doubt =
        "; That this machine is called example.org is a guess, as its certificate would say it (";
    assert!(
        guessed.starts_with(doubt) && guessed.contains("say --host NAME"),
        "{guessed}"
    );
    let said = config
        .run(&["keys", "show-dns", "--host", "cal.example.org"])
        .out;
    assert!(!said.contains("guess"), "{said}");
    let wrong = desk.run(&["keys", "show-dns", "--key", "k.pem"]);
    assert_eq!(wrong.status, 2, "{wrong:?}");
}

/// `convoke probe` with the configuration of a host.
fn probe(host: &Host, arguments: &[&str]) -> (bool, Vec<Value>) {
    let output = Command::new(program())
        .args(["probe", "--json", "--config"])
        .arg(host.folder().join("convoke.toml"))
        .args(arguments)
        .output()
        .unwrap();
    let findings = serde_json::from_slice(&output.stdout);
    let findings = findings.unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.success(), findings)
}

fn has(findings: &[Value], verdict: &str, text: &str) -> bool {
    findings
        .iter()
        .any(|it| it["verdict"] == verdict && it["text"].as_str().unwrap().contains(text))
}

#[test]
fn our_own_receiver_passes_every_check() {
    let names = NameServer::new();
    let host = Setup::new()
        .users(&["bo@example.org"])
        .table("[dns]", &format!("nameservers = [\"{}\"]", names.address()))
        .start();
    let service = "_ischedules._tcp.example.org";
    names
        .srv(service, 1, 1, host.address("receiver").port(), "localhost")
        .txt(service, "PATH=/ischedule");
    let post = [
        "team.example.org",
        "--post",
        "anna@example.com",
        "bo@example.org",
    ];
    let (passed, findings) = probe(&host, &post);
    assert!(passed, "{findings:#?}");
    assert!(!has(&findings, "deviation", ""), "{findings:#?}");
    for text in ["team.example.org has no SRV record", "TXT path=/ischedule"] {
        assert!(has(&findings, "info", text), "{text}: {findings:#?}");
    }
    for text in [
        "found https://localhost:",
        "TLSv1.3",
        "certificate for localhost, example.org",
        "speaks versions 1.0",
        "answers 304",
        "OPTIONS",
        "request-status 2.0",
        "free-busy reply is valid",
    ] {
        assert!(has(&findings, "pass", text), "{text}: {findings:#?}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let names = NameServer::new();
    let host = Setup::new()
        .table("[dns]", &format!("nameservers = [\"{}\"]", names.address()))
        .start();
    let (passed, findings) = probe(&host, &["example.net"]);
    assert!(
        !passed && has(&findings, "fail", "publish an SRV record"),
        "{findings:#?}"
    );
    names.srv("_ischedules._tcp.example.net", 0, 0, 0, "");
    let (passed, findings) = probe(&host, &["example.net"]);
    assert!(
        !passed && has(&findings, "fail", "offers no iSchedule"),
        "{findings:#?}"
    );

    let port = host.address("receiver").port();
    let (passed, findings) = probe(&host, &[&format!("https://localhost:{port}/nothing-here")]);
    assert!(!passed && has(&findings, "fail", "404"), "{findings:#?}");
    let (passed, findings) = probe(&host, &[&format!("https://127.0.0.1:{port}/")]);
    assert!(
        !passed && has(&findings, "fail", "handshake"),
        "{findings:#?}"
    );
    let why = "its certificate is for localhost, example.org, and not for 127.0.0.1";
    assert!(has(&findings, "fail", why), "{findings:#?}");
    // Nobody of ours may be asked about by somebody who is ours too.
    let url = format!("https://localhost:{port}/.well-known/ischedule");
    let (passed, findings) = probe(&host, &[&url, "--post", "bo@example.org", "bo@example.org"]);
    assert!(
        !passed && has(&findings, "fail", "originator-denied"),
        "{findings:#?}"
    );
}
