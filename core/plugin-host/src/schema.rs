//! The keys of a plugin's configuration as its manifest, or a program's greeting, describes them, and whether a configuration keeps to them. Nothing of
//! the plugin is run.
//!
//! Not done: what a type of the plugin's own takes is known to the plugin alone; a value of it passes.

use convoke_sdk::config_words::{list, named, nearest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::Value;

/// The keys of each kind that a plugin offers, by the word for the kind; `None` where it says nothing.
pub type Schema = BTreeMap<String, Option<Vec<Key>>>;

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Key {
    /// The key.
    pub name: String,
    /// What its value is: a Rust type, or the author's words.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it must be written.
    pub required: bool,
    /// The value that it has if it is not written, as TOML.
    pub default: Option<String>,
    /// What it means.
    #[serde(default)]
    pub doc: String,
}

/// Reads the schema of a manifest; one that cannot be read says nothing.
pub fn read(schema: &str) -> Schema {
    serde_json::from_str(schema).unwrap_or_default()
}

/// A key at fault, from `config` on, and what is wrong with it in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) key: String,
    pub(super) sentence: String,
}

/// The first mistake of a configuration.
pub(super) fn check(keys: &[Key], config: &toml::Table) -> Result<(), Mistake> {
    let mistake = |key: String, sentence: String| Err(Mistake { key, sentence });
    for (name, value) in config {
        let path = format!("config.{name}");
        match keys.iter().find(|key| key.name == *name) {
            None => {
                let sentence = format!("`{path}` is not known; {}", instead(name, keys));
                return mistake(path, sentence);
            }
            Some(key) => {
                if let Err((path, expected, found)) = fits(&key.kind, value, path) {
                    let key = named(&path);
                    let sentence = format!("{key} is wrong: expected {expected}, not {found}");
                    return mistake(path, sentence);
                }
            }
        }
    }
    let missing = |key: &&Key| key.required && !config.contains_key(&key.name);
    match keys.iter().find(missing) {
        Some(Key { name, .. }) => {
            let path = format!("config.{name}");
            let sentence = format!("`{path}` is missing; add it");
            mistake(path, sentence)
        }
        None => Ok(()),
    }
}

/// The paths that a configuration gives where one must be given.
pub(super) fn needed_paths<'a>(
    keys: &'a [Key],
    config: &'a toml::Table,
) -> impl Iterator<Item = &'a str> {
    let needed = keys
        .iter()
        .filter(|key| key.required && last(&key.kind) == "PathBuf");
    needed.filter_map(|key| config.get(&key.name)?.as_str())
}

/// What may have been meant.
fn instead(wrong: &str, keys: &[Key]) -> String {
    let names: Vec<_> = keys.iter().map(|key| key.name.as_str()).collect();
    match nearest(wrong, &names) {
        Some(name) => format!("did you mean `{name}`?"),
        None if keys.is_empty() => "there are no keys here".to_owned(),
        None => format!("the keys here are {}", list(&names)),
    }
}

