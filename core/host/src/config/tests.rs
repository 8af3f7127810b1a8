use super::*;

const DESIGN: &str = r#"
[server]
domains = ["example.org"]
state = "/var/lib/convoke"
plugins = ["/usr/lib/convoke/plugins"]
administrator = "mailto:ischedule-admin@example.org"

[[listener]]
role = "receiver"
address = "[::]:8443"
tls = { certificate = "fullchain.pem", key = "key.pem" }

[[listener]]
role = "submission"
address = "127.0.0.1:8008"
users = "users.htpasswd"

[[listener]]
role = "admin"
address = "127.0.0.1:9090"

[signing]
domain = "example.org"
selector = "is1"
key = "dkim.pem"
lookup = ["dns/txt", "http/well-known"]

[verification]
required = true
private_exchange = "keys"

[client]
ca = "ca.pem"
allow_networks = ["127.0.0.0/8"]

[dns]
nameservers = ["127.0.0.1:5353"]

[limits]
content_length = "1 MiB"
recipients = 250
instances = 1000

[[discovery]]
plugin = "discovery-static"
config.domains."example.com" = "https://cal.example.com/.well-known/ischedule"

[[policy]]
plugin = "policy-rules"
config.rules = [
  { allow = "freebusy", from = "*@example.com" },
]

[[store]]
plugin = "store-sqlite"
domains = ["example.org"]
config.path = "calendars.db"
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/convoke/convoke.toml"))
}

#[test]
fn the_whole_file_is_read() {
    let config = parse(DESIGN).unwrap();
    assert_eq!(config.server.domains, ["example.org".parse().unwrap()]);
    let tls = config
        .listener(Role::Receiver)
        .unwrap()
        .tls
        .as_ref()
        .unwrap();
    assert_eq!(tls.certificate, Path::new("/etc/convoke/fullchain.pem"));
    assert_eq!(config.limits.messages.content_length, 1 << 20);
    assert_eq!(config.client.request_timeout, Duration::from_secs(30));
    let plugins: Vec<_> = config
        .plugins
        .iter()
        .map(|entry| entry.plugin.as_str())
        .collect();
    assert_eq!(
        plugins,
        [
            "discovery-static",
            "policy-rules",
            "store-sqlite",
            "state-sqlite"
        ]
    );
    assert_eq!(config.plugins[2].domains, ["example.org".parse().unwrap()]);
    assert_eq!(config.plugins[2].position.as_ref().unwrap().line, 54);
}

#[test]
fn the_state_has_a_place_whatever_is_written() {
    let read = |more: &str| {
        let config = parse(&format!("{DESIGN}{more}")).unwrap();
        let states = config.plugins.iter().filter(|it| it.kind == Kind::State);
        let states: Vec<_> = states
            .map(|it| (it.plugin.clone(), it.config.to_string()))
            .collect();
        (states, config.state_file())
    };
    let folder = parse(DESIGN).unwrap().server.state;
    let file = folder.join("state.db");
    let ours = format!("path = \"{}\"\n", file.display());
    for unsaid in ["", "[[state]]\nplugin = \"state-sqlite\""] {
        let expected = vec![("state-sqlite".to_owned(), ours.clone())];
        assert_eq!(read(unsaid), (expected, Some(file.clone())), "{unsaid}");
    }
    for (said, plugin, config) in [
        (
            "plugin = \"state-sqlite\"\nconfig.path = \"x.db\"",
            "state-sqlite",
            "path = \"x.db\"\n",
        ),
        ("plugin = \"acme\"", "acme", ""),
    ] {
        let expected = vec![(plugin.to_owned(), config.to_owned())];
        assert_eq!(read(&format!("[[state]]\n{said}")), (expected, None));
    }
}

