//! Every event of the log has a stable name, and the administrator's list of them is complete.
//!
//! Looked at are the sources of the host, its crates, the SDK and the plugins. A message at the levels error, warning and
//! information needs `event = "name"`; one at a lower level may have it.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Where the name of the event is a plugin's; what it is without one.
const FORWARDED: (&str, &str) = ("core/plugin-host/src/services.rs", "plugin-message");

#[test]
fn every_log_event_has_a_name_that_is_in_the_list_of_events() {
    let (mut named, mut unnamed) = (BTreeSet::from([FORWARDED.1.to_owned()]), Vec::new());
    for file in sources() {
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        for event in events(text.parse().expect("our own code is Rust")) {
            match event.name {
                Some(name) => drop(named.insert(name)),
                None if event.is_shown && name != FORWARDED.0 => unnamed.push(event.text),
                None => {}
            }
        }
    }
    assert!(named.len() > 60, "{named:?}");
    assert!(
        unnamed.is_empty(),
        "give these `event = \"name\"`:\n{}",
        unnamed.join("\n")
    );
    let file = root().join("core/host/README.md");
    let listed = listed(&fs::read_to_string(&file).unwrap());
    let missing: Vec<_> = named.difference(&listed).collect();
    assert!(missing.is_empty(), "add to {}: {missing:?}", file.display());
    let gone: Vec<_> = listed.difference(&named).collect();
    assert!(gone.is_empty(), "remove from {}: {gone:?}", file.display());
}

#[test]
fn events_are_found_however_they_are_written() {
    let source = r#"
        fn f() {
            tracing::warn!(event = "one", %user, "{}", g(error!("inner")));
            info!(target: TARGET, event = "two", "text");
            debug!("no name is needed");
            println!("event = \"three\"");
            debug!(event = "four");
        }
        #[cfg(test)]
        mod tests { fn f() { warn!("not looked at"); } }
        fn g() { tracing::error!(event, "no literal"); }
    "#;
    let found = events(source.parse().unwrap());
    let names: Vec<_> = found.iter().map(|it| it.name.as_deref()).collect();
    assert_eq!(
        names,
        [Some("one"), None, Some("two"), None, Some("four"), None]
    );
    let shown = found.iter().filter(|it| it.is_shown).count();
    assert_eq!(shown, 4);
    assert_eq!(
        listed(
            "## Log events\n\n| event | level |\n| --- | --- |\n| `a-b` | info |\n## Next\n| `c` |"
        ),
        BTreeSet::from(["a-b".to_owned()])
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The Rust files of our crates without their tests.
fn sources() -> Vec<PathBuf> {
    let mut crates = vec![root().join("sdk/src")];
    for folder in ["core", "plugins"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        crates.extend(entries.map(|entry| entry.unwrap().path().join("src")));
    }
    crates.retain(|it| it.is_dir());
    assert!(crates.len() > 10, "{crates:?}");
    let mut files = Vec::new();
    for folder in crates {
        add_sources(&folder, &mut files);
    }
    files
}

fn add_sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap_or_default();
        if stem == "tests" {
            continue;
        }
        if path.is_dir() {
            add_sources(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

/// One use of a macro of `tracing`.
struct LoggedEvent {
    name: Option<String>,
    /// Whether it is of a level that is shown by default.
    is_shown: bool,
    text: String,
}

fn events(tokens: TokenStream) -> Vec<LoggedEvent> {
    let mut events = Vec::new();
    collect(tokens, &mut events);
    events
}

fn collect(tokens: TokenStream, events: &mut Vec<LoggedEvent>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if is_test_attribute(&tokens[at..]) {
            at += 2;
            // The item goes on to its block, or to the semicolon of one without.
            while let Some(token) = tokens.get(at) {
                at += 1;
                let is_block =
                    matches!(token, TokenTree::Group(it) if it.delimiter() == Delimiter::Brace);
                if is_block || is_punct(token, ';') {
                    break;
                }
            }
            continue;
        }
        if let [
            TokenTree::Ident(name),
            mark,
            TokenTree::Group(arguments),
            ..,
        ] = &tokens[at..]
            && is_punct(mark, '!')
        {
            let level = name.to_string();
            let is_shown = ["error", "warn", "info"].contains(&level.as_str());
            if is_shown || ["debug", "trace"].contains(&level.as_str()) {
                events.push(LoggedEvent {
                    name: event_name(arguments.stream()),
                    is_shown,
                    text: format!("{level}!({})", arguments.stream()),
                });
            }
        }
        if let TokenTree::Group(group) = &tokens[at] {
            collect(group.stream(), events);
        }
        at += 1;
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(it) if it.as_char() == wanted)
}

fn is_test_attribute(tokens: &[TokenTree]) -> bool {
    match tokens {
        [mark, TokenTree::Group(attribute), ..] => {
            is_punct(mark, '#') && attribute.stream().to_string().replace(' ', "") == "cfg(test)"
        }
        _ => false,
    }
}

/// The literal of `event = "name"` among the arguments of a macro.
fn event_name(arguments: TokenStream) -> Option<String> {
    let arguments: Vec<TokenTree> = arguments.into_iter().collect();
    arguments.windows(3).find_map(|window| match window {
        [TokenTree::Ident(field), mark, TokenTree::Literal(name)]
            if *field == "event" && is_punct(mark, '=') =>
        {
            Some(name.to_string().trim_matches('"').to_owned())
        }
        _ => None,
    })
}

/// The names in the first column of the table of events.
fn listed(readme: &str) -> BTreeSet<String> {
    let (_, section) = readme.split_once("## Log events\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let names = section.lines().filter_map(|line| {
        let (name, _) = line.strip_prefix("| `")?.split_once('`')?;
        Some(name.to_owned())
    });
    names.collect()
}
