//! `convoke plugin`: what is installed, what a file is, whether it keeps its promises, and a new one.

mod ask;
mod keys;
mod list;
mod new;
mod program;
mod test;

use super::{
    Global,
    output::{self, Failure},
};
use clap::{Args, Subcommand};
use convoke_plugin_host::{MayRun, Problem, Runnable, examined};
use convoke_sdk::remote::{Candidate, Kind, Signed, Trust, TrustedKey};
use keys::Keys;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

const EXAMPLES: &str = "\
Examples:
  convoke plugin list --config convoke.toml
  convoke plugin inspect /usr/lib/convoke/plugins/acme.so
  convoke plugin test ./libacme.so --config acme.toml
  convoke plugin ask ./libacme.so discover anna@example.com --config acme.toml
  convoke plugin new --kind discovery acme-finder";

/// List, inspect, test, call and create plugins
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Plugin {
    List(list::List),
    Inspect(Inspect),
    Test(test::Test),
    Ask(ask::Ask),
    New(new::New),
}

const INSPECT_EXAMPLES: &str = "\
Examples:
  convoke plugin inspect ./target/release/libconvoke_store_sqlite.so
  convoke plugin inspect acme.so --key acme.pub

All is checked that the host checks before it opens a plugin: permissions, signature, ABI; then a library is loaded, and a \
program asked what it is, in a confined process that is granted nothing. --no-run leaves that out. With a configuration, \
its `server.trusted_keys` count, and the owner of `server.state` is the host's user.";

/// Show what a plugin file is, and whether the host would load it
#[derive(Args)]
#[command(after_help = INSPECT_EXAMPLES)]
pub(super) struct Inspect {
    /// The library or program
    file: PathBuf,
    /// A trusted minisign public key: its `.pub` file, or its text (repeatable)
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// Do not run anything of the file: neither load a library nor start a program
    #[arg(long)]
    no_run: bool,
}

impl Plugin {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(global).await,
            Self::Inspect(inspect) => inspect.run(global).await,
            Self::Test(test) => test.run(global).await,
            Self::Ask(ask) => ask.run().await,
            Self::New(new) => new.run(global),
        }
    }
}

fn words(kinds: &[Kind]) -> Vec<&'static str> {
    kinds.iter().copied().map(Kind::as_str).collect()
}

