//! The keys of a plugin's configuration, as its manifest describes them.

use super::output;
use convoke_plugin_host::schema::{self, Key, Schema};
use serde::Serialize;
use std::fmt::Write;

/// The keys of each kind that the library offers, their types in words.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Keys(Schema);

impl Keys {
    /// Reads a manifest's schema; one that cannot be read says nothing.
    pub(super) fn read(schema: &str) -> Self {
        let mut keys = schema::read(schema);
        for key in keys.values_mut().flatten().flatten() {
            key.kind = schema::words(&key.kind);
        }
        Self(keys)
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
            let rows = keys.iter().flatten().map(row).collect::<Vec<_>>();
            text.push_str(&output::table(&rows));
        }
        text
    }
}

fn row(key: &Key) -> Vec<String> {
    let default = match &key.default {
        Some(default) => format!("= {default}"),
        None if key.required => "required".to_owned(),
        None => "optional".to_owned(),
    };
    vec![
        format!("  {}", key.name),
        key.kind.clone(),
        default,
        key.doc.clone(),
    ]
}
