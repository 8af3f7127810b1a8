//! From a listening socket to one bounded HTTP request, and back.
//!
//! | module | what it does |
//! | --- | --- |
//! | `listener` | accepts connections, few enough at once, and ends when told to |
//! | `tls`, `client_ca` | certificates, client certificates, what they prove |
//! | `body` | a body, bounded in size and time |
//! | `linger` | closing so that the last answer arrives |
//!
//! Always true: a handshake, a header and a body each end in time and size, or the connection does; a request that has
//! begun is finished before the listener stops; a panic in a handler is one answer, not the host.

mod body;
mod client_ca;
mod linger;
mod listener;
mod tls;

pub(crate) use body::{BodyError, read_body};
pub use listener::{Bound, Handler, Listening, bind};
pub use tls::{ServerTls, TlsError, server_tls};
pub(crate) use tls::{certificates, private_key};

use bytes::Bytes;
use convoke_types::Domain;
use http_body_util::Full;
use std::net::SocketAddr;

/// The body of a request, not read yet.
pub type Body = hyper::body::Incoming;

/// A response, whole.
pub type Response = http::Response<Full<Bytes>>;

/// What is known of a connection.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Who connected.
    pub address: SocketAddr,
    /// The domains that a client certificate proved.
    pub client_domains: Vec<Domain>,
}
