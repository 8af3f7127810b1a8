//! `check` of `upstream`: what is in front of what, whether it is there, and whether what people change on it is told.

use super::{Findings, Verdict};
use crate::{
    config::{Config, Listener, UpstreamServer},
    instance,
    upstream::{self, Greeting},
};
use convoke_plugin_host::{PluginEntry, Schedule};

const WHAT: &str = "listener caldav: upstream";

/// Looks at the server that a listener stands in front of.
pub(super) async fn look(
    config: &Config,
    listener: &Listener,
    server: &UpstreamServer,
    findings: &mut Findings,
) {
    if let Some(ours) = upstream::is_ours(config, server) {
        let text = format!(
            "{server} is this host's own listener `{}` ({}), so that requests would go round in circles; write where the CalDAV \
             server listens",
            ours.role.as_str(),
            ours.address
        );
        return findings.add(Verdict::Fail, WHAT, text);
    }
    if !server.is_tls && !server.is_on_this_machine() {
        let text = format!(
            "{server} is another machine, and everybody's password goes there in the clear; let it speak https, or keep that way to \
             yourself (WireGuard, a container's own network)"
        );
        findings.add(Verdict::Warn, WHAT, text);
    }
    let stores = stores(config, listener, server, findings);
    match instance::outside(config) {
        Ok((_, client)) => greeting(upstream::greeting(&client, server).await, server, findings),
        Err(error) => findings.add(Verdict::Fail, WHAT, error.to_string()),
    }
    for store in stores {
        telling(store, findings);
    }
}

/// The stores that keep calendars there; without one, nobody is told of anything.
fn stores<'c>(
    config: &'c Config,
    listener: &Listener,
    server: &UpstreamServer,
    findings: &mut Findings,
) -> Vec<&'c PluginEntry> {
    let stores = upstream::stores_on(config, server);
    for store in upstream::all_stores(config) {
        let name = name(store);
        if let Some(url) = upstream::around(config, store) {
            let text = format!(
                "{url} leads to this listener itself, where every change seems to be told already, so that nobody would be; write \
                 {server} there"
            );
            findings.add(Verdict::Fail, &format!("store {name}"), text);
        }
    }
    if stores.is_empty() {
        let named: Vec<&str> = upstream::all_stores(config)
            .flat_map(upstream::urls)
            .collect();
        let instead = match named.first() {
            Some(url) => format!("a store's configuration names {url}"),
            None => "the configuration of no store names a URL".to_owned(),
        };
        let text = format!(
            "no [[store]] keeps calendars on {server} ({instead}), so that invitations and answers written there would be told to \
             nobody; let a store-caldav name it: config.home = \"{server}/{{user}}/\""
        );
        findings.add(Verdict::Fail, WHAT, text);
    } else {
        let names: Vec<&str> = stores.iter().map(|it| name(it)).collect();
        let text = format!(
            "{} is in front of {server}, where the calendars of {} are",
            listener.address,
            names.join(", ")
        );
        findings.add(Verdict::Ok, WHAT, text);
    }
    stores
}

fn telling(store: &PluginEntry, findings: &mut Findings) {
    if store.schedule == Schedule::Off {
        let text = "schedule = \"off\": calendar programs are told of no scheduling, and what is written through the caldav \
                    listener is told to nobody";
        findings.add(Verdict::Warn, &format!("store {}", name(store)), text);
    }
}

fn greeting(greeting: Result<Greeting, String>, server: &UpstreamServer, findings: &mut Findings) {
    let what = &format!("{WHAT}: answer");
    match greeting {
        Ok(Greeting::AsksWho) => {
            findings.add(Verdict::Ok, what, format!("{server} asks who logs in"));
        }
        Ok(Greeting::AsksNobody) => {
            let text = format!(
                "{server} asks nobody for a password, so that whoever reaches the listener reads and changes every calendar; let it \
                 ask, or let only those reach the listener who may"
            );
            findings.add(Verdict::Warn, what, text);
        }
        Ok(Greeting::SchedulesItself) => {
            let text = format!(
                "{server} says that it sends invitations and answers by itself (calendar-auto-schedule); for whom it does, this host \
                 tells nobody: switch that off there"
            );
            findings.add(Verdict::Warn, what, text);
        }
        Ok(Greeting::NoDav(status)) => {
            let text = format!(
                "{server}/ answers {status} to PROPFIND; write the path where its DAV begins, such as \
                 {server}/dav.php"
            );
            findings.add(Verdict::Warn, what, text);
        }
        Err(error) => findings.add(Verdict::Fail, what, error),
    }
}

fn name(store: &PluginEntry) -> &str {
    store.name.as_deref().unwrap_or(&store.plugin)
}
