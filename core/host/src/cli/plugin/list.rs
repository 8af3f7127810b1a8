//! `convoke plugin list`: the plugins of the configuration, and what else lies in the plugin folders.

use super::{
    Global, dotted,
    output::{self, Failure},
};
use crate::{
    admin::{
        api::{Plugin as Shown, Plugins as AskPlugins},
        client::Client,
    },
    cli::owner::become_owner,
    config::Config,
    instance,
};
use clap::Args;
use convoke_plugin_host::{Installed, PluginEntry, Plugins, Setup, installed};
use convoke_sdk::remote::Kind;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  convoke plugin list --config convoke.toml
  convoke plugin list --json | jq -r '.[] | select(.state != \"ready\") | .name'

States: ready (opened as the configuration says), degraded (opened, and says why it is not as well as it should be), \
skipped (it keeps failing and is not asked for a while), failed (named there, but does not open), unused (in a \
plugin folder, and named nowhere), refused (in a plugin folder, and could not be loaded).";

/// List the plugins of the configuration, and what else lies in the plugin folders
///
/// If a host runs with the configuration, its plugins are listed as they are there; else they are opened here.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct List {}

impl List {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.config()?;
        // Kept until all is shown.
        let (setup, _scratch) =
            instance::setup_to_look(&config).map_err(|error| Failure::new(error.to_string()))?;
        let mut shown = if let Some(shown) = running(&config).await {
            shown
        } else {
            become_owner(&config.server.state)?;
            configured(&setup).await
        };
        let installed = installed(&setup);
        let mut others: Vec<_> = installed.iter().flat_map(unused).collect();
        others.retain(|other| !shown.iter().any(|known| is_of(known, other)));
        shown.extend(others);
        let failed = shown.iter().any(|plugin| plugin.state == "failed");
        if global.json {
            output::print_json(&shown)?;
        } else {
            let rows: Vec<_> = shown.iter().map(row).collect();
            output::print_text(&output::table(&rows))?;
        }
        if failed {
            Err(Failure::already_reported())
        } else {
            Ok(())
        }
    }
}

/// Those of the host that runs with this configuration; `None` if none does, or it is too old to say.
async fn running(config: &Config) -> Option<Vec<Shown>> {
    let host = Client::find(&config.server.state).await.ok()?;
    host.call(&AskPlugins {}).await.ok()
}

/// The plugins that the configuration names; one that does not open does not hide the others.
async fn configured(setup: &Setup) -> Vec<Shown> {
    if let Ok(plugins) = Plugins::open(setup).await {
        return plugins.list().iter().map(Shown::from).collect();
    }
    let mut shown = Vec::new();
    for entry in &setup.entries {
        let alone = Setup {
            entries: vec![entry.clone()],
            ..setup.clone()
        };
        match Plugins::open(&alone).await {
            Ok(plugins) => shown.extend(plugins.list().iter().map(Shown::from)),
            Err(errors) => shown.push(not_opened(entry, errors.to_string())),
        }
    }
    shown
}

/// Whether a plugin that is used is one of those that a file offers. A program is not asked what it offers.
fn is_of(known: &Shown, offered: &Shown) -> bool {
    let has = |kind| offered.kinds.contains(kind);
    let is_kind = offered.kinds.is_empty() || known.kinds.iter().all(has);
    is_kind && same_file(&known.file, &offered.file)
}

fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn words(kinds: &[Kind]) -> Vec<String> {
    kinds.iter().map(ToString::to_string).collect()
}

fn not_opened(entry: &PluginEntry, reason: String) -> Shown {
    Shown {
        name: entry.name.clone().unwrap_or_else(|| entry.plugin.clone()),
        file: PathBuf::from(&entry.plugin),
        kinds: words(&[entry.kind]),
        version: String::new(),
        abi: String::new(),
        protocol: None,
        isolation: Some(entry.isolation.as_str().to_owned()),
        lacks: Vec::new(),
        state: "failed".to_owned(),
        reason: Some(reason),
    }
}

/// The plugins of a file that is not used, or the file, if it is refused.
fn unused(installed: &Installed) -> Vec<Shown> {
    let nothing = || Shown {
        name: String::new(),
        file: installed.file.clone(),
        kinds: Vec::new(),
        version: String::new(),
        abi: String::new(),
        protocol: None,
        isolation: None,
        lacks: Vec::new(),
        state: "unused".to_owned(),
        reason: None,
    };
    match &installed.candidate {
        Some(Ok(candidate)) => {
            let manifest = &candidate.manifest;
            let plugins = manifest.plugins().into_iter();
            let unused = plugins.map(|(name, kinds)| Shown {
                name: name.to_owned(),
                kinds: words(&kinds),
                version: manifest.version.clone(),
                abi: dotted(manifest.abi),
                ..nothing()
            });
            unused.collect()
        }
        // Nothing is run that the configuration does not name.
        None => vec![nothing()],
        Some(Err(refusal)) => vec![Shown {
            state: "refused".to_owned(),
            reason: Some(refusal.to_string()),
            ..nothing()
        }],
    }
}

fn row(shown: &Shown) -> Vec<String> {
    let interface = match shown.protocol {
        Some(protocol) => format!("protocol {protocol}"),
        None if shown.abi.is_empty() => String::new(),
        None => format!("abi {}", shown.abi),
    };
    let or_nothing = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let file = || {
        let lacks = shown.lacks.iter().map(|lack| format!("; {lack}"));
        format!("{}{}", shown.file.display(), lacks.collect::<String>())
    };
    vec![
        or_nothing(Some(&*shown.name).filter(|name| !name.is_empty())),
        shown.kinds.join(" "),
        shown.version.clone(),
        interface,
        or_nothing(shown.isolation.as_deref()),
        shown.state.clone(),
        shown.reason.clone().unwrap_or_else(file),
    ]
}
