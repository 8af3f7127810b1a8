use super::{ANNA, BO, example_org};
use convoke_tests::{Answer, Peer, Post};

fn invitation() -> Post {
    Post::invitation("limits", ANNA, &[BO])
}

#[test]
fn a_body_that_is_too_long_is_refused_before_it_is_sent() {
    let host = example_org()
        .table("[limits]", "content_length = \"8 KiB\"")
        .start();
    for post in [invitation(), invitation().also("Expect", "100-continue")] {
        let head = post.also("Content-Length", "1000000000").head();
        let answer = host.connect().ask(head.as_bytes());
        assert_eq!(
            (answer.status, answer.error().as_deref()),
            (413, Some("max-content-length"))
        );
    }
    // Nothing says beforehand how long chunks become.
    let chunked = invitation().with_body(&vec![b'x'; 100_000]).to_chunks();
    let answer = host.ask(&chunked);
    assert_eq!(
        (answer.status, answer.error().as_deref()),
        (413, Some("max-content-length"))
    );
    let largest = invitation().edited(
        "SUMMARY",
        &format!("DESCRIPTION:{}\nSUMMARY", "x".repeat(7000)),
    );
    assert_eq!(host.post(&largest).codes(), ["2.0"]);
}

#[test]
fn the_body_is_asked_for_only_if_the_header_is_right() {
    let host = example_org().start();
    let expecting = |post: Post| {
        let length = post.body().len().to_string();
        post.also("Expect", "100-continue")
            .also("Content-Length", &length)
    };
    let mut peer = host.connect();
    let good = expecting(invitation());
    assert_eq!(peer.ask(good.head().as_bytes()).status, 100);
    let answer = peer.ask(good.body());
    assert_eq!(answer.codes(), ["2.0"]);
    for (bad, status) in [
        (invitation().with("Originator", ""), 400),
        (invitation().with("iSchedule-Version", "3"), 400),
        (invitation().with("Content-Type", "text/plain"), 415),
        (invitation().to_target("/elsewhere"), 404),
    ] {
        assert_eq!(
            host.connect().ask(expecting(bad).head().as_bytes()).status,
            status
        );
    }
}

#[test]
fn a_header_is_bounded_in_size_and_fields() {
    let host = example_org().start();
    let fields = |count: usize, length: usize| {
        let mut post = invitation();
        for n in 0..count {
            post = post.also(&format!("X-{n}"), &"x".repeat(length));
        }
        host.ask(&post.to_bytes()).status
    };
    assert_eq!(fields(900, 1), 200);
    assert_eq!(fields(1, 40_000), 200);
    assert_eq!(fields(1100, 1), 431);
    assert_eq!(fields(10, 10_000), 431);
    assert_eq!(host.post(&invitation()).codes(), ["2.0"], "and goes on");
}

#[test]
fn slow_senders_are_cut_off() {
    let host = example_org()
        .table(
            "[limits]",
            "handshake_time = \"300ms\"\nheader_time = \"300ms\"\nbody_time = \"300ms\"",
        )
        .start();

    let mut silent = Peer::plain(host.address("receiver"));
    silent.wait_until_closed();

    let mut header = host.connect();
    header.send(b"POST /.well-known/ischedule HTTP/1.1\r\nHost: ");
    header.wait_until_closed();

    let mut idle = host.connect();
    assert_eq!(idle.ask(&invitation().to_bytes()).status, 200);
    idle.wait_until_closed();

    let mut body = host.connect();
    let answer = body.ask(
        invitation()
            .also("Content-Length", "1000")
            .head()
            .as_bytes(),
    );
    assert_eq!(answer.status, 408);
    body.wait_until_closed();
}

#[test]
fn garbage_ends_the_connection_and_nothing_else() {
    let host = example_org().start();
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\x16\x03\x01\xff\xff",
        b"\0\0\0\0\0\0\0\0",
    ] {
        let mut peer = Peer::plain(host.address("receiver"));
        peer.send(garbage);
        peer.send(&[0; 100]);
        peer.wait_until_closed();
    }
    for (request, status) in [
        (&b"NONSENSE\r\n\r\n"[..], 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"POST /.well-known/ischedule HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /.well-known/ischedule HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    ] {
        let answer: Answer = host.connect().ask(request);
        assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(request));
    }
    let broken_chunk = invitation().also("Transfer-Encoding", "chunked").head() + "zz\r\nhello\r\n";
    assert_eq!(host.connect().ask(broken_chunk.as_bytes()).status, 400);
    assert_eq!(host.post(&invitation()).codes(), ["2.0"]);
    assert!(!host.log().contains("panic"), "{}", host.log());
}

#[test]
fn many_requests_share_a_connection() {
    let host = example_org().start();
    let mut peer = host.connect();
    for n in 0..20 {
        let answer = peer.ask(&Post::invitation(&format!("shared-{n}"), ANNA, &[BO]).to_bytes());
        assert_eq!(answer.codes(), ["2.0"]);
    }
    let mut twice = invitation().to_bytes();
    twice.extend(Post::free_busy(ANNA, &[BO]).to_bytes());
    assert_eq!(peer.ask(&twice).codes(), ["2.0"]);
    assert!(
        peer.answer().statuses()[0].data.is_some(),
        "the second of two at once"
    );
}
