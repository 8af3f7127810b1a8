//! What is written, and what is left alone.

use super::{
    answers::{Answers, Certificate, Who},
    text::{CERTIFICATE, KEY, SIGNING_KEY, USERS},
};
use crate::cli::{check::covers, keys, output::Failure, owner::give_to_owner};
use convoke_ischedule::dkim::{KeyKind, PrivateKey};
use convoke_net::pem;
use convoke_tls::certificate::names;
use convoke_types::Domain;
use serde::Serialize;
use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// A file that was written.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    pub(super) file: PathBuf,
    /// What it is, in words.
    pub(super) what: &'static str,
}

/// What there is now.
pub(super) struct Made {
    pub(super) files: Vec<Written>,
    /// What was left as it was, and does not fit.
    pub(super) remarks: Vec<String>,
    /// What messages are signed with, if they are.
    pub(super) key: Option<PrivateKey>,
}

/// Writes the configuration, and what it names and is not there.
pub(super) fn write(
    file: &Path,
    text: &str,
    answers: &Answers,
    force: bool,
) -> Result<Made, Failure> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let state = folder.join(&answers.state);
    let mut files = Vec::new();
    let mut remarks = Vec::new();
    let mut add = |file: &Path, what| {
        let file = file.to_owned();
        files.push(Written { file, what });
    };
    let failed = |file: &Path, error: &dyn std::fmt::Display| {
        Failure::new(format!("{} cannot be written: {error}", file.display()))
    };
    if answers.certificate == Certificate::New && needs_certificate(answers) {
        let [chain, key] = [CERTIFICATE, KEY].map(|it| folder.join(it));
        if force && is_for_another(&chain, &answers.host) && !has_older(&[&chain, &key]) {
            for file in [&chain, &key].into_iter().filter(|it| it.exists()) {
                fs::rename(file, beside(file, "old")).map_err(|error| failed(file, &error))?;
            }
        }
        if is_for_another(&chain, &answers.host) {
            remarks.push(other_names(&chain, &key, &answers.host));
        }
        // A certificate of one of them is none.
        if !chain.exists() && !key.exists() {
            let names = [answers.host.clone(), answers.domain.clone()];
            let made = keys::self_signed(&names).map_err(|error| failed(&chain, &error))?;
            private(&key, &made.1, &state).map_err(|error| failed(&key, &error))?;
            public(&chain, &made.0).map_err(|error| failed(&chain, &error))?;
            add(
                &chain,
                "a certificate to try out with, for 90 days; get one that others believe",
            );
            add(&key, "its private key");
        }
    }
    if !answers.store.is_caldav() {
        let users = folder.join(USERS);
        if !users.exists() {
            private(&users, "", &state).map_err(|error| failed(&users, &error))?;
            add(&users, "who may log in with a password: nobody yet");
        }
    }
    let mut key = None;
    if answers.who != Who::Nobody {
        let place = folder.join(SIGNING_KEY);
        let (made, is_new) = signing_key(&place, &state).map_err(|error| failed(&place, &error))?;
        if is_new {
            add(&place, "the key that messages are signed with");
        }
        key = Some(made);
    }
    configuration(file, text, force).map_err(|error| failed(file, &error))?;
    add(file, "the configuration");
    Ok(Made {
        files,
        remarks,
        key,
    })
}

/// Whether there is a certificate that does not hold for a host.
fn is_for_another(chain: &Path, host: &Domain) -> bool {
    certified(chain).is_some_and(|names| !names.iter().any(|name| covers(name, host.as_str())))
}

/// The names of a certificate that is there and can be read.
fn certified(chain: &Path) -> Option<Vec<String>> {
    let chain = pem::certificates(chain).ok()?;
    chain.first().map(names)
}

/// Whether something was set aside before, which nothing takes the place of.
fn has_older(files: &[&Path]) -> bool {
    files.iter().any(|file| beside(file, "old").exists())
}

/// What to do about a certificate that is left as it is.
fn other_names(chain: &Path, key: &Path, host: &Domain) -> String {
    let names = certified(chain).unwrap_or_default().join(", ");
    format!(
        "{chain} was left as it is, and is for {names}, not for {host}, so that others refuse it: get one for {host}, or move it and \
         {key} away and make one to try out with: convoke keys certificate {host} --certificate {chain} --key {key}",
        chain = chain.display(),
        key = key.display(),
    )
}

fn needs_certificate(answers: &Answers) -> bool {
    answers.who != Who::Nobody || !answers.store.is_caldav()
}

/// The key that is there, or a new one.
fn signing_key(file: &Path, state: &Path) -> Result<(PrivateKey, bool), String> {
    match fs::read_to_string(file) {
        Ok(pem) => {
            let key = PrivateKey::from_pem(&pem);
            key.map(|key| (key, false))
                .map_err(|error| error.to_string())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = PrivateKey::generate(KeyKind::Rsa2048).map_err(|error| error.to_string())?;
            let pem = key.to_pem().map_err(|error| error.to_string())?;
            private(file, &pem, state).map_err(|error| error.to_string())?;
            Ok((key, true))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// A file for the host's user alone.
fn private(file: &Path, content: &str, state: &Path) -> io::Result<()> {
    let opened = keys::write_new(file, content)?;
    give_to_owner(&opened, state)
}

fn public(file: &Path, text: &str) -> io::Result<()> {
    let opened = keys::write_new(file, text)?;
    opened.set_permissions(fs::Permissions::from_mode(0o644))
}

/// Under another name first, so that there is never half of one.
fn configuration(file: &Path, text: &str, force: bool) -> io::Result<()> {
    let new = beside(file, "new");
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o644);
    let mut opened = options.open(&new)?;
    opened.write_all(text.as_bytes())?;
    opened.sync_all()?;
    if force && file.exists() {
        fs::rename(file, beside(file, "old"))?;
    }
    fs::rename(new, file)
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{end}"));
    file.with_file_name(name)
}
