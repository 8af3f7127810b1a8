//! Commands that need no running host.

use crate::desk::{Desk, calendar, event, text};
use convoke_tests::{plugin_file, program};
use serde_json::{Value, json};
use std::{fs, process::Command};

const MEETING: &str = "DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nSUMMARY:Meeting\n";

#[test]
fn users_are_made_listed_and_removed() {
    let desk = Desk::new();
    let add = [
        "user",
        "add",
        "anna@example.org",
        "--name",
        "Anna Berg",
        "--timezone",
        "Europe/Berlin",
        "--alias",
        "a.berg@example.org",
    ];
    assert_eq!(
        desk.run(&add).out,
        "anna@example.org is now a calendar user of `store-sqlite`\n"
    );
    assert_eq!(
        desk.run(&["user", "add", "MAILTO:bo@Example.Org"]).status,
        0
    );
    let listed = desk.run(&["user", "list", "--json"]).json();
    let expected = json!([
        {"address": "mailto:anna@example.org", "name": "Anna Berg", "timezone": "Europe/Berlin", "aliases": ["mailto:a.berg@example.org"], "kind": "individual", "schedule": "on"},
        {"address": "mailto:bo@example.org", "name": null, "timezone": null, "aliases": [], "kind": "individual", "schedule": "on"},
    ]);
    assert_eq!(listed, expected);
    assert!(
        desk.run(&["user", "list"])
            .out
            .starts_with("anna@example.org  Anna Berg  Europe/Berlin")
    );
    assert_eq!(
        desk.run(&["user", "remove", "a.berg@example.org"]).status,
        0
    );
    assert_eq!(
        desk.run(&["user", "list", "--json"])
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_calendar_comes_in_from_files_folders_and_stdin_one_object_a_uid() {
    let desk = Desk::with_users(&["anna@example.org"]);
    let import = |more: &[&str]| {
        let arguments = [&["calendar", "import", "--user", "anna@example.org"], more].concat();
        desk.run(&arguments)
    };
    let two = [event("one", MEETING), event("two", MEETING)].concat();
    let file = desk.write("two.ics", &two);
    assert_eq!(
        import(&[text(&file)]).out,
        "2 objects imported for anna@example.org\n"
    );

    let series = "BEGIN:VEVENT\nUID:three\nDTSTAMP:20261101T000000Z\nDTSTART:20270104T100000Z\nRRULE:FREQ=DAILY;COUNT=3\nEND:VEVENT\n\
                  BEGIN:VEVENT\nUID:three\nDTSTAMP:20261101T000000Z\nRECURRENCE-ID:20270105T100000Z\nDTSTART:20270105T120000Z\nEND:VEVENT\n";
    desk.write("folder/deep/series.ICS", &calendar(series));
    desk.write("folder/notes.txt", "not a calendar");
    let todo = "BEGIN:VTODO\nUID:four\nDTSTAMP:20261101T000000Z\nSUMMARY:Buy bread\nEND:VTODO\n";
    desk.write("folder/todo.ics", &calendar(todo));
    assert_eq!(import(&[text(&desk.path("folder"))]).status, 0);

    let arguments = ["calendar", "import", "--user", "anna@example.org"];
    assert_eq!(desk.pipe(&arguments, &event("five", MEETING)).status, 0);

    let listed = desk
        .run(&["calendar", "list", "--user", "anna@example.org", "--json"])
        .json();
    let mut objects: Vec<(&str, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (
                it["uid"].as_str().unwrap(),
                it["component"].as_str().unwrap(),
            )
        })
        .collect();
    objects.sort_unstable();
    let expected = [
        ("five", "VEVENT"),
        ("four", "VTODO"),
        ("one", "VEVENT"),
        ("three", "VEVENT"),
        ("two", "VEVENT"),
    ];
    assert_eq!(objects, expected);
    assert!(
        listed
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["etag"].is_string())
    );

    let one = desk.run(&[
        "calendar",
        "export",
        "--user",
        "anna@example.org",
        "--uid",
        "one",
    ]);
    assert!(
        one.out.contains("UID:one\r\n") && !one.out.contains("UID:two"),
        "{one:?}"
    );
    let all = desk
        .run(&["calendar", "export", "--user", "anna@example.org"])
        .out;
    assert_eq!(all.matches("BEGIN:VCALENDAR").count(), 1);
    assert_eq!(all.matches("UID:three\r\n").count(), 2);
    let again = Desk::with_users(&["anna@example.org"]);
    assert_eq!(
        again.pipe(&arguments, &all).out,
        "5 objects imported for anna@example.org\n"
    );
}

