//! The host's own state across the boundary.

use crate::{
    answer::Answer,
    values::{Attributes, Call, Length},
};
use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, ROption, RSlice, RVec},
};

/// An opened place for state. Every method is since 1.0.
#[sabi_trait]
pub trait StatePlugin: Send + Sync {
    /// What a key holds.
    fn get<'a>(&'a self, key: RSlice<'_, u8>, call: Call<'_>) -> Answer<'a, ROption<Entry>>;
    /// What the keys of a range hold, in the order of the keys.
    fn scan<'a>(&'a self, scan: Scan<'_>, call: Call<'_>) -> Answer<'a, Entries>;
    /// Writes all of a batch, or nothing.
    fn commit<'a>(&'a self, batch: Batch<'_>, call: Call<'_>) -> Answer<'a, Committed>;
    /// Waits until something in a range may have changed.
    fn await_changes<'a>(&'a self, range: KeyRange<'_>, call: Call<'_>) -> Answer<'a, ()>;
    /// The last call: finishes what is under way.
    #[sabi(last_prefix_field)]
    fn close<'a>(&'a self, call: Call<'_>) -> Answer<'a, ()>;
}

/// The object a library hands out.
pub type StateObject = StatePlugin_TO<'static, RBox<()>>;

/// What a key holds. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: RVec<u8>,
    /// Its value.
    pub value: RVec<u8>,
    /// Its version: another one after each write.
    pub version: u64,
    /// How long it is there yet; for ever if it does not say.
    pub expires_in: ROption<Length>,
    /// Further facts.
    pub attributes: Attributes,
}

/// The keys from `start` up to, not including, `end`, byte by byte. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct KeyRange<'a> {
    /// The first.
    pub start: RSlice<'a, u8>,
    /// The first one beyond; none if there is no end.
    pub end: ROption<RSlice<'a, u8>>,
}

/// What to look for. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Scan<'a> {
    /// Where.
    pub range: KeyRange<'a>,
    /// The most entries wanted, at least 1.
    pub limit: u32,
    /// Further facts.
    pub attributes: Attributes,
}

/// What was found. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Entries {
    /// In the order of the keys.
    pub items: RVec<Entry>,
    /// Further facts.
    pub attributes: Attributes,
}

/// Writes that are made together, if all conditions hold. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Batch<'a> {
    /// What must hold.
    pub conditions: RVec<Condition<'a>>,
    /// What is written.
    pub writes: RVec<Write<'a>>,
    /// Further facts.
    pub attributes: Attributes,
}

/// What must hold of a key. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Condition<'a> {
    /// Which.
    pub key: RSlice<'a, u8>,
    /// One of [`condition`]; an unknown one is an error.
    pub kind: u32,
    /// With [`condition::VERSION`]: which.
    pub version: u64,
}

/// The conditions.
pub mod condition {
    /// The key holds nothing.
    pub const ABSENT: u32 = 1;
    /// It holds something in this version.
    pub const VERSION: u32 = 2;
}

/// A write. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Write<'a> {
    /// Which key.
    pub key: RSlice<'a, u8>,
    /// One of [`mod@write`]; an unknown one is an error.
    pub kind: u32,
    /// With [`write::PUT`]: the value.
    pub value: RSlice<'a, u8>,
    /// With [`write::PUT`]: how long it is there; for ever if it does not say.
    pub expires_in: ROption<Length>,
}

/// The kinds of write.
pub mod write {
    /// The key holds this.
    pub const PUT: u32 = 1;
    /// The key holds nothing.
    pub const DELETE: u32 = 2;
}

/// A batch was written. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Committed {
    /// The version of everything that was put.
    pub version: u64,
    /// Further facts.
    pub attributes: Attributes,
}
