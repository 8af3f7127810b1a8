//! What a domain's receiver is like, as the sender of this host meets it.

use super::api::{Probe, Probed};
use crate::{
    instance::Instance,
    probe::{self, Outside},
};
use convoke_types::{CalendarAddress, Domain, Error};
use std::time::Duration;
use tokio::time::timeout;

/// How long a probe may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Probes a domain, by the strategies, name servers and address filter of the sender. URLs are not taken: whoever may look at
/// a host need not be able to have it connect to whatever is beside it.
pub(super) async fn probe(instance: &Instance, asked: Probe) -> Result<Vec<Probed>, Error> {
    let domain = Domain::new(asked.domain.trim());
    let domain =
        domain.map_err(|error| Error::invalid(format!("{error}; name a domain to probe")))?;
    let address = CalendarAddress::new(&format!("mailto:probe@{domain}"));
    let address = address.map_err(|error| Error::invalid(error.to_string()))?;
    let _turn = instance.shared.probes.turn()?;
    let outside = Outside {
        dns: instance.dns.clone(),
        client: instance.client.clone(),
    };
    let probing = async {
        let mut findings = Vec::new();
        let said = instance.plugins.discovery.discover(&address).await;
        let target = probe::target(domain, said, &mut findings);
        findings.extend(probe::probe(target, &outside, None).await);
        findings
    };
    let findings = timeout(PATIENCE, probing).await;
    let findings = findings.map_err(|_| {
        let seconds = PATIENCE.as_secs();
        Error::unavailable(format!("the probe did not end within {seconds} s"))
    })?;
    Ok(findings.into_iter().map(Probed::from).collect())
}
