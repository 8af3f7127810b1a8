//! What is wrong with the entries of what keeps data, as far as it shows without opening them.

use super::finding::Findings;
use crate::{
    config::{Config, Naming},
    store_domains,
};
use convoke_file_access::{PrivateFileError, read_private_up_to};
use convoke_plugin_host::{PluginEntry, Preflight};
use convoke_types::Domain;
use std::path::Path;

/// The longest password that is looked at, in bytes.
const MOST: usize = 64 << 10;

/// The key under which plugins name the file of a password.
const PASSWORD: &str = "password_file";

/// What the plugin of an entry, which is not opened, would complain of.
pub(super) fn look(
    config: &Config,
    entry: &PluginEntry,
    plugin: &Preflight,
    findings: &mut Findings,
) {
    let what = format!("{} {}", plugin.kind, plugin.name);
    for file in passwords(&entry.config) {
        let file = config.folder().join(file);
        if let Some(problem) = unreadable(&file) {
            let naming = Naming {
                file: &file,
                keys: &[entry.kind.as_str(), PASSWORD],
            };
            findings.fail_at(config, naming, &what, &problem);
        }
    }
    #[cfg(feature = "caldav")]
    for url in crate::upstream::urls(entry) {
        if let Some(place) = crate::upstream::misspelt(url) {
            let text = format!(
                "{url}: `{place}` stands for nothing, so that nobody is found; write {{user}}, {{domain}} or {{address}}"
            );
            findings.fail(&what, text);
        }
    }
}

/// Every file of a password that a configuration names.
fn passwords(table: &toml::Table) -> Vec<&str> {
    let mut files = Vec::new();
    for (key, value) in table {
        match value {
            toml::Value::String(file) if key == PASSWORD => files.push(file.as_str()),
            toml::Value::Table(table) => files.extend(passwords(table)),
            toml::Value::Array(items) => {
                let tables = items.iter().filter_map(toml::Value::as_table);
                files.extend(tables.flat_map(passwords));
            }
            _ => {}
        }
    }
    files
}

/// Why a file gives no password.
fn unreadable(file: &Path) -> Option<String> {
    let shown = file.display();
    match read_private_up_to(file, MOST) {
        Ok(bytes) if bytes.trim_ascii().is_empty() => {
            Some(format!("{shown}: it holds no password"))
        }
        Ok(_) => None,
        Err(PrivateFileError::Exposed(exposed)) => {
            Some(format!("a password must be private: {exposed}"))
        }
        Err(PrivateFileError::Io(error)) => {
            Some(format!("{shown}: the password cannot be read: {error}"))
        }
    }
}

/// Two entries that would write over each other.
pub(super) fn same(looked: &[(&PluginEntry, Preflight)], findings: &mut Findings) {
    for (position, (entry, plugin)) in looked.iter().enumerate() {
        let before = looked[..position].iter();
        let twin = before
            .filter(|(_, it)| it.file == plugin.file)
            .find_map(|(other, it)| Some((it, shared(entry, plugin, other, it)?)));
        if let Some((other, place)) = twin {
            let text = format!(
                "it keeps its data in {place}, and so does the {} `{}`: each would write over the other; give it a place of its own, \
                 or let one entry serve both (`domains`)",
                other.kind, other.name
            );
            findings.fail(&format!("{} {}", plugin.kind, plugin.name), text);
        }
    }
}

/// Where both keep their data, if that is one place.
fn shared(
    entry: &PluginEntry,
    plugin: &Preflight,
    other: &PluginEntry,
    of_other: &Preflight,
) -> Option<String> {
    let mut paths = plugin.paths.iter();
    if let Some(path) = paths.find(|path| of_other.paths.contains(path)) {
        return Some(path.display().to_string());
    }
    let is_same = entry.kind == other.kind && entry.config == other.config;
    is_same.then(|| "the same place, as both say the same under `config`".to_owned())
}

/// Which of our domains stores serve.
pub(super) fn served<'c>(
    config: &Config,
    stores: impl Iterator<Item = &'c PluginEntry> + Clone,
    findings: &mut Findings,
) {
    for domain in &config.server.domains {
        let serves = |store: &PluginEntry| {
            let mut domains = store.domains.iter();
            store.domains.is_empty() || domains.any(|served| domain.is_within(served))
        };
        if !stores.clone().any(serves) {
            findings.warn(
                "store",
                format!("no [[store]] serves {domain}: nobody there can be invited"),
            );
        }
    }
    for passed in store_domains::passed_over(config) {
        findings.warn(&format!("store {}", passed.store), passed.sentence);
    }
    let ours = &config.server.domains;
    let is_used = |served: &Domain| ours.iter().any(|it| it.is_within(served));
    for store in stores {
        for domain in store.domains.iter().filter(|it| !is_used(it)) {
            let name = store.name.as_deref().unwrap_or(&store.plugin);
            let text = format!(
                "its `domains` name {domain}, which is none of `[server] domains`, so that nobody there is ours; add it there, or \
                 take it out here"
            );
            findings.warn(&format!("store {name}"), text);
        }
    }
}
