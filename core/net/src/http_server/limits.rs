//! What a peer may take of a listener.

use std::time::Duration;

/// Bounds on connections and on what is read from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once from one address (IPv6: one /64).
    pub connections_per_address: ConnectionsPerAddress,
    /// For the TLS handshake.
    pub handshake_time: Duration,
    /// For the header of a request.
    pub header_time: Duration,
    /// For the body of a request, and for each 64 KiB of an answer.
    pub body_time: Duration,
    /// From one request to the next.
    pub idle_time: Duration,
    /// Bytes of a header.
    pub header_size: usize,
    /// Fields of a header.
    pub header_fields: usize,
}

/// How many connections an address may have at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionsPerAddress {
    /// So many.
    pub most: usize,
    /// Whether connections from this machine count too.
    pub loopback: bool,
}
