use super::{ANNA, BO, example_org};
use convoke_tests::{Host, Peer, Post};

/// 256 KiB for everybody, half of it for one address.
fn small() -> Host {
    example_org()
        .table(
            "[limits]",
            "content_length = \"64 KiB\"\nheader_size = \"16 KiB\"\nbody_memory = \"256 KiB\"",
        )
        .start()
}

fn invitation(uid: &str) -> Post {
    let text = format!("DESCRIPTION:{}\nSUMMARY", "x".repeat(40_000));
    Post::invitation(uid, ANNA, &[BO]).edited("SUMMARY", &text)
}

/// Announces 64 KiB and sends some of it.
fn begun(host: &Host, sent: usize) -> Peer {
    let mut peer = host.connect();
    let head = invitation("slow").also("Content-Length", "65536").head();
    peer.send(&[head.as_bytes(), &vec![b'x'; sent]].concat());
    peer
}

#[test]
fn what_is_announced_takes_nothing() {
    let host = small();
    let _announced: Vec<Peer> = (0..20).map(|_| begun(&host, 0)).collect();
    assert_eq!(host.post(&invitation("announced")).codes(), ["2.0"]);
}

#[test]
fn slow_bodies_lose_to_new_ones() {
    let host = small();
    let mut slow: Vec<Peer> = (0..8).map(|_| begun(&host, 60_000)).collect();
    for n in 0..3 {
        let answer = host.post(&invitation(&format!("new-{n}")));
        assert_eq!(answer.codes(), ["2.0"]);
    }
    let answer = slow[0].answer();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
}

#[test]
fn a_submission_does_not_wait_for_slow_strangers() {
    let host = small();
    let _slow: Vec<Peer> = (0..8).map(|_| begun(&host, 60_000)).collect();
    let own = Post::invitation("own", BO, &["cy@example.org"]);
    assert_eq!(host.submit(&own).codes(), ["2.0"]);
}
