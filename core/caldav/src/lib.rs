//! The server's side of `CalDAV`, without I/O: what clients ask read into types, and what they are answered.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`xml`] | a bounded tree with namespaces, read and written |
//! | [`request`] | the bodies of PROPFIND, PROPPATCH and REPORT |
//! | [`filter`] | the filter of a calendar-query, and which objects match it |
//! | [`extent`] | when an object has something, worked out once for many filters |
//! | [`expand`](mod@expand) | a series as its instances, in UTC |
//! | [`multistatus`] | answers about many resources |
//! | [`amend`] | another server's answers about many resources, with properties of ours |
//! | [`precondition`] | what a request must fulfil, by the name that clients know |
//! | [`path`] | which resource a path names |
//! | `wanted` | which properties a request wants, and why it is not understood |
//! | [`principal_search`] | which principals a client looks for |
//! | [`schedule_tag`](mod@schedule_tag) | the schedule tag of an object |
//! | [`answers`] | whose word counts about who comes |
//! | [`schedule_response`](mod@schedule_response) | the answer to a question about busy time |
//! | [`conditional`] | entity tags, and what `If-Match` and `If-None-Match` say of them |
//! | [`if_header`] | what `If` says of them |
//!
//! Always true: nothing here reads a socket, a file or a clock; what clients send ends in a value or a typed error, in time
//! and memory bounded by its length; a document with a DOCTYPE is refused, so that nothing expands.
//!
//! Deliberately not here: HTTP, log-ins, stores.

pub mod amend;
pub mod answers;
pub mod conditional;
pub mod expand;
pub mod extent;
pub mod filter;
pub mod if_header;
pub mod multistatus;
pub mod path;
pub mod precondition;
pub mod principal_search;
pub mod request;
pub mod schedule_response;
pub mod schedule_tag;
mod wanted;
pub mod xml;
