//! What documents refer to exists: other documents and their headings, and of what the pages of core/host/docs name the commands,
//! options, settings, log events and error elements. The limits that the page on security tells of are those that hold.

use convoke::config::Config;
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

/// The pages of core/host/docs: name and text.
fn pages() -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join("core/host/docs")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let pages = paths.filter(|path| path.extension().is_some_and(|it| it == "md"));
    let pages = pages.map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        (name.into_owned(), read(&path))
    });
    let pages: Vec<_> = pages.collect();
    assert!(pages.len() >= 3, "{pages:?}");
    pages
}

/// What stands between backticks on these pages, each with the name of its page.
fn code_of_pages() -> Vec<(String, String)> {
    let pages = pages().into_iter();
    let spans = pages.flat_map(|(name, text)| {
        let spans = code(&text).into_iter();
        spans.map(move |span| (name.clone(), span))
    });
    spans.collect()
}

/// The sample in which every setting stands.
fn sample() -> (String, toml::Table) {
    let text = read(&root().join("examples/convoke.toml"));
    let table = text.parse().unwrap();
    (text, table)
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
fn commands_of_the_pages_exist_with_their_options() {
    let mut tried = BTreeSet::new();
    for (page, span) in code_of_pages() {
        let mut words = span.split(' ');
        if words.next() != Some("convoke") {
            continue;
        }
        let is_name =
            |word: &&str| word.starts_with(|it: char| it.is_ascii_lowercase()) && is_lower(word);
        let names: Vec<&str> = words.clone().take_while(is_name).collect();
        let output = Command::new(program()).args(&names).arg("--help").output();
        let output = output.unwrap();
        assert!(output.status.success(), "{page}: {span}: {output:?}");
        let help = String::from_utf8(output.stdout).unwrap();
        for option in words.filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{page}: {span}: {option}");
        }
        tried.insert(names.join(" "));
    }
    assert!(tried.len() >= 12, "{tried:?}");
}

#[test]
fn events_and_errors_of_the_pages_exist() {
    let listed = read(&root().join("core/host/README.md"));
    let errors: Vec<&str> = ErrorElement::ALL.iter().map(|it| it.name()).collect();
    let mut found = BTreeSet::new();
    for (page, span) in code_of_pages() {
        let is_option = span.starts_with("--");
        if is_option || !span.contains('-') || !is_lower(&span) {
            continue;
        }
        let is_event = listed.contains(&format!("\n| `{span}` |"));
        assert!(is_event || errors.contains(&&*span), "{page}: {span}");
        found.insert(span);
    }
    assert!(found.len() >= 30, "{found:?}");
}

#[test]
fn settings_of_the_pages_exist() {
    let (text, sample) = sample();
    let mut found = BTreeSet::new();
    for (page, span) in code_of_pages() {
        let setting = span.split(' ').next().unwrap_or_default();
        let Some((section, key)) = setting.split_once('.') else {
            continue;
        };
        let Some(section) = sample.get(section).and_then(toml::Value::as_table) else {
            continue;
        };
        // What is not for everybody stands there as a comment.
        let is_there = section.contains_key(key) || text.contains(&format!("\n# {key} = "));
        assert!(is_there, "{page}: {span}");
        found.insert(setting.to_owned());
    }
    assert!(found.len() >= 30, "{found:?}");
}

#[test]
fn limits_of_the_page_on_security_are_those_of_the_sample() {
    let (_, sample) = sample();
    let mut expected: BTreeSet<(String, String)> = BTreeSet::new();
    for (key, value) in sample["limits"].as_table().unwrap() {
        let value = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            // A list: what kinds of attachments are taken.
            _ => continue,
        };
        expected.insert((format!("`limits.{key}`"), value));
    }
    let page = read(&root().join("core/host/docs/security.md"));
    let rows = page.lines().filter(|line| line.starts_with("| `limits."));
    let told = rows.map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().to_owned()).skip(1);
        let [setting, default] = [(); 2].map(|()| cells.next().unwrap_or_default());
        (setting, default)
    });
    assert_eq!(told.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn limits_of_the_sample_are_the_defaults() {
    let (text, _) = sample();
    let (before, rest) = text.split_once("\n[limits]\n").unwrap();
    let (limits, after) = rest.split_once("\n[scheduling]\n").unwrap();
    // Of these it counts whether they are written: then this machine is held to them, too.
    let counted = [
        "connections_per_address = 100 ",
        "requests_per_address = \"60000/min\" ",
        "requests_per_domain = \"60000/min\" ",
    ];
    let is_counted = |line: &&str| counted.iter().any(|it| line.starts_with(it));
    assert_eq!(limits.lines().filter(is_counted).count(), counted.len());
    let others = limits.lines().filter(|line| !is_counted(line));
    let others: Vec<&str> = others.collect();
    let read = |limits: &str| {
        let text = format!("{before}\n[limits]\n{limits}\n[scheduling]\n{after}");
        let config = Config::parse(&text, &root().join("examples/convoke.toml"));
        format!("{:?}", config.unwrap().limits)
    };
    assert_eq!(read(&others.join("\n")), read(""));
}
