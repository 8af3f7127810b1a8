//! Whether an authority can issue the certificates that listeners want. Nothing is ordered, and no account is made.

use super::finding::Findings;
use crate::{
    acme::{Wanted, wanted},
    config::{Challenge, Config},
    instance,
};
use convoke_dns::Resolver;
use convoke_net::http_client::{Client, ConnectPolicy, Request};
use convoke_types::Domain;
use http::{HeaderMap, Method};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::timeout;

/// How long the name servers may take for one name.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at each certificate that is wanted.
pub(super) async fn look(config: &Config, findings: &mut Findings) {
    let wanted = wanted(config);
    // Why it cannot be made is told elsewhere.
    let Ok((dns, client)) = instance::outside(config) else {
        return;
    };
    let mut asked = Vec::new();
    for it in &wanted {
        if !asked.contains(&&it.acme.directory) {
            asked.push(&it.acme.directory);
            let what = "acme: directory";
            match directory(&client, it).await {
                Ok(text) => findings.ok(what, text),
                Err(text) => findings.warn(what, text),
            }
        }
        ports(config, it, findings);
        for name in &it.acme.names {
            if let Some(text) = address(&dns, name).await {
                findings.warn("acme: names", text);
            }
        }
    }
}

/// What a directory says (RFC 8555 §7.1.1), as far as it is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    #[serde(rename = "newOrder")]
    _new_order: String,
    #[serde(default)]
    meta: Meta,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Meta {
    terms_of_service: Option<String>,
    external_account_required: bool,
}

async fn directory(client: &Client, wanted: &Wanted) -> Result<String, String> {
    let url = &wanted.acme.directory;
    let answer = client.send(Request {
        method: Method::GET,
        url: url.clone(),
        headers: HeaderMap::new(),
        body: Vec::new().into(),
        policy: ConnectPolicy {
            administered: true,
            tls_name: None,
        },
        longest: Some(64 << 10),
    });
    let answer = answer.await.map_err(|error| error.to_string())?;
    if !answer.status.is_success() {
        return Err(format!("{url} answers {}", answer.status));
    }
    let directory: Directory = serde_json::from_slice(&answer.body).map_err(|_| {
        format!("{url} is no ACME directory; look for its URL in the authority's manual")
    })?;
    if directory.meta.external_account_required {
        return Err(format!(
            "{url} takes accounts only of whom it knows already (external account binding), which is not done here; choose another \
             authority, or get certificates by another program"
        ));
    }
    Ok(match directory.meta.terms_of_service {
        Some(terms) => format!("{url} answers; who writes `tls.acme` agrees to {terms}"),
        None => format!("{url} answers"),
    })
}

/// Whether the authority comes out at a listener of ours.
fn ports(config: &Config, wanted: &Wanted, findings: &mut Findings) {
    let what = format!("acme: {}", wanted.acme.challenge.as_str());
    let (port, ours) = match wanted.acme.challenge {
        Challenge::Http(address) => (80, vec![address.port()]),
        Challenge::TlsAlpn => {
            let sharing = config.listeners.iter().filter(|it| {
                let tls = it.tls.as_ref();
                tls.is_some_and(|tls| tls.certificate == wanted.file)
            });
            (443, sharing.map(|it| it.address.port()).collect())
        }
    };
    let names: Vec<_> = wanted.acme.names.iter().map(Domain::as_str).collect();
    let names = names.join(", ");
    if ours.contains(&port) {
        let text = format!("the authority connects to port {port} of {names}");
        findings.ok(&what, text);
        return;
    }
    let here: Vec<_> = ours.iter().map(ToString::to_string).collect();
    let here = here.join(" or ");
    let text = format!("the authority connects to port {port} of {names}, and we listen at {here}");
    if wanted.file.exists() {
        // It came out here before.
        findings.ok(&what, format!("{text}; it has issued a certificate"));
    } else {
        findings.warn(
            &what,
            format!("{text}; listen at {port}, or have {port} forwarded to {here}"),
        );
    }
}

/// What keeps an authority from finding a name.
async fn address(dns: &Resolver, name: &Domain) -> Option<String> {
    let found = timeout(PATIENCE, dns.addresses(name.as_str())).await.ok()?;
    let problem = match found {
        Ok(found) if !found.is_empty() => return None,
        Ok(_) => "it has no address".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(format!(
        "{name}: {problem}; the authority has to find this machine there: publish an A or AAAA record, or name others in `names`"
    ))
}