/// One sentence on stderr, nothing on stdout.
fn fails(desk: &Desk, status: i32, command: &str, expected: &str) {
    let said = desk.run(&command.split(' ').collect::<Vec<_>>());
    let complaint = said.complaint(status);
    assert!(
        complaint.contains(expected),
        "{command}: {complaint}without {expected}"
    );
}

#[test]
fn what_cannot_be_done_is_one_sentence_with_a_remedy() {
    let desk = Desk::with_users(&["anna@example.org"]);
    desk.write("broken.ics", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n");
    desk.write("object.ics", &event("one", MEETING));
    let (anna, bo) = ("anna@example.org", "bo@example.org");
    let make_bo = "`convoke user add bo@example.org`";
    for (command, expected) in [
        (format!("user add {anna}"), anna),
        (
            "user add anna@example.com".to_owned(),
            "add its domain to the `domains`",
        ),
        (format!("user remove {bo}"), make_bo),
        (format!("calendar list --user {bo}"), make_bo),
        (
            format!("calendar export --user {anna} --uid x"),
            "`convoke calendar list --user anna@example.org`",
        ),
        (
            format!("calendar import --user {anna} broken.ics"),
            "broken.ics",
        ),
        (
            format!("calendar import --user {anna} missing.ics"),
            "missing.ics",
        ),
        (
            format!("reply --user {anna} --uid x accept"),
            "no convoke is running; start it with `convoke serve --config /",
        ),
        (format!("send broken.ics --as {anna}"), "broken.ics"),
        (
            format!("send object.ics --as {anna}"),
            "no convoke is running; start it with `convoke serve --config /",
        ),
        (
            format!("freebusy --as {anna} {bo}"),
            "no convoke is running; start it with `convoke serve --config /",
        ),
        (
            "user list --config elsewhere.toml".to_owned(),
            "--config FILE",
        ),
        ("plugin inspect convoke.toml".to_owned(), "convoke.toml"),
    ] {
        fails(&desk, 1, &command, expected);
    }
}

#[test]
fn what_makes_no_sense_ends_with_2() {
    let desk = Desk::new();
    let freebusy = "freebusy --as anna@example.org bo@example.org";
    for (more, expected) in [
        ("--from now --to now", "must end after it starts"),
        ("--to now+10w", "use --json"),
        ("--server http://cal.example.org", "use https"),
        ("--server ftp://cal.example.org", "https"),
    ] {
        fails(&desk, 2, &format!("{freebusy} {more}"), expected);
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    let desk = Desk::new();
    for arguments in [
        &["frebusy"][..],
        &["freebusy", "bo@example.org"],
        &["freebusy", "--as", "anna", "bo@example.org"],
        &[
            "freebusy",
            "--as",
            "anna@example.org",
            "bo@example.org",
            "--from",
            "tomorrow",
        ],
        &["user", "add", "anna@example.org", "--timezone", "Berlin"],
        &["reply", "--user", "anna@example.org", "--uid", "x", "maybe"],
    ] {
        let said = desk.run(arguments);
        assert_eq!(said.status, 2, "{said:?}");
        assert!(said.err.contains("--help"), "{said:?}");
    }
}

#[test]
fn a_configuration_is_needed_and_named() {
    let elsewhere = tempfile::tempdir().unwrap();
    let output = Command::new(program())
        .args(["user", "list"])
        .current_dir(elsewhere.path())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    // A machine where Convoke is installed has one.
    assert!(
        output.status.success() || error.contains("convoke.toml"),
        "{error}"
    );
}

#[test]
fn plugins_are_listed_and_looked_into() {
    let desk = Desk::new();
    let listed = desk.run(&["plugin", "list", "--json"]).json();
    let store = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == "store-sqlite")
        .unwrap();
    assert_eq!(store["kinds"], json!(["store"]));
    assert_eq!(store["state"], "ready");
    assert_eq!(store["abi"], "1.0");
    let file = store["file"].as_str().unwrap();
    let inspected = desk.run(&["plugin", "inspect", file, "--json"]).json();
    assert_eq!(inspected["name"], "store-sqlite");
    assert_eq!(inspected["kinds"], json!(["store", "state"]));
    assert_eq!(inspected["other_names"], json!({"state": "state-sqlite"}));
    assert_eq!(inspected["refused"], Value::Null);
    assert_eq!(inspected["signature"], json!({"state": "none"}));

    let config = std::fs::read_to_string(desk.path("convoke.toml")).unwrap();
    desk.write("convoke.toml", &config.replace("config.path", "config.pth"));
    let said = desk.run(&["plugin", "list", "--json"]);
    assert_eq!(said.status, 1);
    let listed = said.json_whatever_came_of_it();
    let failed = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["state"] == "failed")
        .unwrap();
    assert!(
        failed["reason"]
            .as_str()
            .unwrap()
            .contains("did you mean `path`?"),
        "{failed}"
    );
}

