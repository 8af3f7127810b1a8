use super::{ANNA, BO, example_org};
use bytes::Bytes;
use convoke_tests::{Authority, Host, Peer, Post, tls_config};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{fs, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Statuses of posts sent at once over one HTTP/2 connection.
async fn http2(host: &Host, posts: Vec<Post>) -> Vec<(u16, Bytes)> {
    let mut config = tls_config(&host.authority().certificate(), None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(host.address("receiver")).await.unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect("localhost".try_into().unwrap(), stream)
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let answers = posts.into_iter().map(|post| {
        let mut sender = sender.clone();
        async move {
            let mut request = http::Request::post("https://localhost/.well-known/ischedule");
            for (name, value) in post.headers().iter().filter(|(name, _)| name != "Host") {
                request = request.header(name, value);
            }
            let request = request
                .body(Full::new(Bytes::copy_from_slice(post.body())))
                .unwrap();
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!(answer.headers()["ischedule-version"], "1.0");
            let status = answer.status().as_u16();
            (
                status,
                answer.into_body().collect().await.unwrap().to_bytes(),
            )
        }
    });
    futures::future::join_all(answers).await
}

#[test]
fn http2_says_the_same() {
    let host = example_org()
        .table("[limits]", "content_length = \"8 KiB\"")
        .start();
    let to: Vec<String> = (0..250)
        .map(|n| format!("somebody.with.a.long.name.{n}@example.org"))
        .collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let fields = Post::new("VEVENT REQUEST", ANNA, &to, "no calendar");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answers = runtime.block_on(http2(
        &host,
        vec![
            Post::invitation("h2", ANNA, &[BO]),
            Post::invitation("h2", ANNA, &[BO]).with("Originator", ""),
            Post::invitation("h2", ANNA, &[BO]).with_body(&[b'x'; 10_000]),
            fields,
        ],
    ));
    let statuses: Vec<_> = answers.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200, 400, 413, 400]);
    assert!(
        answers[3]
            .1
            .windows(21)
            .any(|it| it == b"invalid-calendar-data"),
        "250 fields pass"
    );
    assert!(host.stored(BO, "h2").is_some());
}

#[test]
fn requests_that_have_begun_are_finished_before_the_host_ends() {
    let mut host = example_org().start();
    let post = Post::invitation("begun", ANNA, &[BO]);
    let bytes = post.to_bytes();
    let (first, rest) = bytes.split_at(bytes.len() - 20);
    let mut idle = host.connect();
    assert_eq!(idle.ask(&post.to_bytes()).codes(), ["2.0"]);
    let mut peer = host.connect();
    peer.send(first);
    // An answered request on another connection shows that the host had the time to see the first bytes.
    assert_eq!(host.post(&post).codes(), ["2.0"]);
    host.signal("TERM");
    idle.wait_until_closed();
    peer.send(rest);
    assert_eq!(peer.answer().codes(), ["2.0"]);
    assert!(host.wait().success());
    assert!(!host.folder().join("state/listeners.json").exists());
}

#[test]
fn a_new_configuration_is_taken_whole_or_not_at_all() {
    let mut host = example_org().start();
    let receiver = host.address("receiver");
    let mut peer = host.connect();
    let many = Post::invitation("many", ANNA, &[BO, "cy@example.org"]);
    assert_eq!(peer.ask(&many.to_bytes()).status, 200);

    host.configure(|setup| setup.table("[limits]", "recipients = 1"));
    host.signal("HUP");
    host.wait_for("config-reloaded");
    let answer = peer.ask(&many.to_bytes());
    assert_eq!(
        answer.error().as_deref(),
        Some("max-recipients"),
        "also on connections that were there"
    );

    for (broken, expected) in [
        ("recipients = \"many\"", "expected a whole number"),
        ("recipient = 5", "did you mean `recipients`?"),
    ] {
        host.configure(|setup| setup.table("[limits]", broken));
        host.signal("HUP");
        host.wait_for(expected);
        assert_eq!(
            peer.ask(&many.to_bytes()).error().as_deref(),
            Some("max-recipients")
        );
    }
    host.configure(|setup| {
        setup
            .table("[limits]", "")
            .table("[[store]]", "plugin = \"no-such-store\"")
    });
    host.signal("HUP");
    host.wait_for("no-such-store");
    assert_eq!(
        peer.ask(&many.to_bytes()).error().as_deref(),
        Some("max-recipients")
    );

    host.note_listeners();
    assert_eq!(
        host.address("receiver"),
        receiver,
        "nobody has to look for it anew"
    );
}

