//! The binary interface between the Convoke host and its plugins.
//!
//! Nobody but the SDK and the host depends on this crate, and nobody else names `abi_stable`. A plugin author never
//! sees it.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`values`] | what all calls share: what goes with a call, instants, attributes, failures |
//! | [`answer`] | the answer to a call: a future that crosses |
//! | [`discovery`], [`policy`], [`store`], [`state`] | the four kinds: their requests, their answers, the object a plugin hands out |
//! | [`services`] | what the host offers to a plugin |
//! | [`root`] | the root module: what a library exports |
//! | [`manifest`] | what a library says about itself without being run |
//! | `load` (feature `load`) | the host's side: read the manifest, check the file, load it, check the layout |
//!
//! # The promise
//!
//! A plugin built for ABI 1.x loads in every host of ABI 1.y, older or newer. So, after the first release:
//!
//! - the tables ([`root::PluginRoot`] and the objects' methods) only grow at their end, and what is added has a
//!   default;
//! - the values keep their layout; small new facts travel in their `attributes`, larger ones in new values of new
//!   methods;
//! - codes (of failures, kinds, outcomes) are numbers that are never used again for something else, and each says
//!   how a reader takes a number it does not know. There is no `bool`: what has two values today may have three.
//!
//! Raise this crate's minor version when a table grows, the major version when a layout changes.
//!
//! # Threads and ownership
//!
//! Every object is `Send + Sync` and may be called from any thread, many times at once. A call borrows its object
//! and its arguments until its future is dropped; the future may be dropped before it is ready. Answers are owned
//! by the caller, whichever side allocated them. Nothing may unwind across the boundary: the SDK catches panics
//! before they reach it. Libraries are never unloaded.
//!
//! All `unsafe` of the project is in this crate.

// The one crate that may: every block and attribute says why it is sound.
#![allow(unsafe_code)]
// `#[sabi_trait]` and `#[derive(StableAbi)]` make code that our lints were not written for.
#![allow(
    non_camel_case_types,
    non_local_definitions,
    clippy::cast_ptr_alignment,
    clippy::expl_impl_clone_on_copy,
    clippy::trivially_copy_pass_by_ref,
    clippy::used_underscore_binding,
    reason = "raised in what the derives of abi_stable expand to"
)]

pub mod answer;
pub mod discovery;
#[cfg(feature = "load")]
pub mod load;
pub mod manifest;
pub mod policy;
pub mod root;
pub mod services;
pub mod state;
pub mod store;
pub mod values;

pub use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RBox, RNone, ROption, RResult, RSlice, RSome, RStr, RString, RVec},
};

/// The version of the interface: major, minor.
pub const VERSION: (u32, u32) = (
    parse(env!("CARGO_PKG_VERSION_MAJOR")),
    parse(env!("CARGO_PKG_VERSION_MINOR")),
);

/// [`VERSION`] as it stands in a manifest: `1.0`.
pub const VERSION_TEXT: &str = concat!(
    env!("CARGO_PKG_VERSION_MAJOR"),
    ".",
    env!("CARGO_PKG_VERSION_MINOR")
);

const fn parse(digits: &str) -> u32 {
    let digits = digits.as_bytes();
    let (mut value, mut at) = (0, 0);
    while at < digits.len() {
        value = value * 10 + (digits[at] - b'0') as u32;
        at += 1;
    }
    value
}
