//! `convoke plugin`: what is installed, and what a file is.

use super::{
    Global,
    output::{self, Failure},
};
use crate::{
    config::Config,
    plugin::{Installed, PluginEntry, PluginInfo, Plugins, Setup, installed},
    serve,
};
use clap::{Args, Subcommand};
use convoke_sdk::remote::{Candidate, Kind, Trust};
use serde::Serialize;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  convoke plugin list --config convoke.toml
  convoke plugin inspect /usr/lib/convoke/plugins/acme.so";

/// See which plugins there are, and what they are
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Plugin {
    List(List),
    Inspect(Inspect),
}

const LIST_EXAMPLES: &str = "\
Examples:
  convoke plugin list --config convoke.toml
  convoke plugin list --json | jq -r '.[] | select(.state != \"ready\") | .name'

States: ready (opened as the configuration says), failed (named there, but does not open), unused (in a plugin
folder, and named nowhere), refused (in a plugin folder, and could not be loaded).";

/// List the plugins of the configuration, and what else lies in the plugin folders
#[derive(Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(super) struct List {}

const INSPECT_EXAMPLES: &str = "\
Example:
  convoke plugin inspect ./target/release/libconvoke_store_sqlite.so

Nothing of the file is run.";

/// Say what a plugin file is, and whether it would be loaded
#[derive(Args)]
#[command(after_help = INSPECT_EXAMPLES)]
pub(super) struct Inspect {
    /// The library
    file: PathBuf,
}

impl Plugin {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::List(_) => list(global).await,
            Self::Inspect(inspect) => inspect.run(global),
        }
    }
}

/// `plugin list --json`.
#[derive(Serialize)]
struct Shown {
    name: String,
    file: PathBuf,
    kinds: Vec<&'static str>,
    version: String,
    abi: String,
    state: &'static str,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

async fn list(global: &Global) -> Result<(), Failure> {
    let config = global.config()?;
    let setup = serve::setup(&config);
    let mut shown = configured(&config, &setup).await;
    for directory in setup.directories() {
        let unknown = installed(&directory).into_iter().filter(|library| {
            !shown
                .iter()
                .any(|known| same_file(&known.file, &library.file))
        });
        let unknown: Vec<Shown> = unknown.map(|library| Shown::unused(&library)).collect();
        shown.extend(unknown);
    }
    let failed = shown.iter().any(|plugin| plugin.state == "failed");
    if global.json {
        output::print_json(&shown)?;
    } else {
        let rows: Vec<_> = shown.iter().map(Shown::row).collect();
        output::print(output::table(&rows).as_bytes())?;
    }
    if failed { Err(Failure::told()) } else { Ok(()) }
}

/// The plugins that the configuration names; one that does not open does not hide the others.
async fn configured(config: &Config, setup: &Setup) -> Vec<Shown> {
    if let Ok(plugins) = Plugins::open(setup).await {
        return plugins.list().iter().map(Shown::from).collect();
    }
    let mut shown = Vec::new();
    for entry in &config.plugins {
        let alone = Setup {
            entries: vec![entry.clone()],
            ..serve::setup(config)
        };
        match Plugins::open(&alone).await {
            Ok(plugins) => shown.extend(plugins.list().iter().map(Shown::from)),
            Err(errors) => shown.push(Shown::failed(entry, errors.to_string())),
        }
    }
    shown
}

fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn words(kinds: &[Kind]) -> Vec<&'static str> {
    kinds.iter().copied().map(Kind::as_str).collect()
}

