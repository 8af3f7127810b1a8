//! Policy: who may do what.

use crate::{CalendarAddress, Detail, Dnssec, Host, Proof, Rate, Receiver, Result, Uninvited};
use convoke_abi::policy::receiver;
use serde::de::DeserializeOwned;
use std::future::Future;

/// An authorization policy.
///
/// Every policy is asked about every recipient of every message. Any [`Decision::Deny`] wins; if nobody allows, it
/// is denied; the strictest [`Grant`] of those given holds. A policy that fails or runs out of time neither allows nor
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
///     async fn authorize(&self, request: &AccessRequest) -> Result<Decision> {
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

    /// Makes ready to decide. Called once for each entry in the configuration.
    fn open(config: Self::Config, host: Host) -> impl Future<Output = Result<Self>> + Send;

    /// Decides about one recipient of one message. Asked before any store is, so the recipient may not exist.
    fn authorize(&self, request: &AccessRequest) -> impl Future<Output = Result<Decision>> + Send;
}

/// One recipient of one message, and who sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct AccessRequest {
    /// What is asked for, in short.
    pub action: Action,
    /// The iTIP method, upper-case: `REQUEST`, `REPLY`…
    pub method: String,
    /// The iCalendar component, upper-case: `VEVENT`, `VFREEBUSY`…
    pub component: String,
    /// Who sends.
    pub originator: CalendarAddress,
    /// Who is to receive.
    pub recipient: CalendarAddress,
    /// What the peer proved about itself; empty if nothing.
    pub proofs: Vec<Proof>,
    /// Further facts by name, for what has no field yet.
    pub attributes: Vec<(String, String)>,
}

impl AccessRequest {
    /// A request with no proof and no attributes.
    pub fn new(
        method: impl Into<String>,
        component: impl Into<String>,
        originator: CalendarAddress,
        recipient: CalendarAddress,
    ) -> Self {
        let (method, component) = (method.into(), component.into());
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
            proofs: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// The same message, asked about where it leaves: may it go to this receiver?
    #[must_use]
    pub fn to_receiver(mut self, to: &Receiver) -> Self {
        self.action = Action::Send;
        self.attributes
            .push((receiver::URL.to_owned(), to.url.to_string()));
        if let Some(dnssec) = to.dnssec {
            self.attributes
                .push((receiver::DNSSEC.to_owned(), dnssec.as_str().to_owned()));
        }
        self
    }

    /// With [`Action::Send`]: the URL of the receiver that the message would go to.
    pub fn receiver(&self) -> Option<&str> {
        self.attribute(receiver::URL)
    }

    /// With [`Action::Send`]: how far DNSSEC vouches for the receiver; `None` if nothing was validated.
    pub fn dnssec(&self) -> Option<Dnssec> {
        self.attribute(receiver::DNSSEC).and_then(Dnssec::from_name)
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes
            .find(|(it, _)| it == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
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
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub enum Decision {
    /// Yes, within the grant.
    Allow(Grant),
    /// No; the reason goes to the log, never to the peer.
    Deny(String),
    /// Nothing to say; the others decide.
    Abstain,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Grant {
    /// How much of the busy time is shown.
    pub detail: Detail,
    /// How often whoever proved to speak for the originator may make use of it; the host counts.
    pub rate: Option<RateLimit>,
    /// How much one sender may send to one recipient of it; the host counts, by the sender's address.
    pub quota: Option<RateLimit>,
    /// What becomes of an answer (REPLY) from somebody whom the organizer has not invited (RFC 5546 §3.2.2.6). Where no
    /// policy says anything, it is refused.
    pub uninvited: Option<Uninvited>,
}

/// How often a domain, or one of its users for one recipient, may be allowed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
pub struct RateLimit {
    /// So many recipients in so long, for all users of one registrable domain together (whatever its sub-domains); as a quota,
    /// so many messages.
    pub rate: Rate,
    /// What is counted together, a number of the policy's choice: the number of a rule.
    pub bucket: u32,
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
