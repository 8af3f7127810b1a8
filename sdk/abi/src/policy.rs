//! Policies across the boundary.

use crate::{
    answer::Answer,
    values::{Address, Attributes, Call, LentAttributes},
};
use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, ROption, RSlice, RStr, RString},
};

/// An opened policy. Every method is since 1.0.
#[sabi_trait]
pub trait PolicyPlugin: Send + Sync {
    /// Decides about one recipient of one message.
    fn authorize<'a>(&'a self, request: &AccessRequest<'_>, call: Call<'_>)
    -> Answer<'a, Decision>;
    /// The last call: finishes what is under way.
    #[sabi(last_prefix_field)]
    fn close<'a>(&'a self, call: Call<'_>) -> Answer<'a, ()>;
}

/// The object a library hands out.
pub type PolicyObject = PolicyPlugin_TO<'static, RBox<()>>;

/// One recipient of one message. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct AccessRequest<'a> {
    /// One of [`action`]; an unknown one is an error.
    pub action: u32,
    /// The iTIP method, upper-case.
    pub method: RStr<'a>,
    /// The component, upper-case.
    pub component: RStr<'a>,
    /// Who sends.
    pub originator: Address<'a>,
    /// Who is to receive.
    pub recipient: Address<'a>,
    /// Who organizes what the message is about.
    pub organizer: ROption<Address<'a>>,
    /// The UID it is about; empty if it has none.
    pub uid: RStr<'a>,
    /// The identifier of the message (`iSchedule-Message-ID`, `Message-ID`); empty if it has none.
    pub message_id: RStr<'a>,
    /// How many bytes of iCalendar it is.
    pub size: ROption<u64>,
    /// From where it came.
    pub peer: ROption<PeerAddress>,
    /// What the peer proved.
    pub proofs: RSlice<'a, Proof<'a>>,
    /// One of [`sender`].
    pub sender: u32,
    /// Further facts: with [`action::SEND`], [`receiver`].
    pub attributes: LentAttributes<'a>,
}

/// An IP address. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// As an IPv6 address; an IPv4 one is mapped (`::ffff:192.0.2.1`).
    pub octets: [u8; 16],
}

/// Whether a recipient knows the sender.
pub mod sender {
    /// The host does not say; so is an unknown code read.
    pub const UNSAID: u32 = 0;
    /// The sender stands in the recipient's calendar already.
    pub const KNOWN: u32 = 1;
    /// The sender does not.
    pub const STRANGER: u32 = 2;
}

/// Attributes of the receiver that a message would go to. Since 1.0.
pub mod receiver {
    /// Attribute: its URL.
    pub const URL: &str = "receiver";
    pub use crate::discovery::dnssec::DNSSEC;
}

/// What is asked for.
pub mod action {
    /// See busy time.
    pub const FREE_BUSY: u32 = 1;
    /// Send a message.
    pub const SCHEDULE: u32 = 2;
    /// A user of ours sends to a receiver elsewhere. Since 1.0.
    pub const SEND: u32 = 3;
}

/// Something the peer proved. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// One of [`proof`]; an unknown one is left out, as if nothing had been proved.
    pub kind: u32,
    /// The domain or address that it proved.
    pub subject: RStr<'a>,
}

/// The kinds of proof.
pub mod proof {
    /// A DKIM signature of this domain.
    pub const DKIM: u32 = 1;
    /// A client certificate of this domain.
    pub const MTLS: u32 = 2;
    /// A log-in at the submission listener that may act as this address.
    pub const SUBMISSION: u32 = 3;
    /// A mail from this address, to an unguessable address that it alone was told. Since 1.0.
    pub const MAIL_TOKEN: u32 = 4;
    /// A mail from this address, for whose domain DMARC passed. Since 1.0.
    pub const MAIL_DMARC: u32 = 5;
    /// A mail from this address, with a DKIM signature of its organization. Since 1.0.
    pub const MAIL_DKIM: u32 = 6;
    /// A free-busy URL of the host is read as this address. Since 1.0.
    pub const URL: u32 = 7;
}

/// What a policy says. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Decision {
    /// One of [`verdict`]; an unknown one denies.
    pub verdict: u32,
    /// With [`verdict::ALLOW`]: one of [`detail`]; an unknown one is the strictest, [`detail::BUSY`].
    pub detail: u32,
    /// With [`verdict::DENY`]: why, for the log.
    pub reason: RString,
    /// Further facts: [`rate`], [`quota`], [`uninvited`], [`anonymous`], [`rule`].
    pub attributes: Attributes,
}

/// The verdicts.
pub mod verdict {
    /// Yes.
    pub const ALLOW: u32 = 1;
    /// No.
    pub const DENY: u32 = 2;
    /// Others decide.
    pub const ABSTAIN: u32 = 3;
    /// Neither: the message waits for the recipient to decide, out of the calendar.
    pub const HOLD: u32 = 4;
}

/// How much of busy time is shown.
pub mod detail {
    /// Its types are told apart.
    pub const FULL: u32 = 1;
    /// All shows as busy.
    pub const BUSY: u32 = 2;
}

/// Attributes of an allowance that holds only so often. Since 1.0.
pub mod rate {
    /// Attribute: how often, for all users of the originator's domain together: `10/min`.
    pub const RATE: &str = "rate";
    /// Attribute: what is counted together, a decimal number of the policy's choice; 0 without it.
    pub const BUCKET: &str = "rate-bucket";
}

/// Attributes of an allowance that holds only so often for one sender and one recipient. Since 1.0.
pub mod quota {
    /// Attribute: how often, for each pair of sender and recipient: `100/d`.
    pub const QUOTA: &str = "quota";
    /// Attribute: what is counted together, a decimal number of the policy's choice; 0 without it.
    pub const BUCKET: &str = "quota-bucket";
}

/// Attributes of an allowance: whether an answer of somebody who was not invited is taken. Since 1.0; without it, the
/// policy says nothing.
pub mod uninvited {
    /// Attribute: [`ACCEPT`] or [`REFUSE`]; an unknown value is the strictest, [`REFUSE`].
    pub const UNINVITED: &str = "uninvited";
    /// They come on the list.
    pub const ACCEPT: &str = "accept";
    /// They are refused.
    pub const REFUSE: &str = "refuse";
}

/// Attributes of an allowance: whether it includes those who do not say who they are. Since 1.0; without it, it does not.
pub mod anonymous {
    /// Attribute: [`INCLUDED`]; an unknown value includes nobody.
    pub const ANONYMOUS: &str = "anonymous";
    /// It does, expressly.
    pub const INCLUDED: &str = "included";
}

/// Attributes of an allowance: which of the policy's rules decided. Since 1.0.
pub mod rule {
    /// Attribute: a decimal number of the policy's choice.
    pub const RULE: &str = "rule";
}
