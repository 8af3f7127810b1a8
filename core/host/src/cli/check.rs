//! `convoke check`: what `serve` would find wrong, without writing anything.

#[cfg(feature = "acme")]
mod acme;
#[cfg(feature = "caldav")]
mod caldav;
mod certificate;
mod clock;
mod data;
mod finding;
mod found;
mod grants;
mod listeners;
#[cfg(feature = "mail")]
mod mail;
mod mail_listener;
mod owners;
mod places;
mod plugins;
mod policy;
mod trust;
#[cfg(feature = "caldav")]
mod upstream;

use super::{
    Global,
    output::{self, Failure},
    owner::become_owner,
};
use crate::{
    admin::{api::Health, client::Client},
    config::Config,
    file_modes,
};
use clap::Args;
use convoke_net::http_server::Descriptors;
use finding::{Findings, Verdict};
pub(super) use found::covers;
use plugins::Open;
use rustix::fs::Access;
use std::path::Path;

const EXAMPLES: &str = "\
Examples:
  convoke check --config /etc/convoke/convoke.toml
  convoke check --config new.toml && cp new.toml /etc/convoke/convoke.toml && convoke reload

Each finding is ok, warn or fail; errors give file, line and column. Exit status 1 if one is fail.
Nothing is written. Stores and state are not opened, as that may create their files: their libraries and the keys of \
their configuration are checked. --open opens them, too, as `serve` would. Root does all of it as the owner of \
`server.state`. A host that runs with this configuration is asked whether its plugins are well, what is stuck in its queue, \
and which changes wait to be released.";

/// Validate the configuration and everything it refers to
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// Open stores and state, too; what they create stays
    #[arg(long)]
    open: bool,
}

impl Check {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let mut findings = Findings::default();
        let file = global.config_file()?;
        match Config::read(&file) {
            Ok(config) => {
                become_owner(&config.server.state)?;
                findings.ok("configuration", file.display().to_string());
                let open = if self.open { Open::All } else { Open::Deciding };
                look(&config, open, &mut findings).await;
            }
            Err(error) => findings.fail("configuration", error.to_string()),
        }
        if global.json {
            output::print_json(&findings.0)?;
        } else {
            output::print_text(&findings.text())?;
        }
        if findings.have_failed() {
            Err(Failure::already_reported())
        } else {
            Ok(())
        }
    }
}

async fn look(config: &Config, open: Open, findings: &mut Findings) {
    state(&config.server.state, findings);
    owners::look(config, findings);
    modes(config, findings);
    clock::look(config, findings);
    listeners::look(config, findings);
    #[cfg(feature = "caldav")]
    for listener in &config.listeners {
        if let Some(server) = &listener.upstream {
            upstream::look(config, listener, server, findings).await;
        }
    }
    #[cfg(feature = "acme")]
    acme::look(config, findings).await;
    found::look(config, findings).await;
    #[cfg(feature = "caldav")]
    caldav::look(config, findings).await;
    mail_listener::look(config, findings);
    descriptors(config, findings);
    trust::look(config, findings).await;
    #[cfg(feature = "mail")]
    mail::look(config, findings).await;
    plugins::look(config, open, findings).await;
    running(config, findings).await;
}

/// What the host that runs with this configuration has to say, if one does.
async fn running(config: &Config, findings: &mut Findings) {
    let what = "running host";
    let Ok(host) = Client::find(&config.server.state).await else {
        return;
    };
    match host.call(&Health {}).await {
        Ok(troubles) if troubles.is_empty() => {
            let text = "its plugins are well, and nothing is stuck";
            findings.add(Verdict::Ok, what, text);
        }
        Ok(troubles) => {
            for trouble in troubles {
                let what = format!("{what}: {}", trouble.what);
                findings.add(Verdict::Warn, &what, trouble.detail);
            }
        }
        Err(error) => findings.add(Verdict::Warn, what, error.to_string()),
    }
}

fn descriptors(config: &Config, findings: &mut Findings) {
    let descriptors = Descriptors::of(
        config.listeners.len(),
        config.limits.connections,
        crate::serve::mail_connections(config),
    );
    let (verdict, detail) = if descriptors.suffice() {
        let detail = format!("{} are needed and allowed", descriptors.needed);
        (Verdict::Ok, detail)
    } else {
        (Verdict::Warn, descriptors.lack())
    };
    findings.add(verdict, "open files", detail);
}

fn state(state: &Path, findings: &mut Findings) {
    let what = "state folder";
    let place = state.ancestors().find(|folder| folder.exists());
    let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    let usable = place.map(|folder| rustix::fs::access(folder, all));
    match usable {
        _ if state.exists() && !state.is_dir() => findings.add(
            Verdict::Fail,
            what,
            format!("{} is no folder; write another `server.state`", state.display()),
        ),
        Some(Ok(())) if place != Some(state) => findings.add(
            Verdict::Warn,
            what,
            format!(
                "{} is not there yet; `serve` makes it, or make it for the host's user: install -d -m 700 -o convoke {}",
                state.display(),
                state.display()
            ),
        ),
        Some(Ok(())) => findings.add(Verdict::Ok, what, state.display().to_string()),
        Some(Err(error)) => findings.add(
            Verdict::Fail,
            what,
            format!(
                "{} cannot be written: {error}; run as the host's user, or change `server.state`",
                state.display()
            ),
        ),
        None => findings.add(
            Verdict::Fail,
            what,
            format!("{} cannot be made", state.display()),
        ),
    }
}

/// What others on this machine may write. Keys and plugins are looked at where they are read.
fn modes(config: &Config, findings: &mut Findings) {
    let exposed = file_modes::exposed(config);
    if exposed.is_empty() {
        let text = "nobody else can write what decides what the host does";
        findings.add(Verdict::Ok, "file modes", text);
    }
    for (what, exposed) in exposed {
        findings.add(
            Verdict::Warn,
            &format!("file modes: {what}"),
            exposed.to_string(),
        );
    }
}
