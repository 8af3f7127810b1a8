//! The console: who is let in, what is shown, and that only its own forms do anything.

use base64::{Engine, engine::general_purpose::STANDARD};
use convoke::state_folder;
use convoke_tests::{Answer, Host, Peer, Post, Setup};
use serde_json::{Value, json};

const ANNA: &str = "anna@example.com";
pub(super) const BO: &str = "bo@example.org";
const RIGHT: &str = "a secret: with colons";

/// A host with one user.
pub(super) fn example_org() -> Setup {
    Setup::new().users(&[BO])
}

/// A host on which a message to `away.example` waits, as nobody answers there.
fn host() -> Host {
    let hash = bcrypt::hash(RIGHT, 4).unwrap();
    let away = "plugin = \"discovery-static\"\nconfig.domains.\"away.example\" = \"https://127.0.0.1:1/ischedule\"";
    example_org()
        .private_file("admins.htpasswd", &format!("{BO}:{hash}\n"))
        .admin("users = \"admins.htpasswd\"")
        .table("[[discovery]]", away)
        .start()
}

fn basic(login: &str, password: &str) -> String {
    let credentials = STANDARD.encode(format!("{login}:{password}"));
    format!("Authorization: Basic {credentials}\r\n")
}

pub(super) fn by_token(host: &Host) -> String {
    let token = state_folder::token(&host.folder().join("state")).unwrap();
    basic("token", &token)
}

pub(super) fn get(host: &Host, target: &str, fields: &str) -> Answer {
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    Peer::plain(host.address("admin")).ask(request.as_bytes())
}

pub(super) fn post(host: &Host, target: &str, fields: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
    );
    Peer::plain(host.address("admin")).ask(request.as_bytes())
}

pub(super) const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
pub(super) const OURS: &str = "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n";

/// What the first hidden field of a name on a page says.
pub(super) fn hidden(page: &str, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&field).unwrap_or_else(|| panic!("{page}"));
    rest.split('"').next().unwrap().to_owned()
}

pub(super) fn ask(host: &Host, method: &str, body: &Value) -> Answer {
    let fields = format!("{}Content-Type: application/json\r\n", by_token(host));
    post(host, &format!("/v1/{method}"), &fields, &body.to_string())
}

