use super::{ANNA, BO, example_org};
use convoke_tests::{Authority, Credentials, Host, Peer, Post, Setup};
use std::{fs, process::Command};

const CEO: &str = "ceo@bank.example";

/// A host that takes nothing without proof, and for proof what `client_ca` says.
fn host(client_ca: &str, files: &[(&str, &str)]) -> Setup {
    let host = example_org()
        .table("[verification]", "required = true")
        .client_ca(client_ca);
    files
        .iter()
        .fold(host, |host, (name, text)| host.file(name, text))
}

/// What becomes of a message: `None` if it is taken, else the error element, or `no connection`.
fn outcome(host: &Host, client: &Credentials, originator: &str) -> Option<String> {
    let post = Post::invitation("certificate", originator, &[BO]);
    let mut peer = Peer::tls(
        host.address("receiver"),
        &host.authority().certificate(),
        Some(client),
    );
    match peer.try_ask(&post.to_bytes()) {
        Ok(answer) if answer.status == 200 => None,
        Ok(answer) => Some(answer.error().expect("it says why")),
        Err(_) => Some("no connection".to_owned()),
    }
}

const DENIED: Option<&str> = Some("originator-denied");
const UNPROVEN: Option<&str> = Some("verification-failed");
const REFUSED: Option<&str> = Some("no connection");

/// A listed certificate that is no authority is that certificate, for the domains in it, and issues nothing.
#[test]
fn a_listed_certificate_is_that_one_and_issues_nothing() {
    let somebody = Authority::new();
    let partner = somebody.issue(&["example.com", "*.example.net"]);
    let alone = Credentials::self_signed(&["example.com"], false);
    let expired = somebody.issue_expired(&["example.com"]);
    let mail = somebody.issue(&["mail@example.com"]);
    let listed = [&partner, &alone, &expired, &mail].map(|it| it.certificate.as_str());
    let host = host("[\"partners.pem\"]", &[("partners.pem", &listed.concat())]).start();
    for (what, client, originator, refused) in [
        ("listed", &partner, ANNA, None),
        ("below", &partner, "x@lab.example.com", None),
        ("another's name", &partner, CEO, DENIED),
        ("by a wildcard", &partner, "x@lab.example.net", DENIED),
        ("signs itself", &alone, ANNA, None),
        (
            "its own forgery",
            &partner.forge(&["bank.example"]),
            CEO,
            REFUSED,
        ),
        (
            "its own domain, forged",
            &partner.forge(&["example.com"]),
            ANNA,
            REFUSED,
        ),
        (
            "forged by the other",
            &alone.forge(&["bank.example"]),
            CEO,
            REFUSED,
        ),
        ("expired", &expired, ANNA, REFUSED),
        ("for a mailbox", &mail, "mail@example.com", UNPROVEN),
        (
            "of the same authority",
            &somebody.issue(&["example.com"]),
            ANNA,
            REFUSED,
        ),
        (
            "of the same name",
            &Credentials::self_signed(&["example.com"], false),
            ANNA,
            REFUSED,
        ),
    ] {
        let came = outcome(&host, client, originator);
        assert_eq!(came.as_deref(), refused, "{what}");
    }
    // The expired one and the one for a mailbox; none vouches for others.
    let warned = host.log().matches("event=\"client-authority\"").count();
    assert_eq!(warned, 2, "{}", host.log());
}

/// An authority that is bound speaks for its domains alone; what is listed beside it is as it was.
#[test]
fn a_bound_authority_vouches_for_its_domains_alone() {
    let (partner, group) = (Authority::new(), Authority::new());
    let other = Credentials::self_signed(&["example.com", "bank.example"], true);
    let client_ca = "[{ file = \"partner.pem\", domains = [\"example.com\"] }, { file = \"group.pem\", domains = [\"lab.example.edu\", \"example.net\"] }, { file = \"other.pem\", domains = [\"bank.example\"] }]";
    let files = [
        ("partner.pem", partner.certificate()),
        ("group.pem", group.certificate()),
        ("other.pem", other.certificate.clone()),
    ];
    let files = [0, 1, 2].map(|n| (files[n].0, files[n].1.as_str()));
    let host = host(client_ca, &files).start();
    for (what, client, originator, refused) in [
        ("its domain", &partner.issue(&["example.com"]), ANNA, None),
        (
            "below it",
            &partner.issue(&["x.example.com"]),
            "y@x.example.com",
            None,
        ),
        (
            "another domain",
            &partner.issue(&["bank.example"]),
            CEO,
            UNPROVEN,
        ),
        (
            "both",
            &partner.issue(&["example.com", "bank.example"]),
            CEO,
            DENIED,
        ),
        (
            "a domain of the other's",
            &partner.issue(&["example.net"]),
            "x@example.net",
            UNPROVEN,
        ),
        (
            "above it",
            &group.issue(&["example.edu"]),
            "x@example.edu",
            DENIED,
        ),
        (
            "above it, for what is bound",
            &group.issue(&["example.edu"]),
            "x@lab.example.edu",
            None,
        ),
        ("shown itself", &other, CEO, None),
        ("shown itself, for more", &other, ANNA, DENIED),
        ("what it issues", &other.forge(&["bank.example"]), CEO, None),
        (
            "what it issues for more",
            &other.forge(&["example.com"]),
            ANNA,
            UNPROVEN,
        ),
    ] {
        let came = outcome(&host, client, originator);
        assert_eq!(came.as_deref(), refused, "{what}");
    }
    assert!(
        !host.log().contains("event=\"client-authority\""),
        "{}",
        host.log()
    );
}

