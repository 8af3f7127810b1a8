//! Certificates by ACME whose authority is down: what is shown, what is said, and what becomes of one that is there. Real
//! authorities are in tests/live.

use convoke::config::Config;
use convoke_tests::{Credentials, Host, Setup, program, tls_config};
use rustls::ClientConnection;
use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::PathBuf,
    process::Command,
    sync::Arc,
};

const NAME: &str = "cal.example.org";

/// A host with a listener for calendar programs whose authority takes no connections.
fn host() -> Host {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = closed.local_addr().unwrap();
    drop(closed);
    let listener = format!(
        "role = \"caldav\"\naddress = \"127.0.0.1:0\"\nusers = \"programs.htpasswd\"\ntls.acme = {{ directory = \"https://{authority}/dir\", \
         contact = \"mailto:admin@example.org\", names = [\"{NAME}\"] }}"
    );
    Setup::new()
        .private_file("programs.htpasswd", "")
        .table("[[listener]]", &listener)
        .start()
}

/// Where the certificate is to be.
fn file(host: &Host) -> PathBuf {
    let config = Config::read(&host.folder().join("convoke.toml")).unwrap();
    let mut listeners = config.listeners.into_iter();
    let acme = listeners.find(|it| it.acme.is_some()).unwrap();
    acme.tls.unwrap().certificate
}

fn put(host: &Host, issued: &Credentials) {
    let file = file(host);
    let mut folder = fs::DirBuilder::new();
    folder
        .recursive(true)
        .mode(0o700)
        .create(file.parent().unwrap())
        .unwrap();
    let new = file.with_extension("new");
    fs::write(&new, format!("{}{}", issued.key, issued.certificate)).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(new, file).unwrap();
}

/// Whether a handshake succeeds that offers these protocols.
fn answers(host: &Host, protocols: &[&str]) -> bool {
    let mut config = tls_config(&host.authority().certificate(), None);
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    let name = "localhost".try_into().unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(host.address("caldav")).unwrap();
    while session.is_handshaking() {
        if session.complete_io(&mut socket).is_err() {
            return false;
        }
    }
    true
}

const PROGRAM: &[&str] = &["http/1.1"];
/// Whoever validates names (RFC 8737).
const VALIDATION: &[&str] = &["acme-tls/1"];

fn check(host: &Host) -> String {
    let output = Command::new(program())
        .args(["check", "--config"])
        .arg(host.folder().join("convoke.toml"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn connections_are_refused_until_there_is_a_certificate_which_is_then_taken_up() {
    let host = host();
    host.wait_for("event=\"certificate-not-issued\"");
    assert!(
        host.log().contains("event=\"certificate-pending\""),
        "{}",
        host.log()
    );
    for _ in 0..3 {
        assert!(!answers(&host, PROGRAM));
    }
    let told = host.log().matches("event=\"certificate-missing\"").count();
    assert_eq!(told, 1, "{}", host.log());
    let health = host.get("admin", "/health").body;
    for said in [
        "certificate of caldav: there is no certificate yet",
        "does not take connections",
        "tried again at",
    ] {
        assert!(health.contains(said), "{health}");
    }
    let checked = check(&host);
    assert!(
        checked.contains("`serve` orders one for cal.example.org from 127.0.0.1"),
        "{checked}"
    );
    assert!(!file(&host).exists(), "check orders nothing");

    put(&host, &host.authority().issue(&["localhost", NAME]));
    host.wait_for("event=\"certificates-reloaded\"");
    assert!(answers(&host, PROGRAM));
    assert!(!answers(&host, VALIDATION), "no name is being validated");
    assert!(
        answers(&host, &["acme-tls/1", "h2"]),
        "that is no validation"
    );
    let health = host.get("admin", "/health").body;
    assert!(!health.contains("certificate of"), "{health}");
    let checked = check(&host);
    assert!(checked.contains("it has issued a certificate"), "{checked}");
}

#[test]
fn one_that_has_expired_is_shown_as_it_is_and_said_to_be() {
    let host = host();
    host.wait_for("event=\"certificate-not-issued\"");
    put(&host, &host.authority().issue_expired(&["localhost", NAME]));
    host.wait_for("event=\"certificates-reloaded\"");
    assert!(!answers(&host, PROGRAM));
    let health = host.get("admin", "/health").body;
    assert!(
        health.contains("the certificate has expired at 2020-01-01"),
        "{health}"
    );
    assert!(health.contains("does not take connections"), "{health}");
    let checked = check(&host);
    assert!(
        checked.contains("a host that runs renews it by itself"),
        "{checked}"
    );
}
