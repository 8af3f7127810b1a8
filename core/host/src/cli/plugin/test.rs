//! `convoke plugin test`: does a plugin keep what its kind promises?

use super::{
    Global,
    output::{self, Failure},
    program::{self, Allow},
};
use crate::scheduling;
use clap::Args;
use convoke_plugin_host::{Description, PluginEntry, Setup, conformance as kit, own_program};
use convoke_scheduling::Limits;
use convoke_sdk::{
    CalendarAddress, Network,
    conformance::{DecisionKind, Expected, Law, Outcome, Samples},
    remote::Kind,
};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;

const EXAMPLES: &str = "\
Examples:
  convoke plugin test libacme.so --config 'path = \"calendars.db\"'
  convoke plugin test libacme.so --config acme.toml --known anna@example.com --unknown bo@example.net
  convoke plugin test libacme.so --config 'rules = []' --default abstain --json

The plugin is opened as the host would open it, so what the host refuses fails here too. Relative paths in --config count \
from the file's folder; of TOML on the command line, from an empty folder that is removed afterwards.";

/// Run the conformance tests of its kind on a plugin
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Test {
    /// The library or program
    file: PathBuf,
    /// Test it as this kind only; if it is not given, as every kind that goes by the library's own name
    #[arg(long, value_parser = kind)]
    kind: Option<Kind>,
    /// Discovery: an address that it finds a receiver for
    #[arg(long, value_name = "ADDR")]
    known: Vec<CalendarAddress>,
    /// Discovery: an address that it leaves to others
    #[arg(long, value_name = "ADDR")]
    unknown: Vec<CalendarAddress>,
    /// Discovery: an address of which it knows that nobody serves it
    #[arg(long, value_name = "ADDR")]
    no_service: Vec<CalendarAddress>,
    /// Policy: what a request gets that no rule is made for: allow, deny, abstain or hold
    #[arg(long, value_name = "DECISION")]
    default: Option<DecisionKind>,
    /// Policy: an address that its rules are about
    #[arg(long, value_name = "ADDR")]
    about: Vec<CalendarAddress>,
    /// Store: a calendar user that it has, if it makes none; name two, ALL THEIR OBJECTS ARE REMOVED
    #[arg(long, value_name = "ADDR")]
    user: Vec<CalendarAddress>,
    #[command(flatten)]
    config: PluginConfig,
    #[command(flatten)]
    allow: Allow,
}

/// What a plugin is given. It takes the place of the option of that name which all commands have.
#[derive(Args)]
pub(super) struct PluginConfig {
    /// The plugin's configuration: what stands under `config` in its entry, as TOML (`path = "calendars.db"`) or a file of it
    #[arg(id = "config", long, value_name = "TOML|FILE")]
    config: Option<PathBuf>,
}

/// Reads a kind of plugin.
pub(super) fn kind(text: &str) -> Result<Kind, String> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == text);
    kind.ok_or_else(|| "it is `discovery`, `policy`, `store` or `state`".to_owned())
}

/// `plugin test --json`.
#[derive(Serialize)]
struct Tested<'a> {
    file: &'a Path,
    name: &'a str,
    kept: bool,
    kinds: Vec<TestedKind>,
}

#[derive(Serialize)]
struct TestedKind {
    kind: &'static str,
    laws: Vec<TestedLaw>,
}

#[derive(Serialize)]
struct TestedLaw {
    law: &'static str,
    /// `kept`, `broken`, `not-asked`.
    outcome: &'static str,
    /// What was expected and what came; why it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl From<Law> for TestedLaw {
    fn from(law: Law) -> Self {
        let (outcome, detail) = match law.outcome {
            Outcome::Kept => ("kept", None),
            Outcome::Broken(how) => ("broken", Some(how)),
            Outcome::NotAsked(why) => ("not-asked", Some(why)),
        };
        Self {
            law: law.name,
            outcome,
            detail,
        }
    }
}

