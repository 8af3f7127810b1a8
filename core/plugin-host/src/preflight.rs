//! What can be said of the plugins of a configuration without opening them: everything that [`Plugins::open`] looks at before
//! it opens anything, and their configuration against the keys that their manifests describe.
//!
//! [`Plugins::open`]: super::Plugins::open

use super::{
    Fit, PluginEntry, PluginError, PluginErrors, Problem, Setup, candidate, instance_names, schema,
};
use convoke_sdk::remote::Kind;
use std::path::PathBuf;

/// A plugin that is there and could be opened.
#[derive(Clone, Debug)]
pub struct Preflight {
    /// What the administrator calls it.
    pub name: String,
    /// What it is to be used as.
    pub kind: Kind,
    /// Its file.
    pub file: PathBuf,
    /// Its own version.
    pub version: String,
    /// The files and folders that its configuration has to name: where it keeps what it keeps.
    pub paths: Vec<PathBuf>,
}

/// Looks at the plugin of each entry, in their order. A program is run to say what it is, and may write nothing. An error:
/// the entries contradict each other.
pub async fn preflight(setup: &Setup) -> Result<Vec<Result<Preflight, PluginError>>, PluginErrors> {
    let candidates = setup.entries.iter().map(|entry| candidate(setup, entry));
    let candidates = futures::future::join_all(candidates).await;
    let names = instance_names(&setup.entries, &candidates)?;
    let entries = setup.entries.iter().zip(candidates).zip(names);
    Ok(entries
        .map(|((entry, candidate), name)| of_entry(setup, entry, candidate, name))
        .collect())
}

fn of_entry(
    setup: &Setup,
    entry: &PluginEntry,
    candidate: Result<Fit, Problem>,
    name: String,
) -> Result<Preflight, PluginError> {
    let fit = candidate.map_err(|problem| PluginError::new(entry, problem))?;
    let file = fit.runnable.content().path().to_owned();
    let schema = schema::read(&fit.description.schema);
    let keys = schema.get(entry.kind.as_str()).and_then(Option::as_deref);
    let keys = keys.unwrap_or_default();
    let is_described = matches!(schema.get(entry.kind.as_str()), Some(Some(_)));
    if is_described && let Err(mistake) = schema::check(keys, &entry.config) {
        let problem = Problem::NotOpened {
            file,
            message: mistake.sentence,
            config_key: Some(mistake.key),
        };
        let mut error = PluginError::new(entry, problem);
        error.point_at_key(setup, entry);
        return Err(error);
    }
    Ok(Preflight {
        name,
        kind: entry.kind,
        file,
        version: fit.description.version,
        paths: schema::needed_paths(keys, &entry.config)
            .map(|path| setup.folder.join(path))
            .collect(),
    })
}
