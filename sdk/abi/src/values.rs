//! What all calls share.

use abi_stable::{
    StableAbi,
    std_types::{RResult, RStr, RString, RVec},
};

/// An asynchronous call: borrows the object and the arguments for `'a`, is `Send`, and may be dropped at any time.
/// Since 1.0.
pub type Call<'a, T> = async_ffi::BorrowingFfiFuture<'a, RResult<T, Failure>>;

/// Makes a call of a future, which must not panic when it is polled or dropped.
pub fn call<'a, T>(future: impl Future<Output = RResult<T, Failure>> + Send + 'a) -> Call<'a, T> {
    Call::new(future)
}

/// Further facts by name, for what has no field yet. Unknown names are ignored. Since 1.0.
pub type Attributes = RVec<Attribute>;

/// One further fact.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Attribute {
    /// What it is; lower-case words joined by `-`.
    pub name: RString,
    /// Its value.
    pub value: RString,
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