/// One file may hold both; an authority that is bound to nothing is worth a warning, once.
#[test]
fn an_unbound_authority_is_told_of() {
    let (authority, somebody) = (Authority::new(), Authority::new());
    let leaf = somebody.issue(&["example.com"]);
    let mixed = authority.certificate() + &leaf.certificate;
    let host = host("\"mixed.pem\"", &[("mixed.pem", &mixed)]).start();
    for (what, client, originator, refused) in [
        ("the leaf", &leaf, ANNA, None),
        (
            "of the authority",
            &authority.issue(&["bank.example"]),
            CEO,
            None,
        ),
        (
            "forged with the leaf",
            &leaf.forge(&["bank.example"]),
            CEO,
            REFUSED,
        ),
    ] {
        let came = outcome(&host, client, originator);
        assert_eq!(came.as_deref(), refused, "{what}");
    }
    let warned = host.log().matches("client-authority").count();
    assert_eq!(warned, 1, "{}", host.log());
    assert!(
        host.log().contains("rcgen self signed cert"),
        "{}",
        host.log()
    );

    let checked = Command::new(convoke_tests::program())
        .args(["check", "--json", "--config"])
        .arg(host.folder().join("convoke.toml"))
        .output()
        .unwrap();
    let findings: Vec<serde_json::Value> = serde_json::from_slice(&checked.stdout).unwrap();
    let said: Vec<_> = findings
        .iter()
        .filter(|it| it["what"] == "listener receiver: client_ca")
        .map(|it| (it["verdict"].as_str().unwrap(), it["detail"].to_string()))
        .collect();
    assert_eq!(said.len(), 2, "{findings:?}");
    assert!(
        said[0].0 == "warn" && said[0].1.contains("every domain"),
        "{said:?}"
    );
    assert!(
        said[1].0 == "ok" && said[1].1.contains("itself speaks for example.com"),
        "{said:?}"
    );
}

/// What public authorities issue today lacks clientAuth.
#[test]
fn a_certificate_for_servers_alone_is_named_by_the_log_and_by_check() {
    let group = Authority::new();
    let listed = group.issue_for_servers(&["example.com"]);
    let host = host(
        "[\"group.pem\", \"partner.pem\"]",
        &[
            ("group.pem", &group.certificate()),
            ("partner.pem", &listed.certificate),
        ],
    )
    .start();
    let said = || {
        host.log()
            .matches("event=\"client-certificate-usage\"")
            .count()
    };
    for (what, client, refused, told) in [
        ("for clients, too", group.issue(&["example.com"]), None, 0),
        ("listed itself", listed, None, 0),
        (
            "issued",
            group.issue_for_servers(&["example.com"]),
            REFUSED,
            1,
        ),
        (
            "a stranger's",
            Authority::new().issue(&["example.com"]),
            REFUSED,
            1,
        ),
    ] {
        let came = outcome(&host, &client, ANNA);
        assert_eq!(came.as_deref(), refused, "{what}");
        assert_eq!(said(), told, "{what}: {}", host.log());
    }
    let checked = Command::new(convoke_tests::program())
        .args(["check", "--config"])
        .arg(host.folder().join("convoke.toml"))
        .output()
        .unwrap();
    let checked = String::from_utf8(checked.stdout).unwrap();
    let line = checked
        .lines()
        .find(|it| it.contains("itself speaks for example.com"));
    let line = line.unwrap_or_else(|| panic!("{checked}"));
    assert!(
        line.starts_with("warn") && line.contains("lacks clientAuth"),
        "{line}"
    );
}

#[test]
fn an_authority_out_of_date_is_reported_once() {
    let expired = Credentials::expired_authority();
    let host = host("\"old.pem\"", &[("old.pem", &expired.certificate)]).start();
    let log = host.log();
    let about = |event: &str| log.matches(&format!("event=\"{event}\"")).count();
    assert_eq!(about("authority-out-of-date"), 1, "{log}");
    assert_eq!(about("client-authority"), 0, "{log}");
}

/// The change is taken while the host runs, and what was proven before proves nothing any more.
#[test]
fn what_is_listed_may_change_while_the_host_runs() {
    let (one, two) = (
        Credentials::self_signed(&["example.com"], false),
        Credentials::self_signed(&["example.com"], false),
    );
    let host = host("\"partner.pem\"", &[("partner.pem", &one.certificate)]).start();
    assert_eq!(outcome(&host, &one, ANNA), None);
    fs::write(host.folder().join("partner.pem"), &two.certificate).unwrap();
    host.wait_for("certificates-reloaded");
    assert_eq!(outcome(&host, &two, ANNA), None);
    assert_eq!(outcome(&host, &one, ANNA).as_deref(), REFUSED);
}
