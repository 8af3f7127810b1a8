//! Guesses at passwords.

use super::{ask, head, in_front_of, server::Server};
use base64::{Engine, engine::general_purpose::STANDARD};

#[test]
fn guesses_are_slowed_and_told_and_no_password_is_in_the_log() {
    const IN: &[u8] = b"HTTP/1.1 207 Multi-Status\r\nContent-Length: 0\r\n\r\n";
    const OUT: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"theirs\"\r\nContent-Length: 0\r\n\r\n";
    let right = format!("Basic {}", STANDARD.encode("u1:right-password"));
    let known = right.clone();
    let server = Server::new(move |received, connection| {
        let is_right = received.field("authorization") == [&*known];
        connection
            .write_all(if is_right { IN } else { OUT })
            .unwrap();
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
