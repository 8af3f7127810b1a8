//! What can be said of the plugins of a configuration without opening them: everything that [`Plugins::open`] looks at before
//! it opens anything, and their configuration against the keys that their manifests describe.
//!
//! [`Plugins::open`]: super::Plugins::open

use super::{
    PluginEntry, PluginError, PluginErrors, Problem, Setup, candidate, instance_names, schema,
};
use convoke_sdk::remote::{Candidate, Kind};
use std::path::PathBuf;

/// A plugin that is there and could be loaded.
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
}

/// Looks at the plugin of each entry, in their order. An error: the entries contradict each other.
pub fn preflight(setup: &Setup) -> Result<Vec<Result<Preflight, PluginError>>, PluginErrors> {
    let entries = setup.entries.iter();
    let candidates: Vec<_> = entries.map(|entry| candidate(setup, entry)).collect();
    let names = instance_names(&setup.entries, &candidates)?;
    let entries = setup.entries.iter().zip(candidates).zip(names);
    Ok(entries
        .map(|((entry, candidate), name)| of_entry(setup, entry, candidate, name))
        .collect())
}

fn of_entry(
    setup: &Setup,
    entry: &PluginEntry,
    candidate: Result<Candidate, Problem>,
    name: String,
) -> Result<Preflight, PluginError> {
    let candidate = candidate.map_err(|problem| PluginError::new(entry, problem))?;
    let schema = schema::read(&candidate.manifest.schema);
    if let Some(Some(keys)) = schema.get(entry.kind.as_str())
        && let Err(mistake) = schema::check(keys, &entry.config)
    {
        let problem = Problem::NotOpened {
            file: candidate.file,
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
        file: candidate.file,
        version: candidate.manifest.version,
    })
}
