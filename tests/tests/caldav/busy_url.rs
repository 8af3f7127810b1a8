use super::{
    ANNA, Ask, LISTENER, event, example_org,
    scheduling::{asks, free_busy},
    store,
};
use convoke_caldav::xml::{CALDAV, Element, LIMITS, parse};
use convoke_calendar::tree::{Calendar, Limits};
use convoke_tests::{Answer, Host, Setup};

const BO: Option<&str> = Some("bo@example.org");
const JANUARY: &str = "?start=20270101T000000Z&end=2027-02-01T00:00:00Z";

/// Asks for Anna's busy time.
fn ask(host: &Host, by: Option<&str>, query: &str) -> Answer {
    let line = format!("GET /freebusy/anna@example.org.ifb{query}");
    Ask::new(&line).by(by).of(host)
}

fn told(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("text/calendar"), "{kind}");
    let calendar = Calendar::parse(answer.body.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(calendar.root().value("METHOD"), Some("PUBLISH"));
    let part = calendar.main_components().next().unwrap();
    assert!(part.is("VFREEBUSY") && part.get("ATTENDEE").is_none());
    assert_eq!(part.value("ORGANIZER"), Some("mailto:anna@example.org"));
    let lines = part.all("FREEBUSY").map(|it| it.value.clone());
    lines.collect()
}

/// With a policy of these rules, and an hour of Anna's taken.
fn with_rules(rules: &str) -> Host {
    let host = example_org().rules(&format!("[{rules}]")).start();
    store(&host, "1.ics", &event("1", "Secret"));
    host
}

#[test]
fn our_own_people_log_in_and_need_no_rule_of_their_own() {
    let host = with_rules(r#"{ allow = "any", via = "submission" }"#);
    for by in [BO, Some(ANNA)] {
        let answer = ask(&host, by, JANUARY);
        assert_eq!(told(&answer), ["20270104T100000Z/20270104T110000Z"]);
        assert!(!answer.body.contains("Secret"));
    }
    assert!(told(&ask(&host, BO, "?start=2027-01-05")).is_empty());
    // Who does not log in is asked to, whether there is such a user or not.
    for whose in ["anna@example.org", "nobody@example.org"] {
        let answer = Ask::new(&format!("GET /freebusy/{whose}.ifb")).by(None);
        let answer = answer.of(&host);
        assert_eq!(answer.status, 401, "{whose}");
        assert!(answer.header("www-authenticate").is_some());
    }
    for whose in ["nobody@example.org", "x@example.com"] {
        let answer = Ask::new(&format!("GET /freebusy/{whose}.ifb")).of(&host);
        assert_eq!(answer.status, 404, "{whose}");
    }
    for query in [
        "?start=soon",
        "?start=2027-01-02&end=2027-01-01",
        "?start=2027-01-01&end=2037-01-01",
    ] {
        assert_eq!(ask(&host, BO, query).status, 400, "{query}");
    }
    let post = Ask::new("POST /freebusy/anna@example.org.ifb").of(&host);
    assert_eq!(post.status, 405);
}

#[test]
fn nobody_without_a_name_is_let_in_but_expressly() {
    for rules in [
        r#"{ allow = "any" }"#,
        r#"{ allow = "any", from = "*" }"#,
        r#"{ allow = "freebusy", via = "url" }"#,
        r#"{ allow = "freebusy", via = ["url", "submission"], from = "*" }"#,
    ] {
        let host = with_rules(rules);
        assert_eq!(ask(&host, None, JANUARY).status, 401, "{rules}");
        told(&ask(&host, BO, JANUARY));
    }
    let rules = r#"
        { deny = "freebusy", via = "url", from = "bo@example.org" },
        { allow = "freebusy", via = "url", from = "anonymous", to = "anna@example.org" },
        { allow = "any", via = "submission" }"#;
    let host = with_rules(rules);
    let answer = ask(&host, None, JANUARY);
    assert_eq!(told(&answer), ["20270104T100000Z/20270104T110000Z"]);
    assert_eq!(ask(&host, BO, JANUARY).status, 403);
    let bos = Ask::new("GET /freebusy/bo@example.org.ifb").by(None);
    assert_eq!(bos.of(&host).status, 401);
    let wrong = Ask::new("GET /freebusy/anna@example.org.ifb").by(None);
    let wrong = wrong.with("Authorization", "Basic eDp5").of(&host);
    assert_eq!(wrong.status, 401, "who claims to be somebody proves it");
}

/// A calendar server that tells busy time by URL, and no more: a host of another domain.
fn example_net() -> Host {
    let rules = r#"[{ allow = "freebusy", via = "url", from = "anonymous", to = ["zoe@example.net", "yan@example.net"] }]"#;
    let host = Setup::new()
        .server_domains(&["example.net"])
        .users(&["zoe@example.net"])
        .table("[[listener]]", LISTENER)
        .rules(rules)
        .start();
    host.put("zoe@example.net", &event("1", "Secret"));
    host
}

#[test]
fn when_others_are_busy_is_read_at_their_urls() {
    let theirs = example_net();
    let template = format!(
        "https://localhost:{}/freebusy/%NAME%%40%SERVER%.ifb?start=2027-01-01&end=2027-01-31",
        theirs.address("caldav").port()
    );
    let discovery =
        format!("plugin = \"discovery-static\"\nconfig.freebusy.\"example.net\" = \"{template}\"");
    let ca = theirs.folder().join("ca.pem");
    let host = example_org()
        .table("[[discovery]]", &discovery)
        .table("[client]", &format!("ca = \"{}\"", ca.display()))
        .start();
    let asked = ["zoe", "yan", "xi"].map(|it| format!("mailto:{it}@example.net"));
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let answer = asks(&host, &free_busy(&format!("mailto:{ANNA}"), &asked));
    assert_eq!(answer.status, 200, "{answer:?}");
    let root: Element = parse(answer.body.as_bytes(), &LIMITS).unwrap();
    let text = |at: usize, name: &str| {
        let found = root.children[at].child(CALDAV, name);
        found.map(|it| it.text.clone()).unwrap_or_default()
    };
    let statuses = [0, 1, 2].map(|at| text(at, "request-status"));
    let codes: Vec<_> = statuses.iter().map(|it| it.split(';').next()).collect();
    // There is no Yan, and it is not told whether there is a Xi.
    assert_eq!(codes, [Some("2.0"), Some("3.7"), Some("3.8")], "{answer:?}");
    let data = text(0, "calendar-data");
    assert!(data.contains("20270104T100000Z/20270104T110000Z"), "{data}");
    assert!(
        data.contains("METHOD:REPLY") && !data.contains("Secret"),
        "{data}"
    );
}
