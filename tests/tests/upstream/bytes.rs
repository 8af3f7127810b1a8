//! What passes, as it is and when it comes.

use super::{ask, client, head, in_front_of, server::Server, setup};
use convoke_tests::Authority;
use std::sync::{Mutex, mpsc};

#[test]
fn a_request_and_its_answer_pass_as_they_are() {
    let server = Server::answering(
        "HTTP/1.1 207 Multi-Status\r\nDate: Mon, 23 Nov 2026 06:00:00 GMT\r\nServer: other/1\r\nDAV: 1, 2\r\nDAV: calendar-access\r\n\
         ETag: W/\"a\"\r\nContent-Type: text/xml\r\nContent-Length: 5\r\nX-Odd: a  b\r\n\r\n<a />",
    );
    let host = in_front_of(&server);
    let fields = [
        ("Depth", "1"),
        ("If-Match", "\"a\", W/\"b\""),
        ("If", "(<urn:x> [\"a\"])"),
        ("Prefer", "return=minimal"),
        ("Authorization", "Digest username=\"u1\", nc=00000001"),
        ("Accept-Encoding", "gzip"),
        ("Content-Length", "3"),
    ];
    let request = head("REPORT /u1/b%20c%2F%C3%A4/?x=%20&y", &fields);
    let answer = ask(&host, &(request + "<x>"));
    let received = server.first();
    let line = "REPORT /u1/b%20c%2F%C3%A4/?x=%20&y HTTP/1.1";
    assert_eq!(received.line(), line);
    for (name, value) in fields {
        assert_eq!(received.field(name), [value], "{name}");
    }
    assert_eq!(answer.status, 207);
    let mut shown = answer.headers.clone();
    shown.sort();
    let mut expected = [
        ("content-length", "5"),
        ("content-type", "text/xml"),
        ("date", "Mon, 23 Nov 2026 06:00:00 GMT"),
        ("dav", "1, 2"),
        ("dav", "calendar-access"),
        ("etag", "W/\"a\""),
        ("server", "other/1"),
        ("x-odd", "a  b"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    expected.sort();
    assert_eq!(shown, expected);
    assert_eq!(answer.body, "<a />");
}

#[test]
fn compressed_bytes_are_not_touched() {
    let body: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let mut bytes =
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 300000\r\n\r\n".to_vec();
    bytes.extend(&body);
    let server = Server::answering(bytes);
    let host = in_front_of(&server);
    let mut client = client(&host);
    client.send(head("GET /a", &[("Connection", "close")]).as_bytes());
    let read = client.read_until_closed();
    let end = read.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
    assert!(read[..end].starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(read[end..] == body);
}

#[test]
fn what_has_no_body_has_none() {
    for (line, answer, expected) in [
        (
            "HEAD /a",
            "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
            Some("1234"),
        ),
        (
            "GET /a",
            "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 1234\r\n\r\n",
            None,
        ),
        (
            "PUT /a",
            "HTTP/1.1 204 No Content\r\nETag: \"1\"\r\n\r\n",
            None,
        ),
        (
            "PUT /a",
            "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
            Some("0"),
        ),
    ] {
        let server = Server::answering(answer);
        let host = in_front_of(&server);
        let mut client = client(&host);
        client.send(head(line, &[("Connection", "close")]).as_bytes());
        let read = String::from_utf8(client.read_until_closed()).unwrap();
        assert!(read.ends_with("\r\n\r\n"), "{read}");
        let mut lines = read.lines();
        let length = lines.find_map(|it| it.strip_prefix("content-length: "));
        assert_eq!(length, expected, "{read}");
    }
}

#[test]
fn an_answer_comes_as_it_is_made() {
    let (go_on, waits) = mpsc::channel();
    let waits = Mutex::new(waits);
    let server = Server::new(move |_, connection| {
        let first = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
        connection.write_all(first).unwrap();
        connection.flush().unwrap();
        // Until the client has the first part, or the test has failed.
        let _ = waits.lock().unwrap().recv();
        let _ = connection.write_all(b"4\r\nlast\r\n0\r\n\r\n");
    });
    let host = in_front_of(&server);
    let mut client = client(&host);
    client.send(head("GET /a", &[("Connection", "close")]).as_bytes());
    let read = client.read_until(b"first");
    assert!(read.contains("transfer-encoding: chunked"), "{read}");
    go_on.send(()).unwrap();
    let rest = String::from_utf8(client.read_until_closed()).unwrap();
    assert_eq!(rest, "\r\n4\r\nlast\r\n0\r\n\r\n");
}

#[test]
fn a_request_goes_as_it_comes() {
    let (came, first) = mpsc::channel();
    let server = Server::early(move |mut received, connection| {
        while received.body.len() < 5 {
            let mut buffer = [0; 5];
            let count = connection.read(&mut buffer).unwrap();
            received.body.extend(&buffer[..count]);
        }
        came.send(received.body.clone()).unwrap();
        received.read_body(connection);
        assert_eq!(received.body, b"firstlast");
        let _ = connection.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    });
    let host = in_front_of(&server);
    let mut client = client(&host);
    let request = head("PUT /a", &[("Content-Length", "9")]) + "first";
    client.send(request.as_bytes());
    // The rest has not been sent yet.
    assert_eq!(first.recv().unwrap(), b"first");
    assert_eq!(client.ask(b"last").status, 201);
}

#[test]
fn the_length_of_a_chunked_request_is_found_out() {
    let server = Server::answering("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    let host = in_front_of(&server);
    let request = head("PUT /a", &[("Transfer-Encoding", "chunked")]);
    let answer = ask(&host, &(request + "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"));
    assert_eq!(answer.status, 201);
    let received = server.first();
    assert_eq!(received.field("content-length"), ["5"]);
    assert!(received.field("transfer-encoding").is_empty());
}

#[test]
fn a_long_chunked_request_goes_on_in_chunks() {
    let server = Server::new(|received, connection| {
        let answer = received.body.len().to_string();
        let length = answer.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        connection.write_all((head + &answer).as_bytes()).unwrap();
    });
    let host = in_front_of(&server);
    let mut request = head("PUT /a", &[("Transfer-Encoding", "chunked")]);
    let chunk = "x".repeat(0x8000);
    for _ in 0..20 {
        request.extend(["8000\r\n", &chunk, "\r\n"]);
    }
    request.push_str("0\r\n\r\n");
    let answer = ask(&host, &request);
    assert_eq!(server.first().field("transfer-encoding"), ["chunked"]);
    let sent: usize = answer.body.parse().unwrap();
    assert!(sent > 20 * 0x8000, "all of it, and chunk sizes: {sent}");
}

#[test]
fn who_waits_for_continue_is_told() {
    let server = Server::answering("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    let host = in_front_of(&server);
    let mut client = client(&host);
    let fields = [("Content-Length", "3"), ("Expect", "100-continue")];
    let interim = client.ask(head("PUT /a", &fields).as_bytes());
    assert_eq!(interim.status, 100);
    assert_eq!(client.ask(b"abc").status, 201);
    assert!(server.first().field("expect").is_empty());
}

#[test]
fn a_connection_is_used_again() {
    let server =
        Server::answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    let host = in_front_of(&server);
    let mut client = client(&host);
    for _ in 0..3 {
        client.send(head("GET /a", &[]).as_bytes());
        let read = client.read_until(b"0\r\n\r\n");
        assert!(read.starts_with("HTTP/1.1 200 OK\r\n"), "{read}");
    }
    assert_eq!(server.received().len(), 3);
}

#[test]
fn the_server_is_believed_by_the_certificates_of_the_configuration() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let authority = Authority::new();
    let server = Server::with_tls(&authority, ANSWER);
    let client = "allow_networks = [\"127.0.0.0/8\"]\nca = \"server-ca.pem\"";
    let host = setup(&server.url())
        .file("server-ca.pem", &authority.certificate())
        .table("[client]", client)
        .start();
    let answer = ask(&host, &head("GET /a", &[]));
    assert_eq!((answer.status, &*answer.body), (200, "ok"));

    let host = in_front_of(&server);
    assert_eq!(ask(&host, &head("GET /a", &[])).status, 503);
}
