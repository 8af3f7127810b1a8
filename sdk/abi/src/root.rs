//! What a plugin library exports.

use crate::{
    answer::Answer, discovery::DiscoveryObject, policy::PolicyObject, services::HostObject,
    state::StateObject, store::StoreObject, values::Attributes,
};
use abi_stable::{
    StableAbi, declare_root_module_statics,
    library::{CheckTypeLayout, LibHeader, RootModule, RootModuleResult},
    package_version_strings,
    prefix_type::PrefixTypeTrait,
    sabi_types::VersionStrings,
    std_types::{ROption, RString},
};

/// The name of the symbol that holds the [`Header`].
pub const SYMBOL: &str = "CONVOKE_PLUGIN_ROOT";

/// The root module: how to open each kind that the library offers.
///
/// Append-only: a field that a library does not have reads as `None`.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRoot_Ref)))]
#[sabi(missing_field(option))]
pub struct PluginRoot {
    /// Opens a discovery strategy. Since 1.0.
    pub open_discovery: ROption<extern "C" fn(OpenRequest, HostObject) -> Opening<DiscoveryObject>>,
    /// Opens a policy. Since 1.0.
    pub open_policy: ROption<extern "C" fn(OpenRequest, HostObject) -> Opening<PolicyObject>>,
    /// Opens a store. Since 1.0.
    pub open_store: ROption<extern "C" fn(OpenRequest, HostObject) -> Opening<StoreObject>>,
    /// Opens a place for the host's own state. Since 1.0.
    #[sabi(last_prefix_field)]
    pub open_state: ROption<extern "C" fn(OpenRequest, HostObject) -> Opening<StateObject>>,
}

impl PluginRoot {
    /// A library that offers nothing.
    pub const EMPTY: Self = Self {
        open_discovery: ROption::RNone,
        open_policy: ROption::RNone,
        open_store: ROption::RNone,
        open_state: ROption::RNone,
    };
}

/// A plugin being opened.
pub type Opening<T> = Answer<'static, T>;

/// What a plugin is opened with. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct OpenRequest {
    /// The entry's `config` as a TOML document.
    pub config: RString,
    /// What the host's clock shows, in nanoseconds, at least 1: deadlines of calls count on it.
    pub now: u64,
    /// Further facts.
    pub attributes: Attributes,
}

impl RootModule for PluginRoot_Ref {
    declare_root_module_statics! {PluginRoot_Ref}
    const BASE_NAME: &'static str = "convoke_plugin";
    const NAME: &'static str = "convoke_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// What stands at [`SYMBOL`] in a library.
pub type Header = LibHeader;

/// What a library implements to export its root module; `convoke_sdk::plugin!` does it.
pub trait Export {
    /// The library's root module.
    const ROOT: PluginRoot;
}

/// The header of a library that exports `E`.
pub const fn header<E: Export>() -> Header {
    // SAFETY: `construct` answers a reference to a `PluginRoot`, erased, and `PluginRoot_Ref` is the module named.
    unsafe { LibHeader::from_constructor::<PluginRoot_Ref>(construct::<E>, CheckTypeLayout::Yes) }
}

extern "C" fn construct<E: Export>() -> RootModuleResult {
    abi_stable::library::__call_root_module_loader(|| E::ROOT.leak_into_prefix())
}
