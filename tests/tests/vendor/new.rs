use crate::workshop::{Workshop, library, lock, root, succeed};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_new_plugin_builds_and_passes_its_tests_at_once() {
    for (kind, name, config, more, laws) in [
        (
            "discovery",
            "acme-finder",
            r#"domains."example.com" = "https://cal.example.com/""#,
            &["--known", "anna@example.com", "--unknown", "a@example.net"][..],
            9,
        ),
        (
            "policy",
            "acme-friends",
            "friends = ['example.com']",
            &["--default", "abstain", "--about", "anna@example.com"],
            9,
        ),
        ("store", "acme-calendars", "max_bytes = 2_000_000", &[], 19),
        ("state", "acme-memory", "max_bytes = 2_000_000", &[], 13),
    ] {
        let workshop = Workshop::new();
        let made = succeed(&mut workshop.convoke(&["plugin", "new", "--kind", kind, name]));
        assert!(made.starts_with(&format!("made {name}:")), "{made}");
        let folder = workshop.path().join(name);
        lock(&folder);
        workshop.cargo(&folder, &["fmt", "--check"]);
        let tested = workshop.cargo(&folder, &["test"]);
        assert!(tested.contains("it_keeps_what_a_"), "{tested}");
        workshop.cargo(&folder, &["build"]);

        let library = library(name);
        let mut inspect = workshop.convoke(&["plugin", "inspect", "--json"]);
        let inspected: Value = serde_json::from_str(&succeed(inspect.arg(&library))).unwrap();
        assert_eq!(inspected["name"], name);
        assert_eq!(inspected["kinds"], json!([kind]));
        let keys = inspected["config"][kind].as_array().unwrap();
        assert!(!keys.is_empty(), "{inspected:#}");

        let mut arguments = vec!["--config", config];
        arguments.extend(more);
        assert_eq!(workshop.tested(&library, &arguments), laws, "{kind}");
        // What its own ./ci gives `plugin test` are keys that it has.
        let ci = fs::read_to_string(folder.join("ci")).unwrap();
        let (_, given) = ci.split_once("--config '").unwrap();
        let key = given.split([' ', '.', '=']).next().unwrap();
        assert!(keys.iter().any(|it| it["name"] == key), "{key}: {keys:#?}");
    }
}

/// Nothing of it depends on where it lies, and what it needs to be checked on a server is there.
#[test]
fn a_new_plugin_is_ready_for_ci() {
    let workshop = Workshop::new();
    let sdk = root().join("sdk");
    let arguments = ["plugin", "new", "--kind", "policy", "acme", "--json"];
    let made = succeed(workshop.convoke(&arguments).arg("--sdk").arg(&sdk));
    let made: Value = serde_json::from_str(&made).unwrap();
    let folder = workshop.path().join("acme");
    for file in made["files"].as_array().unwrap() {
        let text = fs::read_to_string(folder.join(file.as_str().unwrap())).unwrap();
        assert!(!text.contains("{{"), "{file}: {text}");
    }
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    assert!(manifest.contains(&format!("path = {sdk:?}")), "{manifest}");
    let workflow = fs::read_to_string(folder.join(".github/workflows/ci.yml")).unwrap();
    assert!(workflow.contains("run: ./ci"), "{workflow}");
    succeed(workshop.command("sh", &folder).args(["-n", "ci"]));
}

#[test]
fn a_name_or_a_place_that_will_not_do_is_told() {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path().join("taken")).unwrap();
    for (arguments, status, says) in [
        (
            &["--kind", "store", "Acme"][..],
            2,
            "cannot be a plugin's name",
        ),
        (
            &["--kind", "stor", "acme"],
            2,
            "`discovery`, `policy`, `store` or `state`",
        ),
        (&["--kind", "store", "taken"], 1, "is there already"),
        (
            &["--kind", "store", "acme", "--sdk", "taken"],
            1,
            "holds no Cargo.toml",
        ),
    ] {
        let mut command = workshop.convoke(&["plugin", "new"]);
        let output = command.args(arguments).output().unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{complaint}");
        assert!(complaint.contains(says), "{complaint}");
    }
}