/// Whoever looks leaves nothing behind: the first host finds a folder to make.
#[test]
fn looking_makes_no_state() {
    let desk = Desk::new();
    let looks: [&[&str]; 3] = [&["check"], &["plugin", "list"], &["check", "--open"]];
    for look in looks {
        let said = desk.run(look);
        assert_eq!(said.status, 0, "{said:?}");
        assert!(said.out.contains("state-sqlite"), "{said:?}");
        assert!(!desk.path("state").exists(), "{look:?}");
    }
    let added = desk.run(&["user", "add", "anna@example.org"]);
    assert_eq!(added.status, 0, "{added:?}");
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(desk.path("state"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (std::fs::read(&path).unwrap(), path))
            .collect();
        files.sort();
        files
    };
    let before = files();
    assert!(before.iter().any(|(_, path)| path.ends_with("state.db")));
    for look in looks {
        assert_eq!(desk.run(look).status, 0);
        assert_eq!(files(), before, "{look:?}");
    }
}

#[test]
fn inspect_says_who_signed_a_plugin() {
    let desk = Desk::new();
    let file = desk.path("acme.so");
    std::fs::copy(plugin_file("store-sqlite"), &file).unwrap();
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let data = std::io::Cursor::new(std::fs::read(&file).unwrap());
    let signature = minisign::sign(Some(&pair.pk), &pair.sk, data, Some("acme 1.2"), None);
    desk.write("acme.so.minisig", &signature.unwrap().to_string());
    desk.write("acme.pub", &pair.pk.to_box().unwrap().to_string());

    let said = desk.run(&["plugin", "inspect", "acme.so"]);
    assert!(
        said.out
            .contains("which is no trusted key: it proves nothing"),
        "{said:?}"
    );
    let inspect = ["plugin", "inspect", "acme.so", "--json", "--key"];
    for key in ["acme.pub".to_owned(), pair.pk.to_base64()] {
        let inspected = desk.run(&[&inspect[..], &[&key]].concat()).json();
        assert_eq!(inspected["signature"]["state"], "good");
        assert_eq!(inspected["signature"]["comment"], "acme 1.2");
        assert_eq!(inspected["refused"], Value::Null);
    }

    let config = std::fs::read_to_string(desk.path("convoke.toml")).unwrap();
    let trusting = config.replace("[server]\n", "[server]\ntrusted_keys = [\"acme.pub\"]\n");
    desk.write("convoke.toml", &trusting);
    let said = desk.run(&["plugin", "inspect", "acme.so"]);
    assert!(said.out.contains("signed   by acme ("), "{said:?}");
    desk.write("acme.so.minisig", "");
    let said = desk.run(&["plugin", "inspect", "acme.so"]);
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.out.contains("has no readable signature"), "{said:?}");
    let said = desk.run(&["check"]);
    assert_eq!(said.status, 1, "the plugins of the host are not signed");
    assert!(
        said.out.contains("`server.trusted_keys` asks for it"),
        "{said:?}"
    );
}

