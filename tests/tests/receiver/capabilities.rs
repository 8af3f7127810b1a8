use super::example_org;
use convoke_tests::{Answer, Host};

fn get(host: &Host, target: &str, field: &str) -> Answer {
    host.ask(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{field}\r\n").as_bytes())
}

const CAPABILITIES: &str = "/.well-known/ischedule?action=capabilities";

#[test]
fn the_document_says_what_is_configured() {
    let host = example_org()
        .table("[limits]", "content_length = \"64 KiB\"\nrecipients = 7\ninstances = 12\nattachments = [\"external\"]")
        .start();
    let answer = get(&host, CAPABILITIES, "");
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("application/xml")
    );
    for (path, expected) in [
        ("versions/version", "1.0"),
        ("max-content-length", "65536"),
        ("max-recipients", "7"),
        ("max-instances", "12"),
        ("min-date-time", "19000101T000000Z"),
        ("max-date-time", "21000101T000000Z"),
        ("administrator", "mailto:admin@example.org"),
    ] {
        let text = answer.text(&format!("query-result/capabilities/{path}"));
        assert_eq!(text.as_deref(), Some(expected), "{path}");
    }
    assert!(
        answer
            .text("query-result/capabilities/attachments/external")
            .is_some()
    );
    assert_eq!(
        answer.text("query-result/capabilities/attachments/inline"),
        None
    );
    assert!(answer.body.contains("<rscales/>"), "{}", answer.body);
    let serial = answer.text("query-result/capabilities/serial-number");
    assert_eq!(serial, answer.header("iSchedule-Capabilities"));
    assert!(serial.unwrap().parse::<u64>().unwrap() > 0);
}

#[test]
fn a_known_document_is_not_sent_again() {
    let host = example_org().start();
    let first = get(&host, CAPABILITIES, "");
    let etag = first.header("etag").unwrap();
    assert!(first.header("cache-control").unwrap().contains("max-age="));
    for (field, status) in [
        (format!("If-None-Match: {etag}\r\n"), 304),
        (format!("If-None-Match: \"x\", W/{etag}\r\n"), 304),
        ("If-None-Match: *\r\n".to_owned(), 304),
        ("If-None-Match: \"x\"\r\n".to_owned(), 200),
    ] {
        let answer = get(&host, CAPABILITIES, &field);
        assert_eq!(
            (answer.status, answer.body.is_empty()),
            (status, status == 304),
            "{field}"
        );
        assert_eq!(answer.header("etag").as_ref(), Some(&etag), "{field}");
    }
}

#[test]
fn every_other_request_is_answered_with_what_would_be_right() {
    let host = example_org().start();
    for (request, status) in [
        ("GET /.well-known/ischedule", 400),
        ("GET /.well-known/ischedule?action=", 400),
        ("GET /.well-known/ischedule?action=delete", 400),
        ("GET /.well-known/ischedule?query=capabilities", 400),
        ("OPTIONS /.well-known/ischedule", 200),
        ("PUT /.well-known/ischedule", 405),
        ("DELETE /.well-known/ischedule", 405),
        ("PROPFIND /.well-known/ischedule", 405),
        ("GET /", 404),
        ("GET /.well-known/ischedule/x?action=capabilities", 404),
        ("POST /calendars", 404),
        ("GET /.well-known/domainkey/example.org/is1", 404),
    ] {
        let answer = host.ask(
            format!("{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
                .as_bytes(),
        );
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(
            answer.header("iSchedule-Version").as_deref(),
            Some("1.0"),
            "{request}"
        );
        assert!(
            answer.header("iSchedule-Capabilities").is_some(),
            "{request}"
        );
        let allows = answer
            .header("allow")
            .is_some_and(|allow| allow.contains("POST"));
        assert_eq!(allows, matches!(status, 200 | 405), "{request}");
    }
}

#[test]
fn the_serial_number_grows_with_each_change_and_survives_a_restart() {
    let serial = |host: &Host| -> u64 {
        let number = get(host, CAPABILITIES, "")
            .header("iSchedule-Capabilities")
            .unwrap();
        number.parse().unwrap()
    };
    let mut host = example_org().start();
    let first = serial(&host);

    host.signal("TERM");
    assert!(host.wait().success());
    let mut host = host.started();
    assert_eq!(serial(&host), first);

    host.configure(|setup| setup.table("[limits]", "recipients = 3"));
    host.signal("HUP");
    host.wait_for("config-reloaded");
    assert!(serial(&host) > first);
}
