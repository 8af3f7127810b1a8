//! discovery-dns as a host loads it, against a name server of the test's own; then two hosts that find each other.

use convoke_plugin_host::{PluginEntry, Plugins, Setup as PluginSetup};
use convoke_sdk::{CalendarAddress, Discovered, Network, Receiver, remote::Kind};
use convoke_tests::{Broken, Host, NameServer, Post, Setup, plugin_directory, program};
use std::{collections::HashMap, net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

const SERVICE: &str = "_ischedules._tcp.example.org";

/// The plugin, asking `names`, with more configuration.
async fn open(names: &NameServer, config: &str) -> Result<Plugins, String> {
    let config = format!("nameservers = [\"{}\"]\n{config}", names.address());
    open_with(&config, Network::default()).await
}

/// The plugin with this configuration, in a host that reaches others so.
async fn open_with(config: &str, network: Network) -> Result<Plugins, String> {
    let entry = PluginEntry {
        config: toml::from_str(config).unwrap(),
        ..PluginEntry::new(Kind::Discovery, "discovery-dns")
    };
    let setup = PluginSetup {
        entries: vec![entry],
        plugin_directories: vec![plugin_directory()],
        folder: PathBuf::new(),
        state: PathBuf::new(),
        network: Arc::new(move || Ok(network.clone())),
        metrics: Arc::default(),
        locate: Arc::new(|_, _| None),
        trusted_keys: Vec::new(),
        domains: Vec::new(),
        index: Arc::new(|_, _| Err(convoke_sdk::Error::internal("nobody asks"))),
        program: program(),
    };
    Plugins::open(&setup).await.map_err(|it| it.to_string())
}

async fn discover(plugins: &Plugins, address: &str) -> Result<Discovered, String> {
    let address = CalendarAddress::new(address).unwrap();
    let discovered = plugins.discovery.discover(&address).await;
    discovered.map_err(|error| error.to_string())
}

async fn receivers(plugins: &Plugins, address: &str) -> Vec<Receiver> {
    match discover(plugins, address).await {
        Ok(Discovered::Receivers(receivers)) => receivers,
        other => panic!("{address}: {other:?}"),
    }
}

async fn urls(plugins: &Plugins, address: &str) -> Vec<String> {
    let receivers = receivers(plugins, address).await;
    receivers.iter().map(|it| it.url.to_string()).collect()
}

#[tokio::test]
async fn the_hosts_name_servers_are_asked_where_no_others_are_named() {
    let [hosts, others] = [NameServer::new(), NameServer::new()];
    hosts.srv(SERVICE, 0, 0, 443, "hosts.example.org");
    others.srv(SERVICE, 0, 0, 443, "others.example.org");
    let mut network = Network::default();
    network.nameservers = vec![hosts.address()];
    let named = format!("nameservers = [\"{}\"]", others.address());
    for (config, found) in [("", "hosts"), (&*named, "others")] {
        let plugins = open_with(config, network.clone()).await.unwrap();
        let url = format!("https://{found}.example.org/.well-known/ischedule");
        assert_eq!(urls(&plugins, "anna@example.org").await, [url]);
    }
}

#[tokio::test]
async fn a_domain_names_its_receivers() {
    let names = NameServer::new();
    names
        .srv(SERVICE, 20, 0, 443, "backup.example.net")
        .srv(SERVICE, 10, 5, 8443, "Cal.Example.Org")
        .srv(
            "_ischedules._tcp.xn--bcher-kva.example",
            0,
            0,
            443,
            "cal.example.org",
        )
        .txt("_ischedules._tcp.xn--bcher-kva.example", "txtvers=1")
        .txt("_ischedules._tcp.xn--bcher-kva.example", "Path=/is/chedule");
    let plugins = open(&names, "").await.unwrap();
    for address in [
        "anna@example.org",
        "mailto:anna@EXAMPLE.ORG",
        "mailto:anna@example.org.",
    ] {
        let expected = [
            "https://cal.example.org:8443/.well-known/ischedule",
            "https://backup.example.net/.well-known/ischedule",
        ];
        assert_eq!(urls(&plugins, address).await, expected, "{address}");
    }
    let idn = urls(&plugins, "mailto:anna@bücher.example").await;
    assert_eq!(idn, ["https://cal.example.org/is/chedule"]);
    let nobody = discover(&plugins, "anna@example.com").await;
    assert_eq!(nobody, Ok(Discovered::NotMine));
    let no_host = discover(&plugins, "urn:uuid:1").await;
    assert_eq!(no_host, Ok(Discovered::NotMine));
}

#[tokio::test]
async fn sub_domains_are_climbed_to_the_registered_one() {
    let names = NameServer::new();
    names
        .srv(
            "_ischedules._tcp.example.co.uk",
            0,
            0,
            443,
            "cal.example.co.uk",
        )
        .srv("_ischedules._tcp.co.uk", 0, 0, 443, "evil.example")
        .srv("_ischedules._tcp.uk", 0, 0, 443, "evil.example");
    let plugins = open(&names, "").await.unwrap();
    let found = urls(&plugins, "anna@a.b.example.co.uk").await;
    assert_eq!(found, ["https://cal.example.co.uk/.well-known/ischedule"]);
    for nobody in ["anna@other.co.uk", "anna@co.uk"] {
        assert_eq!(discover(&plugins, nobody).await, Ok(Discovered::NotMine));
    }
    assert_eq!(names.asked("_ischedules._tcp.co.uk", "SRV"), 0);
}

#[tokio::test]
async fn the_root_ends_the_search() {
    let names = NameServer::new();
    names
        .srv("_ischedules._tcp.quiet.example.org", 0, 0, 0, "")
        .srv(SERVICE, 0, 0, 443, "cal.example.org");
    let plugins = open(&names, "").await.unwrap();
    let quiet = discover(&plugins, "anna@quiet.example.org").await;
    assert_eq!(quiet, Ok(Discovered::NoService));
}

#[tokio::test]
async fn equal_targets_share_by_weight() {
    let names = NameServer::new();
    names.srv(SERVICE, 1, 90, 443, "often.example.org").srv(
        SERVICE,
        1,
        10,
        443,
        "seldom.example.org",
    );
    let plugins = open(&names, "").await.unwrap();
    let mut first = HashMap::<String, u32>::new();
    for _ in 0..500 {
        let found = receivers(&plugins, "anna@example.org").await;
        assert_eq!(found.len(), 2);
        let host = found[0].url.url().host_str().unwrap().to_owned();
        *first.entry(host).or_default() += 1;
    }
    // About 450 and 50.
    assert!(
        (380..495).contains(&first["often.example.org"]),
        "{first:?}"
    );
    assert_eq!(names.asked(SERVICE, "SRV"), 1, "the others are remembered");
}

#[tokio::test]
async fn a_ttl_is_kept_to() {
    let names = NameServer::new().ttl(0);
    names.srv(SERVICE, 0, 0, 443, "old.example.org");
    let plugins = open(&names, "").await.unwrap();
    let old = receivers(&plugins, "anna@example.org").await;
    assert_eq!(old[0].valid_for, Some(Duration::ZERO));
    names
        .remove(SERVICE)
        .srv(SERVICE, 0, 0, 443, "new.example.org");
    let new = urls(&plugins, "anna@example.org").await;
    assert_eq!(new, ["https://new.example.org/.well-known/ischedule"]);
}

#[tokio::test]
async fn what_dns_does_not_say_is_worth_another_try() {
    let names = NameServer::new();
    names.srv(SERVICE, 0, 0, 443, "cal.example.org");
    let plugins = open(&names, "").await.unwrap();
    for how in [Broken::Fails, Broken::Silent] {
        names.break_name(SERVICE, Some(how));
        let error = discover(&plugins, "anna@example.org").await.unwrap_err();
        assert!(error.contains(SERVICE), "{how:?}: {error}");
        assert!(error.contains("cannot be looked up"), "{how:?}: {error}");
    }
    names.break_name(SERVICE, None);
    assert_eq!(urls(&plugins, "anna@example.org").await.len(), 1);
}

#[tokio::test]
async fn a_long_answer_comes_by_tcp() {
    let names = NameServer::new().truncating();
    for number in 0..40 {
        let target = format!("server-{number}.a-name-that-takes-room.hoster.example");
        names.srv(SERVICE, number, 0, 443, &target);
    }
    let plugins = open(&names, "").await.unwrap();
    assert_eq!(urls(&plugins, "anna@example.org").await.len(), 40);
}

#[tokio::test]
async fn an_alias_is_followed_but_not_in_circles() {
    let names = NameServer::new();
    let circle = "_ischedules._tcp.circle.example";
    names
        .cname(SERVICE, "_ischedules._tcp.hoster.example")
        .srv(
            "_ischedules._tcp.hoster.example",
            0,
            0,
            443,
            "cal.hoster.example",
        )
        .cname(circle, circle);
    let plugins = open(&names, "").await.unwrap();
    let found = urls(&plugins, "anna@example.org").await;
    assert_eq!(found, ["https://cal.hoster.example/.well-known/ischedule"]);
    // Whether a circle is "nobody" or "try later" is the resolver's to say; it ends.
    let circle = discover(&plugins, "anna@circle.example").await;
    assert!(
        !matches!(circle, Ok(Discovered::Receivers(_))),
        "{circle:?}"
    );
}

#[tokio::test]
async fn the_certificate_may_have_to_name_the_domain() {
    let names = NameServer::new();
    names.srv(SERVICE, 0, 0, 443, "cal.hoster.example");
    for (config, expected) in [
        ("", None),
        ("tls_name = \"target\"", None),
        ("tls_name = \"domain\"", Some("example.org")),
    ] {
        let plugins = open(&names, config).await.unwrap();
        let found = receivers(&plugins, "anna@team.example.org").await;
        let name = found[0].tls_name.as_ref().map(ToString::to_string);
        assert_eq!(name.as_deref(), expected, "{config}");
    }
}

#[tokio::test]
async fn an_answer_that_must_be_signed_is_not_believed_without() {
    let names = NameServer::new();
    names.srv(SERVICE, 0, 0, 443, "cal.example.org");
    let plugins = open(&names, "dnssec = \"require\"").await.unwrap();
    let unsigned = discover(&plugins, "anna@example.org").await;
    assert!(unsigned.is_err(), "{unsigned:?}");
}

#[tokio::test]
async fn a_signed_answer_is_believed_until_somebody_changes_it() {
    let names = NameServer::new().ttl(0);
    let folder = tempfile::tempdir().unwrap();
    let anchor = folder.path().join("anchors.key");
    names
        .srv(SERVICE, 0, 0, 443, "cal.example.org")
        .txt(SERVICE, "path=/signed");
    std::fs::write(&anchor, names.sign("example.org")).unwrap();
    for level in ["prefer", "require"] {
        let config = format!("dnssec = \"{level}\"\ntrust_anchor = {anchor:?}");
        let plugins = open(&names, &config).await.unwrap();
        let found = urls(&plugins, "anna@example.org").await;
        assert_eq!(found, ["https://cal.example.org/signed"], "{level}");
    }
    names.srv(SERVICE, 0, 0, 443, "evil.example.net");
    for level in ["prefer", "require"] {
        let config = format!("dnssec = \"{level}\"\ntrust_anchor = {anchor:?}");
        let plugins = open(&names, &config).await.unwrap();
        let forged = discover(&plugins, "anna@example.org").await;
        assert!(forged.is_err(), "{level}: {forged:?}");
    }
}

#[tokio::test]
async fn a_wrong_configuration_is_named() {
    let names = NameServer::new();
    for (config, expected) in [
        ("nameserver = \"127.0.0.1\"", "did you mean `nameservers`?"),
        ("dnssec = \"always\"", "`config.dnssec` cannot be `always`"),
        ("tls_name = \"host\"", "`config.tls_name` cannot be `host`"),
        (
            "trust_anchor = \"no-such-file\"",
            "no trust anchor can be read",
        ),
    ] {
        let error = open(&names, config).await.err().unwrap();
        assert!(error.contains(expected), "{config}: {error}");
    }
}

/// What DNSSEC says of a receiver is the policy's to judge.
#[test]
fn a_policy_may_keep_messages_from_receivers_that_nobody_vouches_for() {
    let names = NameServer::new().ttl(0);
    let bo = Setup::new().users(&["bo@example.org"]).start();
    names.txt(SERVICE, "path=/ischedule").srv(
        SERVICE,
        0,
        0,
        bo.address("receiver").port(),
        "localhost",
    );
    let anchor = bo.folder().join("anchors.key");
    std::fs::write(&anchor, names.sign("example.org")).unwrap();
    let rules = "[{ deny = \"send\", dnssec = [\"none\", \"insecure\"] }, { allow = \"any\" }]";
    for (dnssec, code) in [("off", "3.8"), ("prefer", "2.0")] {
        let discovery = format!(
            "plugin = \"discovery-dns\"\nconfig.nameservers = [\"{}\"]\nconfig.dnssec = \"{dnssec}\"\n\
             config.trust_anchor = {anchor:?}",
            names.address()
        );
        let anna = trusting(&bo)
            .rules(rules)
            .table("[[discovery]]", &discovery)
            .start();
        let post = Post::free_busy("anna@example.com", &["bo@example.org"]);
        assert_eq!(
            anna.submit(&post).codes(),
            [code],
            "{dnssec}\n{}",
            anna.log()
        );
    }
}

/// Anna's host, which trusts what Bo's trusts.
fn trusting(bo: &Host) -> Setup {
    Setup::new()
        .server_domains(&["example.com"])
        .users(&["anna@example.com"])
        .table(
            "[client]",
            &format!(
                "allow_networks = [\"127.0.0.0/8\", \"::1/128\"]\nca = \"{}\"",
                bo.folder().join("ca.pem").display()
            ),
        )
}

/// Anna's host knows of Bo's domain only what DNS says: a server that is down, and one that is up.
#[test]
fn two_hosts_find_each_other() {
    let names = NameServer::new();
    let bo = Setup::new().users(&["bo@example.org"]).start();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    names
        .a("cal.example.org", Ipv4Addr::LOCALHOST)
        .srv(SERVICE, 1, 0, port, "cal.example.org")
        .srv(SERVICE, 2, 0, bo.address("receiver").port(), "localhost")
        .txt(SERVICE, "path=/ischedule");
    let anna = trusting(&bo)
        .table(
            "[[discovery]]",
            &format!(
                "plugin = \"discovery-dns\"\nconfig.nameservers = [\"{}\"]",
                names.address()
            ),
        )
        .table("[dns]", &format!("nameservers = [\"{}\"]", names.address()))
        .start();
    let invitation = Post::invitation("found", "anna@example.com", &["bo@example.org"]);
    let answer = anna.submit(&invitation);
    assert_eq!(answer.codes(), ["2.0"], "{answer:?}\n{}", anna.log());
    assert!(bo.stored("bo@example.org", "found").is_some());
}
