use crate::workshop::{Workshop, library, root};
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
