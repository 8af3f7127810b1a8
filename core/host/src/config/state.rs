//! Where the host keeps its state if nothing is said.
//!
//! It cannot do without: so there is one name of a plugin that a configuration need not say. Nothing else in the host knows
//! it.

use convoke_plugin_host::PluginEntry;
use convoke_sdk::remote::Kind;
use std::path::{Path, PathBuf};

/// The plugin that keeps the state where the configuration names none.
const DEFAULT: &str = "state-sqlite";
/// Its file, in `server.state`.
const FILE: &str = "state.db";
/// The key of its configuration that names the file.
const KEY: &str = "path";

/// The entries of kind `state`: one, if none is written; and the default's file, where none is named.
pub(super) fn with_default(mut entries: Vec<PluginEntry>, folder: &Path) -> Vec<PluginEntry> {
    if entries.is_empty() {
        entries.push(PluginEntry::new(Kind::State, DEFAULT));
    }
    for entry in &mut entries {
        if entry.plugin == DEFAULT && entry.config.is_empty() {
            set_file(entry, &folder.join(FILE));
        }
    }
    entries
}

/// The file that an entry keeps the state in, if it is the host that chose it.
pub(super) fn file(entry: &PluginEntry, folder: &Path) -> Option<PathBuf> {
    let file = folder.join(FILE);
    let written = entry.config.get(KEY).and_then(toml::Value::as_str);
    let is_ours = entry.plugin == DEFAULT && written.is_some_and(|it| Path::new(it) == file);
    is_ours.then_some(file)
}

/// The entry of this name: one that is written, by its name or its plugin's, or the default one.
pub(super) fn named(entries: &[PluginEntry], name: &str, folder: &Path) -> Option<PluginEntry> {
    let mut entries = entries.iter().filter(|it| it.kind == Kind::State);
    let written = entries.find(|it| it.name.as_deref() == Some(name) || it.plugin == name);
    if written.is_none() && name == DEFAULT {
        return with_default(Vec::new(), folder).pop();
    }
    written.cloned()
}

/// What [`named`] knows.
pub(super) fn names(entries: &[PluginEntry]) -> Vec<String> {
    let entries = entries.iter().filter(|it| it.kind == Kind::State);
    let written = entries.map(|it| it.name.as_ref().unwrap_or(&it.plugin));
    let mut names: Vec<String> = written.cloned().chain([DEFAULT.to_owned()]).collect();
    names.dedup();
    names
}

/// Has an entry keep the state in another file.
pub(super) fn set_file(entry: &mut PluginEntry, file: &Path) {
    // What the path of a configuration file holds that is no text, no configuration file can say.
    let file = file.to_string_lossy().into_owned();
    entry.config.insert(KEY.to_owned(), file.into());
}
