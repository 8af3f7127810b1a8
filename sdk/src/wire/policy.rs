use super::{Garbage, Read, Write, attributes, copy_attributes};
use crate::{
    AccessRequest, Acquaintance, Action, CalendarAddress, Decision, Detail, Domain, Grant,
    MailProof, Proof, RateLimit, Uid, Uninvited, policy::word,
};
use convoke_abi::{
    RString, RVec,
    policy::{
        AccessRequest as SentRequest, Decision as SentDecision, PeerAddress, Proof as SentProof,
        action, detail, proof, quota, rate, rule, sender, uninvited, verdict,
    },
    values::Attributes,
};
use std::net::{IpAddr, Ipv6Addr};

impl<'a> Write for &'a AccessRequest {
    type Sent = SentRequest<'a>;

    fn write(self) -> SentRequest<'a> {
        SentRequest {
            action: match self.action {
                Action::FreeBusy => action::FREE_BUSY,
                Action::Schedule => action::SCHEDULE,
                Action::Send => action::SEND,
            },
            method: (*self.method).into(),
            component: (*self.component).into(),
            originator: (&self.originator).write(),
            recipient: (&self.recipient).write(),
            organizer: self.organizer.as_ref().write(),
            uid: self.uid.as_ref().map_or("", Uid::as_str).into(),
            message_id: self.message_id.as_deref().unwrap_or_default().into(),
            size: self.size.into(),
            peer: self.peer.write(),
            proofs: self.proofs.iter().map(Write::write).collect(),
            sender: match self.sender {
                None => sender::UNSAID,
                Some(Acquaintance::Known) => sender::KNOWN,
                Some(Acquaintance::Stranger) => sender::STRANGER,
            },
            attributes: (&self.attributes).write(),
        }
    }
}

impl Read<&SentRequest<'_>> for AccessRequest {
    fn read(sent: &SentRequest<'_>) -> Result<Self, Garbage> {
        let action = match sent.action {
            action::FREE_BUSY => Action::FreeBusy,
            action::SCHEDULE => Action::Schedule,
            action::SEND => Action::Send,
            other => return Err(Garbage::new(format!("action {other} is not known"))),
        };
        Ok(Self {
            action,
            method: word(sent.method.as_str()),
            component: word(sent.component.as_str()),
            originator: CalendarAddress::read(sent.originator)?,
            recipient: CalendarAddress::read(sent.recipient)?,
            organizer: Option::read(sent.organizer)?,
            uid: some(sent.uid.as_str()).map(Uid::new).transpose()?,
            message_id: some(sent.message_id.as_str()).map(str::to_owned),
            size: sent.size.into(),
            peer: Option::read(sent.peer)?,
            proofs: (sent.proofs.iter())
                .filter_map(|proof| read_proof(*proof).transpose())
                .collect::<Result<_, _>>()?,
            sender: match sent.sender {
                sender::KNOWN => Some(Acquaintance::Known),
                sender::STRANGER => Some(Acquaintance::Stranger),
                _ => None,
            },
            attributes: copy_attributes(&sent.attributes),
        })
    }
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl Write for IpAddr {
    type Sent = PeerAddress;

    fn write(self) -> PeerAddress {
        let octets = match self {
            Self::V4(address) => address.to_ipv6_mapped().octets(),
            Self::V6(address) => address.octets(),
        };
        PeerAddress { octets }
    }
}

impl Read<PeerAddress> for IpAddr {
    fn read(sent: PeerAddress) -> Result<Self, Garbage> {
        Ok(Self::V6(Ipv6Addr::from(sent.octets)).to_canonical())
    }
}

impl<'a> Write for &'a Proof {
    type Sent = SentProof<'a>;

