//! `convoke state copy`: everything that one state holds into another one, which is empty.
//!
//! What has been copied is read again and compared. A copy that was interrupted is started again with `--replace`.

use super::{
    hold_alone,
    scan::{all_pages, clear, count, entries, put},
};
use crate::{
    cli::{
        Global,
        output::{self, Failure},
        owner::become_owner,
    },
    config::Config,
    instance,
};
use clap::Args;
use convoke_plugin_host::{PluginEntry, Plugins, Setup};
use convoke_sdk::{Batch, Error};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  convoke state copy --from state-sqlite --to state-postgres
  convoke state copy --from state-postgres --to state-sqlite

Each is the [[state]] entry of the configuration, by `name` or `plugin`, or `state-sqlite`, which is the file state.db in \
`server.state`. To move: end the host, write the new [[state]] into the configuration, copy, start the host. Where several hosts share a \
state, end all of them first.

What is there in the source stays. Expiry goes on where it was.";

/// Copy everything that a host must not forget
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Copy {
    /// Source
    #[arg(long, value_name = "NAME")]
    from: String,
    /// Destination, which must be empty
    #[arg(long, value_name = "NAME")]
    to: String,
    /// Remove first what the destination holds
    #[arg(long)]
    replace: bool,
}

#[derive(Serialize)]
struct Copied {
    copied: usize,
}

impl Copy {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.config()?;
        if self.from == self.to {
            let text = "a state is not copied into itself; name two with --from and --to";
            return Err(Failure::usage(text));
        }
        let (from, to) = (entry(&config, &self.from)?, entry(&config, &self.to)?);
        become_owner(&config.server.state)?;
        let folder = &config.server.state;
        hold_alone(folder, "its state is copied")?;
        let (from, to) = (open(&config, from).await?, open(&config, to).await?);
        let named =
            |name: &str, error: &Error| Failure::new(format!("the state `{name}`: {error}"));
        let there = count(&to).await.map_err(|error| named(&self.to, &error))?;
        if there > 0 && !self.replace {
            return Err(Failure::new(format!(
                "the state `{}` holds {} already; --replace removes them first",
                self.to,
                entries(there)
            )));
        }
        clear(&to).await.map_err(|error| named(&self.to, &error))?;
        let copied = copy(&from, &to, &self).await?;
        for plugins in [from, to] {
            plugins.close().await;
        }
        if global.json {
            output::print_json(&Copied { copied })
        } else {
            output::print_text(&format!("{} copied\n", entries(copied)))
        }
    }
}

fn entry(config: &Config, name: &str) -> Result<PluginEntry, Failure> {
    config.state_entry(name).ok_or_else(|| {
        let names: Vec<String> = config.state_names();
        Failure::new(format!(
            "the configuration has no [[state]] of the name `{name}`; it has `{}`",
            names.join("`, `")
        ))
    })
}

/// Opens a state alone.
async fn open(config: &Config, entry: PluginEntry) -> Result<Plugins, Failure> {
    let setup = Setup {
        entries: vec![entry],
        ..instance::setup(config)
    };
    Plugins::open(&setup).await.map_err(Failure::from)
}

/// Copies everything, and compares: how much it is.
async fn copy(from: &Plugins, to: &Plugins, names: &Copy) -> Result<usize, Failure> {
    let mut copied = 0;
    let copying = all_pages(from, async |page| {
        copied += page.len();
        let written = page.iter().fold(Batch::new(), put);
        to.state.commit(&written).await?;
        for entry in page {
            let arrived = to.state.get(&entry.key).await?;
            // What is to expire may have.
            let is_there = arrived.is_some_and(|it| it.value == entry.value);
            if !is_there && entry.expires_in.is_none() {
                return Err(Error::internal(format!(
                    "`{}` took the entry {} and does not give it back as it was",
                    names.to,
                    entry.key.escape_ascii()
                )));
            }
        }
        Ok(())
    });
    copying.await.map_err(|error| {
        Failure::new(format!(
            "from `{}` to `{}`: {error}; start again with --replace",
            names.from, names.to
        ))
    })?;
    Ok(copied)
}
