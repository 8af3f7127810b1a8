//! Whether what `allow` grants the process of a plugin is the host's own: its configuration, keys, users, state, plugins.

use crate::{config::Config, instance};
use convoke_plugin_host::{Confinement, Isolation, PluginEntry, find};
use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
};

/// Something of the host's.
struct Asset {
    what: &'static str,
    path: PathBuf,
    /// Reading it does harm, too.
    secret: bool,
    /// What lies in it is what counts, so that part of it is as bad as all of it.
    folder: bool,
}

/// One warning for each grant that covers something of the host's: which plugin, and what.
pub(super) fn warnings(config: &Config) -> Vec<(String, String)> {
    let assets = assets(config);
    let mut warnings = Vec::new();
    for entry in &config.plugins {
        if let Isolation::Process(confinement) = &entry.isolation {
            let what = format!("{} {}", entry.kind, name(entry));
            let texts = of_entry(confinement, &assets);
            warnings.extend(texts.into_iter().map(|text| (what.clone(), text)));
        }
    }
    warnings
}

fn name(entry: &PluginEntry) -> String {
    let named = entry.name.clone();
    named.unwrap_or_else(|| find::short_name(&entry.plugin))
}

fn of_entry(confinement: &Confinement, assets: &[Asset]) -> Vec<String> {
    let mut texts = Vec::new();
    for grant in &confinement.write {
        let text = |danger: &str| {
            format!(
                "`allow.write` grants {}, {danger}; grant it a folder of its own",
                grant.display()
            )
        };
        if let Some(covered) = covered(grant, assets.iter()) {
            texts.push(text(&format!("where it can change {covered}")));
        }
        if is_memory(grant) {
            texts.push(text(
                "which is kept in memory (tmpfs) that `memory` does not limit",
            ));
        }
    }
    for grant in &confinement.read {
        let secrets = assets.iter().filter(|asset| asset.secret);
        if let Some(covered) = covered(grant, secrets) {
            texts.push(format!(
                "`allow.read` grants {}, where it can read {covered}; grant it what it needs only",
                grant.display()
            ));
        }
    }
    texts
}

/// What of the host's a grant covers, in words.
fn covered<'a>(grant: &Path, assets: impl Iterator<Item = &'a Asset>) -> Option<String> {
    let grants = places(grant);
    let covers = |asset: &&Asset| {
        places(&asset.path).iter().any(|place| {
            grants
                .iter()
                .any(|grant| place.starts_with(grant) || asset.folder && grant.starts_with(place))
        })
    };
    let covered: BTreeSet<_> = assets
        .filter(covers)
        .map(|asset| format!("{} ({})", asset.what, asset.path.display()))
        .collect();
    let covered: Vec<_> = covered.into_iter().collect();
    (!covered.is_empty()).then(|| covered.join(", "))
}

/// Where a path really lies, and, for one that is a link, where the link lies: who can replace either decides what is
/// there. What is not there yet counts from the nearest folder that is.
fn places(path: &Path) -> BTreeSet<PathBuf> {
    let mut places = BTreeSet::new();
    let mut next = Some(path.to_owned());
    // A chain of links is followed link by link, and not for ever.
    for _ in 0..40 {
        let Some(path) = next.take() else { break };
        places.insert(resolved(&path));
        let folder = path.parent().map(resolved);
        if let (Some(folder), Some(file)) = (folder, path.file_name()) {
            let link = folder.join(file);
            next = link.read_link().ok().map(|to| folder.join(to));
            places.insert(link);
        }
    }
    places
}

fn resolved(path: &Path) -> PathBuf {
    let there = path
        .ancestors()
        .find_map(|it| Some((it, it.canonicalize().ok()?)));
    match there {
        Some((start, real)) => match path.strip_prefix(start) {
            Ok(rest) if rest.as_os_str().is_empty() => real,
            Ok(rest) => real.join(rest),
            Err(_) => real,
        },
        None => path.to_owned(),
    }
}