    fn write(self) -> SentProof<'a> {
        let (kind, subject) = match self {
            Proof::Dkim(domain) => (proof::DKIM, domain.as_str()),
            Proof::Mtls(domain) => (proof::MTLS, domain.as_str()),
            Proof::Submission(address) => (proof::SUBMISSION, address.as_str()),
            Proof::Mail(address, MailProof::Token) => (proof::MAIL_TOKEN, address.as_str()),
            Proof::Mail(address, MailProof::Dmarc) => (proof::MAIL_DMARC, address.as_str()),
            Proof::Mail(address, MailProof::Dkim) => (proof::MAIL_DKIM, address.as_str()),
            // It proves nothing to who does not know it.
            _ => (0, ""),
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
    let mail = |how| Ok(Some(Proof::Mail(CalendarAddress::new(subject)?, how)));
    Ok(match sent.kind {
        proof::DKIM => Some(Proof::Dkim(Domain::new(subject)?)),
        proof::MTLS => Some(Proof::Mtls(Domain::new(subject)?)),
        proof::SUBMISSION => Some(Proof::Submission(CalendarAddress::new(subject)?)),
        proof::MAIL_TOKEN => return mail(MailProof::Token),
        proof::MAIL_DMARC => return mail(MailProof::Dmarc),
        proof::MAIL_DKIM => return mail(MailProof::Dkim),
        _ => None,
    })
}

impl Write for Decision {
    type Sent = SentDecision;

    fn write(self) -> SentDecision {
        let facts = match &self {
            Self::Allow(grant) => write_grant(grant),
            Self::Deny(_) | Self::Abstain | Self::Hold => RVec::new(),
        };
        let (verdict, detail, reason) = match self {
            Self::Allow(grant) => {
                let detail = match grant.detail {
                    Detail::Full => detail::FULL,
                    _ => detail::BUSY,
                };
                (verdict::ALLOW, detail, RString::new())
            }
            Self::Deny(reason) => (verdict::DENY, detail::BUSY, reason.into()),
            Self::Abstain => (verdict::ABSTAIN, detail::BUSY, RString::new()),
            Self::Hold => (verdict::HOLD, detail::BUSY, RString::new()),
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
            _ => uninvited::REFUSE,
        };
        facts.extend(attributes([(uninvited::UNINVITED, word)]));
    }
    if let Some(number) = grant.rule {
        facts.extend(attributes([(rule::RULE, number.to_string().as_str())]));
    }
    facts
}

fn read_rule(facts: &Attributes) -> Result<Option<u32>, Garbage> {
    let said = facts.iter().find(|it| it.name == rule::RULE);
    Ok(said.map(|said| said.value.parse()).transpose()?)
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
                rule: read_rule(&sent.attributes)?,
            }),
            verdict::DENY => Self::Deny(super::sentence(sent.reason)),
            verdict::ABSTAIN => Self::Abstain,
            verdict::HOLD => Self::Hold,
            other => Self::Deny(format!("its verdict {other} is not known")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back_as_it_was() {
        let address = |text| CalendarAddress::new(text).unwrap();
        let mut request = AccessRequest::new(
            "X-METHOD",
            "VEVENT",
            address("a@example.com"),
            address("urn:uuid:1f0c"),
        );
        let sent = AccessRequest::read(&(&request).write());
        assert_eq!(sent.ok().as_ref(), Some(&request));
        request.organizer = Some(address("boss@example.com"));
        request.uid = Some(Uid::new("u").unwrap());
        request.message_id = Some("<m@example.com>".to_owned());
        request.size = Some(1 << 40);
        let mail = |how| Proof::Mail(address("bo@example.com"), how);
        request.proofs = vec![
            Proof::Dkim(Domain::new("example.com").unwrap()),
            mail(MailProof::Token),
            mail(MailProof::Dmarc),
            mail(MailProof::Dkim),
        ];
        request.sender = Some(Acquaintance::Known);
        request.attributes = crate::Attributes::new().with("a", "b");
        for peer in ["192.0.2.1", "2001:db8::1"] {
            request.peer = Some(peer.parse().unwrap());
            let sent = AccessRequest::read(&(&request).write());
            assert_eq!(sent.ok().as_ref(), Some(&request));
        }
    }

    #[test]
    fn a_grant_comes_back_as_it_was() {
        let rate = RateLimit::new("10/min".parse().unwrap(), 3);
        let quota = RateLimit::new("100/d".parse().unwrap(), 4);
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
                        rule: quota.map(|it| it.bucket),
                    };
                    let sent = Decision::Allow(grant).write();
                    assert_eq!(Decision::read(sent).ok(), Some(Decision::Allow(grant)));
                }
            }
        }
    }
}
