use super::{ANNA, BO, CY, example_org};
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
    // Together with another one of the same size it is more than the half.
    let mut slow = begun(&host, 60_000);
    for n in 0.. {
        let large = format!("DESCRIPTION:{}\nSUMMARY", "x".repeat(60_000));
        let large = Post::invitation(&format!("new-{n}"), ANNA, &[BO]).edited("SUMMARY", &large);
        assert_eq!(host.post(&large).codes(), ["2.0"]);
        // Until the host has read all that the slow one sent.
        if host.log().contains("no-memory") {
            break;
        }
    }
    let answer = slow.answer();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
}

#[test]
fn a_submission_does_not_wait_for_slow_strangers() {
    let host = small();
    let _slow: Vec<Peer> = (0..8).map(|_| begun(&host, 60_000)).collect();
    let own = Post::invitation("own", BO, &[CY]);
    assert_eq!(host.submit(&own).codes(), ["2.0"]);
}

#[test]
fn an_answer_is_sent_as_far_as_there_is_room() {
    let host = example_org()
        .table("[limits]", "answer_memory = \"5 KiB\"")
        .start();
    let uid = format!("UID:{}", "x".repeat(400));
    let question = |to: &[&str]| Post::free_busy(ANNA, to).edited("UID:fb-1", &uid);
    let mut codes = host.post(&question(&[BO, CY])).codes();
    codes.sort();
    assert_eq!(codes, ["2.0", "5.1"]);
    host.wait_for("no-memory");
    for _ in 0..5 {
        assert_eq!(
            host.post(&question(&[CY])).codes(),
            ["2.0"],
            "it is given back"
        );
    }
}
