//! How the host reaches others, for plugins that are to reach them alike.

use crate::{Attributes, Domain};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// How the host reaches others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Network {
    /// Name servers that are asked before the system's, by address and port (`[dns] nameservers`); empty: the system's
    /// alone.
    pub nameservers: Vec<SocketAddr>,
    /// Certificates that are believed besides the system's trust anchors (`[client] ca`).
    pub trusted: Vec<TrustedCertificate>,
    /// Further facts.
    pub attributes: Attributes,
}

/// A certificate that is believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrustedCertificate {
    /// DER.
    #[serde(with = "convoke_types::base64")]
    pub certificate: Vec<u8>,
    /// What for.
    pub kind: Trust,
    /// The domains that it is believed for, with those below them; empty for all.
    #[serde(default)]
    pub domains: Vec<Domain>,
}

/// What a certificate is believed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Trust {
    /// It issues: what it signed is believed by the ordinary rules.
    Authority,
    /// A server that shows this very certificate is believed, by its name and within its dates. It issues nothing.
    Pinned,
}

#[cfg(feature = "tls")]
impl Network {
    /// What is believed of servers besides the system's trust anchors, as `convoke_sdk::tls` takes it.
    pub fn believed(&self) -> impl Iterator<Item = convoke_tls::Believed> {
        self.trusted.iter().map(|it| convoke_tls::Believed {
            certificate: it.certificate.clone().into(),
            issues: it.kind == Trust::Authority,
            domains: it.domains.clone(),
        })
    }
}

impl TrustedCertificate {
    /// A certificate that is believed for all domains.
    pub fn new(certificate: Vec<u8>, kind: Trust) -> Self {
        Self {
            certificate,
            kind,
            domains: Vec::new(),
        }
    }

    /// The same, believed for these domains only; for all, if there are none.
    #[must_use]
    pub fn bound_to(self, domains: Vec<Domain>) -> Self {
        Self { domains, ..self }
    }

    /// Whether it is believed for a server of that name. What is bound to domains is not for a server without a name.
    pub fn reaches(&self, server: Option<&Domain>) -> bool {
        self.domains.is_empty()
            || server.is_some_and(|server| self.domains.iter().any(|it| server.is_within(it)))
    }
}
