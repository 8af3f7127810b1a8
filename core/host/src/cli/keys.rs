//! `convoke keys`: the key that messages are signed with, what to publish of it, and certificates for a try-out.

mod certificate;

pub(super) use certificate::self_signed;

use super::{
    Global,
    output::{self, Failure},
    owner::give_to_owner,
};
use crate::config::{Config, Role, is_selector};
use clap::{Args, Subcommand, ValueEnum};
use convoke_ischedule::dkim::{KeyKind, PrivateKey, txt_strings, zone_text};
use convoke_net::pem;
use convoke_tls::certificate::names;
use convoke_types::Domain;
use serde::Serialize;
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

const EXAMPLES: &str = "\
Examples:
  convoke keys generate --config convoke.toml
  convoke keys show-dns --config convoke.toml
  convoke keys certificate localhost";

/// Generate keys and certificates, and print the DNS records to publish
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Keys {
    Generate(Generate),
    ShowDns(ShowDns),
    Certificate(certificate::Certificate),
}

const GENERATE_EXAMPLES: &str = "\
Examples:
  convoke keys generate --config convoke.toml             where `signing.key` says
  convoke keys generate --kind ed25519 --out dkim.pem

The file is PKCS#8 in PEM, readable by its owner alone; one that is there is never written over. Made by root, it belongs to the \
owner of `server.state`, whom the host runs as.
RSA is taken by every verifier; Ed25519 is shorter and faster, and not known to older ones.";

/// Generate the private key that messages are signed with
#[derive(Args)]
#[command(after_help = GENERATE_EXAMPLES)]
pub(super) struct Generate {
    /// The kind of key
    #[arg(long, value_enum, default_value = "rsa")]
    kind: Kind,
    /// Output file [default: `signing.key` of the configuration]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// RSA, 2048 bits
    Rsa,
    /// RSA, 3072 bits
    Rsa3072,
    /// Ed25519
    Ed25519,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  convoke keys show-dns --config convoke.toml
  convoke keys show-dns --key dkim.pem --domain example.org --selector is1 --host cal.example.org --json

Publish what `signing.lookup` names; `convoke check` verifies that peers see it.";

/// Print the DNS records by which peers find the key and the receiver
#[derive(Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub(super) struct ShowDns {
    /// The private key [default: `signing.key` of the configuration]
    #[arg(long, value_name = "FILE", requires_all = ["domain", "selector"])]
    key: Option<PathBuf>,
    /// The signing domain (d=)
    #[arg(long, requires = "key")]
    domain: Option<Domain>,
    /// The selector (s=)
    #[arg(long, requires = "key", value_parser = selector)]
    selector: Option<String>,
    /// The host name of the receiver [default: the first name in its certificate]
    #[arg(long)]
    host: Option<Domain>,
    /// The port of the receiver [default: that of the listener]
    #[arg(long)]
    port: Option<u16>,
}

/// One or more labels.
fn selector(text: &str) -> Result<String, String> {
    if is_selector(text) {
        Ok(text.to_owned())
    } else {
        Err("a selector is letters, digits and `-`: is1".to_owned())
    }
}

impl Keys {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Generate(generate) => generate.run(global),
            Self::ShowDns(show) => show.run(global),
            Self::Certificate(certificate) => certificate.run(global),
        }
    }
}

/// `keys generate --json`.
#[derive(Serialize)]
struct Generated<'a> {
    file: &'a Path,
    record: String,
}

impl Generate {
    fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.config();
        let state = config.as_ref().ok().map(|it| it.server.state.clone());
        let file = match self.out {
            Some(file) => file,
            None => signing_key(&config?)?,
        };
        let kind = match self.kind {
            Kind::Rsa => KeyKind::Rsa2048,
            Kind::Rsa3072 => KeyKind::Rsa3072,
            Kind::Ed25519 => KeyKind::Ed25519,
        };
        let wrong = |error: &dyn std::fmt::Display| {
            Failure::new(format!("no key was made: {}: {error}", file.display()))
        };
        let key = PrivateKey::generate(kind).map_err(|error| wrong(&error))?;
        let pem = key.to_pem().map_err(|error| wrong(&error))?;
        let opened = write_new(&file, &pem).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                wrong(&"the file is there already; name another with --out, and a new selector")
            }
            _ => wrong(&error),
        })?;
        if let Some(state) = state {
            give_to_owner(&opened, &state).map_err(|error| wrong(&error))?;
        }
        let record = key.record().to_string();
        if global.json {
            let file = &file;
            return output::print_json(&Generated { file, record });
        }
        let text = format!(
            "{} holds the new key. `convoke keys show-dns` says what to publish.\n",
            file.display()
        );
        output::print_text(&text)
    }
}