fn assets(config: &Config) -> Vec<Asset> {
    let mut assets = Vec::new();
    let mut add = |what, path: &Path, secret, folder| {
        assets.push(Asset {
            what,
            path: path.to_owned(),
            secret,
            folder,
        });
    };
    add("the configuration", &config.file, false, false);
    add("the state folder", &config.server.state, true, false);
    for listener in &config.listeners {
        if let Some(tls) = &listener.tls {
            add("a certificate", &tls.certificate, false, false);
            add("a private key", &tls.key, true, false);
        }
        if let Some(users) = &listener.users {
            add("the users file", users, true, false);
        }
    }
    for ca in trusted(config) {
        add("the authorities that are trusted", &ca, false, false);
    }
    if let Some(signing) = &config.signing {
        add(
            "the key that messages are signed with",
            &signing.key,
            true,
            false,
        );
    }
    if let Some((certificate, key)) = &config.client.identity {
        add("a certificate", certificate, false, false);
        add("a private key", key, true, false);
    }
    if let Some(folder) = &config.verification.private_exchange {
        add("the keys of peers", folder, false, true);
    }
    let setup = instance::setup(config);
    for folder in setup.directories() {
        add("the plugin folder", &folder, false, true);
    }
    for entry in &config.plugins {
        // What is not there is said elsewhere.
        if let Ok(file) = find::file(&entry.plugin, &setup.directories(), &setup.folder) {
            add("a plugin", &file, false, false);
        }
    }
    if let Ok(program) = env::current_exe() {
        add("the host's program", &program, false, false);
    }
    assets
}

fn trusted(config: &Config) -> Vec<PathBuf> {
    let of_peers = config.listeners.iter().filter_map(|it| it.tls.as_ref());
    let of_peers = of_peers.flat_map(|tls| &tls.client_ca);
    of_peers
        .chain(&config.client.ca)
        .map(|trusted| trusted.file.clone())
        .collect()
}

/// Whether files there are kept in memory.
#[cfg(target_os = "linux")]
fn is_memory(path: &Path) -> bool {
    /// `TMPFS_MAGIC` and `RAMFS_MAGIC` of linux/magic.h.
    const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
    let system = rustix::fs::statfs(path);
    system.is_ok_and(|it| u64::try_from(it.f_type).is_ok_and(|kind| IN_MEMORY.contains(&kind)))
}

#[cfg(not(target_os = "linux"))]
fn is_memory(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    fn asset(path: &Path, secret: bool, folder: bool) -> Asset {
        Asset {
            what: "it",
            path: path.to_owned(),
            secret,
            folder,
        }
    }

    #[test]
    fn a_grant_covers_what_lies_in_it_by_whatever_path() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for made in ["etc", "data", "keys/example.com", "live"] {
            fs::create_dir_all(at(made)).unwrap();
        }
        fs::write(at("live/real.pem"), "").unwrap();
        symlink("../live/real.pem", at("etc/key.pem")).unwrap();
        symlink("etc", at("link")).unwrap();
        let key = || asset(&at("etc/key.pem"), true, false);
        let keys = || asset(&at("keys"), false, true);
        for (grant, asset, covers) in [
            ("etc", key(), true),
            ("etc/key.pem", key(), true),
            (".", key(), true),
            ("data/..", key(), true),
            ("data/../etc/", key(), true),
            // By a link to the folder, and where the link leads that the key is.
            ("link", key(), true),
            ("live", key(), true),
            ("data", key(), false),
            ("etc/key.pem.old", key(), false),
            ("keys/example.com", keys(), true),
            (
                "nowhere/yet",
                asset(&at("nowhere/yet/state"), true, false),
                true,
            ),
            ("nowhere", asset(&at("elsewhere"), true, false), false),
        ] {
            let covered = covered(&at(grant), [asset].iter());
            assert_eq!(covered.is_some(), covers, "{grant}: {covered:?}");
        }
    }

    #[test]
    fn reading_is_told_of_secrets_only() {
        let folder = tempfile::tempdir().unwrap();
        let confinement = Confinement {
            read: vec![folder.path().to_owned()],
            ..Confinement::default()
        };
        let file = folder.path().join("it");
        for (secret, warnings) in [(true, 1), (false, 0)] {
            let texts = of_entry(&confinement, &[asset(&file, secret, false)]);
            assert_eq!(texts.len(), warnings, "{texts:?}");
        }
    }
}
