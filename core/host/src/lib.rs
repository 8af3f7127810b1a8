//! The Convoke host: everything behind the `convoke` program, as a library so that tests and tools reach its parts.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`cli`] | the command line: one file a command |
//! | `demo` | two domains on this machine |
//! | [`config`] | the configuration file, read into types |
//! | [`serve`] | a running host: start, reload, end; health and metrics |
//! | [`receiver`] | iSchedule from other servers: who are they, is the message valid, deliver |
//! | [`submission`] | the same POST from our own users and services, who log in |
//! | [`delivery`] | to one calendar user of ours, through a store |
//! | [`sender`] | to the receivers of other domains |
//! | [`keys`] | where the keys of signatures come from |
//! | [`probe`] | somebody else's receiver, looked at |
//! | `file_modes` | what others on this machine may change of what the configuration names |
//! | `escape` | texts of others, so that they fake no line of the log and steer no terminal |
//! | [`throttle`] | who may ask again, and when |
//! | [`labour`] | what takes long, off the threads that answer everybody |
//!
//! Below it lie `convoke-net` (listeners, the HTTPS client, DNS), `convoke-plugin-host` (the chains of discovery, policy and
//! store plugins), `convoke-ischedule` (the wire), `convoke-calendar` (iCalendar and iTIP) and `convoke-file-access` (who
//! else may read or write a file).
//!
//! Always true: the host knows no plugin by name; policy is asked before a store is; what is answered with success is on
//! disk; nothing from outside is read without a bound on its size and time.

pub mod cli;
pub mod config;
pub mod delivery;
mod demo;
mod escape;
mod file_modes;
pub mod keys;
pub mod labour;
pub mod probe;
pub mod receiver;
pub mod sender;
pub mod serve;
pub mod submission;
pub mod throttle;

/// What the host calls itself to other servers.
pub const USER_AGENT: &str = concat!("Convoke/", env!("CARGO_PKG_VERSION"));
