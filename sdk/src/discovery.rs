//! Discovery: from a calendar user's address to the server that takes messages for it.

use crate::{Attributes, CalendarAddress, Call, Domain, Host, ReceiverUrl, Result, Sharing};
use convoke_abi::discovery::dnssec;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{future::Future, time::Duration};

/// A way to find the iSchedule Receiver of an address.
///
/// The host asks its strategies in the order of the configuration file: [`Discovered::NotMine`] lets the next one
/// answer, [`Discovered::NoService`] ends the search for good, [`Discovered::Mail`] ends it with the mail transport, an
/// error lets the next one answer and, if nobody does, becomes *try later*.
///
/// ```
/// use convoke_sdk::prelude::*;
///
/// /// Everybody's messages go to one relay.
/// struct Relay(ReceiverUrl);
///
/// convoke_sdk::config! {
///     struct Config {
///         /// Where all messages go.
///         url: ReceiverUrl,
///     }
/// }
///
/// impl Discovery for Relay {
///     type Config = Config;
///
///     async fn open(config: Config, _host: Host) -> Result<Self> {
///         Ok(Self(config.url))
///     }
///
///     async fn discover(&self, address: &CalendarAddress, _: &Call) -> Result<Discovered> {
///         Ok(match address.domain() {
///             Ok(_) => Discovered::Receivers(vec![Receiver::administered(self.0.clone())]),
///             Err(_) => Discovered::NotMine, // an address such as `urn:uuid:…`
///         })
///     }
/// }
///
/// convoke_sdk::plugin! { name: "relay", discovery: Relay }
/// # convoke_sdk::conformance! { discovery: Relay, config: "url = 'https://relay.example/'", known: ["a@example.com"] }
/// # fn main() { it_keeps_what_a_discovery_strategy_promises() }
/// ```
pub trait Discovery: Sized + Send + Sync + 'static {
    /// What the administrator writes under `config` in this plugin's entry.
    type Config: DeserializeOwned;

    /// Whether it may be opened twice side by side.
    const SHARING: Sharing = Sharing::Shared;

    /// Makes ready to answer. Called once for each entry in the configuration.
    fn open(config: Self::Config, host: Host) -> impl Future<Output = Result<Self>> + Send;

    /// Where scheduling messages for `address` go.
    fn discover(
        &self,
        address: &CalendarAddress,
        call: &Call,
    ) -> impl Future<Output = Result<Discovered>> + Send;

    /// The last call: finishes what is under way. The default has nothing to finish.
    fn close(&self, call: &Call) -> impl Future<Output = Result<()>> + Send {
        let _ = call;
        std::future::ready(Ok(()))
    }
}

/// What a strategy knows about an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Discovered {
    /// These receivers serve it; the first one that answers is used.
    Receivers(Vec<Receiver>),
    /// It is known that nobody serves it (an SRV target of `.`, for example).
    NoService,
    /// This strategy has nothing to say; ask the next.
    NotMine,
    /// It is reached by mail; nobody else is asked.
    Mail,
    /// The same, and when it is busy is read at this URL, as iCalendar (a VFREEBUSY, as other calendar servers publish it).
    FreeBusyUrl(Receiver),
}

impl Discovered {
    /// One receiver.
    pub fn receiver(url: ReceiverUrl) -> Self {
        Self::Receivers(vec![Receiver::new(url)])
    }
}

/// One receiver, or a server that tells busy time by URL, and what was learnt on the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receiver {
    /// Where to POST; with [`Discovered::FreeBusyUrl`], what to GET.
    pub url: ReceiverUrl,
    /// The name its certificate must carry, if that is not the URL's host.
    #[serde(default)]
    pub tls_name: Option<Domain>,
    /// How long the answer may be remembered; `None` leaves it to the host.
    #[serde(default, with = "convoke_types::seconds")]
    pub valid_for: Option<Duration>,
    /// Where it is known from.
    #[serde(default)]
    pub source: Source,
    /// How far DNSSEC vouches for it; `None` if nothing was validated.
    #[serde(default)]
    pub dnssec: Option<Dnssec>,
    /// Further facts by name.
    #[serde(default)]
    pub attributes: Attributes,
}

impl Receiver {
    /// A receiver at `url`, found by a look-up.
    pub const fn new(url: ReceiverUrl) -> Self {
        Self {
            url,
            tls_name: None,
            valid_for: None,
            source: Source::Lookup,
            dnssec: None,
            attributes: Attributes::new(),
        }
    }

    /// A receiver that the administrator wrote down; it may lie on a private address.
    pub const fn administered(url: ReceiverUrl) -> Self {
        let mut receiver = Self::new(url);
        receiver.source = Source::Administrator;
        receiver
    }

    /// Whether an administrator wrote it down.
    pub fn is_administered(&self) -> bool {
        self.source == Source::Administrator
    }
}

/// Where a receiver is known from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Source {
    /// From a look-up that others answer. It may not lie on a loopback, link-local or private address without
    /// `client.allow_networks`.
    #[default]
    Lookup,
    /// An administrator wrote it down.
    Administrator,
}

/// What DNSSEC says of a look-up (RFC 4035 §4.3). What it says was forged is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Dnssec {
    /// Signed from a trust anchor down.
    Secure,
    /// Proven to be unsigned.
    Insecure,
}

impl Dnssec {
    /// In small letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secure => dnssec::SECURE,
            Self::Insecure => dnssec::INSECURE,
        }
    }

    /// Reads what [`as_str`](Self::as_str) wrote; anything else counts as not validated.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            dnssec::SECURE => Some(Self::Secure),
            dnssec::INSECURE => Some(Self::Insecure),
            _ => None,
        }
    }
}
