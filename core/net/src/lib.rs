//! What the host has of the network: a TLS listener, an HTTPS client, a filter of addresses.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`http_server`] | from a listening socket to one bounded HTTP request, and back |
//! | [`http_client`] | one HTTPS request to another server, redirects followed; only addresses that may be reached |
//! | [`pem`] | certificates and private keys, read from files |
//! | [`trusted_certificates`] | certificates and authorities that the administrator listed |
//! | [`registrable`] | which domains are public suffixes, and who speaks for whom |
//! | [`network`] | which addresses count as one peer |
//!
//! Always true: nothing is read from a peer without a bound on its size and time; every certificate is verified; an address
//! is looked at after its name was resolved, and before it is connected to.
//!
//! Not here: names and records (`convoke-dns`); which servers are believed (`convoke-tls`); the configuration file, whose values come as the settings of each module, and what is said over a connection:
//! iSchedule, calendars, plugins.

pub mod http_client;
pub mod http_server;
pub mod network;
pub mod pem;
pub mod registrable;
pub mod trusted_certificates;
