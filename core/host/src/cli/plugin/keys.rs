//! The keys of a plugin's configuration, as its manifest describes them.

use super::output;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Write};

/// The keys of each kind that the library offers; `None` where it says nothing.
#[derive(Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Keys(BTreeMap<String, Option<Vec<Key>>>);

#[derive(Deserialize, Serialize)]
struct Key {
    name: String,
    /// A Rust type, or words.
    #[serde(rename = "type")]
    kind: String,
    required: bool,
    /// TOML.
    default: Option<String>,
    #[serde(default)]
    doc: String,
}

impl Keys {
    /// Reads a manifest's schema; one that cannot be read says nothing.
    pub(super) fn read(schema: &str) -> Self {
        let mut keys: Self = serde_json::from_str(schema).unwrap_or(Self(BTreeMap::new()));
        for key in keys.0.values_mut().flatten().flatten() {
            key.kind = words(&key.kind);
        }
        keys
    }

    /// A table for each kind.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (kind, keys) in &self.0 {
            let said = match keys.as_deref() {
                None => " it does not say",
                Some([]) => " none",
                Some(_) => "",
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\nconfig of the {kind}:{said}");
            let rows = keys.iter().flatten().map(Key::row).collect::<Vec<_>>();
            text.push_str(&output::table(&rows));
        }
        text
    }
}

impl Key {
    fn row(&self) -> Vec<String> {
        let default = match &self.default {
            Some(default) => format!("= {default}"),
            None if self.required => "required".to_owned(),
            None => "optional".to_owned(),
        };
        vec![
            format!("  {}", self.name),
            self.kind.clone(),
            default,
            self.doc.clone(),
        ]
    }
}

/// A Rust type as an administrator would say it; what is not known stays as it is.
fn words(kind: &str) -> String {
    let kind = kind.trim();
    let Some((outer, inner)) = kind
        .split_once('<')
        .and_then(|(outer, rest)| Some((outer, rest.strip_suffix('>')?)))
    else {
        return word(last(kind)).to_owned();
    };
    match last(outer.trim()) {
        "Option" | "Box" | "Arc" => words(inner),
        "Vec" | "BTreeSet" | "HashSet" => format!("list of {}", words(inner)),
        "BTreeMap" | "HashMap" => match inner.split_once(',') {
            Some((key, value)) => format!("table of {} by {}", words(value), words(key)),
            None => "table".to_owned(),
        },
        _ => kind.to_owned(),
    }
}

fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path).trim()
}

fn word(kind: &str) -> &str {
    match kind {
        "String" => "text",
        "PathBuf" => "path",
        "bool" => "true or false",
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize"
        | "NonZeroU32" | "NonZeroU64" => "integer",
        "f32" | "f64" => "number",
        "Domain" => "domain",
        "CalendarAddress" => "address",
        "ReceiverUrl" => "https URL",
        other => other,
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
            assert_eq!(Keys::read(schema).text(), "");
        }
    }
}
