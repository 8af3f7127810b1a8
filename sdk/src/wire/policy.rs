use super::{Garbage, Read, Write, attributes};
use crate::{
    AccessRequest, Action, CalendarAddress, Decision, Detail, Domain, Grant, Proof, RateLimit,
    Uninvited,
};
use convoke_abi::{
    RString, RVec,
    policy::{
        AccessRequest as SentRequest, Decision as SentDecision, Proof as SentProof, action, detail,
        proof, quota, rate, uninvited, verdict,
    },
    values::Attributes,
};

impl<'a> Write for &'a AccessRequest {
    type Sent = SentRequest<'a>;

    fn write(self) -> SentRequest<'a> {
        SentRequest {
            action: match self.action {
                Action::FreeBusy => action::FREE_BUSY,
                Action::Schedule => action::SCHEDULE,
                Action::Send => action::SEND,
            },
            method: self.method.as_str().into(),
            component: self.component.as_str().into(),
            originator: (&self.originator).write(),
            recipient: (&self.recipient).write(),
            proofs: self.proofs.iter().map(Write::write).collect(),
            attributes: attributes(self.attributes.iter().map(|(n, v)| (&**n, &**v))),
        }
    }
}

impl Read<SentRequest<'_>> for AccessRequest {
    fn read(sent: SentRequest<'_>) -> Result<Self, Garbage> {
        let action = match sent.action {
            action::FREE_BUSY => Action::FreeBusy,
            action::SCHEDULE => Action::Schedule,
            action::SEND => Action::Send,
            other => return Err(Garbage::new(format!("action {other} is not known"))),
        };
        Ok(Self {
            action,
            method: sent.method.to_string(),
            component: sent.component.to_string(),
            originator: CalendarAddress::read(sent.originator)?,
            recipient: CalendarAddress::read(sent.recipient)?,
            proofs: (sent.proofs.into_iter())
                .filter_map(|proof| read_proof(proof).transpose())
                .collect::<Result<_, _>>()?,
            attributes: (sent.attributes.into_iter())
                .map(|fact| (fact.name.into_string(), fact.value.into_string()))
                .collect(),
        })
    }
}

impl<'a> Write for &'a Proof {
    type Sent = SentProof<'a>;

    fn write(self) -> SentProof<'a> {
        let (kind, subject) = match self {
            Proof::Dkim(domain) => (proof::DKIM, domain.as_str()),
            Proof::Mtls(domain) => (proof::MTLS, domain.as_str()),
            Proof::Submission(address) => (proof::SUBMISSION, address.as_str()),
        };
        SentProof {
            kind,
            subject: subject.into(),
        }
    }
}

/// `None` is a kind of proof that is not known: nothing is proved.
fn read_proof(sent: SentProof<'_>) -> Result<Option<Proof>, Garbage> {
    let subject = sent.subject.as_str();
    Ok(match sent.kind {
        proof::DKIM => Some(Proof::Dkim(Domain::new(subject)?)),
        proof::MTLS => Some(Proof::Mtls(Domain::new(subject)?)),
        proof::SUBMISSION => Some(Proof::Submission(CalendarAddress::new(subject)?)),
        _ => None,
    })
}

impl Write for Decision {
    type Sent = SentDecision;

    fn write(self) -> SentDecision {
        let facts = match &self {
            Self::Allow(grant) => write_grant(grant),
            Self::Deny(_) | Self::Abstain => RVec::new(),
        };
        let (verdict, detail, reason) = match self {
            Self::Allow(grant) => {
                let detail = match grant.detail {
                    Detail::Full => detail::FULL,
                    Detail::Busy => detail::BUSY,
                };
                (verdict::ALLOW, detail, RString::new())
            }
            Self::Deny(reason) => (verdict::DENY, detail::BUSY, reason.into()),
            Self::Abstain => (verdict::ABSTAIN, detail::BUSY, RString::new()),
        };
        SentDecision {
            verdict,
            detail,
            reason,
            attributes: facts,
        }
    }
}

fn write_grant(grant: &Grant) -> Attributes {
    let mut facts = RVec::new();
    for (limit, names) in [(grant.rate, RATE), (grant.quota, QUOTA)] {
        if let Some(limit) = limit {
            facts.extend(write_limit(limit, names));
        }
    }
    if let Some(says) = grant.uninvited {
        let word = match says {
            Uninvited::Accept => uninvited::ACCEPT,
            Uninvited::Refuse => uninvited::REFUSE,
        };
        facts.extend(attributes([(uninvited::UNINVITED, word)]));
    }
    facts
}

/// The attributes of a limit: how often, and what is counted together.
type LimitNames = (&'static str, &'static str);
const RATE: LimitNames = (rate::RATE, rate::BUCKET);
const QUOTA: LimitNames = (quota::QUOTA, quota::BUCKET);

fn write_limit(limit: RateLimit, (rate, bucket): LimitNames) -> Attributes {
    attributes([
        (rate, limit.rate.to_string().as_str()),
        (bucket, limit.bucket.to_string().as_str()),
    ])
}

fn read_uninvited(facts: &Attributes) -> Option<Uninvited> {
    let said = facts.iter().find(|it| it.name == uninvited::UNINVITED)?;
    Some(if said.value == uninvited::ACCEPT {
        Uninvited::Accept
    } else {
        Uninvited::Refuse
    })
}

fn read_limit(
    facts: &Attributes,
    (rate, bucket): LimitNames,
) -> Result<Option<RateLimit>, Garbage> {
    let find = |name| facts.iter().find(|fact| fact.name == name);
    let Some(written) = find(rate) else {
        return Ok(None);
    };
    let bucket = find(bucket).map(|fact| fact.value.parse::<u32>());
    Ok(Some(RateLimit {
        rate: written.value.parse()?,
        bucket: bucket.transpose()?.unwrap_or(0),
    }))
}

impl Read<SentDecision> for Decision {
    fn read(sent: SentDecision) -> Result<Self, Garbage> {
        Ok(match sent.verdict {
            verdict::ALLOW => Self::Allow(Grant {
                detail: match sent.detail {
                    detail::FULL => Detail::Full,
                    _ => Detail::Busy,
                },
                rate: read_limit(&sent.attributes, RATE)?,
                quota: read_limit(&sent.attributes, QUOTA)?,
                uninvited: read_uninvited(&sent.attributes),
            }),
            verdict::DENY => Self::Deny(super::sentence(sent.reason)),
            verdict::ABSTAIN => Self::Abstain,
            other => Self::Deny(format!("its verdict {other} is not known")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_comes_back_as_it_was() {
        let rate = RateLimit {
            rate: "10/min".parse().unwrap(),
            bucket: 3,
        };
        let quota = RateLimit {
            rate: "100/d".parse().unwrap(),
            bucket: 4,
        };
        for (rate, quota) in [
            (None, None),
            (Some(rate), None),
            (None, Some(quota)),
            (Some(rate), Some(quota)),
        ] {
            for uninvited in [None, Some(Uninvited::Accept), Some(Uninvited::Refuse)] {
                for detail in [Detail::Full, Detail::Busy] {
                    let grant = Grant {
                        detail,
                        rate,
                        quota,
                        uninvited,
                    };
                    let sent = Decision::Allow(grant).write();
                    assert_eq!(Decision::read(sent).ok(), Some(Decision::Allow(grant)));
                }
            }
        }
    }
}
