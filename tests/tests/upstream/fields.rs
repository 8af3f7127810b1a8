//! Header fields: what stays on a connection, what nobody may claim, what leads where.

use super::{ask, head, in_front_of, in_front_of_url, server::Server};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn nobody_claims_to_be_somebody_else() {
    let server = Server::answering(OK);
    let host = in_front_of(&server);
    let forged = [
        ("X-Remote-User", "bo"),
        ("X_Remote_User", "bo"),
        ("Remote-User", "bo"),
        ("REMOTE_USER", "bo"),
        ("X-Remote-Addr", "192.0.2.9"),
        ("X-Forwarded-For", "192.0.2.9"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-User", "bo"),
        ("X-Forwarded-Port", "1"),
        ("X-Script-Name", "/evil"),
        ("X-Real-IP", "192.0.2.9"),
        ("Forwarded", "for=192.0.2.9"),
        ("Proxy", "http://evil.example"),
        ("Via", "1.1 evil"),
        ("Connection", "X-Hop, keep-alive"),
        ("X-Hop", "1"),
        ("Keep-Alive", "300"),
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("Proxy-Authorization", "Basic YTpi"),
        ("Depth", "0"),
    ];
    assert_eq!(ask(&host, &head("PROPFIND /", &forged)).status, 200);
    let received = server.first();
    let expected = [
        "depth",
        "host",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
    ];
    assert_eq!(received.names(), expected);
    for (name, value) in [
        ("host", "localhost"),
        ("via", "1.1 convoke"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "localhost"),
        ("x-forwarded-proto", "https"),
    ] {
        assert_eq!(received.field(name), [value], "{name}");
    }
}

#[test]
fn an_answer_says_nothing_of_the_connection_behind() {
    let server = Server::answering(
        "HTTP/1.1 401 Unauthorized\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\n\
         WWW-Authenticate: Digest realm=\"a\", nonce=\"n\"\r\nWWW-Authenticate: Basic realm=\"a\"\r\nContent-Length: 0\r\n\r\n",
    );
    let host = in_front_of(&server);
    let answer = ask(&host, &head("GET /", &[]));
    let names = answer.headers.iter().map(|(name, _)| name.as_str());
    let mut names: Vec<&str> = names.filter(|it| *it != "date").collect();
    names.sort_unstable();
    let expected = ["content-length", "www-authenticate", "www-authenticate"];
    assert_eq!(names, expected);
    let challenges = answer.header("www-authenticate").unwrap();
    assert_eq!(
        challenges,
        "Digest realm=\"a\", nonce=\"n\", Basic realm=\"a\""
    );
}

#[test]
fn a_move_goes_where_its_client_means() {
    let server = Server::answering("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    let host = in_front_of(&server);
    let own = format!("http://{}/b%20c.ics", server.address());
    let here = Some("https://localhost/b%20c.ics");
    for (destination, expected) in [
        ("https://localhost/b%20c.ics", here),
        ("http://LOCALHOST/b%20c.ics", here),
        (&*own, here),
        ("/b%20c.ics", Some("/b%20c.ics")),
        ("https://elsewhere.example/b.ics", None),
        ("//elsewhere.example/b.ics", None),
        ("https://localhost@elsewhere.example/b.ics", None),
        ("b.ics", None),
    ] {
        let before = server.received().len();
        let answer = ask(&host, &head("MOVE /a.ics", &[("Destination", destination)]));
        let received = server.received();
        let Some(expected) = expected else {
            assert_eq!(answer.status, 502, "{destination}");
            assert_eq!(received.len(), before);
            continue;
        };
        assert_eq!(answer.status, 201, "{destination}");
        let last = received.last().unwrap();
        assert_eq!(last.field("destination"), [expected]);
    }
}

#[test]
fn a_redirect_leads_back_through_the_listener() {
    for (location, expected) in [
        ("http://SERVER/x/?a", "https://localhost/x/?a"),
        ("http://localhost/x/", "https://localhost/x/"),
        ("/x/", "/x/"),
        (
            "https://elsewhere.example/x/",
            "https://elsewhere.example/x/",
        ),
    ] {
        let server = Server::new(move |received, connection| {
            let own = received.field("x-own")[0].to_owned();
            let location = location.replace("SERVER", &own);
            let answer =
                format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            connection.write_all(answer.as_bytes()).unwrap();
        });
        let host = in_front_of(&server);
        let own = server.address().to_string();
        let answer = ask(&host, &head("GET /x", &[("X-Own", &own)]));
        assert_eq!(answer.status, 302);
        assert_eq!(answer.header("location").as_deref(), Some(expected));
    }
}

#[test]
fn the_well_known_address_works_whether_the_server_knows_it_or_not() {
    let asked = head("PROPFIND /.well-known/caldav", &[]);
    for (answer, expected) in [
        (
            "HTTP/1.1 301 Moved Permanently\r\nLocation: /dav/\r\nContent-Length: 0\r\n\r\n",
            "/dav/",
        ),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "/"),
    ] {
        let host = in_front_of(&Server::answering(answer));
        let answer = ask(&host, &asked);
        assert_eq!(answer.status, 301);
        assert_eq!(answer.header("location").as_deref(), Some(expected));
    }
}

#[test]
fn only_what_the_url_of_the_server_names_is_reached() {
    let server = Server::answering(OK);
    let host = in_front_of_url(&format!("{}/dav.php/", server.url()));
    let answer = ask(&host, &head("PROPFIND /.well-known/caldav", &[]));
    assert_eq!(answer.status, 301);
    assert_eq!(answer.header("location").as_deref(), Some("/dav.php/"));
    for (path, status) in [
        ("/dav.php/a", 200),
        ("/dav.php", 200),
        ("/dav.phpx", 404),
        ("/admin", 404),
        ("/dav.php/../admin", 400),
        ("/dav.php/%2e%2e/admin", 400),
        ("/dav.php/..%2fadmin", 400),
    ] {
        let answer = ask(&host, &head(&format!("GET {path}"), &[]));
        assert_eq!(answer.status, status, "{path}");
    }
    let fields = [("Destination", "/admin/x")];
    assert_eq!(ask(&host, &head("MOVE /dav.php/a", &fields)).status, 403);
    assert_eq!(server.received().len(), 2);
}