#[test]
fn check_says_what_is_right_and_what_is_wrong() {
    let desk = Desk::new();
    let said = desk.run(&["check"]);
    assert_eq!(said.status, 0, "{said:?}");
    assert!(said.out.contains("ok    configuration"), "{said:?}");
    assert!(said.out.contains("warn  signing"), "{said:?}");
    for made in ["calendars.db", "state"] {
        assert!(!desk.path(made).exists(), "check made {made}");
    }
    let opened = desk.run(&["check", "--open"]);
    assert_eq!(opened.status, 0, "{opened:?}");
    assert!(desk.path("calendars.db").exists());

    let config = std::fs::read_to_string(desk.path("convoke.toml")).unwrap();
    let tls =
        "users = \"users.htpasswd\"\ntls = { certificate = \"none.pem\", key = \"none.key\" }";
    desk.write(
        "convoke.toml",
        &config.replace("users = \"users.htpasswd\"", tls),
    );
    let said = desk.run(&["check", "--json"]);
    assert_eq!(said.status, 1);
    let findings = said.json_whatever_came_of_it();
    let failed = findings
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["verdict"] == "fail")
        .unwrap();
    assert!(
        failed["detail"].as_str().unwrap().contains("none.pem"),
        "{failed}"
    );
    let named = findings.to_string().matches("none.pem").count();
    assert_eq!(named, 1, "{findings}");

    for (wrong, place, says) in [
        (
            "config.pth = ",
            "convoke.toml:15:8: store",
            "did you mean `path`?",
        ),
        (
            "#",
            "convoke.toml:13:1: store",
            "`config.path` is missing; add it",
        ),
        (
            "config.path = 3 # ",
            "convoke.toml:15:8: store",
            "expected path",
        ),
    ] {
        desk.write("convoke.toml", &config.replace("config.path = ", wrong));
        let said = desk.run(&["check"]);
        assert_eq!(said.status, 1, "{said:?}");
        let found =
            |line: &str| line.starts_with("fail") && line.contains(place) && line.contains(says);
        assert!(said.out.lines().any(found), "{wrong}: {said:?}");
    }

    desk.write("convoke.toml", &config.replace("[[store]]", "[[stor]]"));
    let said = desk.run(&["check"]);
    assert_eq!(said.status, 1);
    assert!(
        said.out.contains("convoke.toml:13:3") && said.out.contains("did you mean `store`?"),
        "{said:?}"
    );
}

#[test]
fn check_finds_what_serve_would_not_start_with() {
    let desk = Desk::new();
    let finds = |verdict: &str, text: &str| {
        let said = desk.run(&["check"]);
        let found = |line: &str| line.starts_with(verdict) && line.contains(text);
        assert!(said.out.lines().any(found), "{text}: {said:?}");
    };
    finds("warn", "is not there yet; `serve` makes it");
    std::fs::create_dir(desk.path("state")).unwrap();
    finds("ok    state folder", "state");
    for (logins, wrong) in [
        ("anna@example.org:$apr1$x$y\n", "users.htpasswd:1: "),
        ("# people\nanna\n", "users.htpasswd:2: "),
    ] {
        desk.write("users.htpasswd", logins);
        finds("fail", wrong);
        let refused = desk.run(&["serve"]);
        assert!(refused.err.contains(wrong), "{refused:?}");
    }
    let config = std::fs::read_to_string(desk.path("convoke.toml")).unwrap();
    let caldav = "plugin = \"store-caldav\"\nconfig.hme = \"http://127.0.0.1:1/{user}/\"";
    desk.write(
        "convoke.toml",
        &config
            .replace("plugin = \"store-sqlite\"", caldav)
            .replace("config.path", "#"),
    );
    finds("fail", "did you mean `home`?");
}

