//! `convoke keys certificate`: a certificate for a try-out, which nobody trusts who was not given it.

use super::{
    super::{
        Global,
        output::{self, Failure},
        owner::give_to_owner,
    },
    write_new,
};
use clap::Args;
use convoke_types::Domain;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use serde::Serialize;
use std::{
    fmt::Display,
    fs,
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

const EXAMPLES: &str = "\
Examples:
  convoke keys certificate localhost
  convoke keys certificate cal.example.org example.org --certificate fullchain.pem --key key.pem

It is self-signed, and no authority: whoever is given it trusts this very certificate (`ca` of [client], `client_ca` of \
a listener), and nobody else does. To schedule with everybody, get one from an authority such as Let's Encrypt.
Files that are there are never written over.";

/// How long it is valid.
const DAYS: u32 = 90;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Generate a self-signed certificate and its key, for a try-out
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Certificate {
    /// The DNS names of the host
    #[arg(value_name = "NAME", required = true)]
    names: Vec<Domain>,
    /// Output file of the certificate
    #[arg(long, value_name = "FILE", default_value = "fullchain.pem")]
    certificate: PathBuf,
    /// Output file of its private key, readable by its owner alone
    #[arg(long, value_name = "FILE", default_value = "key.pem")]
    key: PathBuf,
}

/// `keys certificate --json`.
#[derive(Serialize)]
struct Made<'a> {
    certificate: &'a Path,
    key: &'a Path,
}

impl Certificate {
    pub(in crate::cli) fn run(&self, global: &Global) -> Result<(), Failure> {
        let (certificate, key) = self_signed(&self.names)
            .map_err(|error| Failure::new(format!("no certificate was made: {error}")))?;
        let wrong = |file: &Path, error: &dyn Display| {
            Failure::new(format!(
                "no certificate was made: {}: {error}",
                file.display()
            ))
        };
        let write = |file: &Path, text: &str| {
            write_new(file, text).map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => wrong(
                    file,
                    &"the file is there already; name another with --certificate or --key",
                ),
                _ => wrong(file, &error),
            })
        };
        let opened = write(&self.key, &key)?;
        let public = write(&self.certificate, &certificate)?;
        // Everybody may read it; at worst only its owner can.
        let _ = public.set_permissions(fs::Permissions::from_mode(0o644));
        // Without a configuration, nobody knows whom the host runs as.
        if let Ok(config) = global.config() {
            give_to_owner(&opened, &config.server.state)
                .map_err(|error| wrong(&self.key, &error))?;
        }
        if global.json {
            return output::print_json(&Made {
                certificate: &self.certificate,
                key: &self.key,
            });
        }
        output::print_text(&format!(
            "{} holds a certificate for {DAYS} days, {} its key\n",
            self.certificate.display(),
            self.key.display()
        ))
    }
}

/// A self-signed certificate for these names, and its key; in PEM.
pub(in crate::cli) fn self_signed(names: &[Domain]) -> Result<(String, String), rcgen::Error> {
    let listed: Vec<_> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(listed)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let name = names.first().map_or("", Domain::as_str);
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    // A day back, for peers whose clocks are slow.
    params.not_before = (now - DAY).into();
    params.not_after = (now + DAY * DAYS).into();
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