fn dotted((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

/// `plugin inspect --json`.
#[derive(Serialize)]
struct Inspected<'a> {
    file: &'a Path,
    name: &'a str,
    kinds: Vec<&'static str>,
    /// What its plugins of a kind are called where that is not `name`: by kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    other_names: BTreeMap<&'static str, &'a str>,
    version: &'a str,
    vendor: &'a str,
    abi: String,
    sdk: &'a str,
    rustc: &'a str,
    panic: &'static str,
    size: u64,
    sha256: String,
    signature: Signature,
    /// The keys of each kind's configuration; `null` where the plugin does not say.
    config: Keys,
    /// Why this host would not load it.
    refused: Option<String>,
    #[serde(skip)]
    is_loaded: bool,
}

/// Who signed it.
#[derive(Serialize)]
struct Signature {
    /// `none`, `good`, `unknown` (by a key that is not trusted), `wrong` (not of these bytes), `unreadable`.
    state: &'static str,
    /// The key's number, as minisign prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The name of the key's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// What the signer wrote beside it, if the signature is good; why it cannot be read, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

impl From<Signed> for Signature {
    fn from(signed: Signed) -> Self {
        let (state, key, number, comment) = match signed {
            Signed::No => ("none", None, None, None),
            Signed::By { key, comment } => ("good", Some(key), None, Some(comment)),
            Signed::Unknown { key_id } => ("unknown", None, Some(key_id), None),
            Signed::Wrong { key } => ("wrong", Some(key), None, None),
            Signed::Unreadable(why) => ("unreadable", None, None, Some(why)),
        };
        Self {
            state,
            key: key.as_ref().map(|key| key.id().to_owned()).or(number),
            by: key.and_then(|key| key.name().map(str::to_owned)),
            comment,
        }
    }
}

impl Signature {
    fn text(&self) -> String {
        let key = match (&self.by, &self.key) {
            (Some(name), Some(id)) => format!("{name} ({id})"),
            (_, id) => id.clone().unwrap_or_default(),
        };
        let comment = self.comment.as_deref().unwrap_or_default();
        match self.state {
            "good" => format!("by {key}: {comment}"),
            "unknown" => format!("by {key}, which is no trusted key: it proves nothing"),
            "wrong" => format!("wrong: {key} did not sign these bytes"),
            "unreadable" => format!("unreadable: {comment}"),
            none => none.to_owned(),
        }
    }
}

impl Inspect {
    /// Whose files count, and whose signatures: as the configuration says, if there is one, and the keys of the command line.
    fn trust(&self, global: &Global) -> Result<Trust, Failure> {
        let named = global.config.is_some();
        let mut trust = Trust::of_this_process();
        let mut keys = match global.config() {
            Ok(config) => {
                if let Ok(state) = fs::metadata(&config.server.state) {
                    trust.user = state.uid();
                }
                config.server.trusted_keys
            }
            Err(failure) if named => return Err(failure),
            // Somebody else's configuration, or none: a file can be looked at all the same.
            Err(_) => Vec::new(),
        };
        for key in &self.key {
            let read = TrustedKey::from_text(key);
            let key = read.or_else(|_| TrustedKey::from_file(Path::new(key)));
            keys.push(key.map_err(|error| Failure::new(error.to_string()))?);
        }
        Ok(trust.signed_by(keys))
    }

    async fn run(self, global: &Global) -> Result<(), Failure> {
        let trust = self.trust(global)?;
        let failed = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
        let file = std::path::absolute(&self.file).map_err(|error| failed(&error))?;
        let runnable = Runnable::look(&file).map_err(|problem| failed(&problem))?;
        let run = if self.no_run {
            MayRun::Nothing
        } else {
            MayRun::Confined
        };
        // It only says what it is, and keeps nothing.
        let examined = examined(&test::setup(Path::new("")), &trust, &runnable, run).await;
        match &runnable {
            Runnable::Library(candidate) => self.library(candidate, &trust, examined.err(), global),
            Runnable::Program(_) => {
                program::inspect(&self.file, &runnable, &trust, examined, global)
            }
        }
    }

    fn library(
        &self,
        candidate: &Candidate,
        trust: &Trust,
        refused: Option<Problem>,
        global: &Global,
    ) -> Result<(), Failure> {
        let signature = candidate.content().signed(&trust.keys).into();
        let manifest = &candidate.manifest;
        let inspected = Inspected {
            file: &self.file,
            name: &manifest.name,
            kinds: words(&manifest.kinds),
            version: &manifest.version,
            other_names: (manifest.other_names.iter())
                .map(|(kind, name)| (kind.as_str(), name.as_str()))
                .collect(),
            vendor: &manifest.vendor,
            abi: dotted(manifest.abi),
            sdk: &manifest.sdk,
            rustc: &manifest.rustc,
            panic: if manifest.unwinds { "unwind" } else { "abort" },
            size: candidate.content().size() as u64,
            sha256: candidate.sha256(),
            signature,
            config: Keys::read(&manifest.schema),
            refused: refused.map(|problem| problem.to_string()),
            is_loaded: !self.no_run,
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
}

impl Inspected<'_> {
    fn kinds(&self) -> String {
        let kinds = self
            .kinds
            .iter()
            .map(|kind| match self.other_names.get(kind) {
                Some(name) => format!("{kind} (as {name})"),
                None => (*kind).to_owned(),
            });
        kinds.collect::<Vec<_>>().join(" ")
    }

    fn text(&self) -> String {
        let loadable = match &self.refused {
            None if self.is_loaded => "yes".to_owned(),
            None => {
                "perhaps: nothing that can be seen speaks against it; it was not loaded".to_owned()
            }
            Some(reason) => format!("no: {reason}"),
        };
        let rows = [
            ("name", self.name.to_owned()),
            ("kinds", self.kinds()),
            ("version", self.version.to_owned()),
            ("vendor", self.vendor.to_owned()),
            ("abi", self.abi.clone()),
            ("sdk", self.sdk.to_owned()),
            ("rustc", self.rustc.to_owned()),
            ("panic", self.panic.to_owned()),
            ("size", format!("{} bytes", self.size)),
            ("sha256", self.sha256.clone()),
            ("signed", self.signature.text()),
            ("loads", loadable),
        ];
        let rows: Vec<_> = rows.map(|(key, value)| vec![key.to_owned(), value]).into();
        output::table(&rows) + &self.config.text()
    }
}
