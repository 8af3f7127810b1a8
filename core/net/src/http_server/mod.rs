//! From a listening socket to one bounded HTTP request, and back.
//!
//! | module | what it does |
//! | --- | --- |
//! | `listener` | accepts connections, few enough at once, and ends when told to |
//! | `limits` | what a peer may take |
//! | `addresses`, `descriptors` | how many connections one address may have, and how many the system allows |
//! | `http1`, `http2` | a connection from its first request to its last |
//! | `activity`, `frames` | when a peer has kept a connection waiting for too long |
//! | `target` | whom a request is for |
//! | `tls`, `client_ca` | certificates, client certificates, what they prove |
//! | `validation` | certificates that come by ACME, and how an authority validates names |
//! | `memory` | the memory that peers make us hold, and who loses it when it is short |
//! | `body` | a body, bounded in size and time |
//! | `payload` | a response's body: whole, or as another server sends it |
//! | `answer`, `stamp` | what every answer carries, also those that hyper writes by itself |
//! | `linger` | closing so that the last answer arrives |
//!
//! Always true: a handshake, a header, a body and the taking of an answer each end in time and size, or the connection
//! does; a request that has begun is finished before the listener stops; a panic in a handler is one answer, not the host.

mod activity;
mod addresses;
mod answer;
mod body;
mod client_ca;
mod descriptors;
mod frames;
mod http1;
mod http2;
mod limits;
mod linger;
mod listener;
mod memory;
mod payload;
mod stamp;
mod target;
mod tls;
mod validation;

pub use answer::counted;
pub use body::{Body, BodyError, StreamedBody, read_body};
pub use descriptors::{Descriptors, raise};
pub use limits::{ConnectionsPerAddress, Limits};
pub use listener::{Bound, Handler, Listening, adopt, bind};
pub use memory::{Holding, Memory, Short};
pub use payload::{Payload, StreamError};
pub use tls::{ServerTls, TlsFiles, acme_tls, server_tls};
pub use validation::{PresentedCertificate, TlsChallenges};

use convoke_types::Domain;
use std::net::SocketAddr;

/// A response.
pub type Response = http::Response<Payload>;

/// What is known of a connection.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Who connected.
    pub address: SocketAddr,
    /// Whether the connection is TLS, which ends here.
    pub is_tls: bool,
    /// The domains that a client certificate proved.
    pub client_domains: Vec<Domain>,
}
