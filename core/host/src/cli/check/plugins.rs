//! Whether the plugins are there, may be loaded, and take their configuration.
//!
//! What decides (discovery, policy) is opened, as it keeps nothing. What keeps data (stores, state) creates its files where it
//! is opened, so without `--open` its library is checked, and its configuration against the keys in its manifest.

use super::{Findings, Verdict, data, grants, places, policy};
use crate::{config::Config, instance};
use convoke_plugin_host::{
    PluginEntry, PluginError, PluginErrors, PluginInfo, PluginState, Plugins, Preflight, Problem,
    Schedule, Setup, preflight,
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
            if let Err(errors) = found(config, setup, open, findings).await {
                // What the host cannot offer because of [client] is said there.
                let is_told = findings.have_failed_at("client: ca");
                let told = |error: &&PluginError| matches!(*error.problem, Problem::Host(_));
                for error in errors.0.iter().filter(|it| !(is_told && told(it))) {
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
    let stores = config.plugins.iter().filter(|it| it.kind == Kind::Store);
    data::served(config, stores, findings);
}

async fn found(
    config: &Config,
    setup: Setup,
    open: Open,
    findings: &mut Findings,
) -> Result<(), PluginErrors> {
    let mut errors = Vec::new();
    let mut to_open = Vec::new();
    let mut keeping = Vec::new();
    for (entry, plugin) in setup.entries.iter().zip(preflight(&setup).await?) {
        let plugin = match plugin {
            Ok(plugin) => plugin,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        if open == Open::All || is_deciding(entry.kind) {
            // Beside fewer others, it might be called something else.
            to_open.push(PluginEntry {
                name: Some(plugin.name.clone()),
                ..entry.clone()
            });
        } else {
            unopened(&plugin, findings);
            data::look(config, entry, &plugin, findings);
            places::look(config, &plugin, findings);
        }
        if !is_deciding(entry.kind) {
            keeping.push((entry, plugin));
        }
    }
    data::same(&keeping, findings);
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
            answering(config, &plugins, findings).await;
            other_schedulers(&plugins, findings).await;
            let has_policy = config.plugins.iter().any(|it| it.kind == Kind::Policy);
            if has_policy && errors.is_empty() {
                policy::look(config, &plugins, findings).await;
            }
        }
        Err(more) => errors.extend(more.0),
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(PluginErrors(errors))
    }
}

/// Whether what lies behind a store answers, and lets us in: it is asked for somebody of each domain that it serves.
async fn answering(config: &Config, plugins: &Plugins, findings: &mut Findings) {
    for domain in &config.server.domains {
        let Some(person) = policy::people(config, domain).into_iter().next() else {
            continue;
        };
        let Some(store) = plugins.stores.for_address(&person) else {
            continue;
        };
        let what = format!("store {}", store.name());
        match store.find(&person).await {
            Ok(_) => {
                let text = format!("it answers whether {} has a calendar there", person.human());
                findings.add(Verdict::Ok, &what, text);
            }
            Err(error) => findings.add(Verdict::Fail, &what, error.to_string()),
        }
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
