//! Whether the plugins are there, may be loaded, and take their configuration.
//!
//! What decides (discovery, policy) is opened, as it keeps nothing. What keeps data (stores, state) creates its files where it
//! is opened, so without `--open` its library is checked, and its configuration against the keys in its manifest.

use super::{Findings, Verdict, grants};
use crate::{config::Config, instance};
use convoke_plugin_host::{
    PluginEntry, PluginErrors, PluginInfo, PluginState, Plugins, Preflight, Schedule, Setup,
    preflight,
};
use convoke_sdk::remote::Kind;

/// What is opened for a check.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// What decides.
    Deciding,
    /// What keeps data, too.
    All,
}

pub(super) async fn look(config: &Config, open: Open, findings: &mut Findings) {
    for (plugin, warning) in grants::warnings(config) {
        findings.add(Verdict::Warn, &plugin, warning);
    }
    // A state that no host has begun yet is not begun here either: kept until all is told.
    match instance::setup_to_look(config) {
        Ok((setup, _scratch)) => {
            if let Err(errors) = found(setup, open, findings).await {
                for error in &errors.0 {
                    findings.add(Verdict::Fail, "plugin", error.to_string());
                }
            }
        }
        Err(error) => findings.add(Verdict::Fail, "plugin", error.to_string()),
    }
    if !config.plugins.iter().any(|it| it.kind == Kind::Policy) {
        let text = "no [[policy]]: everything is denied";
        findings.add(Verdict::Warn, "policy", text);
    }
    served(config, findings);
}

async fn found(setup: Setup, open: Open, findings: &mut Findings) -> Result<(), PluginErrors> {
    let mut errors = Vec::new();
    let mut to_open = Vec::new();
    for (entry, plugin) in setup.entries.iter().zip(preflight(&setup).await?) {
        match plugin {
            Ok(plugin) if open == Open::All || is_deciding(entry.kind) => {
                // Beside fewer others, it might be called something else.
                to_open.push(PluginEntry {
                    name: Some(plugin.name),
                    ..entry.clone()
                });
            }
            Ok(plugin) => unopened(&plugin, findings),
            Err(error) => errors.push(error),
        }
    }
    // What plugins keep in folders of their own is nothing that a check may touch, so they are given empty ones.
    let Ok(scratch) = tempfile::tempdir() else {
        findings.add(
            Verdict::Fail,
            "plugin",
            "the system gives no temporary folder",
        );
        return Ok(());
    };
    let setup = Setup {
        entries: to_open,
        state: scratch.path().to_owned(),
        ..setup
    };
    match Plugins::open(&setup).await {
        Ok(plugins) => {
            plugins.list().iter().for_each(|it| opened(it, findings));
            other_schedulers(&plugins, findings).await;
        }
        Err(more) => errors.extend(more.0),
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(PluginErrors(errors))
    }
}

/// What lies behind a store may tell people by itself.
async fn other_schedulers(plugins: &Plugins, findings: &mut Findings) {
    for store in plugins.stores.iter() {
        let what = format!("store {}", store.name());
        let verdict = match store.schedule() {
            Schedule::Off => continue,
            Schedule::Auto => Verdict::Fail,
            Schedule::IfPossible => Verdict::Warn,
        };
        if let Some(sentence) = instance::other_scheduler(store).await {
            findings.add(verdict, &what, sentence);
        }
    }
}

const fn is_deciding(kind: Kind) -> bool {
    matches!(kind, Kind::Discovery | Kind::Policy)
}

fn opened(plugin: &PluginInfo, findings: &mut Findings) {
    let what = format!("{} {}", plugin.kind, plugin.name);
    let detail = format!("{}, {}", plugin.version, plugin.file.display());
    findings.add(Verdict::Ok, &what, detail);
    for lack in &plugin.lacks {
        let detail = format!("its process is not wholly confined: {lack}");
        findings.add(Verdict::Warn, &what, detail);
    }
    if let PluginState::Degraded { reason } = &plugin.state {
        findings.add(Verdict::Warn, &what, reason);
    }
}

fn unopened(plugin: &Preflight, findings: &mut Findings) {
    let what = format!("{} {}", plugin.kind, plugin.name);
    let (version, file) = (&plugin.version, plugin.file.display());
    let detail = format!("{version}, {file} (not opened: that may write; see --open)");
    findings.add(Verdict::Ok, &what, detail);
}

fn served(config: &Config, findings: &mut Findings) {
    let stores = || config.plugins.iter().filter(|it| it.kind == Kind::Store);
    for domain in &config.server.domains {
        let serves = |store: &PluginEntry| {
            let mut domains = store.domains.iter();
            store.domains.is_empty() || domains.any(|served| domain.is_within(served))
        };
        if !stores().any(serves) {
            findings.add(
                Verdict::Warn,
                "store",
                format!("no [[store]] serves {domain}: nobody there can be invited"),
            );
        }
    }
}
