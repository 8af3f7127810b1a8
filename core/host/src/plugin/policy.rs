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
}

/// What the policies allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// The strictest of what they grant.
    pub grant: Grant,
    /// How often: policies by name, each with the rate it wants held.
    pub rates: Vec<(String, RateLimit)>,
}

impl PolicyChain {
    pub(super) fn new(policies: Vec<Handle<RemotePolicy>>) -> Self {
        Self(policies)
    }

    /// Asks every policy. Any denial wins, one that fails or runs out of time denies, and so does nobody's allowing.
    pub async fn decide(&self, request: &AccessRequest) -> Verdict {
        let asked = self.0.iter().map(async |policy| {
            let decision = policy.call(policy.remote.authorize(request)).await;
            (policy.name(), decision)
        });
        let decisions = futures::future::join_all(asked).await;
        match combined(decisions) {
            Ok(allowance) => Verdict::Allow(allowance),
            Err(reason) => {
                info!(
                    originator = %request.originator,
                    recipient = %request.recipient,
                    method = %request.method,
                    component = %request.component,
                    "denied: {reason}"
                );
                Verdict::Deny
            }
        }
    }

    /// Why one of our own users may not send to a receiver elsewhere; `None` if no policy forbids it. One that fails
    /// forbids.
    pub async fn forbids(&self, request: &AccessRequest) -> Option<String> {
        let asked = self.0.iter().map(async |policy| {
            match policy.call(policy.remote.authorize(request)).await {
                Ok(Decision::Deny(reason)) => {
                    Some(format!("policy `{}` says: {reason}", policy.name()))
                }
                Ok(Decision::Allow(_) | Decision::Abstain) => None,
                Err(error) => Some(format!("{error}, and a policy that fails denies")),
            }
        });
        let reasons = futures::future::join_all(asked).await;
        reasons.into_iter().flatten().next()
    }

    pub(super) fn list(&self) -> Vec<PluginInfo> {
        self.0.iter().map(Handle::info).collect()
    }
}

/// The strictest grant, or why not.
fn combined(decisions: Vec<(&str, Result<Decision, Error>)>) -> Result<Allowance, String> {
    let mut granted: Option<Grant> = None;
    let mut rates = Vec::new();
    for (name, decision) in decisions {
        match decision {
            Ok(Decision::Allow(grant)) => {
                granted = Some(granted.map_or(grant, |other| other.strictest(grant)));
                rates.extend(grant.rate.map(|rate| (name.to_owned(), rate)));
            }
            Ok(Decision::Abstain) => {}
            Ok(Decision::Deny(reason)) => return Err(format!("policy `{name}` says: {reason}")),
            // The error names the plugin.
            Err(error) => return Err(format!("{error}, and a policy that fails denies")),
        }
    }
    let grant = granted.ok_or_else(|| "no policy allows it".to_owned())?;
    Ok(Allowance { grant, rates })
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
            (vec![], None),
            (vec![abstain()], None),
            (vec![allow(), abstain()], Some(Grant::default())),
            (vec![strict(), allow()], Some(busy)),
            (vec![allow(), strict()], Some(busy)),
            (vec![allow(), deny()], None),
            (vec![allow(), fail()], None),
        ] {
            let named = decisions.into_iter().map(|d| ("p", d)).collect();
            assert_eq!(combined(named).ok().map(|it| it.grant), expected);
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
