//! Whether peers can know that we are who we say, and we them.

use super::finding::{Findings, Verdict};
use crate::{
    config::{Config, Naming, Signing},
    instance,
    keys::{Published, published},
};
use convoke_ischedule::dkim::{KeyRecord, Signer};
use convoke_net::{pem, registrable::is_public_suffix, trusted_certificates::TrustedCertificates};
use convoke_tls::certificate::{Usage, is_for};
use convoke_types::Domain;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Looks at `[client]`, `[signing]` and `[verification]`.
pub(super) async fn look(config: &Config, findings: &mut Findings) {
    client(config, findings);
    match &config.signing {
        Some(signing) => signs(config, signing, findings).await,
        None if config.client.identity.is_some() => {
            let text = "no [signing]: peers know us by the certificate of [client] only";
            findings.ok("signing", text);
        }
        None => {
            let text = "messages go out unsigned: peers that require a signature refuse them; see [signing]";
            findings.warn("signing", text);
        }
    }
    verification(config, findings);
}

fn client(config: &Config, findings: &mut Findings) {
    for ca in &config.client.ca {
        let what = "client: ca";
        match TrustedCertificates::read(ca) {
            Ok(it) => {
                let (file, count) = (it.file.display(), it.certificates.len());
                let bound: Vec<_> = it.domains.iter().map(Domain::as_str).collect();
                findings.ok(
                    what,
                    if bound.is_empty() {
                        format!("{file}: {count} trusted")
                    } else {
                        format!("{file}: {count} trusted for {}", bound.join(", "))
                    },
                );
            }
            Err(error) => {
                let naming = Naming {
                    file: &ca.file,
                    keys: &["client", "ca"],
                };
                findings.fail_at(config, naming, what, &error);
            }
        }
    }
    let Some((certificate, key)) = &config.client.identity else {
        return;
    };
    let what = "client: certificate";
    match pem::identity(certificate, key) {
        Ok((chain, _)) if chain.iter().take(1).any(|it| !is_for(it, Usage::Client)) => {
            let text = format!(
                "{}: it is for servers alone (extendedKeyUsage), as what Let's Encrypt and others issue is, so that peers who ask for \
                 a certificate refuse it; let them know you by a signature ([signing]), or show one that is for clients, too",
                certificate.display()
            );
            findings.warn(what, text);
        }
        Ok(_) => findings.ok(what, certificate.display().to_string()),
        Err(error) => {
            let naming = Naming {
                file: error.file(),
                keys: &["client", error.key()],
            };
            findings.fail_at(config, naming, what, &error);
        }
    }
}

async fn signs(config: &Config, signing: &Signing, findings: &mut Findings) {
    if is_public_suffix(&signing.domain) {
        let text = format!(
            "{} is a public suffix: peers believe nobody who signs for it",
            signing.domain
        );
        findings.warn("signing", text);
    }
    for domain in &config.server.domains {
        if !domain.is_within(&signing.domain) {
            let text = format!(
                "messages of our people at {domain} are signed by {}, which speaks for itself and what is below it, so that peers \
                 refuse them; write `domain = \"{domain}\"`, or another host for that domain",
                signing.domain
            );
            findings.fail("signing", text);
        }
    }
    match instance::signer(signing) {
        Ok(signer) => {
            look_published(config, &signer, findings).await;
            let text = format!("as {}, selector {}", signing.domain, signing.selector);
            findings.ok("signing", text);
        }
        Err(error) => findings.fail("signing", error.located(&config.file)),
    }
}

/// Whether peers that look for our key find the one that we sign with.
async fn look_published(config: &Config, signer: &Signer, findings: &mut Findings) {
    // Why it cannot be made is told elsewhere.
    let Ok((dns, client)) = instance::outside(config) else {
        return;
    };
    for (lookup, found) in published(dns, client, signer).await {
        let verdict = match found {
            Published::Ours => Verdict::Ok,
            Published::Another => Verdict::Fail,
            // It is published after the configuration is written, by whoever keeps the domain; by HTTP once the host runs.
            Published::Nothing | Published::Unknown(_) => Verdict::Warn,
        };
        let what = format!("signing: {}", lookup.as_str());
        findings.add(verdict, &what, found.to_string());
    }
}

fn verification(config: &Config, findings: &mut Findings) {
    if config.verification.required {
        findings.ok("verification", "peers must prove who they are");
    } else {
        let text = "verification.required = false: anybody may speak for any domain but yours";
        findings.warn("verification", text);
    }
    if let Some(folder) = &config.verification.private_exchange {
        let what = "verification: private_exchange";
        match exchanged(folder) {
            Ok((_, Some(without))) => {
                let text = format!(
                    "{} holds no record of a key: write the line that `convoke keys show-dns` of the peer prints, from v=DKIM1 on",
                    without.display()
                );
                findings.warn(what, text);
            }
            Ok((0, None)) => {
                let text = format!(
                    "{} holds no key; put the record of a peer into {}/DOMAIN/SELECTOR",
                    folder.display(),
                    folder.display()
                );
                findings.warn(what, text);
            }
            Ok((keys, None)) => findings.ok(what, format!("{}: {keys} keys", folder.display())),
            Err(error) => {
                let text = format!(
                    "{}: the folder of exchanged keys cannot be read: {error}; make it, or take `private_exchange` out",
                    folder.display()
                );
                let naming = Naming {
                    file: folder,
                    keys: &["verification", "private_exchange"],
                };
                findings.fail_at(config, naming, what, &text);
            }
        }
    }
}

/// How many files lie in `folder/DOMAIN/SELECTOR`, and one of them without a key, if there is one.
fn exchanged(folder: &Path) -> std::io::Result<(usize, Option<PathBuf>)> {
    let domains = fs::read_dir(folder)?.flatten();
    let selectors = domains.flat_map(|domain| fs::read_dir(domain.path()).into_iter().flatten());
    let files = selectors.flatten().map(|it| it.path());
    let files: Vec<PathBuf> = files.filter(|it| it.is_file()).collect();
    let mut without = files.iter().filter(|it| !holds_key(it));
    Ok((files.len(), without.next().cloned()))
}

fn holds_key(file: &Path) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut records = text.lines().flat_map(KeyRecord::read_document);
    records.any(|it| it.is_ok())
}
