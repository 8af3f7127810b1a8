//! `convoke reload`.

use super::{
    Global,
    output::{self, Failure},
};
use crate::{
    admin::{
        api,
        client::{Client, Failed},
    },
    config::Config,
};
use clap::Args;
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  convoke reload --config /etc/convoke/convoke.toml
  convoke check --config /etc/convoke/convoke.toml && convoke reload --config /etc/convoke/convoke.toml

To be run on the host itself, as the host's user or root. SIGHUP does the same; what came of it is then in the log.";

/// Reload configuration and plugin files in the running host, all of it or nothing
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Reload {}

impl Reload {
    pub(super) async fn run(global: &Global) -> Result<(), Failure> {
        let file = global.config_file()?;
        let kept = |error: &dyn std::fmt::Display| {
            Failure::new(format!(
                "the new configuration is not used, the old one stays: {error}"
            ))
        };
        let config = Config::read(&file).map_err(|error| kept(&error))?;
        let state = &config.server.state;
        let unreachable = |error: &std::io::Error| {
            Failure::new(format!(
                "no running host can be reached through the state folder {} ({error}); start it with \
                 `convoke serve --config {}`, or, if `server.state` is what changed, send SIGHUP",
                state.display(),
                file.display()
            ))
        };
        let host = Client::find(state)
            .await
            .map_err(|error| unreachable(&error))?;
        let refused = match host.call(&api::Reload {}).await {
            Ok(()) => None,
            Err(Failed::Refused(error)) => Some(error.to_string()),
            Err(Failed::Unreachable(error)) => return Err(unreachable(&error)),
        };
        if global.json {
            output::print_json(&Shown {
                reloaded: refused.is_none(),
                error: refused.as_deref(),
            })?;
        }
        match refused {
            Some(_) if global.json => Err(Failure::already_reported()),
            Some(error) => Err(kept(&error)),
            None if global.json => Ok(()),
            None => output::print_text("the configuration was read again\n"),
        }
    }
}

/// `reload --json`.
#[derive(Serialize)]
struct Shown<'a> {
    /// Whether the new configuration holds now.
    reloaded: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}