/// A listener takes it, it vouches for nobody else, and it takes the place of nothing.
#[test]
fn a_certificate_for_a_try_out_is_made() {
    let desk = Desk::new();
    let command = ["keys", "certificate", "example.org", "cal.example.org"];
    let made = desk.run(&[&command[..], &["--json"]].concat()).json();
    assert_eq!(
        made,
        json!({"certificate": "fullchain.pem", "key": "key.pem"})
    );
    let config = std::fs::read_to_string(desk.path("convoke.toml")).unwrap();
    let tls = "users = \"users.htpasswd\"\n\
               tls = { certificate = \"fullchain.pem\", key = \"key.pem\", client_ca = \"fullchain.pem\" }";
    desk.write(
        "convoke.toml",
        &config.replace("users = \"users.htpasswd\"", tls),
    );
    let checked = desk.run(&["check"]);
    assert_eq!(checked.status, 0, "{checked:?}");
    // The password in a test is hashed at little cost, which is remarked upon.
    let about = |line: &&str| line.contains("listener submission") && !line.contains("bcrypt");
    let mut lines = checked.out.lines().filter(about);
    assert!(lines.all(|it| it.starts_with("ok")), "{checked:?}");
    let complaint = desk.run(&command);
    assert!(
        complaint
            .complaint(1)
            .contains("key.pem: the file is there already")
    );
}

#[test]
fn every_shell_gets_completions() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = desk.run(&["completions", shell]);
        assert!(said.status == 0 && said.out.contains("freebusy"), "{shell}");
    }
}

#[test]
fn the_version_is_said_in_short_and_with_what_a_report_needs() {
    let desk = Desk::new();
    let short = desk.run(&["-V"]);
    assert_eq!(short.status, 0);
    let version = short.out.strip_prefix("convoke ").unwrap().trim_end();
    assert!(
        !version.contains('\n') && version.contains('.'),
        "{short:?}"
    );
    let long = desk.run(&["--version"]).out;
    let lines: Vec<_> = long.lines().collect();
    assert_eq!(lines[0], format!("convoke {version}"));
    assert!(lines[1].starts_with("commit: "), "{long}");
    let file = plugin_file("discovery-static");
    let plugin = desk
        .run(&["plugin", "inspect", text(&file), "--json"])
        .json();
    let interface = plugin["abi"].as_str().unwrap_or_else(|| panic!("{plugin}"));
    assert_eq!(lines[2], format!("plugin interface: {interface}"));
}

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = listed.lines().take_while(|line| !line.is_empty());
    // What goes on in a second line is indented further.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|it| *it != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_has_a_manual_page() {
    let desk = Desk::new();
    let said = desk.run(&["man", "pages", "--json"]).json();
    let pages: Vec<&str> = said["pages"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it.as_str())
        .collect();
    let mut waiting = vec![Vec::new()];
    let mut found = 0;
    while let Some(path) = waiting.pop() {
        let name = [&["convoke".to_owned()], &*path].concat().join("-") + ".1";
        assert!(pages.contains(&&*name), "{name} is not in {pages:?}");
        let page = fs::read_to_string(desk.path("pages").join(&name)).unwrap();
        assert!(page.contains(".SH EXAMPLES\n"), "{page}");
        found += 1;
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        for command in commands(&desk.run(&arguments).out) {
            waiting.push([&*path, &[command]].concat());
        }
    }
    assert_eq!(found, pages.len());
    assert!(found > 40, "{pages:?}");
    // An example is shown as it is typed.
    let page = fs::read_to_string(desk.path("pages/convoke-user-add.1")).unwrap();
    let example = "\n.EX\nconvoke user add anna@example.org \\-\\-name \\*(AqAnna Berg\\*(Aq \\-\\-timezone Europe/Berlin\n";
    assert!(page.contains(example), "{page}");
}

#[test]
fn help_teaches() {
    let desk = Desk::new();
    let help = desk.run(&["--help"]).out;
    for word in [
        "demo",
        "serve",
        "check",
        "user",
        "calendar",
        "freebusy",
        "send",
        "reply",
        "plugin",
        "completions",
        "Examples:",
    ] {
        assert!(help.contains(word), "{help}");
    }
}

