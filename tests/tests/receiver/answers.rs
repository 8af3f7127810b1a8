use super::{ANNA, BO, example_org};
use convoke_tests::{Answer, Host, Peer, Post};

fn invitation() -> Post {
    Post::invitation("answers", ANNA, &[BO])
}

fn is_complete(answer: &Answer, what: &str) {
    assert_eq!(
        answer.header("iSchedule-Version").as_deref(),
        Some("1.0"),
        "{what}: {answer:?}"
    );
    assert!(
        answer.header("iSchedule-Capabilities").is_some(),
        "{what}: {answer:?}"
    );
    let cache = answer.header("Cache-Control");
    assert_eq!(
        cache.as_deref(),
        Some("no-cache, no-transform"),
        "{what}: {answer:?}"
    );
}

#[test]
fn every_answer_carries_what_answers_carry() {
    let host = example_org()
        .table(
            "[limits]",
            "content_length = \"8 KiB\"\nbody_time = \"300ms\"",
        )
        .start();
    let request = |line: &str| format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes();
    let huge = invitation().also("X", &"x".repeat(70_000));
    let broken = invitation().also("Transfer-Encoding", "chunked").head() + "zz\r\n";
    let endless = invitation().also("Content-Length", "100").head();
    let colon = b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n".to_vec();
    for (what, bytes, status) in [
        ("a message", invitation().to_bytes(), 200),
        ("OPTIONS", request("OPTIONS /ischedule"), 200),
        ("another query", request("GET /ischedule?action=x"), 400),
        ("another path", request("GET /"), 404),
        ("another method", request("PUT /ischedule"), 405),
        ("a large header", huge.to_bytes(), 431),
        ("no HTTP", b"NONSENSE\r\n\r\n".to_vec(), 400),
        ("another version", b"GET / HTTP/9.9\r\n\r\n".to_vec(), 400),
        ("a blank before a colon", colon, 400),
        ("no host", b"GET / HTTP/1.1\r\n\r\n".to_vec(), 400),
        ("a wrong chunk", broken.into_bytes(), 400),
        ("a slow body", endless.into_bytes(), 408),
        (
            "a long body",
            invitation().with_body(&[b'x'; 9000]).to_bytes(),
            413,
        ),
        (
            "another type",
            invitation().with("Content-Type", "a/b").to_bytes(),
            415,
        ),
    ] {
        let answer = host.ask(&bytes);
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        is_complete(&answer, what);
    }
    // One or the other, as the header arrives.
    let target = host.ask(&request(&format!("GET /{}", "x".repeat(66_000))));
    assert!(matches!(target.status, 414 | 431), "{target:?}");
    is_complete(&target, "a long target");
    // After an answer of ours, too, and when both are asked for at once.
    let both = [invitation().to_bytes(), b"NONSENSE\r\n\r\n".to_vec()].concat();
    let mut peer = host.connect();
    is_complete(&peer.ask(&both), "the first of two");
    let second = peer.answer();
    assert_eq!(second.status, 400);
    is_complete(&second, "the second of two");
}

#[test]
fn an_answer_before_the_body_closes_the_connection_and_says_so() {
    let host = example_org()
        .table("[limits]", "content_length = \"8 KiB\"")
        .start();
    let early = |post: Post, length: usize| {
        let post = post.also("Content-Length", &length.to_string());
        let mut peer = host.connect();
        let answer = peer.ask(post.head().as_bytes());
        assert_eq!(
            answer.header("connection").as_deref(),
            Some("close"),
            "{answer:?}"
        );
        peer.wait_until_closed();
        answer.status
    };
    for (post, length, status) in [
        (invitation(), 9000, 413),
        (invitation().with("Content-Type", "a/b"), 1000, 415),
        (invitation().with("Originator", ""), 1000, 400),
        (invitation().to_target("/elsewhere"), 1000, 404),
    ] {
        assert_eq!(early(post.clone(), length), status);
        let expecting = post.also("Expect", "100-continue");
        assert_eq!(early(expecting, length), status);
    }
}

#[test]
fn an_answer_after_the_body_leaves_the_connection_open() {
    let host = example_org().start();
    let mut peer = host.connect();
    for (post, status) in [
        (invitation().with("Content-Type", "a/b"), 415),
        (invitation().with("Originator", ""), 400),
        (invitation().to_target("/elsewhere"), 404),
        (invitation(), 200),
    ] {
        let answer = peer.ask(&post.to_bytes());
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("connection"), None, "{answer:?}");
    }
}

/// RFC 9112 §3.2.
#[test]
fn the_host_is_named_once() {
    let host = example_org().start();
    let status = |target: &str, hosts: &[&str]| {
        let mut post = invitation().with("Host", "").to_target(target);
        for name in hosts {
            post = post.also("Host", name);
        }
        host.ask(&post.to_bytes()).status
    };
    let path = "/.well-known/ischedule";
    let absolute = "https://localhost/.well-known/ischedule";
    for (target, hosts, expected) in [
        (path, &["localhost"][..], 200),
        (path, &["cal.example.org:8443"], 200),
        (path, &[], 400),
        (path, &["localhost", "localhost"], 400),
        (path, &["a b"], 400),
        (path, &["user@localhost"], 400),
        (absolute, &["localhost"], 200),
        (absolute, &["LOCALHOST:443"], 200),
        (absolute, &["other.example"], 400),
        (absolute, &[], 400),
    ] {
        assert_eq!(status(target, hosts), expected, "{target} {hosts:?}");
    }
    let old = b"GET /.well-known/ischedule?action=capabilities HTTP/1.0\r\n\r\n";
    assert_eq!(host.ask(old).status, 200, "HTTP/1.0 has no Host");
}

#[test]
fn an_address_has_so_many_connections() {
    let host = example_org()
        .table("[limits]", "connections_per_address = 3")
        .start();
    let mut open: Vec<Peer> = (0..3).map(|_| host.connect()).collect();
    Peer::plain(host.address("receiver")).wait_until_closed();
    host.wait_for("too-many-connections");
    assert_eq!(open[0].ask(&invitation().to_bytes()).codes(), ["2.0"]);
    // The place of one that ends is free for another.
    open.truncate(2);
    let mut again = until_connected(&host);
    assert_eq!(again.ask(&invitation().to_bytes()).codes(), ["2.0"]);
}

/// The host notices in its own time that a connection has ended.
fn until_connected(host: &Host) -> Peer {
    loop {
        let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| host.connect()));
        if let Ok(peer) = attempt {
            return peer;
        }
    }
}

#[test]
fn descriptors_are_raised_or_missed_loudly() {
    let limited = |command: &str| {
        let command = format!("{command} && exec \"$@\"");
        example_org()
            .table("[limits]", "connections = 400")
            .through(&["sh", "-c", &command, "sh"])
            .start()
    };
    let host = limited("ulimit -Sn 256");
    assert!(!host.log().contains("descriptor-limit"), "{}", host.log());
    assert_eq!(host.post(&invitation()).codes(), ["2.0"]);
    let host = limited("ulimit -n 800");
    host.wait_for("descriptor-limit");
    assert_eq!(host.post(&invitation()).codes(), ["2.0"]);
}
