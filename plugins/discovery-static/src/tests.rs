use super::*;

const CONFIG: &str = r#"
    [domains]
    "Example.com" = "https://exact.example/"
    "*.example.com" = "https://below.example/"
    "*.deep.example.com" = ["https://deep-a.example/", "https://deep-b.example/"]
    "example.net" = "none"
    "quiet.example" = false
    "bücher.example" = "https://idn.example/"

    [addresses]
    "MAILTO:Anna@Example.com" = "https://anna.example/"
    "https://cal.example.org/principals/bo" = "https://bo.example/"
"#;

async fn open(config: &str) -> Result<StaticDiscovery> {
    let config = toml::from_str(config).map_err(|error| Error::invalid(error.to_string()))?;
    StaticDiscovery::open(config, Host::for_tests_without_index("/")).await
}

async fn discover(strategy: &StaticDiscovery, address: &str) -> Discovered {
    let address = CalendarAddress::new(address).unwrap();
    strategy.discover(&address, &Call::default()).await.unwrap()
}

fn receivers(urls: &[&str]) -> Discovered {
    let receiver = |url: &&str| Receiver::administered(ReceiverUrl::new(url).unwrap());
    Discovered::Receivers(urls.iter().map(receiver).collect())
}

#[tokio::test]
async fn the_most_specific_entry_answers() {
    let strategy = open(CONFIG).await.unwrap();
    for (address, urls) in [
        ("mailto:bo@example.com", &["https://exact.example/"][..]),
        ("bo@EXAMPLE.COM.", &["https://exact.example/"]),
        ("anna@example.com", &["https://anna.example/"]),
        ("mailto:ANNA@example.com", &["https://anna.example/"]),
        ("anna@sub.example.com", &["https://below.example/"]),
        ("anna@deep.example.com", &["https://below.example/"]),
        (
            "anna@a.b.deep.example.com",
            &["https://deep-a.example/", "https://deep-b.example/"],
        ),
        ("cy@xn--bcher-kva.example", &["https://idn.example/"]),
        (
            "https://cal.example.org/principals/bo",
            &["https://bo.example/"],
        ),
    ] {
        assert_eq!(
            discover(&strategy, address).await,
            receivers(urls),
            "{address}"
        );
    }
}

#[tokio::test]
async fn what_is_not_listed_is_left_to_the_next_strategy() {
    let strategy = open(CONFIG).await.unwrap();
    for address in [
        "anna@example.org",
        "anna@evil-example.com",
        "anna@example.com.evil.net",
        "https://cal.example.org/principals/Bo",
        "urn:uuid:1f0c",
    ] {
        let discovered = discover(&strategy, address).await;
        assert_eq!(discovered, Discovered::NotMine, "{address}");
    }
}

#[tokio::test]
async fn none_ends_the_search() {
    let strategy = open(CONFIG).await.unwrap();
    for address in ["anna@example.net", "anna@quiet.example"] {
        assert_eq!(
            discover(&strategy, address).await,
            Discovered::NoService,
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_lone_star_is_every_domain() {
    let strategy = open(r#"domains."*" = "https://relay.example/""#)
        .await
        .unwrap();
    assert_eq!(
        discover(&strategy, "anna@example.org").await,
        receivers(&["https://relay.example/"])
    );
    assert_eq!(
        discover(&strategy, "urn:uuid:1f0c").await,
        Discovered::NotMine
    );
}

#[tokio::test]
async fn a_wrong_configuration_says_what_is_wrong() {
    for (config, says) in [
        (
            r#"domains."example.com" = "http://x.example/""#,
            "over https only",
        ),
        (
            r#"domains."example.com" = []"#,
            "a receiver's https URL, a list",
        ),
        (
            r#"domains."example.com" = true"#,
            "a receiver's https URL, a list",
        ),
        (r#"domains."exa mple" = "none""#, "is not a domain name"),
        (
            r#"domains."a.*.example" = "none""#,
            "`a.*.example` is not a domain name",
        ),
        (
            r#"addresses."anna" = "none""#,
            "is not a calendar user address",
        ),
        (
            "[domains]\n\"a.example\" = \"none\"\n\"A.example\" = \"none\"",
            "listed twice",
        ),
        ("domain = {}", "unknown field `domain`"),
        (
            r#"freebusy."a.example" = "https://x.example/all.ifb""#,
            "has no %NAME%",
        ),
        (
            r#"freebusy."a.example" = "http://x.example/%NAME%""#,
            "over https only",
        ),
        (
            r#"freebusy."*" = "https://%SERVER%/%NAME%""#,
            "in the path only",
        ),
        (
            r#"freebusy."*" = "https://%NAME%.example/""#,
            "in the path only",
        ),
    ] {
        let error = open(config).await.unwrap_err();
        assert!(error.message().contains(says), "{config}: {error}");
    }
}

/// The URL at which the busy time of an address is read.
async fn free_busy(strategy: &StaticDiscovery, address: &str) -> Option<String> {
    match discover(strategy, address).await {
        Discovered::FreeBusyUrl(receiver) => {
            assert!(receiver.is_administered());
            Some(receiver.url.to_string())
        }
        _ => None,
    }
}

#[tokio::test]
async fn busy_time_is_read_by_url_where_there_is_no_receiver() {
    let strategy = open(
        r#"
        [domains]
        "example.com" = "https://exact.example/"
        "mail.example" = "mail"
        "*.quiet.example" = "none"
        "*" = "https://relay.example/"

        [freebusy]
        "example.com" = "https://fb.example/%NAME%.ifb"
        "mail.example" = "https://fb.example/SOGo/dav/public/%NAME%/freebusy.ifb"
        "*.uni.example" = "https://fb.example/fb?user=%NAME%%40%SERVER%&format=ifb"
        "*.quiet.example" = "https://fb.example/%NAME%.ifb"
        "#,
    )
    .await
    .unwrap();
    let sogo = "https://fb.example/SOGo/dav/public/";
    for (address, url) in [
        (
            "anna@mail.example",
            Some(format!("{sogo}anna/freebusy.ifb")),
        ),
        (
            "a/b+c@mail.example",
            Some(format!("{sogo}a%2Fb%2Bc/freebusy.ifb")),
        ),
        ("..@mail.example", None),
        (
            "anna@cs.uni.example",
            Some("https://fb.example/fb?user=anna%40cs.uni.example&format=ifb".to_owned()),
        ),
        ("anna@example.com", None),
        ("anna@a.quiet.example", None),
        ("anna@example.org", None),
    ] {
        assert_eq!(free_busy(&strategy, address).await, url, "{address}");
    }
    let dots = discover(&strategy, "..@mail.example").await;
    assert_eq!(dots, Discovered::Mail);
    let receiver = discover(&strategy, "anna@example.com").await;
    assert_eq!(receiver, receivers(&["https://exact.example/"]));
}

convoke_sdk::conformance! {
    discovery: StaticDiscovery,
    config: CONFIG,
    known: [
        "bo@example.com",
        "anna@example.com",
        "anna@a.b.deep.example.com",
        "cy@bücher.example",
        "https://cal.example.org/principals/bo",
    ],
    unknown: ["anna@example.org", "anna@evil-example.com", "urn:uuid:1f0c"],
    no_service: ["anna@example.net", "anna@quiet.example"],
}
