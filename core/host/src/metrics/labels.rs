//! What tells the series of a metric apart.

use crate::config::Role;
use convoke_sdk::{Receiver, Source};
use convoke_types::RequestStatus;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use std::fmt::{self, Write};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Answered {
    pub(super) listener: &'static str,
    pub(super) status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct By {
    pub(super) listener: &'static str,
}

impl From<Role> for By {
    fn from(role: Role) -> Self {
        let listener = role.as_str();
        Self { listener }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Error {
    pub(super) error: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Delivered {
    pub(super) component: &'static str,
    pub(super) method: &'static str,
    pub(super) code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Sent {
    pub(super) component: &'static str,
    pub(super) method: &'static str,
    pub(super) outcome: &'static str,
}

#[cfg(feature = "mail")]
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CameIn {
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outgoing {
    pub(super) receiver: Way,
    pub(super) status: &'static str,
}

/// By what way somebody elsewhere is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// A receiver that an administrator wrote down.
    Administrator,
    /// A receiver that a look-up found.
    Lookup,
    /// Busy time at a URL.
    FreeBusyUrl,
    /// A mail server.
    #[cfg(feature = "mail")]
    Mail,
    /// None: there is no receiver, or a policy forbids it.
    None,
}

impl Way {
    /// That of the first of these receivers, which all come from one answer.
    pub(crate) fn to(receivers: &[Receiver]) -> Self {
        match receivers.first().map(|it| it.source) {
            Some(Source::Administrator) => Self::Administrator,
            Some(_) => Self::Lookup,
            None => Self::None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Lookup => "lookup",
            Self::FreeBusyUrl => "free-busy-url",
            #[cfg(feature = "mail")]
            Self::Mail => "mail",
            Self::None => "none",
        }
    }
}

impl EncodeLabelValue for Way {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.as_str())
    }
}

/// The codes that standards name (RFC 5546 §3.6, RFC 6638 §3.2.9).
const CODES: [&str; 36] = [
    "1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "2.8", "2.9",
    "2.10", "2.11", "3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10",
    "3.11", "3.12", "3.13", "3.14", "4.0", "5.0", "5.1", "5.2", "5.3", "5.4",
];

/// A request status of another server: one that standards name, or `other`, as the rest is theirs to choose.
pub(crate) fn known_code(status: &RequestStatus) -> &'static str {
    let code = status.code();
    let known = CODES.into_iter().find(|known| *known == code);
    known.unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_server_makes_up_is_one_series() {
        for (status, expected) in [
            ("2.0;Success", "2.0"),
            ("3.14;Unsupported", "3.14"),
            ("5.1;Later", "5.1"),
            ("2.99;Odd", "other"),
            ("4.1.7;Odd", "other"),
        ] {
            let status: RequestStatus = status.parse().unwrap();
            assert_eq!(known_code(&status), expected);
        }
    }
}
