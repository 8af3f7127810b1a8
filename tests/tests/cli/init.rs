//! `convoke init`: what it writes can be served, and it writes over nothing.

use super::desk::{Desk, text};
use convoke_tests::{NameServer, plugin_directory, program};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

const WHOLE: [&str; 6] = [
    "init",
    "--domain",
    "example.org",
    "--yes",
    "--config",
    "new/convoke.toml",
];

fn desk() -> Desk {
    let desk = Desk::new();
    fs::create_dir(desk.path("new")).unwrap();
    desk
}

/// What `check` says of the configuration, with plugins from where tests have them and a name server of the test.
fn checked(desk: &Desk, server: &NameServer) -> Vec<Value> {
    let written = fs::read_to_string(desk.path("new/convoke.toml")).unwrap();
    let plugins = format!("[server]\nplugins = [\"{}\"]", plugin_directory().display());
    let text = written.replacen("[server]", &plugins, 1);
    // Ports that are fixed may be taken on this machine.
    let text = text.replace(":8443\"", ":0\"").replace(":8444\"", ":0\"");
    let text = text.replace(":8008\"", ":0\"").replace(":9090\"", ":0\"");
    let dns = format!("[dns]\nnameservers = [\"{}\"]\n", server.address());
    desk.write("new/checked.toml", &format!("{text}\n{dns}"));
    let said = desk.run(&["check", "--json", "--config", "new/checked.toml"]);
    let findings = said.json_whatever_came_of_it();
    findings.as_array().unwrap().clone()
}

fn failed(findings: &[Value]) -> Vec<String> {
    let failed = findings.iter().filter(|it| it["verdict"] == "fail");
    failed.map(ToString::to_string).collect()
}

/// Also where the listener for programs is only proposed, in a comment.
#[test]
fn an_authority_may_issue_the_certificate() {
    let desk = desk();
    desk.write("password", "secret");
    let caldav = [
        "--store",
        "caldav:http://127.0.0.1:5232/{user}/",
        "--caldav-password-file",
        "password",
    ];
    for (more, lines) in [
        (&["--acme"][..], 2),
        (&["--acme", "https://ca.example/dir"], 2),
    ] {
        let written = desk.run(&[&WHOLE[..], &["--print"], more].concat());
        assert_eq!(written.status, 0, "{}", written.err);
        let acme = |text: &str| {
            text.lines()
                .filter(|it| it.starts_with("tls.acme = "))
                .count()
        };
        assert_eq!(acme(&written.out), lines, "{}", written.out);
        let directory = more
            .get(1)
            .copied()
            .unwrap_or("https://acme-v02.api.letsencrypt.org/directory");
        assert!(
            written
                .out
                .contains(&format!("directory = \"{directory}\""))
        );
        let behind = desk.run(&[&WHOLE[..], &caldav, &["--print"], more].concat());
        assert_eq!(behind.status, 0, "{}", behind.err);
        assert_eq!(acme(&behind.out), 1, "{}", behind.out);
    }
}

