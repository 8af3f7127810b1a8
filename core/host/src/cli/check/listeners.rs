//! Whether the listeners can be opened, and who may log in at them.

use super::{certificate, finding::Findings};
use crate::{
    bind_error::BindProblem,
    config::{Config, Listener, Naming, Role},
    login, state_folder,
};
use convoke_net::{
    http_server,
    trusted_certificates::{self, TrustedCertificates},
};
use convoke_types::Domain;
use jiff::Timestamp;
use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
};

/// Looks at each.
pub(super) fn look(config: &Config, findings: &mut Findings) {
    if config.listeners.is_empty() && config.mail_listeners.is_empty() {
        let text = "there is no [[listener]]; add one with role, address and, for `receiver`, tls";
        findings.fail("listeners", text);
    }
    for listener in &config.listeners {
        let what = format!("listener {}", listener.role.as_str());
        address(config, listener.address, &what, findings);
        tls(config, listener, &what, findings);
    }
    users(config, findings);
    if config.listener(Role::Receiver).is_none() {
        let text = "there is no listener with role = \"receiver\": nobody elsewhere can ask or invite our people by iSchedule";
        findings.warn("listener receiver", text);
    }
}

fn tls(config: &Config, listener: &Listener, what: &str, findings: &mut Findings) {
    let Some(tls) = &listener.tls else {
        return plain(listener, what, findings);
    };
    if let Some(acme) = &listener.acme
        && !tls.certificate.exists()
    {
        let names = acme.names.iter().map(Domain::as_str).collect::<Vec<_>>();
        let text = format!(
            "there is no certificate yet; `serve` orders one for {} from {}, and refuses connections until it is there",
            names.join(", "),
            acme.directory.host_str().unwrap_or_default()
        );
        return findings.warn(&format!("{what}: certificate"), text);
    }
    let acme = listener.acme.as_ref();
    if !certificate::look(config, &tls.certificate, acme, what, findings) {
        // What uses it would only say the same again.
        return;
    }
    match http_server::server_tls(tls) {
        Ok(_) if tls.client_ca.is_empty() => {
            findings.ok(&format!("{what}: tls"), "certificate and key fit");
        }
        Ok(_) => {
            let text = "peers may prove who they are by certificate";
            findings.ok(&format!("{what}: tls"), text);
        }
        Err(error) => {
            let naming = Naming {
                file: error.file(),
                keys: &["listener", error.key()],
            };
            findings.fail_at(config, naming, &format!("{what}: tls"), &error);
        }
    }
    let what = format!("{what}: client_ca");
    // A file that cannot be read was told of with the rest of `tls`.
    let trusted = TrustedCertificates::read_all(&tls.client_ca).unwrap_or_default();
    for remark in trusted_certificates::remarks(&trusted, Timestamp::now().as_second()) {
        if remark.odd {
            findings.warn(&what, remark.text);
        } else {
            findings.ok(&what, remark.text);
        }
    }
}

/// A listener without TLS.
fn plain(listener: &Listener, what: &str, findings: &mut Findings) {
    let is_open = !listener.address.ip().is_loopback();
    match listener.role {
        // Authorities that validate names come without.
        Role::Acme => {}
        Role::Receiver => findings.warn(
            what,
            "no tls: iSchedule goes over https, so something in front must speak it",
        ),
        Role::Admin if is_open => findings.warn(
            what,
            format!(
                "health and metrics are shown to whoever reaches {0}, without a log-in; write \"127.0.0.1:{1}\", or the address of a \
                 network that is your own",
                listener.address,
                listener.address.port()
            ),
        ),
        _ if is_open => findings.warn(
            what,
            "no tls on an address that others reach: passwords would go in the clear",
        ),
        _ => {}
    }
}

/// The files of who may log in, each once: listeners of one role share theirs.
fn users(config: &Config, findings: &mut Findings) {
    let mut seen: Vec<&PathBuf> = Vec::new();
    for listener in &config.listeners {
        let Some(users) = listener.users.as_ref().filter(|it| !seen.contains(it)) else {
            continue;
        };
        seen.push(users);
        let what = format!("listener {}: users", listener.role.as_str());
        match login::remarks(users, &config.server.domains) {
            Ok((logins, remarks)) => {
                let text = format!("{}: {logins} logins", users.display());
                findings.ok(&what, text);
                for remark in remarks {
                    findings.warn(&what, remark);
                }
            }
            Err(error) => {
                let naming = Naming {
                    file: users,
                    keys: &["listener", "users"],
                };
                findings.fail_at(config, naming, &what, &error);
            }
        }
    }
}

/// Whether the address can be bound. A convoke that runs with this configuration holds it, which is as it should be.
pub(super) fn address(config: &Config, address: SocketAddr, what: &str, findings: &mut Findings) {
    let ours = state_folder::listener_notes(&config.server.state)
        .iter()
        .any(|note| note.address == address);
    match TcpListener::bind(address) {
        Ok(_) => findings.ok(what, format!("{address} is free")),
        // Also a port that only its service manager may open.
        Err(_) if ours => {
            findings.ok(what, format!("{address} is held by the convoke that runs"));
        }
        Err(error) => {
            let error = &error;
            let problem = BindProblem { address, error };
            findings.fail(what, format!("cannot listen on {address}: {problem}"));
        }
    }
}
