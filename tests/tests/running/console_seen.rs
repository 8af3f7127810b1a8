//! What the console shows of what the host has seen: peers, inboxes, the log, somebody's busy time, and how another domain fares.

use super::console::{BO, FORM, OURS, ask, by_token, example_org, get, hidden, post};
use convoke_tests::{Host, NameServer, Post, Setup};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ANNA: &str = "anna@example.com";

fn answer(host: &Host, method: &str, body: &Value) -> Value {
    let answer = ask(host, method, body);
    assert_eq!(answer.status, 200, "{method} {body}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn peers_are_shown_with_what_they_proved_and_why_they_were_refused() {
    let host = example_org().client_certificates().start();
    let empty = get(&host, "/console/peers", &by_token(&host)).body;
    assert!(empty.contains("Nobody has sent a message"), "{empty}");
    let partner = host.authority().issue(&["cal.example.com"]);
    for uid in ["one", "two"] {
        let mut peer = host.connect_as(&partner);
        let invitation = Post::invitation(uid, "anna@cal.example.com", &[BO]);
        assert_eq!(peer.ask(&invitation.to_bytes()).codes(), ["2.0"]);
    }
    // Nobody else speaks for our domain; and one that names no recipient.
    let ours = Post::invitation("three", BO, &[BO]);
    assert_eq!(host.post(&ours).error().unwrap(), "originator-denied");
    let to_nobody = Post::invitation("four", ANNA, &[BO]).with("Recipient", "");
    assert_eq!(host.post(&to_nobody).error().unwrap(), "recipient-missing");

    let seen = answer(&host, "peers", &json!({ "most": 10 }));
    assert_eq!(seen["forgotten"], 0);
    let peers = seen["peers"].as_array().unwrap();
    let [stranger, partner] = &peers[..] else {
        panic!("{seen}")
    };
    assert_eq!(partner["peer"], "example.com");
    assert_eq!(partner["proofs"], json!([{ "mtls": "cal.example.com" }]));
    assert_eq!(partner["originator"], "anna@cal.example.com");
    assert_eq!(partner["answered"], 2);
    assert_eq!(partner["statuses"], json!({ "2.0": 2 }));
    assert_eq!(partner["last_refusal"], Value::Null);
    assert_eq!(stranger["peer"], "127.0.0.1");
    assert_eq!(stranger["proofs"], json!([]));
    assert_eq!(stranger["refused"], 2);
    let errors = json!({ "originator-denied": 1, "recipient-missing": 1 });
    assert_eq!(stranger["errors"], errors);
    assert_eq!(stranger["last_refusal"]["error"], "recipient-missing");
    let first = answer(&host, "peers", &json!({ "most": 1 }));
    assert_eq!(first["peers"], json!([stranger]));

    let page = get(&host, "/console/peers", &by_token(&host)).body;
    for part in [
        "cal.example.com by certificate",
        "originator-denied",
        "127.0.0.1",
        "/console/decisions?about=anna%40cal.example.com",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("Meeting"), "no titles: {page}");
}

#[test]
fn inboxes_are_counted_by_user_without_what_is_in_them() {
    let host = Setup::new()
        .users(&[BO, "cy@example.org"])
        .rules("[{ hold = \"schedule\", known = false }, { allow = \"any\" }]")
        .start();
    for uid in ["one", "two"] {
        assert_eq!(
            host.post(&Post::invitation(uid, ANNA, &[BO])).codes(),
            ["2.0"]
        );
    }
    let all = json!({ "store": "store-sqlite", "page": { "limit": 100 } });
    let counted = answer(&host, "inbox-counts", &all);
    let expected = json!({
        "users": 2,
        "counts": [{ "user": "mailto:bo@example.org", "waiting": 2 }],
        "next": null,
    });
    assert_eq!(counted, expected);
    let mut page = json!({ "limit": 1 });
    let mut users = 0;
    while !page.is_null() {
        let asked = json!({ "store": "store-sqlite", "page": page });
        let counted = answer(&host, "inbox-counts", &asked);
        users += counted["users"].as_u64().unwrap();
        page = match &counted["next"] {
            Value::Null => Value::Null,
            next => json!({ "after": next, "limit": 1 }),
        };
    }
    assert_eq!(users, 2);
    let unknown = json!({ "store": "nothing", "page": { "limit": 1 } });
    assert_eq!(ask(&host, "inbox-counts", &unknown).status, 404);

    let page = get(&host, "/console/inbox", &by_token(&host)).body;
    assert!(page.contains("Store store-sqlite"), "{page}");
    assert!(page.contains("2 wait for 1 of 2 users"), "{page}");
    assert!(page.contains("bo@example.org"), "{page}");
    assert!(!page.contains("cy@example.org"), "{page}");
    assert!(!page.contains("Meeting"), "no titles: {page}");
}

/// Lines of a JSON log.
fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_tail_has_the_lines_of_the_json_log_whatever_form_the_log_has() {
    for form in ["json", "text"] {
        let host = example_org()
            .through(&[
                "env",
                &format!("CONVOKE_LOG_FORMAT={form}"),
                "CONVOKE_LOG=debug",
            ])
            .start();
        host.post(&Post::invitation("one", BO, &[BO]));
        let log = answer(&host, "log", &json!({ "most": 1_000 }));
        let all = log["lines"].as_array().unwrap();
        let refused = all.iter().find(|it| it["fields"]["event"] == "refused");
        let refused = refused.unwrap_or_else(|| panic!("{log}"));
        assert_eq!(refused["level"], "INFO");
        assert_eq!(refused["fields"]["uid"], "one");
        assert_eq!(refused["fields"]["error"], "originator-denied");
        assert!(refused["span"]["request"].is_u64(), "{refused}");
        assert!(refused["timestamp"].as_str().unwrap().ends_with('Z'));
        // What is finer may quote messages.
        let levels: BTreeSet<_> = all.iter().map(|it| it["level"].as_str().unwrap()).collect();
        assert!(
            !levels.contains("DEBUG") && !levels.contains("TRACE"),
            "{levels:?}"
        );
        if form == "json" {
            host.wait_for("\"refused\"");
            let written = lines(&host.log());
            let line = serde_json::to_string(refused).unwrap();
            let is_there =
                |it: &String| serde_json::from_str::<Value>(it).is_ok_and(|it| it == *refused);
            assert!(written.iter().any(is_there), "{line}");
        }
    }
}

#[test]
fn the_log_is_read_on_and_by_level() {
    let host = example_org().start();
    host.wait_for("event=\"ready\"");
    let all = answer(&host, "log", &json!({ "most": 1_000 }));
    let names = |log: &Value| -> Vec<String> {
        let lines = log["lines"].as_array().unwrap().iter();
        lines
            .map(|it| it["fields"]["event"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(names(&all).contains(&"ready".to_owned()), "{all}");
    let last = &all["last"];
    host.post(&Post::invitation("one", BO, &[BO]));
    let more = answer(&host, "log", &json!({ "after": last, "most": 10 }));
    let more_names = names(&more);
    assert!(more_names.contains(&"refused".to_owned()), "{more}");
    assert!(!more_names.contains(&"ready".to_owned()), "{more}");
    assert_eq!(more["missed"], 0);
    let errors = answer(&host, "log", &json!({ "level": "error", "most": 10 }));
    assert_eq!(names(&errors), Vec::<String>::new());

    let by = by_token(&host);
    let page = get(&host, "/console/log", &by).body;
    assert!(page.contains("<code>refused</code>"), "{page}");
    assert!(page.contains("error=originator-denied"), "{page}");
    assert!(!page.contains("http-equiv"), "{page}");
    let page = get(&host, "/console/log?level=error&follow=yes", &by).body;
    assert!(page.contains("There are no such lines."), "{page}");
    let refresh = "<meta http-equiv=\"refresh\" content=\"5\">";
    assert!(page.contains(refresh), "{page}");
    assert!(page.contains("<option value=\"error\" selected>"), "{page}");
}

/// A host, and the name server that leads to it.
fn found(client: &str) -> (NameServer, Host) {
    let names = NameServer::new();
    let nameservers = format!("nameservers = [\"{}\"]", names.address());
    let host = example_org()
        .table("[dns]", &nameservers)
        .table("[client]", client)
        .start();
    let service = "_ischedules._tcp.example.org";
    names.srv(service, 1, 1, host.address("receiver").port(), "localhost");
    (names, host)
}

const NEAR: &str = "ca = \"ca.pem\"\nallow_networks = [\"127.0.0.0/8\", \"::1/128\"]";

#[test]
fn a_domain_is_probed_by_a_form_of_ours_and_not_too_often() {
    let (_names, host) = found(NEAR);
    let by = by_token(&host);
    let page = get(&host, "/console/probe?domain=example.org", &by).body;
    assert!(!page.contains("<table"), "a link probes nobody: {page}");
    let token = hidden(&page, "token");
    let form = |token: &str| format!("token={token}&do=probe&domain=example.org");
    let fields = format!("{by}{FORM}{OURS}");
    let guessed = post(&host, "/console/probe", &fields, &form("guessed"));
    assert_eq!(guessed.status, 403);
    let probed = post(&host, "/console/probe", &fields, &form(&token));
    assert_eq!(probed.status, 200);
    for part in [
        "found https://localhost:",
        "certificate for localhost",
        "speaks versions 1.0",
    ] {
        assert!(probed.body.contains(part), "{part}: {}", probed.body);
    }
    host.wait_for("domain=\"example.org\"");

    let again = json!({ "domain": "example.org" });
    let findings = answer(&host, "probe", &again);
    let is_whole = |it: &Value| {
        ["step", "verdict", "text", "section"]
            .iter()
            .all(|member| it[*member].is_string())
    };
    assert!(
        findings.as_array().unwrap().iter().all(is_whole),
        "{findings}"
    );
    // A URL would reach what the sender does not.
    let url = json!({ "domain": "https://localhost/" });
    assert_eq!(ask(&host, "probe", &url).status, 422);
    let mut answers = (0..20).map(|_| ask(&host, "probe", &again));
    let refused = answers.find(|it| it.status != 200).unwrap();
    assert_eq!(refused.status, 503);
    assert!(refused.body.contains("try again in"), "{}", refused.body);
}

#[test]
fn a_probe_reaches_no_further_than_the_sender() {
    let (_names, host) = found("ca = \"ca.pem\"");
    let findings = answer(&host, "probe", &json!({ "domain": "example.org" }));
    let findings = findings.as_array().unwrap();
    let failed = findings.iter().find(|it| it["verdict"] == "fail").unwrap();
    let text = failed["text"].as_str().unwrap();
    assert!(text.contains("client.allow_networks"), "{text}");
}

#[test]
fn two_weeks_of_a_user_are_a_picture_without_titles() {
    let host = example_org().start();
    let day = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48);
    let day = day.strftime("%Y%m%d");
    host.put(
        BO,
        &format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:own\r\nDTSTAMP:20260101T000000Z\r\n\
             DTSTART:{day}T100000Z\r\nDTEND:{day}T113000Z\r\nSUMMARY:Merger\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        ),
    );
    let asked = json!({ "user": "mailto:bo@example.org" });
    let busy = answer(&host, "busy-time", &asked);
    assert_eq!(busy["zone"], "UTC");
    assert_eq!(busy["busy"].as_array().unwrap().len(), 1, "{busy}");
    let part = &busy["busy"][0];
    assert_eq!(part["type"], "BUSY");
    assert!(part["start"].as_str().unwrap().ends_with("T10:00:00Z"));
    assert!(part["end"].as_str().unwrap().ends_with("T11:30:00Z"));
    let by = by_token(&host);
    let page = get(&host, "/console/busy?user=bo%40example.org", &by).body;
    assert!(page.contains("<svg class=\"busy-time\""), "{page}");
    assert!(page.contains("10:00–11:30 busy"), "{page}");
    assert!(!page.contains("Merger"), "no titles: {page}");
    for (user, says) in [
        ("", "Address of a user"),
        ("eve%40example.com", "is no calendar user"),
        ("%22%3E%3Cscript%3E", "Address of a user"),
    ] {
        let page = get(&host, &format!("/console/busy?user={user}"), &by);
        assert_eq!(page.status, 200);
        assert!(page.body.contains(says), "{user}: {}", page.body);
        assert!(!page.body.contains("<svg") && !page.body.contains("<script"));
    }
}
