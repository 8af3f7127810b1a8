//! A valid message, who sends it, and what it proved.

use crate::effort::Effort;
use convoke_calendar::message::{Message, Provenance};
use convoke_types::{CalendarAddress, Domain, Proof};
use jiff::Timestamp;
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// As whom a sender is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Whoever registered this domain.
    Domain(Domain),
    /// Whoever is behind this network address, as nothing was proved.
    Network(IpAddr),
}

impl Peer {
    /// One of our own people: by its domain; one whose address has none is somebody of this machine.
    pub(crate) fn of_ours(address: &CalendarAddress) -> Self {
        address
            .domain()
            .map_or(Self::Network(Ipv6Addr::LOCALHOST.into()), |domain| {
                Self::Domain(domain.clone())
            })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Network(address) => address.fmt(f),
        }
    }
}

/// How a message came in: nobody has proved it, and only policies look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransportFacts<'a> {
    /// The network address that it came from; `None` if it did not come over the network.
    pub address: Option<IpAddr>,
    /// The identifier that its sender gave it (`iSchedule-Message-ID`), if it did.
    pub message_id: Option<&'a str>,
}

/// A valid message, who sends it, and what it proved.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// The message, valid by itself.
    pub message: &'a Message,
    /// The message as it came.
    pub data: &'a [u8],
    /// Who sends it.
    pub originator: &'a CalendarAddress,
    /// How it came, and for which domains its sender speaks.
    pub from: Provenance<'a>,
    /// What the peer proved.
    pub proofs: &'a [Proof],
    /// As whom it is counted.
    pub peer: &'a Peer,
    /// How it came in.
    pub transport: TransportFacts<'a>,
    /// When it came.
    pub now: Timestamp,
    /// Whether something may be sent to its sender in turn by itself.
    pub answering: Answering,
    /// What is left of what it may cost.
    pub effort: Effort,
}

/// Whether a message may be answered by itself: by a room, with the latest version of a meeting, with a question for what is
/// missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answering {
    /// It may.
    #[default]
    Allowed,
    /// It may not: it came by mail from a program that would answer in turn, or over a mailing list (RFC 3834).
    Never,
}

/// A message of one of our own people as it leaves: made ready and written once, for whatever transport.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// The message.
    pub message: &'a Message,
    /// The message, written.
    pub data: &'a [u8],
    /// Who sends it.
    pub originator: &'a CalendarAddress,
    /// How it came in, before it leaves.
    pub transport: TransportFacts<'a>,
    /// A text that names it, the same each time that it is sent; `None` if it is sent once only.
    pub id: Option<&'a str>,
}

/// A message as a store is handed it.
#[derive(Clone, Copy, Debug)]
pub struct InboxItem<'a> {
    /// The message.
    pub message: &'a Message,
    /// The message as it came.
    pub data: &'a [u8],
    /// Who sent it.
    pub originator: &'a CalendarAddress,
    /// To whom.
    pub recipient: &'a CalendarAddress,
}
