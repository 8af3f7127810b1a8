use super::{
    ANNA, BO, CY, example_org,
    identity::{exchange, signed},
};
use convoke_tests::{Answer, Post};

/// 429, and when to come back.
fn is_turned_away(answer: &Answer, seconds: std::ops::RangeInclusive<u64>) {
    assert_eq!(answer.status, 429, "{answer:?}");
    let wait = answer.header("retry-after").expect("it says how long");
    assert!(seconds.contains(&wait.parse().unwrap()), "{wait}");
    assert!(answer.body.contains("more often"), "{}", answer.body);
}

#[test]
fn an_address_comes_only_so_often() {
    let host = example_org()
        .table("[limits]", "requests_per_address = \"3/h\"")
        .start();
    let get = b"GET /.well-known/ischedule?action=capabilities HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut peer = host.connect();
    for _ in 0..3 {
        assert_eq!(peer.ask(get).status, 200);
    }
    // The connection stays usable, and another one does not help.
    is_turned_away(&peer.ask(get), 1100..=1200);
    is_turned_away(
        &peer.ask(&Post::free_busy(ANNA, &[BO]).to_bytes()),
        1100..=1200,
    );
    is_turned_away(&host.post(&Post::free_busy(ANNA, &[BO])), 1100..=1200);
}

#[test]
fn a_domain_comes_only_so_often_from_wherever() {
    let host = example_org()
        .table("[limits]", "requests_per_domain = \"2/h\"")
        .client_certificates()
        .start();
    let [com, net] = ["example.com", "example.net"].map(|domain| host.authority().issue(&[domain]));
    let ask = |client, from| {
        let post = Post::free_busy(from, &[BO]);
        host.connect_as(client).ask(&post.to_bytes())
    };
    for _ in 0..2 {
        assert_eq!(ask(&com, ANNA).codes(), ["2.0"]);
    }
    is_turned_away(&ask(&com, ANNA), 1700..=1800);
    assert_eq!(ask(&net, "dan@example.net").codes(), ["2.0"]);
}

/// Spec §9: counted is what was proven, folded to what can be registered; without any proof, where it comes from.
#[test]
fn sub_domains_are_counted_as_one() {
    let free_busy = "[{ allow = \"freebusy\", rate = \"2/h\" }]";
    for (limits, rules) in [
        ("requests_per_domain = \"2/h\"", "[{ allow = \"any\" }]"),
        ("requests_per_domain = \"off\"", free_busy),
    ] {
        let host = example_org()
            .table("[limits]", limits)
            .rules(rules)
            .client_certificates()
            .table(
                "[verification]",
                "required = false\nprivate_exchange = \"keys\"",
            )
            .start();
        let taken = |answer: &Answer| answer.status == 200 && answer.codes() == ["2.0"];
        let names: Vec<String> = (0..10).map(|n| format!("s{n}.example.com")).collect();
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let many = host.authority().issue(&all);
        let mut came = Vec::new();
        for name in &names {
            let post = Post::free_busy(&format!("anna@{name}"), &[BO]);
            let one = host.authority().issue(&[name]);
            for client in [&many, &one] {
                came.push(taken(&host.connect_as(client).ask(&post.to_bytes())));
            }
            let signer = exchange(&host, name);
            came.push(taken(&host.post(&signed(&signer, post))));
        }
        assert_eq!(came.iter().filter(|taken| **taken).count(), 2, "{limits}");
        assert!(came[0] && came[1], "{limits}");

        // Strangers to each other below a public suffix are counted apart.
        for name in ["anna.github.io", "bert.github.io", "example.co.uk"] {
            let post = Post::free_busy(&format!("x@{name}"), &[BO]);
            let signer = exchange(&host, name);
            assert!(taken(&host.post(&signed(&signer, post))), "{name}");
        }
        // Whoever proves nothing may name any Originator.
        let unproven = |n: u8| Post::free_busy(&format!("x@d{n}.example"), &[BO]);
        let came = (0..10).filter(|n| taken(&host.post(&unproven(*n))));
        assert_eq!(came.count(), 2, "{limits}");
    }
}

#[test]
fn a_rule_allows_only_so_often() {
    let host = example_org()
        .client_certificates()
        .rules("[{ allow = \"freebusy\", rate = \"3/h\" }, { allow = \"any\" }]")
        .start();
    let [com, net] = ["example.com", "example.net"].map(|domain| host.authority().issue(&[domain]));
    let ask = |client, post: Post| host.connect_as(client).ask(&post.to_bytes()).codes();
    let both = || Post::free_busy(ANNA, &[BO, CY]);
    assert_eq!(ask(&com, both()), ["2.0", "2.0"]);
    let codes = ask(&com, both());
    assert_eq!(codes, ["2.0", "5.1"], "the third recipient is the last");
    // Of another domain, or by another rule.
    let other = Post::free_busy("dan@example.net", &[BO]);
    assert_eq!(ask(&net, other), ["2.0"]);
    let invitation = Post::invitation("paced", ANNA, &[BO]);
    assert_eq!(ask(&com, invitation), ["2.0"]);
}

#[test]
fn a_rule_gives_each_sender_a_quota_for_each_recipient() {
    let host = example_org()
        .rules("[{ allow = \"schedule\", quota = \"2/day\" }, { allow = \"any\" }]")
        .start();
    let invite = |number: u32, from: &str, to: &[&str]| {
        host.post(&Post::invitation(&format!("quota-{number}"), from, to))
    };
    assert_eq!(invite(1, ANNA, &[BO]).codes(), ["2.0"]);
    assert_eq!(invite(2, ANNA, &[BO, CY]).codes(), ["2.0", "2.0"]);
    let answer = invite(3, "Anna@example.com", &[BO, CY]);
    assert_eq!(answer.codes(), ["5.1", "2.0"], "in any case of letters");
    assert!(answer.body.contains("quota of this sender"), "{answer:?}");
    assert_eq!(host.stored(BO, "quota-3"), None);
    // Somebody else of the same domain, and another rule.
    assert_eq!(invite(4, "dan@example.com", &[BO]).codes(), ["2.0"]);
    assert_eq!(host.post(&Post::free_busy(ANNA, &[BO])).codes(), ["2.0"]);
}

#[test]
fn a_pace_goes_on_over_a_reload_and_can_be_lifted() {
    let post = Post::free_busy(ANNA, &[BO]);
    for (limits, status) in [
        ("requests_per_address = \"1/d\"\nrecipients = 9", 429),
        ("requests_per_address = \"off\"", 200),
    ] {
        let mut host = example_org()
            .table("[limits]", "requests_per_address = \"1/d\"")
            .start();
        assert_eq!(host.post(&post).status, 200);
        host.configure(|setup| setup.table("[limits]", limits));
        host.signal("HUP");
        host.wait_for("config-reloaded");
        assert_eq!(host.post(&post).status, status, "{limits}");
    }
}