#[test]
fn the_admin_listener_tells_what_happens() {
    let host = example_org().start();
    host.post(&Post::invitation(
        "counted",
        ANNA,
        &[BO, "nobody@example.org"],
    ));
    host.post(&Post::free_busy(ANNA, &[BO]).with("Originator", ""));
    assert_eq!(host.get("admin", "/health").status, 200);
    let metrics = host.get("admin", "/metrics");
    assert_eq!(metrics.status, 200);
    for line in [
        "convoke_answers_total{listener=\"receiver\",status=\"200\"} 1",
        "convoke_answers_total{listener=\"receiver\",status=\"400\"} 1",
        "convoke_refusals_total{error=\"originator-missing\"} 1",
        "convoke_deliveries_total{component=\"VEVENT\",method=\"REQUEST\",code=\"2.0\"} 1",
        "convoke_deliveries_total{component=\"VEVENT\",method=\"REQUEST\",code=\"3.7\"} 1",
        "convoke_plugin_ready{plugin=\"store-sqlite\",kind=\"store\"} 1",
        "convoke_connections{listener=\"receiver\"}",
    ] {
        assert!(
            metrics.body.contains(line),
            "{line} is not in\n{}",
            metrics.body
        );
    }
    assert_eq!(host.get("admin", "/elsewhere").status, 404);
    let elsewhere = host.get("submission", "/metrics");
    assert_eq!(elsewhere.status, 404, "not for everybody");
}

#[test]
fn who_hands_in_a_message_must_log_in() {
    let host = example_org().start();
    let post = Post::invitation("submitted", BO, &["cy@example.org"]);
    for authorization in [
        "",
        "Bearer wrong",
        "Basic Ym86d3Jvbmc=",
        "Basic",
        "Digest x",
        "Bearer \u{e9}",
    ] {
        let answer = Peer::plain(host.address("submission"))
            .ask(&post.clone().with("Authorization", authorization).to_bytes());
        assert_eq!(answer.status, 401, "{authorization}");
        assert!(
            answer
                .header("www-authenticate")
                .unwrap()
                .starts_with("Basic")
        );
    }
    assert_eq!(host.stored("cy@example.org", "submitted"), None);
    assert_eq!(host.submit(&post).codes(), ["2.0"]);
    assert!(host.stored("cy@example.org", "submitted").is_some());
    assert!(
        host.stored(BO, "submitted").is_some(),
        "the organizer's own copy"
    );
    let foreign = host.submit(&Post::invitation("foreign", ANNA, &[BO]));
    assert_eq!(
        (foreign.status, foreign.error().as_deref()),
        (403, Some("originator-denied"))
    );
}

#[test]
fn renewed_certificates_are_used_without_a_restart() {
    let host = example_org().start();
    let post = Post::invitation("renewed", ANNA, &[BO]).to_bytes();
    fs::write(host.folder().join("host.key"), "half a file").unwrap();
    host.wait_for("certificates-rejected");
    let mut open = host.connect();
    assert_eq!(open.ask(&post).codes(), ["2.0"]);

    let renewed = Authority::new();
    renewed.issue(&["localhost"]).write(host.folder(), "host");
    host.wait_for("certificates-reloaded");
    let mut peer = Peer::tls(host.address("receiver"), &renewed.certificate(), None);
    assert_eq!(peer.ask(&post).codes(), ["2.0"]);
    assert_eq!(open.ask(&post).codes(), ["2.0"], "what was connected stays");
}
