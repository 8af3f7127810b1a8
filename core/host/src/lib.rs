//! The Convoke host: everything behind the `convoke` program, as a library so that tests and tools reach its parts.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`cli`] | the command line: one file a command |
//! | [`config`] | the configuration file, read into types |
//! | `admin` | what a running host does for commands, and for the console |
//! | [`serve`] | a running host: start, reload, end; health |
//! | [`instance`] | everything that one configuration makes |
//! | [`shared`] | what outlives a configuration |
//! | [`receiver`] | iSchedule from other servers: who are they, then scheduling |
//! | [`submission`] | the same POST from our own users and services, who log in |
//! | [`login`] | who they are |
//! | [`scheduling`] | what `convoke-scheduling` asks of the world: stores, policies, clock |
//! | `access` | what policies are told of a message |
//! | [`sender`] | to the receivers of other domains |
//! | `wire` | the words of scheduling as iSchedule has them |
//! | `answer` | HTTP responses, and the memory that they take |
//! | [`capabilities`] | what we take, published |
//! | [`admission`] | how much is worked on at once |
//! | [`replay`] | the same signed message again gets the same answer again |
//! | [`rate_limit`] | who may ask again, and when |
//! | [`labour`] | what takes long, off the threads that answer everybody |
//! | [`metrics`] | what is counted |
//! | [`state_folder`] | what lies in `server.state` |
//! | [`keys`] | where the keys of signatures come from |
//! | [`probe`] | somebody else's receiver, looked at |
//! | `file_modes` | what others on this machine may change of what the configuration names |
//! | `escape` | texts of others, so that they fake no line of the log and steer no terminal |
//!
//! Below it lie `convoke-net` (listeners, the HTTPS client, DNS), `convoke-plugin-host` (the chains of discovery, policy and
//! store plugins), `convoke-scheduling` (what happens with a message), `convoke-ischedule` (the wire), `convoke-calendar` (iCalendar and iTIP) and `convoke-file-access` (who
//! else may read or write a file).
//!
//! Always true: the host knows no plugin by name; policy is asked before a store is; what is answered with success is on
//! disk; nothing from outside is read without a bound on its size and time.

mod access;
mod admin;
pub mod admission;
mod answer;
pub mod capabilities;
pub mod cli;
pub mod config;
mod decisions;
mod escape;
mod file_modes;
pub mod instance;
pub mod keys;
pub mod labour;
pub mod login;
pub mod look_soon;
pub mod metrics;
pub mod probe;
pub mod rate_limit;
pub mod receiver;
pub mod replay;
pub mod scheduling;
pub mod sender;
pub mod serve;
pub mod shared;
pub mod state_folder;
pub mod submission;
mod wire;

/// What the host calls itself to other servers.
pub const USER_AGENT: &str = concat!("Convoke/", env!("CARGO_PKG_VERSION"));
