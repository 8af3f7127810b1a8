use crate::workshop::{Workshop, lock, root, succeed, target};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// The steps of a workflow that run something, in their order.
fn steps(workflow: &str) -> Vec<&str> {
    let lines = workflow.lines().map(str::trim_start);
    lines
        .filter_map(|line| line.strip_prefix("- run: "))
        .collect()
}

/// A toolchain manager that has nothing to fetch.
fn rustup(workshop: &Workshop) {
    let file = workshop.path().join("bin/rustup");
    fs::write(&file, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// All that its workflow runs, on a machine that knows nothing of this repository: format, lints, the kit, a release build,
/// and the library as the host loads it.
#[test]
fn a_new_plugin_of_every_kind_passes_its_own_workflow() {
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
        rustup(&workshop);
        let made = succeed(&mut workshop.convoke(&["plugin", "new", "--kind", kind, name]));
        assert!(made.starts_with(&format!("made {name}:")), "{made}");
        let folder = workshop.path().join(name);
        no_path_of_ours(&folder);
        lock(&folder);
        let workflow = fs::read_to_string(folder.join(".github/workflows/ci.yml")).unwrap();
        let steps = steps(&workflow);
        assert_eq!(steps.last(), Some(&"./ci"), "{workflow}");
        let mut said = String::new();
        for step in steps {
            let mut command = workshop.command("sh", &folder);
            // Optimizing is the compiler's business; it takes minutes.
            command
                .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
                .env("CARGO_PROFILE_RELEASE_LTO", "off");
            said += &succeed(command.args(["-ec", step]));
        }
        for part in ["it_keeps_what_a_", "loads    yes", " 0 broken"] {
            assert!(said.contains(part), "{kind}: {said}");
        }

        let stem = name.replace('-', "_");
        let library = target().join(format!("release/lib{stem}.so"));
        let mut inspect = workshop.convoke(&["plugin", "inspect", "--json"]);
        let inspected: Value = serde_json::from_str(&succeed(inspect.arg(&library))).unwrap();
        assert_eq!(inspected["name"], name);
        assert_eq!(inspected["kinds"], json!([kind]));
        let mut arguments = vec!["--config", config];
        arguments.extend(more);
        assert_eq!(workshop.tested(&library, &arguments), laws, "{kind}");
    }
}

/// The dependency is a version that anybody can resolve.
fn no_path_of_ours(folder: &Path) {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("path ="), "{manifest}");
    let version = format!(
        "convoke-sdk = {{ version = {:?} }}",
        env!("CARGO_PKG_VERSION")
    );
    assert!(manifest.contains(&version), "{manifest}");
}

/// Nothing is left of the template, and with `--sdk-path` the SDK is the one that lies there.
#[test]
fn a_new_plugin_may_use_an_sdk_that_lies_here() {
    let workshop = Workshop::new();
    let sdk = root().join("sdk");
    let arguments = ["plugin", "new", "--kind", "policy", "acme", "--json"];
    let made = succeed(workshop.convoke(&arguments).arg("--sdk-path").arg(&sdk));
    let made: Value = serde_json::from_str(&made).unwrap();
    let folder = workshop.path().join("acme");
    for file in made["files"].as_array().unwrap() {
        let text = fs::read_to_string(folder.join(file.as_str().unwrap())).unwrap();
        assert!(!text.contains("{{"), "{file}: {text}");
    }
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    assert!(manifest.contains(&format!("path = {sdk:?}")), "{manifest}");
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
            &["--kind", "store", "acme", "--sdk-path", "taken"],
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
