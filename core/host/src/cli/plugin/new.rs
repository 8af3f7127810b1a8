//! `convoke plugin new`: a crate that builds and passes its tests at once.

use super::{
    Global,
    output::{self, Failure},
    test::kind,
};
use clap::Args;
use convoke_sdk::remote::{Kind, is_plugin_name};
use serde::Serialize;
use std::{
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    fs, io,
    path::{Path, PathBuf},
};

const EXAMPLES: &str = "\
Examples:
  convoke plugin new --kind discovery acme-finder
  cd acme-finder && cargo test

  convoke plugin new --kind store acme-calendars --sdk-path ~/src/convoke/sdk

The crate depends on the released SDK of this program's version; with --sdk-path, on one that lies on this machine.";

/// Create a crate for a plugin
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct New {
    /// Kind of plugin: discovery, policy, store or state
    #[arg(long, value_parser = kind)]
    kind: Kind,
    /// Name of the plugin and of its folder: `a-z`, `0-9` and `-`
    name: String,
    /// Depend on the crate `convoke-sdk` in this folder instead of the released one
    #[arg(long, value_name = "FOLDER")]
    sdk_path: Option<PathBuf>,
}

/// `plugin new --json`.
#[derive(Serialize)]
struct Made<'a> {
    name: &'a str,
    kind: &'static str,
    folder: &'a Path,
    files: Vec<&'static str>,
}

const CARGO: &str = include_str!("template/Cargo.toml.txt");
const README: &str = include_str!("template/README.md");
const CI: &str = include_str!("template/ci.sh");
const WORKFLOW: &str = include_str!("template/ci.yml");
const DISCOVERY: &str = include_str!("template/discovery.rs");
const POLICY: &str = include_str!("template/policy.rs");
/// The example is as good a beginning as any.
const STORE: &str = include_str!("../../../../../examples/store-memory/src/lib.rs");
/// As is this one.
const STATE: &str = include_str!("../../../../../examples/state-memory/src/lib.rs");

impl New {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        if !is_plugin_name(&self.name) {
            return Err(Failure::usage(format!(
                "`{}` cannot be a plugin's name: it is 1 to 64 of a-z, 0-9 and -, beginning with a letter",
                self.name
            )));
        }
        let folder = Path::new(&self.name);
        if folder.exists() {
            return Err(Failure::new(format!(
                "{} is there already; choose another name, or remove it",
                folder.display()
            )));
        }
        let files = self.files()?;
        let failed = |error: io::Error| {
            Failure::new(format!(
                "{} cannot be written: {error}; go to a folder that you may write to",
                folder.display()
            ))
        };
        for (name, text) in &files {
            write(&folder.join(name), text).map_err(failed)?;
        }
        if global.json {
            return output::print_json(&Made {
                name: &self.name,
                kind: self.kind.as_str(),
                folder,
                files: files.iter().map(|(name, _)| *name).collect(),
            });
        }
        let text = format!(
            "made {0}: src/lib.rs is where to begin\n\n  cd {0}\n  cargo test\n  cargo build --release\n",
            self.name
        );
        output::print_text(&text)
    }

    fn files(&self) -> Result<Vec<(&'static str, String)>, Failure> {
        let (source, config) = match self.kind {
            Kind::Discovery => (
                DISCOVERY.to_owned(),
                "domains.\"example.com\" = \"https://cal.example.com/.well-known/ischedule\"",
            ),
            Kind::Policy => (POLICY.to_owned(), "friends = [\"example.com\"]"),
            Kind::Store => (
                STORE.replace("name: \"memory\"", "name: \"{{name}}\""),
                "max_bytes = 2_000_000",
            ),
            Kind::State => (
                STATE.replace("name: \"state-memory\"", "name: \"{{name}}\""),
                "max_bytes = 2_000_000",
            ),
        };
        let library = format!("{DLL_PREFIX}{}{DLL_SUFFIX}", self.name.replace('-', "_"));
        let sdk = self.sdk()?;
        let fill = |text: &str| {
            text.replace("{{name}}", &self.name)
                .replace("{{kind}}", self.kind.as_str())
                .replace("{{library}}", &library)
                .replace("{{suffix}}", DLL_SUFFIX)
                .replace("{{config}}", &format!("config.{config}"))
                .replace("{{config_inline}}", config)
                .replace("{{sdk}}", &sdk)
                .replace("{{repository}}", env!("CARGO_PKG_REPOSITORY"))
        };
        Ok(vec![
            ("Cargo.toml", fill(CARGO)),
            ("src/lib.rs", fill(&source)),
            ("README.md", fill(README)),
            ("ci", fill(CI)),
            (".github/workflows/ci.yml", fill(WORKFLOW)),
            (".gitignore", "/target\n".to_owned()),
        ])
    }

    /// Where the SDK comes from, as it stands in Cargo.toml.
    fn sdk(&self) -> Result<String, Failure> {
        let Some(path) = &self.sdk_path else {
            return Ok(format!("version = \"{}\"", env!("CARGO_PKG_VERSION")));
        };
        if !path.join("Cargo.toml").is_file() {
            return Err(Failure::new(format!(
                "{} holds no Cargo.toml; --sdk-path is the folder of the crate convoke-sdk",
                path.display()
            )));
        }
        let path = path
            .canonicalize()
            .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        Ok(format!("path = {:?}", path.display().to_string()))
    }
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text)?;
    #[cfg(unix)]
    if text.starts_with("#!") {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(file, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
