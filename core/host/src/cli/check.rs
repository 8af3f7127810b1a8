//! `convoke check`: what `serve` would find wrong, without writing anything.

#[cfg(feature = "caldav")]
mod caldav;
mod grants;
#[cfg(feature = "mail")]
mod mail;
mod mail_listener;
mod plugins;
#[cfg(feature = "caldav")]
mod upstream;

use super::{
    Global,
    output::{self, Failure},
    owner::become_owner,
};
use crate::{
    admin::{api::Health, client::Client},
    config::{Config, Listener, Role},
    file_modes, instance,
    keys::Keys,
    login, state_folder,
};
use clap::Args;
use convoke_ischedule::dkim::{Lookup, Signer};
use convoke_net::{
    http_server::{self, Descriptors, TlsFiles},
    pem,
    registrable::is_public_suffix,
    trusted_certificates::{self, TrustedCertificates},
};
use convoke_tls::certificate::{names, validity};
use convoke_types::Domain;
use jiff::Timestamp;
use plugins::Open;
use rustix::fs::Access;
use serde::Serialize;
use std::{
    fmt::Display,
    io,
    net::{SocketAddr, TcpListener},
    path::Path,
};

const EXAMPLES: &str = "\
Examples:
  convoke check --config /etc/convoke/convoke.toml
  convoke check --config new.toml && cp new.toml /etc/convoke/convoke.toml && convoke reload

Each finding is ok, warn or fail; errors give file, line and column. Exit status 1 if one is fail.
Nothing is written. Stores and state are not opened, as that may create their files: their libraries and the keys of \
their configuration are checked. --open opens them, too, as `serve` would. Root does all of it as the owner of \
`server.state`. A host that runs with this configuration is asked whether its plugins are well, what is stuck in its queue, \
and which changes wait to be released.";

/// A certificate that ends within this many seconds is worth a warning.
const SOON: i64 = 14 * 24 * 3600;

/// Validate the configuration and everything it refers to
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// Open stores and state, too; what they create stays
    #[arg(long)]
    open: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One line; `check --json` is a list of them.
#[derive(Serialize)]
struct Finding {
    verdict: Verdict,
    what: String,
    detail: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, verdict: Verdict, what: &str, detail: impl Into<String>) {
        self.0.push(Finding {
            verdict,
            what: what.to_owned(),
            detail: detail.into(),
        });
    }

    fn outcome<E: Display>(&mut self, what: &str, outcome: Result<String, E>) {
        match outcome {
            Ok(detail) => self.add(Verdict::Ok, what, detail),
            Err(error) => self.add(Verdict::Fail, what, error.to_string()),
        }
    }
}

impl Check {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let mut findings = Findings::default();
        let file = global.config_file()?;
        match Config::read(&file) {
            Ok(config) => {
                become_owner(&config.server.state)?;
                findings.add(Verdict::Ok, "configuration", file.display().to_string());
                let open = if self.open { Open::All } else { Open::Deciding };
                look(&config, open, &mut findings).await;
            }
            Err(error) => findings.add(Verdict::Fail, "configuration", error.to_string()),
        }
        let failed = findings
            .0
            .iter()
            .any(|finding| finding.verdict == Verdict::Fail);
        if global.json {
            output::print_json(&findings.0)?;
        } else {
            output::print_text(&text(&findings.0))?;
        }
        if failed {
            Err(Failure::already_reported())
        } else {
            Ok(())
        }
    }
}

fn text(findings: &[Finding]) -> String {
    let row = |finding: &Finding| {
        let word = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        vec![
            word.to_owned(),
            finding.what.clone(),
            finding.detail.clone(),
        ]
    };
    output::table(&findings.iter().map(row).collect::<Vec<_>>())
}

