//! Discovery across the boundary.

use crate::values::{Address, Attributes, Call, Length};
use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, ROption, RString, RVec},
};

/// An opened discovery strategy. Since 1.0.
#[sabi_trait]
pub trait DiscoveryPlugin: Send + Sync {
    /// Where messages for `address` go. Since 1.0.
    #[sabi(last_prefix_field)]
    fn discover<'a>(&'a self, address: Address<'a>) -> Call<'a, Discovered>;
}

/// The object a library hands out.
pub type DiscoveryObject = DiscoveryPlugin_TO<'static, RBox<()>>;

/// What a strategy knows about an address. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Discovered {
    /// One of [`outcome`]; an unknown one is an error.
    pub outcome: u32,
    /// With [`outcome::RECEIVERS`]: who serves the address, the preferred one first.
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
}

/// One receiver. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Receiver {
    /// Where to POST.
    pub url: RString,
    /// The domain its certificate must name, if not the URL's host.
    pub tls_name: ROption<RString>,
    /// How long the answer holds.
    pub valid_for: ROption<Length>,
    /// Whether an administrator wrote it down.
    pub administered: bool,
    /// Further facts: [`dnssec`].
    pub attributes: Attributes,
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
