use super::*;
use proptest::prelude::*;

async fn open(rules: &str) -> Result<Rules> {
    let config = toml::from_str(&format!("rules = [{rules}]"))
        .map_err(|error| Error::invalid(error.to_string()))?;
    Rules::open(config, Host::for_tests_without_index("/")).await
}

fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).unwrap()
}

/// `REQUEST VFREEBUSY anna@example.com bo@example.org` and what was proved: `dkim:example.com`,
/// `mtls:…`, `submission:anna@example.com`.
fn request(text: &str) -> AccessRequest {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [method, component, from, to, proofs @ ..] = &words[..] else {
        panic!("{text} is no request");
    };
    let mut request = AccessRequest::new(method, component, address(from), address(to));
    request.proofs = proofs
        .iter()
        .map(|proof| match proof.split_once(':').unwrap() {
            ("dkim", domain) => Proof::Dkim(Domain::new(domain).unwrap()),
            ("mtls", domain) => Proof::Mtls(Domain::new(domain).unwrap()),
            ("url", user) => Proof::Url(address(user)),
            ("mail", user) => Proof::Mail(address(user), MailProof::Dmarc),
            (_, user) => Proof::Submission(address(user)),
        })
        .collect();
    request
}

async fn decide(rules: &str, asked: &str) -> String {
    let rules = open(rules).await.unwrap();
    match rules
        .authorize(&request(asked), &Call::default())
        .await
        .unwrap()
    {
        Decision::Allow(grant) if grant.detail == Detail::Busy => "allow busy".to_owned(),
        Decision::Allow(Grant {
            rate: Some(limit), ..
        }) => {
            format!("allow {} of rule {}", limit.rate, limit.bucket)
        }
        Decision::Allow(Grant {
            quota: Some(limit), ..
        }) => {
            format!("allow {} each of rule {}", limit.rate, limit.bucket)
        }
        Decision::Allow(_) => "allow".to_owned(),
        Decision::Deny(reason) => reason,
        Decision::Abstain => "abstain".to_owned(),
        Decision::Hold => "hold".to_owned(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn what_leaves_is_denied_by_rules_about_sending_alone() {
    let mut receiver = Receiver::new(ReceiverUrl::new("https://cal.example.com/").unwrap());
    for (rules, dnssec, denied) in [
        (r#"{ deny = "any" }"#, None, false),
        (r#"{ deny = "send" }"#, None, true),
        (r#"{ deny = "send", to = "*@example.com" }"#, None, true),
        (r#"{ deny = "send", to = "*@example.net" }"#, None, false),
        (r#"{ deny = "send", dnssec = "none" }"#, None, true),
        (
            r#"{ deny = "send", dnssec = "none" }"#,
            Some(Dnssec::Insecure),
            false,
        ),
        (
            r#"{ deny = "send", dnssec = ["none", "insecure"] }"#,
            Some(Dnssec::Insecure),
            true,
        ),
        (
            r#"{ deny = "send", dnssec = ["none", "insecure"] }"#,
            Some(Dnssec::Secure),
            false,
        ),
    ] {
        receiver.dnssec = dnssec;
        let asked = request("REQUEST VEVENT bo@example.org anna@example.com");
        let rules_read = open(rules).await.unwrap();
        let decision = rules_read
            .authorize(&asked.to_receiver(&receiver), &Call::default())
            .await;
        let is_denied = matches!(decision, Ok(Decision::Deny(_)));
        assert_eq!(is_denied, denied, "{rules} {dnssec:?}");
    }
    for (rule, problem) in [
        (r#"{ allow = "send" }"#, "nothing forbids"),
        (
            r#"{ deny = "any", dnssec = "none" }"#,
            "goes with `deny = \"send\"`",
        ),
    ] {
        let error = open(rule).await.unwrap_err();
        assert!(error.message().contains(problem), "{error}");
    }
}

#[tokio::test]
async fn a_rule_says_what_becomes_of_uninvited_answers() {
    for (rule, expected) in [
        (r#"{ allow = "any" }"#, None),
        (
            r#"{ allow = "schedule", from = "*@example.com", uninvited = "accept" }"#,
            Some(Uninvited::Accept),
        ),
        (
            r#"{ allow = "schedule", uninvited = "refuse" }"#,
            Some(Uninvited::Refuse),
        ),
    ] {
        let rules = open(rule).await.unwrap();
        let asked = request("REPLY VEVENT anna@example.com bo@example.org");
        let Decision::Allow(grant) = rules.authorize(&asked, &Call::default()).await.unwrap()
        else {
            panic!("{rule} does not allow it");
        };
        assert_eq!(grant.uninvited, expected, "{rule}");
    }
    for wrong in [
        r#"{ deny = "any", uninvited = "accept" }"#,
        r#"{ allow = "any", uninvited = "maybe" }"#,
        r#"{ allow = "any", uninvited = "accept", to = "*", via = "dkim" }"#,
    ] {
        let error = open(wrong).await.unwrap_err().to_string();
        assert!(
            error.contains("uninvited") || error.contains("maybe"),
            "{error}"
        );
    }
    let rules =
        r#"{ allow = "any", from = "*@example.com", uninvited = "accept" }, { allow = "any" }"#;
    let rules = open(rules).await.unwrap();
    for (from, expected) in [
        ("anna@example.com", Some(Uninvited::Accept)),
        ("anna@example.net", None),
    ] {
        let asked = request(&format!("REPLY VEVENT {from} bo@example.org"));
        let Decision::Allow(grant) = rules.authorize(&asked, &Call::default()).await.unwrap()
        else {
            panic!("{from} is not allowed");
        };
        assert_eq!(grant.uninvited, expected, "{from}");
    }
}

const LOOK: &str = "REQUEST VFREEBUSY anna@example.com bo@example.org";
const INVITE: &str = "REQUEST VEVENT anna@example.com bo@example.org";

#[tokio::test]
async fn the_first_rule_that_matches_decides() {
    for (rules, asked, decided) in [
        ("", LOOK, "abstain"),
        (r#"{ allow = "any" }"#, LOOK, "allow"),
        (r#"{ allow = "freebusy" }"#, LOOK, "allow"),
        (r#"{ allow = "freebusy" }"#, INVITE, "abstain"),
        (r#"{ allow = "schedule" }"#, INVITE, "allow"),
        (
            r#"{ allow = "freebusy", detail = "busy" }"#,
            LOOK,
            "allow busy",
        ),
        (r#"{ allow = "freebusy", detail = "full" }"#, LOOK, "allow"),
        (
            r#"{ deny = "schedule" }, { allow = "any", rate = "10 / minute" }"#,
            LOOK,
            "allow 10/min of rule 2",
        ),
        (
            r#"{ allow = "any", quota = "100/day" }"#,
            LOOK,
            "allow 100/d each of rule 1",
        ),
        (
            r#"{ deny = "any", from = "*@example.com" }, { allow = "any" }"#,
            LOOK,
            "rule 1 denies it",
        ),
        (
            r#"{ allow = "any" }, { deny = "any", from = "*@example.com" }"#,
            LOOK,
            "allow",
        ),
        (
            r#"{ deny = "any", from = "*@example.net" }, { allow = "any" }"#,
            LOOK,
            "allow",
        ),
        (r#"{ allow = "any", to = "bo@*" }"#, LOOK, "allow"),
        (r#"{ allow = "any", to = "cy@*" }"#, LOOK, "abstain"),
        (
            r#"{ allow = "any", from = ["*@a.example", "anna@*"] }"#,
            LOOK,
            "allow",
        ),
        (
            r#"{ allow = "any", method = ["reply", "Request"] }"#,
            INVITE,
            "allow",
        ),
        (r#"{ allow = "any", method = "REPLY" }"#, INVITE, "abstain"),
        (
            r#"{ allow = "any", component = "vtodo" }"#,
            INVITE,
            "abstain",
        ),
    ] {
        assert_eq!(decide(rules, asked).await, decided, "{rules}");
    }
}

#[tokio::test]
async fn via_asks_for_a_proof_that_covers_the_originator() {
    for (via, proofs, holds) in [
        (r#""dkim""#, "dkim:example.com", true),
        (r#""dkim""#, "dkim:evil.net", false),
        (r#""dkim""#, "dkim:cal.example.com", false),
        (r#""dkim""#, "mtls:example.com", false),
        (r#""dkim""#, "", false),
        (r#""mtls""#, "dkim:evil.net mtls:example.com", true),
        (r#"["dkim", "mtls"]"#, "mtls:example.com", true),
        (r#""submission""#, "submission:ANNA@example.com", true),
        (r#""submission""#, "submission:cy@example.com", false),
        (r#""mail""#, "mail:ANNA@example.com", true),
        (r#""mail""#, "mail:cy@example.com", false),
        (r#""mail""#, "dkim:example.com", false),
        (r#""dkim""#, "mail:anna@example.com", false),
        (r#""none""#, "", true),
        (r#""none""#, "dkim:evil.net", true),
        (r#""none""#, "dkim:example.com", false),
    ] {
        let rule = format!(r#"{{ allow = "any", via = {via} }}"#);
        let decided = decide(&rule, &format!("{LOOK} {proofs}")).await;
        assert_eq!(decided == "allow", holds, "{via} {proofs}");
    }
}

/// Who does not say who they are is let in by name only.
#[tokio::test]
async fn free_busy_urls_are_opened_expressly() {
    let nobody =
        "REQUEST VFREEBUSY urn:x-convoke:anonymous bo@example.org url:urn:x-convoke:anonymous";
    let anna = format!("{LOOK} submission:anna@example.com url:anna@example.com");
    for (rules, to_nobody, to_anna) in [
        (r#"{ allow = "any" }"#, "abstain", "allow"),
        (r#"{ allow = "any", from = "*" }"#, "abstain", "allow"),
        (r#"{ allow = "any", from = "urn:*" }"#, "abstain", "abstain"),
        (
            r#"{ allow = "any", via = "submission" }"#,
            "abstain",
            "allow",
        ),
        (r#"{ allow = "any", via = "none" }"#, "abstain", "abstain"),
        (r#"{ allow = "freebusy", via = "url" }"#, "abstain", "allow"),
        (
            r#"{ allow = "freebusy", via = "url", from = "anonymous", detail = "busy" }"#,
            "allow busy",
            "abstain",
        ),
        (
            r#"{ allow = "freebusy", via = ["dkim", "url"], from = ["anonymous", "*"] }"#,
            "allow",
            "allow",
        ),
        (
            r#"{ allow = "schedule", via = "url", from = "anonymous" }"#,
            "abstain",
            "abstain",
        ),
        (
            r#"{ deny = "any", to = "bo@*" }, { allow = "any", via = "url", from = ["anonymous", "*"] }"#,
            "rule 1 denies it",
            "rule 1 denies it",
        ),
        (
            r#"{ deny = "freebusy", via = "url" }, { allow = "any" }"#,
            "rule 1 denies it",
            "rule 1 denies it",
        ),
    ] {
        assert_eq!(decide(rules, nobody).await, to_nobody, "{rules}");
        assert_eq!(decide(rules, &anna).await, to_anna, "{rules}");
    }
    let rules = open(r#"{ allow = "any", via = "url", from = "anonymous" }"#);
    let decision = rules
        .await
        .unwrap()
        .authorize(&request(nobody), &Call::default())
        .await;
    let Ok(Decision::Allow(grant)) = decision else {
        panic!("{decision:?}");
    };
    assert_eq!(grant.anonymous, Anonymous::Included);
}

#[tokio::test]
async fn strangers_can_be_made_to_wait() {
    let hold = r#"{ hold = "schedule", known = ["no", "unsaid"] }, { allow = "any" }"#;
    assert_eq!(decide(hold, INVITE).await, "hold");
    assert_eq!(decide(hold, LOOK).await, "allow");
    let rules = open(hold).await.unwrap();
    for (sender, held) in [
        (None, true),
        (Some(Acquaintance::Stranger), true),
        (Some(Acquaintance::Known), false),
    ] {
        let mut asked = request(INVITE);
        asked.sender = sender;
        let decision = rules.authorize(&asked, &Call::default()).await.unwrap();
        assert_eq!(decision == Decision::Hold, held, "{sender:?}");
    }
}

#[tokio::test]
async fn a_wrong_rule_is_named_by_its_number() {
    for (rules, says) in [
        (
            r#"{ allow = "any" }, { from = "*" }"#,
            "rule 2 of `config.rules` has neither",
        ),
        (
            r#"{ hold = "freebusy" }"#,
            "rule 1 of `config.rules` holds what cannot wait",
        ),
        (
            r#"{ hold = "schedule", deny = "any" }"#,
            "rule 1 of `config.rules` has several",
        ),
        (
            r#"{ allow = "any", deny = "any" }"#,
            "rule 1 of `config.rules` has several",
        ),
        (
            r#"{ deny = "any", detail = "busy" }"#,
            "rule 1 of `config.rules` allows nothing",
        ),
        (
            r#"{ deny = "any", rate = "1/s" }"#,
            "rule 1 of `config.rules` allows nothing",
        ),
        (
            r#"{ deny = "any", quota = "1/day" }"#,
            "`quota` has nothing to limit",
        ),
        (r#"{ allow = "any", rate = "often" }"#, "such as `10/min`"),
        (r#"{ allow = "any", quota = "1/year" }"#, "such as `10/min`"),
        (
            r#"{ allow = "freebusy", from = "anonymous" }"#,
            "goes with `via = \"url\"`",
        ),
        (
            r#"{ allow = "freebusy", via = "url", to = "anonymous" }"#,
            "nothing is ever sent to",
        ),
        (r#"{ allow = "all" }"#, "unknown variant `all`"),
        (r#"{ allow = "any", form = "*" }"#, "unknown field `form`"),
        (r#"{ allow = "any", from = [] }"#, "at least one"),
        (
            r#"{ allow = "any", from = "example.com" }"#,
            "such as `*@example.com`",
        ),
        (r#"{ allow = "any", via = "tls" }"#, "unknown variant `tls`"),
        (
            r#"{ deny = "any", method = "Reqest" }"#,
            "unknown variant `REQEST`, expected one of `PUBLISH`, `REQUEST`",
        ),
        (
            r#"{ deny = "any", component = ["VEVENT", "FREEBUSY"] }"#,
            "unknown variant `FREEBUSY`, expected one of `VEVENT`",
        ),
    ] {
        let error = open(rules).await.unwrap_err();
        assert!(error.message().contains(says), "{rules}: {error}");
    }
}

convoke_sdk::conformance! {
    policy: Rules,
    config: r#"
        rules = [
            { deny = "any", from = ["*@example.net", "*@*.example.net"] },
            { allow = "any", via = "submission" },
            { allow = "freebusy", from = "*@example.com", via = ["dkim", "mtls"] },
            { allow = "freebusy", to = "anna@example.com", detail = "busy" },
            { allow = "schedule", method = ["REQUEST", "CANCEL"], component = "VEVENT" },
        ]
    "#,
    default: "abstain",
    addresses: ["anna@example.com", "bo@sub.example.net"],
}

proptest! {
    #[test]
    fn no_configuration_makes_reading_panic(text in "\\PC{0,80}") {
        let _ = toml::from_str::<Config>(&text);
    }
}
