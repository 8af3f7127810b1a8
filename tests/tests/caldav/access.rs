use super::{ANNA, Ask, CALENDAR, LISTENER, event, example_org, store};

#[test]
fn who_does_not_log_in_is_asked_to_in_one_realm() {
    let host = example_org().start();
    for line in ["GET /", &format!("PROPFIND {CALENDAR}"), "OPTIONS /x"] {
        let answer = Ask::new(line).by(None).of(&host);
        assert_eq!(answer.status, 401, "{line}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert_eq!(challenge, "Basic realm=\"Convoke\", charset=\"UTF-8\"");
    }
    // Whoever logs in but has no calendar learns no more than that.
    let answer = Ask::new("PROPFIND /").by(Some("nobody@example.org"));
    assert_eq!(answer.with("Depth", "0").of(&host).status, 403);
}

#[test]
fn what_is_somebody_elses_is_not_there() {
    let host = example_org().start();
    store(&host, "1.ics", &event("1", "Tea"));
    let bo = Some("bo@example.org");
    for line in [
        "GET /calendars/anna@example.org/calendar/1.ics",
        "GET /calendars/bo@example.org/calendar/%2e%2e/anna@example.org/calendar/1.ics",
        "DELETE /calendars/anna@example.org/calendar/1.ics",
        "PROPFIND /calendars/anna@example.org/",
        "PROPFIND /principals/anna@example.org/",
        "PROPFIND /principals/nobody@example.org/",
        "PUT /calendars/anna@example.org/calendar/2.ics",
    ] {
        let answer = Ask::new(line).by(bo).with("Depth", "0").of(&host);
        assert_eq!(answer.status, 404, "{line}");
    }
    let own = Ask::new("GET /calendars/ANNA%40example.org/calendar/1.ics").of(&host);
    assert_eq!(own.status, 200);
}

#[test]
fn a_page_from_elsewhere_gets_nothing() {
    let host = example_org().start();
    let line = format!("PUT {CALENDAR}1.ics");
    let data = event("1", "Tea");
    let put = |origin| Ask::new(&line).with("Origin", origin).body(&data).of(&host);
    assert_eq!(put("https://evil.example").status, 403);
    assert_eq!(host.stored(ANNA, "1"), None);
    assert_eq!(put("https://localhost").status, 201);
}

#[test]
fn what_cannot_be_configured_is_said() {
    let config = |listener: &str| {
        let text = format!("[server]\ndomains = [\"example.org\"]\n[[listener]]\n{listener}\n");
        convoke::config::Config::parse(&text, std::path::Path::new("convoke.toml"))
            .unwrap_err()
            .to_string()
    };
    let upstream = config(&format!("{LISTENER}\nupstream = \"http://127.0.0.1:5232\""));
    assert!(upstream.contains("`upstream`"), "{upstream}");
    let users = config("role = \"caldav\"\naddress = \"127.0.0.1:0\"");
    assert!(users.contains("users = "), "{users}");
}