/// A Rust type, as far as it says what TOML it is read from.
enum Shape<'a> {
    Text,
    Boolean,
    Integer,
    Number,
    List(&'a str),
    Table(&'a str),
    /// Of the plugin's own.
    Any,
}

impl<'a> Shape<'a> {
    fn of(kind: &'a str) -> Self {
        let kind = kind.trim();
        if let Some((outer, inner)) = generic(kind) {
            return match last(outer) {
                "Option" | "Box" | "Arc" => Self::of(inner),
                "Vec" | "BTreeSet" | "HashSet" => Self::List(inner),
                "BTreeMap" | "HashMap" => match inner.split_once(',') {
                    Some((_, value)) => Self::Table(value),
                    None => Self::Any,
                },
                _ => Self::Any,
            };
        }
        match last(kind) {
            "String" | "PathBuf" | "Domain" | "CalendarAddress" | "ReceiverUrl" => Self::Text,
            "bool" => Self::Boolean,
            "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize"
            | "NonZeroU32" | "NonZeroU64" => Self::Integer,
            "f32" | "f64" => Self::Number,
            _ => Self::Any,
        }
    }
}

/// Whether a value is of the type; else the key at fault, what was expected, and what is there.
fn fits(kind: &str, value: &Value, path: String) -> Result<(), (String, String, &'static str)> {
    let fine = match (Shape::of(kind), value) {
        (Shape::List(of), Value::Array(items)) => {
            let mut items = items.iter().enumerate();
            return items.try_for_each(|(at, item)| fits(of, item, format!("{path}[{at}]")));
        }
        (Shape::Table(of), Value::Table(table)) => {
            let mut members = table.iter();
            return members.try_for_each(|(name, item)| fits(of, item, format!("{path}.{name:?}")));
        }
        (Shape::Any, _)
        | (Shape::Text, Value::String(_))
        | (Shape::Boolean, Value::Boolean(_))
        | (Shape::Integer, Value::Integer(_))
        | (Shape::Number, Value::Integer(_) | Value::Float(_)) => true,
        _ => false,
    };
    if fine {
        Ok(())
    } else {
        Err((path, words(kind), called(value)))
    }
}

/// A value, as an administrator calls it.
const fn called(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(true) => "true",
        Value::Boolean(false) => "false",
        Value::Datetime(_) => "a time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// A Rust type as an administrator would say it; what is not known stays as it is.
pub fn words(kind: &str) -> String {
    let kind = kind.trim();
    let Some((outer, inner)) = generic(kind) else {
        return word(last(kind)).to_owned();
    };
    match last(outer) {
        "Option" | "Box" | "Arc" => words(inner),
        "Vec" | "BTreeSet" | "HashSet" => format!("list of {}", words(inner)),
        "BTreeMap" | "HashMap" => match inner.split_once(',') {
            Some((key, value)) => format!("table of {} by {}", words(value), words(key)),
            None => "table".to_owned(),
        },
        _ => kind.to_owned(),
    }
}

/// `Vec` and `String` of `Vec<String>`.
fn generic(kind: &str) -> Option<(&str, &str)> {
    let (outer, rest) = kind.split_once('<')?;
    Some((outer.trim(), rest.strip_suffix('>')?))
}

fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path).trim()
}

fn word(kind: &str) -> &str {
    match kind {
        "PathBuf" => "path",
        "Domain" => "domain",
        "CalendarAddress" => "address",
        "ReceiverUrl" => "https URL",
        other => match Shape::of(other) {
            Shape::Text => "text",
            Shape::Boolean => "true or false",
            Shape::Integer => "integer",
            Shape::Number => "number",
            _ => other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_types_are_said_in_words() {
        for (kind, wanted) in [
            ("String", "text"),
            ("std::path::PathBuf", "path"),
            ("Option<u64>", "integer"),
            ("Vec<CalendarAddress>", "list of address"),
            (
                "BTreeMap<Domain, Vec<ReceiverUrl>>",
                "table of list of https URL by domain",
            ),
            ("list of two times", "list of two times"),
            ("Wind", "Wind"),
        ] {
            assert_eq!(words(kind), wanted);
        }
    }

    #[test]
    fn a_schema_that_cannot_be_read_says_nothing() {
        for schema in ["", "x", "{\"store\": 3}", "[]"] {
            assert!(read(schema).is_empty(), "{schema}");
        }
    }

    #[test]
    fn what_a_configuration_gets_wrong_is_one_sentence() {
        let key = |name: &str, kind: &str, required| Key {
            name: name.to_owned(),
            kind: kind.to_owned(),
            required,
            default: None,
            doc: String::new(),
        };
        let keys = [
            key("path", "PathBuf", true),
            key("domains", "BTreeMap<Domain, Vec<ReceiverUrl>>", false),
            key("depth", "Option<u8>", false),
            key("wind", "Wind", false),
        ];
        for (config, sentence) in [
            ("path = 'x'\nwind = 7\ndepth = 3", None),
            ("", Some("`config.path` is missing; add it")),
            (
                "path = 3",
                Some("`config.path` is wrong: expected path, not an integer"),
            ),
            (
                "pth = 'x'",
                Some("`config.pth` is not known; did you mean `path`?"),
            ),
            (
                "path = 'x'\ncolour = 1",
                Some(
                    "`config.colour` is not known; the keys here are `path`, `domains`, `depth`, `wind`",
                ),
            ),
            (
                "path = 'x'\ndomains.'example.org' = ['https://x', true]",
                Some(
                    "number 2 of `config.domains.\"example.org\"` is wrong: expected https URL, not true",
                ),
            ),
            (
                "path = 'x'\ndepth = 'deep'",
                Some("`config.depth` is wrong: expected integer, not a text"),
            ),
        ] {
            let checked = check(&keys, &config.parse().unwrap());
            let said = checked.err().map(|mistake| mistake.sentence);
            assert_eq!(said.as_deref(), sentence, "{config}");
        }
        let none = check(&[], &"x = 1".parse().unwrap()).unwrap_err();
        assert!(none.sentence.ends_with("there are no keys here"));
    }
}
