//! Peer authentication: DKIM signatures and client certificates, and whether the identity covers the Originator.

use super::rejection::Rejection;
use crate::{
    admission::RetryAfter,
    config::Config,
    keys::{Keys, Unavailable},
    rate_limit::peer,
};
use convoke_ischedule::{
    ErrorElement, Refusal,
    dkim::{Failure, Lifetime, Unverified, Verified},
};
use convoke_net::{
    http_server::Arrival,
    registrable::{is_public_suffix, speaks_for},
};
use convoke_scheduling::Peer;
use convoke_sdk::Proof;
use convoke_types::{CalendarAddress, Domain};
use http::HeaderMap;
use jiff::Timestamp;

/// A peer that may speak for the Originator of a message. Only `identify` makes one.
#[derive(Debug)]
pub struct VerifiedPeer {
    proofs: Vec<Proof>,
    signed: Option<Verified>,
    counted: Peer,
}

impl VerifiedPeer {
    /// What it proved of the Originator; empty where the configuration asks for no proof and none was given.
    pub fn proofs(&self) -> &[Proof] {
        &self.proofs
    }

    /// As whom it is counted.
    pub const fn counted(&self) -> &Peer {
        &self.counted
    }

    /// The domains for which it speaks with all those below them. A signature whose key is for its own domain alone
    /// (`t=s`) adds none, nor does a single label: they cover the Originator's, see `identify`.
    pub fn domains(&self) -> Vec<Domain> {
        let proven = self.proofs.iter().filter_map(|proof| match proof {
            Proof::Mtls(domain) => Some(domain),
            _ => None,
        });
        let signed = self.signed.iter().filter(|it| !it.is_strict());
        proven
            .chain(signed.map(Verified::domain))
            .filter(|domain| domain.parent().is_some())
            .cloned()
            .collect()
    }

    /// Its signature, if it signed the message.
    pub fn signed(&self) -> Option<&Verified> {
        self.signed.as_ref()
    }
}

/// Authenticates the peer, and checks that the authenticated identity covers the Originator (spec §6, §9).
pub(crate) async fn identify(
    config: &Config,
    keys: &Keys,
    arrival: &Arrival,
    headers: &HeaderMap,
    body: &[u8],
    originator: &CalendarAddress,
    now: Timestamp,
) -> Result<VerifiedPeer, Rejection> {
    let mut proofs: Vec<Proof> = arrival
        .client_domains
        .iter()
        .cloned()
        .map(Proof::Mtls)
        .collect();
    let lifetime = config.verification.lifetime;
    let signed = match signed_by(keys, lifetime, headers, body, now).await {
        Ok(signed) => Some(signed),
        Err(Unproven::Failed(failure)) if failure.is_unsigned() => None,
        // Spec §9: a signature that is there must hold, required or not.
        Err(Unproven::Failed(failure)) => return Err(Refusal::from(failure).into()),
        Err(Unproven::PublicSuffix(domain)) => {
            let text = format!("{domain} is a public suffix; nobody signs for it (d=)");
            return Err(Refusal::new(ErrorElement::VerificationFailed, text).into());
        }
        Err(Unproven::Unknown(error)) => {
            return Err(RetryAfter::unavailable(error.to_string()).into());
        }
    };
    proofs.extend(signed.iter().map(|it| Proof::Dkim(it.domain().clone())));
    if proofs.is_empty() && config.verification.required {
        return Err(Refusal::from(Failure::NotSigned).into());
    }
    let denied = |text: String| Rejection::from(Refusal::new(ErrorElement::OriginatorDenied, text));
    if let Ok(domain) = originator.domain() {
        if config.is_ours(domain) {
            return Err(denied(format!(
                "{domain} is a domain of this server; nobody else speaks for it"
            )));
        }
        let proven = !proofs.is_empty();
        proofs.retain(|proof| covers(proof, signed.as_ref(), domain));
        if proven && proofs.is_empty() {
            return Err(denied(format!(
                "what the request proves does not cover the Originator's domain {domain}"
            )));
        }
    } else if !proofs.is_empty() || config.verification.required {
        return Err(denied(format!(
            "{originator} has no domain that could be proven"
        )));
    }
    Ok(VerifiedPeer {
        counted: peer(&proofs, arrival.address.ip()),
        proofs,
        signed,
    })
}

/// Spec §6: the proven domain is the Originator's, or one above it. A signature says by itself how far it goes.
fn covers(proof: &Proof, signed: Option<&Verified>, originator: &Domain) -> bool {
    match proof {
        Proof::Mtls(domain) => speaks_for(domain, originator),
        Proof::Dkim(domain) => {
            speaks_for(domain, originator) && signed.is_some_and(|it| it.covers(originator))
        }
        _ => false,
    }
}

/// Why a request proves no signing domain.
enum Unproven {
    Failed(Failure),
    /// Nobody is the owner of all that lies below it.
    PublicSuffix(Domain),
    Unknown(Unavailable),
}

impl From<Failure> for Unproven {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

async fn signed_by(
    keys: &Keys,
    lifetime: Lifetime,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Verified, Unproven> {
    let pending = Unverified { headers, body }.read(now)?;
    let pending = pending.within(lifetime, now)?;
    if is_public_suffix(pending.domain()) {
        return Err(Unproven::PublicSuffix(pending.domain().clone()));
    }
    let found = keys.find(&pending).await.map_err(Unproven::Unknown)?;
    let verified = pending.verify(&found.records)?;
    keys.used(found).await;
    Ok(verified)
}
