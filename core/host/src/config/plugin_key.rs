//! Where in the configuration file a key stands that a plugin does not take.

use super::line_and_column;
use convoke_plugin_host::{KeyLocator, PluginEntry};
use std::{path::PathBuf, sync::Arc};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Looks keys up in the configuration file at `path`, as it is then.
pub(super) fn locator(path: PathBuf) -> KeyLocator {
    Arc::new(move |entry, name| key(&std::fs::read_to_string(&path).ok()?, entry, name))
}

/// Line and column, from 1, of `key` (`config.domains."example.org"`) in the entry; of the nearest key around it if
/// it is not there, as when it is missing. `None` if the text cannot be read, or the entry is not in it.
fn key(text: &str, entry: &PluginEntry, key: &str) -> Option<(usize, usize)> {
    let document = DeTable::parse(text).ok()?;
    let at = entry.position.as_ref()?;
    let entries = document.get_ref().get(entry.kind.as_str())?;
    let table = entries
        .get_ref()
        .as_array()?
        .iter()
        .find(|table| line_and_column(text, table.span().start) == (at.line, at.column))?;
    let (mut value, mut found) = (table, table.span().start);
    for part in parts(key) {
        let Some((start, next)) = child(value, &part) else {
            break;
        };
        (value, found) = (next, start);
    }
    Some(line_and_column(text, found))
}

/// What `part` names in `value`, and where it starts.
fn child<'a, 'i>(
    value: &'a Spanned<DeValue<'i>>,
    part: &Part,
) -> Option<(usize, &'a Spanned<DeValue<'i>>)> {
    match (value.get_ref(), part) {
        (DeValue::Table(table), Part::Key(name)) => table
            .iter()
            .find(|(key, _)| key.get_ref() == name.as_str())
            .map(|(key, value)| (key.span().start, value)),
        (DeValue::Array(items), Part::Index(index)) => {
            items.get(*index).map(|item| (item.span().start, item))
        }
        _ => None,
    }
}

#[derive(Debug, PartialEq)]
enum Part {
    Key(String),
    Index(usize),
}

/// The parts of a key as a plugin writes it: bare names, names in quotation marks, `[0]`.
fn parts(key: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = key;
    while !rest.is_empty() {
        if let Some(index) = rest.strip_prefix('[') {
            let (digits, after) = index.split_once(']').unwrap_or((index, ""));
            let Ok(index) = digits.parse() else { break };
            parts.push(Part::Index(index));
            rest = after;
        } else if let Some(quoted) = rest.strip_prefix('"') {
            // A name that itself holds quotation marks is not looked for: the key around it is found.
            let Some((name, after)) = quoted.split_once('"') else {
                break;
            };
            parts.push(Part::Key(name.to_owned()));
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            parts.push(Part::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_plugin_host::Position;
    use convoke_sdk::remote::Kind;

    const TEXT: &str = r#"
[[discovery]]
plugin = "other"

[[discovery]]
plugin = "static"
config.domains."example.com" = "ftp://x"
config.rules = [{ allow = 1 },
                { allow = 2 }]
"#;

    #[test]
    fn keys_are_found_and_else_what_is_around_them() {
        let entry = |line| PluginEntry {
            position: Some(Position {
                file: "convoke.toml".into(),
                line,
                column: 1,
            }),
            ..PluginEntry::new(Kind::Discovery, "static")
        };
        for (line, name, place) in [
            (5, "config.domains.\"example.com\"", Some((7, 16))),
            (5, "config.rules[1].allow", Some((9, 19))),
            (5, "config.rules[7].allow", Some((8, 8))),
            (2, "config.path", Some((2, 1))),
            (3, "config", None),
        ] {
            assert_eq!(key(TEXT, &entry(line), name), place, "{name}");
        }
    }
}