#[test]
fn busy_time_is_indexed_two_years_ahead_unless_something_else_is_written() {
    let horizon = |line: &str| {
        let domains = "domains = [\"example.org\"]";
        let text = DESIGN.replacen(domains, &format!("{domains}\n{line}"), 1);
        parse(&text).unwrap().limits.messages.horizon.as_secs() / (24 * 3600)
    };
    assert_eq!(horizon(""), 732);
    assert_eq!(horizon("horizon = \"90d\""), 90);
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of mistakes")]
fn a_mistake_is_one_line_that_says_where_and_what() {
    let server = "[server]\ndomains = [\"example.org\"]\n";
    for (text, expected) in [
        (
            "[server]\ndomain = [\"example.org\"]\n",
            "2:1: unknown key `domain`, expected one of",
        ),
        (
            "[server]\ndomain = [\"example.org\"]\n",
            "did you mean `domains`?",
        ),
        (
            "[server]\ndomains = \"example.org\"\n",
            "2:11: expected a list, not the text \"example.org\"",
        ),
        (
            "[server]\ndomains = [\"exa mple\"]\n",
            "2:11: `exa mple` is not a domain name",
        ),
        ("[server]\ndomains = []\n", "`domains` is empty"),
        ("[server\n", "1:8:"),
        (
            "",
            "`server` is missing; write `[server]`, and below it `domains",
        ),
        (
            &format!("{server}[[listener]]\naddress = \"[::]:1\"\n"),
            "3:1: `role` is missing; write `role = \"receiver\"`",
        ),
        (
            &format!("{server}[listener]\nrole = \"admin\"\n"),
            "3:1: `[listener]` can stand there several times",
        ),
        (
            &format!("{server}[[listener]]\nrole = \"admin\"\naddress = \"[::]:1\"\ntls = \"x\"\n"),
            "6:7: expected a table, not the text \"x\"",
        ),
        (
            &format!("{server}[limits]\ncontent_length = \"big\"\n"),
            "4:18: expected a size",
        ),
        (
            "[server]\ndomains = [\"example.org\"]\nhorizon = \"8000d\"\n",
            "3:11: `horizon` is from one day",
        ),
        (
            &format!("{server}[client]\nconnect_timeout = 5\n"),
            "4:19: expected a duration",
        ),
        (
            &format!("{server}[client]\nkey = \"k.pem\"\n"),
            "`certificate` and `key` go together",
        ),
        (
            &format!("{server}[[listener]]\nrole = \"reciever\"\naddress = \"[::]:1\"\n"),
            "did you mean `receiver`?",
        ),
        (
            &format!("{server}[[listener]]\nrole = \"admin\"\naddress = \"8443\"\n"),
            "5:11:",
        ),
        (&format!("{server}[client]\nca = []\n"), "the list is empty"),
        (
            &format!("{server}[client]\nca = 7\n"),
            "expected a file, or a list of files and of tables such as { file",
        ),
        (
            &format!("{server}[client]\nca = [{{ file = \"a.pem\", domains = [] }}]\n"),
            "`domains` is empty",
        ),
        (
            &format!("{server}[client]\nca = [{{ file = \"a.pem\", domain = [\"a.b\"] }}]\n"),
            "did you mean `domains`?",
        ),
        (
            &format!("{server}[[polcy]]\nplugin = \"x\"\n"),
            "did you mean `policy`?",
        ),
        (
            &format!("{server}[[store]]\nplugn = \"x\"\n"),
            "did you mean `plugin`?",
        ),
        (
            &format!("{server}[[policy]]\nplugin = \"x\"\ndomains = [\"a.b\"]\n"),
            "`[[store]]` only",
        ),
        (
            &format!("{server}trusted_keys = [\"RWQf6LRCGA9i53\"]\n"),
            "3:17: `RWQf6LRCGA9i53` cannot be trusted: it is no minisign public key",
        ),
        (
            &format!("{server}trusted_keys = [\"no-such-vendor.pub\"]\n"),
            "3:17: `no-such-vendor.pub` cannot be trusted: /etc/convoke/no-such-vendor.pub: cannot be read",
        ),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with("/etc/convoke/convoke.toml"), "{error}");
        assert!(
            error.contains(expected),
            "{text}\n{error}\nwithout {expected}"
        );
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn no_listener_takes_the_address_of_another() {
    for (one, other, overlap) in [
        ("0.0.0.0:8443", "127.0.0.1:8443", true),
        ("127.0.0.1:8443", "0.0.0.0:8443", true),
        ("[::]:8443", "127.0.0.1:8443", true),
        ("[::]:8443", "[::1]:8443", true),
        ("[::ffff:127.0.0.1]:8443", "127.0.0.1:8443", true),
        ("127.0.0.1:8443", "127.0.0.1:8443", true),
        ("0.0.0.0:8443", "[::1]:8443", false),
        ("127.0.0.1:8443", "127.0.0.2:8443", false),
        ("0.0.0.0:8443", "127.0.0.1:8444", false),
        ("127.0.0.1:0", "127.0.0.1:0", false),
    ] {
        let text = format!(
            "[server]\ndomains = [\"example.org\"]\n[[listener]]\nrole = \"admin\"\naddress = \"{one}\"\n\
             [[listener]]\nrole = \"submission\"\naddress = \"{other}\"\n"
        );
        let error = parse(&text).err().map(|it| it.to_string());
        assert_eq!(error.is_some(), overlap, "{one} {other}: {error:?}");
        assert!(error.is_none_or(|it| it.contains("convoke.toml:8:11: ") && it.contains(one)));
    }
}

#[test]
fn certificates_are_a_file_or_a_list_that_may_bind_them() {
    let ca = |value: &str| {
        let text = format!("[server]\ndomains = [\"example.org\"]\n[client]\nca = {value}\n");
        let files = parse(&text).unwrap().client.ca.into_iter();
        let told = |it: TrustedFile| format!("{} {:?}", it.file.display(), it.domains.len());
        files.map(told).collect::<Vec<_>>()
    };
    assert_eq!(ca("\"a.pem\""), ["/etc/convoke/a.pem 0"]);
    assert_eq!(
        ca(
            "[\"a.pem\", { file = \"/b.pem\", domains = [\"Example.com\", \"b\"] }, { file = \"c.pem\" }]"
        ),
        ["/etc/convoke/a.pem 0", "/b.pem 2", "/etc/convoke/c.pem 0"]
    );
}

#[test]
fn a_missing_file_says_so() {
    let error = Config::read(Path::new("/nonexistent/convoke.toml")).unwrap_err();
    assert!(error.to_string().contains("--config"), "{error}");
}