fn signing_key(config: &Config) -> Result<PathBuf, Failure> {
    let signing = config.signing.as_ref().ok_or_else(|| {
        Failure::new(format!(
            "{} has no [signing]; add it with domain, selector and key, or say --out FILE",
            config.file.display()
        ))
    })?;
    Ok(signing.key.clone())
}

/// Writes a file that was not there, for its owner alone, and does not return before it is on disk.
pub(super) fn write_new(file: &Path, text: &str) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    let mut opened = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    opened.write_all(text.as_bytes())?;
    opened.sync_all()?;
    Ok(opened)
}

/// What is to be published: `keys show-dns --json`.
#[derive(Serialize)]
pub(super) struct DnsRecords {
    /// `dns/txt`.
    txt: Txt,
    /// `http/well-known`.
    well_known: WellKnown,
    /// How peers find the receiver.
    receiver: Srv,
    /// Why the name of this machine may be another.
    #[serde(skip_serializing_if = "Option::is_none")]
    doubt: Option<String>,
}

#[derive(Serialize)]
struct Txt {
    name: String,
    /// At most 255 bytes each.
    strings: Vec<String>,
    /// The line of a zone file.
    zone: String,
}

#[derive(Serialize)]
struct WellKnown {
    srv: Srv,
    /// Where the document must be.
    url: String,
    /// Its only line.
    document: String,
}

#[derive(Serialize)]
struct Srv {
    name: String,
    port: u16,
    target: String,
    /// The line of a zone file.
    zone: String,
}

impl Srv {
    fn new(service: &str, domain: &Domain, place: &Place) -> Self {
        let Place { host, port } = place;
        let name = format!("{service}._tcp.{domain}");
        Self {
            zone: format!("{name}. IN SRV 0 1 {port} {host}."),
            name,
            port: *port,
            target: host.to_string(),
        }
    }
}

/// Where peers reach us.
pub(super) struct Place {
    pub(super) host: Domain,
    pub(super) port: u16,
}

impl ShowDns {
    fn run(self, global: &Global) -> Result<(), Failure> {
        // With a key, domain and selector there too, no configuration is needed.
        let config = match self.key {
            Some(_) => None,
            None => Some(global.config()?),
        };
        let (file, domain, selector) = match (&self.key, self.domain, self.selector) {
            (Some(key), Some(domain), Some(selector)) => (key.clone(), domain, selector),
            _ => named(config.as_ref())?,
        };
        let is_said = self.host.is_some();
        let place = Place {
            host: self.host.unwrap_or_else(|| host(config.as_ref(), &domain)),
            port: self.port.unwrap_or_else(|| port(config.as_ref())),
        };
        let wrong = |error: &dyn std::fmt::Display| {
            Failure::new(format!(
                "{}: {error}; `convoke keys generate` makes a key",
                file.display()
            ))
        };
        let pem = fs::read_to_string(&file).map_err(|error| wrong(&error))?;
        let key = PrivateKey::from_pem(&pem).map_err(|error| wrong(&error))?;
        let mut records = dns_records(&key, &domain, &selector, &place);
        if !is_said {
            records.doubt = unread_certificate(config.as_ref(), &place.host);
        }
        if global.json {
            return output::print_json(&records);
        }
        output::print_text(&records.zone())
    }
}

fn named(config: Option<&Config>) -> Result<(PathBuf, Domain, String), Failure> {
    let signing = config.and_then(|config| config.signing.as_ref());
    let signing = signing.ok_or_else(|| {
        Failure::new(
            "the configuration has no [signing]; add it, or say --key, --domain and --selector",
        )
    })?;
    Ok((
        signing.key.clone(),
        signing.domain.clone(),
        signing.selector.clone(),
    ))
}

