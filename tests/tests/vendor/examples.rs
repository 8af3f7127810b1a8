use crate::workshop::{Workshop, library, root, succeed};
use std::fs;

#[test]
fn the_examples_are_short_and_keep_what_they_promise() {
    let workshop = Workshop::new();
    let people = root().join("examples/discovery-directory/people.ldif");
    let directory = format!("path = {people:?}");
    let samples = [
        "--known",
        "cy@bücher.example",
        "--no-service",
        "printer@example.com",
    ];
    let hours = "timezone = 'Europe/Vienna'\nopens = '07:30'";
    for (name, config, more, laws) in [
        ("discovery-directory", directory.as_str(), &samples[..], 9),
        ("policy-hours", hours, &[], 9),
        ("store-memory", "", &[], 19),
        ("state-memory", "", &[], 13),
    ] {
        let folder = root().join("examples").join(name);
        let source = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        let lines = source.lines().count();
        assert!(lines < 100, "{name} has {lines} lines");
        assert!(folder.join("README.md").is_file());
        workshop.cargo(&folder, &["fmt", "--check"]);
        workshop.cargo(&folder, &["test", "--locked"]);
        workshop.cargo(&folder, &["build", "--locked"]);
        let mut arguments = more.to_vec();
        if !config.is_empty() {
            arguments.extend(["--config", config]);
        }
        assert_eq!(workshop.tested(&library(name), &arguments), laws, "{name}");
    }
}

/// It is written from `sdk/PROCESS.md` alone.
#[test]
#[cfg_attr(not(has_python), ignore = "needs /usr/bin/python3")]
fn the_example_in_python_is_short_and_keeps_what_it_promises() {
    let workshop = Workshop::new();
    let folder = root().join("examples/store-python");
    let program = folder.join("store_python.py");
    let lines = fs::read_to_string(&program).unwrap().lines().count();
    assert!(lines < 150, "{lines} lines");
    assert!(folder.join("README.md").is_file());
    let inspected = succeed(workshop.convoke(&["plugin", "inspect"]).arg(&program));
    let key = "path  text  required  The database file.";
    assert!(inspected.contains(key), "{inspected}");
    let config = ["--config", "path = 'calendars.db'"];
    assert_eq!(workshop.tested(&program, &config), 22);
    let mut ask = workshop.convoke(&["plugin", "ask"]);
    let found = ask.arg(&program).args(["find", "anna@example.org"]);
    assert_eq!(succeed(found.args(config)), "null\n");
}
