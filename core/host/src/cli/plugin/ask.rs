//! `convoke plugin ask`: one call of a plugin, made by hand.

use super::{
    output::{self, Failure},
    program::{self, Allow},
    test::{PluginConfig, kind, setup},
};
use clap::Args;
use convoke_plugin_host::{PluginEntry, Setup, ask};
use convoke_sdk::remote::Kind;
use std::path::PathBuf;

const EXAMPLES: &str = r#"Examples:
  convoke plugin ask libacme.so discover anna@example.com --config 'domains = ["example.com"]'
  convoke plugin ask libconvoke_store_sqlite.so users '{"page": {"limit": 10}}' --config 'path = "/var/lib/convoke/calendars.db"'
  convoke plugin ask libconvoke_policy_rules.so authorize '{"request": {"action": "schedule", "method": "REQUEST",
    "component": "VEVENT", "originator": "anna@example.com", "recipient": "bo@example.org"}}' --config rules.toml

Arguments are a JSON object by name, as in PROCESS.md of the SDK; for `discover` and `find` an address will do.
The answer is JSON. The plugin does what it is asked: `put` and `remove_user` are no trial."#;

/// Call one method of a plugin and print its answer
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Ask {
    /// The library or program
    file: PathBuf,
    /// What to call: discover, authorize, find, users…
    method: String,
    /// An address, or arguments as JSON
    #[arg(default_value = "{}")]
    arguments: String,
    /// As what to open it, if it offers several kinds
    #[arg(long, value_parser = kind)]
    kind: Option<Kind>,
    #[command(flatten)]
    config: PluginConfig,
    #[command(flatten)]
    allow: Allow,
}

impl Ask {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
        let file = std::path::absolute(&self.file).map_err(|error| failed(&error))?;
        let scratch = tempfile::tempdir().map_err(|error| failed(&error))?;
        let (config, folder) = self.config.read(scratch.path())?;
        let setup = Setup {
            folder,
            ..setup(scratch.path())
        };
        let isolation = self.allow.isolation(&setup.folder, scratch.path())?;
        let subject = program::described(&file, &setup, isolation).await?;
        let kind = match (self.kind, subject.description.own_kinds().as_slice()) {
            (Some(kind), _) => kind,
            (None, [kind]) => *kind,
            _ => {
                let text = "it offers several kinds; say which with --kind";
                return Err(Failure::usage(text));
            }
        };
        let entry = PluginEntry {
            config,
            isolation: subject.isolation,
            ..PluginEntry::new(kind, file.to_string_lossy())
        };
        let answer = ask(&setup, &entry, &self.method, &self.arguments()).await;
        let answer = answer.map_err(|error| failed(&error))?;
        let answer = answer
            .map_err(|error| Failure::new(format!("it answers {:?}: {error}", error.kind())))?;
        output::print_text(&format!("{answer}\n"))
    }

    /// Arguments as JSON; a lone address is the argument `address`.
    fn arguments(&self) -> String {
        if self.arguments.trim_start().starts_with('{') {
            return self.arguments.clone();
        }
        serde_json::json!({ "address": self.arguments }).to_string()
    }
}