#[test]
fn administrators_are_let_in_and_nobody_else() {
    let host = host();
    let pages = [
        "",
        "queue",
        "inbox",
        "decisions",
        "peers",
        "busy",
        "probe",
        "log",
    ];
    let shown = |page: &str, fields: &str, status: u16| {
        let answer = get(&host, &format!("/console/{page}"), fields);
        assert_eq!(answer.status, status, "{page} {fields}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(!answer.body.contains("<script"), "{}", answer.body);
    };
    for page in pages {
        shown(page, "", 401);
        shown(page, &basic(BO, RIGHT), 200);
        shown(page, &by_token(&host), 200);
    }
    shown("log", &basic(BO, "wrong"), 401);
    shown("log", &basic("token", "wrong"), 401);
    let asks = get(&host, "/console/", "").header("www-authenticate");
    assert!(asks.unwrap().starts_with("Basic "));
    assert_eq!(get(&host, "/", "").header("location").unwrap(), "/console/");
    assert_eq!(post(&host, "/v1/status", "", "{}").status, 401);
    // Submitting is something else than administering.
    assert_eq!(host.get("admin", "/metrics").status, 200);
}

#[test]
fn the_queue_is_shown_and_its_forms_work_from_our_pages_alone() {
    let host = host();
    let post_away = Post::invitation("stays", BO, &["cy@away.example"]);
    assert_eq!(host.submit(&post_away).codes(), ["1.0"], "{}", host.log());
    let by = by_token(&host);
    let page = get(&host, "/console/queue", &by).body;
    assert!(page.contains("cy@away.example"), "{page}");
    assert!(!page.contains("Meeting"), "no titles: {page}");
    let (token, id) = (hidden(&page, "token"), hidden(&page, "id"));
    let form = |token: &str, what: &str| format!("token={token}&id={id}&do={what}");
    for (fields, body, status) in [
        // Another page, and one that has no token of ours.
        (
            "Sec-Fetch-Site: cross-site\r\nOrigin: http://evil.example\r\n",
            form(&token, "drop"),
            403,
        ),
        ("", form(&token, "drop"), 403),
        (OURS, form("guessed", "drop"), 403),
        (OURS, form(&token, "retry"), 303),
    ] {
        let answer = post(
            &host,
            "/console/queue",
            &format!("{by}{FORM}{fields}"),
            &body,
        );
        assert_eq!(answer.status, status, "{fields} {body}: {}", answer.body);
    }
    assert!(
        get(&host, "/console/queue", &by)
            .body
            .contains("cy@away.example")
    );
    let fields = format!("{by}{FORM}{OURS}");
    let dropped = post(&host, "/console/queue", &fields, &form(&token, "drop"));
    assert_eq!(
        dropped.header("location").unwrap(),
        "/console/queue?done=dropped"
    );
    let page = get(&host, "/console/queue?done=dropped", &by).body;
    assert!(
        page.contains("Dropped.") && page.contains("Nothing waits"),
        "{page}"
    );
    let again = post(&host, "/console/queue", &fields, &form(&token, "drop"));
    assert_eq!(
        again.header("location").unwrap(),
        "/console/queue?done=gone"
    );
    host.wait_for("event=\"console-used\"");
}

#[test]
fn decisions_are_found_by_address_uid_and_message() {
    let host = host();
    let one = Post::invitation("one", ANNA, &[BO]).also("iSchedule-Message-ID", "m1@example.com");
    assert_eq!(host.post(&one).codes(), ["2.0"]);
    host.post(&Post::invitation("two", "eve@example.net", &[BO]));
    let by = by_token(&host);
    for (about, found) in [
        ("", ["one", "two"].as_slice()),
        ("?about=one", &["one"]),
        ("?about=%3Cm1%40example.com%3E", &["one"]),
        ("?about=eve%40example.net", &["two"]),
        ("?about=mailto%3Abo%40example.org", &["one", "two"]),
        ("?about=nobody%40example.net", &[]),
    ] {
        let page = get(&host, &format!("/console/decisions{about}"), &by).body;
        for uid in ["one", "two"] {
            let link = format!("<a href=\"/console/decisions?about={uid}\">{uid}</a>");
            assert_eq!(
                page.contains(&link),
                found.contains(&uid),
                "{about} {uid}: {page}"
            );
        }
        assert!(!page.contains("Meeting"), "no titles: {page}");
    }
    // What others send is text.
    let page = get(&host, "/console/decisions?about=%22%3E%3Cscript%3E", &by).body;
    assert!(!page.contains("<script"), "{page}");
}

#[test]
fn the_api_says_what_the_pages_show() {
    let host = host();
    let status: Value = serde_json::from_str(&ask(&host, "status", &json!({})).body).unwrap();
    assert_eq!(status["domains"], json!(["example.org"]));
    assert_eq!(status["troubles"], json!([]));
    assert_eq!(status["waiting"]["held"], 0);
    let certificate = &status["certificates"][0];
    assert_eq!(certificate["use"], "receiver");
    assert!(
        certificate["until"].as_str().unwrap().contains('T'),
        "{status}"
    );
    let page = get(&host, "/console/", &by_token(&host)).body;
    for part in [
        "All is well.",
        status["version"].as_str().unwrap(),
        "store-sqlite",
        "host.pem",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let decided = ask(
        &host,
        "decisions",
        &json!({ "about": "nothing", "most": 5 }),
    );
    assert_eq!((decided.status, decided.body.as_str()), (200, "[]"));
    assert_eq!(ask(&host, "no-such-method", &json!({})).status, 501);
    // What has something done is written down, with who did it.
    assert!(!host.log().contains("\"admin-api-used\""), "{}", host.log());
    let retry = post(
        &host,
        "/v1/queue-retry",
        &format!("{}Content-Type: application/json\r\n", basic(BO, RIGHT)),
        "{}",
    );
    assert_eq!(retry.status, 200, "{}", retry.body);
    let add = json!({ "store": "store-sqlite", "user": { "address": format!("mailto:{BO}") } });
    let refused = ask(&host, "add-user", &add);
    assert_ne!(refused.status, 200, "{}", refused.body);
    for said in [
        format!("who=mailto:{BO} method=\"queue-retry\""),
        format!(
            "who=a local service method=\"add-user\" about=\"store=store-sqlite user=mailto:{BO}\" error="
        ),
    ] {
        host.wait_for(&said);
    }
    // A form of another page cannot be JSON.
    let fields = format!("{}Content-Type: text/plain\r\n", by_token(&host));
    assert_eq!(post(&host, "/v1/status", &fields, "{}").status, 415);
    assert_eq!(get(&host, "/v1/status", &by_token(&host)).status, 405);
}
