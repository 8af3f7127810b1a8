//! Probing a remote receiver: how it is found, what it publishes, and where it deviates from the specification.
//!
//! | module | step |
//! | --- | --- |
//! | `target` | what discovery strategies say of a domain |
//! | `discovery` | what DNS says of it |
//! | `tls` | the handshake and the certificate |
//! | `capabilities` | GET and OPTIONS, which change nothing over there |
//! | `post` | a free-busy question, if the caller has somebody to ask about |
//!
//! `pace` says how often a host does it for administrators.
//!
//! Every step gives [`Finding`]s, in order. Nothing is sent that a receiver could take for a message to deliver.

mod capabilities;
mod discovery;
mod pace;
mod post;
mod target;
mod tls;

pub(crate) use discovery::shown;
pub(crate) use pace::Pace;
pub use post::Question;
pub(crate) use target::target;

use convoke_dns::Resolver;
use convoke_ischedule::Deviations;
use convoke_net::http_client::{Client, ConnectPolicy};
use convoke_sdk::Receiver;
use convoke_types::Domain;
use serde::Serialize;
use url::Url;

/// What was seen, and how it compares with the specification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The step: `discovery`, `tls`, `capabilities` or `post`.
    pub step: &'static str,
    /// How it compares.
    pub verdict: Verdict,
    /// What was seen.
    pub text: String,
    /// Where the specification speaks of it: `§4`.
    pub section: &'static str,
}

/// How something seen compares with the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Pass,
    /// Against the specification, and understood all the same.
    Deviation,
    /// Others cannot work with it.
    Fail,
    /// Good to know.
    Info,
}

impl Verdict {
    /// In small letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Deviation => "deviation",
            Self::Fail => "fail",
            Self::Info => "info",
        }
    }
}

/// What is probed.
#[derive(Clone, Debug)]
pub enum Target {
    /// The receivers of a domain, found in DNS.
    Domain(Domain),
    /// Receivers that were found otherwise, or that the caller named.
    Receivers(Vec<Receiver>),
}

/// How the outside is reached.
pub struct Outside {
    /// Name servers.
    pub dns: Resolver,
    /// HTTPS.
    pub client: Client,
}

/// Probes each receiver of the target in turn.
pub async fn probe(target: Target, outside: &Outside, question: Option<&Question>) -> Vec<Finding> {
    let mut notes = Notes::default();
    let receivers = match target {
        Target::Receivers(receivers) => receivers,
        Target::Domain(domain) => discovery::find(&outside.dns, &domain, &mut notes).await,
    };
    for receiver in &receivers {
        let place = Place {
            url: receiver.url.url(),
            policy: ConnectPolicy {
                administered: receiver.is_administered(),
                tls_name: receiver.tls_name.as_ref().map(ToString::to_string),
            },
        };
        if !tls::look(&outside.client, &place, &mut notes).await {
            continue;
        }
        let Some(target) = capabilities::look(&outside.client, &place, &mut notes).await else {
            continue;
        };
        if let Some(question) = question {
            post::ask(&outside.client, &target, question, &mut notes).await;
        }
    }
    notes.0
}

/// A receiver's URL, and how far requests to it may reach.
#[derive(Clone, Debug)]
struct Place {
    url: Url,
    policy: ConnectPolicy,
}

#[derive(Default)]
struct Notes(Vec<Finding>);

impl Notes {
    fn add(
        &mut self,
        step: &'static str,
        verdict: Verdict,
        section: &'static str,
        text: impl Into<String>,
    ) {
        self.0.push(Finding {
            step,
            verdict,
            text: text.into(),
            section,
        });
    }

    /// One that passes or deviates.
    fn check(
        &mut self,
        step: &'static str,
        section: &'static str,
        good: bool,
        text: impl Into<String>,
    ) {
        let verdict = if good {
            Verdict::Pass
        } else {
            Verdict::Deviation
        };
        self.add(step, verdict, section, text);
    }

    fn deviations(&mut self, step: &'static str, deviations: &Deviations) {
        for deviation in deviations.as_slice() {
            self.add(step, Verdict::Deviation, deviation.section, &deviation.text);
        }
    }
}
