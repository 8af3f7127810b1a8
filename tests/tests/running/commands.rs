//! Commands go through the running host: it is the one who has the stores open.

use convoke_tests::{Host, Setup, program};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    process::Command,
};

const ANNA: &str = "anna@example.org";
const BO: &str = "bo@example.org";

/// An answer to what is posted to the control socket: status and JSON.
pub(super) fn post(host: &Host, path: &str, body: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(host.folder().join("state/control")).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// What a command says with `--json`.
pub(super) fn run(host: &Host, arguments: &[&str]) -> Value {
    let output = Command::new(program())
        .args(arguments)
        .args(["--json", "--config"])
        .arg(host.folder().join("convoke.toml"))
        .current_dir(host.folder())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The object as `convoke calendar export` prints it.
fn exported(host: &Host, user: &str) -> String {
    let output = Command::new(program())
        .args([
            "calendar", "export", "--uid", "m", "--user", user, "--config",
        ])
        .arg(host.folder().join("convoke.toml"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .replace("\r\n ", "")
}

fn meeting(of: &str, with: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:m\r\nDTSTAMP:20261101T000000Z\r\n\
         DTSTART:20270104T100000Z\r\nDTEND:20270104T110000Z\r\nSUMMARY:Gr\u{fc}\u{df}e\r\n\
         ORGANIZER:mailto:{of}\r\nATTENDEE:mailto:{with}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// The plugins of the configuration cannot be opened any more: whatever a command does, the host does.
fn with_plugins_gone(setup: Setup) -> Host {
    let host = setup.start();
    let file = host.folder().join("convoke.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("store-sqlite", "gone-sqlite")).unwrap();
    host
}

#[test]
fn calendars_are_reached_through_the_running_host() {
    let host = with_plugins_gone(Setup::new().users(&[ANNA]));
    let bo = run(&host, &["user", "add", BO, "--name", "Bo"]);
    assert_eq!(bo["name"], "Bo");
    assert_eq!(run(&host, &["user", "list"]).as_array().unwrap().len(), 2);
    fs::write(host.folder().join("meeting.ics"), meeting(ANNA, BO)).unwrap();
    run(
        &host,
        &["calendar", "import", "--user", ANNA, "meeting.ics"],
    );
    let listed = run(&host, &["calendar", "list", "--user", ANNA]);
    assert_eq!(listed[0]["uid"], "m");
    assert!(exported(&host, ANNA).contains("SUMMARY:Gr\u{fc}\u{df}e"));
    run(&host, &["user", "remove", BO]);
    assert_eq!(run(&host, &["user", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn objects_and_answers_are_sent_by_the_running_host() {
    let host = with_plugins_gone(Setup::new().users(&[ANNA, BO]));
    fs::write(host.folder().join("meeting.ics"), meeting(ANNA, BO)).unwrap();
    let told = run(&host, &["send", "meeting.ics", "--as", ANNA]);
    assert_eq!(told[0]["status"], "2.0;Success");
    assert!(exported(&host, BO).contains("UID:m"));
    let told = run(&host, &["reply", "--user", BO, "--uid", "m", "accept"]);
    assert_eq!(told[0]["recipient"], "mailto:anna@example.org");
    assert_eq!(told[0]["status"], "2.0;Success");
    assert!(exported(&host, ANNA).contains("PARTSTAT=ACCEPTED"));
}

#[test]
fn what_the_host_cannot_do_it_says() {
    let host = Setup::new().users(&[ANNA]).start();
    for (path, body, status, kind) in [
        ("/v1/no-such-method", "{}", 404, "unsupported"),
        ("/users", "{}", 404, "unsupported"),
        ("/v1/users", "{", 422, "invalid"),
        (
            "/v1/users",
            "{\"page\":{\"after\":null,\"limit\":1}}",
            422,
            "invalid",
        ),
        (
            "/v1/users",
            "{\"store\":\"other\",\"page\":{\"after\":null,\"limit\":1}}",
            404,
            "not-found",
        ),
        (
            "/v1/reply",
            "{\"user\":\"anna@example.org\",\"uid\":\"x\",\"answer\":\"ACCEPTED\"}",
            404,
            "not-found",
        ),
    ] {
        let (found, error) = post(&host, path, body);
        assert_eq!(
            (found, &error["kind"]),
            (status, &json!(kind)),
            "{path}: {error}"
        );
    }
    let (status, stores) = post(&host, "/v1/stores", "{}");
    assert_eq!((status, stores), (200, json!(["store-sqlite"])));
}
