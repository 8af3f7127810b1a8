//! Policy: who may do what.

use crate::{
    Anonymous, Attributes, CalendarAddress, Call, Detail, Dnssec, Host, Proof, Rate, Receiver,
    Result, Sharing, Uid, Uninvited,
};
use convoke_abi::policy::receiver;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{borrow::Cow, future::Future, net::IpAddr};

/// An authorization policy.
///
/// Every policy is asked about every recipient of every message. Any [`Decision::Deny`] wins; if nobody allows, it
/// is denied; the strictest [`Grant`] of those given holds, and [`Decision::Hold`] is stricter than any. A policy that fails or runs out of time neither allows nor
/// denies: unless another one denies, the sender is told to try later.
///
/// Anybody can send any message: a policy that fails at odd ones is soon skipped for whoever sends them. It
/// abstains from what it has nothing to say about.
///
/// ```
/// use convoke_sdk::prelude::*;
///
/// /// Only domains that proved who they are by a signature may send invitations.
/// struct Signed;
///
/// impl Policy for Signed {
///     type Config = ();
///
///     async fn open(_: (), _host: Host) -> Result<Self> {
///         Ok(Self)
///     }
///
///     async fn authorize(&self, request: &AccessRequest, _: &Call) -> Result<Decision> {
///         let domain = request.originator.domain().ok();
///         let signed = |proof: &Proof| match (proof, domain) {
///             (Proof::Dkim(signer), Some(domain)) => domain.is_within(signer),
///             (Proof::Submission(user), _) => user.same_user(&request.originator),
///             _ => false,
///         };
///         Ok(match request.action {
///             Action::Schedule if !request.proofs.iter().any(signed) => Decision::deny("it is not signed"),
///             _ => Decision::Abstain, // the others decide
///         })
///     }
/// }
///
/// convoke_sdk::plugin! { name: "signed", policy: Signed }
/// # convoke_sdk::conformance! { policy: Signed, config: "", default: "deny" }
/// # fn main() { it_keeps_what_a_policy_promises() }
/// ```
pub trait Policy: Sized + Send + Sync + 'static {
    /// What the administrator writes under `config` in this plugin's entry.
    type Config: DeserializeOwned;

    /// Whether it may be opened twice side by side.
    const SHARING: Sharing = Sharing::Shared;

    /// Makes ready to decide. Called once for each entry in the configuration.
    fn open(config: Self::Config, host: Host) -> impl Future<Output = Result<Self>> + Send;

    /// Decides about one recipient of one message. Asked before any store is, so the recipient may not exist.
    fn authorize(
        &self,
        request: &AccessRequest,
        call: &Call,
    ) -> impl Future<Output = Result<Decision>> + Send;

    /// The last call: finishes what is under way. The default has nothing to finish.
    fn close(&self, call: &Call) -> impl Future<Output = Result<()>> + Send {
        let _ = call;
        std::future::ready(Ok(()))
    }
}

/// One recipient of one message, and who sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AccessRequest {
    /// What is asked for, in short.
    pub action: Action,
    /// The iTIP method, upper-case: `REQUEST`, `REPLY`…
    pub method: Cow<'static, str>,
    /// The iCalendar component, upper-case: `VEVENT`, `VFREEBUSY`…
    pub component: Cow<'static, str>,
    /// Who sends.
    pub originator: CalendarAddress,
    /// Who is to receive.
    pub recipient: CalendarAddress,
    /// Who organizes what the message is about, if it says so.
    #[serde(default)]
    pub organizer: Option<CalendarAddress>,
    /// The UID that it is about, if it has one.
    #[serde(default)]
    pub uid: Option<Uid>,
    /// The identifier of the message (`iSchedule-Message-ID`, or a mail's `Message-ID`), if it has one.
    #[serde(default)]
    pub message_id: Option<String>,
    /// How many bytes of iCalendar it is.
    #[serde(default)]
    pub size: Option<u64>,
    /// From where it came; `None` if it did not come over the network.
    #[serde(default)]
    pub peer: Option<IpAddr>,
    /// What the peer proved about itself; empty if nothing.
    #[serde(default)]
    pub proofs: Vec<Proof>,
    /// Whether the recipient knows the sender; `None` if the host does not say.
    #[serde(default)]
    pub sender: Option<Acquaintance>,
    /// Further facts by name, for what has no field yet.
    #[serde(default)]
    pub attributes: Attributes,
}

impl AccessRequest {
    /// A request that says no more than this.
    pub fn new(
        method: &str,
        component: &str,
        originator: CalendarAddress,
        recipient: CalendarAddress,
    ) -> Self {
        let (method, component) = (word(method), word(component));
        let action = if component == "VFREEBUSY" {
            Action::FreeBusy
        } else {
            Action::Schedule
        };
        Self {
            action,
            method,
            component,
            originator,
            recipient,
            organizer: None,
            uid: None,
            message_id: None,
            size: None,
            peer: None,
            proofs: Vec::new(),
            sender: None,
            attributes: Attributes::new(),
        }
    }