#[test]
fn inspect_shows_what_a_plugin_can_be_told() {
    let desk = Desk::new();
    let file = plugin_file("store-vdir");
    let file = text(&file);
    let inspected = desk.run(&["plugin", "inspect", file, "--json"]).json();
    let keys = inspected["config"]["store"].as_array().unwrap();
    assert_eq!(
        keys[0],
        json!({
            "name": "path", "type": "path", "required": true, "default": null,
            "doc": "The folder that holds a folder a user; a relative path counts from the configuration file's folder.",
        })
    );
    let said = desk.run(&["plugin", "inspect", file]).out;
    for line in [
        "config of the store:",
        "  calendar  text                      optional  The calendar that new objects go to.",
        "  users     table of users by folder  = {}      Users by the names",
    ] {
        assert!(said.contains(line), "{line} is not in:\n{said}");
    }
    // A plugin that describes nothing says so.
    let said = desk.run(&["plugin", "inspect", text(&plugin_file("test-fixed"))]);
    let end = "config of the discovery: it does not say\n";
    assert!(said.out.ends_with(end), "{said:?}");
}

#[test]
fn our_own_plugins_keep_their_promises_as_the_host_loads_them() {
    let desk = Desk::new();
    desk.write(
        "strategy.toml",
        "domains.'example.com' = 'https://cal.example.com/'",
    );
    let known = ["--known", "anna@example.com", "--unknown", "a@example.net"];
    let about = ["--default", "abstain", "--about", "anna@example.com"];
    for (plugin, config, more, laws) in [
        ("discovery-static", "strategy.toml", &known[..], 10),
        (
            "policy-rules",
            "rules = [{ allow = 'any', from = '*@example.com' }]",
            &about,
            9,
        ),
        ("store-sqlite", "path = 'calendars.db'", &[], 30),
        ("store-vdir", "path = 'calendars'", &[], 30),
    ] {
        let file = plugin_file(plugin);
        let command = ["plugin", "test", text(&file), "--json", "--config", config];
        let tested = desk.run(&[&command[..], more].concat()).json();
        assert_eq!(tested["name"], plugin);
        let found = tested["kinds"][0]["laws"].as_array().unwrap();
        assert_eq!(found.len(), laws, "{tested:#}");
        assert!(
            found.iter().all(|law| law["outcome"] != "broken"),
            "{tested:#}"
        );
    }
    assert!(
        !desk.path("calendars").exists(),
        "it works in a folder of its own"
    );
}

#[test]
fn a_plugin_that_breaks_its_promises_is_told_what_was_expected() {
    let desk = Desk::new();
    let faulty = plugin_file("test-faulty");
    let command = [
        "plugin",
        "test",
        text(&faulty),
        "--config",
        "fault = 'panic'",
    ];
    let said = desk.run(&[&command[..], &["--kind", "policy"]].concat());
    assert_eq!(said.status, 1, "{said:?}");
    let line = said
        .out
        .lines()
        .find(|line| line.contains("no request makes it fail"));
    let line = line.unwrap_or_else(|| panic!("{said:?}"));
    for part in [
        "BROKEN",
        "expected a decision",
        "the plugin panicked: out of cheese",
    ] {
        assert!(line.contains(part), "{line}");
    }
    let said = desk.run(&[&command[..], &["--kind", "policy", "--json"]].concat());
    assert_eq!(said.json_whatever_came_of_it()["kept"], false);
}

#[test]
fn a_test_that_cannot_be_begun_is_one_sentence() {
    let desk = Desk::new();
    let sqlite = plugin_file("store-sqlite");
    let sqlite = text(&sqlite);
    let inspect_me = text(&desk.write("notes.txt", "Dear diary,")).to_owned();
    for (arguments, status, says) in [
        (
            vec![inspect_me.as_str()],
            1,
            "is neither a library nor a program",
        ),
        (
            vec![sqlite, "--config", "path = "],
            2,
            "--config is neither a file nor TOML",
        ),
        (
            vec![sqlite, "--kind", "policy"],
            1,
            "offers store, not policy",
        ),
    ] {
        let said = desk.run(&[&["plugin", "test"][..], &arguments].concat());
        assert!(said.complaint(status).contains(says), "{said:?}");
    }
    let said = desk.run(&["plugin", "test", sqlite, "--config", "pth = 'x'"]);
    assert_eq!(said.status, 1);
    assert!(
        said.out
            .contains("BROKEN  a store opens: opening it failed"),
        "{said:?}"
    );
    assert!(said.out.contains("did you mean `path`?"), "{said:?}");
}