impl Test {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let file = std::path::absolute(&self.file)
            .map_err(|error| Failure::new(format!("{}: {error}", self.file.display())))?;
        let description = self.described(&file).await?;
        let kinds = self.kinds(&description)?;
        let mut tested = Vec::new();
        for kind in kinds {
            let scratch = scratch()?;
            let (config, folder) = self.config.read(scratch.path())?;
            let setup = Setup {
                folder,
                ..setup(scratch.path())
            };
            let isolation = self.allow.isolation(&setup.folder, scratch.path())?;
            let subject = program::described(&file, &setup, isolation).await?;
            let entry = PluginEntry {
                config,
                isolation: subject.isolation,
                ..PluginEntry::new(kind, file.to_string_lossy())
            };
            let report = kit::conformance(&setup, &entry, &self.facts())
                .await
                .map_err(|error| Failure::new(error.to_string()))?;
            tested.push(TestedKind {
                kind: kind.as_str(),
                laws: report.laws.into_iter().map(TestedLaw::from).collect(),
            });
        }
        let broken = |kind: &TestedKind| kind.laws.iter().any(|law| law.outcome == "broken");
        let tested = Tested {
            file: &self.file,
            name: &description.name,
            kept: !tested.iter().any(broken),
            kinds: tested,
        };
        if global.json {
            output::print_json(&tested)?;
        } else {
            output::print_text(&tested.text())?;
        }
        if tested.kept {
            Ok(())
        } else {
            Err(Failure::already_reported())
        }
    }

    /// What the plugin says about itself.
    async fn described(&self, file: &Path) -> Result<Description, Failure> {
        let scratch = scratch()?;
        let (_, folder) = self.config.read(scratch.path())?;
        let setup = Setup {
            folder,
            ..setup(scratch.path())
        };
        let runs = self.allow.isolation(&setup.folder, scratch.path())?;
        let subject = program::described(file, &setup, runs).await?;
        Ok(subject.description)
    }

    fn kinds(&self, plugin: &Description) -> Result<Vec<Kind>, Failure> {
        // What goes by another name is another plugin, with a configuration of its own.
        let offered = plugin.own_kinds();
        match self.kind {
            Some(kind) if plugin.kinds.contains(&kind) => Ok(vec![kind]),
            None if !offered.is_empty() => Ok(offered),
            kind => {
                let offers: Vec<_> = offered.iter().map(|kind| kind.as_str()).collect();
                let others = plugin.other_names.iter();
                let others = others.map(|(kind, name)| format!("; as `{name}` it offers {kind}"));
                Err(Failure::new(format!(
                    "{} offers {}, not {}; leave out --kind, or name one that it offers{}",
                    self.file.display(),
                    if offers.is_empty() {
                        "nothing that this host knows".to_owned()
                    } else {
                        offers.join(" and ")
                    },
                    kind.map_or("anything else", Kind::as_str),
                    others.collect::<String>()
                )))
            }
        }
    }

    fn facts(&self) -> kit::PluginFacts {
        kit::PluginFacts {
            samples: Samples {
                known: self.known.clone(),
                unknown: self.unknown.clone(),
                no_service: self.no_service.clone(),
            },
            expected: Expected {
                default: self.default,
                addresses: self.about.clone(),
            },
            users: self.user.clone(),
        }
    }
}

/// A folder that goes away afterwards.
fn scratch() -> Result<TempDir, Failure> {
    let text = "the system gives no temporary folder";
    tempfile::tempdir().map_err(|error| Failure::new(format!("{text}: {error}")))
}

/// A host that serves nobody, and keeps what plugins must remember in `scratch`.
pub(super) fn setup(scratch: &Path) -> Setup {
    Setup {
        entries: Vec::new(),
        plugin_directories: Vec::new(),
        trusted_keys: Vec::new(),
        folder: PathBuf::new(),
        state: scratch.join("state"),
        locate: Arc::new(|_, _| None),
        domains: Vec::new(),
        index: scheduling::index_service(Limits::default()),
        network: Arc::new(|| Ok(Network::default())),
        metrics: Arc::default(),
        program: own_program(),
    }
}

impl PluginConfig {
    /// The configuration, and the folder that relative paths in it count from.
    pub(super) fn read(&self, scratch: &Path) -> Result<(toml::Table, PathBuf), Failure> {
        let Some(given) = &self.config else {
            return Ok((toml::Table::new(), scratch.to_owned()));
        };
        let (text, folder) = if given.is_file() {
            let text = fs::read_to_string(given)
                .map_err(|error| Failure::new(format!("{}: {error}", given.display())))?;
            let file = std::path::absolute(given).unwrap_or_else(|_| given.clone());
            (text, file.parent().unwrap_or(scratch).to_owned())
        } else {
            (given.to_string_lossy().into_owned(), scratch.to_owned())
        };
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            Failure::usage(format!(
                "--config is neither a file nor TOML such as 'path = \"calendars.db\"': {}",
                error.message()
            ))
        })?;
        if table.contains_key("server") {
            return Err(Failure::usage(
                "--config wants what stands under `config` in the plugin's entry, such as 'path = \"calendars.db\"', and this is the \
             configuration of a host",
            ));
        }
        Ok((table, folder))
    }
}

impl Tested<'_> {
    fn text(&self) -> String {
        let mut rows = Vec::new();
        for TestedKind { kind, laws } in &self.kinds {
            for law in laws {
                let outcome = match law.outcome {
                    "broken" => "BROKEN",
                    "not-asked" => "not asked",
                    kept => kept,
                };
                let detail = law.detail.as_ref();
                let detail = detail.map_or_else(String::new, |detail| format!(": {detail}"));
                rows.push(vec![
                    (*kind).to_owned(),
                    outcome.to_owned(),
                    format!("{}{detail}", law.law),
                ]);
            }
        }
        let count = |outcome| {
            let laws = self.kinds.iter().flat_map(|kind| &kind.laws);
            laws.filter(|law| law.outcome == outcome).count()
        };
        format!(
            "{}\n{}: {} kept, {} broken, {} not asked\n",
            output::table(&rows),
            self.name,
            count("kept"),
            count("broken"),
            count("not-asked")
        )
    }
}
