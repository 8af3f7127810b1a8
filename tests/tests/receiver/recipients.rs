use super::{ANNA, BO, CY, example_org};
use convoke_tests::Post;

#[test]
fn each_recipient_has_its_status_in_the_order_of_the_request() {
    let host = example_org()
        .rules("[{ deny = \"any\", to = \"*@private.example.org\" }, { allow = \"any\" }]")
        .start();
    let to = ["nobody@example.org", CY, "dee@elsewhere.example", BO];
    let answer = host.post(&Post::invitation("order", ANNA, &to));
    let statuses = answer.statuses();
    let named: Vec<_> = statuses
        .iter()
        .map(|it| it.recipient.strip_prefix("mailto:").unwrap())
        .collect();
    assert_eq!(named, to);
    assert_eq!(answer.codes(), ["3.7", "2.0", "3.7", "2.0"]);
    assert!(
        statuses.iter().all(|it| !it.status.contains("; ")),
        "as deployed peers write it: {statuses:?}"
    );
    for user in [BO, CY] {
        let stored = host.stored(user, "order").unwrap();
        assert!(
            stored.contains("SUMMARY:Meeting") && !stored.contains("METHOD"),
            "{stored}"
        );
    }
}

#[test]
fn recipient_fields_come_in_every_form() {
    let host = example_org().start();
    let post = || Post::invitation("forms", ANNA, &[BO, CY]);
    for (what, post, expected) in [
        (
            "one a field",
            post(),
            vec!["mailto:bo@example.org", "mailto:cy@example.org"],
        ),
        (
            "all in one",
            post().with("Recipient", "mailto:cy@example.org,mailto:bo@example.org"),
            vec!["mailto:cy@example.org", "mailto:bo@example.org"],
        ),
        (
            "with spaces and gaps",
            post().with(
                "Recipient",
                " mailto:bo@example.org ,, \tmailto:cy@example.org,",
            ),
            vec!["mailto:bo@example.org", "mailto:cy@example.org"],
        ),
        (
            "both ways",
            post()
                .with("Recipient", "mailto:bo@example.org")
                .also("recipient", "mailto:cy@example.org"),
            vec!["mailto:bo@example.org", "mailto:cy@example.org"],
        ),
        (
            "as they were sent",
            post().with("Recipient", "bo@EXAMPLE.org, MAILTO:Cy@example.org"),
            vec!["bo@EXAMPLE.org", "MAILTO:Cy@example.org"],
        ),
        (
            "twice",
            post().with(
                "Recipient",
                "mailto:bo@example.org, mailto:cy@example.org, MAILTO:bo@EXAMPLE.ORG, bo@example.org",
            ),
            vec!["mailto:bo@example.org", "mailto:cy@example.org"],
        ),
    ] {
        let answer = host.post(&post);
        let statuses = answer.statuses();
        let named: Vec<_> = statuses.iter().map(|it| it.recipient.as_str()).collect();
        assert_eq!(named, expected, "{what}");
        assert!(
            answer.codes().iter().all(|code| code == "2.0"),
            "{what}: {statuses:?}"
        );
    }
}

#[test]
fn two_hundred_and_fifty_recipient_fields_pass() {
    let host = example_org().start();
    let to: Vec<String> = (0..250)
        .map(|n| format!("somebody.with.a.long.name.{n}@example.org"))
        .collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let answer = host.post(&Post::invitation("many", ANNA, &to));
    assert_eq!(answer.statuses().len(), 250);
    let one_more: Vec<&str> = to.iter().copied().chain([BO]).collect();
    let answer = host.post(&Post::invitation("many", ANNA, &one_more));
    assert_eq!(
        (answer.status, answer.error().as_deref()),
        (400, Some("max-recipients"))
    );
}

/// Spec §9: policy is asked before a store is.
#[test]
fn a_peer_without_authority_does_not_learn_who_exists() {
    let host = example_org()
        .rules("[{ allow = \"freebusy\", from = \"*@friend.example\" }, { deny = \"any\", from = \"*\" }]")
        .start();
    let to = [BO, "nobody@example.org"];
    let answer = host.post(&Post::free_busy(ANNA, &to));
    assert_eq!(answer.codes(), ["3.8", "3.8"]);
    let statuses = answer.statuses();
    assert_eq!(statuses[0].status, statuses[1].status);
    assert_eq!(
        host.post(&Post::free_busy("pat@friend.example", &to))
            .codes(),
        ["2.0", "3.7"]
    );
    let invitation = Post::invitation("denied", "pat@friend.example", &to);
    assert_eq!(host.post(&invitation).codes(), ["3.8", "3.8"]);
    assert_eq!(host.stored(BO, "denied"), None);
}

#[test]
fn nobody_is_allowed_where_no_rule_says_so() {
    let host = example_org().rules("[]").start();
    assert_eq!(host.post(&Post::free_busy(ANNA, &[BO])).codes(), ["3.8"]);
}

#[test]
fn free_busy_tells_when_and_not_what() {
    let host = example_org()
        .rules("[{ allow = \"freebusy\", from = \"*@nosy.example\", detail = \"busy\" }, { allow = \"any\" }]")
        .start();
    host.post(&Post::invitation("secret", ANNA, &[BO]));
    let tentative = Post::invitation("maybe", ANNA, &[BO])
        .edited("SUMMARY", "STATUS:TENTATIVE\nSUMMARY")
        .edited("20270105T1", "20270106T1");
    assert_eq!(host.post(&tentative).codes(), ["2.0"]);

    let data = |from: &str| {
        let answer = host.post(&Post::free_busy(from, &[BO]));
        assert_eq!(answer.codes(), ["2.0"]);
        answer.statuses()[0]
            .data
            .clone()
            .unwrap()
            .replace("\r\n ", "")
    };
    let full = data(ANNA);
    for expected in [
        "METHOD:REPLY",
        "UID:fb-1",
        "ATTENDEE:mailto:bo@example.org",
        "ORGANIZER:mailto:anna@example.com",
        "20270105T100000Z/20270105T110000Z",
        "FBTYPE=BUSY-TENTATIVE:20270106T100000Z/20270106T110000Z",
    ] {
        assert!(full.contains(expected), "{expected} is not in {full}");
    }
    assert!(
        !full.contains("Meeting") && !full.contains("secret"),
        "{full}"
    );
    let nosy = data("pat@nosy.example");
    assert!(
        nosy.contains("20270106T100000Z/20270106T110000Z") && !nosy.contains("TENTATIVE"),
        "{nosy}"
    );
    let cy = host.post(&Post::free_busy(ANNA, &[CY]));
    assert!(
        !cy.statuses()[0].data.clone().unwrap().contains("FREEBUSY;"),
        "nobody's time but Cy's"
    );
}

#[test]
fn a_cancellation_of_something_unknown_is_done_already_and_a_reply_to_it_is_lost() {
    let host = example_org().start();
    assert_eq!(
        host.post(&Post::cancellation("unknown", ANNA, &[BO]))
            .codes(),
        ["2.0"]
    );
    let reply = host.post(&Post::reply("unknown", ANNA, BO, "ACCEPTED"));
    assert!(!reply.codes()[0].starts_with('2'), "{reply:?}");
    assert_eq!(host.stored(BO, "unknown"), None);
}
