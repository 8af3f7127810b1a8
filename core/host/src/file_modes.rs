//! Permissions of the files that the configuration names: which of them other users of the machine may change, or read though
//! they tell secrets.

use crate::config::Config;
use convoke_file_access::{Exposed, readable, writable, writable_itself};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Files of the folder of exchanged keys that are looked at.
const MOST_KEYS: usize = 10_000;

/// What is wrong with the modes of what a configuration names, keys and plugins apart: what it is, and how.
pub(crate) fn exposed(config: &Config) -> Vec<(&'static str, Exposed)> {
    let mut found = Vec::new();
    for (what, path) in named(config) {
        found.extend(writable(&path).map(|exposed| (what, exposed)));
    }
    let token = config.server.state.join("token");
    if let Ok(about) = fs::metadata(&token) {
        found.extend(readable(&token, &about).map(|exposed| ("token", exposed)));
    }
    let users = config.listeners.iter().filter_map(|it| it.users.as_ref());
    let users: BTreeSet<&PathBuf> = users.collect();
    found.extend(users.into_iter().filter_map(|file| {
        // What others may write is told with the rest.
        let about = fs::metadata(file)
            .ok()
            .filter(|_| writable(file).is_none())?;
        Some(("users file", readable(file, &about)?))
    }));
    if let Some(folder) = &config.verification.private_exchange {
        let exposed = below(folder)
            .into_iter()
            .find_map(|path| writable_itself(&path, &path));
        found.extend(exposed.map(|exposed| ("keys of peers", exposed)));
    }
    found
}

fn named(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let mut named = vec![
        ("configuration", config.file.clone()),
        ("state folder", config.server.state.clone()),
    ];
    let exchanged = config.verification.private_exchange.iter().cloned();
    named.extend(exchanged.map(|folder| ("keys of peers", folder)));
    let mut certificates: Vec<&PathBuf> = Vec::new();
    for listener in &config.listeners {
        let users = listener.users.iter().cloned();
        named.extend(users.map(|file| ("users file", file)));
        let tls = listener.tls.iter();
        certificates.extend(tls.flat_map(|tls| {
            let trusted = tls.client_ca.iter().map(|it| &it.file);
            std::iter::once(&tls.certificate).chain(trusted)
        }));
    }
    certificates.extend(config.client.ca.iter().map(|it| &it.file));
    certificates.extend(
        config
            .client
            .identity
            .iter()
            .map(|(certificate, _)| certificate),
    );
    certificates.sort_unstable();
    certificates.dedup();
    named.extend(
        certificates
            .into_iter()
            .map(|file| ("certificate", file.clone())),
    );
    named
}

/// `folder/<domain>` and `folder/<domain>/<selector>`.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).take(MOST_KEYS)
    };
    let domains: Vec<PathBuf> = entries(folder).collect();
    let selectors: Vec<PathBuf> = domains.iter().flat_map(|it| entries(it)).collect();
    let all = domains.into_iter().chain(selectors);
    all.take(MOST_KEYS).collect()
}