fn dotted((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

impl From<&PluginInfo> for Shown {
    fn from(info: &PluginInfo) -> Self {
        Self {
            name: info.name.clone(),
            file: info.file.clone(),
            kinds: words(&info.kinds),
            version: info.version.clone(),
            abi: dotted(info.abi),
            state: info.state.as_str(),
            reason: None,
        }
    }
}

impl Shown {
    fn failed(entry: &PluginEntry, reason: String) -> Self {
        Self {
            name: entry.name.clone().unwrap_or_else(|| entry.plugin.clone()),
            file: PathBuf::from(&entry.plugin),
            kinds: vec![entry.kind.as_str()],
            version: String::new(),
            abi: String::new(),
            state: "failed",
            reason: Some(reason),
        }
    }

    fn unused(library: &Installed) -> Self {
        match &library.candidate {
            Ok(candidate) => Self {
                name: candidate.manifest.name.clone(),
                file: library.file.clone(),
                kinds: words(&candidate.manifest.kinds),
                version: candidate.manifest.version.clone(),
                abi: dotted(candidate.manifest.abi),
                state: "unused",
                reason: None,
            },
            Err(refusal) => Self {
                name: String::new(),
                file: library.file.clone(),
                kinds: Vec::new(),
                version: String::new(),
                abi: String::new(),
                state: "refused",
                reason: Some(refusal.to_string()),
            },
        }
    }

    fn row(&self) -> Vec<String> {
        let abi = if self.abi.is_empty() {
            String::new()
        } else {
            format!("abi {}", self.abi)
        };
        let name = if self.name.is_empty() {
            "-"
        } else {
            &self.name
        };
        vec![
            name.to_owned(),
            self.kinds.join(" "),
            self.version.clone(),
            abi,
            self.state.to_owned(),
            self.reason
                .clone()
                .unwrap_or_else(|| self.file.display().to_string()),
        ]
    }
}

/// `plugin inspect --json`.
#[derive(Serialize)]
struct Inspected<'a> {
    file: &'a Path,
    name: &'a str,
    kinds: Vec<&'static str>,
    version: &'a str,
    vendor: &'a str,
    abi: String,
    sdk: &'a str,
    rustc: &'a str,
    panic: &'static str,
    size: u64,
    sha256: String,
    /// Why this host would not load it.
    refused: Option<String>,
}

impl Inspect {
    fn run(self, global: &Global) -> Result<(), Failure> {
        let look = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
        let candidate = Candidate::look(&self.file).map_err(|refusal| look(&refusal))?;
        let refused = candidate.check(&Trust::of_this_process(), None).err();
        let manifest = &candidate.manifest;
        let inspected = Inspected {
            file: &self.file,
            name: &manifest.name,
            kinds: words(&manifest.kinds),
            version: &manifest.version,
            vendor: &manifest.vendor,
            abi: dotted(manifest.abi),
            sdk: &manifest.sdk,
            rustc: &manifest.rustc,
            panic: if manifest.unwinds { "unwind" } else { "abort" },
            size: candidate.size() as u64,
            sha256: candidate.sha256(),
            refused: refused.map(|refusal| refusal.to_string()),
        };
        if global.json {
            output::print_json(&inspected)?;
        } else {
            output::print(inspected.text().as_bytes())?;
        }
        if inspected.refused.is_some() {
            Err(Failure::told())
        } else {
            Ok(())
        }
    }
}

impl Inspected<'_> {
    fn text(&self) -> String {
        let loadable = match &self.refused {
            None => "yes".to_owned(),
            Some(reason) => format!("no: {reason}"),
        };
        let rows = [
            ("name", self.name.to_owned()),
            ("kinds", self.kinds.join(" ")),
            ("version", self.version.to_owned()),
            ("vendor", self.vendor.to_owned()),
            ("abi", self.abi.clone()),
            ("sdk", self.sdk.to_owned()),
            ("rustc", self.rustc.to_owned()),
            ("panic", self.panic.to_owned()),
            ("size", format!("{} bytes", self.size)),
            ("sha256", self.sha256.clone()),
            ("loads", loadable),
        ];
        let rows: Vec<_> = rows.map(|(key, value)| vec![key.to_owned(), value]).into();
        output::table(&rows)
    }
}
