//! Discovery across the boundary.

use crate::{
    answer::Answer,
    values::{Address, Attributes, Call, Length},
};
use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, ROption, RString, RVec},
};

/// An opened discovery strategy. Every method is since 1.0.
#[sabi_trait]
pub trait DiscoveryPlugin: Send + Sync {
    /// Where messages for `address` go.
    fn discover<'a>(&'a self, address: Address<'_>, call: Call<'_>) -> Answer<'a, Discovered>;
    /// The last call: finishes what is under way.
    #[sabi(last_prefix_field)]
    fn close<'a>(&'a self, call: Call<'_>) -> Answer<'a, ()>;
}

/// The object a library hands out.
pub type DiscoveryObject = DiscoveryPlugin_TO<'static, RBox<()>>;

/// What a strategy knows about an address. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Discovered {
    /// One of [`outcome`]; an unknown one is an error.
    pub outcome: u32,
    /// With [`outcome::RECEIVERS`]: who serves the address, the preferred one first. With [`outcome::MAIL`]: at most one, whose
    /// URL tells when the address is busy.
    pub receivers: RVec<Receiver>,
    /// Further facts.
    pub attributes: Attributes,
}

/// The outcomes of a look-up.
pub mod outcome {
    /// These receivers serve it.
    pub const RECEIVERS: u32 = 1;
    /// Nobody serves it, for certain.
    pub const NO_SERVICE: u32 = 2;
    /// Ask the next strategy.
    pub const NOT_MINE: u32 = 3;
    /// It is reached by mail.
    pub const MAIL: u32 = 4;
}

/// One receiver. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Receiver {
    /// Its URL, normalised: `https://`, a host in lower case, a port if it is not 443, path and query.
    pub url: RString,
    /// Where in it the host ends, which begins after `https://`.
    pub host_end: u32,
    /// The port.
    pub port: u32,
    /// Where in it path and query begin.
    pub target_start: u32,
    /// The domain its certificate must name, if not the host.
    pub tls_name: ROption<RString>,
    /// How long the answer holds.
    pub valid_for: ROption<Length>,
    /// One of [`source`]; an unknown one is read as [`source::LOOKUP`].
    pub source: u32,
    /// Further facts: [`dnssec`].
    pub attributes: Attributes,
}

/// Where a receiver is known from.
pub mod source {
    /// From a look-up that others answer: it may not lie on a private address.
    pub const LOOKUP: u32 = 1;
    /// An administrator wrote it down.
    pub const ADMINISTRATOR: u32 = 2;
}

/// Attributes of what was found in DNS, and validated there (RFC 4035 §4.3). Since 1.0.
pub mod dnssec {
    /// Attribute: one of the values below; without it nothing was validated.
    pub const DNSSEC: &str = "dnssec";
    /// Value: signed from a trust anchor down.
    pub const SECURE: &str = "secure";
    /// Value: proven to be unsigned.
    pub const INSECURE: &str = "insecure";
}
