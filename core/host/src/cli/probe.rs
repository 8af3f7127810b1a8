//! `convoke probe`: looks at a remote receiver as a sender meets it.

use super::{
    Global,
    output::{self, Failure},
};
use crate::{
    config::Config,
    instance,
    probe::{self, Finding, Outside, Question, Target, Verdict},
};
use clap::Args;
use convoke_dns::Resolver;
use convoke_net::http_client::{Client, Settings};
use convoke_plugin_host::Plugins;
use convoke_sdk::{Discovered, Receiver, ReceiverUrl, remote::Kind};
use convoke_types::{CalendarAddress, Domain};
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  convoke probe example.com
  convoke probe https://cal.example.com/.well-known/ischedule --json
  convoke probe example.com --config convoke.toml --post anna@example.org bo@example.com

Each line is pass, deviation (against the specification, and understood all the same), fail or info, \
with the section of the specification. Nothing is changed at the peer: GET, OPTIONS and, with --post, \
a free-busy question, signed if the configuration has [signing].
If there is a configuration, its [client], [dns] and [[discovery]] are used.
Exit status 1 if one line is fail.";

/// Probe a remote receiver: what it supports, and where it deviates from the specification
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Probe {
    /// A domain, whose receivers are looked up, or the https URL of a receiver
    #[arg(value_name = "DOMAIN|URL")]
    target: String,
    /// Ask when RECIPIENT is busy, on behalf of ORIGINATOR
    #[arg(long, num_args = 2, value_names = ["ORIGINATOR", "RECIPIENT"])]
    post: Option<Vec<CalendarAddress>>,
}

impl Probe {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        // Only a configuration that somebody named must be there.
        let config = match global.config_file() {
            Ok(_) => Some(global.config()?),
            Err(error) if global.config.is_some() => return Err(error),
            Err(_) => None,
        };
        let outside = outside(config.as_ref())?;
        let question = match self.post {
            Some(who) => Some(question(who, config.as_ref())?),
            None => None,
        };
        let mut findings = Vec::new();
        let target = target(&self.target, config.as_ref(), &mut findings).await?;
        findings.extend(probe::probe(target, &outside, question.as_ref()).await);
        if global.json {
            output::print_json(&findings)?;
        } else {
            output::print_text(&text(&findings))?;
        }
        if findings.iter().any(|it| it.verdict == Verdict::Fail) {
            return Err(Failure::already_reported());
        }
        Ok(())
    }
}

fn outside(config: Option<&Config>) -> Result<Outside, Failure> {
    if let Some(config) = config {
        let outside = instance::outside(config);
        let (dns, client) = outside.map_err(Failure::from)?;
        return Ok(Outside { dns, client });
    }
    let client = Client::new(Settings::default());
    Ok(Outside {
        dns: Resolver::new(&[]),
        client: client.map_err(|error| Failure::new(error.to_string()))?,
    })
}

fn question(who: Vec<CalendarAddress>, config: Option<&Config>) -> Result<Question, Failure> {
    let Ok([originator, recipient]) = <[CalendarAddress; 2]>::try_from(who) else {
        return Err(Failure::usage("--post takes ORIGINATOR and RECIPIENT"));
    };
    let signing = config.and_then(|config| config.signing.as_ref());
    let signer = signing.map(instance::signer).transpose();
    Ok(Question {
        originator,
        recipient,
        signer: signer
            .map_err(|error| Failure::new(error.to_string()))?
            .map(Arc::new),
    })
}

/// What to probe: the URL named, what the configured discovery finds for the domain, or else what DNS says of it.
async fn target(
    text: &str,
    config: Option<&Config>,
    findings: &mut Vec<Finding>,
) -> Result<Target, Failure> {
    if text.contains("://") {
        let url = ReceiverUrl::new(text).map_err(|error| Failure::usage(error.to_string()))?;
        return Ok(Target::Receivers(vec![Receiver::administered(url)]));
    }
    let domain = Domain::new(text)
        .map_err(|error| Failure::usage(format!("{error}; name a domain, or an https URL")))?;
    Ok(match configured(&domain, config).await? {
        Some(said) => probe::target(domain, said, findings),
        None => Target::Domain(domain),
    })
}

/// What the discovery plugins of the configuration say; `None` if there are none.
async fn configured(
    domain: &Domain,
    config: Option<&Config>,
) -> Result<Option<Result<Discovered, convoke_sdk::Error>>, Failure> {
    let Some(config) = config else {
        return Ok(None);
    };
    let mut setup = instance::setup(config);
    setup.entries.retain(|entry| entry.kind == Kind::Discovery);
    if setup.entries.is_empty() {
        return Ok(None);
    }
    let plugins = Plugins::open(&setup).await;
    let plugins = plugins.map_err(Failure::from)?;
    let address = CalendarAddress::new(&format!("mailto:probe@{domain}"))
        .map_err(|error| Failure::usage(error.to_string()))?;
    Ok(Some(plugins.discovery.discover(&address).await))
}

fn text(findings: &[Finding]) -> String {
    let row = |finding: &Finding| {
        vec![
            finding.verdict.as_str().to_owned(),
            finding.step.to_owned(),
            finding.section.to_owned(),
            finding.text.clone(),
        ]
    };
    output::table(&findings.iter().map(row).collect::<Vec<_>>())
}
