//! Why an address cannot be listened at, and what to do about it.

use std::{fmt, io, net::SocketAddr};

/// Ports below this one are the system's.
const FIRST_FREE: u16 = 1024;

/// What the system says, and what to do about it; one sentence.
pub(crate) struct BindProblem<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) error: &'a io::Error,
}

impl fmt::Display for BindProblem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, error } = self;
        let (ip, port) = (address.ip(), address.port());
        match error.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "another program listens there (`ss -ltnp sport = :{port}` says which); end it, or choose another port"
            ),
            io::ErrorKind::AddrNotAvailable => write!(
                f,
                "this machine has no address {ip}; write one that `ip address` shows, or \"[::]:{port}\" for all of them"
            ),
            io::ErrorKind::PermissionDenied if port < FIRST_FREE => write!(
                f,
                "a port below {FIRST_FREE} takes the capability net_bind_service, which this user does not have; give it to the \
                 service (AmbientCapabilities= and CapabilityBoundingSet=CAP_NET_BIND_SERVICE in its unit), let systemd open the socket, or choose a port \
                 from {FIRST_FREE} on"
            ),
            _ => write!(f, "{error}; choose another address"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn each_reason_has_its_remedy() {
        for (kind, address, remedy) in [
            (ErrorKind::AddrInUse, "[::]:8443", "ss -ltnp sport = :8443"),
            (
                ErrorKind::AddrNotAvailable,
                "192.0.2.1:8443",
                "has no address 192.0.2.1",
            ),
            (
                ErrorKind::PermissionDenied,
                "[::]:443",
                "CAP_NET_BIND_SERVICE",
            ),
            (
                ErrorKind::PermissionDenied,
                "[::]:8443",
                "choose another address",
            ),
        ] {
            let (address, error) = (address.parse().unwrap(), kind.into());
            let said = BindProblem {
                address,
                error: &error,
            }
            .to_string();
            assert!(said.contains(remedy), "{said}");
        }
    }
}
