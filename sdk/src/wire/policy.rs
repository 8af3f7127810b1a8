#![allow(
    clippy::inline_always,
    reason = "a request and a decision are made in their place, else each costs a copy of its hundreds of bytes"
)]

#[cfg(any(test, feature = "host"))]
use super::lend_attributes;
use super::{Garbage, Read, Reread, Write, attributes, copy_attributes, some};
use crate::{
    AccessRequest, Acquaintance, Action, Anonymous, CalendarAddress, Decision, Detail, Domain,
    Grant, MailProof, Proof, RateLimit, Uid, Uninvited, policy::word,
};
use convoke_abi::{
    RString, RVec,
    policy::{
        AccessRequest as SentRequest, Decision as SentDecision, PeerAddress, Proof as SentProof,
        action, anonymous, detail, proof, quota, rate, rule, sender, uninvited, verdict,
    },
    values::{Attributes, LentAttribute},
};
use std::net::{IpAddr, Ipv6Addr};

/// A request, with those of its parts that are lent in another form.
pub(crate) struct Staged<'a> {
    request: &'a AccessRequest,
    proofs: Vec<SentProof<'a>>,
    attributes: Vec<LentAttribute<'a>>,
}

#[cfg(any(test, feature = "host"))]
impl<'a> Staged<'a> {
    #[inline]
    pub(crate) fn new(request: &'a AccessRequest) -> Self {
        Self {
            request,
            proofs: request.proofs.iter().map(Write::write).collect(),
            attributes: lend_attributes(&request.attributes),
        }
    }
}

impl<'a> Write for &'a Staged<'_> {
    type Sent = SentRequest<'a>;

    #[inline(always)]
    fn write(self) -> SentRequest<'a> {
        let request = self.request;
        SentRequest {
            action: match request.action {
                Action::FreeBusy => action::FREE_BUSY,
                Action::Schedule => action::SCHEDULE,
                Action::Send => action::SEND,
            },
            method: (*request.method).into(),
            component: (*request.component).into(),
            originator: (&request.originator).write(),
            recipient: (&request.recipient).write(),
            organizer: request.organizer.as_ref().write(),
            uid: request.uid.as_ref().map_or("", Uid::as_str).into(),
            message_id: request.message_id.as_deref().unwrap_or_default().into(),
            size: request.size.into(),
            peer: request.peer.write(),
            proofs: self.proofs.as_slice().into(),
            sender: match request.sender {
                None => sender::UNSAID,
                Some(Acquaintance::Known) => sender::KNOWN,
                Some(Acquaintance::Stranger) => sender::STRANGER,
            },
            attributes: self.attributes.as_slice().into(),
        }
    }
}

impl Read<&SentRequest<'_>> for AccessRequest {
    fn read(sent: &SentRequest<'_>) -> Result<Self, Garbage> {
        Ok(Self {
            action: Action::read(sent.action)?,
            method: word(sent.method.as_str()),
            component: word(sent.component.as_str()),
            originator: CalendarAddress::read(sent.originator)?,
            recipient: CalendarAddress::read(sent.recipient)?,
            organizer: Option::read(sent.organizer)?,
            uid: some(sent.uid.as_str()).map(Uid::from_valid),
            message_id: some(sent.message_id.as_str()).map(str::to_owned),
            size: sent.size.into(),
            peer: Option::read(sent.peer)?,
            proofs: read_proofs(sent.proofs.as_slice())?,
            sender: read_sender(sent.sender),
            attributes: copy_attributes(sent.attributes),
        })
    }
}

impl Reread<&SentRequest<'_>> for AccessRequest {
    #[inline(always)]
    fn reread(&mut self, sent: &SentRequest<'_>) -> Result<(), Garbage> {
        self.action = Action::read(sent.action)?;
        // Most policies are asked about many recipients of one message.
        if self.method != sent.method.as_str() {
            self.method = word(sent.method.as_str());
        }
        if self.component != sent.component.as_str() {
            self.component = word(sent.component.as_str());
        }
        if self.originator.as_str() != sent.originator.uri.as_str() {
            self.originator.reread(sent.originator)?;
        }
        self.recipient.reread(sent.recipient)?;
        let organizer = sent.organizer.as_ref().map(|it| it.uri.as_str());
        if self.organizer.as_ref().map(CalendarAddress::as_str) != organizer.into_option() {
            self.organizer = Option::read(sent.organizer)?;
        }
        let uid = some(sent.uid.as_str());
        if self.uid.as_ref().map(Uid::as_str) != uid {
            self.uid = uid.map(Uid::from_valid);
        }
        let message_id = some(sent.message_id.as_str());
        if self.message_id.as_deref() != message_id {
            self.message_id = message_id.map(str::to_owned);
        }
        self.size = sent.size.into();
        self.peer = Option::read(sent.peer)?;
        self.proofs.clear();
        if !sent.proofs.is_empty() {
            self.proofs = read_proofs(sent.proofs.as_slice())?;
        }
        self.sender = read_sender(sent.sender);
        if !(self.attributes.is_empty() && sent.attributes.is_empty()) {
            self.attributes = copy_attributes(sent.attributes);
        }
        Ok(())
    }
}

