use super::{ANNA, Ask, CALENDAR, event, example_org, store};
use convoke_tests::{Answer, Host, Post};
use std::{
    thread,
    time::{Duration, Instant},
};

const EVE: &str = "eve@example.com";
const HOLD: &str =
    "[{ hold = \"schedule\", known = false, from = \"*@example.com\" }, { allow = \"any\" }]";
const FORM: &str = "application/x-www-form-urlencoded";

fn page(host: &Host) -> Answer {
    let answer = Ask::new("GET /").of(host);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let value = page
        .split(&field)
        .nth(1)
        .unwrap_or_else(|| panic!("no {name}: {page}"));
    value.split('"').next().unwrap().to_owned()
}

fn send(host: &Host, body: &str, fields: &[(&str, &str)]) -> Answer {
    let mut post = Ask::new("POST /").with("Content-Type", FORM).body(body);
    for (name, value) in fields {
        post = post.with(name, value);
    }
    post.of(host)
}

const OWN: [(&str, &str); 2] = [
    ("Origin", "https://localhost"),
    ("Sec-Fetch-Site", "same-origin"),
];

#[test]
fn the_page_shows_what_is_the_users_and_runs_nothing() {
    let host = example_org().start();
    assert_eq!(Ask::new("GET /").by(None).of(&host).status, 401);
    store(&host, "1.ics", &event("1", "Tea"));
    let answer = page(&host);
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    let policy = answer.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    for text in [
        "anna@example.org",
        "https://localhost/calendars/anna@example.org/calendar/",
        "https://localhost/freebusy/anna@example.org.ifb",
        "<svg",
        "Nothing waits for you",
        "Everybody has been reached",
    ] {
        assert!(answer.body.contains(text), "{text}: {}", answer.body);
    }
    for text in ["<script", "style=", "onclick", "bo@example.org"] {
        assert!(!answer.body.contains(text), "{text}");
    }
    let style = Ask::new("GET /page.css").by(None).of(&host);
    assert_eq!(style.status, 200);
    assert!(
        style
            .header("content-type")
            .unwrap()
            .starts_with("text/css")
    );
}

#[test]
fn what_waits_is_decided_by_forms_of_the_page_alone() {
    let host = example_org().rules(HOLD).start();
    let invitation = Post::invitation("1", EVE, &[ANNA])
        .edited("SUMMARY:", "SUMMARY:<script>alert(1)</script> & tea ");
    assert_eq!(host.post(&invitation).codes(), ["2.0"]);
    let shown = page(&host).body;
    assert!(
        shown.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; tea"),
        "{shown}"
    );
    assert!(shown.contains(EVE) && !shown.contains("<script"), "{shown}");
    let (token, id) = (hidden(&shown, "token"), hidden(&shown, "id"));
    let accept = format!("token={token}&id={id}&decision=accept");
    for (body, fields) in [
        (accept.clone(), &[][..]),
        (accept.clone(), &[("Origin", "https://evil.example")]),
        (accept.clone(), &[("Origin", "http://localhost")]),
        (accept.clone(), &[("Origin", "null")]),
        (
            accept.clone(),
            &[
                ("Origin", "https://localhost"),
                ("Sec-Fetch-Site", "cross-site"),
            ],
        ),
        (accept.clone(), &[("Sec-Fetch-Site", "none")]),
        (accept.replace(&token, "x"), &OWN),
        (format!("id={id}&decision=accept"), &OWN),
    ] {
        assert_eq!(send(&host, &body, fields).status, 403, "{body} {fields:?}");
    }
    // Of Bo's page the token is another.
    let bos = Ask::new("POST /")
        .by(Some("bo@example.org"))
        .with("Content-Type", FORM);
    let bos = bos
        .with("Origin", "https://localhost")
        .body(&accept)
        .of(&host);
    assert_eq!(bos.status, 403);
    assert_eq!(host.stored(ANNA, "1"), None);
    assert_eq!(
        send(&host, &format!("token={token}&id={id}"), &OWN).status,
        400
    );

    let accepted = send(&host, &accept, &OWN);
    assert_eq!(accepted.status, 303, "{accepted:?}");
    let place = accepted.header("location").unwrap();
    assert!(host.stored(ANNA, "1").is_some());
    let shown = Ask::new(&format!("GET {place}")).of(&host).body;
    assert!(
        shown.contains("Accepted") && shown.contains("Nothing waits"),
        "{shown}"
    );
    let again = send(&host, &accept, &OWN);
    assert_eq!(again.header("location").as_deref(), Some("/?done=gone"));

    // Who is known does not wait; what is discarded is gone.
    assert_eq!(
        host.post(&Post::invitation("2", "dan@example.com", &[ANNA]))
            .codes(),
        ["2.0"]
    );
    let shown = page(&host).body;
    let (token, id) = (hidden(&shown, "token"), hidden(&shown, "id"));
    let declined = send(
        &host,
        &format!("token={token}&id={id}&decision=decline"),
        &OWN,
    );
    assert_eq!(
        declined.header("location").as_deref(),
        Some("/?done=declined")
    );
    assert_eq!(host.stored(ANNA, "2"), None);
}

#[test]
fn what_did_not_arrive_is_named() {
    let host = example_org().start();
    let data = event("1", "Tea").replace(
        "SUMMARY",
        "ORGANIZER:mailto:anna@example.org\r\nATTENDEE:mailto:zoe@nowhere.example\r\nSUMMARY",
    );
    let made = Ask::new(&format!("PUT {CALENDAR}1.ics"))
        .body(&data)
        .of(&host);
    assert_eq!(made.status, 201, "{made:?}");
    let begun = Instant::now();
    loop {
        let shown = page(&host).body;
        if shown.contains("zoe@nowhere.example") {
            assert!(
                shown.contains("Tea") && !shown.contains("Everybody has been reached"),
                "{shown}"
            );
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{shown}");
        thread::yield_now();
    }
}
