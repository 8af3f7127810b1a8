//! Who the peer is: what it proved, and whether that covers the Originator.

use crate::{config::Config, transport::Arrival};
use convoke_ischedule::{
    ErrorElement, Refusal,
    dkim::{Failure, Unverified},
};
use convoke_sdk::Proof;
use convoke_types::{CalendarAddress, Domain};
use http::HeaderMap;
use jiff::Timestamp;

use crate::keys::Keys;

/// A peer that may speak for the Originator of a message. Only `identify` makes one.
#[derive(Debug)]
pub struct VerifiedPeer {
    proofs: Vec<Proof>,
}

impl VerifiedPeer {
    /// What it proved; empty where the configuration asks for no proof and none was given.
    pub fn proofs(&self) -> &[Proof] {
        &self.proofs
    }
}

/// Holds what the peer proved against the Originator (spec §6, §9).
pub(crate) async fn identify(
    config: &Config,
    keys: &Keys,
    arrival: &Arrival,
    headers: &HeaderMap,
    body: &[u8],
    originator: &CalendarAddress,
    now: Timestamp,
) -> Result<VerifiedPeer, Refusal> {
    let mut proofs: Vec<Proof> = arrival
        .client_domains
        .iter()
        .cloned()
        .map(Proof::Mtls)
        .collect();
    match signed_by(keys, headers, body, now).await {
        Ok(domain) => proofs.push(Proof::Dkim(domain)),
        Err(failure) if failure.is_unsigned() => {}
        // Spec §9: a signature that is there must hold, required or not.
        Err(failure) => return Err(failure.into()),
    }
    if proofs.is_empty() && config.verification.required {
        return Err(Failure::NotSigned.into());
    }
    let denied = |text: String| Refusal::new(ErrorElement::OriginatorDenied, text);
    if let Ok(domain) = originator.domain() {
        if config.is_ours(domain) {
            return Err(denied(format!(
                "{domain} is a domain of this server; nobody else speaks for it"
            )));
        }
        if !proofs.is_empty() && !proofs.iter().any(|proof| covers(proof, domain)) {
            return Err(denied(format!(
                "what the request proves does not cover the Originator's domain {domain}"
            )));
        }
    } else if !proofs.is_empty() || config.verification.required {
        return Err(denied(format!(
            "{originator} has no domain that could be proven"
        )));
    }
    Ok(VerifiedPeer { proofs })
}

/// Spec §6: the proven domain is the Originator's, or one above it.
fn covers(proof: &Proof, originator: &Domain) -> bool {
    match proof {
        Proof::Dkim(domain) | Proof::Mtls(domain) => originator.is_within(domain),
        Proof::Submission(_) => false,
    }
}

async fn signed_by(
    keys: &Keys,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Domain, Failure> {
    let pending = Unverified { headers, body }.read(now)?;
    let records = keys.find(&pending).await;
    Ok(pending.verify(&records)?.domain().clone())
}
