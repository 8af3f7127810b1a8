//! Requests that are meant to be read in two ways; a server that is down, or breaks off.

use super::{
    ask, client, head, in_front_of, in_front_of_url,
    server::{Received, Server},
};
use std::net::TcpListener;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn no_request_hides_in_another_one() {
    const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let chunked = format!("0\r\n\r\n{HIDDEN}");
    let coding = ("Transfer-Encoding", "chunked");
    let server = Server::answering(OK);
    let host = in_front_of(&server);
    for (fields, body) in [
        // Where one side sees the end of a body, the other one must not see a request.
        (vec![("Content-Length", "5"), coding], "0\r\n\r\n"),
        (vec![coding, ("Content-Length", "400")], &chunked),
        (vec![("Transfer-Encoding", "xchunked")], &chunked),
        (vec![("Transfer-Encoding", "chunked, identity")], &chunked),
        (vec![("Transfer-Encoding", "gzip, chunked")], &chunked),
        (vec![coding, coding], &chunked),
        (
            vec![("Content-Length", "0"), ("Content-Length", "53")],
            HIDDEN,
        ),
        (vec![("Content-Length", "+0")], HIDDEN),
        (vec![("Content-Length", "0, 53")], HIDDEN),
        (vec![("Transfer-Encoding ", "chunked")], &chunked),
        (vec![("X", "a\n\nGET /hidden HTTP/1.1")], ""),
        (vec![("X", "a\r Transfer-Encoding: chunked")], &chunked),
    ] {
        let before = server.received().len();
        let mut client = client(&host);
        let last = head("GET /last", &[("Connection", "close")]);
        client.send((head("PUT /a", &fields) + body + &last).as_bytes());
        client.wait_until_closed();
        for received in &server.received()[before..] {
            let what = format!("{fields:?}: {received:?}");
            assert_eq!(received.head.matches("HTTP/1.1").count(), 1, "{what}");
            assert!(received.body.is_empty(), "{what}");
            let codings = received.field("transfer-encoding").len();
            let lengths = received.field("content-length");
            assert!(
                codings == 0 && (lengths.is_empty() || lengths == ["0"]),
                "{what}"
            );
        }
    }
}

#[test]
fn it_leads_to_no_other_server() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let elsewhere = other.local_addr().unwrap();
    let server = Server::answering(OK);
    let host = in_front_of(&server);
    let absolute = format!("GET http://{elsewhere}/x HTTP/1.1\r\nHost: {elsewhere}\r\n\r\n");
    assert_eq!(ask(&host, &absolute).status, 200);
    assert_eq!(server.first().line(), "GET /x HTTP/1.1");
    let connect = format!("CONNECT {elsewhere} HTTP/1.1\r\nHost: {elsewhere}\r\n\r\n");
    assert_eq!(ask(&host, &connect).status, 405);
    assert_eq!(ask(&host, &head("TRACE /", &[])).status, 405);
    let two = format!("GET http://{elsewhere}/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(ask(&host, &two).status, 400);
    assert!(other.accept().is_err(), "nobody came there");
    assert_eq!(server.received().len(), 1);
}

#[test]
fn a_server_that_is_down_is_said_to_be() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let host = in_front_of_url(&url);
    let answer = ask(&host, &head("GET /a", &[]));
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    host.wait_for("event=\"upstream-unavailable\"");
}

#[test]
fn what_is_no_answer_is_none() {
    for garbage in [
        "",
        "what is this\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ] {
        let server = Server::answering(garbage);
        let host = in_front_of(&server);
        let answer = ask(&host, &head("GET /a", &[]));
        assert_eq!(answer.status, 502, "{garbage}");
        assert!(answer.header("retry-after").is_some());
    }
}

#[test]
fn an_answer_that_breaks_off_is_not_whole() {
    for (answer, end) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
            "\r\n\r\n12345",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
            "5\r\n12345\r\n",
        ),
    ] {
        let server = Server::answering(answer);
        let host = in_front_of(&server);
        let mut client = client(&host);
        client.send(head("GET /a", &[]).as_bytes());
        let read = String::from_utf8(client.read_until_closed()).unwrap();
        // What was not sent yet when it broke off need not be sent.
        let head = read.starts_with("HTTP/1.1 200 OK\r\n");
        let is_cut = read.ends_with(end) || read.ends_with("\r\n\r\n");
        assert!(read.is_empty() || (head && is_cut), "{read}");
    }
}

#[test]
fn a_request_that_breaks_off_never_arrives_whole() {
    let server = Server::early(|mut received, connection| {
        received.read_body(connection);
        assert_eq!(received.body, b"12345");
        let _ = connection.write_all(OK.as_bytes());
    });
    let host = in_front_of(&server);
    let mut client = client(&host);
    let request = head("PUT /a", &[("Content-Length", "10")]) + "12345";
    client.send(request.as_bytes());
    assert_eq!(server.first().field("content-length"), ["10"]);
    drop(client);
}

/// RFC 9112 §6.1: such a request is read by its coding, and the connection ends with it.
#[test]
fn who_gives_a_length_beside_a_coding_is_listened_to_no_longer() {
    let server = Server::answering(OK);
    let host = in_front_of(&server);
    let (length, coding) = (("Content-Length", "5"), ("Transfer-Encoding", "chunked"));
    for fields in [[length, coding], [coding, length]] {
        let before = server.received().len();
        let mut client = client(&host);
        let next = head("GET /next", &[]);
        client.send((head("PUT /a", &fields) + "0\r\n\r\n" + &next).as_bytes());
        client.wait_until_closed();
        let received = server.received();
        let lines: Vec<&str> = received[before..].iter().map(Received::line).collect();
        assert_eq!(lines, ["PUT /a HTTP/1.1"], "{fields:?}");
    }
}

/// RFC 9110 §7.6.1: what the server is to see would be dropped on the way, and the request would be another one.
#[test]
fn what_connection_may_not_name_is_refused() {
    let server = Server::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let host = in_front_of(&server);
    for name in ["Authorization", "close, If-Match", "depth"] {
        let answer = ask(&host, &head("OPTIONS /", &[("Connection", name)]));
        assert_eq!(answer.status, 400, "{name}");
    }
    assert_eq!(server.received().len(), 0);
    let answer = ask(&host, &head("OPTIONS /", &[("Connection", "close, X-Hop")]));
    assert_eq!(answer.status, 204);
}
