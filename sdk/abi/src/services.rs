//! What the host offers to a plugin.

use crate::{
    store::{CalendarUser, ObjectIndex},
    values::{Attributes, Failure},
};
use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, ROption, RResult, RSlice, RStr, RString, RVec},
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
    fn log(&self, event: Event<'_>);
    /// A folder of the instance's own, made if it is not there yet: its bytes as the system has them.
    fn state_folder(&self) -> RResult<RVec<u8>, Failure>;
    /// What a private file holds, without the end of its last line; `path` counts from
    /// [`directory`](Self::directory). Whoever takes the bytes overwrites them.
    fn secret(&self, path: RSlice<'_, u8>) -> RResult<RVec<u8>, Failure>;
    /// How the host reaches others.
    fn network(&self) -> Network;
    /// Makes a series of numbers known and answers its number, the same for the same name and labels; 0 if the host
    /// does not take it.
    fn metric(&self, metric: Metric<'_>) -> u64;
    /// Takes a number into a series: see [`metric_kind`]. What is no series of the instance is passed over.
    fn record(&self, series: u64, value: f64);
    /// Says how the instance is.
    #[sabi(last_prefix_field)]
    fn health(&self, health: Health<'_>);
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

/// How the host reaches others, for a plugin that is to reach them alike. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Network {
    /// Name servers that are asked before the system's: `192.0.2.1:53`, `[2001:db8::1]:53`.
    pub nameservers: RVec<RString>,
    /// Certificates that are believed besides the system's trust anchors.
    pub trusted: RVec<TrustedCertificate>,
    /// Further facts.
    pub attributes: Attributes,
}

/// A certificate that is believed. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct TrustedCertificate {
    /// DER.
    pub certificate: RVec<u8>,
    /// One of [`trust`]; an unknown one is passed over: nothing is believed for it.
    pub kind: u32,
    /// The domains that it is believed for, with those below them; empty for all.
    pub domains: RVec<RString>,
    /// Further facts.
    pub attributes: Attributes,
}

/// What a certificate is believed for.
pub mod trust {
    /// It issues: what it signed is believed by the ordinary rules.
    pub const AUTHORITY: u32 = 1;
    /// A server that shows this very certificate is believed.
    pub const PINNED: u32 = 2;
}

/// A series of numbers. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Metric<'a> {
    /// One of [`metric_kind`]; one of an unknown kind is not taken.
    pub kind: u32,
    /// What is counted or measured: `fetches_total`.
    pub name: RStr<'a>,
    /// What it means, in a sentence.
    pub help: RStr<'a>,
    /// What tells it from others of the name.
    pub labels: Attributes,
    /// With [`metric_kind::HISTOGRAM`]: the upper bounds of its buckets, rising.
    pub bounds: RVec<f64>,
    /// Further facts.
    pub attributes: Attributes,
}

/// What the numbers of a series mean.
pub mod metric_kind {
    /// Each number is added.
    pub const COUNTER: u32 = 1;
    /// Each number takes the place of the one before.
    pub const GAUGE: u32 = 2;
    /// Each number is one observation.
    pub const HISTOGRAM: u32 = 3;
}

/// How an instance is. Since 1.0.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Health<'a> {
    /// One of [`health`]; an unknown one is read as [`health::DEGRADED`].
    pub state: u32,
    /// With [`health::DEGRADED`]: why, a sentence for the administrator.
    pub why: RStr<'a>,
    /// Further facts.
    pub attributes: Attributes,
}

/// How an instance can be.
pub mod health {
    /// As it should.
    pub const OK: u32 = 1;
    /// It answers, but not as well as it should.
    pub const DEGRADED: u32 = 2;
}
