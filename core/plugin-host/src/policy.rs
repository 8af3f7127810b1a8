//! The policies, all of which are asked.

use super::{Handle, PluginInfo};
use convoke_sdk::{AccessRequest, Decision, Error, Grant, RateLimit, remote::RemotePolicy};
use std::time::Duration;
use tracing::info;

/// The deadline of a decision, if its entry says nothing.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);

/// The policies of the configuration.
pub struct PolicyChain(Vec<Handle<RemotePolicy>>);

/// What all policies together say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, as far as the strictest of them grants.
    Allow(Allowance),
    /// No; why is in the log.
    Deny,
    /// None of them denies, and one could not be asked; why is in the log. Neither a yes nor a no: later may help.
    Unavailable,
}

/// Why one of our own users may not send to a receiver elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// A policy denies it; why.
    Denied(String),
    /// A policy cannot be asked now; why.
    Unavailable(String),
}

/// What the policies allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// The strictest of what they grant.
    pub grant: Grant,
    /// How often: policies by name, each with the rate it wants held.
    pub rates: Vec<(String, RateLimit)>,
    /// How much of one sender for one recipient, in the same way.
    pub quotas: Vec<(String, RateLimit)>,
}

impl PolicyChain {
    pub(super) fn new(policies: Vec<Handle<RemotePolicy>>) -> Self {
        Self(policies)
    }

    /// Asks every policy. Any denial wins, and so does nobody's allowing; one that fails or runs out of time allows
    /// nothing and denies nothing: it may be asked later.
    pub async fn decide(&self, request: &AccessRequest) -> Verdict {
        let objection = match combined(self.ask(request).await) {
            Ok(allowance) => return Verdict::Allow(allowance),
            Err(objection) => objection,
        };
        let (verdict, event, reason) = match &objection {
            Objection::Denied(reason) => (Verdict::Deny, "policy-denied", reason),
            Objection::Unavailable(reason) => (Verdict::Unavailable, "policy-unavailable", reason),
        };
        info!(
            event,
            originator = %request.originator,
            recipient = %request.recipient,
            method = %request.method,
            component = %request.component,
            "{}: {reason}",
            if verdict == Verdict::Deny { "denied" } else { "not decided" }
        );
        verdict
    }

    async fn ask(&self, request: &AccessRequest) -> Vec<(&str, Result<Decision, Error>)> {
        let asked = self.0.iter().map(async |policy| {
            let call = policy.remote.authorize(request);
            let decision = policy.call(request.recipient.as_str(), call).await;
            (policy.name(), decision)
        });
        futures::future::join_all(asked).await
    }

    /// Why one of our own users may not send to a receiver elsewhere; `None` if no policy objects.
    pub async fn forbids(&self, request: &AccessRequest) -> Option<Objection> {
        objection(&self.ask(request).await)
    }

    pub(super) fn list(&self) -> Vec<PluginInfo> {
        self.0.iter().map(Handle::info).collect()
    }
}

/// The strictest grant, or why not.
fn combined(decisions: Vec<(&str, Result<Decision, Error>)>) -> Result<Allowance, Objection> {
    if let Some(objection) = objection(&decisions) {
        return Err(objection);
    }
    let mut granted: Option<Grant> = None;
    let (mut rates, mut quotas) = (Vec::new(), Vec::new());
    for (name, decision) in decisions {
        if let Ok(Decision::Allow(grant)) = decision {
            granted = Some(granted.map_or(grant, |other| other.strictest(grant)));
            rates.extend(grant.rate.map(|rate| (name.to_owned(), rate)));
            quotas.extend(grant.quota.map(|quota| (name.to_owned(), quota)));
        }
    }
    let nobody = || Objection::Denied("no policy allows it".to_owned());
    let grant = granted.ok_or_else(nobody)?;
    Ok(Allowance {
        grant,
        rates,
        quotas,
    })
}

/// A denial; else a policy that could not be asked.
fn objection(decisions: &[(&str, Result<Decision, Error>)]) -> Option<Objection> {
    let denied = decisions
        .iter()
        .find_map(|(name, decision)| match decision {
            Ok(Decision::Deny(reason)) => Some(format!("policy `{name}` says: {reason}")),
            _ => None,
        });
    let failed = decisions.iter().find_map(|(_, decision)| {
        // The error names the plugin.
        let error = decision.as_ref().err()?;
        Some(format!(
            "{error}, and a policy that fails may be asked later"
        ))
    });
    denied
        .map(Objection::Denied)
        .or_else(|| failed.map(Objection::Unavailable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_sdk::Detail;

    #[test]
    fn any_denial_wins_and_the_strictest_grant_holds() {
        let mut busy = Grant::default();
        busy.detail = Detail::Busy;
        let allow = || Ok(Decision::allow());
        let strict = || Ok(Decision::Allow(busy));
        let abstain = || Ok(Decision::Abstain);
        let deny = || Ok(Decision::deny("closed"));
        let fail = || Err(Error::internal("broken"));
        for (decisions, expected) in [
            (vec![], Err("denied")),
            (vec![abstain()], Err("denied")),
            (vec![allow(), abstain()], Ok(Grant::default())),
            (vec![strict(), allow()], Ok(busy)),
            (vec![allow(), strict()], Ok(busy)),
            (vec![allow(), deny()], Err("denied")),
            (vec![allow(), fail()], Err("unavailable")),
            (vec![fail(), abstain()], Err("unavailable")),
            (vec![fail(), deny()], Err("denied")),
        ] {
            let named = decisions.into_iter().map(|d| ("p", d)).collect();
            let said = combined(named)
                .map(|it| it.grant)
                .map_err(|objection| match objection {
                    Objection::Denied(_) => "denied",
                    Objection::Unavailable(_) => "unavailable",
                });
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn every_rate_is_held() {
        let allow = |rate: &str| {
            let mut grant = Grant::default();
            grant.rate = Some(RateLimit {
                rate: rate.parse().unwrap(),
                bucket: 1,
            });
            Ok(Decision::Allow(grant))
        };
        let decisions = vec![
            ("often", allow("100/min")),
            ("free", Ok(Decision::allow())),
            ("seldom", allow("1/d")),
        ];
        let rates = combined(decisions).unwrap().rates;
        let rates: Vec<_> = rates
            .iter()
            .map(|(name, limit)| format!("{name} {}", limit.rate))
            .collect();
        assert_eq!(rates, ["often 100/min", "seldom 1/d"]);
    }
}
