//! What a peer proved, and how far it may go.

use crate::{CalendarAddress, Domain};
use serde::{Deserialize, Serialize};

/// Something the peer proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Proof {
    /// A DKIM signature of this domain verified.
    Dkim(Domain),
    /// The client certificate of the TLS connection names this domain.
    Mtls(Domain),
    /// A user or service of our own logged in at the submission listener and may act as this address.
    Submission(CalendarAddress),
    /// A mail comes from this very address; it says nothing of others at the same domain.
    Mail(CalendarAddress, MailProof),
    /// A free-busy URL of this host is read as this address, beside what was proved of it; by whoever does not say who they
    /// are, as [`CalendarAddress::anonymous`].
    Url(CalendarAddress),
}

/// How a mail proved where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MailProof {
    /// It came to an unguessable address that only mail to this address has told.
    Token,
    /// DMARC passed for the domain of its From (RFC 7489), as our mail server says.
    Dmarc,
    /// A DKIM signature of the organization in its From passed, and that has no DMARC policy, as our mail server says.
    Dkim,
}

/// What to do with an answer from somebody who was not invited: forwarded an invitation, or just knowing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Uninvited {
    /// They come on the organizer's list with their answer, and are told so.
    Accept,
    /// They get *no authority* (3.8), and the organizer's copy stays as it is.
    Refuse,
}

/// Whether something is allowed to those who do not say who they are ([`CalendarAddress::is_anonymous`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Anonymous {
    /// It is not: who allows something to everybody need not have thought of them.
    #[default]
    Excluded,
    /// It is, expressly.
    Included,
}

/// How much of somebody's busy time is shown.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Detail {
    /// Busy, tentative and unavailable are told apart.
    #[default]
    Full,
    /// All of it shows as busy.
    Busy,
}
