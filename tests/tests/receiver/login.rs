use super::{BO, CY, example_org};
use convoke_tests::{Answer, Host, Peer, Post};

/// `user:password` in Base64, as a client sends it.
fn basic(login: &str, password: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    format!("Basic {}", STANDARD.encode(format!("{login}:{password}")))
}

fn submit(host: &Host, authorization: &str) -> Answer {
    let post = Post::invitation("login", BO, &[CY]).with("Authorization", authorization);
    Peer::plain(host.address("submission")).ask(&post.to_bytes())
}

fn with_bo() -> Host {
    let hash = bcrypt::hash("right", 4).expect("a cost that bcrypt has");
    example_org().logins(&format!("bo:{hash}\n")).start()
}

#[test]
fn failures_are_told_and_slowed() {
    let host = with_bo();
    assert_eq!(submit(&host, &basic("bo", "right")).codes(), ["2.0"]);
    let forged = "x\n event=\"login-failed\" address=192.0.2.1";
    let mut last = None;
    // More than are free, as a slow machine may let a wait end between two.
    let logins = [forged, "bo", "nobody"].into_iter().cycle();
    for (n, login) in logins.enumerate().take(30) {
        let answer = submit(&host, &basic(login, &format!("wrong-{n}")));
        if answer.status == 429 {
            last = Some(answer);
            break;
        }
        assert_eq!(answer.status, 401);
    }
    let wait = last.expect("it is enough in the end").header("retry-after");
    assert!(wait.expect("it says how long").parse::<u64>().unwrap() >= 1);
    let log = host.log();
    let failed: Vec<&str> = log
        .lines()
        .filter(|it| it.contains("event=\"login-failed\""))
        .collect();
    assert!(failed.len() >= 5, "{log}");
    assert!(
        failed.iter().all(|it| it.contains("address=127.0.0.1")),
        "{log}"
    );
    assert!(
        !log.contains("event=\"login-failed\" address=192.0.2.1"),
        "{log}"
    );
    // Who came in from there before still does, and so does who knows the token.
    assert_eq!(submit(&host, &basic("bo", "right")).codes(), ["2.0"]);
    assert_eq!(
        host.submit(&Post::invitation("token", BO, &[CY])).codes(),
        ["2.0"]
    );
}

#[test]
fn nobody_is_refused_for_having_said_nothing() {
    let host = with_bo();
    for _ in 0..20 {
        assert_eq!(submit(&host, "").status, 401);
    }
    assert_eq!(submit(&host, &basic("bo", "right")).codes(), ["2.0"]);
    assert!(!host.log().contains("login-failed"), "{}", host.log());
}
