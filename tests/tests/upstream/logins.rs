//! Guesses at passwords.

use super::{ask, client, head, in_front_of, server::Server};
use base64::{Engine, engine::general_purpose::STANDARD};
use convoke_tests::Peer;
use std::{
    thread,
    time::{Duration, Instant},
};

#[test]
fn guesses_are_slowed_and_told_and_no_password_is_in_the_log() {
    const OUT: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"theirs\"\r\nContent-Length: 0\r\n\r\n";
    let right = format!("Basic {}", STANDARD.encode("u1:right-password"));
    let known = right.clone();
    let server = Server::new(move |received, connection| {
        let is_right = received.field("authorization") == [&*known];
        let answer = if is_right { &*known_as("/u1/") } else { OUT };
        connection.write_all(answer).unwrap();
    });
    let host = in_front_of(&server);
    let log_in = |credentials: &str| {
        let fields = [("Authorization", credentials)];
        ask(&host, &head("PROPFIND /", &fields))
    };
    assert_eq!(log_in(&right).status, 207);
    let mut statuses = Vec::new();
    for n in 0..8 {
        let guess = format!("Basic {}", STANDARD.encode(format!("u2:guess-{n}")));
        let answer = log_in(&guess);
        if answer.status == 401 {
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge.as_deref(), Some("Basic realm=\"theirs\""));
        } else {
            assert!(answer.header("retry-after").is_some());
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses[..5], [401; 5]);
    // On a slow machine the wait may be over already when the next guess comes; each wait is longer.
    assert!(statuses[5..].iter().all(|it| [401, 429].contains(it)));
    let again = log_in(&right);
    assert_eq!(again.status, 207, "who is known is not held up by others");
    host.wait_for("event=\"login-failed\"");
    let log = host.log();
    assert!(log.contains("u2"), "{log}");
    for secret in ["right-password", "guess-", &right] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

/// A program that has an outdated password asks again and again, and its user has the right one elsewhere.
#[test]
fn an_outdated_password_locks_nobody_out() {
    const OUT: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"theirs\"\r\nContent-Length: 0\r\n\r\n";
    let credentials = |password: &str| {
        let pair = format!("u1:{password}");
        format!("Basic {}", STANDARD.encode(pair))
    };
    let known = credentials("right");
    let server = Server::new(move |received, connection| {
        let is_right = received.field("authorization") == [&*known];
        let answer = if is_right { &*known_as("/u1/") } else { OUT };
        connection.write_all(answer).unwrap();
    });
    let host = in_front_of(&server);
    let log_in = |password: &str| {
        let credentials = credentials(password);
        let fields = [("Authorization", &*credentials)];
        ask(&host, &head("PROPFIND /", &fields)).status
    };
    for _ in 0..2 {
        for _ in 0..8 {
            assert_eq!(log_in("old"), 401);
        }
        assert_eq!(log_in("right"), 207);
    }
    // Before the user was known, and after.
    host.wait_for("event=\"login-failed\"");
    let told = host.log().matches("event=\"login-failed\"").count();
    assert!(told <= 2, "{told}");
}

/// A slow server is asked about wrong log-ins for as long as it takes, and those whom it knows do not wait for that.
#[test]
fn strangers_leave_places_to_those_who_are_known() {
    let right = format!("Basic {}", STANDARD.encode("u1:right"));
    let known = right.clone();
    let server = Server::new(move |received, connection| {
        if received.field("authorization") == [&*known] {
            connection.write_all(&known_as("/u1/")).unwrap();
        } else {
            // Until the other side has gone.
            let _ = connection.read(&mut [0]);
        }
    });
    let host = in_front_of(&server);
    let log_in = |credentials: &str| head("PROPFIND /", &[("Authorization", credentials)]);
    assert_eq!(ask(&host, &log_in(&right)).status, 207);
    // Some name the one who is known, and come from there as well.
    let strangers = (0..160).map(|n| {
        let pair = format!("u{}:wrong-{n}", n % 2);
        let mut stranger = client(&host);
        let wrong = format!("Basic {}", STANDARD.encode(pair));
        stranger.send(log_in(&wrong).as_bytes());
        stranger
    });
    let strangers: Vec<Peer> = strangers.collect();
    // Of unproved log-ins an address has so many places: those of a name that is known there, and others.
    let wrong = || {
        let asked = server.received();
        let wrong = asked.iter().map(|it| it.field("authorization"));
        wrong.filter(|it| *it != [&*right]).count()
    };
    let begun = Instant::now();
    while wrong() < 2 * 48 && begun.elapsed() < Duration::from_secs(60) {
        thread::yield_now();
    }
    assert_eq!(ask(&host, &log_in(&right)).status, 207);
    assert_eq!(wrong(), 2 * 48);
    drop(strangers);
}

/// What a server says of who is logged in.
fn known_as(principal: &str) -> Vec<u8> {
    let told = format!(
        "<multistatus xmlns=\"DAV:\"><response><href>/</href><propstat><prop><current-user-principal><href>{principal}</href>\
         </current-user-principal></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"
    );
    let length = told.len();
    format!(
        "HTTP/1.1 207 Multi-Status\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\n\r\n{told}"
    )
    .into_bytes()
}

/// Servers read passwords that we cannot, and who guesses in that way would not be counted.
#[test]
fn a_password_that_cannot_be_read_reaches_nobody() {
    let server = Server::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let host = in_front_of(&server);
    let right = STANDARD.encode("u1:guess");
    for credentials in [
        format!("Basic{right}"),
        format!("Basic {right}."),
        format!("Basic {}", right.trim_end_matches('=')),
        "Basic".to_owned(),
    ] {
        let answer = ask(
            &host,
            &head("OPTIONS /", &[("Authorization", &credentials)]),
        );
        assert_eq!(answer.status, 400, "{credentials}");
    }
    let both = [
        ("Authorization", "Basic dTE6YQ=="),
        ("Authorization", "Basic dTI6YQ=="),
    ];
    assert_eq!(ask(&host, &head("OPTIONS /", &both)).status, 400);
    assert_eq!(server.received().len(), 0);
}

/// The server is asked who somebody is with credentials that it did not have to look at before: they are counted all the same.
#[test]
fn guesses_are_counted_where_the_server_wants_no_password() {
    const OUT: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"theirs\"\r\nContent-Length: 0\r\n\r\n";
    const ANYBODY: &[u8] =
        b"HTTP/1.1 200 OK\r\nDAV: 1, calendar-access\r\nContent-Length: 0\r\n\r\n";
    let server = Server::new(|received, connection| {
        let is_options = received.line().starts_with("OPTIONS");
        let answer = if is_options { ANYBODY } else { OUT };
        connection.write_all(answer).unwrap();
    });
    let host = in_front_of(&server);
    let statuses: Vec<u16> = (0..8)
        .map(|n| {
            let guess = format!("Basic {}", STANDARD.encode(format!("u1:guess-{n}")));
            let answer = ask(&host, &head("OPTIONS /", &[("Authorization", &guess)]));
            let classes = answer.header("dav").unwrap_or_default();
            assert!(!classes.contains("auto-schedule"), "{classes}");
            answer.status
        })
        .collect();
    assert_eq!(statuses[..5], [200; 5]);
    host.wait_for("event=\"login-failed\"");
    assert!(statuses.contains(&429), "{statuses:?}");
}

/// What everybody may read proves nothing about a password.
#[test]
fn a_public_calendar_makes_no_password_right() {
    let server = Server::new(|received, connection| {
        let body = String::from_utf8_lossy(&received.body).into_owned();
        let principal = if body.contains("current-user-principal") {
            ""
        } else {
            "/public/"
        };
        connection.write_all(&known_as(principal)).unwrap();
    });
    let host = in_front_of(&server);
    let fields = [("Authorization", "Basic dTE6d3Jvbmc=")];
    for _ in 0..2 {
        assert_eq!(ask(&host, &head("PROPFIND /public/", &fields)).status, 207);
    }
    let asked = server.received();
    let asked = asked
        .iter()
        .filter(|it| it.line().starts_with("PROPFIND / "));
    assert_eq!(
        asked.count(),
        2,
        "it is asked each time, as it was not right"
    );
}