    /// The same message, asked about where it leaves: may it go to this receiver?
    #[must_use]
    pub fn to_receiver(mut self, to: &Receiver) -> Self {
        self.action = Action::Send;
        self.attributes.set(receiver::URL, to.url.as_str());
        if let Some(dnssec) = to.dnssec {
            self.attributes.set(receiver::DNSSEC, dnssec.as_str());
        }
        self
    }

    /// With [`Action::Send`]: the URL of the receiver that the message would go to.
    pub fn receiver(&self) -> Option<&str> {
        self.attributes.get(receiver::URL)
    }

    /// With [`Action::Send`]: how far DNSSEC vouches for the receiver; `None` if nothing was validated.
    pub fn dnssec(&self) -> Option<Dnssec> {
        self.attributes
            .get(receiver::DNSSEC)
            .and_then(Dnssec::from_name)
    }
}

/// The words that nearly every request is made of: they need not be copied.
const WORDS: [&str; 11] = [
    "REQUEST",
    "VFREEBUSY",
    "VEVENT",
    "REPLY",
    "CANCEL",
    "ADD",
    "REFRESH",
    "COUNTER",
    "DECLINECOUNTER",
    "PUBLISH",
    "VTODO",
];

/// A method or a component.
pub(crate) fn word(text: &str) -> Cow<'static, str> {
    match WORDS.iter().find(|word| **word == text) {
        Some(word) => Cow::Borrowed(word),
        None => Cow::Owned(text.to_owned()),
    }
}

/// Whether somebody is known to a recipient: stands in the recipient's calendar already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Acquaintance {
    /// Is.
    Known,
    /// Is not.
    Stranger,
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// See when the recipient is busy.
    FreeBusy,
    /// Send an invitation, an answer, a cancellation…
    Schedule,
    /// One of our own users sends to a receiver elsewhere, which [`AccessRequest::receiver`] and
    /// [`AccessRequest::dnssec`] tell of. Here a policy can only forbid: what none of them denies is sent, so one that has
    /// no opinion abstains.
    Send,
}

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Decision {
    /// Yes, within the grant.
    Allow(Grant),
    /// No; the reason goes to the log, never to the peer.
    Deny(String),
    /// Nothing to say; the others decide.
    Abstain,
    /// Neither: the message waits in the recipient's inbox, out of the calendar, until they accept the sender. Of a
    /// question about free time it is a denial.
    Hold,
}

impl Decision {
    /// Yes, without limits.
    pub fn allow() -> Self {
        Self::Allow(Grant::default())
    }

    /// No, and why.
    pub fn deny(reason: impl Into<String>) -> Self {
        Self::Deny(reason.into())
    }
}

/// How far an allowance goes. The default has no limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Grant {
    /// How much of the busy time is shown.
    #[serde(default)]
    pub detail: Detail,
    /// How often whoever proved to speak for the originator may make use of it; the host counts.
    #[serde(default)]
    pub rate: Option<RateLimit>,
    /// How much one sender may send to one recipient of it; the host counts, by the sender's address.
    #[serde(default)]
    pub quota: Option<RateLimit>,
    /// What becomes of an answer (REPLY) from somebody whom the organizer has not invited (RFC 5546 §3.2.2.6). Where no
    /// policy says anything, it is refused.
    #[serde(default)]
    pub uninvited: Option<Uninvited>,
    /// Whether it holds for somebody who does not say who they are, too. Such an originator
    /// ([`CalendarAddress::is_anonymous`]) is allowed nothing by a grant that does not include them.
    #[serde(default)]
    pub anonymous: Anonymous,
    /// Which of the policy's rules decided, a number of the policy's choice; `convoke explain` shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<u32>,
}

/// How often a domain, or one of its users for one recipient, may be allowed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RateLimit {
    /// So many recipients in so long, for all users of one registrable domain together (whatever its sub-domains); as a quota,
    /// so many messages.
    pub rate: Rate,
    /// What is counted together, a number of the policy's choice: the number of a rule.
    #[serde(default)]
    pub bucket: u32,
}

impl RateLimit {
    /// A limit that is counted in this bucket.
    pub const fn new(rate: Rate, bucket: u32) -> Self {
        Self { rate, bucket }
    }
}

impl Grant {
    /// What both allow. Rates are not compared: both hold, so this one's is kept and the host minds the other's too.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        Self {
            detail: self.detail.max(other.detail),
            rate: self.rate.or(other.rate),
            quota: self.quota.or(other.quota),
            uninvited: self.uninvited.max(other.uninvited),
            anonymous: match (self.anonymous, other.anonymous) {
                (Anonymous::Included, Anonymous::Included) => Anonymous::Included,
                _ => Anonymous::Excluded,
            },
            rule: self.rule.or(other.rule),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uninvited_answers_are_taken_if_somebody_says_so_and_nobody_objects() {
        let says = |uninvited| Grant {
            uninvited,
            ..Grant::default()
        };
        let (accept, refuse) = (Some(Uninvited::Accept), Some(Uninvited::Refuse));
        for (one, other, both) in [
            (None, None, None),
            (None, accept, accept),
            (accept, accept, accept),
            (accept, refuse, refuse),
            (refuse, None, refuse),
        ] {
            assert_eq!(says(one).strictest(says(other)).uninvited, both);
            assert_eq!(says(other).strictest(says(one)).uninvited, both);
        }
    }
}
