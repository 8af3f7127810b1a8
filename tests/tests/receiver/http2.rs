use super::{ANNA, BO, example_org};
use bytes::Bytes;
use convoke_tests::{Host, Peer, Post, tls_config};
use h2::{RecvStream, SendStream, client::SendRequest};
use http::{Request, Response};
use std::{future::poll_fn, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, stream];
    frame.extend(payload);
    frame
}

/// Kinds of the frames in what was read.
fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, ..] = bytes {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        kinds.push(*kind);
        bytes = bytes.get(9 + length..).unwrap_or_default();
    }
    kinds
}

/// A raw connection; with the preface sent, if wanted.
fn raw(host: &Host, sent: &[&[u8]]) -> Peer {
    let mut peer = Peer::http2(host.address("receiver"), &host.authority().certificate());
    peer.send(&sent.concat());
    peer
}

/// `POST /ischedule` of `localhost`, in HPACK (RFC 7541).
fn post_block() -> Vec<u8> {
    let mut block = vec![0x83, 0x87, 0x04, 10];
    block.extend(b"/ischedule");
    block.extend([0x01, 9]);
    block.extend(b"localhost");
    block
}

/// `GET /ischedule` of `localhost`, which is refused with a text.
fn get_block() -> Vec<u8> {
    let mut block = post_block();
    block[0] = 0x82;
    block
}

#[test]
fn nothing_stays_open_for_nothing() {
    let host = example_org()
        .table(
            "[limits]",
            "handshake_time = \"300ms\"\nheader_time = \"300ms\"\nbody_time = \"300ms\"",
        )
        .start();
    let settings = frame(SETTINGS, 0, 0, b"");
    let unfinished = frame(HEADERS, 0, 1, &post_block());
    let half = &frame(HEADERS, END_HEADERS, 1, &post_block())[..12];
    for (what, sent) in [
        ("no preface", &[][..]),
        ("half a preface", &[&PREFACE[..10]]),
        ("no request", &[PREFACE, &settings]),
        ("an unfinished header", &[PREFACE, &settings, &unfinished]),
        ("half a frame", &[PREFACE, &settings, half]),
    ] {
        println!("{what}");
        raw(&host, sent).wait_until_closed();
    }
    println!("pings");
    let ping = frame(PING, 0, 0, b"12345678");
    raw(&host, &[PREFACE, &settings]).send_until_closed(&ping);

    println!("a body that does not come");
    let open = frame(HEADERS, END_HEADERS, 1, &post_block());
    let read = raw(&host, &[PREFACE, &settings, &open]).read_until_closed();
    assert!(kinds(&read).contains(&HEADERS), "it was answered");
    assert!(kinds(&read).contains(&GOAWAY), "and told of the end");
}

#[test]
fn idle_connections_end_in_a_time_of_their_own() {
    let host = example_org()
        .table("[limits]", "header_time = \"60s\"\nidle_time = \"300ms\"")
        .start();
    let open = frame(HEADERS, END_HEADERS | 1, 1, &post_block());
    raw(&host, &[PREFACE, &frame(SETTINGS, 0, 0, b""), &open]).wait_until_closed();
    let mut peer = host.connect();
    assert_eq!(
        peer.ask(&Post::invitation("idle", ANNA, &[BO]).to_bytes())
            .status,
        200
    );
    peer.wait_until_closed();
}

#[test]
fn idle_connections_do_not_hold_up_the_end() {
    let mut host = example_org().start();
    let settings = frame(SETTINGS, 0, 0, b"");
    let unfinished = frame(HEADERS, 0, 1, &post_block());
    let mut idle = raw(&host, &[PREFACE, &settings]);
    // No window for any answer (RFC 9113 §6.5.2).
    let closed = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let ended = frame(HEADERS, END_HEADERS | 1, 1, &get_block());
    let mut others = [
        raw(&host, &[PREFACE, &closed, &ended]),
        raw(&host, &[]),
        raw(&host, &[PREFACE, &settings, &unfinished]),
        raw(
            &host,
            &[
                PREFACE,
                &settings,
                &frame(HEADERS, END_HEADERS, 1, &post_block()),
            ],
        ),
        Peer::plain(host.address("receiver")),
    ];
    let mut header = host.connect();
    header.send(b"POST / HTTP/1.1\r\n");
    assert_eq!(
        host.post(&Post::invitation("before", ANNA, &[BO])).status,
        200
    );
    host.signal("TERM");
    assert!(host.wait().success());
    assert!(
        !host.log().contains("connections-cut-off"),
        "{}",
        host.log()
    );
    assert!(kinds(&idle.read_until_closed()).contains(&GOAWAY));
    for other in &mut others {
        other.wait_until_closed();
    }
    header.wait_until_closed();
}

