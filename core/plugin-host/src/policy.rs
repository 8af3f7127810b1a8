//! The policies, all of which are asked.

use super::{Handle, PluginInfo};
use convoke_sdk::{
    AccessRequest, Action, Anonymous, Decision, Error, Grant, RateLimit, remote::RemotePolicy,
};
use std::{sync::Arc, time::Duration};
use tracing::info;

/// The deadline of a decision, if its entry says nothing.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);

/// The policies of the configuration.
#[derive(Clone)]
pub struct PolicyChain(Arc<[Handle<RemotePolicy>]>);

/// What all policies together say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, as far as the strictest of them grants.
    Allow(Allowance),
    /// Neither: it waits for the recipient to decide, out of the calendar. Who says so.
    Hold(String),
    /// No; why is in the log, too.
    Deny(String),
    /// None of them denies, and one could not be asked; why is in the log, too. Neither a yes nor a no: later may help.
    Unavailable(String),
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
    /// Who allows it, each with the number of its rule, if it has rules.
    pub by: Vec<(String, Option<u32>)>,
}

impl PolicyChain {
    pub(super) fn new(policies: Vec<Handle<RemotePolicy>>) -> Self {
        Self(policies.into())
    }

    /// Asks every policy. Any denial wins, and so does nobody's allowing; one that fails or runs out of time allows
    /// nothing and denies nothing: it may be asked later.
    pub async fn decide(&self, request: &AccessRequest) -> Verdict {
        let said = self.ask(request).await;
        let policy = objector(&said).map(str::to_owned);
        let objection = match combined(request.action, said) {
            Ok(Combined::Allow(allowance)) => return Verdict::Allow(allowance),
            Ok(Combined::Hold(by)) => return Verdict::Hold(by),
            Err(objection) => objection,
        };
        let (word, reason) = match &objection {
            Objection::Denied(reason) => ("denied", reason),
            Objection::Unavailable(reason) => ("not decided", reason),
        };
        info!(
            event = "not-allowed-by-policy",
            originator = %request.originator,
            recipient = %request.recipient,
            method = %request.method,
            component = %request.component,
            uid = request.uid.as_ref().map(display),
            peer = request.peer.map(display),
            message_id = request.message_id,
            policy,
            "{word}: {reason}"
        );
        match objection {
            Objection::Denied(reason) => Verdict::Deny(reason),
            Objection::Unavailable(reason) => Verdict::Unavailable(reason),
        }
    }

    async fn ask(&self, request: &AccessRequest) -> Vec<(&str, Result<Decision, Error>)> {
        let asked = self
            .0
            .iter()
            .map(async |policy| (policy.name(), decided(policy, request).await));
        futures::future::join_all(asked).await
    }

    /// Why one of our own users may not send to a receiver elsewhere; `None` if no policy objects.
    pub async fn forbids(&self, request: &AccessRequest) -> Option<Objection> {
        objection(request.action, &self.ask(request).await)
    }

    /// Closes all of them.
    pub(super) async fn close(&self) {
        futures::future::join_all(self.0.iter().map(Handle::<RemotePolicy>::close)).await;
    }

    pub(super) fn list(&self) -> Vec<PluginInfo> {
        self.0.iter().map(|policy| policy.info()).collect()
    }
}

/// What one policy says. Who allows something to everybody may not have thought of those who do not say who they are.
async fn decided(
    policy: &Handle<RemotePolicy>,
    request: &AccessRequest,
) -> Result<Decision, Error> {
    let decision = policy.authorize(request).await?;
    let is_anonymous = request.originator.is_anonymous();
    Ok(match decision {
        Decision::Allow(grant) if is_anonymous && grant.anonymous != Anonymous::Included => {
            Decision::Abstain
        }
        decision => decision,
    })
}

/// What policies say together that do not object.
#[derive(Debug)]
enum Combined {
    Allow(Allowance),
    Hold(String),
}