#[test]
fn what_is_written_passes_once_the_records_are_published() {
    let desk = desk();
    let made = desk.run(&[&WHOLE[..], &["--json"]].concat()).json();
    let records = &made["dns"];
    let key = records["txt"]["strings"].as_array().unwrap();
    let key: Vec<&str> = key.iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(records["receiver"]["name"], "_ischedules._tcp.example.org");
    assert_eq!(records["receiver"]["target"], "cal.example.org");
    let server = NameServer::new();
    server.srv(
        "_ischedules._tcp.example.org",
        0,
        1,
        8443,
        "cal.example.org",
    );
    server.txt("is1._domainkey.example.org", &key.concat());
    let findings = checked(&desk, &server);
    assert_eq!(failed(&findings), Vec::<String>::new());
    let found = |what: &str| {
        findings
            .iter()
            .find(|it| it["what"] == what)
            .unwrap_or_else(|| panic!("{what}: {findings:?}"))["verdict"]
            .clone()
    };
    assert_eq!(found("signing: dns/txt"), "ok");
    // Private files are nobody else's.
    for name in ["key.pem", "dkim.pem", "users.htpasswd"] {
        let rights = fs::metadata(desk.path("new").join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(rights & 0o777, 0o600, "{name}");
    }
}

/// A certificate for another host is none.
#[test]
fn a_host_that_is_called_otherwise_gets_another_certificate() {
    let desk = desk();
    let init = |host: &str, more: &[&str]| {
        let arguments = [
            "init",
            "--domain",
            "example.org",
            "--config",
            "new/convoke.toml",
            "--yes",
            "--json",
            "--host",
            host,
        ];
        desk.run(&[&arguments[..], more].concat()).json()
    };
    init("cal.example.org", &[]);
    let read = |name: &str| fs::read_to_string(desk.path("new").join(name)).unwrap();
    let (chain, key) = (read("fullchain.pem"), read("key.pem"));
    // The same again changes nothing.
    let again = init("cal.example.org", &["--force"]);
    assert!(
        again.get("remarks").is_none() && read("fullchain.pem") == chain,
        "{again}"
    );
    let other = init("new.example.org", &["--force"]);
    assert!(other.get("remarks").is_none(), "{other}");
    assert_eq!(
        (read("fullchain.pem.old"), read("key.pem.old")),
        (chain, key)
    );
    assert_ne!(read("fullchain.pem"), read("fullchain.pem.old"));
    // Only once, as nothing takes the place of what was kept.
    let third = init("third.example.org", &["--force"]);
    let remark = third["remarks"][0].as_str().unwrap();
    for part in [
        "is for new.example.org, example.org, not for third.example.org",
        "convoke keys certificate third.example.org",
    ] {
        assert!(remark.contains(part), "{remark}");
    }
}

#[test]
fn each_kind_of_answer_gives_a_configuration_that_is_read() {
    for (arguments, lines) in [
        (&["--who", "nobody"][..], &["Nobody elsewhere is asked"][..]),
        (
            &[
                "--who",
                "example.com, example.net",
                "--store",
                "vdir:calendars",
            ],
            &[
                "\"*@example.com\", \"*@example.net\"",
                "plugin = \"store-vdir\"",
                // Named here, in a configuration that lies elsewhere.
                "HERE/calendars\"",
            ],
        ),
        (
            &[
                "--store",
                "caldav:http://127.0.0.1:5232/{user}/",
                "--caldav-password-file",
                "dav.password",
            ],
            &[
                "config.home = \"http://127.0.0.1:5232/{user}/\"",
                "HERE/dav.password\"",
                "# upstream = \"http://127.0.0.1:5232\"",
            ],
        ),
        (
            &[
                "--certificate",
                "a'b\".pem",
                "--key",
                "k.pem",
                "--host",
                "calendar.example.org",
                "--port",
                "443",
            ],
            &[
                "HERE/a'b",
                "address = \"[::]:443\"",
                "https://calendar.example.org:8444/",
            ],
        ),
    ] {
        let desk = desk();
        for file in ["dav.password", "a'b\".pem", "k.pem"] {
            desk.write(file, "");
        }
        let arguments = [&WHOLE[..], &["--print"], arguments].concat();
        let said = desk.run(&arguments);
        assert_eq!(said.status, 0, "{said:?}");
        let here = desk.path("");
        for line in lines {
            let line = line.replace("HERE/", text(&here));
            let line = line.as_str();
            assert!(said.out.contains(line), "{line} is not in:\n{}", said.out);
        }
        assert_eq!(
            fs::read_dir(desk.path("new")).unwrap().count(),
            0,
            "it only prints"
        );
        // A program that reads it finds nothing to say of how it is written.
        desk.write("new/convoke.toml", &said.out);
        let check = desk.run(&["check", "--config", "new/convoke.toml"]);
        let first = check.out.lines().next().unwrap();
        assert!(
            first.starts_with("ok") && first.contains("configuration"),
            "{check:?}"
        );
    }
}

#[test]
fn what_no_option_says_is_asked() {
    let desk = desk();
    let answers = "two words\nexample.org\n\nexample.com\npaper\nsqlite:data.db\nnew\n";
    let said = desk.pipe(&["init", "--config", "new/convoke.toml"], answers);
    assert_eq!(said.status, 0, "{said:?}");
    assert!(
        said.err
            .contains("Which domain are your people's addresses in? "),
        "{said:?}"
    );
    assert!(said.err.contains("DNS? [cal.example.org] "), "{said:?}");
    assert!(said.err.contains("say where: sqlite:FILE"), "{said:?}");
    let written = fs::read_to_string(desk.path("new/convoke.toml")).unwrap();
    assert!(
        written.contains("\"*@example.com\"") && written.contains(text(&desk.path("data.db"))),
        "{written}"
    );
    // Who goes away in the middle has written nothing.
    let desk = self::desk();
    let said = desk.pipe(&["init", "--config", "new/convoke.toml"], "example.org\n");
    assert_eq!(said.status, 2, "{said:?}");
    assert!(
        said.err.contains("has no answer; say it by an option"),
        "{said:?}"
    );
    assert_eq!(fs::read_dir(desk.path("new")).unwrap().count(), 0);
}

#[test]
fn nothing_is_written_over_unless_that_is_said_and_keys_never() {
    let desk = desk();
    assert_eq!(desk.run(&WHOLE).status, 0);
    let read = |name: &str| fs::read_to_string(desk.path("new").join(name)).unwrap();
    let keys = || ["dkim.pem", "key.pem", "fullchain.pem"].map(read);
    let (config, before) = (read("convoke.toml"), keys());
    let refused = desk.run(&WHOLE);
    assert!(
        refused
            .complaint(1)
            .contains("is there already; name another with --config"),
        "{refused:?}"
    );
    assert_eq!(read("convoke.toml"), config);
    desk.write("new/convoke.toml", "mine\n");
    let forced = desk
        .run(&[&WHOLE[..], &["--force", "--json"]].concat())
        .json();
    assert_eq!(forced["files"].as_array().unwrap().len(), 1, "{forced}");
    assert_eq!(read("convoke.toml"), config);
    assert_eq!(read("convoke.toml.old"), "mine\n");
    assert_eq!(keys(), before);
}

#[test]
fn what_does_not_go_together_is_refused_with_what_to_write() {
    let desk = desk();
    for (arguments, part) in [
        (
            &["--store", "caldav:https://dav.example.org/"][..],
            "write {user} where the name",
        ),
        (
            &["--store", "caldav:https://dav.example.org/{user}/"],
            "--caldav-password-file",
        ),
        (&["--certificate", "a.pem"], "--key"),
        (
            &["--certificate", "a.pem", "--key", "b.pem"],
            "a.pem cannot be read: No such file",
        ),
        (
            &["--who", "*@example.com"],
            "write everybody, nobody, or domains",
        ),
    ] {
        let said = desk.run(&[&WHOLE[..], arguments].concat());
        assert_eq!(said.status, 2, "{said:?}");
        assert!(said.err.contains(part), "{said:?}");
    }
    let said = desk.run(&["init", "--yes", "--config", "new/convoke.toml"]);
    assert_eq!(said.status, 2, "{said:?}");
    assert_eq!(fs::read_dir(desk.path("new")).unwrap().count(), 0);
}

/// As it is written, but for ports that may be taken here.
#[test]
fn what_is_written_can_be_served() {
    let desk = desk();
    assert_eq!(desk.run(&WHOLE).status, 0);
    let server = NameServer::new();
    checked(&desk, &server);
    let file = desk.path("new/checked.toml");
    let mut host = Command::new(program());
    let host = host.args(["serve", "--while-stdin-open", "--config", text(&file)]);
    let mut host = host
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(host.stderr.take().unwrap());
    let mut lines = log.lines().map_while(Result::ok);
    let ready = lines.find(|line| line.contains("\"ready\""));
    drop(host.stdin.take());
    assert!(ready.is_some());
    assert!(host.wait().unwrap().success());
}