/// A connection of another implementation.
async fn connect(host: &Host) -> SendRequest<Bytes> {
    let mut config = tls_config(&host.authority().certificate(), None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(host.address("receiver")).await.unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect("localhost".try_into().unwrap(), stream)
        .await
        .unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    sender.ready().await.unwrap()
}

fn request(post: &Post) -> Request<()> {
    let mut request = Request::post("https://localhost/.well-known/ischedule");
    for (name, value) in post.headers().iter().filter(|(name, _)| name != "Host") {
        request = request.header(name, value);
    }
    request.body(()).unwrap()
}

async fn text(response: Response<RecvStream>) -> String {
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.unwrap();
        body.flow_control().release_capacity(chunk.len()).unwrap();
        text.extend(chunk);
    }
    String::from_utf8(text).unwrap()
}

fn send(stream: &mut SendStream<Bytes>, bytes: &[u8], end: bool) {
    stream
        .send_data(Bytes::copy_from_slice(bytes), end)
        .unwrap();
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

#[test]
fn the_body_is_asked_for_only_if_the_header_is_right() {
    let host = example_org().start();
    let post = Post::invitation("continued", ANNA, &[BO]).also("Expect", "100-continue");
    run(async {
        let mut sender = connect(&host).await;
        let (mut answer, mut body) = sender.send_request(request(&post), false).unwrap();
        let interim = poll_fn(|context| answer.poll_informational(context)).await;
        assert_eq!(interim.unwrap().unwrap().status(), 100);
        send(&mut body, post.body(), true);
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(text(answer).await.contains("2.0;"));

        let wrong = post.clone().with("Content-Type", "text/plain");
        let (answer, _body) = sender.send_request(request(&wrong), false).unwrap();
        assert_eq!(answer.await.unwrap().status(), 415);
    });
    assert!(host.stored(BO, "continued").is_some());
}

#[test]
fn a_request_that_has_begun_is_finished_before_the_host_ends() {
    let mut host = example_org().start();
    let post = Post::invitation("begun", ANNA, &[BO]);
    run(async {
        let mut sender = connect(&host).await;
        let (answer, mut body) = sender.send_request(request(&post), false).unwrap();
        let (first, rest) = post.body().split_at(100);
        send(&mut body, first, false);
        // An answer on the same connection: the host has seen what was sent before.
        let (other, _) = sender
            .send_request(request(&post.clone().with("Originator", "")), true)
            .unwrap();
        assert_eq!(other.await.unwrap().status(), 400);
        host.signal("TERM");
        host.wait_for("stopping");
        send(&mut body, rest, true);
        assert_eq!(answer.await.unwrap().status(), 200);
    });
    assert!(host.wait().success());
}

#[test]
fn the_host_is_named_once() {
    let host = example_org().start();
    let post = Post::invitation("named", ANNA, &[BO]);
    run(async {
        let mut sender = connect(&host).await;
        for (hosts, status) in [
            (&[][..], 200),
            (&["localhost"], 200),
            (&["localhost:443"], 200),
            (&["other.example"], 400),
            (&["localhost", "localhost"], 400),
        ] {
            let mut request = request(&post);
            for host in hosts {
                request.headers_mut().append("host", host.parse().unwrap());
            }
            let (answer, mut body) = sender.send_request(request, false).unwrap();
            send(&mut body, post.body(), true);
            let answer = answer.await.unwrap();
            assert_eq!(answer.status(), status, "{hosts:?}");
            assert_eq!(answer.headers()["ischedule-version"], "1.0");
            assert_eq!(answer.headers()["cache-control"], "no-cache, no-transform");
        }
        let mut large = request(&post);
        large
            .headers_mut()
            .insert("x", "x".repeat(70_000).parse().unwrap());
        let (answer, _) = sender.send_request(large, true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 431);
        assert_eq!(answer.headers()["ischedule-version"], "1.0");
    });
}

#[test]
fn open_streams_take_no_memory_from_others() {
    let host = example_org()
        .table(
            "[limits]",
            "content_length = \"64 KiB\"\nheader_size = \"16 KiB\"\nbody_memory = \"256 KiB\"",
        )
        .start();
    let announced = Post::invitation("announced", ANNA, &[BO]).also("Content-Length", "65536");
    let post = Post::invitation("new", ANNA, &[BO]);
    run(async {
        let mut sender = connect(&host).await;
        let mut open = Vec::new();
        for _ in 0..30 {
            open.push(sender.send_request(request(&announced), false).unwrap());
        }
        let (answer, mut body) = sender.send_request(request(&post), false).unwrap();
        send(&mut body, post.body(), true);
        assert!(text(answer.await.unwrap()).await.contains("2.0;"));
    });
    assert_eq!(host.post(&post).codes(), ["2.0"], "on another connection");
}
