//! What documents refer to exists: other documents and their headings, and of what the page on troubleshooting names the commands,
//! options, log events and error elements.

use convoke_ischedule::ErrorElement;
use convoke_tests::program;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page() -> String {
    read(&root().join("core/host/docs/troubleshooting.md"))
}

/// All documents, but of what is built or fetched.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found
}

/// The text without what stands in code blocks.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_fence && !is_code
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands between backticks.
fn code(text: &str) -> Vec<String> {
    let prose = prose(text);
    let spans = prose.split('`').skip(1).step_by(2);
    spans.map(|it| it.replace('\n', " ")).collect()
}

/// Where links lead.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let links = prose.split("](").skip(1);
    links
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

/// By what a heading is named in a link.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

/// Whether a word is of small letters and hyphens.
fn is_lower(word: &str) -> bool {
    word.bytes().all(|it| it.is_ascii_lowercase() || it == b'-')
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut followed = 0;
    for document in documents() {
        let text = read(&document);
        for link in links(&text) {
            // Elsewhere, or filled in by `plugin new`.
            if link.contains("://") || link.contains("{{") {
                continue;
            }
            let (path, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => document.clone(),
                path => document.parent().unwrap().join(path),
            };
            assert!(target.exists(), "{}: {link}", document.display());
            if !fragment.is_empty() {
                let headings = prose(&read(&target));
                let mut headings = headings.lines().filter(|line| line.starts_with('#'));
                let is_there = headings.any(|heading| anchor(heading) == fragment);
                assert!(is_there, "{}: {link}", document.display());
            }
            followed += 1;
        }
    }
    assert!(followed >= 30, "{followed}");
}

#[test]
fn commands_of_the_page_on_troubleshooting_exist_with_their_options() {
    let mut tried = BTreeSet::new();
    for span in code(&page()) {
        let mut words = span.split(' ');
        if words.next() != Some("convoke") {
            continue;
        }
        let is_name =
            |word: &&str| word.starts_with(|it: char| it.is_ascii_lowercase()) && is_lower(word);
        let names: Vec<&str> = words.clone().take_while(is_name).collect();
        let output = Command::new(program()).args(&names).arg("--help").output();
        let output = output.unwrap();
        assert!(output.status.success(), "{span}: {output:?}");
        let help = String::from_utf8(output.stdout).unwrap();
        for option in words.filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{span}: {option}");
        }
        tried.insert(names.join(" "));
    }
    assert!(tried.len() >= 12, "{tried:?}");
}

#[test]
fn events_and_errors_of_the_page_on_troubleshooting_exist() {
    let listed = read(&root().join("core/host/README.md"));
    let errors: Vec<&str> = ErrorElement::ALL.iter().map(|it| it.name()).collect();
    let mut found = BTreeSet::new();
    for span in code(&page()) {
        if !span.contains('-') || !is_lower(&span) {
            continue;
        }
        let is_event = listed.contains(&format!("\n| `{span}` |"));
        assert!(is_event || errors.contains(&&*span), "{span}");
        found.insert(span);
    }
    assert!(found.len() >= 30, "{found:?}");
}
