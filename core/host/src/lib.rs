//! The Convoke host: everything behind the `convoke` program, as a library so that tests and tools reach its parts.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`cli`] | the command line: one file a command |
//! | [`config`] | the configuration file, read into types |
//! | `admin` | what a running host does for commands, and for the console |
//! | [`serve`] | a running host: start, reload, end; health |
//! | [`instance`] | everything that one configuration makes |
//! | [`shared`] | state that outlives a reload |
//! | [`receiver`] | iSchedule from other servers: authentication, then scheduling |
//! | [`submission`] | the same POST from our own users and services, who log in |
//! | `caldav` | the stores, or a CalDAV server, to calendar programs (cargo feature `caldav`) |
//! | `upstream` | that CalDAV server: how it is reached, and who uses it |
//! | `console` | the pages of the admin listener, and the admin API there (cargo feature `console`) |
//! | `site` | which URLs lead to a listener |
//! | `form_secret` | what forms of ours carry and other pages do not know |
//! | `forgetting` | what was noted for calendar programs is forgotten with their user |
//! | `program_inbox` | messages as they came, for calendar programs that show them |
//! | `calendar_view` | what was worked out of calendars for calendar programs |
//! | [`login`] | password authentication of our own users, with brute-force protection |
//! | [`scheduling`] | what `convoke-scheduling` asks of the world: stores, policies, clock |
//! | `incoming_mail` | scheduling messages that come by mail, and what else mail servers hand over |
//! | `access` | what policies are told of a message |
//! | [`sender`] | to the receivers of other domains |
//! | `mail` | to who has no receiver, by mail (cargo feature `mail`) |
//! | `state` | what `convoke-scheduling` does not forget, by the state plugin |
//! | [`write_behind`] | write-behind cache in front of the state |
//! | `wire` | maps scheduling outcomes to iSchedule responses and back |
//! | `answer` | HTTP responses, and the memory that they take |
//! | [`capabilities`] | the capabilities document |
//! | `certificates` | the certificates that the configuration names, and when they end |
//! | `acme` | certificates that an authority issues by itself |
//! | [`admission`] | admission control: concurrency, memory, requests per peer |
//! | `retry_after` | when others want to be asked again |
//! | [`replay`] | idempotency cache for signed requests |
//! | [`rate_limit`] | rate limiting per peer |
//! | `peers` | who came lately, what they proved, why they were refused |
//! | [`worker_pool`] | CPU-bound work, off the runtime's threads |
//! | [`metrics`] | metrics |
//! | [`state_folder`] | what lies in `server.state` |
//! | [`keys`] | look-up of DKIM public keys |
//! | [`probe`] | probes a remote receiver |
//! | `fortnight` | the two weeks that are shown of somebody's busy time |
//! | `busy_picture` | those as a picture |
//! | `log_tail` | the last lines of the log |
//! | `bind_error` | why an address cannot be listened at |
//! | `disk` | whether there is room left |
//! | `health` | what an administrator should look at |
//! | `trouble` | one such thing |
//! | `file_modes` | permissions of the files that the configuration names |
//! | `store_domains` | which store a domain's people are looked for in |
//! | `plain_text` | the octets of a file as text, or why they are none |
//! | `escape` | escapes control characters in log and terminal output |
//!
//! Below it lie `convoke-net` (listeners, the HTTPS client, DNS), `convoke-plugin-host` (the chains of discovery, policy and
//! store plugins), `convoke-scheduling` (what happens with a message), `convoke-ischedule` (the wire), `convoke-calendar` (iCalendar and iTIP) and `convoke-file-access` (who
//! else may read or write a file).
//!
//! Always true: the host knows no plugin by name; policy is asked before a store is; what is answered with success is on
//! disk; nothing from outside is read without a bound on its size and time.

mod access;
#[cfg(feature = "acme")]
mod acme;
mod admin;
pub mod admission;
mod answer;
mod bind_error;
#[cfg(any(feature = "caldav", feature = "console"))]
mod busy_picture;
#[cfg(feature = "caldav")]
pub mod caldav;
#[cfg(feature = "caldav")]
mod calendar_view;
pub mod capabilities;
mod certificates;
pub mod cli;
pub mod config;
#[cfg(feature = "console")]
mod console;
mod decisions;
mod disk;
mod escape;
mod file_modes;
#[cfg(feature = "caldav")]
mod forgetting;
#[cfg(any(feature = "caldav", feature = "console"))]
mod form_secret;
mod fortnight;
mod health;
#[cfg(feature = "mail")]
mod incoming_mail;
pub mod instance;
pub mod keys;
mod lease;
mod log_tail;
pub mod login;
pub mod look_soon;
#[cfg(feature = "mail")]
pub mod mail;
pub mod metrics;
#[cfg(feature = "caldav")]
mod overwritten;
mod peers;
mod plain_text;
pub mod probe;
#[cfg(feature = "caldav")]
mod program_inbox;
pub mod rate_limit;
pub mod receiver;
pub mod replay;
mod retry_after;
pub mod scheduling;
pub mod sender;
pub mod serve;
pub mod shared;
mod sharing;
#[cfg(any(feature = "caldav", feature = "console"))]
mod site;
mod state;
pub mod state_folder;
mod store_domains;
pub mod submission;
mod trouble;
#[cfg(feature = "caldav")]
mod upstream;
mod wire;
pub mod worker_pool;
pub mod write_behind;

/// What the host calls itself to other servers.
pub const USER_AGENT: &str = concat!("Convoke/", env!("CARGO_PKG_VERSION"));