/// The first name of the receiver's certificate, or of the one that it is to have; without one, the domain itself.
fn host(config: Option<&Config>, domain: &Domain) -> Domain {
    let listener = config.and_then(|config| config.listener(Role::Receiver));
    if let Some(acme) = listener.and_then(|listener| listener.acme.as_ref()) {
        return acme.names.first().unwrap_or(domain).clone();
    }
    let tls = listener.and_then(|listener| listener.tls.as_ref());
    let chain = tls.and_then(|tls| pem::certificates(&tls.certificate).ok());
    let named = chain.and_then(|chain| Some(names(chain.first()?)));
    let mut named = named.into_iter().flatten();
    named
        .find_map(|name| Domain::new(&name).ok())
        .unwrap_or_else(|| domain.clone())
}

/// Why the name of this machine is a guess, if the certificate that would say it cannot be read.
fn unread_certificate(config: Option<&Config>, host: &Domain) -> Option<String> {
    let listener = config?.listener(Role::Receiver)?;
    if listener.acme.is_some() {
        return None;
    }
    let error = pem::certificates(&listener.tls.as_ref()?.certificate).err()?;
    Some(format!(
        "That this machine is called {host} is a guess, as its certificate would say it ({error}); say --host NAME"
    ))
}

fn port(config: Option<&Config>) -> u16 {
    let listener = config.and_then(|config| config.listener(Role::Receiver));
    match listener.map(|listener| listener.address.port()) {
        None | Some(0) => 443,
        Some(port) => port,
    }
}

/// The records for a key and a receiver.
pub(super) fn dns_records(
    key: &PrivateKey,
    domain: &Domain,
    selector: &str,
    place: &Place,
) -> DnsRecords {
    let record = key.record();
    let document = record.to_string();
    let Place { host, port } = place;
    DnsRecords {
        txt: Txt {
            name: format!("{selector}._domainkey.{domain}"),
            strings: txt_strings(&document).map(str::to_owned).collect(),
            zone: zone_text(domain, selector, &record),
        },
        well_known: WellKnown {
            srv: Srv::new("_domainkey_lookup", domain, place),
            url: format!("https://{host}:{port}/.well-known/domainkey/{domain}/{selector}"),
            document,
        },
        receiver: Srv::new("_ischedules", domain, place),
        doubt: None,
    }
}

impl DnsRecords {
    /// As it is pasted into a zone file; everything else is a comment there.
    pub(super) fn zone(&self) -> String {
        let Self {
            txt,
            well_known,
            receiver,
            doubt,
        } = self;
        let doubt = doubt
            .as_ref()
            .map_or_else(String::new, |it| format!("; {it}\n"));
        format!(
            "{doubt}; How peers find the receiver\n{}\n\n\
             ; The key, for signing.lookup = [\"dns/txt\"]\n{}\n\n\
             ; The key, for signing.lookup = [\"http/well-known\"]: a running convoke serves the document itself at\n\
             ; {}\n{}\n\n\
             ; The key, for signing.lookup = [\"private-exchange\"]: the administrators of your peers put this line,\n\
             ; from v=DKIM1 on, into the file DOMAIN/SELECTOR of the folder that their verification.private_exchange names\n\
             ; {}\n",
            receiver.zone, txt.zone, well_known.url, well_known.srv.zone, well_known.document
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_key_is_split_as_zone_files_want_it() {
        let key = PrivateKey::generate(KeyKind::Rsa3072).unwrap();
        let place = Place {
            host: "cal.example.org".parse().unwrap(),
            port: 8443,
        };
        let records = dns_records(&key, &"example.org".parse().unwrap(), "is1", &place);
        let strings = &records.txt.strings;
        assert!(strings.len() > 1 && strings.iter().all(|it| it.len() <= 255));
        assert_eq!(strings.concat(), records.well_known.document);
        let text = records.zone();
        for line in [
            "_ischedules._tcp.example.org. IN SRV 0 1 8443 cal.example.org.\n",
            "_domainkey_lookup._tcp.example.org. IN SRV 0 1 8443 cal.example.org.\n",
            "is1._domainkey.example.org. IN TXT ( \"v=DKIM1; k=rsa; s=ischedule; p=",
            "; https://cal.example.org:8443/.well-known/domainkey/example.org/is1\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn selectors_are_labels() {
        for (text, good) in [
            ("is1", true),
            ("a.b-c", true),
            ("", false),
            ("a..b", false),
            ("a/b", false),
        ] {
            assert_eq!(selector(text).is_ok(), good, "{text}");
        }
    }
}
