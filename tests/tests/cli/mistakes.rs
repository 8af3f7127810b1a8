//! Mistakes that administrators make, each with what `convoke check` says of it.

use super::desk::{Desk, Said};
use convoke_ischedule::dkim::{KeyKind, PrivateKey};
use convoke_tests::{Authority, Credentials, NameServer, plugin_directory};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use serde_json::Value;
use std::{
    fs,
    net::Ipv4Addr,
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// A host that signs, receives, and has users; nothing is wrong with it.
const GOOD: &str = r#"[server]
domains = ["example.org"]
state = "state"
plugins = ["PLUGINS"]
administrator = "mailto:admin@example.org"

[[listener]]
role = "receiver"
address = "127.0.0.1:0"
tls = { certificate = "chain.pem", key = "host.key" }

[[listener]]
role = "submission"
address = "127.0.0.1:0"
users = "users.htpasswd"

[signing]
domain = "example.org"
selector = "is1"
key = "dkim.pem"

[verification]
private_exchange = "keys"

[client]
ca = "ca.pem"
allow_networks = ["127.0.0.0/8"]

[dns]
nameservers = ["NAMESERVER"]

[limits]
connections = 100

[[discovery]]
plugin = "discovery-static"
config.domains."example.com" = "https://cal.example.com/"

[[policy]]
plugin = "policy-rules"
config.rules = [{ allow = "any", via = "submission" }]

[[store]]
plugin = "store-sqlite"
config.path = "calendars.db"
"#;

/// bcrypt of some password, at cost 10.
const HASH: &str = "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

const ENCRYPTED: &str =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";

/// What is changed, and into what.
enum Edit {
    /// A text of the configuration, which must be there.
    Of(&'static str, &'static str),
    /// Something behind everything else.
    Add(&'static str),
    /// The whole file.
    Whole(&'static [u8]),
    /// Another file, readable by its owner alone.
    File(&'static str, &'static [u8]),
    /// A login and the hash of a password.
    Login(&'static str),
    /// The mode of a file.
    Mode(&'static str, u32),
    /// A folder.
    Folder(&'static str),
    /// A record in the DNS: service, port and target.
    Server(&'static str, u16, &'static str),
    /// `--open`.
    Open,
}
use Edit::{Add, File, Folder, Login, Mode, Of, Open, Server, Whole};

type Row = (&'static [Edit], &'static str, &'static str);

/// What is in the file cannot be read as a configuration.
const READING: &[Row] = &[
    (&[Of("\"127.0.0.1:0\"\ntls", "\"localhost:9443\"\ntls")], "fail", "convoke.toml:9:11: `localhost:9443` is a name, and a listener has an IP address; write \"127.0.0.1:9443\" or \"[::1]:9443\""),
    (&[Of("\"127.0.0.1:0\"\ntls", "\":9443\"\ntls")], "fail", "says no address; write \"[::]:9443\" for all that reach this machine"),
    (&[Of("\"127.0.0.1:0\"\ntls", "\"*:9443\"\ntls")], "fail", "says no address; write \"[::]:9443\""),
    (&[Of("\"127.0.0.1:0\"\ntls", "\"9443\"\ntls")], "fail", "`9443` is a port without an address"),
    (&[Of("\"127.0.0.1:0\"\ntls", "9443\ntls")], "fail", "expected an address with a port, in quotes"),
    (&[Of("\"127.0.0.1:0\"\ntls", "\"127.0.0.1\"\ntls")], "fail", "has no port; write \"127.0.0.1:8443\""),
    (&[Of("\"127.0.0.1:0\"\ntls", "\"::1\"\ntls")], "fail", "has no port; write \"[::1]:8443\""),
    (&[Of("\"127.0.0.1:0\"\ntls", "\"127.0.0.1:99999\"\ntls")], "fail", "`99999` is no port, which is a number from 0 to 65535"),
    (&[Of("\"127.0.0.1:0\"\ntls", "\"https://cal.example.org\"\ntls")], "fail", "is a URL; write the address alone"),
    (&[Of("\"127.0.0.1:0\"\ntls", "\"cal.example.org:8443\"\ntls")], "fail", "is a name, and a listener has an IP address of this machine"),
    (&[Of("\"127.0.0.1:0\"\ntls", "\"unix:/run/x\"\ntls")], "fail", "`unix:` goes with `role = \"lmtp\"` only"),
    (&[Of("\"NAMESERVER\"", "\"dns.example.org\"")], "fail", "`dns.example.org` is no name server: expected an IP address"),
    (&[Of("[\"NAMESERVER\"]", "\"127.0.0.1\"")], "fail", "expected a list, not the text \"127.0.0.1\""),
    (&[Of("[[listener]]\nrole = \"submission\"", "[listener]\nrole = \"submission\"")], "fail", "written in two brackets: [[listener]]"),
    (&[Whole(b"[server]\ndomains = [\"example.org\"]\n[listener]\nrole = \"admin\"\naddress = \"127.0.0.1:0\"\n")], "fail", "convoke.toml:3:1: `[listener]` can stand there several times, so that it is written in two brackets: [[listener]]"),
    (&[Of("[[store]]", "[store]")], "fail", "`[store]` can stand there several times"),
    (&[Of("[server]", "[[server]]")], "fail", "`[[server]]` stands there once, so that it is written in one bracket: [server]"),
    (&[Add("[dns]\n")], "fail", "`dns` is written twice"),
    (&[Of("state = \"state\"", "state = \"state\"\nstate = \"other\"")], "fail", "this key is written twice"),
    (&[Whole(b"\xff\xfe[\0s\0e\0r\0v\0e\0r\0]\0")], "fail", "convoke.toml: the file is UTF-16"),
    (&[Whole(b"[server]\n# \xe4\n")], "fail", "convoke.toml:2:3: the byte 0xE4 is no UTF-8"),
    (&[Whole(b"\x7fELF\x02\x01\x01\0\0\0")], "fail", "the file is no text"),
    (&[Whole(b"")], "fail", "`server` is missing; write `[server]`, and below it `domains = [\"example.org\"]`"),
    (&[Whole(b"server:\n  domains: [example.org]\n")], "fail", "expected `key = value`, or a heading such as [server]"),
    (&[Whole(b"{\"server\": {}}")], "fail", "expected a key, as in `domains"),
    (&[Of("[\"example.org\"]", "example.org")], "fail", "a text stands between straight quotes"),
    (&[Of("[\"example.org\"]", "[\u{201c}example.org\u{201d}]")], "fail", "a text stands between straight quotes"),
    (&[Of("[\"example.org\"]", "\"example.org\"")], "fail", "expected a list, not the text \"example.org\""),
    (&[Of("[\"example.org\"]", "[\"anna@example.org\"]")], "fail", "`anna@example.org` is not a domain name"),
    (&[Of("[\"example.org\"]", "[\"https://example.org\"]")], "fail", "is not a domain name"),
    (&[Of("mailto:admin@example.org", "admin@example.org")], "fail", "`admin@example.org` is no URI; write \"mailto:admin@example.org\""),
    (&[Of("mailto:admin@example.org", "the admin")], "fail", "`the admin` is no URI"),
    (&[Of("state = \"state\"", "state = 7")], "fail", "expected a path in quotes, not 7"),
    (&[Of("[dns]", "[dnss]")], "fail", "did you mean `dns`?"),
    (&[Of("role = \"submission\"", "role = \"submision\"")], "fail", "did you mean `submission`?"),
    (&[Of("role = \"submission\"\n", "")], "fail", "`role` is missing; write `role ="),
    (&[Of("selector = \"is1\"", "selector = \"i s\"")], "fail", "convoke.toml:19:12: `i s` is no selector"),
    (&[Of("selector = \"is1\"", "selector = \"is1\"\nlookup = []")], "fail", "`lookup` is empty, so that no peer finds our key"),
    (&[Of("selector = \"is1\"", "selector = \"is1\"\nlookup = [\"dns\"]")], "fail", "expected one of `dns/txt`, `http/well-known`, `private-exchange`"),
    (&[Of("connections = 100", "connections = \"many\"")], "fail", "expected a whole number from 0 on, not the text \"many\""),
    (&[Of("connections = 100", "connections = -1")], "fail", "expected a whole number from 0 on, not -1"),
    (&[Of("connections = 100", "connections = 0")], "fail", "must be at least 1"),
    (&[Of("connections = 100", "recipients = 1.5")], "fail", "expected a whole number from 0 on, not 1.5"),
    (&[Add("[scheduling]\nsettle = 10\n")], "fail", "expected a duration such as \"10s\""),
    (&[Add("[scheduling]\nexpire = \"1ms\"\n")], "fail", "`expire` is from a second"),
    (&[Of("ca = \"ca.pem\"", "certificate = \"chain.pem\"")], "fail", "`certificate` and `key` go together"),
    (&[Of("\"127.0.0.0/8\"", "\"127.0.0.1\"")], "fail", "expected a network, such as \"10.0.0.0/8\""),
    (&[Of("tls = {", "users = \"x\"\ntls = {")], "fail", "`users` goes with `role = \"submission\"`"),
    (&[Add("[[listener]]\nrole = \"lmtp\"\naddress = \"127.0.0.1:0\"\n")], "fail", "`role = \"lmtp\"` needs [mail]"),
    (&[Add("[[listener]]\nrole = \"caldav\"\naddress = \"127.0.0.1:0\"\n")], "fail", "`role = \"caldav\"` needs who may log in"),
    (&[Add("[[listener]]\nrole = \"submission\"\naddress = \"127.0.0.1:0\"\nusers = \"other\"\n")], "fail", "and all of a role have the same"),
    (&[Add("[[listener]]\nrole = \"submission\"\naddress = \"127.0.0.1:0\"\n")], "fail", "and all of a role have the same"),
    (&[Add("[mail]\nsmtp = \"127.0.0.1:25\"\naddress = \"c@example.org\"\n")], "fail", "expected a mail server such as \"smtp://127.0.0.1:25\""),
    (&[Add("[mail]\nsmtp = \"smtp://127.0.0.1:25\"\naddress = \"c\"\n")], "fail", "expected a mail address such as calendar@example.org"),
    (&[Of("plugin = \"store-sqlite\"", "plugin = \"store-sqlite\"\nisolation = \"proces\"")], "fail", "did you mean `process`?"),
    (&[Of("plugin = \"store-sqlite\"", "plugin = \"store-sqlite\"\nmemory = \"1 GiB\"")], "fail", "`memory` goes with `isolation = \"process\"` only"),
    (&[Of("plugin = \"store-sqlite\"", "plugin = \"store-sqlite\"\ntimeout = \"0s\"")], "fail", "expected a duration"),
];

/// Certificates, keys and passwords.
const FILES: &[Row] = &[
    (&[Of("host.key", "no.key")], "fail", "convoke.toml:10:42: "),
    (
        &[Of("host.key", "no.key")],
        "fail",
        "no.key: the private key cannot be read: No such file",
    ),
    (
        &[
            File("enc.key", ENCRYPTED.as_bytes()),
            Of("host.key", "enc.key"),
        ],
        "fail",
        "it is encrypted, and nobody is there to type the passphrase",
    ),
    (
        &[File("der.key", b"\x30\x82\x01"), Of("host.key", "der.key")],
        "fail",
        "it looks like DER: openssl pkey -inform DER",
    ),
    (
        &[File("empty.key", b""), Of("host.key", "empty.key")],
        "fail",
        "empty.key: no private key could be read from it: it is empty",
    ),
    (
        &[Of("host.key", "chain.pem")],
        "fail",
        "it holds a certificate; are `certificate` and `key` exchanged?",
    ),
    (
        &[Of("\"chain.pem\"", "\"host.key\"")],
        "fail",
        "it holds a private key; are `certificate` and `key` exchanged?",
    ),
    (
        &[Of("host.key", "other.key")],
        "fail",
        "do not belong together",
    ),
    (
        &[Of("host.key", "keys")],
        "fail",
        "the private key cannot be read: Is a directory",
    ),
    (
        &[Mode("host.key", 0o644)],
        "fail",
        "a private key must be private",
    ),
    (
        &[Of("\"chain.pem\"", "\"no.pem\"")],
        "fail",
        "no.pem: the certificate cannot be read: No such file",
    ),
    (
        &[
            File("text.pem", b"hello"),
            Of("\"chain.pem\"", "\"text.pem\""),
        ],
        "fail",
        "it is not PEM, which begins with `-----BEGIN`",
    ),
    (
        &[Of(
            "chain.pem\", key = \"host.key",
            "expired.pem\", key = \"expired.key",
        )],
        "fail",
        "has expired on 2020-01-01; renew it",
    ),
    (
        &[Of(
            "chain.pem\", key = \"host.key",
            "other.pem\", key = \"other.key",
        )],
        "warn",
        "is for elsewhere.example, none of which lies in example.org",
    ),
    (
        &[Of(
            "chain.pem\", key = \"host.key",
            "leaf.pem\", key = \"leaf.key",
        )],
        "warn",
        "whose certificate is neither in the file nor known to this machine",
    ),
    (
        &[Of(
            "ca = \"ca.pem\"",
            "certificate = \"chain.pem\"\nkey = \"other.key\"",
        )],
        "fail",
        "do not belong together",
    ),
    (
        &[Of(
            "ca = \"ca.pem\"",
            "certificate = \"servers.pem\"\nkey = \"servers.key\"",
        )],
        "warn",
        "it is for servers alone (extendedKeyUsage)",
    ),
    (
        &[Of("ca = \"ca.pem\"", "ca = \"no.pem\"")],
        "fail",
        "convoke.toml:26:6: ",
    ),
    (&[Of("dkim.pem", "no.pem")], "fail", "convoke.toml:20:7: "),
    // Of two keys that name the file, the one that is meant.
    (&[Of("dkim.pem", "host.key")], "fail", "convoke.toml:20:7: "),
    (
        &[
            File("cut.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n"),
            Of("\"chain.pem\"", "\"cut.pem\""),
        ],
        "fail",
        "it is cut off: a line -----END is missing; copy it anew",
    ),
    (
        &[
            File("enc.key", ENCRYPTED.as_bytes()),
            Of("dkim.pem", "enc.key"),
        ],
        "fail",
        "messages cannot be signed with this key: the private key is encrypted",
    ),
    (
        &[Mode("dkim.pem", 0o644)],
        "fail",
        "a private key must be private",
    ),
    (
        &[Of("domain = \"example.org\"", "domain = \"example.net\"")],
        "fail",
        "messages of our people at example.org are signed by example.net",
    ),
    (
        &[Of(
            "domains = [\"example.org\"]",
            "domains = [\"example.org\", \"example.net\"]",
        )],
        "fail",
        "messages of our people at example.net are signed by example.org",
    ),
    (
        &[Of(
            "private_exchange = \"keys\"",
            "private_exchange = \"kys\"",
        )],
        "fail",
        "kys: the folder of exchanged keys cannot be read",
    ),
    (
        &[
            Folder("none"),
            Of("private_exchange = \"keys\"", "private_exchange = \"none\""),
        ],
        "warn",
        "none holds no key",
    ),
    (
        &[Of("users.htpasswd", "no.htpasswd")],
        "fail",
        "convoke.toml:15:9: ",
    ),
    (
        &[Login("anna:secret")],
        "fail",
        "users.htpasswd:1: this is a password in the clear",
    ),
    (
        &[Login("anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")],
        "fail",
        "this is SHA-1, without a salt",
    ),
    (&[Login("anna:$apr1$x$y")], "fail", "this is MD5"),
    (&[Login("anna:rqXexS6ZhobKA")], "fail", "this is DES crypt"),
    (&[Login("anna")], "fail", "this is not `login:hash`"),
    (&[Login("anna:")], "fail", "there is no password"),
    (
        &[Login(
            "anna:$2y$05$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
        )],
        "warn",
        "bcrypt at cost 5",
    ),
    (
        &[Login(
            "bo@example.net:$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
        )],
        "warn",
        "bo@example.net is at none of `[server] domains`",
    ),
    (
        &[Login("# nobody")],
        "warn",
        "it is empty, so nobody can log in",
    ),
    (
        &[Add(
            "[mail]\nsmtp = \"smtp://127.0.0.1:1\"\nuser = \"c\"\npassword_file = \"no\"\naddress = \"c@example.org\"\n",
        )],
        "fail",
        "no: the password for the mail server cannot be read",
    ),
];

/// What is there, and cannot work.
const WORKING: &[Row] = &[
    (
        &[Of("\"127.0.0.1:0\"\ntls", "\"192.0.2.1:9443\"\ntls")],
        "fail",
        "this machine has no address 192.0.2.1",
    ),
    (
        &[Add(
            "[[listener]]\nrole = \"admin\"\naddress = \"0.0.0.0:0\"\n",
        )],
        "warn",
        "health and metrics are shown to whoever reaches 0.0.0.0:0",
    ),
    (
        &[Of(
            "role = \"submission\"\naddress = \"127.0.0.1:0\"",
            "role = \"submission\"\naddress = \"0.0.0.0:0\"",
        )],
        "warn",
        "passwords would go in the clear",
    ),
    (
        &[Of(
            "tls = { certificate = \"chain.pem\", key = \"host.key\" }\n",
            "",
        )],
        "warn",
        "iSchedule goes over https",
    ),
    (
        &[Of("connections = 100", "connections = 100000000")],
        "warn",
        "open files are needed",
    ),
    (
        &[Of(
            "[[discovery]]\nplugin = \"discovery-static\"\nconfig.domains.\"example.com\" = \"https://cal.example.com/\"\n",
            "",
        )],
        "warn",
        "no [[discovery]] and no [mail]: nobody elsewhere is found",
    ),
    (
        &[Of("https://cal.example.com/", "http://cal.example.com/")],
        "fail",
        "iSchedule goes over https only",
    ),
    (
        &[Of(
            "[[policy]]\nplugin = \"policy-rules\"\nconfig.rules = [{ allow = \"any\", via = \"submission\" }]\n",
            "",
        )],
        "warn",
        "no [[policy]]: everything is denied",
    ),
    (
        &[Of(
            "allow = \"any\", via = \"submission\"",
            "allow = \"freebusy\", from = \"*@example.com\"",
        )],
        "warn",
        "nobody of ours may invite anybody: tried for anna@example.org",
    ),
    (
        &[Of("allow = \"any\"", "alow = \"any\"")],
        "fail",
        "did you mean `allow`?",
    ),
    (
        &[Of("via = \"submission\"", "via = \"submision\"")],
        "fail",
        "did you mean `submission`?",
    ),
    (
        &[Of(
            "[[store]]\nplugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"\n",
            "",
        )],
        "warn",
        "no [[store]] serves example.org",
    ),
    (
        &[Of("store-sqlite", "store-sqlit")],
        "fail",
        "did you mean `store-sqlite`?",
    ),
    (
        &[Of("store-sqlite", "policy-rules")],
        "fail",
        "list it under `[[policy]]`",
    ),
    (
        &[Of(
            "config.path = \"calendars.db\"",
            "config.pth = \"calendars.db\"",
        )],
        "fail",
        "did you mean `path`?",
    ),
    (
        &[Of("config.path = \"calendars.db\"\n", "")],
        "fail",
        "`config.path` is missing",
    ),
    (
        &[Of("store-sqlite", "./no.so")],
        "fail",
        "store: there is no such plugin at ",
    ),
    (
        &[File("text.so", b"hello"), Of("store-sqlite", "./text.so")],
        "fail",
        "text.so: is neither a library nor a program",
    ),
    (
        &[Of(
            "plugin = \"store-sqlite\"",
            "plugin = \"store-sqlite\"\nsha256 = \"abc\"",
        )],
        "fail",
        "not abc as configured",
    ),
    (
        &[Of(
            "plugin = \"store-sqlite\"",
            "plugin = \"store-sqlite\"\ndomains = [\"example.net\"]",
        )],
        "warn",
        "its `domains` name example.net, which is none of `[server] domains`",
    ),
    (
        &[Add(
            "[[store]]\nplugin = \"store-sqlite\"\nconfig.path = \"./calendars.db\"\n",
        )],
        "fail",
        "it keeps its data in ",
    ),
    (
        &[
            Add(
                "[[store]]\nname = \"b\"\nplugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"\n",
            ),
            Open,
        ],
        "fail",
        "each would write over the other",
    ),
    (
        &[Add(
            "[[state]]\nplugin = \"state-sqlite\"\nconfig.path = \"calendars.db\"\n",
        )],
        "fail",
        "each would write over the other",
    ),
    (
        &[Of(
            "[[store]]",
            "[[store]]\nname = \"a\"\nplugin = \"store-sqlite\"\nconfig.path = \"b.db\"\n[[store]]\nname = \"a\"",
        )],
        "fail",
        "another plugin is named `a` already",
    ),
    (
        &[Of(
            "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
            "plugin = \"store-caldav\"\nconfig.home = \"http://127.0.0.1:1/{usr}/\"",
        )],
        "fail",
        "`{usr}` stands for nothing",
    ),
    (
        &[
            Of(
                "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
                "plugin = \"store-caldav\"\nconfig.home = \"http://127.0.0.1:1/{usr}/\"",
            ),
            Open,
        ],
        "fail",
        "`{usr}` stands for nothing",
    ),
    (
        &[Of(
            "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
            "plugin = \"store-caldav\"\nconfig.home = \"http://127.0.0.1:1/{user}/\"\nconfig.login = { username = \"c\", password_file = \"no\" }",
        )],
        "fail",
        "no: the password cannot be read",
    ),
    (
        &[
            Of(
                "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
                "plugin = \"store-caldav\"\nconfig.home = \"http://127.0.0.1:1/{user}/\"\nconfig.login = { username = \"c\", password_file = \"pw\" }",
            ),
            File("pw", b"secret"),
            Open,
        ],
        "fail",
        "127.0.0.1:1",
    ),
    (
        &[Of(
            "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
            "plugin = \"store-postgres\"\nconfig.url = \"postgres://c@127.0.0.1:1/c\"\nconfig.password_file = \"no\"",
        )],
        "fail",
        "no: the password cannot be read",
    ),
    (
        &[
            Of(
                "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
                "plugin = \"store-postgres\"\nconfig.url = \"postgres://c@127.0.0.1:1/c\"",
            ),
            Open,
        ],
        "fail",
        "PostgreSQL on 127.0.0.1:1 cannot be reached",
    ),
    (
        &[Add(
            "[mail]\nsmtp = \"smtp://127.0.0.1:1\"\naddress = \"c@example.org\"\n",
        )],
        "fail",
        "nothing can be mailed: 127.0.0.1:1 does not take connections: ",
    ),
    (
        &[Of("state = \"state\"", "state = \"chain.pem\"")],
        "fail",
        "is no folder; write another `server.state`",
    ),
    (
        &[Of("\"calendars.db\"", "\"none/calendars.db\"")],
        "fail",
        "none/calendars.db does not exist; make it, owned by the user that runs convoke: install -d",
    ),
    (
        &[Add(
            "[[store]]\nname = \"b\"\nplugin = \"store-sqlite\"\nconfig.path = \"b.db\"\n",
        )],
        "warn",
        "the store `store-sqlite` serves example.org, too, and it alone is asked for people there",
    ),
    (
        &[Of(
            "via = \"submission\" }]",
            "via = \"submission\" }, { allow = \"freebusy\", via = \"dkm\" }]",
        )],
        "fail",
        "in number 2 of `config.rules` cannot be `dkm`",
    ),
    (
        &[Of(
            "via = \"submission\" }]",
            "via = \"submission\" }, { from = \"*@example.com\" }]",
        )],
        "fail",
        "rule 2 of `config.rules` has neither `allow` nor `deny` nor `hold`",
    ),
    (
        &[Mode("users.htpasswd", 0o644)],
        "warn",
        "users.htpasswd: everybody on this machine can read it (mode 0644); run: chmod o-rwx ",
    ),
    (
        &[Mode("convoke.toml", 0o666)],
        "warn",
        "everybody on this machine can write it",
    ),
    (
        &[Of("[verification]", "[verification]\nrequired = false")],
        "warn",
        "anybody may speak for any domain but yours",
    ),
    (
        &[Server("", 0, "")],
        "warn",
        "there is no SRV record, so that only partners who wrote our URL down find us; publish: _ischedules._tcp.example.org. 3600 IN SRV 0 1 443 cal.example.org.",
    ),
    (
        &[Server(
            "_ischedules._tcp.example.org",
            8443,
            "old.example.org",
        )],
        "warn",
        "SRV 0 1 8443 old.example.org, but the certificate is for cal.example.org",
    ),
    (
        &[Of("selector = \"is1\"", "selector = \"is2\"")],
        "warn",
        "peers find no key, and refuse what we sign",
    ),
    (
        &[Of("dkim.pem", "new.pem")],
        "fail",
        "peers find another key than the one that we sign with",
    ),
];

/// What all tries have in common, as keys take time.
struct World {
    files: Vec<(&'static str, String)>,
    record: String,
}

impl World {
    fn new() -> Self {
        let authority = Authority::new();
        let host = authority.issue(&["cal.example.org"]);
        let other = authority.issue(&["elsewhere.example"]);
        let expired = authority.issue_expired(&["cal.example.org"]);
        let servers = for_servers_alone();
        let leaf = of_an_intermediate();
        let [key, new] = [(); 2].map(|()| PrivateKey::generate(KeyKind::Ed25519).unwrap());
        Self {
            record: key.record().to_string(),
            files: vec![
                ("ca.pem", authority.certificate()),
                ("chain.pem", host.certificate),
                ("host.key", host.key),
                ("other.pem", other.certificate),
                ("other.key", other.key),
                ("expired.pem", expired.certificate),
                ("expired.key", expired.key),
                ("leaf.pem", leaf.certificate),
                ("leaf.key", leaf.key),
                ("servers.pem", servers.certificate),
                ("servers.key", servers.key),
                ("dkim.pem", key.to_pem().unwrap()),
                ("new.pem", new.to_pem().unwrap()),
                ("keys/example.com/one", key.record().to_string()),
                ("users.htpasswd", format!("anna:{HASH}\n")),
            ],
        }
    }

    /// A desk where nothing is wrong but what is edited, and what `check` says there.
    fn check(&self, edits: &[Edit]) -> Said {
        let (desk, dns) = (Desk::new(), NameServer::new());
        dns.txt("is1._domainkey.example.org", &self.record);
        dns.srv(
            "_ischedules._tcp.example.org",
            0,
            1,
            8443,
            "cal.example.org",
        );
        dns.a("cal.example.org", Ipv4Addr::LOCALHOST);
        dns.a("old.example.org", Ipv4Addr::LOCALHOST);
        for (name, text) in &self.files {
            desk.write(name, text);
            let mode = if text.contains("PRIVATE KEY") || *name == "users.htpasswd" {
                0o600
            } else {
                0o644
            };
            chmod(&desk, name, mode);
        }
        let mut config = GOOD
            .replace("PLUGINS", &plugin_directory().display().to_string())
            .into_bytes();
        let mut arguments = vec!["check", "--json"];
        for edit in edits {
            match edit {
                Of(old, new) => {
                    let text = String::from_utf8(config).unwrap();
                    assert!(text.contains(old), "{old}");
                    config = text.replacen(old, new, 1).into_bytes();
                }
                Add(more) => config.extend(format!("\n{more}").bytes()),
                Whole(bytes) => config = bytes.to_vec(),
                File(name, bytes) => {
                    desk.write_octets(name, bytes);
                    chmod(&desk, name, 0o600);
                }
                Login(line) => drop(desk.write("users.htpasswd", line)),
                Folder(name) => fs::create_dir(desk.path(name)).unwrap(),
                Server(name, port, target) => {
                    dns.remove("_ischedules._tcp.example.org");
                    if !name.is_empty() {
                        dns.srv(name, 0, 1, *port, target);
                    }
                }
                Mode(..) => {}
                Open => arguments.push("--open"),
            }
        }
        let address = dns.address().to_string();
        let config = match String::from_utf8(config) {
            Ok(text) => text.replace("NAMESERVER", &address).into_bytes(),
            Err(error) => error.into_bytes(),
        };
        desk.write_octets("convoke.toml", &config);
        for edit in edits {
            if let Mode(name, mode) = edit {
                chmod(&desk, name, *mode);
            }
        }
        desk.run(&arguments)
    }
}

fn chmod(desk: &Desk, name: &str, mode: u32) {
    fs::set_permissions(desk.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

/// Without the certificate of who issued it.
fn of_an_intermediate() -> Credentials {
    let [issuer, key] = [(); 2].map(|()| KeyPair::generate().unwrap());
    let mut of_issuer = CertificateParams::new(Vec::new()).unwrap();
    of_issuer
        .distinguished_name
        .push(DnType::CommonName, "Example Intermediate");
    let params = CertificateParams::new(vec!["cal.example.org".to_owned()]).unwrap();
    let certificate = params
        .signed_by(&key, &Issuer::new(of_issuer, issuer))
        .unwrap();
    Credentials {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

/// As authorities issue them since 2026.
fn for_servers_alone() -> Credentials {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["cal.example.org".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Credentials {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

/// What is wrong with what `check` says of a row.
fn tried(world: &World, (edits, verdict, says): &Row) -> Option<String> {
    let said = world.check(edits);
    let findings: Value = match serde_json::from_str(&said.out) {
        Ok(findings) => findings,
        Err(error) => return Some(format!("{says}: {error}: {said:?}")),
    };
    let findings = findings.as_array()?;
    let is_it = |it: &&Value| {
        it["verdict"] == *verdict && it["detail"].as_str().is_some_and(|it| it.contains(says))
    };
    let shown = || {
        let wrong = findings.iter().filter(|it| it["verdict"] != "ok");
        let lines: Vec<_> = wrong
            .map(|it| format!("  {} {}: {}", it["verdict"], it["what"], it["detail"]))
            .collect();
        lines.join("\n")
    };
    let status = i32::from(*verdict == "fail");
    let found = findings.iter().filter(is_it).count();
    if found == 1 && said.status == status {
        return None;
    }
    Some(format!(
        "{verdict} {says}: found {found} times, status {}\n{}",
        said.status,
        shown()
    ))
}

fn try_all(rows: &[Row]) {
    let (world, next) = (World::new(), AtomicUsize::new(0));
    let wrong: Vec<String> = thread::scope(|scope| {
        let tries = [(); 2].map(|()| {
            scope.spawn(|| {
                let place = || rows.get(next.fetch_add(1, Ordering::Relaxed));
                let rows = std::iter::from_fn(place);
                rows.filter_map(|row| tried(&world, row))
                    .collect::<Vec<_>>()
            })
        });
        let tries = tries.into_iter().flat_map(|it| it.join().unwrap());
        tries.collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Without this, the others would say little.
#[test]
fn nothing_is_wrong_with_what_is_right() {
    let world = World::new();
    for edits in [
        &[][..],
        &[Open],
        &[Of("127.0.0.1:0\"\ntls", "[::1]:0\"\ntls")],
    ] {
        let said = world.check(edits);
        let findings: Value = serde_json::from_str(&said.out).unwrap();
        let findings = findings.as_array().unwrap();
        let wrong = findings.iter().filter(|it| it["verdict"] != "ok");
        // A folder that the first start makes.
        let wrong: Vec<_> = wrong.filter(|it| it["what"] != "state folder").collect();
        assert!(wrong.is_empty() && said.status == 0, "{wrong:#?}");
    }
}

#[test]
fn what_cannot_be_read_is_met_with_what_was_meant() {
    try_all(READING);
}

#[test]
fn files_that_are_no_use_are_named_with_the_line_that_names_them() {
    try_all(FILES);
}

#[test]
fn what_would_not_work_is_said_before_it_is_tried() {
    try_all(WORKING);
}
