//! What the host offers to a plugin.

use crate::{
    store::{CalendarUser, ObjectIndex},
    values::{Attributes, Failure},
};
use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, ROption, RResult, RSlice, RStr},
};

/// The host as one opened instance of a plugin sees it. Handed over at open, owned by the plugin from then on; may
/// be used from any thread until it is dropped. Every method is since 1.0.
#[sabi_trait]
pub trait HostServices: Send + Sync {
    /// What the administrator calls the instance.
    fn instance(&self) -> RStr<'_>;
    /// The folder that relative paths count from: its bytes as the system has them.
    fn directory(&self) -> RSlice<'_, u8>;
    /// Describes an iCalendar object, of this user if one is given.
    fn index(
        &self,
        user: ROption<CalendarUser>,
        data: RSlice<'_, u8>,
    ) -> RResult<ObjectIndex, Failure>;
    /// The chattiest level of which events are wanted, one of [`level`]; 0 for none.
    fn level(&self) -> u32;
    /// Takes an event into the host's log.
    #[sabi(last_prefix_field)]
    fn log(&self, event: Event<'_>);
}

/// The object the host hands over.
pub type HostObject = HostServices_TO<'static, RBox<()>>;

/// One event of a plugin's log. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Event<'a> {
    /// One of [`level`]; an unknown one is read as [`level::INFO`].
    pub level: u32,
    /// Where in the plugin it comes from.
    pub target: RStr<'a>,
    /// What happened.
    pub message: RStr<'a>,
    /// Its fields.
    pub fields: Attributes,
}

/// Levels of events.
pub mod level {
    /// Something failed.
    pub const ERROR: u32 = 1;
    /// Something may fail.
    pub const WARN: u32 = 2;
    /// Something happened.
    pub const INFO: u32 = 3;
    /// For whoever looks for a fault.
    pub const DEBUG: u32 = 4;
    /// Every step.
    pub const TRACE: u32 = 5;
}