async fn look(config: &Config, open: Open, findings: &mut Findings) {
    state(&config.server.state, findings);
    modes(config, findings);
    if config.listeners.is_empty() && config.mail_listeners.is_empty() {
        let text = "there is no [[listener]]; add one with role, address and, for `receiver`, tls";
        findings.add(Verdict::Fail, "listeners", text);
    }
    for listener in &config.listeners {
        look_at_listener(config, listener, findings);
    }
    #[cfg(feature = "caldav")]
    for listener in &config.listeners {
        if let Some(server) = &listener.upstream {
            upstream::look(config, listener, server, findings).await;
        }
    }
    #[cfg(feature = "caldav")]
    caldav::look(config, findings).await;
    mail_listener::look(config, findings);
    descriptors(config, findings);
    client(config, findings);
    trust(config, findings).await;
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

fn look_at_listener(config: &Config, listener: &Listener, findings: &mut Findings) {
    let what = format!("listener {}", listener.role.as_str());
    address(config, listener.address, &what, findings);
    match &listener.tls {
        Some(tls) => {
            if !certificate(config, tls, &what, findings) {
                // What uses it would only say the same again.
                return users(config, listener, &what, findings);
            }
            findings.outcome(
                &format!("{what}: tls"),
                http_server::server_tls(tls).map(|_| {
                    if tls.client_ca.is_empty() {
                        "certificate and key fit"
                    } else {
                        "peers may prove who they are by certificate"
                    }
                    .to_owned()
                }),
            );
            client_authorities(tls, &what, findings);
        }
        None if listener.role == Role::Receiver => findings.add(
            Verdict::Warn,
            &what,
            "no tls: iSchedule goes over https, so something in front must speak it",
        ),
        None if !listener.address.ip().is_loopback() => findings.add(
            Verdict::Warn,
            &what,
            "no tls on an address that others reach: passwords would go in the clear",
        ),
        None => {}
    }
    users(config, listener, &what, findings);
}

fn users(config: &Config, listener: &Listener, what: &str, findings: &mut Findings) {
    let Some(users) = &listener.users else {
        return;
    };
    let counted = login::count_logins(users, &config.server.domains[0]);
    let counted = counted.map(|logins| format!("{}: {logins} logins", users.display()));
    findings.outcome(&format!("{what}: users"), counted);
}

/// Whether the address can be bound. A convoke that runs with this configuration holds it, which is as it should be.
fn address(config: &Config, address: SocketAddr, what: &str, findings: &mut Findings) {
    let ours = state_folder::listener_notes(&config.server.state)
        .iter()
        .any(|note| note.address == address);
    match TcpListener::bind(address) {
        Ok(_) => findings.add(Verdict::Ok, what, format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && ours => {
            findings.add(
                Verdict::Ok,
                what,
                format!("{address} is held by the convoke that runs"),
            );
        }
        Err(error) => findings.add(
            Verdict::Fail,
            what,
            format!(
                "cannot listen on {address}: {error}; choose another address, or stop who has it"
            ),
        ),
    }
}

/// Whether the certificate can be read at all.
fn certificate(config: &Config, tls: &TlsFiles, what: &str, findings: &mut Findings) -> bool {
    let what = format!("{what}: certificate");
    let file = tls.certificate.display();
    let read = pem::certificates(&tls.certificate).map_err(|error| error.to_string());
    let read = read.and_then(|chain| {
        let first = chain.into_iter().next();
        let dated = first.and_then(|first| Some((validity(&first)?, first)));
        dated.ok_or_else(|| format!("{file} cannot be read"))
    });
    let ((from, until), first) = match read {
        Ok(read) => read,
        Err(error) => {
            findings.add(Verdict::Fail, &what, error);
            return false;
        }
    };
    let names = names(&first);
    let shown = names.join(", ");
    let now = Timestamp::now().as_second();
    let day = |second: i64| {
        Timestamp::from_second(second)
            .map_or_else(|_| "?".to_owned(), |it| it.strftime("%Y-%m-%d").to_string())
    };
    let (verdict, detail) = if now < from {
        (
            Verdict::Fail,
            format!("{file} is not valid before {}", day(from)),
        )
    } else if until < now {
        (
            Verdict::Fail,
            format!("{file} has expired on {}; renew it", day(until)),
        )
    } else if until < now + SOON {
        (
            Verdict::Warn,
            format!("{file} expires on {}; renew it", day(until)),
        )
    } else if !names
        .iter()
        .any(|name| is_ours(name, &config.server.domains))
    {
        let ours = config
            .server
            .domains
            .iter()
            .map(Domain::as_str)
            .collect::<Vec<_>>();
        (
            Verdict::Warn,
            format!(
                "{file} is for {shown}, none of which lies in {}",
                ours.join(", ")
            ),
        )
    } else {
        (
            Verdict::Ok,
            format!("{file} is for {shown}, until {}", day(until)),
        )
    };
    findings.add(verdict, &what, detail);
    true
}

/// Whom the certificates in `client_ca` vouch for.
fn client_authorities(tls: &TlsFiles, what: &str, findings: &mut Findings) {
    let what = format!("{what}: client_ca");
    // A file that cannot be read was told of with the rest of `tls`.
    let trusted = TrustedCertificates::read_all(&tls.client_ca).unwrap_or_default();
    for remark in trusted_certificates::remarks(&trusted, Timestamp::now().as_second()) {
        let verdict = if remark.odd {
            Verdict::Warn
        } else {
            Verdict::Ok
        };
        findings.add(verdict, &what, remark.text);
    }
}

fn is_ours(name: &str, domains: &[Domain]) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    Domain::new(name).is_ok_and(|name| domains.iter().any(|domain| name.is_within(domain)))
}

fn client(config: &Config, findings: &mut Findings) {
    for ca in &config.client.ca {
        let read = TrustedCertificates::read(ca).map(|it| {
            let (file, count) = (it.file.display(), it.certificates.len());
            let bound: Vec<_> = it.domains.iter().map(Domain::as_str).collect();
            if bound.is_empty() {
                format!("{file}: {count} trusted")
            } else {
                format!("{file}: {count} trusted for {}", bound.join(", "))
            }
        });
        findings.outcome("client: ca", read);
    }
    if let Some((certificate, key)) = &config.client.identity {
        let read = pem::certificates(certificate).and_then(|_| pem::private_key(key));
        findings.outcome(
            "client: certificate",
            read.map(|_| certificate.display().to_string()),
        );
    }
}

async fn trust(config: &Config, findings: &mut Findings) {
    match &config.signing {
        Some(signing) => {
            if is_public_suffix(&signing.domain) {
                let text = format!(
                    "{} is a public suffix: peers believe nobody who signs for it",
                    signing.domain
                );
                findings.add(Verdict::Warn, "signing", text);
            }
            let signer = instance::signer(signing);
            if let Ok(signer) = &signer {
                published(config, signer, findings).await;
            }
            let read =
                signer.map(|_| format!("as {}, selector {}", signing.domain, signing.selector));
            findings.outcome("signing", read);
        }
        None if config.client.identity.is_some() => {
            let text = "no [signing]: peers know us by the certificate of [client] only";
            findings.add(Verdict::Ok, "signing", text);
        }
        None => {
            let text = "messages go out unsigned: peers that require a signature refuse them; see [signing]";
            findings.add(Verdict::Warn, "signing", text);
        }
    }
    if config.verification.required {
        findings.add(Verdict::Ok, "verification", "peers must prove who they are");
    } else {
        let text = "verification.required = false: anybody may speak for any domain but yours";
        findings.add(Verdict::Warn, "verification", text);
    }
}

/// Whether peers that look for our key find the one that we sign with.
async fn published(config: &Config, signer: &Signer, findings: &mut Findings) {
    let (dns, client) = match instance::outside(config) {
        Ok(outside) => outside,
        Err(error) => return findings.add(Verdict::Fail, "signing", error.to_string()),
    };
    let keys = Keys::new(None, dns, client);
    let (domain, selector) = (signer.domain(), signer.selector());
    for &lookup in signer.lookups() {
        if lookup == Lookup::PrivateExchange {
            continue;
        }
        let what = format!("signing: {}", lookup.as_str());
        let (verdict, detail) = match keys.look_up(lookup, domain, selector).await {
            Ok(records) if records.iter().any(|it| it.key == signer.key().public()) => (
                Verdict::Ok,
                "peers find the key that we sign with".to_owned(),
            ),
            Ok(records) if records.is_empty() => {
                let text = "peers find no key, and refuse what we sign; publish what `convoke keys show-dns` prints";
                (Verdict::Fail, text.to_owned())
            }
            Ok(_) => {
                let text = "peers find another key than the one that we sign with; publish what `convoke keys show-dns` prints, or take the right key";
                (Verdict::Fail, text.to_owned())
            }
            Err(error) => (Verdict::Warn, error.to_string()),
        };
        findings.add(verdict, &what, detail);
    }
}