/// The strictest grant, or why not.
fn combined(
    action: Action,
    decisions: Vec<(&str, Result<Decision, Error>)>,
) -> Result<Combined, Objection> {
    if let Some(objection) = objection(action, &decisions) {
        return Err(objection);
    }
    // What waits is asked about again.
    let mut holds = decisions.iter();
    if let Some((name, _)) = holds.find(|(_, decision)| *decision == Ok(Decision::Hold)) {
        return Ok(Combined::Hold(format!("policy `{name}` holds it")));
    }
    let mut granted: Option<Grant> = None;
    let (mut rates, mut quotas, mut by) = (Vec::new(), Vec::new(), Vec::new());
    for (name, decision) in decisions {
        if let Ok(Decision::Allow(grant)) = decision {
            granted = Some(granted.map_or(grant, |other| other.strictest(grant)));
            rates.extend(grant.rate.map(|rate| (name.to_owned(), rate)));
            quotas.extend(grant.quota.map(|quota| (name.to_owned(), quota)));
            by.push((name.to_owned(), grant.rule));
        }
    }
    let nobody = || Objection::Denied("no policy allows it".to_owned());
    let grant = granted.ok_or_else(nobody)?;
    Ok(Combined::Allow(Allowance {
        grant,
        rates,
        quotas,
        by,
    }))
}

/// The policy that denies it or cannot be asked; none, if nobody allows it.
fn objector<'a>(decisions: &[(&'a str, Result<Decision, Error>)]) -> Option<&'a str> {
    let denies = |it: &&(&str, Result<Decision, Error>)| matches!(it.1, Ok(Decision::Deny(_)));
    let fails = |it: &&(&str, Result<Decision, Error>)| it.1.is_err();
    let denying = decisions.iter().find(denies);
    let objector = denying.or_else(|| decisions.iter().find(fails));
    objector.map(|(name, _)| *name)
}

/// A denial; else a policy that could not be asked.
fn objection(action: Action, decisions: &[(&str, Result<Decision, Error>)]) -> Option<Objection> {
    let denied = decisions
        .iter()
        .find_map(|(name, decision)| match decision {
            Ok(Decision::Deny(reason)) => Some(format!("policy `{name}` says: {reason}")),
            // Only what is to come into a calendar can wait before it.
            Ok(Decision::Hold) if action != Action::Schedule => {
                Some(format!("policy `{name}` holds it, and this cannot wait"))
            }
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
        let hold = || Ok(Decision::Hold);
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
            (vec![allow(), hold()], Err("held")),
            (vec![hold(), abstain()], Err("held")),
            (vec![hold(), deny()], Err("denied")),
            (vec![hold(), fail()], Err("unavailable")),
        ] {
            let named = decisions.into_iter().map(|d| ("p", d)).collect();
            let said = match combined(Action::Schedule, named) {
                Ok(Combined::Allow(allowance)) => Ok(allowance.grant),
                Ok(Combined::Hold(_)) => Err("held"),
                Err(Objection::Denied(_)) => Err("denied"),
                Err(Objection::Unavailable(_)) => Err("unavailable"),
            };
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn what_cannot_wait_is_denied_where_it_would_be_held() {
        for action in [Action::FreeBusy, Action::Send] {
            let said = combined(action, vec![("p", Ok(Decision::Hold))]);
            assert!(matches!(said, Err(Objection::Denied(_))), "{said:?}");
        }
    }

    #[test]
    fn every_rate_is_held() {
        let allow = |rate: &str| {
            let mut grant = Grant::default();
            grant.rate = Some(RateLimit::new(rate.parse().unwrap(), 1));
            Ok(Decision::Allow(grant))
        };
        let decisions = vec![
            ("often", allow("100/min")),
            ("free", Ok(Decision::allow())),
            ("seldom", allow("1/d")),
        ];
        let Ok(Combined::Allow(allowance)) = combined(Action::Schedule, decisions) else {
            panic!("it is allowed");
        };
        let rates = allowance.rates;
        let rates: Vec<_> = rates
            .iter()
            .map(|(name, limit)| format!("{name} {}", limit.rate))
            .collect();
        assert_eq!(rates, ["often 100/min", "seldom 1/d"]);
    }
}
