//! What all calls share.

use abi_stable::{
    StableAbi,
    std_types::{RSlice, RStr, RString, RVec},
};

/// What goes with every call. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Call<'a> {
    /// When the answer is of no use any more: nanoseconds on the host's clock, which stands at
    /// [`OpenRequest::now`](crate::root::OpenRequest::now) when a plugin is opened and never goes back; 0 for never.
    pub deadline: u64,
    /// Which request of the host it belongs to, for logs; 0 for none.
    pub request_id: u64,
    /// One of [`purpose`]; an unknown one is read as [`purpose::OTHER`].
    pub purpose: u32,
    /// Further facts.
    pub attributes: LentAttributes<'a>,
}

/// What a call is made for.
pub mod purpose {
    /// Nothing of the others.
    pub const OTHER: u32 = 0;
    /// A scheduling message came in.
    pub const DELIVERY: u32 = 1;
    /// A user of ours sends.
    pub const SUBMISSION: u32 = 2;
    /// An administrator asked.
    pub const ADMINISTRATION: u32 = 3;
    /// The host's own work: comparing, retrying, cleaning up.
    pub const BACKGROUND: u32 = 4;
    /// A test of the plugin.
    pub const TEST: u32 = 5;
}

/// Further facts by name, for what has no field yet. Unknown names are ignored. Since 1.0.
pub type Attributes = RVec<Attribute>;

/// One further fact.
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// What it is; lower-case words joined by `-`.
    pub name: RString,
    /// Its value.
    pub value: RString,
}

/// Further facts by name, lent for a call, as [`Attributes`]. Since 1.0.
pub type LentAttributes<'a> = RSlice<'a, LentAttribute<'a>>;

/// One further fact, lent for a call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct LentAttribute<'a> {
    /// What it is; lower-case words joined by `-`.
    pub name: RStr<'a>,
    /// Its value.
    pub value: RStr<'a>,
}

/// A stretch of time from `start` up to, not including, `end`. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its first instant.
    pub start: Instant,
    /// The first instant after it.
    pub end: Instant,
}

/// An instant: seconds since 1970-01-01T00:00:00Z, and nanoseconds of the same sign. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant {
    /// Whole seconds.
    pub seconds: i64,
    /// The rest, -999,999,999 to 999,999,999.
    pub nanoseconds: i32,
}

/// A length of time. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// Whole seconds.
    pub seconds: u64,
    /// The rest, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// Why a call failed. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Failure {
    /// One of [`failure`]; an unknown one is read as [`failure::INTERNAL`].
    pub kind: u32,
    /// A sentence for the administrator.
    pub message: RString,
    /// Further facts: [`failure::CONFIG_KEY`].
    pub attributes: Attributes,
}

/// The kinds of failure.
pub mod failure {
    /// Try again later.
    pub const UNAVAILABLE: u32 = 1;
    /// Somebody else was first.
    pub const CONFLICT: u32 = 2;
    /// The request or the configuration is wrong.
    pub const INVALID: u32 = 3;
    /// There is no such thing.
    pub const NOT_FOUND: u32 = 4;
    /// Not allowed.
    pub const DENIED: u32 = 5;
    /// Not offered.
    pub const UNSUPPORTED: u32 = 6;
    /// The plugin is at fault.
    pub const INTERNAL: u32 = 7;

    /// Attribute: the configuration key at fault, its parts joined by `.`.
    pub const CONFIG_KEY: &str = "config-key";
}

/// A calendar user address that was normalised by the caller. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Address<'a> {
    /// The URI.
    pub uri: RStr<'a>,
    /// The domain whose server takes messages for it; empty if it has none.
    pub domain: RStr<'a>,
}
