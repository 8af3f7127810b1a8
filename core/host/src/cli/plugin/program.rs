//! Plugins that are programs, as commands see them: they have to be run to say what they are, and are confined for it.

use super::{
    Global, Signature,
    keys::Keys,
    output::{self, Failure},
    words,
};
use crate::config;
use clap::Args;
use convoke_plugin_host::{
    Confinement, Description, Interface, Isolation, Problem, Runnable, Setup, introduced,
};
use convoke_sdk::remote::Trust;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What a plugin's process may do.
#[derive(Args)]
pub(super) struct Allow {
    /// Run it in a process of its own, which is granted this: what stands under `allow` in the plugin's entry, as TOML
    /// (`write = ["calendars"]`). A program always runs in one, and may write where relative paths count from if
    /// --config is no file
    #[arg(long, value_name = "TOML")]
    allow: Option<String>,
}

impl Allow {
    /// Where a plugin runs whose relative paths count from `folder`: a library here, if nothing else is said. What may go
    /// away afterwards may be written.
    pub(super) fn isolation(&self, folder: &Path, scratch: &Path) -> Result<Runs, Failure> {
        let text = self.allow.as_deref().unwrap_or_default();
        let granted = config::grants(text, folder)
            .map_err(|wrong| Failure::usage(format!("--allow {text}: {wrong}")));
        let mut confinement = granted?;
        if folder == scratch {
            confinement.write.push(folder.to_owned());
        }
        Ok(Runs {
            confinement,
            is_asked_for: self.allow.is_some(),
        })
    }
}

/// Where a plugin runs.
pub(super) struct Runs {
    confinement: Confinement,
    /// A library runs there, too.
    is_asked_for: bool,
}

/// A plugin that a command is about.
pub(super) struct Subject {
    pub(super) description: Description,
    pub(super) isolation: Isolation,
}

/// What the plugin in a file says about itself. A program is run for it, if nothing speaks against that.
pub(super) async fn described(file: &Path, setup: &Setup, runs: Runs) -> Result<Subject, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
    let runnable = Runnable::look(file).map_err(|problem| failed(&problem))?;
    let is_program = matches!(runnable, Runnable::Program(_));
    if is_program {
        let checked = runnable.check(&setup.trust(), None);
        checked.map_err(|problem| failed(&problem))?;
    }
    let description = introduced(setup, &runs.confinement, &runnable).await;
    Ok(Subject {
        description: description.map_err(|problem| failed(&problem))?,
        isolation: if is_program || runs.is_asked_for {
            Isolation::Process(runs.confinement)
        } else {
            Isolation::InProcess
        },
    })
}

/// `plugin inspect --json` of a program.
#[derive(Serialize)]
struct Inspected<'a> {
    file: &'a Path,
    name: &'a str,
    kinds: Vec<&'static str>,
    version: &'a str,
    vendor: &'a str,
    /// The version of the process protocol; `null` if it was not asked.
    protocol: Option<u32>,
    /// The program that reads it, if it is a script.
    interpreter: Option<PathBuf>,
    size: u64,
    sha256: String,
    signature: Signature,
    /// The keys of each kind's configuration; `null` where the plugin does not say.
    config: Keys,
    /// Why this host would not run it.
    refused: Option<String>,
}

/// Says what a program is. One that would be refused is not run, and so says nothing of itself.
pub(super) fn inspect(
    file: &Path,
    runnable: &Runnable,
    trust: &Trust,
    examined: Result<Option<Description>, Problem>,
    global: &Global,
) -> Result<(), Failure> {
    let signature = runnable.content().signed(&trust.keys).into();
    let (said, refused) = match examined {
        Ok(said) => (said, None),
        Err(problem) => (None, Some(problem.to_string())),
    };
    let interpreter = match runnable {
        Runnable::Program(program) => program.interpreter().map(Path::to_owned),
        Runnable::Library(_) => None,
    };
    let text = |of: fn(&Description) -> &str| said.as_ref().map_or("", of);
    let inspected = Inspected {
        file,
        name: text(|said| &said.name),
        kinds: said.as_ref().map_or(Vec::new(), |said| words(&said.kinds)),
        version: text(|said| &said.version),
        vendor: text(|said| &said.vendor),
        protocol: said.as_ref().and_then(|said| match said.interface {
            Interface::Process(protocol) => Some(protocol),
            Interface::Abi(_) => None,
        }),
        interpreter,
        size: runnable.content().size() as u64,
        sha256: runnable.content().sha256(),
        signature,
        config: Keys::read(text(|said| &said.schema)),
        refused,
    };
    if global.json {
        output::print_json(&inspected)?;
    } else {
        output::print_text(&inspected.text())?;
    }
    if inspected.refused.is_some() {
        Err(Failure::already_reported())
    } else {
        Ok(())
    }
}

impl Inspected<'_> {
    fn text(&self) -> String {
        let runs = match &self.refused {
            None if self.protocol.is_none() => "not asked".to_owned(),
            None => {
                "yes, in a process of its own; it was run, confined, to say what it is".to_owned()
            }
            Some(reason) => format!("no: {reason}"),
        };
        let shown = |path: &PathBuf| path.display().to_string();
        let rows = [
            ("name", self.name.to_owned()),
            ("kinds", self.kinds.join(" ")),
            ("version", self.version.to_owned()),
            ("vendor", self.vendor.to_owned()),
            (
                "protocol",
                self.protocol.map_or_else(String::new, |it| it.to_string()),
            ),
            (
                "interpreter",
                self.interpreter.as_ref().map_or_else(String::new, shown),
            ),
            ("size", format!("{} bytes", self.size)),
            ("sha256", self.sha256.clone()),
            ("signed", self.signature.text()),
            ("runs", runs),
        ];
        let rows: Vec<_> = rows.map(|(key, value)| vec![key.to_owned(), value]).into();
        output::table(&rows) + &self.config.text()
    }
}
