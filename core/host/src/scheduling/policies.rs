//! Who may do what, by the policy plugins; and how often.

use crate::{
    access::access_request,
    rate_limit::{Allowed, Pair, RateLimited, counted},
    shared::SharedState,
};
use convoke_calendar::message::Kind;
use convoke_plugin_host::{Allowance, Plugins, Verdict as Said};
use convoke_scheduling::{
    Acquaintance, Decided, Envelope, Grant, Letter, Policies, Quota, Verdict,
};
use convoke_types::{CalendarAddress, CalendarUser};
use std::{sync::Arc, time::Duration};

/// The policies of the configuration.
pub struct OurPolicies {
    plugins: Arc<Plugins>,
    shared: Arc<SharedState>,
}

impl OurPolicies {
    pub(super) const fn new(plugins: Arc<Plugins>, shared: Arc<SharedState>) -> Self {
        Self { plugins, shared }
    }

    /// Notes for `convoke explain` which policy decided, and by which rule. Questions about busy time are many, so that
    /// only what is not allowed is noted of them.
    fn note(&self, envelope: &Envelope<'_>, recipient: &CalendarAddress, said: &Said) {
        let message = envelope.message;
        let (event, why) = match said {
            Said::Allow(_) if message.kind() == Kind::FreeBusy => return,
            Said::Allow(allowance) => ("allowed-by-policy", allowed_by(allowance)),
            Said::Hold(by) => ("held-by-policy", by.clone()),
            Said::Deny(why) | Said::Unavailable(why) => ("not-allowed-by-policy", why.clone()),
        };
        let decided = Decided::new(envelope.now, event, message.uid());
        let mut decided = decided
            .of(recipient)
            .to(message.method().as_str(), recipient)
            .why(why);
        decided.peer = Some(envelope.originator.human().to_owned());
        decided.message_id = envelope.transport.message_id.map(str::to_owned);
        self.shared.decisions.add(decided);
    }

    /// Counts one more use of what the policies allow only so often.
    fn count(&self, allowance: &Allowance, envelope: &Envelope<'_>) -> Result<(), RateLimited> {
        for (policy, limit) in &allowance.rates {
            let allowed = Allowed {
                policy: policy.clone(),
                bucket: limit.bucket,
                peer: counted(envelope.peer),
            };
            let allowances = &self.shared.rate_limiters.allowances;
            allowances.admit(limit.rate, &allowed)?;
        }
        Ok(())
    }
}

/// Who allows it, and by which rule.
fn allowed_by(allowance: &Allowance) -> String {
    let each = allowance.by.iter().map(|(policy, rule)| match rule {
        Some(rule) => format!("policy `{policy}` allows it by rule {rule}"),
        None => format!("policy `{policy}` allows it"),
    });
    each.collect::<Vec<_>>().join("; ")
}

impl Policies for OurPolicies {
    async fn decide(
        &self,
        envelope: &Envelope<'_>,
        recipient: &CalendarAddress,
        sender: Acquaintance,
    ) -> Verdict {
        let letter = Letter {
            message: envelope.message,
            data: envelope.data,
            originator: envelope.originator,
            transport: envelope.transport,
            id: None,
        };
        let mut request = access_request(&letter, envelope.proofs.to_vec(), recipient);
        request.sender = Some(match sender {
            Acquaintance::Known => convoke_sdk::Acquaintance::Known,
            Acquaintance::Stranger => convoke_sdk::Acquaintance::Stranger,
        });
        let said = self.plugins.policy.decide(&request).await;
        self.note(envelope, recipient, &said);
        let allowance = match said {
            Said::Allow(allowance) => allowance,
            Said::Hold(_) => return Verdict::Hold,
            Said::Deny(_) => return Verdict::Deny,
            Said::Unavailable(_) => return Verdict::Unavailable,
        };
        if let Err(RateLimited(after)) = self.count(&allowance, envelope) {
            return Verdict::RateLimited(after);
        }
        let quotas = allowance.quotas.into_iter();
        let quotas = quotas.map(|(policy, limit)| Quota {
            policy,
            bucket: limit.bucket,
            rate: limit.rate,
        });
        Verdict::Allow(Grant {
            detail: allowance.grant.detail,
            uninvited: allowance.grant.uninvited,
            quotas: quotas.collect(),
        })
    }

    fn charge(
        &self,
        grant: &Grant,
        originator: &CalendarAddress,
        user: &CalendarUser,
    ) -> Result<(), Duration> {
        for quota in &grant.quotas {
            let counted = (quota.policy.as_str(), quota.bucket);
            let pair = Pair::new(counted, originator, &user.address);
            let admitted = self.shared.rate_limiters.quotas.admit(quota.rate, &pair);
            admitted.map_err(|RateLimited(after)| after)?;
        }
        Ok(())
    }
}