impl Read<u32> for Action {
    fn read(sent: u32) -> Result<Self, Garbage> {
        match sent {
            action::FREE_BUSY => Ok(Self::FreeBusy),
            action::SCHEDULE => Ok(Self::Schedule),
            action::SEND => Ok(Self::Send),
            other => Err(Garbage::new(format!("action {other} is not known"))),
        }
    }
}

fn read_sender(sent: u32) -> Option<Acquaintance> {
    match sent {
        sender::KNOWN => Some(Acquaintance::Known),
        sender::STRANGER => Some(Acquaintance::Stranger),
        _ => None,
    }
}

/// What is not known proves nothing.
fn read_proofs(sent: &[SentProof<'_>]) -> Result<Vec<Proof>, Garbage> {
    let proofs = sent.iter().map(|proof| read_proof(*proof));
    proofs.filter_map(Result::transpose).collect()
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
            Proof::Url(address) => (proof::URL, address.as_str()),
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
        proof::DKIM => Some(Proof::Dkim(Domain::from_normalised(subject))),
        proof::MTLS => Some(Proof::Mtls(Domain::from_normalised(subject))),
        proof::SUBMISSION => Some(Proof::Submission(CalendarAddress::new(subject)?)),
        proof::MAIL_TOKEN => return mail(MailProof::Token),
        proof::MAIL_DMARC => return mail(MailProof::Dmarc),
        proof::MAIL_DKIM => return mail(MailProof::Dkim),
        proof::URL => Some(Proof::Url(CalendarAddress::new(subject)?)),
        _ => None,
    })
}

impl Write for Decision {
    type Sent = SentDecision;

    #[inline(always)]
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

/// Most grants say no more than how much, and need no memory. Each field is named, so that a new one is not forgotten.
#[inline(always)]
fn write_grant(grant: &Grant) -> Attributes {
    let mut facts = RVec::new();
    if let Grant {
        detail: _,
        rate: None,
        quota: None,
        uninvited: None,
        anonymous: Anonymous::Excluded,
        rule: None,
    } = grant
    {
        return facts;
    }
    write_facts(grant, &mut facts);
    facts
}

fn write_facts(grant: &Grant, facts: &mut Attributes) {
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
    if grant.anonymous == Anonymous::Included {
        facts.extend(attributes([(anonymous::ANONYMOUS, anonymous::INCLUDED)]));
    }
    if let Some(number) = grant.rule {
        facts.extend(attributes([(rule::RULE, number.to_string().as_str())]));
    }
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

fn read_anonymous(facts: &Attributes) -> Anonymous {
    let said = facts.iter().find(|it| it.name == anonymous::ANONYMOUS);
    if said.is_some_and(|it| it.value == anonymous::INCLUDED) {
        Anonymous::Included
    } else {
        Anonymous::Excluded
    }
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

#[inline(always)]
fn read_grant(sent: &SentDecision) -> Result<Grant, Garbage> {
    let mut grant = Grant {
        detail: match sent.detail {
            detail::FULL => Detail::Full,
            _ => Detail::Busy,
        },
        rate: None,
        quota: None,
        uninvited: None,
        anonymous: Anonymous::Excluded,
        rule: None,
    };
    let facts = &sent.attributes;
    if !facts.is_empty() {
        grant.rate = read_limit(facts, RATE)?;
        grant.quota = read_limit(facts, QUOTA)?;
        grant.uninvited = read_uninvited(facts);
        grant.anonymous = read_anonymous(facts);
        grant.rule = read_rule(facts)?;
    }
    Ok(grant)
}

impl Read<SentDecision> for Decision {
    #[inline(always)]
    fn read(sent: SentDecision) -> Result<Self, Garbage> {
        Ok(match sent.verdict {
            verdict::ALLOW => Self::Allow(read_grant(&sent)?),
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
        let sent = AccessRequest::read(&(&Staged::new(&request)).write());
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
            Proof::Url(CalendarAddress::anonymous()),
        ];
        request.sender = Some(Acquaintance::Known);
        request.attributes = crate::Attributes::new().with("a", "b");
        for peer in ["192.0.2.1", "2001:db8::1"] {
            request.peer = Some(peer.parse().unwrap());
            let sent = AccessRequest::read(&(&Staged::new(&request)).write());
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
                        anonymous: match rate {
                            Some(_) => Anonymous::Included,
                            None => Anonymous::Excluded,
                        },
                        rule: quota.map(|it| it.bucket),
                    };
                    let sent = Decision::Allow(grant).write();
                    assert_eq!(Decision::read(sent).ok(), Some(Decision::Allow(grant)));
                }
            }
        }
    }
}
